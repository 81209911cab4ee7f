"""The machine that tells stories of the queue, a step after another, each told to `Both`."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

from django.db import transaction
from hypothesis import note
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule

from jobs import conf
from jobs.database import atomic
from jobs.outcome import Outcome
from tests.clock import NOW
from tests.model import choices
from tests.model.both import Both
from tests.model.people import APPLIES_TO, UNDOABLE
from tests.model.rows import Key

POSTPONEMENTS_MAX = 2  # few enough for one story
FIRST_JOBS = 3  # in a story that begins with nothing, little happens for long
# How often each comes, in so many steps. One rule that draws from these: of several rules Hypothesis leaves out half
# in each story, and one in which nobody claims, or nobody enqueues, tells little.
SHARES = {
    "end": 8,
    "claim": 4,
    "enqueue": 3,
    "turn": 3,
    "wait_until_due": 4,
    "wait": 1,
    "fitting_verb": 4,
    "verb": 1,
    "verb_on_all": 1,
    "undoable_verb": 3,
    "undo": 3,
    "note_running": 1,
    "change_fleet": 2,
    "rescue": 2,
    "keep_house": 1,
    "enqueue_many": 1,
    "change_settings": 3,
    "prune": 1,
    "configure": 2,
    "pause": 1,
    "resume": 1,
}
KINDS = [kind for kind, share in SHARES.items() for _ in range(share)]


class QueueMachine(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.now = NOW
        self.both = Both(postponements_max=POSTPONEMENTS_MAX)
        self.model = self.both.model
        self.known: list[Key] = []  # every claim there was
        self.registered = 0
        self.actions: list[str] = []  # what was done such that it can be undone
        self._story = atomic()
        self._story.__enter__()

    def teardown(self) -> None:
        transaction.set_rollback(True, using=conf.database_alias())
        self._story.__exit__(None, None, None)

    @initialize(data=st.data())
    def begin(self, data: st.DataObject) -> None:
        for _ in range(FIRST_JOBS):
            self._enqueue(data.draw)
        self._claim(data.draw)

    @rule(data=st.data(), kind=st.sampled_from(KINDS))
    def step(self, data: st.DataObject, kind: str) -> None:
        getattr(self, f"_{kind}")(data.draw)
        self.both.compare(now=self.now)

    def _step(self, operation: str, **arguments: Any) -> Any:
        note(f"{self.now:%d. %H:%M:%S.%f} {operation} {arguments}")
        return self.both.step(operation, **arguments)

    # Jobs, and time.

    def _enqueue(self, draw: choices.Draw) -> None:
        self._step("enqueue", new=draw(choices.new_jobs(now=self.now)), now=self.now)

    def _enqueue_many(self, draw: choices.Draw) -> None:
        self._step("enqueue_many", news=draw(st.lists(choices.new_jobs(now=self.now), max_size=3)), now=self.now)

    def _wait(self, draw: choices.Draw) -> None:
        self.now += timedelta(seconds=draw(choices.waits_seconds))

    def _wait_until_due(self, draw: choices.Draw) -> None:
        """Wait until the next job is due, or until just before."""
        due_at = self.model.next_due_at() or self.now
        self.now = max(self.now, due_at - timedelta(microseconds=draw(st.sampled_from((0, 0, 1)))))

    # Supervisors.

    def _claim(self, draw: choices.Draw) -> None:
        self._take_turn(draw, draw(st.sampled_from(self._living())), [], room=draw(st.sampled_from((3, 2, 1))))

    def _end(self, draw: choices.Draw) -> None:
        """Let one supervisor end all that it holds, and go on."""
        owners = sorted({row.owner for row in self.both.jobs.values() if row.owner is not None})
        if owners:
            number = draw(st.sampled_from(owners))
            self._take_turn(draw, number, sorted(self.model.held(number)), room=draw(st.sampled_from((3, 3, 0))))

    def _turn(self, draw: choices.Draw) -> None:
        """Let any supervisor, also one that was taken for dead, end any claims it ever had."""
        number = draw(st.sampled_from(self._living() + sorted(self.model.supervisors)))
        held = sorted(self.model.held(number))
        over = [key for key in self.known if key.supervisor == number and key not in held]
        keys = draw(choices.some_of(held + over[-2:]))
        self._take_turn(draw, number, keys, **draw(choices.turns))

    def _take_turn(self, draw: choices.Draw, number: int, keys: Sequence[Key], **how: Any) -> None:
        ends = [(key, self._outcome(draw, key)) for key in keys]
        usual = {"queues": None, "is_beat": True, "chance": 0.0}
        turn = self._step("turn", number=number, ends=ends, now=self.now, **(usual | how))
        self.known += [claimed.key for claimed in turn.claimed if claimed.key not in self.known]

    def _outcome(self, draw: choices.Draw, key: Key) -> Outcome | None:
        outcomes = choices.outcomes(now=self.now)
        has_run = (key.id, key.fence) in self.model.attempts  # what was seen to run is not given back as unstarted
        outcome: Outcome | None = draw(outcomes if has_run else outcomes | st.none())
        return outcome

    def _note_running(self, draw: choices.Draw) -> None:
        if self.known:
            self._step("note_running", key=draw(st.sampled_from(self.known)), pid=7, started_at=self.now)

    def _change_fleet(self, draw: choices.Draw) -> None:
        number = draw(st.sampled_from(self._living()))
        beats = self.model.supervisors[number].beats
        match draw(st.sampled_from(("is lost", "is lost", "was heard just now", "stops", "is joined"))):
            case "is lost":
                self._step("mark_lost", number=number, beats=beats, now=self.now)
            case "was heard just now":
                self._step("mark_lost", number=number, beats=beats + 1, now=self.now)
            case "stops":
                self._step("mark_stopped", number=number, now=self.now)
            case _:
                self._register()

    def _living(self) -> list[int]:
        """Return the supervisors that live; if none does, one comes."""
        if all(row.is_gone for row in self.model.supervisors.values()):
            self._register()
        return [number for number, row in self.model.supervisors.items() if not row.is_gone]

    def _register(self) -> None:
        self._step("register", number=self.registered, now=self.now)
        self.registered += 1

    def _rescue(self, _draw: choices.Draw) -> None:
        self._step("rescue", now=self.now)

    def _keep_house(self, draw: choices.Draw) -> None:
        self._step(draw(st.sampled_from(("fold_counters", "promote", "forget_old"))), now=self.now)

    # People.

    def _verb(self, draw: choices.Draw) -> None:
        self._step("verb", verb=draw(choices.verbs), ids=draw(choices.some_ids), now=self.now)

    def _fitting_verb(self, draw: choices.Draw) -> None:
        """Let someone do to a job what can be done to it in its state."""
        if self.both.jobs:
            row = self.both.jobs[draw(st.sampled_from(sorted(self.both.jobs)))]
            fitting = sorted(verb for verb, states in APPLIES_TO.items() if row.state in states)
            self._step("verb", verb=draw(st.sampled_from(fitting)), ids=[row.id], now=self.now)

    def _undoable_verb(self, draw: choices.Draw) -> None:
        if self.both.jobs:
            row = self.both.jobs[draw(st.sampled_from(sorted(self.both.jobs)))]
            fitting = [verb for verb in UNDOABLE if row.state in APPLIES_TO[verb]]
            self.actions.append(f"action {len(self.actions)}")
            ids = [row.id, *draw(choices.some_ids)]
            verb = draw(st.sampled_from(fitting))
            self._step("undoable_verb", verb=verb, ids=ids, action=self.actions[-1], now=self.now)

    def _undo(self, draw: choices.Draw) -> None:
        """Undo one of the last two actions, perhaps once more."""
        if self.actions:
            self._step("undo", action=draw(st.sampled_from(self.actions[-2:])), now=self.now)

    def _verb_on_all(self, draw: choices.Draw) -> None:
        self._step("verb_on_all", verb=draw(choices.verbs), queue_name=draw(choices.queue_or_all), now=self.now)

    def _change_settings(self, draw: choices.Draw) -> None:
        """Change a job as someone saw it, or as it was a claim before."""
        verb = draw(st.sampled_from(("change_settings", "change_and_requeue")))
        id_ = draw(st.sampled_from([*sorted(self.both.jobs), "unknown"]))
        fence = self.both.jobs[id_].fence if id_ in self.both.jobs else 0
        seen = draw(st.sampled_from((fence, fence, max(0, fence - 1))))
        self._step(verb, id_=id_, fields=draw(choices.changed_settings(now=self.now)), fence=seen, now=self.now)

    def _prune(self, draw: choices.Draw) -> None:
        self._step("prune", older_than_seconds=draw(st.sampled_from((None, 0.0, 60.0))), now=self.now)

    def _configure(self, draw: choices.Draw) -> None:
        knob, value = draw(choices.knobs)
        if draw(st.sampled_from((True, True, False))):
            self._step("set_knob", knob=knob, value=value, queue_name=draw(choices.queue_or_all), now=self.now)
        else:
            self._step("unset_knob", knob=knob, queue_name=draw(choices.queue_or_all), now=self.now)

    def _pause(self, draw: choices.Draw) -> None:
        until = draw(st.sampled_from((self.now + timedelta(seconds=30), None)))
        self._step("pause", queue_name=draw(choices.queues), until=until, now=self.now)

    def _resume(self, draw: choices.Draw) -> None:
        self._step("resume", queue_name=draw(choices.queues), now=self.now)
