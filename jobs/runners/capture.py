"""Keeps the first and the last part of what a job prints, in fixed memory, as text that every database can hold."""

from jobs.outcome import Output

HEAD_BYTES = 65_536  # how a run began: its banner, its arguments, the first error
TAIL_BYTES = 65_536  # how it ended: a long traceback fits, a list page stays small
UTF8_MAX_BYTES = 4  # the longest character
NUL_SYMBOL = "\u2400"  # PostgreSQL cannot store a NUL in text

_NOTHING = Output()


class Capture:
    """What one attempt has printed so far.

    The limits count bytes as printed; a byte that is no UTF-8 becomes a replacement character, three bytes when stored.
    """

    __slots__ = ("_head", "_tail", "total_bytes")

    def __init__(self) -> None:
        self.total_bytes = 0
        self._head = bytearray()
        self._tail = bytearray()

    def feed(self, data: bytes) -> None:
        """Take what was just read; any length, cut anywhere."""
        self.total_bytes += len(data)
        if room := HEAD_BYTES - len(self._head):
            self._head += data[:room]
            data = data[room:]
        self._tail += data[-TAIL_BYTES:]
        # Twice the size, so that a flood of small writes does not move the whole tail for each of them.
        if len(self._tail) > 2 * TAIL_BYTES:
            del self._tail[:-TAIL_BYTES]

    def output(self) -> Output:
        """Return what is kept. With no bytes dropped, head and tail are one text, divided between two characters."""
        if not self._tail:
            return Output(head=_text(self._head)) if self._head else _NOTHING
        tail = self._tail[-TAIL_BYTES:]
        whole = _whole_characters_length(self._head)
        head, cut = self._head[:whole], self._head[whole:]
        if self.total_bytes == len(self._head) + len(tail):
            return Output(head=_text(head), tail=_text(cut + tail))
        tail = tail[_continuation_length(tail) :]
        return Output(head=_text(head), tail=_text(tail), dropped_bytes=self.total_bytes - len(head) - len(tail))


def _text(data: bytes | bytearray) -> str:
    return data.decode("utf-8", "replace").replace("\0", NUL_SYMBOL)


def _whole_characters_length(data: bytearray) -> int:
    """Return how many bytes are left without a character that was cut off at the end."""
    for size in range(1, min(UTF8_MAX_BYTES, len(data)) + 1):
        byte = data[-size]
        if not _is_continuation(byte):
            return len(data) - size if _character_length(byte) > size else len(data)
    return len(data)


def _continuation_length(data: bytearray) -> int:
    """Return how many bytes at the start belong to a character that was cut off before it."""
    length = 0
    while length < min(UTF8_MAX_BYTES - 1, len(data)) and _is_continuation(data[length]):
        length += 1
    return length


def _is_continuation(byte: int) -> bool:
    return byte & 0b1100_0000 == 0b1000_0000


def _character_length(first_byte: int) -> int:
    """Return how many bytes the character takes that begins with this byte; 1 if no character does."""
    if first_byte < 0b1100_0000 or first_byte >= 0b1111_1000:
        return 1
    return 2 if first_byte < 0b1110_0000 else 3 if first_byte < 0b1111_0000 else 4
