"""Tasks: what Django's `django.tasks` offers, and what this queue adds to it. Everything a project imports is here."""

from jobs.tasks.context import JobContext as JobContext
from jobs.tasks.job_task import JobTask as JobTask
from jobs.tasks.job_task import RetryPolicy as RetryPolicy
from jobs.tasks.job_task import task as task
from jobs.tasks.results import JobResult as JobResult
from jobs.tasks.signs import CancelJob as CancelJob
from jobs.tasks.signs import Cancelled as Cancelled
from jobs.tasks.signs import Lost as Lost
from jobs.tasks.signs import NeverRetry as NeverRetry
from jobs.tasks.signs import Released as Released
from jobs.tasks.signs import RunLater as RunLater
from jobs.tasks.signs import Stopped as Stopped
from jobs.tasks.signs import TimedOut as TimedOut
