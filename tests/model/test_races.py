"""Two connections at once: whatever one does in the middle of what the other does, it is as if one had come first."""

import itertools
import os
import random
from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta

import pytest
from django.apps import apps
from django.db.models import QuerySet

from jobs import queue
from jobs.models import Job
from jobs.outcome import Advice, Outcome
from jobs.queue import _people
from jobs.states import Ending
from tests.clock import NOW, after
from tests.factories import make_outcome
from tests.model.races import Operation, Second, race, stories
from tests.model.real import Real
from tests.model.reference import Reference
from tests.model.rows import Key

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.timeout(3_600)]

RACES = int(os.environ.get("MODEL_EXAMPLES", "0")) or 25  # of 2,888
SEED = 7
Race = tuple[tuple[str, str], str]
LATER = after(seconds=600)  # when the two meet


def _ended(**how: object) -> Outcome:
    return make_outcome(started_at=LATER - timedelta(seconds=1), finished_at=LATER, **how)  # type: ignore[arg-type]


FAILED, COMPLETED = _ended(ending=Ending.FAILED), _ended()
HELD, ASKED = Key("held", 0, 1), Key("asked", 0, 1)


def _turn(number: int, *ends: tuple[Key, Outcome | None], room: int = 0, is_beat: bool = True) -> Operation:
    how = {"room": room, "queues": None, "is_beat": is_beat, "now": LATER, "chance": 0.0}
    return Operation("turn", {"number": number, "ends": ends, **how})


def _new(id_: str, **fields: object) -> dict[str, object]:
    return {"id": id_, "queue": "default", "priority": 0, **fields}


def _verb(verb: str, id_: str) -> Operation:
    return Operation("verb", {"verb": verb, "ids": [id_], "now": LATER})


def _undoable(verb: str, id_: str, *, now: datetime = LATER) -> Operation:
    return Operation("undoable_verb", {"verb": verb, "ids": [id_], "action": f"{verb} {id_}", "now": now})


def _undo(action: str) -> Operation:
    return Operation("undo", {"action": action, "now": LATER})


def _on_all(verb: str) -> Operation:
    return Operation("verb_on_all", {"verb": verb, "queue_name": None, "now": LATER})


def _change(verb: str, id_: str, fence: int, **fields: object) -> Operation:
    return Operation(verb, {"id_": id_, "fields": fields, "fence": fence, "now": LATER})


OPERATIONS = {
    "claim one": _turn(1, room=1),
    "claim three": _turn(1, room=3),
    "claim three elsewhere": _turn(2, room=3),
    "beat": _turn(0),
    "end and claim": _turn(0, (HELD, FAILED), (ASKED, COMPLETED), room=3),
    "end without a beat": _turn(0, (HELD, COMPLETED), (ASKED, FAILED), is_beat=False),
    "give back": _turn(0, (HELD, None), (ASKED, None)),
    "give up for good": _turn(0, (HELD, _ended(ending=Ending.FAILED, advice=Advice.NEVER)), room=1),
    "promote": Operation("promote", {"now": LATER}),
    "show that it runs": Operation("note_running", {"key": HELD, "pid": 7, "started_at": LATER}),
    "take for dead": Operation("mark_lost", {"number": 0, "beats": 1, "now": LATER}),
    "take for dead, heard since": Operation("mark_lost", {"number": 0, "beats": 0, "now": LATER}),
    "rescue": Operation("rescue", {"now": LATER}),
    "enqueue": Operation("enqueue", {"new": _new("new"), "now": LATER}),
    "enqueue the same, more urgent": Operation("enqueue", {"new": _new("new", priority=9), "now": LATER}),
    "enqueue two": Operation("enqueue_many", {"news": [_new("other"), _new("new")], "now": LATER}),
    "cancel what runs": _verb("cancel", "held"),
    "cancel what is next": _verb("cancel", "next"),
    "cancel what is due": _verb("cancel", "due"),
    "requeue": _verb("requeue", "dead"),
    "retry": _verb("retry_dead", "dead"),
    "discard": _verb("discard", "dead"),
    "delete": _verb("delete", "done"),
    "run now what is due": _verb("run_now", "due"),
    "run now what is far": _verb("run_now", "far"),
    "cancel what is next, to be undone": _undoable("cancel", "next"),
    "requeue, to be undone": _undoable("requeue", "dead"),
    "undo a cancellation": _undo("cancel regretted"),
    "undo a requeue": _undo("requeue revived"),
    "requeue all": _on_all("requeue"),
    "cancel all": _on_all("cancel"),
    "delete all": _on_all("delete"),
    "put off what is next": _change("change_settings", "next", 0, run_at=after(seconds=9_000)),
    "make less urgent": _change("change_settings", "next", 0, priority=-9),
    "requeue changed": _change("change_and_requeue", "dead", 1, priority=9),
    "prune": Operation("prune", {"older_than_seconds": 60.0, "now": LATER}),
    "pause": Operation("pause", {"queue_name": "default", "until": None, "now": LATER}),
    "allow no retries": Operation("set_knob", {"knob": "max_retries", "value": 0, "queue_name": None, "now": LATER}),
    "retry slowly": Operation("set_knob", {"knob": "backoff_base", "value": 9, "queue_name": "default", "now": LATER}),
}
EVERYTHING = [
    *[Operation("register", {"number": number, "now": NOW}) for number in range(3)],
    Operation(
        "enqueue_many",
        {"news": [_new(id_, priority=8) for id_ in ("held", "asked", "dead", "revived", "done", "due")], "now": NOW},
    ),
    Operation(
        "turn",
        {"number": 0, "ends": (), "room": 6, "queues": None, "is_beat": True, "now": NOW, "chance": 0.0},
    ),
    Operation(
        "turn",
        {
            "number": 0,
            "ends": [
                (Key("dead", 0, 1), make_outcome(ending=Ending.FAILED, advice=Advice.NEVER)),
                (Key("revived", 0, 1), make_outcome(ending=Ending.FAILED, advice=Advice.NEVER)),
                (Key("done", 0, 1), make_outcome()),
                (Key("due", 0, 1), make_outcome(ending=Ending.FAILED)),
            ],
            "room": 0,
            "queues": None,
            "is_beat": False,
            "now": NOW,
            "chance": 0.0,
        },
    ),
    Operation("verb", {"verb": "cancel", "ids": ["asked"], "now": NOW}),
    Operation(
        "enqueue_many",
        {
            "news": [
                _new("next", priority=5),
                _new("last"),
                _new("regretted"),
                _new("far", run_at=after(seconds=9_000)),
            ],
            "now": NOW,
        },
    ),
    _undoable("cancel", "regretted", now=after(seconds=590)),
    _undoable("requeue", "revived", now=after(seconds=590)),
]
LOST = Operation("mark_lost", {"number": 0, "beats": 1, "now": NOW})
SITUATIONS = {"its supervisor lives": EVERYTHING, "its supervisor is lost": [*EVERYTHING, LOST]}
AFTERWARDS = [
    _undo("cancel next"),
    _undo("requeue dead"),
    _turn(2, room=9),
    Operation("rescue", {"now": LATER}),
    Operation("promote", {"now": LATER}),
]


@pytest.fixture
def second() -> Iterator[Second]:
    thread = Second()
    yield thread
    thread.close()


def _situation(operations: list[Operation]) -> tuple[Reference, Real]:
    for table in reversed(list(apps.get_app_config("jobs").get_models())):
        if not table._meta.proxy:
            table._default_manager.all().delete()
    model, real = Reference(postponements_max=20), Real()
    for operation in operations:
        assert operation.on(real) == operation.on(model)
    return model, real


def _tables(side: Reference | Real) -> list[object]:
    if isinstance(side, Real):
        return [side.jobs(), side.attempts(), side.supervisors(), side.totals()]
    return [side.jobs, side.attempts, side.supervisors, side.totals()]


def _check(pair: tuple[str, str], situation: str, before: int, second: Second) -> bool:
    """Let the two race, and find the order that gives the same. Return False where the first has no such statement."""
    first, other = (OPERATIONS[name] for name in pair)
    model, real = _situation(SITUATIONS[situation])
    results = race(first, other, real, second, before=before)
    if results is None:
        return False
    tables = _tables(real)
    told = stories(model, first, other)
    same = [story for story in told if (story.results, _tables(story.model)) == (results, tables)]
    assert same, (pair, situation, before, results)
    for operation in AFTERWARDS:  # what was passed over is not forgotten
        assert operation.on(real) == operation.on(same[0].model)
    assert _tables(real) == _tables(same[0].model)
    return True


def _check_all(pair: tuple[str, str], situation: str, second: Second) -> None:
    count = next(count for count in itertools.count() if not _check(pair, situation, count + 1, second))
    assert count, f"{pair[0]} has no statement"


def _broken(races: Iterable[Race], second: Second) -> Iterator[str]:
    for pair, situation in races:
        try:
            _check_all(pair, situation, second)
        except AssertionError as error:
            yield str(error)


def test_two_at_once_are_one_after_the_other(second: Second):
    races = list(itertools.product(itertools.product(OPERATIONS, OPERATIONS), SITUATIONS))
    chosen = random.Random(SEED).sample(races, min(RACES, len(races)))
    broken = list(_broken(chosen, second))
    assert not broken, "\n".join(broken)


def test_it_finds_a_change_that_looks_first_and_writes_later(second: Second, monkeypatch: pytest.MonkeyPatch):
    right = _people._change

    def unguarded(verb: queue.Verb, jobs: QuerySet[Job], now: datetime) -> int:
        found = list(jobs.values_list("pk", flat=True))
        return right(verb, Job.objects.filter(pk__in=found), now)

    monkeypatch.setattr(_people, "_change", unguarded)
    with pytest.raises(AssertionError):
        _check_all(("requeue", "requeue changed"), "its supervisor lives", second)
