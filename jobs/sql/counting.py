"""Counting the first rows of each partial index by queue and state. The same text for every database.

The ORM cannot group the rows of a limited subquery; fetching them to group them here takes five times as long.
"""

from collections.abc import Iterator

from django.db.backends.base.base import BaseDatabaseWrapper

GROUPED = """
SELECT queue, state, COUNT(*)
  FROM (SELECT queue, state FROM jobs_job WHERE {condition} ORDER BY {order} LIMIT %s) AS counted
 GROUP BY queue, state
"""

# The condition and the order of each partial index but the pending one, which begins with the queue.
POOLS = (
    ("state IN ('failed', 'scheduled')", "run_at"),
    ("state = 'processing'", "supervisor_id, id"),
    ("state IN ('cancelled', 'completed')", "finished_at DESC, id DESC"),
    ("state = 'dead'", "finished_at DESC, id DESC"),
)


def pools(connection: BaseDatabaseWrapper, *, limit: int) -> Iterator[list[tuple[str, str, int]]]:
    """Yield for each pool queue, state and number of its first jobs, at most `limit` in all."""
    with connection.cursor() as cursor:
        for condition, order in POOLS:
            cursor.execute(GROUPED.format(condition=condition, order=order), [limit])
            yield cursor.fetchall()
