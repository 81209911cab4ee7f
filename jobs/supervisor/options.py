"""What `worker start` was told."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """`queues` of None: all. Limits of None: none. `recycle_…` replace a worker, between jobs, past that many."""

    worker_count: int = 1
    thread_count: int = 1
    queues: tuple[str, ...] | None = None
    drain: bool = False
    max_jobs: int | None = None
    grace_seconds: float = 30.0
    recycle_jobs: int | None = None
    recycle_mb: int | None = None
    reload: bool = False
