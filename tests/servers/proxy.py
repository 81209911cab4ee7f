"""A network between supervisors and a server, to be broken: it refuses, swallows, delays, cuts, and loses answers."""

import itertools
import random
import re
import socket
import threading
import time
from collections.abc import Callable
from enum import Enum

from tests.servers.server import free_port

READ_BYTES = 65_536
CONNECT_SECONDS = 5.0
COMMIT = re.compile(rb"(?<!AUTO)COMMIT(?!TED)", re.IGNORECASE)


class Mode(Enum):
    PASS = "pass"
    SWALLOW = "swallow"  # connections are accepted and read, and nothing comes through, ever again
    LOSE = "lose"  # at some commits the connection is cut: before the server has it, or before its answer is out
    FADE = "fade"  # connections become half-open, each one word later than the one before
    HUSH = "hush"  # at a commit the connection becomes half-open: before the server has it, or before its answer is out


class Pair:
    """A client's connection and ours to the server for it."""

    def __init__(self, client: socket.socket, server: socket.socket) -> None:
        self.client = client
        self.server = server
        self.is_deaf = False  # half-open: it will never pass anything on
        self.words_left: int | None = None  # of the client until it is
        self.is_doomed = False  # the answer to what was sent last is not to be passed on

    def close(self) -> None:
        for end in (self.client, self.server):
            try:
                end.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass


class Proxy:
    """Forwards one port to another, as far as its mode lets it."""

    def __init__(self, host: str, port: int) -> None:
        self._target = (host, port)
        self.port = free_port()
        self.delay_seconds = 0.0
        self.lost_answers = 0
        self.lost_commits = 0
        self._mode = Mode.PASS
        self._chance = random.Random()
        self._loss = 0.0
        self._hushes_before = False
        self._words = itertools.count()
        self._pairs: list[Pair] = []
        self._lock = threading.Lock()
        self._listener: socket.socket | None = None
        self.listen()

    def listen(self) -> None:
        """Take connections, after `refuse` again."""
        if self._listener is not None:
            return
        self._listener = socket.create_server(("127.0.0.1", self.port))
        self._in_background(self._accept, self._listener)

    def _in_background(self, action: Callable[..., None], *arguments: object) -> threading.Thread:
        thread = threading.Thread(target=action, args=arguments, daemon=True)
        thread.start()
        return thread

    def _accept(self, listener: socket.socket) -> None:
        while True:
            try:
                client, _ = listener.accept()
            except OSError:
                return
            self._in_background(self._connect, client)

    def _connect(self, client: socket.socket) -> None:
        try:
            server = socket.create_connection(self._target, timeout=CONNECT_SECONDS)
        except OSError:
            client.close()
            return
        server.settimeout(None)
        for end in (client, server):
            end.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        pair = Pair(client, server)
        pair.is_deaf = self._mode is Mode.SWALLOW
        if self._mode is Mode.FADE:
            pair.words_left = next(self._words)
        with self._lock:
            self._pairs.append(pair)
        forth = self._in_background(self._pump, pair, client, server)
        self._pump(pair, server, client)
        forth.join()
        with self._lock:
            self._pairs.remove(pair)
            client.close()
            server.close()

    def _pump(self, pair: Pair, source: socket.socket, sink: socket.socket) -> None:
        """Pass on what one side says, until one of them has gone."""
        try:
            while data := source.recv(READ_BYTES):
                if source is pair.client and pair.words_left is not None:
                    pair.is_deaf = pair.words_left == 0
                    pair.words_left -= 1
                if pair.is_deaf:
                    continue
                if pair.is_doomed and source is pair.server:
                    break
                if self.delay_seconds:
                    time.sleep(self.delay_seconds)
                if source is pair.client and COMMIT.search(data):
                    if self._loses(pair):
                        break
                    if self._hushes(pair):
                        continue
                sink.sendall(data)
        except OSError:
            pass
        pair.close()

    def _loses(self, pair: Pair) -> bool:
        """Return whether this commit is lost on its way; doom the pair if its answer will be."""
        if self._mode is not Mode.LOSE or self._chance.random() > self._loss:
            return False
        if self._chance.random() < 0.25:
            self.lost_commits += 1
            return True
        self.lost_answers += 1
        pair.is_doomed = True
        return False

    def _hushes(self, pair: Pair) -> bool:
        """Return whether this commit is kept from the server; let the pair be half-open if it or its answer is."""
        pair.is_deaf = self._mode is Mode.HUSH
        return pair.is_deaf and self._hushes_before

    def fade(self) -> None:
        """Make what is opened from now on half-open: the first one at once, the next after one word, and so on."""
        self._words, self._mode = itertools.count(), Mode.FADE

    def hush_commits(self, *, before: bool) -> None:
        """Fall silent at each commit: before the server has it, or when it has."""
        self._hushes_before, self._mode = before, Mode.HUSH

    def lose_commits(self, share: float, chance: random.Random) -> None:
        """Cut at this share of all commits: three of four are done, and nobody is told."""
        self._loss, self._chance, self._mode = share, chance, Mode.LOSE

    def swallow(self) -> None:
        """Make what is open half-open for ever, and what is opened from now on too."""
        self._mode = Mode.SWALLOW
        with self._lock:
            for pair in self._pairs:
                pair.is_deaf = True

    def heal(self) -> None:
        """Let connections pass. Half-open ones stay what they are."""
        self._mode = Mode.PASS
        self.delay_seconds = 0.0
        self.listen()

    def refuse(self) -> None:
        """Close the port, and all connections."""
        listener, self._listener = self._listener, None
        if listener is not None:
            listener.shutdown(socket.SHUT_RDWR)
            listener.close()
        self.cut()

    def cut(self) -> int:
        """Cut all connections now; return how many."""
        with self._lock:
            pairs = list(self._pairs)
            for pair in pairs:
                pair.close()
        return len(pairs)
