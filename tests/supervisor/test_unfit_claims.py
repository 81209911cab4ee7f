"""What becomes of claims that cannot be handed to a worker: somebody wrote their rows by hand."""

import json
import socket
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any, cast

import pytest

from jobs import worker
from jobs.channel import Channel
from jobs.outcome import Advice, Claim
from jobs.states import Ending
from jobs.supervisor.control import Control
from jobs.supervisor.desk import Desk
from jobs.supervisor.options import Options
from jobs.supervisor.pool import Handle
from tests.factories import make_claim


class ReadyHandle(Handle):
    """A handle at whose other end a test reads."""

    def __init__(self, end: socket.socket) -> None:
        self.process: Any = SimpleNamespace(exit_code=None)
        self.channel = Channel(end)
        self.options = worker.Options(thread_count=9, grace_seconds=1.0)
        self.pid = 4_001
        self.held = {}
        self.is_recalled = self.is_leaving = False
        self.ended_count = 0


@pytest.fixture
def ends() -> Iterator[tuple[socket.socket, socket.socket]]:
    ours, its = socket.socketpair()
    with ours, its:
        yield ours, its


def _unfit(id_: str) -> Claim:
    return make_claim(id=id_, command=b"\x00\xff")


def test_it_hands_over_the_others_and_ends_those_that_no_message_can_hold(ends: tuple[socket.socket, socket.socket]):
    handle = ReadyHandle(ends[0])

    ended = handle.hand_over([make_claim(id="a"), _unfit("b"), make_claim(id="c"), _unfit("d")])

    sent = [json.loads(line)["run"] for line in ends[1].recv(65_536).splitlines()]
    assert [claim[0] for batch in sent for claim in batch] == ["a", "c"] == [id_ for id_, _ in handle.held]
    assert [end.claim.id for end in ended] == ["b", "d"]
    outcomes = [end.outcome for end in ended if end.outcome is not None]
    assert {(outcome.ending, outcome.advice) for outcome in outcomes} == {(Ending.FAILED, Advice.NEVER)}
    assert {outcome.error for outcome in outcomes} == {
        "its row holds what no job can: Object of type bytes is not JSON serializable"
    }


def test_a_supervisor_lives_on_and_has_their_ends_recorded(ends: tuple[socket.socket, socket.socket]):
    handle, desk = ReadyHandle(ends[0]), Desk()
    team: Any = SimpleNamespace(handles=[handle], ready=lambda: [handle])
    control = Control(Options(thread_count=9), desk=desk, store=cast(Any, None), team=team)
    control._put_in_buffer([_unfit("a"), make_claim(id="b")])

    control._hand_out()

    assert [end.claim.id for end in desk.look_at_ended(9, max_characters=1_000)] == ["a"]
    assert [id_ for id_, _ in handle.held] == ["b"]
