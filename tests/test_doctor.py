"""What `doctor` finds."""

import pytest
from django.db.models.expressions import RawSQL

from jobs import queue, signing, sql, sqlite_options, stats
from jobs.database import connection
from jobs.models import Job
from jobs.stats import _place, doctor
from tests.clock import NOW, after
from tests.factories import make_job
from tests.test_stats import make_living

pytestmark = pytest.mark.django_db


def test_it_finds_a_sound_place_sound():
    make_living()
    levels = {finding.check: finding.level for finding in doctor.examine(now=NOW)}
    assert {"database", "migrations", "clock", "workers", "queues", "signatures"} <= levels.keys()
    assert stats.Level.ERROR not in levels.values()


def test_it_finds_a_clock_that_is_wrong():
    make_job(enqueued_at=after(seconds=3_600))
    clock = next(finding for finding in doctor.examine(now=NOW) if finding.check == "clock")
    assert (clock.level, clock.text) == (stats.Level.ERROR, "the database holds a time 1h in the future")


def test_it_finds_a_paused_queue_with_its_owner():
    queue.pause("a'b", now=NOW, reason="moving", by="anna (admin)")
    (found,) = [each for each in doctor.examine(now=NOW) if each.check == "queues" and each.remedy]
    assert found.text == "a'b is paused by anna (admin) since 2026-01-02 03:04:05 UTC: moving"
    assert found.remedy == """queuectl queue resume 'a'"'"'b'"""


def test_it_finds_a_job_whose_environment_somebody_wrote_by_hand():
    make_job(signature=signing.sign(id="job1", command="true", uses_shell=True, cwd=None, env=None))
    Job.objects.update(env=RawSQL("%s", ["{"]))
    (found,) = [each for each in doctor.examine(now=NOW) if each.check == "signatures"]
    assert found.level is stats.Level.ERROR
    assert found.text == "1 of the next 1 job will not run, for lack of a valid signature: job1"


def test_it_finds_workers_that_are_silent_or_died_with_jobs():
    make_living(heartbeat_at=after(seconds=-30))
    make_living(marker="2", process_started="0", workers=[{"pid": 1, "jobs": ["a"], "rss_bytes": 1}])
    texts = [finding.text for finding in doctor.examine(now=NOW) if finding.check == "workers"]
    assert any("has not been heard from for 30s" in text for text in texts)
    assert any("died with 1 job in hand" in text for text in texts)


@pytest.mark.parametrize(("pages", "level"), [("0", stats.Level.WARNING), ("1000", stats.Level.ERROR)])
def test_it_tells_whether_the_race_of_sqlite_is_avoided(monkeypatch, pages, level):
    monkeypatch.setattr(sqlite_options, "has_wal_reset_race", lambda: True)
    (finding,) = _place._settings({"product": "SQLite 3.40.1", "wal_autocheckpoint": pages})
    assert (finding.check, finding.level) == ("database", level)
    assert finding.remedy


def test_it_finds_a_log_that_a_reader_holds(tmp_path):
    path = tmp_path / "queue.sqlite3"
    assert not [*_place._wal(path)]
    with (tmp_path / "queue.sqlite3-wal").open("wb") as log:
        log.truncate(_place.WAL_LARGE_BYTES + 1)
    (finding,) = _place._wal(path)
    assert finding.level is stats.Level.WARNING
    assert "256 MiB" in finding.text


@pytest.mark.parametrize(("mode", "is_found"), [(0o777, True), (0o770, True), (0o755, False), (0o1777, False)])
def test_it_finds_a_folder_in_which_others_may_replace_the_database(tmp_path, mode, is_found):
    path = tmp_path / "queue.sqlite3"
    path.touch(mode=0o600)
    tmp_path.chmod(mode)
    (finding,) = _place._permissions(path)
    assert (finding.level is stats.Level.WARNING) is is_found
    assert (finding.remedy == f"chmod go-w {tmp_path}") is is_found


def test_it_finds_a_server_that_never_removes_dead_rows():
    (finding,) = _place._server({"product": "PostgreSQL 15.20", "autovacuum": "off"})
    assert (finding.level, finding.remedy) == (stats.Level.WARNING, "set autovacuum = on")
    assert not [*_place._server({"product": "PostgreSQL 15.20", "autovacuum": "on"})]


def test_it_asks_the_server_what_it_judges_it_by():
    facts = sql.for_connection(connection).facts(connection)
    wanted = {"postgresql": {"synchronous_commit", "autovacuum"}, "mysql": {"innodb_flush_log_at_trx_commit"}}
    assert wanted.get(connection.vendor, {"wal_autocheckpoint"}) <= facts.keys()
