"""P13 to P16 from outside, and the limits of a supervisor: drain, max-jobs, recycling, threads."""

import pytest

from tests.e2e.site import Site
from tests.waiting import wait_until

BUSY_SECONDS = 3.0  # what a machine full of other tests may add to a promise

START = 'echo "S $QUEUECTL_JOB_ID" >> "$LEDGER"'


@pytest.mark.parametrize(
    "command",
    [
        "trap '' TERM; sleep 300; sleep 300",
        "kill -STOP $$",
        "sleep 300 & setsid sleep 300 & (setsid sleep 300 &); sleep 300",
        "exec >&- 2>&-; sleep 300",
    ],
    ids=["ignores TERM", "stopped", "hides", "closes its output"],
)
def test_it_ends_the_whole_tree_of_a_job_that_times_out(site: Site, command: str) -> None:
    site.enqueue({"id": "j", "command": command, "timeout": 1, "max_retries": 0})
    site.start("--count", "1")

    job = site.wait_for_state("j", "dead", timeout_seconds=10)

    (attempt,) = site.attempts("j")
    assert (job["outcome"], job["error"]) == ("timed_out", "timed out after 1 s")
    assert 1 <= attempt["run_seconds"] < 1 + 1 + 2 + BUSY_SECONDS
    assert not site.marked_processes()


def test_it_cancels_a_running_job_soon(site: Site) -> None:
    site.enqueue({"id": "j", "command": f"{START}; setsid sleep 300 & sleep 300"})
    site.start("--count", "1")
    wait_until(lambda: bool(site.lines("S")), timeout_seconds=10)

    site.ok("cancel", "j")
    site.wait_for_state("j", "cancelled", timeout_seconds=5)

    assert site.attempts("j")[0]["outcome"] == "cancelled"
    wait_until(lambda: not site.marked_processes(), timeout_seconds=5)


def test_it_shows_output_while_the_job_runs(site: Site) -> None:
    site.enqueue(
        {
            "id": "j",
            "command": 'echo first; while [ ! -e "$GO" ]; do sleep 0.1; done; echo last',
            "env": {"GO": str(site.home / "go")},
        }
    )
    site.start("--count", "1")

    wait_until(lambda: any("first" in row["output_head"] for row in site.attempts("j")), timeout_seconds=10)
    assert site.job("j")["state"] == "processing"
    (site.home / "go").touch()
    site.wait_for_state("j", "completed")

    assert site.attempts("j")[0]["output_head"] == "first\nlast\n"


def test_it_stores_any_byte_and_caps_a_flood(site: Site) -> None:
    every_byte = 'i=0; while [ $i -lt 256 ]; do printf "\\\\$(printf %o $i)"; i=$((i+1)); done'
    site.enqueue({"id": "bytes", "command": every_byte}, {"id": "flood", "command": "yes | head -c 300000000"})
    site.start("--count", "2")

    site.wait_until_settled()

    assert site.states() == {"completed": 2}
    (flood,) = site.attempts("flood")
    stored = len(flood["output_head"]) + len(flood["output_tail"])
    assert stored <= 2 * 65_536
    assert stored + flood["output_dropped_bytes"] == 300_000_000
    assert "\0" not in site.attempts("bytes")[0]["output_head"]


def test_it_shows_a_job_only_what_it_needs(site: Site) -> None:
    site.environment |= {"SECRET_KEY": "a-secret-key-that-must-not-leak", "AWS_TOKEN": "nor-this"}
    site.enqueue({"id": "j", "command": "env; ls /proc/self/fd; cat; ps -o sid= -p $$; echo $$"})
    site.start("--count", "1")

    site.wait_for_state("j", "completed")

    output = site.attempts("j")[0]["output_head"]
    assert "QUEUECTL_JOB_ID=j" in output
    assert "QUEUECTL_ATTEMPT=1" in output
    assert "must-not-leak" not in output
    assert "nor-this" not in output
    assert "DJANGO_SETTINGS_MODULE" not in output
    session, pid = output.split()[-2:]
    assert session == pid


def test_it_drains_what_is_due_and_leaves_what_is_deferred(site: Site) -> None:
    site.enqueue(
        *({"id": f"j{n}", "command": "true"} for n in range(20)), {"id": "later", "command": "true", "delay": "1h"}
    )

    supervisor = site.start_unready("--count", "2", "--drain")

    assert supervisor.wait() == 0
    assert site.states() == {"completed": 20, "scheduled": 1}


def test_it_stops_after_max_jobs(site: Site) -> None:
    site.enqueue(*({"id": f"j{n}", "command": "true"} for n in range(20)))

    supervisor = site.start_unready("--count", "2", "--max-jobs", "7")

    assert supervisor.wait() == 0
    assert site.states() == {"completed": 7, "pending": 13}


def test_it_replaces_a_worker_after_its_share_of_jobs(site: Site) -> None:
    site.enqueue(*({"id": f"j{n}", "command": "true"} for n in range(12)))

    supervisor = site.start_unready("--count", "1", "--recycle-jobs", "5", "--drain")

    assert supervisor.wait() == 0
    assert site.states() == {"completed": 12}
    assert supervisor.said().count("started. Watching for jobs...") == 3
    assert "worker died" not in supervisor.log()


def test_it_runs_several_jobs_at_once_in_the_threads_of_one_worker(site: Site) -> None:
    meet = f'{START}; while [ "$(grep -c S "$LEDGER")" -lt 3 ]; do sleep 0.05; done'
    site.enqueue(*({"id": f"j{n}", "command": meet, "timeout": 20} for n in range(3)))

    site.start("--count", "1", "--threads", "3")

    site.wait_until_settled()
    assert site.states() == {"completed": 3}


def test_it_does_not_keep_short_jobs_waiting_behind_a_long_one(site: Site) -> None:
    site.enqueue(*({"id": f"warm{n}", "command": ["true"]} for n in range(50)))
    site.start("--count", "2")
    site.wait_until_settled()

    site.enqueue({"id": "long", "command": "sleep 20"}, *({"id": f"j{n}", "command": ["true"]} for n in range(30)))
    wait_until(lambda: site.states().get("completed") == 80, timeout_seconds=10)

    assert site.job("long")["state"] == "processing"


def test_it_serves_only_the_queues_it_was_given(site: Site) -> None:
    site.enqueue({"id": "a", "command": "true", "queue": "mail"}, {"id": "b", "command": "true"})

    supervisor = site.start_unready("--count", "1", "--queue", "mail", "--drain")

    assert supervisor.wait() == 0
    assert (site.job("a")["state"], site.job("b")["state"]) == ("completed", "pending")


def test_it_holds_a_paused_queue_until_it_is_resumed(site: Site) -> None:
    site.ok("queue", "pause", "mail", "--reason", "relay is down")
    site.enqueue({"id": "a", "command": "true", "queue": "mail"}, {"id": "b", "command": "true"})
    site.start("--count", "1")
    site.wait_for_state("b", "completed")
    assert site.job("a")["state"] == "pending"

    site.ok("queue", "resume", "mail")

    site.wait_for_state("a", "completed", timeout_seconds=5)
