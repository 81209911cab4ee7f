"""`initdb`: exactly one line, safe to repeat, and a private file."""

import stat

from tests.e2e.site import Site


def test_it_makes_a_private_database_and_says_so(tmp_path):
    site = Site(tmp_path)
    assert site.ok("initdb") == "Database initialized successfully.\n"
    assert site.ok("initdb") == "Database initialized successfully.\n"
    assert site.ok("enqueue", "--id", "job1", "--quiet", "true") == "job1\n"
    files = list(tmp_path.glob("queue.sqlite3*"))
    assert files
    assert all(stat.S_IMODE(file.stat().st_mode) == 0o600 for file in files)
