"""What is kept of a job's output, and as which text."""

import random
import time

import pytest

from jobs.outcome import Output
from jobs.runners.capture import HEAD_BYTES, TAIL_BYTES, Capture

KEPT_BYTES = HEAD_BYTES + TAIL_BYTES


def captured(*chunks: bytes) -> Output:
    capture = Capture()
    for chunk in chunks:
        capture.feed(chunk)
    return capture.output()


def in_chunks(data: bytes, size: int) -> list[bytes]:
    return [data[start : start + size] for start in range(0, len(data), size)]


def test_it_keeps_nothing_of_nothing():
    assert captured() == Output()


def test_it_keeps_short_output_whole():
    assert captured(b"one\n", b"two\n") == Output(head="one\ntwo\n")


@pytest.mark.parametrize("size", [HEAD_BYTES - 1, HEAD_BYTES, HEAD_BYTES + 1, KEPT_BYTES - 1, KEPT_BYTES])
@pytest.mark.parametrize("chunk_bytes", [1_000, 65_536, 1_048_576])
def test_it_drops_nothing_up_to_the_limit(size: int, chunk_bytes: int):
    data = random.Random(size).randbytes(size).hex().encode()[:size]
    output = captured(*in_chunks(data, chunk_bytes))
    assert (output.head + output.tail).encode() == data
    assert output.dropped_bytes == 0


@pytest.mark.parametrize("size", [KEPT_BYTES + 1, KEPT_BYTES + 65_536, 1_000_000])
@pytest.mark.parametrize("chunk_bytes", [997, 65_536, 200_000, 1_048_576])
def test_it_keeps_the_first_and_the_last_part_and_counts_the_rest(size: int, chunk_bytes: int):
    data = random.Random(size).randbytes(size).hex().encode()[:size]
    output = captured(*in_chunks(data, chunk_bytes))
    assert output.head.encode() == data[:HEAD_BYTES]
    assert output.tail.encode() == data[-TAIL_BYTES:]
    assert output.dropped_bytes == size - KEPT_BYTES


def test_it_keeps_a_small_end_after_a_huge_chunk_in_order():
    output = captured(b"h" * HEAD_BYTES, b"old", b"x" * 1_000_000, b"end")
    assert output.tail == "x" * (TAIL_BYTES - 3) + "end"


@pytest.mark.parametrize("character", ["é", "€", "😀"])
@pytest.mark.parametrize("shift", range(4))
def test_it_divides_between_two_characters_and_not_inside_one(character: str, shift: int):
    text = "." * shift + character * (100_000 // len(character.encode()))
    output = captured(*in_chunks(text.encode(), 1_021))
    assert output.head + output.tail == text
    assert output.tail
    assert output.dropped_bytes == 0


@pytest.mark.parametrize("character", ["é", "€", "😀"])
@pytest.mark.parametrize("shift", range(4))
def test_it_leaves_no_junk_where_it_dropped_bytes(character: str, shift: int):
    data = ("." * shift + character * 100_000).encode()
    output = captured(*in_chunks(data, 1_021))
    assert set(output.head + output.tail) <= {character, "."}
    assert len(output.head.encode()) + len(output.tail.encode()) + output.dropped_bytes == len(data)


def test_it_makes_text_of_every_byte():
    output = captured(bytes(range(256)))
    assert output.head.startswith("␀\x01\x02")
    assert "\0" not in output.head
    assert output.head.count("\ufffd") == 128


@pytest.mark.parametrize("broken", [b"\xed\xa0\x80", b"\xff\xfe", b"\xf8\x88\x80\x80\x80", b"\xc0\x80", b"\xe2\x82"])
def test_it_never_makes_a_surrogate_of_broken_utf8(broken: bytes):
    for output in (captured(b"a", broken), captured(broken * 100_000)):
        assert "\ufffd" in output.head
        (output.head + output.tail).encode()


def test_it_leaves_escape_sequences_to_those_who_show_them():
    assert captured(b"\x1b[31mred\x1b[0m").head == "\x1b[31mred\x1b[0m"


def test_it_is_fast_with_a_flood_of_tiny_chunks():
    capture = Capture()
    started = time.monotonic()
    for _ in range(1_000_000):
        capture.feed(b"ab")
    assert time.monotonic() - started < 10
    assert capture.output().dropped_bytes == 2_000_000 - KEPT_BYTES
