"""A day of a shop: something of everything that a page of the admin can show, as of now.

The tests of the browser and the pictures in the documentation look at it.
"""

import math
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

from django.utils import timezone

from jobs import histogram, queue
from jobs.models import Attempt, Counter, Depth, Job, Supervisor
from jobs.states import Ending, Kind, State
from tests.factories import make_job, make_supervisor

DAY_MINUTES = 24 * 60
# Jobs a minute at noon, how many of a thousand fail and die, and seconds waited and run (each at the median).
QUEUES = {
    "default": (46, 12, 0, 0.02, 0.4),
    "mail": (110, 21, 0, 0.05, 0.25),
    "reports": (3, 40, 1, 1.4, 28.0),
    "images": (18, 6, 0, 0.3, 3.0),
}
TRACEBACK = """Traceback (most recent call last):
  File "/srv/shop/reports/tasks.py", line 41, in monthly_report
    rows = ledger.rows(month=month)
  File "/srv/shop/ledger/client.py", line 118, in rows
    raise LedgerUnavailable(f"{response.status} from the ledger")
shop.ledger.LedgerUnavailable: 503 from the ledger
"""
BACKUP_OUTPUT = "".join(
    f"2026-11-24 02:{minute:02d}:00  {name:<12} {size:>9,} rows  ok\n"
    for minute, name, size in (
        (0, "customers", 48_211), (3, "orders", 1_204_871), (19, "order_lines", 5_118_402), (41, "payments", 1_190_003),
    )
)  # fmt: skip

# The pages, by name: where they are. The ids are those of the jobs below.
PAGES = {
    "dashboard": "dashboard/",
    "dashboard-day": "dashboard/?window=24h",
    "jobs": "job/",
    "jobs-filtered": "job/?state=failed",
    "jobs-nothing": "job/?q=nothing-is-called-so",
    "job-running": "job/backup-2026-11-24/change/",
    "job-dead": "job/monthly-report-eu/change/",
    "job-waiting": "job/newsletter-4711/change/",
    "job-completed": "job/sitemap/change/",
    "job-history": "job/sitemap/history/",
    "job-settings": "job/newsletter-4711/settings/",
    "job-edit-and-requeue": "deadjob/monthly-report-eu/settings/",
    "enqueue": "job/enqueue/",
    "enqueue-command": "job/enqueue/command/backup/",
    "enqueue-task": "job/enqueue/task/tests.shop.tasks.send_5Freceipt/",
    "output": "job/monthly-report-eu/output/3/",
    "requeue": "job/requeue/?job=monthly-report-eu",
    "requeue-all": "deadjob/requeue/",
    "run-now": "job/run_now/?job=newsletter-4711",
    "cancel": "job/cancel/?job=newsletter-4711",
    "delete": "job/delete/?job=sitemap",
    "dead-letters": "deadjob/",
    "dead-letter": "deadjob/monthly-report-eu/change/",
    "discard": "deadjob/discard/?job=monthly-report-eu",
    "config": "config/",
    "config-queue": "config/reports/change/",
    "config-defaults": "config/*/change/",
    "config-paused": "config/images/change/",
    "config-add": "config/add/",
    "config-history": "config/reports/history/",
    "pause": "config/mail/pause/",
    "resume": "config/images/resume/",
    "workers": "supervisor/",
    "supervisor": "supervisor/1/change/",
    "stop": "supervisor/stop/",
    "stop-one": "supervisor/stop/?supervisor=1",
}


def build(now: datetime | None = None) -> None:
    """Store it. `now` is when the pages will be looked at."""
    shop = _Shop(now or timezone.now())
    shop.settings()
    shop.counters()
    shop.workers()
    shop.jobs()


class _Shop:
    def __init__(self, now: datetime) -> None:
        self.now = now

    def ago(self, **length: float) -> datetime:
        return self.now - timedelta(**length)

    def settings(self) -> None:
        long_ago = self.ago(minutes=DAY_MINUTES)
        settings = {
            None: {"max_retries": 3, "backoff_base": 2.0, "retention": 30 * 86_400.0},
            "reports": {"max_retries": 2, "timeout": 900.0, "backoff_base": 8.0},
        }
        for name, knobs in settings.items():
            for knob, value in knobs.items():
                queue.set_knob(knob, value, queue=name, by="deploy@web1", now=long_ago)
        queue.set_knob("timeout", 1_200.0, queue="images", by="anna (admin)", now=self.ago(minutes=90))
        queue.pause(
            "images",
            now=self.ago(minutes=12),
            until=self.now + timedelta(minutes=48),
            reason="the image server is being moved",
            by="deploy@web1",
        )

    def counters(self) -> None:
        minute = self.now.replace(second=0, microsecond=0)
        rows = [
            _counter(minute - timedelta(minutes=back), queue, back)
            for back in range(DAY_MINUTES)
            for queue in QUEUES
            if back % (1 if back < 90 else 10) == 0  # the hour is drawn by the minute, the day by half hours
        ]
        Counter.objects.bulk_create(rows)
        Depth.objects.bulk_create(
            Depth(minute=minute - timedelta(minutes=back), pending=_pending(back), processing=4 - back % 3)
            for back in range(DAY_MINUTES)
        )

    def workers(self) -> None:
        for place, (host, pid, queues, jobs) in enumerate(
            (
                ("web-1", 4_012, None, [["backup-2026-11-24"], ["thumbnails-9921"]]),
                ("web-2", 3_877, ["default", "mail"], [["invoice-88213"], []]),
                ("batch-1", 911, ["reports"], [["monthly-report-us"]]),
            ),
            start=1,
        ):
            make_supervisor(
                id=place,
                marker=str(place) * 32,
                host=host,
                machine=host,
                pid=pid,
                queues=queues,
                worker_count=len(jobs),
                workers=[
                    {"pid": pid + 1 + number, "jobs": ids, "rss_bytes": 48_000_000 + 9_000_000 * number}
                    for number, ids in enumerate(jobs)
                ],
                completed_count=48_210 // place,
                started_at=self.ago(hours=31 * place),
                heartbeat_at=self.now - timedelta(seconds=place),
            )
        make_supervisor(
            id=9,
            marker="9" * 32,
            host="web-1",
            machine="web-1",
            pid=3_120,
            started_at=self.ago(hours=60),
            heartbeat_at=self.ago(hours=31),
            stopped_at=self.ago(hours=31),
            completed_count=91_004,
        )

    def jobs(self) -> None:
        for fields in (*self._running(), *self._waiting(), *self._ended(), *self._dead()):
            attempts = fields.pop("made", ())
            fields.setdefault("attempts", len(attempts))
            fields.setdefault("fence", len(attempts))
            job = make_job(**fields)
            Attempt.objects.bulk_create(_attempts(job, attempts))

    def _running(self) -> Iterator[dict[str, Any]]:
        for id_, owner, minutes, fields in (
            ("backup-2026-11-24", 1, 7.0, {"command": "pg_dump shop | zstd > /backup/shop-$(date +%F).zst"}),
            ("thumbnails-9921", 1, 0.1, {"command": "convert 9921.tiff -resize 400x400 9921.webp", "queue": "default"}),
            ("invoice-88213", 2, 0.02, _task("shop.billing.tasks.send_invoice", kwargs={"order": 88_213})),
            ("monthly-report-us", 3, 3.0, _task("shop.reports.tasks.monthly_report", kwargs={"region": "us"})),
        ):
            started = self.ago(minutes=minutes)
            supervisor = Supervisor.objects.get(pk=owner)
            yield {
                "id": id_,
                "state": State.PROCESSING,
                "supervisor": supervisor,
                "enqueued_at": self.ago(minutes=minutes + 0.5),
                "run_at": self.ago(minutes=minutes + 0.5),
                "claimed_at": started,
                "started_at": started,
                "made": [
                    {
                        "started_at": started,
                        "host": supervisor.host,
                        "pid": supervisor.pid + 1,
                        "output_head": BACKUP_OUTPUT if id_.startswith("backup") else "",
                    }
                ],
                "queue": "reports" if "report" in id_ else "default",
            } | fields

    def _waiting(self) -> Iterator[dict[str, Any]]:
        for number in range(6):
            yield {
                "id": f"newsletter-{4711 + number}",
                "state": State.SCHEDULED,
                "queue": "mail",
                "run_at": self.now + timedelta(hours=7 + number),
                "enqueued_at": self.ago(minutes=40 + number),
            } | _task("shop.mail.tasks.send_newsletter", args=[4711 + number], kwargs={"api_token": "s3cret"})
        for number in range(14):
            yield {
                "id": f"0193{number:04x}-6f2a-7c41-9d0e-5b7a1f3c{number:04x}",
                "queue": "images",
                "run_at": self.ago(minutes=11, seconds=number),
                "enqueued_at": self.ago(minutes=11, seconds=number),
                "command": f"convert upload-{number}.heic -quality 82 upload-{number}.avif",
                "cwd": "/srv/shop/uploads",
                "env": {"MAGICK_THREAD_LIMIT": "1"},
            }
        for number, error in enumerate(("timed out after 30 s", "exit code 7: could not connect to smtp.example.com")):
            yield {
                "id": f"receipt-{88_190 + number}",
                "state": State.FAILED,
                "queue": "mail",
                "run_at": self.now + timedelta(seconds=16 * (number + 1)),
                "enqueued_at": self.ago(minutes=2),
                "command": f"send-receipt --order {88_190 + number}",
                "outcome": Ending.TIMED_OUT if number == 0 else Ending.FAILED,
                "error": error,
                "exit_code": None if number == 0 else 7,
                "made": [_failed(self.ago(minutes=1, seconds=10 * number), error=error, seconds=3.0)],
            }

    def _ended(self) -> Iterator[dict[str, Any]]:
        for number, (id_, command, seconds) in enumerate(
            (
                ("sitemap", "manage.py build_sitemap", 4.2),
                ("invoice-88212", "send-invoice --order 88212", 0.4),
                ("invoice-88211", "send-invoice --order 88211", 0.4),
                ("search-index", "manage.py update_index --age 1", 71.0),
            )
        ):
            ended = self.ago(seconds=20 + 45 * number)
            yield {
                "id": id_,
                "state": State.COMPLETED,
                "command": command,
                "enqueued_at": ended - timedelta(seconds=seconds + 1),
                "run_at": ended - timedelta(seconds=seconds + 1),
                "started_at": ended - timedelta(seconds=seconds),
                "finished_at": ended,
                "exit_code": 0,
                "made": [
                    {
                        "started_at": ended - timedelta(seconds=seconds),
                        "finished_at": ended,
                        "run_seconds": seconds,
                        "outcome": Ending.COMPLETED,
                        "exit_code": 0,
                        "output_head": f"{id_}: done\n",
                        "host": "web-2",
                        "pid": 3_878,
                    }
                ],
            }
        yield {
            "id": "import-supplier-17",
            "state": State.CANCELLED,
            "command": "manage.py import_supplier 17",
            "enqueued_at": self.ago(minutes=30),
            "finished_at": self.ago(minutes=26),
        }

    def _dead(self) -> Iterator[dict[str, Any]]:
        for number, region in enumerate(("eu", "uk", "apac")):
            died = self.ago(minutes=22 + 31 * number)
            yield {
                "id": f"monthly-report-{region}",
                "state": State.DEAD,
                "queue": "reports",
                "enqueued_at": died - timedelta(minutes=4),
                "run_at": died - timedelta(minutes=4),
                "started_at": died - timedelta(seconds=9),
                "finished_at": died,
                "outcome": Ending.FAILED,
                "error": "shop.ledger.LedgerUnavailable: 503 from the ledger",
                "made": [
                    _failed(
                        died - timedelta(seconds=back),
                        error="shop.ledger.LedgerUnavailable: 503 from the ledger",
                        traceback=TRACEBACK,
                        output_head=f"Reading the ledger of {region}\n",
                        seconds=9.0,
                    )
                    for back in (160, 80, 9)
                ],
            } | _task("shop.reports.tasks.monthly_report", kwargs={"region": region, "month": "2026-10"})
        for number, (id_, error) in enumerate(
            (
                ("webhook-acme", "exit code 22: the requested URL returned error 410"),
                ("thumbnails-9877", "its worker was killed by signal 9 (out of memory?)"),
            )
        ):
            died = self.ago(hours=2, minutes=17 * number)
            yield {
                "id": id_,
                "state": State.DEAD,
                "queue": "default",
                "command": f"run-{id_.partition('-')[0]} --id {id_}",
                "enqueued_at": died - timedelta(minutes=3),
                "finished_at": died,
                "outcome": Ending.FAILED if number == 0 else Ending.LOST,
                "error": error,
                "made": [_failed(died - timedelta(seconds=2), error=error, seconds=2.0)],
            }


def _task(path: str, *, args: list[Any] | None = None, kwargs: dict[str, Any] | None = None) -> dict[str, Any]:
    return {"kind": Kind.TASK, "task": path, "command": None, "args": args or [], "kwargs": kwargs or {}}


def _failed(started: datetime, *, seconds: float, **fields: Any) -> dict[str, Any]:
    return {
        "started_at": started,
        "finished_at": started + timedelta(seconds=seconds),
        "run_seconds": seconds,
        "outcome": Ending.FAILED,
        "exit_code": 1,
        "host": "batch-1",
        "pid": 912,
    } | fields


def _attempts(job: Job, made: Any) -> Iterator[Attempt]:
    for number, fields in enumerate(made, start=1):
        yield Attempt(job=job, fence=number, number=number, **fields)


def _tide(back: int) -> float:
    """Return how busy it is at a minute, as a share of noon: quiet at night, and never quite smooth."""
    return max(0.1, 0.55 + 0.45 * math.sin(back / DAY_MINUTES * 2 * math.pi + 1.2) + 0.18 * math.sin(back * 0.9))


def _is_outage(back: int) -> bool:
    """Tell whether the mail server was away."""
    return 20 <= back <= 34


def _pending(back: int) -> int:
    """Return how many jobs waited; images has been paused for 12 minutes, and mail caught up after the outage."""
    paused = max(0, 14 - back)
    return round(9 * _tide(back)) + paused + (90 - 6 * abs(27 - back) if _is_outage(back) else 0)


def _counter(minute: datetime, queue: str, back: int) -> Counter:
    at_noon, failing, dying, wait, run = QUEUES[queue]
    ended = max(1, round(at_noon * _tide(back)))
    is_outage = queue == "mail" and _is_outage(back)
    failed = round(ended * (0.6 if is_outage else failing / 1000 * (1 + math.sin(back))))
    dead = round(ended * dying / 100 * (1 + math.sin(back * 1.7)))
    waits, runs = histogram.empty(), histogram.empty()
    for number in range(ended):
        share = (number + 0.5) / ended
        histogram.add(waits, wait * (0.5 + 2.5 * share**4) * _tide(back) * (40 if is_outage else 1))
        histogram.add(runs, run * (0.4 + 3 * share**3) * (0.5 + _tide(back * 3)))
    completed = max(0, ended - failed - dead)
    return Counter(
        minute=minute,
        queue=queue,
        writer=1,
        enqueued=ended,
        completed=completed,
        failed=failed,
        dead=dead,
        run_histogram=runs,
        wait_histogram=waits,
    )
