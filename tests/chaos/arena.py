"""One round's site: its home and database, its launchers, the supervisors at work, and what was done to them."""

import json
import re
import signal
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import urlsplit

from tests.chaos.clocks import WrongClock
from tests.chaos.launching import Launcher
from tests.chaos.load import Batch
from tests.chaos.plan import LEASE_SECONDS
from tests.chaos.stores import Store, may_mount
from tests.e2e.site import READY, Site
from tests.servers.network import BOOT, Machine
from tests.servers.proxy import Proxy
from tests.small_disk import SmallDisk

SUPERVISORS, WORKERS = 3, 3
DISK_BYTES = 48 * 1024 * 1024
RESTART_SECONDS = 0.2  # before a supervisor is tried again that ended by itself
STACK_SECONDS = 0.5  # for a process to write down where it is
COMMAND_SECONDS = 45.0  # in which every command ends, whatever the database does
STOP_SECONDS = 30.0
TURN_SECONDS = 0.005
EXPECTED = ("PlannedFailure", "jobs.tasks.signs.")  # what tasks of the load raise, and what asks one to stop
TRACEBACK = re.compile(r"^Traceback .*\n(?:(?: .*)?\n)*(\S.*)", re.MULTILINE)
ENVIRONMENT = {
    "JOBS_LEASE_SECONDS": str(LEASE_SECONDS),
    "JOBS_GRACE_SECONDS": "2",
    "JOBS_KILL_GRACE_SECONDS": "0.5",
    "SECRET_KEY": "a key for the campaign, which protects nothing",
}


class Event(NamedTuple):
    """Something that was done, or happened, and when on the kernel's clock since the boot."""

    at: float
    what: str
    pid: int | None = None  # as its launcher knows it
    until: float | None = None
    launcher: str = ""


def uptime() -> float:
    return time.clock_gettime(time.CLOCK_BOOTTIME)


@dataclass(slots=True)
class Member:
    """One place for a supervisor. `pid` of None: it has ended, and is started again at `start_at`."""

    launcher: Launcher
    number: int
    pid: int | None = None
    start_at: float = 0.0
    starts: int = 0
    is_asked: bool = False  # to stop
    frozen_since: float | None = None


@dataclass(slots=True)
class Running:
    """A command that has not ended yet. `nemesis` is what its death is counted as."""

    launcher: Launcher
    pid: int
    log_path: Path
    started: float
    nemesis: str
    kill_at: float | None = None
    expects_death: bool = False
    words: tuple[str, ...] = ()  # of `queuectl`; none: a program of the campaign's, which waits as long as Django does
    code: int | None = None


@dataclass(slots=True)
class Arena:
    """Everything a nemesis can reach."""

    store: Store
    site: Site
    theme: str
    folder: Path
    kills: Counter[str] = field(default_factory=Counter)
    faults: Counter[str] = field(default_factory=Counter)
    events: list[Event] = field(default_factory=list)
    members: list[Member] = field(default_factory=list)
    running: list[Running] = field(default_factory=list)
    surprises: list[str] = field(default_factory=list)  # ends of processes that nobody caused
    proxy: Proxy | None = None
    disk: SmallDisk | None = None
    clock: WrongClock | None = None
    machine: Machine | None = None
    launchers: list[Launcher] = field(default_factory=list)
    cancellable: frozenset[str] = frozenset()
    furthest_clock: int = 0
    is_faulty: bool = False  # a fault of the whole site lasts
    _commands: int = 0

    @property
    def acknowledged_path(self) -> Path:
        return self.folder / "acknowledged"

    def note(
        self, what: str, pid: int | None = None, *, since: float | None = None, launcher: Launcher | None = None
    ) -> None:
        now = uptime()
        at, until = (now, None) if since is None else (since, now)
        self.events.append(Event(at, what, pid, until, "" if launcher is None else launcher.name))

    # Supervisors.

    def mind(self) -> None:
        """See who has ended: start supervisors anew, let commands go, kill those whose time has come."""
        for member in self.members:
            self._mind_member(member)
        for running in list(self.running):
            self._mind_command(running)

    def _mind_member(self, member: Member) -> None:
        if member.pid is not None and (code := member.launcher.code(member.pid)) is not None:
            self._note_end(member, code)
            member.pid = None
            member.start_at = uptime() + (0.0 if code == -signal.SIGKILL else RESTART_SECONDS)
        if member.pid is None and uptime() >= member.start_at:
            self.start_supervisor(member)

    def _note_end(self, member: Member, code: int) -> None:
        was_ready = READY in self._out(member).read_text()
        may_end = code == -signal.SIGKILL or member.is_asked or (self.is_faulty and not was_ready)
        self.note(f"supervisor ended {code}", member.pid, launcher=member.launcher)
        if not may_end and was_ready:
            self.surprises.append(f"supervisor {self._out(member).name} ended by itself with {code}")

    def start_supervisor(self, member: Member) -> None:
        member.starts += 1
        member.is_asked, member.frozen_since = False, None
        out = self._out(member)
        out.touch()
        member.pid = member.launcher.start(
            *("worker", "start", "--count", str(WORKERS)), stdout=out, stderr=out.with_suffix(".log")
        )
        self.note("supervisor started", member.pid, launcher=member.launcher)

    def _out(self, member: Member) -> Path:
        return self.folder / f"supervisor-{member.number}-{member.starts}.out"

    def victim(self, pick: float) -> Member | None:
        """Return one of the supervisors that live."""
        living = [member for member in self.members if member.pid is not None]
        return living[int(pick * len(living))] if living else None

    def strike(
        self, nemesis: str, member: Member, number: signal.Signals, *, role: str = "self", pick: float = 0.0
    ) -> list[int]:
        """Send a signal; if it is a kill, count what it hit."""
        assert member.pid is not None
        hit = member.launcher.strike(member.pid, number, role=role, pick=pick)
        if hit and number == signal.SIGKILL:
            self.kills[nemesis] += 1
        for pid in hit:
            self.note(nemesis, pid, launcher=member.launcher)
        return hit

    # Commands.

    def run(self, nemesis: str, *words: str, launcher: Launcher | None = None, **order: Any) -> Running:
        """Start a command in the background. It ends within `COMMAND_SECONDS`, or that is a surprise."""
        self._commands += 1
        launcher = launcher or self.launchers[0]
        out = order.pop("stdout", self.folder / "commands.out")
        log_path = self.folder / f"command-{self._commands}.log"
        pid = launcher.start(*words, stdout=out, stderr=log_path, **order)
        running = Running(
            launcher=launcher,
            pid=pid,
            log_path=log_path,
            started=uptime(),
            nemesis=nemesis,
            words=words,
            expects_death=order.get("die_at") is not None,
        )
        self.running.append(running)
        return running

    def enqueue(self, batch: Batch) -> None:
        """Let a process enqueue a batch; what it says is safe goes to the acknowledged."""
        fields = [job.fields for job in batch.jobs]
        order: dict[str, Any] = {"die_at": batch.die_at, "is_after": batch.is_after}
        if batch.way in ("json", "file"):
            running = self.run_enqueue(*fields, **order)
        else:
            running = self.run_program(fields, commits=batch.way == "commit", **order)
        if batch.kill_after is not None:
            running.nemesis = "enqueuer"
            running.kill_at = running.started + batch.kill_after

    def run_enqueue(self, *jobs: dict[str, Any], **order: Any) -> Running:
        """Run `enqueue`, with one job as its argument, or with a file of several."""
        order["stdout"] = self.acknowledged_path
        if len(jobs) == 1:
            return self.run("statement", "enqueue", "--quiet", json.dumps(jobs[0]), **order)
        path = self.folder / f"batch-{self._commands}.jsonl"
        path.write_text("".join(f"{json.dumps(job)}\n" for job in jobs))
        return self.run("statement", "enqueue", "--quiet", "--file", str(path), **order)

    def run_program(self, jobs: list[dict[str, Any]], *, commits: bool, **order: Any) -> Running:
        """Run a program that enqueues in a transaction of its own."""
        return self.run("statement", jobs=jobs, commits=commits, stdout=self.acknowledged_path, **order)

    def acknowledge(self, id_: str) -> None:
        """Note what a process was told in another way than by its output."""
        with self.acknowledged_path.open("a") as file:
            file.write(f"{id_}\n")

    def _mind_command(self, running: Running) -> None:
        code = running.launcher.code(running.pid)
        if code is not None:
            running.code = code
            self.running.remove(running)
            self._note_command(running, code)
        elif running.kill_at is not None and uptime() >= running.kill_at:
            running.kill_at = None
            running.expects_death = True
            running.launcher.strike(running.pid, signal.SIGKILL)
        elif uptime() - running.started > COMMAND_SECONDS:
            self._end_hung(running)

    def _end_hung(self, running: Running) -> None:
        """Let it say in its log where it hangs, and kill it."""
        if running.words:
            verb = " ".join(running.words)[:80]
            self.surprises.append(f"queuectl {verb} had not ended after {COMMAND_SECONDS:g} s: {running.log_path.name}")
        running.started = uptime()
        running.nemesis, running.expects_death = "hung", True
        running.launcher.strike(running.pid, signal.SIGUSR1)
        time.sleep(STACK_SECONDS)
        running.launcher.strike(running.pid, signal.SIGKILL)

    def _note_command(self, running: Running, code: int) -> None:
        if code == -signal.SIGKILL and running.expects_death:
            self.kills[running.nemesis] += 1

    def wait_for_commands(self) -> None:
        while self.running:
            self.mind()
            time.sleep(TURN_SECONDS)

    def finish(self, running: Running) -> int:
        """Wait for the end of a command, and return its exit code."""
        while running.code is None:
            self.mind()
            time.sleep(TURN_SECONDS)
        return running.code

    def gather(self) -> None:
        """Fill the places for supervisors; where there are two launchers, each gets some."""
        self.members = [
            Member(launcher=self.launchers[number % len(self.launchers)], number=number)
            for number in range(SUPERVISORS)
        ]
        for member in self.members:
            self.start_supervisor(member)

    # The end.

    def thaw(self) -> None:
        """Let everything run that was made to stand still."""
        for member in self.members:
            if member.pid is not None and member.frozen_since is not None:
                self.note("frozen", member.pid, since=member.frozen_since, launcher=member.launcher)
                member.frozen_since = None
        for launcher in self.launchers:
            launcher.thaw()  # those whose supervisor was killed meanwhile, too

    @property
    def is_complete(self) -> bool:
        """Whether every supervisor is there and listens."""
        return all(member.pid is not None and READY in self._out(member).read_text() for member in self.members)

    def stop(self) -> None:
        """Ask all supervisors to stop, and see that they do. They must be listening by then."""
        for member in self.members:
            if member.pid is not None:
                member.launcher.strike(member.pid, signal.SIGTERM)
        for member in self.members:
            if member.pid is not None:
                code = member.launcher.wait(member.pid, seconds=STOP_SECONDS)
                if code not in ((0, 1) if self.theme == "silence" else (0,)):  # half-open connections outlast its grace
                    self.surprises.append(f"supervisor {self._out(member).name} stopped with {code}")
                member.pid = None

    def tracebacks(self) -> list[str]:
        """Return the tracebacks in the logs, each by its last line, that are not those of jobs that had to fail."""
        found: Counter[str] = Counter()
        for path in self.folder.glob("*.log"):
            ends = TRACEBACK.findall(path.read_text(errors="replace"))
            found.update(
                f"{path.name.rpartition('-')[0]}: {end}" for end in ends if not any(own in end for own in EXPECTED)
            )
        return [f"a traceback, {count} times, of a {end}"[:500] for end, count in found.items()]

    def close(self) -> None:
        for launcher in self.launchers:
            launcher.close()
        if self.proxy is not None:
            self.proxy.refuse()
        if self.machine is not None:
            self.machine.join()
        self.site.close()
        if self.disk is not None:
            self.disk.remove()


def build(store: Store, *, theme: str, folder: Path) -> Arena:
    """Make the site of a round, with its launchers ready."""
    home = folder / "home"
    home.mkdir()
    disk = SmallDisk(home, size_bytes=DISK_BYTES) if theme == "disk" and may_mount() else None
    database = store.make(home)
    site = Site(home, database, **ENVIRONMENT)
    arena = Arena(store=store, site=site, theme=theme, folder=folder, disk=disk)
    site.ledger.unlink()
    site.ledger = folder / "ledger"  # not on a disk that gets full
    site.ledger.touch()
    site.environment["LEDGER"] = str(site.ledger)
    arena.acknowledged_path.touch()
    _connect(arena)
    arena.launchers = [Launcher(name, **spec) for name, spec in _launchers(arena).items()]
    for launcher in arena.launchers:
        launcher.wait_until_ready()
    return arena


def _connect(arena: Arena) -> None:
    """Put a proxy between the site and its server, where the theme is about that."""
    server = arena.store.server
    if server is None or arena.theme not in ("proxy", "silence"):
        return
    arena.proxy = Proxy(server.host, server.port)
    url = urlsplit(arena.site.environment["DATABASE_URL"])
    user = url.netloc.rpartition("@")[0]
    arena.site.environment["DATABASE_URL"] = url._replace(netloc=f"{user}@127.0.0.1:{arena.proxy.port}").geturl()


def _launchers(arena: Arena) -> dict[str, dict[str, Any]]:
    """Return how to start each launcher. The last one is for a share of the supervisors, where the theme wants that."""
    environment = arena.site.environment
    plain = {"environment": environment, "log_path": arena.folder / "launcher.err"}
    if arena.theme == "clock":
        arena.clock = WrongClock(arena.folder)
        wrong_clock = {**plain, "environment": environment | arena.clock.environment}
        # On SQLite all are on one machine, so all have its clock.
        return {"all": wrong_clock} if arena.store.name == "sqlite" else {"right": plain, "wrong": wrong_clock}
    if arena.theme == "cut" and arena.store.network is not None:
        arena.machine = _machine(arena.store)
        alone = ("unshare", "--uts", "--pid", "--fork", "--mount-proc", "--kill-child")
        within = ("ip", "netns", "exec", arena.machine.namespace, *alone, "/bin/sh", "-c", BOOT, arena.machine.host)
        return {"here": plain, "there": {**plain, "within": within}}
    return {"all": plain}


def _machine(store: Store) -> Machine:
    assert store.network is not None
    return store.network.machines[0] if store.network.machines else store.network.machine("there")
