"""A run of the benchmarks as it is kept, with a figure of each kind and one that was refused."""

from benchmarks.results import Key, Results

ABOUT = {
    "date": "2026-01-02T03:04:05+00:00",
    "commit": "0123abc",
    "machine": {"cpu": "A processor", "cores": 2, "memory_gb": 24, "kernel": "6.1", "python": "3.13.0"},
    "options": {"rounds": 3},
}


def run() -> Results:
    found = Results(
        about=ABOUT,
        stores={"sqlite": "SQLite 3.40"},
        systems={"queuectl": {"version": "1.0", "settings": ["--count 2"]}, "huey": {"version": "3.5", "settings": []}},
    )
    for value in (900.0, 1_000.0, 5_000.0):
        found.add(Key("drain", "huey", "sqlite"), value)
    found.add(Key("drain", "queuectl", "sqlite"), 4_000.0)
    found.add(Key("raw_turn", "raw", "sqlite", "100"), 16_000.0)
    found.add(Key("enqueue", "queuectl", "sqlite"), 500.0)
    found.add(Key("raw_insert", "raw", "sqlite", "1"), 1_000.0)
    found.add(Key("pickup_p50", "queuectl", "sqlite"), 3.21)
    found.add(Key("pickup_p99", "queuectl", "sqlite"), 7.5)
    found.add(Key("idle_cpu", "queuectl", "sqlite"), 0.4)
    found.add(Key("shell", "queuectl", "sqlite"), 1_500.0)
    found.add(Key("shell", "xargs", ""), 3_000.0)
    found.add(Key("growth_turn", "queuectl", "sqlite", "empty"), 2.0)
    found.add(Key("growth_turn", "queuectl", "sqlite", "1000000 pending"), 2.2)
    found.add(Key("drain", "rq", "redis"), 100.0)
    found.add(Key("enqueue", "rq", "redis"), 200.0)
    found.refuse(Key("drain", "rq", "redis"), "of 9 jobs 1 did not run")
    return found
