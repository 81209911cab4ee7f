"""The pipe between a supervisor and one of its workers: JSON messages, a line each, over a socket that never blocks.

A peer that is stopped or slow costs memory here, never time: what it does not read waits in `unsent`.
"""

import json
import socket
import threading
from typing import Any

_encode = json.JSONEncoder(separators=(",", ":")).encode  # json.dumps would make a new one each time

READ_BYTES = 262_144  # a default Linux socket buffer holds less, so one read usually empties it


class Channel:
    """One end. Any thread may send; one thread receives."""

    def __init__(self, end: socket.socket) -> None:
        end.setblocking(False)
        self._socket = end
        self._lock = threading.Lock()
        self._sent = threading.Condition(self._lock)  # notified when nothing is unsent
        self._unsent = bytearray()
        self._partial = bytearray()

    def fileno(self) -> int:
        return self._socket.fileno()

    @property
    def has_unsent(self) -> bool:
        """Whether the peer has yet to make room: wait until the socket is writable, then `flush`."""
        return bool(self._unsent)

    def send(self, **message: Any) -> bool:
        """Send a message, or keep it for `flush` if the peer has no room. Return whether all is sent."""
        line = _encode(message).encode() + b"\n"
        with self._lock:
            self._unsent += line
            return self._flush()

    def wait_until_sent(self) -> None:
        """Wait for another thread to send, by `flush`, all that waits: then it outlives this process."""
        with self._sent:
            self._sent.wait_for(lambda: not self._unsent)

    def flush(self) -> bool:
        """Send what waits, as far as the peer has room. Return whether all is sent."""
        with self._lock:
            return self._flush()

    def _flush(self) -> bool:
        try:
            while self._unsent:
                sent = self._socket.send(self._unsent)
                del self._unsent[:sent]
        except BlockingIOError:
            return False
        except OSError:
            self._unsent.clear()  # the peer is gone; whoever receives on this channel learns it there
        self._sent.notify_all()
        return True

    def receive(self) -> list[dict[str, Any]]:
        """Return the complete messages that have arrived, maybe none. Raise EOFError when the peer is gone."""
        try:
            data = self._socket.recv(READ_BYTES)
        except BlockingIOError:
            return []
        except ConnectionError:
            data = b""
        if not data:
            raise EOFError
        return self._messages(data)

    def receive_rest(self) -> list[dict[str, Any]]:
        """Receive all that has arrived from a peer that is dead."""
        chunks = []
        try:
            while data := self._socket.recv(READ_BYTES):
                chunks.append(data)
        except (BlockingIOError, ConnectionError):
            pass
        return self._messages(b"".join(chunks))

    def _messages(self, data: bytes) -> list[dict[str, Any]]:
        self._partial += data  # in place: to copy it for each chunk of a long message took seconds
        if b"\n" not in data:
            return []
        lines, _, self._partial = self._partial.rpartition(b"\n")
        return json.loads(b"[" + lines.replace(b"\n", b",") + b"]")  # type: ignore[no-any-return]

    def close(self) -> None:
        self._socket.close()
