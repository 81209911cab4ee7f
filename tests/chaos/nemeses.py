"""The faults: functions that do one to the arena and return how to mend it, if it lasts. `NEMESES` names them."""

import random
import signal
import sqlite3
from collections.abc import Callable
from contextlib import closing
from typing import Any

from tests.chaos.arena import Arena, Member, uptime
from tests.chaos.plan import Strike
from tests.e2e.databases import SQLite
from tests.servers.site import OwnDatabase

Heal = Callable[[], None]
LOSS_SHARE = 0.3
PATIENCE = {"postgres": "SET lock_timeout = '2s'", "mariadb": "SET innodb_lock_wait_timeout = 2"}  # for a lock of ours
DELAY_SECONDS = 0.02
CLOCK_JUMPS_SECONDS = (-3_600, -5, -1, 1, 5, 3_600, 86_400)


# Of single processes.


def kill_supervisor(arena: Arena, strike: Strike) -> None:
    if member := arena.victim(strike.pick):
        arena.strike("supervisor", member, signal.SIGKILL)


def kill_nursery(arena: Arena, strike: Strike) -> None:
    if member := arena.victim(strike.pick):
        arena.strike("nursery", member, signal.SIGKILL, role="nursery")


def kill_worker(arena: Arena, strike: Strike) -> None:
    _kill_below(arena, strike, "worker")


def kill_command(arena: Arena, strike: Strike) -> None:
    _kill_below(arena, strike, "command")


def _kill_below(arena: Arena, strike: Strike, role: str) -> None:
    """Kill one of a role below some supervisor; where that has none, below another."""
    start = int(strike.pick * len(arena.members))
    for member in arena.members[start:] + arena.members[:start]:
        pick = strike.pick * len(arena.members) % 1
        if member.pid is not None and arena.strike(role, member, signal.SIGKILL, role=role, pick=pick):
            return


def stop_supervisor(arena: Arena, strike: Strike) -> None:
    """Ask one to stop, as a deployment does."""
    if member := arena.victim(strike.pick):
        member.is_asked = True
        arena.strike("stop", member, signal.SIGTERM)


def freeze(arena: Arena, strike: Strike) -> Heal | None:
    """Let a supervisor stand still past its lease, alone or with its workers."""
    role = "self" if strike.pick * 10 % 1 < 0.5 else "family"
    return _freeze(arena, arena.victim(strike.pick), role)


def doze(arena: Arena, strike: Strike) -> Heal | None:
    """Let a supervisor stand still for a moment, as on a busy machine."""
    return _freeze(arena, arena.victim(strike.pick), "family")


def _freeze(arena: Arena, member: Member | None, role: str) -> Heal | None:
    if member is None or member.pid is None or member.frozen_since is not None:
        return None

    pid, since = member.pid, uptime()
    if not arena.strike("freeze", member, signal.SIGSTOP, role=role):
        return None
    member.frozen_since = since

    def heal() -> None:
        arena.note("frozen", pid, since=since, launcher=member.launcher)
        if member.pid == pid:
            member.launcher.strike(pid, signal.SIGCONT, role="family")
            member.frozen_since = None

    return heal


# People who use the command line while all this happens; most of them die at one of their statements.


def _person(*words: str) -> Callable[[Arena, Strike], None]:
    def act(arena: Arena, strike: Strike) -> None:
        arena.run("statement", *words, die_at=strike.die_at, is_after=strike.is_after)

    return act


def cancel(arena: Arena, strike: Strike) -> None:
    if ids := [id_ for id_ in _acknowledged(arena) if id_ in arena.cancellable]:
        id_ = ids[int(strike.pick * len(ids))]
        arena.run("statement", "cancel", id_, die_at=strike.die_at, is_after=strike.is_after)


def _acknowledged(arena: Arena) -> list[str]:
    return arena.acknowledged_path.read_text().split()


# Of the whole site.


def lock(arena: Arena, strike: Strike) -> Heal | None:
    """Hold what others need to write: SQLite's write lock, a server's rows or its table."""
    database = arena.site.database
    if isinstance(database, SQLite):
        foreign = _sqlite(database)
        try:
            foreign.execute("BEGIN IMMEDIATE")
        except sqlite3.OperationalError:  # it stood still for longer than we wait: a supervisor that is frozen has it
            foreign.close()
            return None
        return foreign.close
    assert isinstance(database, OwnDatabase)
    held = database.server.connect(database.name)
    try:
        with closing(held.cursor()) as cursor:
            for statement in (PATIENCE[database.server.scheme], "BEGIN", _lock_statement(arena, strike)):
                cursor.execute(statement)
    except database.server.driver_error():  # others have it, and will not give way: so this one does
        held.close()
        return None
    close: Heal = held.close
    return close


def _lock_statement(arena: Arena, strike: Strike) -> str:
    statements = [
        "SELECT id FROM jobs_job ORDER BY id LIMIT 20 FOR UPDATE",
        "SELECT id FROM jobs_supervisor FOR UPDATE",
    ]
    if arena.store.name == "postgresql":
        statements.append("LOCK TABLE jobs_job IN EXCLUSIVE MODE")
    return statements[int(strike.pick * len(statements))]


def _sqlite(database: SQLite) -> sqlite3.Connection:
    connection = sqlite3.connect(database.path, isolation_level=None, timeout=10, check_same_thread=False)
    connection.execute("PRAGMA wal_autocheckpoint=0")
    return connection


def fill_disk(arena: Arena, strike: Strike) -> Heal | None:
    if arena.disk is None:
        return None
    arena.disk.fill()
    return arena.disk.free


def shift_clock(arena: Arena, strike: Strike) -> Heal:
    """Let the clock jump. Where it rules what is due, which is on SQLite, it ends as far ahead as it ever was."""
    clock = arena.clock
    assert clock is not None
    jump = CLOCK_JUMPS_SECONDS[int(strike.pick * len(CLOCK_JUMPS_SECONDS))]
    arena.furthest_clock = max(arena.furthest_clock, jump)
    clock.shift(jump)
    return lambda: clock.shift(arena.furthest_clock if arena.store.name == "sqlite" else 0)


def restart_server(arena: Arena, strike: Strike) -> Heal:
    """Kill the server as a power cut would, or stop it in good order; start it after a while."""
    assert arena.store.server is not None
    if strike.pick < 0.7:
        arena.store.server.kill_hard()
        arena.kills["server"] += 1
    else:
        arena.store.server.stop()
    return arena.store.server.start


def end_backends(arena: Arena, strike: Strike) -> None:
    assert isinstance(arena.site.database, OwnDatabase)
    arena.site.database.server.end_backends(arena.site.database.name)


def _through_proxy(act: Callable[[Any, Strike], None]) -> Callable[[Arena, Strike], Heal]:
    def do(arena: Arena, strike: Strike) -> Heal:
        assert arena.proxy is not None
        act(arena.proxy, strike)
        return arena.proxy.heal

    return do


def _delay(proxy: Any, strike: Strike) -> None:
    proxy.delay_seconds = DELAY_SECONDS


def cut_network(arena: Arena, strike: Strike) -> Heal | None:
    """Pull the cable of the other machine."""
    if arena.machine is None:
        return None
    arena.machine.cut()
    return arena.machine.join


Nemesis = Callable[[Arena, Strike], Heal | None]

NEMESES: dict[str, Nemesis] = {
    "worker": kill_worker,
    "command": kill_command,
    "supervisor": kill_supervisor,
    "nursery": kill_nursery,
    "stop": stop_supervisor,
    "freeze": freeze,
    "doze": doze,
    "requeue": _person("dlq", "retry", "--all"),
    "prune": _person("prune"),
    "reconfigure": _person("config", "set", "timeout", "0", "--queue", "other"),
    "status": _person("status"),
    "cancel": cancel,
    "lock": lock,
    "disk": fill_disk,
    "clock": shift_clock,
    "restart": restart_server,
    "backends": end_backends,
    "delay": _through_proxy(_delay),
    "hangup": _through_proxy(lambda proxy, _: proxy.cut()),
    "refuse": _through_proxy(lambda proxy, _: proxy.refuse()),
    "lose": _through_proxy(lambda proxy, strike: proxy.lose_commits(LOSS_SHARE, random.Random(strike.pick))),
    "swallow": _through_proxy(lambda proxy, _: proxy.swallow()),
    "cut": cut_network,
}
OF_THE_SITE = {"lock", "disk", "clock", "restart", "backends", "delay", "hangup", "refuse", "lose", "swallow", "cut"}
