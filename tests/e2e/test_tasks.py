"""Tasks in real workers: how they end, what is seen meanwhile, and that none harms the next or its neighbour."""

import json
import random
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import psutil

from tests.conftest import MakeSite
from tests.e2e.site import CHECKOUT, Site
from tests.waiting import wait_until

LOOK_UP = """
import django, json, sys
django.setup()
from jobs.tasks import api
result = api.task_backends["default"].get_result(sys.argv[1])
print(json.dumps([result.status, [error.exception_class_path for error in result.errors], result.worker_ids]))
"""


def _enqueue(site: Site, **jobs: dict[str, Any] | list[Any]) -> None:
    """Enqueue tasks of `samples`: `id=["name", *arguments]`, or with more fields as `id={"task": "name", …}`."""
    lines = []
    for id_, given in jobs.items():
        fields = given if isinstance(given, dict) else {"task": given[0], "args": given[1:]}
        defaults = {"id": id_, "max_retries": 0}
        lines.append(json.dumps(defaults | fields | {"task": f"tests.tasks.samples.{fields['task']}"}))
    site.ok("enqueue", "--quiet", "--file", "-", stdin="\n".join(lines))


def _drain(site: Site, *options: str) -> None:
    assert site.start_unready("--count", "1", "--drain", *options).wait() == 0


def _result(site: Site, id_: str) -> Any:
    """Return what the result of a job says in another process: its status, its errors, its workers."""
    environment = site.environment | {"DJANGO_SETTINGS_MODULE": "queuectl_site.settings"}
    command = [sys.executable, "-c", LOOK_UP, id_]
    return json.loads(subprocess.run(command, cwd=CHECKOUT, env=environment, capture_output=True, check=True).stdout)


def _returned(site: Site, id_: str) -> Any:
    value = site.job(id_)["return_value"]
    return None if value is None else json.loads(value)


def test_it_runs_tasks_however_they_end(site: Site) -> None:
    site.ok("enqueue", "--manage", "check --tag models", "--id", "manage")
    _enqueue(
        site,
        add={"task": "add", "args": [1], "kwargs": {"b": 2}},
        coroutine=["add_async", "é", "!"],
        fail=["fail", "no luck"],
        exit=["exit_with", 3],
        interrupt=["interrupt"],
        unserialisable=["return_object"],
        strange=["fail_strangely", "characters"],
        large=["fail_strangely", "large"],
        long=["fail_strangely", "long name"],
        cancelled=["cancel_itself"],
        nested=["return_it", "characters"],
        words=["say_much"],
    )

    _drain(site)

    completed = {row["id"] for row in site.rows("SELECT id FROM jobs_job WHERE state = 'completed'")}
    assert completed == {"manage", "add", "coroutine", "nested", "words"}
    assert (_returned(site, "add"), _returned(site, "coroutine")) == (3, "é!")
    classes = {row["job_id"]: row["exception_class"] for row in site.rows("SELECT * FROM jobs_attempt")}
    assert classes["exit"] == "builtins.SystemExit"
    assert classes["interrupt"] == "builtins.KeyboardInterrupt"
    assert classes["unserialisable"] == "builtins.TypeError"
    assert classes["strange"] == classes["large"] == classes["fail"] == "builtins.ValueError"
    assert site.states() == {"completed": 5, "dead": 7, "cancelled": 1}
    assert len({row["pid"] for row in site.rows("SELECT pid FROM jobs_attempt")}) == 1, "a worker was lost"
    assert "System check identified no issues" in site.attempts("manage")[0]["output_head"]


def test_a_drain_includes_what_tasks_enqueue_and_leaves_what_is_deferred(site: Site) -> None:
    _enqueue(site, first=["enqueue_and_defer"])

    _drain(site)

    assert site.states() == {"completed": 3, "scheduled": 1}


def test_a_task_leaves_the_next_one_a_sound_connection(site: Site) -> None:
    left = ["closed", "broken", "in transaction", "broken in transaction", "without autocommit"]
    jobs: dict[str, list[Any]] = {"t0": ["leave_transaction_open"], "count0": ["count_sessions"]}
    for number, how in enumerate(left, start=1):
        jobs |= {f"t{number}": ["close_connection", how], f"count{number}": ["count_sessions"]}
    _enqueue(site, **jobs)

    _drain(site)

    assert site.states() == {"completed": len(jobs)}
    assert {_returned(site, f"count{number}") for number in range(1 + len(left))} == {0}
    assert len({row["pid"] for row in site.rows("SELECT pid FROM jobs_attempt")}) == 1, "a worker was lost"


def test_it_shows_what_a_task_says_while_its_transaction_is_open(make_site: MakeSite, tmp_path: Path) -> None:
    # The queue has a database of its own: in one file of SQLite there is one writer at a time, and that is the task.
    site = make_site(DATABASE_URL="sqlite:///project.sqlite3")
    site.environment["QUEUE_DATABASE_URL"] = site.database.url
    (site.home / "project.sqlite3").touch()
    _enqueue(site, j=["wait_in_transaction", str(tmp_path / "go")])
    site.start("--count", "1")

    wait_until(lambda: any(row["progress"] for row in site.attempts("j")))

    (attempt,) = site.attempts("j")
    assert (attempt["progress"], attempt["progress_message"], attempt["outcome"]) == (0.4, "two of five", None)
    assert attempt["output_head"].startswith("waiting\n")
    assert "WARNING samples: for a file" in attempt["output_head"]
    assert site.job("j")["state"] == "processing"
    (tmp_path / "go").touch()
    site.wait_for_state("j", "completed")


def test_it_cancels_a_running_task(site: Site) -> None:
    site.start("--count", "1")
    _enqueue(site, j=["spin", 300])
    wait_until(lambda: bool(site.attempts("j")))

    site.ok("cancel", "j")
    site.wait_for_state("j", "cancelled", timeout_seconds=10)

    (attempt,) = site.attempts("j")
    assert (attempt["outcome"], attempt["exception_class"]) == ("cancelled", "jobs.tasks.signs.Cancelled")
    assert attempt["output_head"] == "ended by Cancelled\n"

    # Whatever lock it held, the next task has a worker in which nobody holds it.
    _enqueue(site, next=["add", 1])
    site.wait_for_state("next", "completed", timeout_seconds=10)
    assert site.attempts("next")[0]["pid"] != attempt["pid"]


def test_it_releases_a_running_task_when_it_stops(site: Site) -> None:
    supervisor = site.start("--count", "1", "--grace", "0s")
    _enqueue(site, j=["spin", 300])
    wait_until(lambda: bool(site.attempts("j")))

    supervisor.signal(signal.SIGTERM)

    assert supervisor.wait() == 0
    job = site.job("j")
    assert (job["state"], job["attempts"], job["supervisor_id"]) == ("pending", 0, None)
    (attempt,) = site.attempts("j")
    assert (attempt["outcome"], attempt["output_head"]) == ("released", "ended by Released\n")


def test_it_replaces_the_worker_of_a_task_that_does_not_end_and_gives_back_its_neighbour(
    site: Site, tmp_path: Path
) -> None:
    nap = f"300.{random.randrange(10**12):012}"
    supervisor = site.start("--count", "1", "--threads", "2")
    _enqueue(
        site,
        stuck={"task": "start_process", "args": [nap], "timeout": 1.5},
        neighbour=["wait_for_file", str(tmp_path / "go")],
    )

    stuck = site.wait_for_state("stuck", "dead", timeout_seconds=15)
    (tmp_path / "go").touch()
    neighbour = site.wait_for_state("neighbour", "completed")

    assert (stuck["outcome"], stuck["error"]) == ("timed_out", "timed out, and its worker had to be killed")
    assert [attempt["outcome"] for attempt in site.attempts("neighbour")] == ["released", "completed"]
    assert (neighbour["attempts"], _returned(site, "neighbour")) == (1, 2)
    assert "had to be killed to end stuck" in site.attempts("neighbour")[0]["error"]
    assert supervisor.process.poll() is None
    assert not [process for process in psutil.process_iter(["cmdline"]) if nap in (process.info["cmdline"] or ())]


def test_the_result_names_a_death_that_nobody_saw(site: Site) -> None:
    _enqueue(site, j={"task": "die", "args": [3], "max_retries": 1, "backoff_base": 0}, next=["add", 1])

    _drain(site)

    status, errors, workers = _result(site, "j")
    assert (status, errors) == ("FAILED", ["jobs.tasks.signs.Lost"] * 2)
    assert len(set(workers)) == 2
    assert [attempt["error"] for attempt in site.attempts("j")] == ["its worker died: exit code 3"] * 2
    assert site.job("next")["state"] == "completed"


def test_it_keeps_the_outcome_of_a_task_that_leaves_no_descriptor_free(site: Site) -> None:
    _enqueue(site, leak=["leak_descriptors"], next=["add", 1])

    _drain(site)

    assert (site.job("leak")["state"], _returned(site, "leak")) == ("completed", "Too many open files")
    assert site.job("next")["state"] == "completed"


def test_it_replaces_a_worker_whose_job_thread_failed(site: Site) -> None:
    _enqueue(site, spoil=["spoil_connection"], next=["add", 1])

    supervisor = site.start_unready("--count", "1", "--drain")

    assert supervisor.wait() == 0
    assert (site.job("spoil")["state"], site.job("spoil")["error"]) == ("dead", "its worker died: exit code 1")
    assert site.job("next")["state"] == "completed"
    assert "a job thread failed" in supervisor.log()
    assert "KeyError: 'AUTOCOMMIT'" in supervisor.log()


def test_a_task_can_terminate_what_it_forked(site: Site) -> None:
    _enqueue(site, j={"task": "fail_with_a_pool", "args": [20], "timeout": 30})

    _drain(site)

    assert (site.job("j")["outcome"], site.job("j")["error"]) == ("failed", "ValueError: no luck")


def test_it_leaves_the_processes_of_a_task_alone_beside_a_shell_job(site: Site, tmp_path: Path) -> None:
    up, go = tmp_path / "up", tmp_path / "go"
    waits = f"touch {up}; while ! test -e {go}; do sleep 0.01; done; exit 3"
    site.start("--count", "1", "--threads", "2")
    _enqueue(site, task={"task": "wait_for_process", "args": [waits]})
    wait_until(up.exists)

    site.enqueue({"id": "shell", "command": "setsid sleep 600 &"})
    site.wait_for_state("shell", "completed")
    go.touch()
    site.wait_for_state("task", "completed")

    assert _returned(site, "task") == 3
