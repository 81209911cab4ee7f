"""The pipe between a supervisor and a worker: whole messages, and never a wait for the peer."""

import json
import os
import socket
import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest

from jobs.channel import READ_BYTES, Channel
from tests.waiting import wait_until

Pair = tuple[Channel, Channel]


@pytest.fixture
def pair() -> Iterator[Pair]:
    ours, theirs = (Channel(end) for end in socket.socketpair())
    yield ours, theirs
    ours.close()
    theirs.close()


@pytest.fixture
def wire() -> Iterator[tuple[Channel, socket.socket]]:
    """A channel, and the bare other end."""
    end, other = socket.socketpair()
    channel = Channel(end)
    yield channel, other
    channel.close()
    other.close()


def _receive(channel: Channel, count: int, sender: Channel | None = None) -> list[dict[str, Any]]:
    """Return that many messages, and let `sender` send what waits meanwhile."""
    messages: list[dict[str, Any]] = []

    def is_complete() -> bool:
        if sender is not None:
            sender.flush()
        messages.extend(channel.receive())
        return len(messages) >= count

    wait_until(is_complete)
    return messages


def _fill(channel: Channel) -> int:
    """Send until the peer has no more room; return how many messages that took."""
    count = 1
    while channel.send(number=count, filler="x" * 10_000):
        count += 1
    return count


def test_it_carries_messages_in_order(pair: Pair):
    ours, theirs = pair
    for number in range(3):
        assert ours.send(number=number)
    assert _receive(theirs, 3) == [{"number": 0}, {"number": 1}, {"number": 2}]


def test_it_carries_both_ways(pair: Pair):
    ours, theirs = pair
    ours.send(run=[1])
    theirs.send(ended=["job1", 1])
    assert _receive(theirs, 1) == [{"run": [1]}]
    assert _receive(ours, 1) == [{"ended": ["job1", 1]}]


def test_it_receives_nothing_when_nothing_was_sent(pair: Pair):
    assert pair[1].receive() == []


@pytest.mark.parametrize(
    "text",
    ["line\nline\r\n", "é … 漢字 🎉", "\0\x1b[31m\x7f", "\u2028\u2029\x85", '"\\', "\ud800 lone", "a\udcffb"],
    ids=["newlines", "unicode", "control", "separators", "quotes", "lone surrogate", "undecodable byte"],
)
def test_it_carries_any_text(pair: Pair, text: str):
    ours, theirs = pair
    ours.send(text=text)
    assert _receive(theirs, 1) == [{"text": text}]


def test_it_puts_a_message_together_from_single_bytes(wire: tuple[Channel, socket.socket]):
    channel, other = wire
    received = []
    for byte in '{"text":"é漢"}\n'.encode():
        other.send(bytes([byte]))
        received += channel.receive()
    assert received == [{"text": "é漢"}]


def test_it_keeps_the_beginning_of_a_message_until_the_rest_comes(wire: tuple[Channel, socket.socket]):
    channel, other = wire
    other.send(b'{"a":1}\n{"b":')
    assert channel.receive() == [{"a": 1}]
    assert channel.receive() == []
    other.send(b'2}\n{"c":3}\n')
    assert channel.receive() == [{"b": 2}, {"c": 3}]


def test_it_raises_when_the_peer_is_gone(pair: Pair):
    pair[0].close()
    with pytest.raises(EOFError):
        pair[1].receive()


def test_it_delivers_what_was_sent_before_the_peer_went(pair: Pair):
    ours, theirs = pair
    ours.send(last="words")
    ours.close()
    assert theirs.receive() == [{"last": "words"}]
    with pytest.raises(EOFError):
        theirs.receive()


def test_it_drops_a_message_that_the_peer_did_not_finish(wire: tuple[Channel, socket.socket]):
    channel, other = wire
    other.send(b'{"ended":')
    other.close()
    assert channel.receive() == []
    with pytest.raises(EOFError):
        channel.receive()


def test_it_takes_a_reset_for_the_end_of_the_peer(pair: Pair):
    ours, theirs = pair
    ours.send(never="read")
    theirs.close()  # with something unread: the kernel resets the connection
    with pytest.raises(EOFError):
        ours.receive()


def test_it_lets_what_is_sent_to_a_dead_peer_go(pair: Pair):
    ours, theirs = pair
    theirs.close()
    assert ours.send(number=1)
    assert ours.send(number=2)
    assert not ours.has_unsent


def test_it_forgets_what_waited_for_a_peer_that_died(pair: Pair):
    ours, theirs = pair
    _fill(ours)
    theirs.close()
    assert ours.flush()
    assert not ours.has_unsent


def test_it_keeps_what_a_peer_does_not_read_and_never_waits(pair: Pair):
    ours, _ = pair
    _fill(ours)
    assert ours.has_unsent
    assert not ours.send(more=True)
    assert not ours.flush()


def test_it_delivers_all_of_it_once_the_peer_reads_again(pair: Pair):
    ours, theirs = pair
    count = _fill(ours)
    ours.send(number="last")
    received = _receive(theirs, count + 1, sender=ours)
    assert [message["number"] for message in received] == [*range(1, count + 1), "last"]
    assert not ours.has_unsent


def test_it_carries_a_message_larger_than_any_buffer(pair: Pair):
    ours, theirs = pair
    output = "".join(chr(0x4E00 + number % 20_000) for number in range(2 * READ_BYTES))
    assert not ours.send(output=output)
    assert _receive(theirs, 1, sender=ours) == [{"output": output}]


def test_the_cost_of_a_long_message_grows_with_its_length(wire: tuple[Channel, socket.socket]):
    channel, _ = wire
    chunk = b" " * 65_536
    began = time.process_time()
    for _ in range(512):
        assert channel._messages(chunk) == []
    assert time.process_time() - began < 1.0  # 32 MiB; a copy of all for each chunk took eight
    assert channel._messages(b'{"id":"job1"}\n') == [{"id": "job1"}]


def test_it_lets_threads_send_at_once_without_mixing_their_messages(pair: Pair):
    ours, theirs = pair

    def send_all(name: str) -> None:
        for number in range(300):
            ours.send(thread=name, number=number, filler=name * 2_000)

    threads = [threading.Thread(target=send_all, args=(name,)) for name in ("a", "b")]
    for thread in threads:
        thread.start()
    received = _receive(theirs, 600, sender=ours)
    for thread in threads:
        thread.join()
    for name in ("a", "b"):
        assert [message["number"] for message in received if message["thread"] == name] == list(range(300))


def test_it_sends_a_line_of_json_for_each_message(wire: tuple[Channel, socket.socket]):
    channel, other = wire
    channel.send(end=("job1", 2), ending="cancelled")
    assert json.loads(other.recv(1_000)) == {"end": ["job1", 2], "ending": "cancelled"}


def test_it_can_be_waited_for_by_a_selector(wire: tuple[Channel, socket.socket]):
    channel, _ = wire
    assert os.fstat(channel.fileno())
    channel.close()
    assert channel.fileno() == -1


def test_it_lets_a_thread_wait_until_all_is_sent(pair: Pair):
    ours, theirs = pair
    count = _fill(ours)
    waiting = threading.Thread(target=ours.wait_until_sent, daemon=True)
    waiting.start()
    waiting.join(0.1)
    assert waiting.is_alive()

    _receive(theirs, count, sender=ours)
    waiting.join(10)
    assert not waiting.is_alive()


def test_it_lets_nobody_wait_for_a_peer_that_is_gone(pair: Pair):
    ours, theirs = pair
    _fill(ours)
    theirs.close()
    ours.flush()
    ours.wait_until_sent()
