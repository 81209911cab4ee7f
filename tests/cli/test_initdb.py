"""`initdb`: exactly one line, safe to repeat, and a private file where the database is one."""

import stat


def test_it_makes_tables_and_says_so(empty_site):
    assert empty_site.ok("initdb") == "Database initialized successfully.\n"
    assert empty_site.ok("initdb") == "Database initialized successfully.\n"
    assert empty_site.ok("enqueue", "--id", "job1", "--quiet", "true") == "job1\n"


def test_it_makes_a_private_file(sqlite_site):
    sqlite_site.ok("enqueue", "--id", "job1", "--quiet", "true")
    files = list(sqlite_site.home.glob("queue.sqlite3*"))
    assert files
    assert all(stat.S_IMODE(file.stat().st_mode) == 0o600 for file in files)
