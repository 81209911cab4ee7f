"""Where a reader is in the output of one attempt, of which only the first and the last part are kept. Pure."""

from dataclasses import dataclass

REPLACEMENT, NUL_SYMBOL = "\N{REPLACEMENT CHARACTER}", "\N{SYMBOL FOR NULL}"  # each was one byte as printed
_TO_BYTE = {ord(REPLACEMENT): "\udcff", ord(NUL_SYMBOL): "\udc80"}  # surrogates that encode to one byte
_FROM_BYTE = {0xDCFF: REPLACEMENT, 0xDC80: NUL_SYMBOL}


@dataclass(frozen=True, slots=True, kw_only=True)
class Piece:
    """What is new: `skipped_bytes` were printed and dropped before anyone read them, then comes `text`."""

    skipped_bytes: int
    text: str


class Reader:
    """Reads on from where it stopped. Counts bytes as they were printed, for that is how the tail's place is known."""

    def __init__(self) -> None:
        self._position = 0

    def read(self, *, head: str, tail: str, dropped_bytes: int, is_over: bool) -> Piece:
        """Return what has come since the last call."""
        if not is_over:  # the last character may be half of one that is still being printed
            head, tail = (head, tail.rstrip(REPLACEMENT)) if tail else (head.rstrip(REPLACEMENT), tail)
        first, last = _encoded(head), _encoded(tail)
        tail_start = len(first) + dropped_bytes
        new = first[self._position :]
        self._position = max(self._position, len(first))
        skipped_bytes = max(0, tail_start - self._position) if last else 0
        self._position += skipped_bytes
        if last:
            new_tail = last[self._position - tail_start :]
            self._position += len(new_tail)
            return Piece(skipped_bytes=skipped_bytes, text=_decoded(new) + _decoded(new_tail))
        return Piece(skipped_bytes=skipped_bytes, text=_decoded(new))


def _encoded(text: str) -> bytes:
    return text.translate(_TO_BYTE).encode("utf-8", "surrogateescape")


def _decoded(data: bytes) -> str:
    return data.decode("utf-8", "surrogateescape").translate(_FROM_BYTE)
