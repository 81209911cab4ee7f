"""P17, P18: when attempts start, and where a job goes that has none left."""

import itertools
import subprocess

import pytest

from tests.e2e.databases import moment
from tests.e2e.site import CHECKOUT, Site
from tests.waiting import wait_until

START = 'echo "S $QUEUECTL_JOB_ID $(date +%s.%N)" >> "$LEDGER"'


@pytest.mark.parametrize("base", ["0.5", "1", "1.5"])
def test_it_waits_base_to_the_power_of_the_attempt_before_each_retry(site: Site, base: str) -> None:
    site.ok("config", "set", "backoff-base", base)
    site.enqueue({"id": "j", "command": f"{START}; exit 1", "max_retries": 3})
    site.start("--count", "1")

    site.wait_for_state("j", "dead")

    attempts = site.attempts("j")
    assert [attempt["number"] for attempt in attempts] == [1, 2, 3, 4]
    for attempt, following in itertools.pairwise(attempts):
        waited = (moment(following["started_at"]) - moment(attempt["finished_at"])).total_seconds()
        expected = float(base) ** attempt["number"]
        assert expected <= waited < expected + 1.5


def test_it_uses_the_attempts_of_the_job_then_of_its_queue_then_of_the_defaults(site: Site) -> None:
    site.ok("config", "set", "backoff-base", "0")
    site.ok("config", "set", "max-retries", "2")
    site.ok("config", "set", "max-retries", "1", "--queue", "mail")
    fail = {"command": "exit 1"}
    site.enqueue({"id": "own", "max_retries": 0, "queue": "mail", **fail}, {"id": "queue", "queue": "mail", **fail})
    site.enqueue({"id": "default", **fail})
    site.start("--count", "1")

    site.wait_until_settled()

    attempts = {id_: site.job(id_)["attempts"] for id_ in ("own", "queue", "default")}
    assert attempts == {"own": 1, "queue": 2, "default": 3}


def test_it_applies_a_changed_setting_to_waiting_jobs_within_a_second(site: Site) -> None:
    site.ok("config", "set", "backoff-base", "1")
    site.enqueue({"id": "j", "command": "exit 1", "max_retries": 2})
    site.ok("config", "set", "timeout", "600")
    site.start("--count", "1")
    site.wait_for_state("j", "dead")

    site.ok("config", "set", "timeout", "1")
    wait_until(lambda: _timeout_seen(site), timeout_seconds=10)


def _timeout_seen(site: Site) -> bool:
    site.enqueue({"command": "sleep 8", "max_retries": 0})
    newest = site.rows("SELECT id FROM jobs_job ORDER BY enqueued_at DESC LIMIT 1")[0]["id"]
    job = site.wait_for_state(newest, "completed", "dead")
    return bool(job["outcome"] == "timed_out")


def test_it_never_retries_exit_100_and_postpones_exit_75_at_no_charge(site: Site) -> None:
    site.ok("config", "set", "backoff-base", "0.5")
    later = f'{START}; if [ "$(grep -c "S later" "$LEDGER")" -lt 3 ]; then exit 75; fi'
    site.enqueue({"id": "never", "command": "exit 100"}, {"id": "later", "command": later, "max_retries": 0})
    site.start("--count", "1")

    site.wait_until_settled()

    assert (site.job("never")["state"], site.job("never")["attempts"]) == ("dead", 1)
    job = site.job("later")
    assert (job["state"], job["attempts"], job["postponements"], job["fence"]) == ("completed", 1, 2, 3)


def test_it_runs_a_requeued_dead_job_once_however_many_ask(site: Site) -> None:
    site.enqueue({"id": "j", "command": f"{START}; exit 1", "max_retries": 0})
    site.start("--count", "1")
    site.wait_for_state("j", "dead")

    asking = [
        subprocess.Popen(
            site.command("dlq", "retry", "j"), cwd=CHECKOUT, env=site.environment, stderr=subprocess.DEVNULL
        )
        for _ in range(6)
    ]
    codes = [process.wait() for process in asking]
    site.wait_for_state("j", "dead")

    assert set(codes) <= {0, 5}
    wait_until(lambda: len(site.lines("S")) == 1 + codes.count(0), timeout_seconds=10)
    assert len(site.attempts("j")) == 1 + codes.count(0)


def test_it_sends_a_row_that_was_changed_behind_its_back_to_the_dlq_unrun(site: Site) -> None:
    site.enqueue({"id": "j", "command": "true"})
    site.database.change("UPDATE jobs_job SET command = %s WHERE id = 'j'", START)
    site.start("--count", "1")

    job = site.wait_for_state("j", "dead")

    assert "signature mismatch" in job["error"]
    assert not site.lines("S")
