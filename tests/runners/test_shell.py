"""One shell job, from its signature to the last process of its tree: real commands, real signals."""

import os
import select
import shlex
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from jobs import processes, signing
from jobs.outcome import Advice, Outcome, Output
from jobs.runners import Stop, shell
from jobs.states import Ending
from tests.runners import claims
from tests.runners.conftest import ActingWorker, Nap
from tests.waiting import wait_until


@pytest.fixture
def stop() -> Iterator[Stop]:
    stop = Stop()
    yield stop
    stop.close()


@pytest.fixture
def run(stop: Stop) -> Callable[..., Outcome]:
    def run(command: str, **fields: Any) -> Outcome:
        return shell.run(claims.signed(command, **fields), stop=stop, watch=lambda *_: None, grace_seconds=1.0)

    return run


def python(code: str) -> str:
    return shlex.join([sys.executable, "-c", code])


# How it ends


def test_it_completes_with_exit_code_0(run):
    outcome = run("echo hello; echo oops >&2")
    assert (outcome.ending, outcome.exit_code, outcome.error) == (Ending.COMPLETED, 0, None)
    assert outcome.output == Output(head="hello\noops\n")
    assert outcome.pid
    assert 0 < outcome.run_seconds < 5
    assert outcome.finished_at == outcome.started_at + timedelta(seconds=outcome.run_seconds)


@pytest.mark.parametrize(
    ("exit_code", "advice", "error"),
    [
        (1, Advice.RETRY, "exit code 1"),
        (75, Advice.LATER, "exit code 75: asked to be run again later"),
        (100, Advice.NEVER, "exit code 100: asked never to be run again"),
        (127, Advice.RETRY, "exit code 127"),
        (255, Advice.RETRY, "exit code 255"),
    ],
)
def test_it_fails_with_any_other_exit_code(run, exit_code: int, advice: Advice, error: str):
    outcome = run(f"exit {exit_code}")
    assert (outcome.ending, outcome.exit_code) == (Ending.FAILED, exit_code)
    assert (outcome.advice, outcome.error) == (advice, error)


@pytest.mark.parametrize(
    ("number", "error"),
    [(9, "killed by signal 9 (SIGKILL)"), (11, "killed by signal 11 (SIGSEGV)"), (40, "killed by signal 40")],
)
def test_it_fails_when_killed_by_a_signal(run, number: int, error: str):
    outcome = run(f"kill -{number} $$")
    assert (outcome.ending, outcome.exit_code, outcome.error) == (Ending.FAILED, -number, error)
    assert outcome.advice is Advice.RETRY


def test_it_runs_words_without_a_shell(run):
    assert run(shlex.join(["echo", "$HOME", "a b", "*"]), uses_shell=False).output.head == "$HOME a b *\n"


def test_it_runs_a_command_that_begins_with_a_dash(run):
    assert run("-x 2>/dev/null || echo ran").output.head == "ran\n"


@pytest.mark.parametrize(
    ("fields", "exit_code", "error"),
    [
        ({"command": "/no/such/thing"}, 127, "cannot start '/no/such/thing': No such file or directory"),
        ({"command": "no-such-thing"}, 127, "cannot start 'no-such-thing': No such file or directory"),
        ({"command": "/etc/passwd"}, 126, "cannot start '/etc/passwd': Permission denied"),
        ({"command": "true", "cwd": "/no/such"}, 126, "cannot start in '/no/such': No such file or directory"),
        ({"command": "true", "cwd": "/etc/passwd"}, 126, "cannot start in '/etc/passwd': Not a directory"),
        ({"command": "true " + "x" * 200_000}, 126, "cannot start 'true': Argument list too long"),
        ({"command": "true 'a\0b'"}, 126, "cannot start: embedded null byte"),
        ({"command": "true '"}, 126, "cannot start: No closing quotation"),
        ({"command": " "}, 126, "cannot start: the command is empty"),
        ({"command": "true", "env": {"A=B": "c"}}, 126, "cannot start: illegal environment variable name"),
    ],
)
def test_it_says_why_a_command_cannot_start(run, fields: dict[str, Any], exit_code: int, error: str):
    outcome = run(**fields, uses_shell=False)
    assert (outcome.ending, outcome.advice) == (Ending.FAILED, Advice.RETRY)
    assert (outcome.exit_code, outcome.error, outcome.pid) == (exit_code, error, None)


def test_it_says_in_one_line_that_a_command_is_no_unicode(run):
    error = run("echo \ud800").error
    assert error is not None
    assert error.startswith("cannot start: ")
    assert "\n" not in error


def test_it_leaks_no_descriptor(run):
    run("true")
    before = len(list(Path("/proc/self/fd").iterdir()))
    for command in ("true", "/no/such/thing", "true '"):
        run(command, uses_shell=False)
    assert len(list(Path("/proc/self/fd").iterdir())) == before


@pytest.mark.parametrize("change", [{"signature": None}, {"signature": "x"}])
def test_it_never_runs_what_was_not_signed(run, tmp_path: Path, change: dict[str, Any]):
    outcome = run(f"touch {tmp_path}/ran", **change)
    assert (outcome.ending, outcome.advice, outcome.error) == (Ending.FAILED, Advice.NEVER, signing.MISMATCH)
    assert not (tmp_path / "ran").exists()


def test_it_works_without_pidfds(run, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(os, "pidfd_open", None)
    monkeypatch.delattr(os, "pidfd_open")
    assert run("echo a; exit 3").error == "exit code 3"
    assert run("exec >&- 2>&-; sleep 0.1").ending is Ending.COMPLETED
    assert run("sleep 60", timeout_seconds=0.1).ending is Ending.TIMED_OUT


# What it sees (P16)


def test_it_sees_only_what_it_needs(run, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("SECRET_KEY", "s")
    monkeypatch.setenv("DATABASE_URL", "d")
    monkeypatch.setenv("LC_TIME", "C")
    monkeypatch.setenv("QUEUECTL_SUPERVISOR", "sup")
    own = {"COLOUR": "red", "PATH": "/bin:/usr/bin", "QUEUECTL_FENCE": "0", "QUEUECTL_OTHER": "1"}
    lines = run("env", uses_shell=False, env=own).output.head.splitlines()
    seen = dict(line.split("=", 1) for line in lines)
    assert seen["COLOUR"] == "red"
    assert seen["PATH"] == "/bin:/usr/bin"
    assert seen["LC_TIME"] == "C"
    queuectl = {name: value for name, value in seen.items() if name.startswith("QUEUECTL_")}
    assert queuectl == {
        "QUEUECTL_JOB_ID": "job1",
        "QUEUECTL_ATTEMPT": "2",
        "QUEUECTL_QUEUE": "letters",
        "QUEUECTL_FENCE": "7",
        "QUEUECTL_SUPERVISOR": "sup",
    }
    others = {name for name in seen if name not in queuectl and not name.startswith("LC_")}
    assert others <= {"COLOUR", "PATH", "HOME", "LANG", "TZ", "USER", "LOGNAME", "SHELL", "TMPDIR"}


def test_it_has_an_empty_stdin(run):
    assert run("readlink /proc/self/fd/0; cat").output.head == "/dev/null\n"


def test_it_inherits_no_descriptor(run):
    read_fd, write_fd = os.pipe()
    os.set_inheritable(read_fd, True)
    os.set_inheritable(write_fd, True)
    outcome = run(python("import os; print([fd for fd in range(3000) if os.path.exists(f'/proc/self/fd/{fd}')])"))
    os.close(read_fd)
    os.close(write_fd)
    assert outcome.output.head == "[0, 1, 2]\n"


def test_it_has_a_session_and_a_group_of_its_own(run):
    outcome = run(python("import os; print(os.getsid(0), os.getpgid(0), os.getpid())"), uses_shell=False)
    assert outcome.output.head.split() == [str(outcome.pid)] * 3


def test_it_runs_where_it_was_told_to(run, tmp_path: Path):
    assert run("pwd", cwd=str(tmp_path)).output.head == f"{tmp_path}\n"


# What it prints (P14, P15)


def test_it_takes_all_bytes(run):
    head = run(python("import os; os.write(1, bytes(range(256)) + b'\\xed\\xa0\\x80\\x1b[31m')")).output.head
    assert head.startswith("␀\x01")
    assert head.endswith("\x1b[31m")
    head.encode()


def test_it_keeps_what_was_printed_last_before_the_exit(run):
    outcome = run("head -c 60000 /dev/zero | tr '\\0' x; echo; echo end")
    assert outcome.output.head.endswith("x\nend\n")


@pytest.mark.parametrize("command", ["head -c 1000000000 /dev/zero", "head -c 1000000000 /dev/zero | tr '\\0' x >&2"])
def test_it_takes_a_gigabyte_in_fixed_memory(worker: ActingWorker, command: str):
    report = worker.run(f"{command}; exit 3")
    assert report.outcome.exit_code == 3
    assert report.outcome.output.dropped_bytes == 1_000_000_000 - 2 * 65_536
    assert len(report.outcome.output.head) == len(report.outcome.output.tail) == 65_536
    assert report.grown_bytes < 32 * 1024 * 1024
    assert report.outcome.run_seconds < 30


def test_it_shows_what_a_running_job_prints(worker: ActingWorker):
    report = worker.run("echo one; sleep 0.5; echo two; sleep 1.5")
    pid = report.outcome.pid
    assert report.shown == [[[pid, "one\n"], [pid, "one\ntwo\n"]]]


def test_it_shows_the_pid_of_a_silent_job_once(worker: ActingWorker):
    report = worker.run("sleep 1.5")
    assert report.shown == [[[report.outcome.pid, ""]]]


def test_it_ends_the_command_when_the_watch_fails(stop: Stop, nap: Nap):
    def broken(pid: int, output: Output) -> None:
        raise RuntimeError("no")

    with pytest.raises(RuntimeError):
        shell.run(claims.signed(str(nap)), stop=stop, watch=broken, grace_seconds=1.0)
    wait_until(lambda: not nap.sleepers)


# What it leaves behind (P12)


LEFTOVERS = {
    "a background process": "{nap} &",
    "one with its own session": "setsid {nap} &",
    "a daemon": "(setsid sh -c '{nap} >/dev/null 2>&1 </dev/null &' &)",
    "one without a marker": "env -i setsid {nap} &",
    "a daemon that ignores TERM": "trap '' TERM; setsid sh -c '{nap} & wait' &",
    "a stopped one": "{nap} & kill -STOP $!",
    "a stopped one that ignores TERM": "trap '' TERM; setsid {nap} & sleep 0.05; kill -STOP $!",
    "a whole tree": "for i in 1 2 3; do setsid sh -c '{nap} & {nap} & wait' & done",
}


@pytest.mark.parametrize("command", LEFTOVERS.values(), ids=LEFTOVERS.keys())
def test_it_ends_what_a_command_left_running(worker: ActingWorker, nap: Nap, command: str):
    report = worker.run(command.format(nap=nap) + "\necho done")
    assert (report.outcome.ending, report.outcome.output.head) == (Ending.COMPLETED, "done\n")
    assert not nap.sleepers
    assert not report.has_children
    assert report.outcome.run_seconds < 1


def test_it_does_not_wait_for_a_pipe_that_a_leftover_holds(worker: ActingWorker, nap: Nap):
    started = time.monotonic()
    report = worker.run(f"trap '' TERM; {nap} & exit 4")
    assert report.outcome.exit_code == 4
    assert time.monotonic() - started < 5
    assert not nap.sleepers


def test_it_reads_what_a_leftover_prints_when_it_is_ended(worker: ActingWorker):
    command = "setsid sh -c 'trap \"echo bye; exit\" TERM; echo up; while :; do sleep 0.05; done' & sleep 0.3"
    head = worker.run(command).outcome.output.head
    assert head.startswith("up\n")
    assert head.endswith("bye\n")


def test_it_waits_for_a_command_that_closed_its_output(run):
    outcome = run("exec >&- 2>&-; sleep 0.3; exit 5")
    assert outcome.exit_code == 5
    assert outcome.run_seconds >= 0.3


def test_it_reaps_what_a_running_command_orphaned(worker: ActingWorker, tmp_path: Path):
    worker.start({"command": f"for i in 1 2 3 4 5; do (true & ); done; touch {tmp_path}/up; sleep 60"})
    wait_until((tmp_path / "up").exists)
    wait_until(lambda: len(_children(worker.process.pid)) == 1)
    worker.cancel()
    assert worker.report().outcome.ending is Ending.CANCELLED


def _children(pid: int) -> list[str]:
    return [child for file in Path(f"/proc/{pid}/task").glob("*/children") for child in file.read_text().split()]


# Ending it early (P13)


STUBBORN = {
    "plain": "{nap}",
    "a child below a shell": "{nap}; true",
    "ignores TERM": "trap '' TERM; {nap}; {nap}",
    "stopped": "kill -STOP $$; {nap}",
    "stopped and ignores TERM": "trap '' TERM; kill -STOP $$; {nap}",
    "exits while a grandchild holds the pipe": "(trap '' TERM; {nap}) & {nap}",
    "sessions": "trap '' TERM; setsid {nap} & (setsid setsid {nap} &) ; {nap}",
    "orphans that lost their marker": "(env -i setsid sh -c \"trap '' TERM; {nap}; {nap}\" &); {nap}",
    "its own cleaning": "trap 'setsid {nap} & exit 0' TERM; {nap} & wait",
}


@pytest.mark.parametrize("command", STUBBORN.values(), ids=STUBBORN.keys())
def test_it_times_out_with_all_its_tree(worker: ActingWorker, nap: Nap, command: str):
    report = worker.start({"command": command.format(nap=nap), "timeout_seconds": 0.5}, grace_seconds=0.5).report()
    assert (report.outcome.ending, report.outcome.error) == (Ending.TIMED_OUT, "timed out after 0.5 s")
    assert report.outcome.run_seconds < 0.5 + 0.5 + 2
    assert not nap.sleepers
    assert not report.has_children


@pytest.mark.parametrize("command", ["yes", "yes & yes & yes", "trap '' TERM; yes"])
def test_it_times_out_while_it_prints(worker: ActingWorker, command: str):
    report = worker.start({"command": command, "timeout_seconds": 0.5}, grace_seconds=0.5).report()
    assert report.outcome.ending is Ending.TIMED_OUT
    assert report.outcome.run_seconds < 0.5 + 0.5 + 2
    assert not report.has_children


HOPPER = """
import os, signal, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
os.setsid()
end = time.monotonic() + 20
while time.monotonic() < end:
    if os.fork():
        os._exit(0)
"""


def test_it_catches_a_process_that_forks_and_exits_all_the_time(worker: ActingWorker):
    command = f"{python(HOPPER)} & sleep 60"
    report = worker.start({"command": command, "timeout_seconds": 0.5}, grace_seconds=0.2).report()
    assert report.outcome.ending is Ending.TIMED_OUT
    assert report.outcome.run_seconds < 3
    assert not report.has_children


def test_it_catches_many_processes_that_fork_all_the_time(worker: ActingWorker, nap: Nap):
    bomb = f"trap '' TERM; while :; do setsid sh -c '{nap}' & sleep 0.005; done"
    report = worker.start({"command": bomb, "timeout_seconds": 0.5}, grace_seconds=0.2).report()
    assert report.outcome.ending is Ending.TIMED_OUT
    assert not nap.sleepers
    assert not report.has_children


@pytest.mark.parametrize(
    ("ask", "ending"), [(ActingWorker.cancel, Ending.CANCELLED), (ActingWorker.release, Ending.RELEASED)]
)
def test_it_ends_when_asked_to(worker: ActingWorker, nap: Nap, ask: Callable[[ActingWorker], None], ending: Ending):
    worker.start({"command": f"setsid {nap} & {nap}; true"})
    wait_until(lambda: len(nap.sleepers) >= 3)
    ask(worker)
    report = worker.report()
    assert (report.outcome.ending, report.outcome.error) == (ending, None)
    assert report.outcome.exit_code == -signal.SIGTERM
    assert not nap.sleepers


def test_it_gives_a_command_its_grace_time(worker: ActingWorker, tmp_path: Path):
    trap = "trap 'sleep 0.3; echo saved; exit 0' TERM"
    worker.start({"command": f"{trap}; touch {tmp_path}/up; while :; do sleep 0.05; done"})
    wait_until((tmp_path / "up").exists)
    worker.cancel()
    outcome = worker.report().outcome
    assert (outcome.ending, outcome.exit_code) == (Ending.CANCELLED, 0)
    assert outcome.output.head.endswith("saved\n")


def test_it_does_not_start_what_was_already_asked_to_end(run, stop: Stop, tmp_path: Path):
    stop.ask(Ending.RELEASED)
    assert run(f"touch {tmp_path}/ran").ending is Ending.RELEASED
    assert not (tmp_path / "ran").exists()


def test_it_completes_when_it_was_done_before_anyone_asked(run, stop: Stop, monkeypatch: pytest.MonkeyPatch):
    start = processes.start

    def start_and_finish(*args: Any, **kwargs: Any) -> Any:
        process = start(*args, **kwargs)
        os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
        stop.ask(Ending.CANCELLED)
        return process

    monkeypatch.setattr(processes, "start", start_and_finish)
    assert run("echo done").ending is Ending.COMPLETED


# Several at once


def test_it_ends_only_its_own_when_two_run_at_once(worker: ActingWorker, nap: Nap, tmp_path: Path):
    daemon = f"(setsid sh -c 'echo $$ > $QUEUECTL_JOB_ID.pid; exec {nap}' &)"
    first = f"{daemon}; while ! test -s first.pid -a -s second.pid; do sleep 0.02; done; touch over"
    second = f"{daemon}; while ! test -e go; do sleep 0.02; done; kill -0 $(cat second.pid) && echo alive"
    jobs = [{"id": "first", "command": first}, {"id": "second", "command": second}]
    worker.start(*({"cwd": str(tmp_path)} | job for job in jobs))
    wait_until((tmp_path / "over").exists)
    wait_until(lambda: not Path(f"/proc/{(tmp_path / 'first.pid').read_text().strip()}").exists())
    (tmp_path / "go").touch()
    report = worker.report()
    assert [outcome.ending for outcome in report.outcomes] == [Ending.COMPLETED, Ending.COMPLETED]
    assert report.outcomes[1].output.head == "alive\n"
    assert not nap.sleepers
    assert not report.has_children


def test_it_keeps_many_at_once_apart(worker: ActingWorker, nap: Nap):
    jobs = [{"id": f"job{n}", "command": f"(setsid {nap} &); sleep 0.{n}; exit {n}"} for n in range(1, 9)]
    report = worker.start(*jobs).report()
    assert [outcome.exit_code for outcome in report.outcomes] == list(range(1, 9))
    assert not nap.sleepers
    assert not report.has_children


def test_it_starts_hundreds_from_several_threads_and_loses_none():
    endings: list[Ending] = []

    def work() -> None:
        stop = Stop()
        for number in range(50):
            claim = claims.signed(f"exit {number % 2}")
            endings.append(shell.run(claim, stop=stop, watch=lambda *_: None, grace_seconds=1.0).ending)
        stop.close()

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(endings) == [Ending.COMPLETED] * 100 + [Ending.FAILED] * 100


# Stop


def test_it_can_be_asked_again_after_it_was_cleared(stop: Stop):
    stop.ask(Ending.CANCELLED)
    stop.ask(Ending.RELEASED)
    first = stop.ending
    stop.clear()
    assert (first, stop.ending) == (Ending.CANCELLED, None)
    assert not _is_readable(stop)
    stop.ask(Ending.RELEASED)
    assert stop.ending is Ending.RELEASED
    assert _is_readable(stop)


def _is_readable(stop: Stop) -> bool:
    return bool(select.select([stop], [], [], 0)[0])


def test_it_cannot_be_asked_once_it_is_closed(stop: Stop):
    stop.close()
    stop.ask(Ending.CANCELLED)
    assert stop.ending is None
