"""What the machine chooses from: few names, so that they meet; numbers exact in binary, so that they compare."""

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from typing import Any

from hypothesis import strategies as st

from jobs.outcome import Advice, Outcome
from jobs.states import Ending
from tests.factories import make_outcome
from tests.model.people import APPLIES_TO
from tests.model.rows import Key

Draw = Callable[[st.SearchStrategy[Any]], Any]

IDS = ("a", "b", "A", "é", "c")  # two that differ in case alone, one that is no ASCII
QUEUES = ("default", "mail", "Mail")
KNOBS = {
    "max_retries": (0, 1, 3),
    "backoff_base": (0.0, 0.5, 1.0, 3.0, 1_000.0),
    "backoff_max": (0.0, 1.5, 5.0, 3_600.0),
    "jitter": (0.0, 0.5, 1.0),
    "timeout": (0.0, 60.0),
    "retention": (0.0, 60.0),
}

ids = st.sampled_from(IDS)
some_ids = st.lists(ids, min_size=1, max_size=3)
queues = st.sampled_from(QUEUES)
queue_or_all = st.sampled_from((None, *QUEUES))
verbs = st.sampled_from(sorted(APPLIES_TO))
priorities = st.sampled_from((0, 0, -1, 5))
own_max_retries = st.sampled_from((None, None, 0, 1, 2))
own_timeout_seconds = st.sampled_from((None, None, 0.0, 30.0))
knobs = st.sampled_from([(knob, value) for knob, values in KNOBS.items() for value in values])
waits_seconds = st.sampled_from((0.5, 1.0, 2.0, 60.0, 3_600.0, 2 * 86_400.0, 9 * 86_400.0))
turns = st.fixed_dictionaries(
    {
        "room": st.integers(0, 3),
        "queues": st.none() | st.lists(queues, min_size=1, unique=True),
        "is_beat": st.booleans(),
        "chance": st.sampled_from((0.0, 0.5)),
    }
)


def new_jobs(*, now: datetime) -> st.SearchStrategy[dict[str, Any]]:
    """Return the fields of a request. Most are for now."""
    moments = [None, None, None, *(now + timedelta(seconds=seconds) for seconds in (-5.0, 0.0, 1.0, 90.0))]
    return st.fixed_dictionaries(
        {
            "id": ids,
            "queue": queues,
            "priority": priorities,
            "run_at": st.sampled_from(moments),
            "max_retries": own_max_retries,
            "backoff_base": st.sampled_from((None, None, 1.0, 2.0)),
            "backoff_max_seconds": st.sampled_from((None, None, 7.0)),
            "timeout_seconds": own_timeout_seconds,
        }
    )


def changed_settings(*, now: datetime) -> st.SearchStrategy[dict[str, Any]]:
    """Return some settings of a job, as keys of the JSON form."""
    moments = [now + timedelta(seconds=seconds) for seconds in (-5.0, 0.0, 90.0)]
    fields = {
        "queue": queues,
        "priority": priorities,
        "max_retries": own_max_retries,
        "backoff_base": st.sampled_from((None, 2.0)),
        "backoff_max": st.sampled_from((None, 7.0)),
        "timeout": own_timeout_seconds,
        "run_at": st.sampled_from((None, *moments)),
    }
    return st.fixed_dictionaries({}, optional=fields)


def outcomes(*, now: datetime) -> st.SearchStrategy[Outcome]:
    """Return how an attempt may have ended that ends at this moment. Failures come most often."""
    times: dict[str, Any] = {"started_at": now - timedelta(seconds=1), "finished_at": now, "run_seconds": 1.0}
    return st.sampled_from([make_outcome(**times, **fields) for fields in ENDS])


FAILED = Ending.FAILED
ENDS: list[dict[str, Any]] = [
    {"ending": Ending.COMPLETED},
    *[{"ending": FAILED}] * 4,
    {"ending": FAILED, "delay_seconds": 2.5},
    *[{"ending": FAILED, "advice": Advice.LATER}] * 2,
    {"ending": FAILED, "advice": Advice.LATER, "delay_seconds": 2.5},
    {"ending": FAILED, "advice": Advice.NEVER},
    {"ending": Ending.TIMED_OUT},
    {"ending": Ending.LOST},
    {"ending": Ending.CANCELLED},
    {"ending": Ending.RELEASED},
]


def some_of(keys: Sequence[Key]) -> st.SearchStrategy[list[Key]]:
    """Return some of these claims, one of a job at most: a supervisor never has more."""
    if not keys:
        return st.just([])
    return st.lists(st.sampled_from(keys), unique_by=lambda key: key.id, max_size=4)
