"""Counting the first rows of each partial index by queue and state, on every database with the same statement.

The ORM cannot group the rows of a limited subquery; fetching them to group them here takes five times as long.
"""

from collections.abc import Iterator

from django.db.backends.base.base import BaseDatabaseWrapper

from jobs.sql.conditions import DEFERRED, DONE

GROUPED = """
SELECT queue, state, COUNT(*)
  FROM (SELECT queue, state FROM jobs_job {hint} WHERE {condition} ORDER BY {order} LIMIT %s) AS counted
 GROUP BY queue, state
"""

# Each partial index but the pending one, which begins with the queue: its name, its condition and its order.
POOLS = (
    ("jobs_job_deferred", DEFERRED.text, "run_at"),
    ("jobs_job_processing", lambda _: "state = 'processing'", "supervisor_id, id"),
    ("jobs_job_done", DONE.text, "finished_at DESC, id DESC"),
    ("jobs_job_dead", lambda _: "state = 'dead'", "finished_at DESC, id DESC"),
)


def pools(connection: BaseDatabaseWrapper, *, limit: int) -> Iterator[list[tuple[str, str, int]]]:
    """Yield for each pool queue, state and number of its first jobs, at most `limit` in all."""
    with connection.cursor() as cursor:
        for index, condition, order in POOLS:
            # MariaDB takes a limit of thousands for a reason to read and sort the whole table.
            is_hinted = connection.vendor == "mysql" and index != "jobs_job_processing"
            hint = f"FORCE INDEX ({index})" if is_hinted else ""
            statement = GROUPED.format(hint=hint, condition=condition(connection.vendor), order=order)
            cursor.execute(statement, [limit])
            yield cursor.fetchall()
