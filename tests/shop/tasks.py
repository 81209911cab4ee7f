"""What the admin offers of this app, and what it must not."""

from jobs.tasks import task
from jobs.tasks.commands import manage  # noqa: F401 - never offered: its argument is code
from tests.tasks.samples import add  # noqa: F401 - a task of another module, which is offered with its own path


@task(queue_name="mail", max_retries=5, timeout=30, takes_context=True)
def send_receipt(context, order_id: int, *, copy_to: str | None = None):
    """Mail the receipt of an order.

    A second line.
    """


urgent = send_receipt.using(priority=50)  # no task of its own: a worker finds the one above


def no_task():
    """Not decorated."""


hidden = task(no_task)  # no worker finds it: at its path there is the function
