from pathlib import Path

import overseer
from django.tasks import task


@overseer.task(retries=2, backoff="constant", backoff_base=0, jitter=False)
def charge(order: int, *, flag: str) -> str:
    """Fail as long as the file `flag` is not there."""
    if not Path(flag).exists():
        Path(flag).touch()
        raise RuntimeError("card declined")
    return f"charged {order}"


@overseer.task(retries=1, backoff="constant", backoff_base=0, jitter=False)
def refuse() -> None:
    raise RuntimeError("never works")


@overseer.task(unique=True, queue_name="emails")
def send_receipt(address: str) -> str:
    return address


@overseer.schedule(every=1)
@task
def heartbeat() -> str:
    return "alive"
