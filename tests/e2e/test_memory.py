"""P10: memory that runs out. The kernel picks whom it kills; here, whoever takes more than a group of processes may."""

import contextlib
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.site import Site

CGROUPS = Path("/sys/fs/cgroup")
LIMIT_BYTES = 400 * 1024 * 1024
EAT = "python3 -c 'held = []\nwhile True: held.append(bytearray(4 << 20))'"
KILLED = "its worker died: killed by signal 9 (SIGKILL)"
NEIGHBOURS = 50


@pytest.fixture
def group() -> Iterator[Path]:
    """A control group with little memory."""
    is_first_version = (CGROUPS / "memory").is_dir()
    path = CGROUPS / ("memory" if is_first_version else "") / f"queuectl-test-{uuid.uuid4().hex}"
    try:
        path.mkdir()
        limit = path / ("memory.limit_in_bytes" if is_first_version else "memory.max")
        limit.write_text(str(LIMIT_BYTES))
    except OSError as error:
        with contextlib.suppress(OSError):
            path.rmdir()
        pytest.skip(f"not tested: no memory can be limited here ({error})")
    yield path
    for pid in (path / "cgroup.procs").read_text().split():
        (path.parent / "cgroup.procs").write_text(pid)
    path.rmdir()


def test_it_sends_jobs_that_eat_all_memory_to_the_dlq_and_completes_their_neighbours(site: Site, group: Path) -> None:
    eater = {"max_retries": 1, "backoff_base": 1, "priority": 9}
    site.enqueue(
        {"id": "command", "command": EAT, **eater},
        *({"id": f"n{number}", "command": "sleep 0.05"} for number in range(NEIGHBOURS)),
    )
    site.ok("enqueue", "--task", "tests.tasks.samples.eat_memory", "--id", "task", "--max-retries", "1")
    supervisor = site.start_unready("--count", "2")
    (group / "cgroup.procs").write_text(str(supervisor.pid))  # and whatever it starts from now on

    site.wait_until_settled(timeout_seconds=60)

    assert site.job("command")["error"] == "exit code 137"
    assert site.job("task")["error"] == KILLED
    assert [attempt["outcome"] for attempt in site.attempts("task")] == ["lost", "lost"]
    assert site.states() == {"completed": NEIGHBOURS, "dead": 2}
    assert supervisor.process.poll() is None
