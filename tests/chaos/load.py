"""The load of a round, made from its seed: what jobs there are, who enqueues them when, what must become of each.

Every job bears witness: it writes a line into the ledger when it starts, now and then while it runs, and when it ends.
"""

import random
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

PATIENT_RETRIES = 60  # more than the kills that one job meets: those that can succeed will
BRIEF_QUEUE = "brief"  # what is completed there may be pruned at once
QUEUES = ("default", "default", "other", BRIEF_QUEUE)
BACKOFF_MAX_SECONDS = 0.4

# One write for each line, and no process: the shell reads the time since the boot by itself.
WITNESS = (
    'm() { read now idle < /proc/uptime; echo "$1 $QUEUECTL_JOB_ID $QUEUECTL_ATTEMPT $QUEUECTL_FENCE'
    ' $QUEUECTL_SUPERVISOR $$ $now" >> "$LEDGER"; }; m S; '
)
TASKS = "tests.chaos.tasks"


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """One job as `enqueue` takes it, and what it promises."""

    fields: dict[str, Any]
    can_complete: bool = True
    may_be_cancelled: bool = False
    is_rolled_back: bool = False

    @property
    def id(self) -> str:
        return str(self.fields["id"])

    @property
    def queue(self) -> str:
        return str(self.fields["queue"])

    @property
    def attempts_max(self) -> int:
        return int(self.fields["max_retries"]) + 1

    def backoff_seconds(self, attempt: int) -> float:
        """Return the least wait after failed attempt number `attempt`."""
        return min(float(self.fields["backoff_base"]) ** attempt, float(self.fields["backoff_max"]))


@dataclass(frozen=True, slots=True, kw_only=True)
class Batch:
    """What one enqueuing process stores. `way` is json, file, commit or rollback.

    `kill_after` is when it is killed, in seconds; `die_at` the database statement that it does not survive, `is_after`
    whether it has made that one.
    """

    at: float
    way: str
    jobs: tuple[Job, ...]
    kill_after: float | None = None
    die_at: int | None = None
    is_after: bool = False


def _shell(command: str) -> dict[str, Any]:
    return {"command": WITNESS + command}


def _task(name: str, **kwargs: Any) -> dict[str, Any]:
    return {"task": f"{TASKS}.{name}", "kwargs": kwargs}


def _slow(chance: random.Random) -> dict[str, Any]:
    looks = " ".join(map(str, range(chance.randint(3, 15))))
    return _shell(f"for i in {looks}; do sleep 0.1; m T; done; m E")


def _flaky(chance: random.Random) -> dict[str, Any]:
    return _shell(f"[ $QUEUECTL_ATTEMPT -gt {chance.randint(1, 4)} ] || {{ m F; exit 1; }}; m E")


Maker = Callable[[random.Random], dict[str, Any]]

CAN_COMPLETE: list[tuple[int, Maker]] = [
    (8, lambda _: _shell("m E")),
    (4, lambda chance: _shell(f"sleep 0.{chance.randint(1, 9)}; m E")),
    (4, _slow),
    (4, _flaky),
    (1, lambda _: _shell("[ $QUEUECTL_FENCE -gt 2 ] || { m F; exit 75; }; m E")),
    (2, lambda _: _shell("head -c 300000 /dev/zero; m E")),
    (1, lambda _: _shell("setsid sleep 300 & (setsid sh -c 'sleep 301 & exec sleep 302' &); m E")),
    (3, lambda _: _task("quick")),
    (2, lambda chance: _task("flaky", failures=chance.randint(1, 3))),
    (2, lambda chance: _task("slow", looks=chance.randint(2, 12))),
]
CANNOT: list[tuple[int, Maker]] = [
    (3, lambda _: _shell("m F; exit 1") | {"max_retries": 2}),
    (1, lambda _: _shell("m F; exit 100")),
    (1, lambda _: _shell("sleep 60; m E") | {"timeout": 0.4, "max_retries": 1}),
    (1, lambda _: _shell("kill -9 $PPID; sleep 60; m E") | {"max_retries": 2}),
    (1, lambda _: _task("fail") | {"max_retries": 1}),
    (1, lambda _: _task("crash") | {"max_retries": 1}),
]
CANCELLED_SHARE, CANNOT_SHARE = 0.04, 0.15


def job(id_: str, chance: random.Random, *, environment: dict[str, str], is_rolled_back: bool = False) -> Job:
    """Return a job of any sort."""
    can_complete = chance.random() > CANNOT_SHARE
    makers = CAN_COMPLETE if can_complete else CANNOT
    (make,) = chance.choices([maker for _, maker in makers], [weight for weight, _ in makers])
    fields = {
        "id": id_,
        "queue": chance.choice(QUEUES),
        "priority": chance.choice((0, 0, 0, -5, 5, 50)),
        "max_retries": PATIENT_RETRIES,
        "backoff_base": chance.choice((0.3, 0.6, 1.5)),
        "backoff_max": BACKOFF_MAX_SECONDS,
        **({"delay": round(chance.uniform(0, 2), 2)} if chance.random() < 0.15 else {}),
        **make(chance),
    }
    if "command" in fields:
        fields["env"] = environment
    may_be_cancelled = not is_rolled_back and chance.random() < CANCELLED_SHARE
    return Job(
        fields=fields, can_complete=can_complete, may_be_cancelled=may_be_cancelled, is_rolled_back=is_rolled_back
    )


WAYS = {"json": 5, "file": 2, "commit": 3, "rollback": 1}
SIZES = {"json": (1, 1), "file": (4, 12), "commit": (2, 6), "rollback": (1, 4)}
KILLED_SHARE, DYING_SHARE = 0.15, 0.4
KILLED_WITHIN_SECONDS = 0.15
STATEMENTS_MAX = 9  # what enqueuing takes


def batches(chance: random.Random, *, seconds: float, rate: float, environment: dict[str, str]) -> list[Batch]:
    """Return what is enqueued in that time, `rate` batches a second."""
    made = []
    for number in range(int(seconds * rate)):
        (way,) = chance.choices(list(WAYS), list(WAYS.values()))
        jobs = tuple(
            job(f"{way}{number}-{place}", chance, environment=environment, is_rolled_back=way == "rollback")
            for place in range(chance.randint(*SIZES[way]))
        )
        end, n, is_after = chance.random(), chance.randint(1, STATEMENTS_MAX), chance.random() < 0.5
        kill_after = chance.uniform(0, KILLED_WITHIN_SECONDS)
        made.append(
            Batch(
                at=number / rate,
                way=way,
                jobs=jobs,
                kill_after=kill_after if end < KILLED_SHARE else None,
                die_at=n if KILLED_SHARE <= end < KILLED_SHARE + DYING_SHARE else None,
                is_after=is_after,
            )
        )
    return made
