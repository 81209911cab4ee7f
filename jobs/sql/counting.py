"""Counting the first rows of each partial index by queue and state, on every database with the same statement.

The ORM cannot group the rows of a limited subquery; fetching them to group them here takes five times as long.
"""

from collections.abc import Iterator

from django.db.backends.base.base import BaseDatabaseWrapper

from jobs.sql.conditions import DEFERRED, DONE
from jobs.states import State

GROUPED = """
SELECT queue, state, COUNT(*)
  FROM (SELECT queue, state FROM jobs_job {hint} WHERE {condition} ORDER BY {order} LIMIT %s) AS counted
 GROUP BY queue, state
"""

# Each partial index but the pending one, which begins with the queue: name, states, the condition for them, order.
POOLS = (
    ("jobs_job_deferred", {State.FAILED, State.SCHEDULED}, DEFERRED.text, "run_at"),
    ("jobs_job_processing", {State.PROCESSING}, lambda _: "state = 'processing'", "supervisor_id, id"),
    ("jobs_job_done", {State.CANCELLED, State.COMPLETED}, DONE.text, "finished_at DESC, id DESC"),
    ("jobs_job_dead", {State.DEAD}, lambda _: "state = 'dead'", "finished_at DESC, id DESC"),
)


def pools(connection: BaseDatabaseWrapper, *, limit: int) -> Iterator[tuple[set[State], list[tuple[str, str, int]]]]:
    """Yield each pool's states, and queue, state and number of its first jobs, at most `limit` in all."""
    with connection.cursor() as cursor:
        for index, states, condition, order in POOLS:
            # MariaDB takes a limit of thousands for a reason to read and sort the whole table.
            is_hinted = connection.vendor == "mysql" and index != "jobs_job_processing"
            hint = f"FORCE INDEX ({index})" if is_hinted else ""
            statement = GROUPED.format(hint=hint, condition=condition(connection.vendor), order=order)
            cursor.execute(statement, [limit])
            yield states, cursor.fetchall()
