"""One file for each system. To add one, add a file; nothing else has to be told.

Its head is inline script metadata (PEP 723), which the harness reads without importing the file: `dependencies` are
pinned to a minor version, and `[tool.benchmark]` has its `name`, its `settings` as they are printed, and `stores`, each
with what it needs there beyond the dependencies. `[tool.benchmark.django]` has settings of a Django project.

The rest runs in an environment of the system's own, in a process that knows BENCH_STORE, BENCH_URL and BENCH_MARKS. It
declares the work, which calls `mark(number)` and does nothing else, and these functions:

    prepare()               make the schema in an empty place
    enqueue(number)         enqueue one job; return when it is as safe as the system makes it
    enqueue_many(numbers)   enqueue many at once; leave it out if the system has no way to
    completed()             how many jobs the store says have succeeded; leave it out if the store does not say
    workers()               the commands of its worker processes, which together run two jobs at a time or more
"""
