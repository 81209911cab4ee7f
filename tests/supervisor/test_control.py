"""When the control thread may let ends gather, and how it ends."""

from types import SimpleNamespace
from typing import Any, cast

import pytest

from jobs.supervisor.control import GATHER_SECONDS, Control
from jobs.supervisor.desk import Desk
from jobs.supervisor.options import Options
from jobs.supervisor.pacing import RUN_SECONDS_MIN

PLENTY = 10_000
# Short jobs done in twice the time for which it gathers.
ENOUGH = int(2 * GATHER_SECONDS / RUN_SECONDS_MIN)


def _control(*waiting_counts: int) -> Control:
    """A supervisor of short jobs, whose workers hold so many that they cannot have started."""
    team: Any = SimpleNamespace(handles=[SimpleNamespace(waiting_count=count) for count in waiting_counts])
    control = Control(Options(), desk=Desk(), store=cast(Any, None), team=team)
    for _ in range(100):
        control._pace.note(RUN_SECONDS_MIN)
    return control


@pytest.mark.parametrize("counts", [(PLENTY,), (PLENTY, PLENTY), (2 * ENOUGH, PLENTY)])
def test_it_lets_ends_gather_while_every_worker_has_work_for_longer(counts: tuple[int, ...]):
    assert _control(*counts)._has_time()


@pytest.mark.parametrize("counts", [(0,), (PLENTY, 0), (PLENTY, 1), (ENOUGH // 2, PLENTY), ()])
def test_it_hears_at_once_of_a_worker_that_may_run_dry(counts: tuple[int, ...]):
    assert not _control(*counts)._has_time()


def test_it_takes_no_time_when_it_stops():
    control = _control(PLENTY)
    control._stop_at = 0.0
    assert not control._has_time()


def _ending(*, is_anything_held: bool) -> tuple[int, list[bool]]:
    """Return the exit code of a supervisor at its end, and whether it was closing when its workers were let go."""
    desk, were_closing = Desk(), []
    team: Any = SimpleNamespace(
        is_anything_held=lambda: is_anything_held, dismiss=lambda _: were_closing.append(desk.wishes.is_closing)
    )
    store: Any = SimpleNamespace(join=lambda _: None, is_finished=True)
    return Control(Options(), desk=desk, store=store, team=team)._finish(), were_closing


def test_it_says_that_it_has_stopped_when_its_workers_have():
    assert _ending(is_anything_held=False) == (0, [False])


def test_it_fails_when_it_leaves_a_job_that_it_could_not_end():
    assert _ending(is_anything_held=True) == (1, [False])
