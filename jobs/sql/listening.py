"""LISTEN on PostgreSQL, on a connection of its own. A notification is a hint; polling remains the truth.

A pooler in transaction mode swallows notifications without a word, and a half-open connection is silent for ever. So
the listener sends itself one when it starts and now and then, and polls while it has not heard itself.
"""

import logging
import re
import secrets
import select
import time
from collections.abc import Callable
from typing import Any

from django.db.backends.base.base import BaseDatabaseWrapper

from jobs import conf
from jobs.sql.waking import Poller

logger = logging.getLogger("jobs.supervisor")

CHANNEL = "queuectl"
PROBE_PREFIX = "probe "  # no queue has a space in its name
PROBE_SECONDS = 30.0  # between two looks whether the line is still good
HEARD_WITHIN_SECONDS = 2.0
ANSWER_SECONDS = 2.0  # to LISTEN; as long the supervisor does nothing else
CONNECT_SECONDS = 2  # likewise; libpq takes no less
REOPEN_SECONDS = (5.0, 300.0)  # after the first line that was no good, and after many: each try may take all of that
ALERT_SECONDS = 0.025  # of looks after news: who announces is silent about the next 0.02 s (`jobs.queue`)
LOOK_SECONDS = 0.005  # between two such looks
LISTENING_SECONDS = 1.0  # between two looks while the line is good

UNREADABLE = 'JOBS["LISTEN_DSN"] is no connection string that libpq can read.'

# For libpq: a server that is gone is noticed within seconds, also while nothing is asked of it.
PATIENCE = {
    "connect_timeout": 5,
    "keepalives_idle": 5,
    "keepalives_interval": 2,
    "keepalives_count": 3,
    "tcp_user_timeout": 10_000,  # milliseconds
}


class Listener:
    """A waker that listens, and polls while it cannot."""

    def __init__(self, connection: BaseDatabaseWrapper, is_anything_pending: Callable[[], bool]) -> None:
        self._main = connection
        self._is_anything_pending = is_anything_pending
        self._poller = Poller(is_anything_pending)
        self._line: Any = None
        self._is_proven = False
        self._is_silence_said = False  # that notifications do not arrive; once is enough until they do
        self._probe = ""
        self._probed_at = 0.0
        self._next_open = 0.0
        self._reopen_seconds = REOPEN_SECONDS[0]
        self._alert_until = 0.0
        self._next_look = 0.0  # while it is alert
        self._has_heard = False
        self.renew()

    def sources(self) -> list[Any]:
        return [] if self._line is None else [self._line]

    def patience_seconds(self) -> float:
        if not self._is_proven:
            return self._poller.patience_seconds()
        now = time.monotonic()
        return max(0.0, self._next_look - now) if now < self._alert_until else LISTENING_SECONDS

    def has_news(self) -> bool:
        self._drain()
        now = time.monotonic()
        if self._has_heard:
            self._has_heard = False
            self._alert_until, self._next_look = now + ALERT_SECONDS, now + LOOK_SECONDS
            return True
        if not self._is_proven:
            return self._poller.has_news()
        if not self._next_look <= now < self._alert_until:
            return False
        self._next_look = now + LOOK_SECONDS
        return self._is_anything_pending()

    def _drain(self) -> None:
        """Read what has arrived."""
        if self._line is None:
            return
        try:
            self._line.pgconn.consume_input()
            while (notification := self._line.pgconn.notifies()) is not None:
                text = notification.extra.decode()
                if text == self._probe:
                    self._is_proven, self._is_silence_said = True, False
                    self._reopen_seconds = REOPEN_SECONDS[0]
                self._has_heard |= not text.startswith(PROBE_PREFIX)
        except Exception:  # noqa: BLE001 - whatever it was, the line is of no use any more
            self._hang_up()

    def renew(self) -> None:
        self._drain()
        now = time.monotonic()
        if self._line is None:
            if now >= self._next_open:
                self._open(now)
        elif not self._is_proven and now - self._probed_at > HEARD_WITHIN_SECONDS:
            self._say_silent()
            self._hang_up()
        elif now - self._probed_at > PROBE_SECONDS:
            self._is_proven = False
            self._send_probe(now)

    def _open(self, now: float) -> None:
        try:
            self._line = self._connected()
        except Exception as error:  # noqa: BLE001 - whatever it was, there is the poller
            self._put_off()
            if not self._is_silence_said:
                self._is_silence_said = True
                logger.info("cannot listen, polling instead: %s", " ".join(str(error).split()))
        else:
            self._send_probe(now)

    def _connected(self) -> Any:
        """Return a connection that listens."""
        import psycopg  # noqa: PLC0415 - a project on another database need not have it

        line = psycopg.connect(**self._parameters() | {"connect_timeout": CONNECT_SECONDS, "autocommit": True})
        try:
            _execute(line, f"LISTEN {CHANNEL}", seconds=ANSWER_SECONDS)
        except BaseException:
            line.close()
            raise
        return line

    def _parameters(self) -> dict[str, Any]:
        dsn = conf.listen_dsn()
        if dsn is None:
            return self._main.get_connection_params()
        if not is_readable(dsn):  # libpq's own message would repeat a part of the password
            raise ValueError(UNREADABLE)
        return {"conninfo": dsn, **PATIENCE}

    def _send_probe(self, now: float) -> None:
        self._probe, self._probed_at = f"{PROBE_PREFIX}{secrets.token_hex(8)}", now
        self._notify(self._probe)

    def _notify(self, text: str) -> None:
        with self._main.cursor() as cursor:
            cursor.execute("SELECT pg_notify(%s, %s)", [CHANNEL, text])

    def _say_silent(self) -> None:
        if not self._is_silence_said:
            self._is_silence_said = True
            logger.warning(
                "notifications of the database do not arrive, polling instead; behind a pooler in transaction mode, "
                'set JOBS["LISTEN_DSN"] to the server itself'
            )

    def _hang_up(self) -> None:
        line, self._line = self._line, None
        self._is_proven = False
        self._put_off()
        if line is not None:
            line.close()

    def _put_off(self) -> None:
        """Try again later, counted from now: the supervisor did nothing else than wait for a server that is silent."""
        self._next_open = time.monotonic() + self._reopen_seconds
        self._reopen_seconds = min(2 * self._reopen_seconds, REOPEN_SECONDS[1])

    def close(self) -> None:
        self._hang_up()


def is_readable(dsn: str) -> bool:
    """Return whether libpq can read a connection string, without taking a part of a password for the host or the port.

    In a URL it would, if the password holds an @ or a / that is not escaped; it says then which host it did not find.
    """
    from psycopg import ProgrammingError, conninfo  # noqa: PLC0415 - see above

    try:
        parts = conninfo.conninfo_to_dict(dsn)
    except ProgrammingError:
        return False
    host, port = str(parts.get("host", "")), str(parts.get("port", ""))
    return "@" not in host[1:] and re.fullmatch(r"[\d, ]*", port) is not None  # a socket's name may begin with an @


def _execute(line: Any, statement: str, *, seconds: float) -> None:
    """Execute a statement, and wait no longer for its answer. No other thread could end a call of the driver's."""
    deadline = time.monotonic() + seconds
    line.pgconn.send_query(statement.encode())
    poll = select.poll()
    poll.register(line, select.POLLIN)
    while line.pgconn.is_busy():
        if not poll.poll(max(0.0, deadline - time.monotonic()) * 1_000):
            raise TimeoutError(f"the server did not answer within {seconds:g} s")
        line.pgconn.consume_input()
    while (result := line.pgconn.get_result()) is not None:
        if message := result.error_message:
            raise OSError(message.decode(errors="replace"))
