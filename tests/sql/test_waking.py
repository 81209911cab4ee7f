"""When a supervisor that waits looks for work."""

import logging

import pytest

from jobs.sql import listening, sqlite, waking
from tests.faked_time import fake_time


class Time:
    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now = 1_000.0
        fake_time(monkeypatch, "jobs.sql.waking", monotonic=lambda: self.now)
        fake_time(monkeypatch, "jobs.sql.listening", monotonic=lambda: self.now)
        fake_time(monkeypatch, "jobs.sql.sqlite", monotonic=lambda: self.now)


@pytest.fixture
def time(monkeypatch: pytest.MonkeyPatch) -> Time:
    return Time(monkeypatch)


class Pending:
    """What a look finds, and how often one was taken."""

    def __init__(self) -> None:
        self.is_there = False
        self.looks = 0

    def __call__(self) -> bool:
        self.looks += 1
        return self.is_there


@pytest.fixture
def pending() -> Pending:
    return Pending()


def _looks_during(seconds: float, waker: waking.Waker, time: Time, pending: Pending) -> int:
    before, until = pending.looks, time.now + seconds
    while time.now < until:
        waker.has_news()
        time.now += max(0.001, waker.patience_seconds())
    return pending.looks - before


def test_a_poller_finds_what_is_pending(time: Time, pending: Pending):
    poller = waking.Poller(pending)
    assert not poller.has_news()
    pending.is_there = True
    time.now += poller.patience_seconds()
    assert poller.has_news()


def test_a_poller_looks_less_often_where_a_look_is_dear(time: Time, pending: Pending):
    def look_slowly() -> bool:
        time.now += 0.012
        return pending()

    assert _looks_during(10, waking.Poller(look_slowly), time, pending) == pytest.approx(20, abs=1)


def test_a_poller_does_not_look_before_it_is_time(time: Time, pending: Pending):
    poller = waking.Poller(pending)
    poller.has_news()
    poller.has_news()
    assert pending.looks == 1


def test_a_poller_looks_less_and_less_while_nothing_comes(time: Time, pending: Pending):
    poller = waking.Poller(pending)
    assert _looks_during(1, poller, time, pending) == pytest.approx(37, abs=3)
    _looks_during(20, poller, time, pending)
    assert _looks_during(10, poller, time, pending) == pytest.approx(100, abs=2)


def test_a_poller_looks_less_often_at_what_is_not_for_it(time: Time, pending: Pending):
    poller = waking.Poller(pending)
    pending.is_there = True
    _looks_during(10, poller, time, pending)
    assert _looks_during(10, poller, time, pending) == pytest.approx(40, abs=2)


def test_a_poller_is_quick_again_after_a_change(time: Time, pending: Pending):
    poller = waking.Poller(pending)
    pending.is_there = True
    _looks_during(10, poller, time, pending)
    pending.is_there = False
    time.now += poller.patience_seconds()
    poller.has_news()
    assert poller.patience_seconds() == pytest.approx(poller.FIRST_SECONDS)


class Notification:
    def __init__(self, text: str) -> None:
        self.extra = text.encode()


class Line:
    """A connection that listens; what is sent arrives while it `is_good`, and reading fails once it `is_broken`."""

    def __init__(self) -> None:
        self.arrived: list[str] = []
        self.is_good = True
        self.is_broken = False
        self.is_closed = False
        self.pgconn = self

    def consume_input(self) -> None:
        if self.is_broken:
            raise OSError("the server closed the connection")

    def notifies(self) -> Notification | None:
        return Notification(self.arrived.pop(0)) if self.arrived else None

    def close(self) -> None:
        self.is_closed = True


class Listener(listening.Listener):
    """One whose lines are made up."""

    def __init__(self, pending: Pending) -> None:
        self.lines: list[Line] = []
        self.makes_good_lines = True
        super().__init__(None, pending)  # type: ignore[arg-type]

    def _connected(self) -> Line:
        self.lines.append(Line())
        self.lines[-1].is_good = self.makes_good_lines
        return self.lines[-1]

    def _notify(self, text: str) -> None:
        if self.lines[-1].is_good:
            self.lines[-1].arrived.append(text)


def test_a_listener_polls_until_it_has_heard_itself(time: Time, pending: Pending):
    listener = Listener(pending)
    assert listener.patience_seconds() < 1
    assert not listener.has_news()  # it hears its own probe, which is no news
    assert listener.patience_seconds() == listening.LISTENING_SECONDS
    assert listener.sources() == listener.lines


def test_a_listener_hears_of_a_job_and_looks_by_itself_for_a_moment(time: Time, pending: Pending):
    listener = Listener(pending)
    listener.has_news()
    listener.lines[0].arrived.append("default")
    assert listener.has_news()
    assert listener.patience_seconds() < listening.ALERT_SECONDS
    time.now += listening.ALERT_SECONDS + 0.01
    assert listener.patience_seconds() == listening.LISTENING_SECONDS


def test_a_listener_finds_what_went_unsaid_after_a_notification(time: Time, pending: Pending):
    listener = Listener(pending)
    listener.has_news()
    listener.lines[0].arrived.append("default")
    listener.has_news()
    assert not listener.has_news()
    assert pending.looks == 0
    pending.is_there = True
    time.now += listener.patience_seconds()
    assert listener.has_news()
    assert _looks_during(1, listener, time, pending) == 3


def test_a_listener_looks_for_longer_than_the_sender_is_silent():
    from jobs.queue import _announce

    assert listening.ALERT_SECONDS > _announce.QUIET_SECONDS


def test_a_listener_that_does_not_hear_itself_goes_on_polling_and_says_so_once(time: Time, pending: Pending, caplog):
    listener = Listener(pending)
    listener.lines[0].arrived.clear()
    listener.makes_good_lines = False
    pending.is_there = True
    for _ in range(60):
        time.now += 1
        listener.renew()
        assert listener.has_news()
    assert [record.levelname for record in caplog.records].count("WARNING") == 1
    assert "LISTEN_DSN" in caplog.text
    assert all(line.is_closed for line in listener.lines[:-1])


def test_a_listener_repeats_no_part_of_a_connection_string_that_it_cannot_read(pending: Pending, caplog, settings):
    pytest.importorskip("psycopg")
    settings.JOBS = {"LISTEN_DSN": "host=h password=se cret"}
    caplog.set_level(logging.INFO, logger="jobs.supervisor")

    listening.Listener(None, pending)  # type: ignore[arg-type]

    assert "cannot listen, polling instead: JOBS" in caplog.text
    assert "cret" not in caplog.text


def test_a_listener_notices_a_line_that_went_dead_without_a_word(time: Time, pending: Pending):
    listener = Listener(pending)
    listener.has_news()
    listener.lines[0].is_good = False
    for _ in range(int(listening.PROBE_SECONDS + listening.HEARD_WITHIN_SECONDS + listening.REOPEN_SECONDS[0]) + 3):
        time.now += 1
        listener.renew()
        listener.has_news()
    assert listener.lines[0].is_closed
    assert len(listener.lines) == 2
    assert listener.patience_seconds() == listening.LISTENING_SECONDS


def test_a_listener_survives_a_line_that_breaks(time: Time, pending: Pending):
    listener = Listener(pending)
    listener.has_news()
    listener.lines[0].is_broken = True
    pending.is_there = True
    assert listener.has_news()  # by a look
    assert listener.sources() == []
    time.now += listening.REOPEN_SECONDS[0]
    listener.renew()
    listener.has_news()
    assert listener.sources() == [listener.lines[1]]


class Unreachable(Listener):
    """One whose server takes the connection and says nothing."""

    def __init__(self, pending: Pending, time: Time) -> None:
        self.time = time
        self.tries = 0
        super().__init__(pending)

    def _connected(self) -> Line:
        self.tries += 1
        self.time.now += listening.CONNECT_SECONDS
        raise OSError("timeout expired")


def _tries_during(seconds: float, listener: Unreachable) -> int:
    before, until = listener.tries, listener.time.now + seconds
    while listener.time.now < until:
        listener.time.now += 1
        listener.renew()
    return listener.tries - before


def test_a_listener_does_not_hold_up_its_supervisor_for_a_server_that_is_silent(time: Time, pending: Pending):
    listener = Unreachable(pending, time)
    assert _tries_during(600, listener) < 8
    assert _tries_during(3_600, listener) <= 12


def test_a_listener_is_quick_to_come_back_when_its_line_was_good(time: Time, pending: Pending):
    listener = Listener(pending)
    for _ in range(10):
        listener.has_news()  # it hears itself
        listener.lines[-1].is_broken = True
        listener.has_news()
        time.now += listening.REOPEN_SECONDS[0]
        listener.renew()
    assert len(listener.lines) == 11


class Watch:
    """What the kernel says of a file."""

    def __init__(self) -> None:
        self.is_written = False

    def clear(self) -> bool:
        was_written, self.is_written = self.is_written, False
        return was_written


class Watcher(sqlite._Waker):
    """One that watches no real file, and whose database has a version that can be set."""

    def __init__(self, watch: Watch | None) -> None:
        self.version = 1
        self.looks = 0
        self._watch = watch  # type: ignore[assignment]
        self._version = self.version
        self._pause_seconds = sqlite.WATCHED_SECONDS
        self._next_look = 0.0

    def _data_version(self) -> int:
        self.looks += 1
        return self.version


def _wait_for_news(watcher: Watcher, time: Time, limit_seconds: float = 10) -> float:
    """Return how long it took."""
    began = time.now
    while not watcher.has_news() and time.now < began + limit_seconds:
        time.now += max(0.00001, watcher.patience_seconds())
    return time.now - began


@pytest.mark.parametrize("sync_seconds", [0.0003, 0.002, 0.03, 0.3])
def test_a_watcher_sees_a_commit_within_the_time_it_took(time: Time, sync_seconds: float):
    watch = Watch()
    watcher = Watcher(watch)
    watch.is_written = True
    assert not watcher.has_news()
    assert watcher.sources() == []
    began = time.now
    while time.now < began + sync_seconds:
        time.now += watcher.patience_seconds()
        watcher.has_news()
    watcher.version += 1
    assert _wait_for_news(watcher, time) <= sync_seconds + 0.001


def test_a_watcher_listens_again_while_it_still_looks(time: Time):
    watch = Watch()
    watcher = Watcher(watch)
    watch.is_written = True
    _wait_for_news(watcher, time, 0.02)
    assert watcher.sources() == [watch]
    watch.is_written = True
    assert not watcher.has_news()
    assert watcher.patience_seconds() == pytest.approx(sqlite.SYNC_SECONDS)


def test_a_watcher_looks_seldom_while_nothing_is_written(time: Time):
    watcher = Watcher(Watch())
    watcher.has_news()
    watcher.looks = 0
    _wait_for_news(watcher, time, 60)
    assert watcher.looks == pytest.approx(60, abs=2)


def test_a_watcher_that_is_called_for_other_reasons_does_not_lose_patience(time: Time):
    watch = Watch()
    watcher = Watcher(watch)
    watch.is_written = True
    for _ in range(100):
        watcher.has_news()
    assert watcher.patience_seconds() == pytest.approx(sqlite.SYNC_SECONDS)


def test_without_a_watch_it_looks_all_the_time(time: Time):
    watcher = Watcher(None)
    assert watcher.sources() == []
    assert watcher.patience_seconds() == sqlite.LOOK_SECONDS
