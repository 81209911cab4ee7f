"""The tables: fields, constraints and indexes. State is changed by `queue` alone; nothing here writes."""

from datetime import datetime

from django.db import models
from django.db.models import F, Q
from django.utils.translation import gettext_lazy as _

from jobs.fields import AnyCharField, AnyTextField, JSONTextField, NameField
from jobs.indexes import StateIndex
from jobs.new_job import NAME_MAX_CHARACTERS
from jobs.outcome import AttemptSummary
from jobs.states import FINAL, WAITING, Ending, Kind, State

ALL_QUEUES = "*"  # the Config row that holds the defaults; no queue may have this name


FOLDED = 0  # the writer of a counter that sums up those of ten minutes and all supervisors
DEPTH_MAX = 10_000  # jobs that a look at the queue's depth counts: 1 ms on SQLite, 4 ms on MariaDB, once a minute


class Supervisor(models.Model):
    """One run of `worker start`: who it is, its heartbeat, and what has been asked of it.

    `beats` counts heartbeats. An observer judges silence by how long it saw the count unchanged on its own monotonic
    clock, so no two clocks are ever compared. `lost_at` is set by the rescuer that took its jobs; from then on every
    write of this supervisor is refused.
    """

    marker = models.CharField(max_length=32)  # random; in the environment of every process below it
    host = models.CharField(max_length=255)
    machine = models.CharField(max_length=255)  # boot and process namespace: where `pid` means something
    pid = models.PositiveIntegerField()
    process_started = models.CharField(max_length=32)
    version = models.CharField(max_length=32)
    queues = models.JSONField(null=True)  # None: every queue
    worker_count = models.PositiveSmallIntegerField()
    thread_count = models.PositiveSmallIntegerField()
    lease_seconds = models.FloatField()
    started_at = models.DateTimeField()
    heartbeat_at = models.DateTimeField()
    beats = models.PositiveBigIntegerField(default=0)
    workers = models.JSONField(default=list)  # [{"pid", "jobs": [ids], "rss_bytes"}] as of the last heartbeat
    completed_count = models.PositiveBigIntegerField(default=0)
    stop_requested_at = models.DateTimeField(null=True)
    stop_grace_seconds = models.FloatField(null=True)  # None: its own --grace
    stopped_at = models.DateTimeField(null=True)
    lost_at = models.DateTimeField(null=True)

    class Meta:
        verbose_name = _("supervisor")
        verbose_name_plural = _("workers")
        default_permissions = ("view",)
        permissions = (("stop_supervisor", "Can stop workers"),)
        constraints = (
            models.CheckConstraint(
                name="jobs_supervisor_stopped_or_lost",
                condition=Q(stopped_at__isnull=True) | Q(lost_at__isnull=True),
            ),
        )

    def __str__(self) -> str:
        return f"{self.host}:{self.pid}"

    @property
    def is_live(self) -> bool:
        """Neither stopped nor taken for dead. Says nothing about how long ago it was heard."""
        return self.stopped_at is None and self.lost_at is None


class Job(models.Model):
    """A request to run something, with its state. A requeued job keeps its row, its attempts and its fence."""

    id = NameField(max_length=NAME_MAX_CHARACTERS, primary_key=True)
    kind = models.CharField(max_length=8, choices=Kind.choices)
    queue = NameField(max_length=NAME_MAX_CHARACTERS, default="default")
    state = NameField(max_length=16, choices=State.choices)
    priority = models.SmallIntegerField(default=0)  # -100 to 100, larger runs sooner

    # What is executed. Never edited: shell fields are signed.
    command = AnyTextField(null=True)  # for a shell job: what /bin/sh gets, or the words quoted as a shell would
    uses_shell = models.BooleanField(default=True)
    cwd = AnyTextField(null=True)
    env = JSONTextField(null=True)
    signature = models.CharField(max_length=128, null=True)
    task = AnyCharField(max_length=255, null=True)
    args = JSONTextField(null=True)
    kwargs = JSONTextField(null=True)
    backend = models.CharField(max_length=64, null=True)  # the alias in TASKS that a task was enqueued with

    # How it is executed; None is looked up in Config when it is needed.
    max_retries = models.PositiveSmallIntegerField(null=True)
    backoff_base = models.FloatField(null=True)
    backoff_max_seconds = models.FloatField(null=True)
    timeout_seconds = models.FloatField(null=True)

    run_at = models.DateTimeField()  # earliest moment of the next attempt
    enqueued_at = models.DateTimeField()
    claimed_at = models.DateTimeField(null=True)
    started_at = models.DateTimeField(null=True)  # of the latest attempt
    finished_at = models.DateTimeField(null=True)  # when it became final
    cancel_requested_at = models.DateTimeField(null=True)

    attempts = models.PositiveIntegerField(default=0)  # spent since it was enqueued or requeued
    postponements = models.PositiveIntegerField(default=0)  # attempts that ended in exit 75 at no charge
    fence = models.PositiveBigIntegerField(default=0)  # one more with every claim; never goes back
    supervisor = models.ForeignKey(Supervisor, models.RESTRICT, null=True, db_index=False)

    # How the latest attempt ended.
    outcome = models.CharField(max_length=16, choices=Ending.choices, null=True)
    exit_code = models.IntegerField(null=True)
    error = AnyTextField(null=True)
    return_value = JSONTextField(null=True)  # of a task that completed

    class Meta:
        verbose_name = _("job")
        verbose_name_plural = _("jobs")
        default_permissions = ("view", "delete")
        permissions = (
            ("view_output", "Can view what jobs printed"),
            ("requeue_job", "Can requeue jobs"),
            ("cancel_job", "Can cancel jobs"),
            ("enqueue_job", "Can enqueue jobs"),
            ("change_retry", "Can change retry settings of jobs"),
        )
        constraints = (
            models.CheckConstraint(name="jobs_job_id_not_empty", condition=~Q(id="")),
            models.CheckConstraint(name="jobs_job_queue_named", condition=~Q(queue__in=("", ALL_QUEUES))),
            models.CheckConstraint(name="jobs_job_state_known", condition=Q(state__in=State.values)),
            models.CheckConstraint(
                name="jobs_job_kind_has_its_fields",
                condition=Q(kind=Kind.SHELL, command__isnull=False, task__isnull=True)
                | Q(kind=Kind.TASK, command__isnull=True, task__isnull=False),
            ),
            models.CheckConstraint(
                name="jobs_job_owned_iff_processing",
                condition=Q(state=State.PROCESSING, supervisor__isnull=False)
                | (~Q(state=State.PROCESSING) & Q(supervisor__isnull=True)),
            ),
            models.CheckConstraint(
                name="jobs_job_finished_iff_final",
                condition=Q(state__in=sorted(FINAL), finished_at__isnull=False)
                | (~Q(state__in=sorted(FINAL)) & Q(finished_at__isnull=True)),
            ),
            models.CheckConstraint(name="jobs_job_priority_range", condition=Q(priority__range=(-100, 100))),
            models.CheckConstraint(name="jobs_job_attempts_within_fence", condition=Q(attempts__lte=F("fence"))),
        )
        indexes = (
            # The claim: one range, read in order, holding pending jobs only.
            StateIndex(fields=("queue", "-priority", "run_at", "id"), states=(State.PENDING,), name="jobs_job_pending"),
            # The promotion.
            StateIndex(fields=("run_at",), states=(State.FAILED, State.SCHEDULED), name="jobs_job_deferred"),
            # What a supervisor holds.
            StateIndex(
                fields=("supervisor", "id"), states=(State.PROCESSING,), is_owned=True, name="jobs_job_processing"
            ),
            # Pruning, and the newest of each kind of ending.
            StateIndex(fields=("finished_at", "id"), states=(State.CANCELLED, State.COMPLETED), name="jobs_job_done"),
            StateIndex(fields=("finished_at", "id"), states=(State.DEAD,), name="jobs_job_dead"),
            # Lists, newest first.
            models.Index(fields=("enqueued_at", "id"), name="jobs_job_newest"),
        )

    def __str__(self) -> str:
        return self.id

    @property
    def what(self) -> str:
        """What it runs, in one string: the command line or the task's path."""
        return (self.command if self.kind == Kind.SHELL else self.task) or ""


class Attempt(models.Model):
    """One run of a job. Written once when it ends; a run of more than a moment has a row while it runs."""

    job = models.ForeignKey(Job, models.CASCADE, db_index=False, related_name="attempt_set")
    fence = models.PositiveBigIntegerField()
    number = models.PositiveIntegerField()
    host = models.CharField(max_length=255)
    pid = models.PositiveIntegerField(null=True)
    started_at = models.DateTimeField()
    finished_at = models.DateTimeField(null=True)
    run_seconds = models.FloatField(null=True)
    outcome = models.CharField(max_length=16, choices=Ending.choices, null=True)  # None: running
    exit_code = models.IntegerField(null=True)
    error = models.TextField(null=True)
    exception_class = models.CharField(max_length=255, null=True)  # its dotted path; it may not exist here
    traceback = models.TextField(null=True)
    progress = models.FloatField(null=True)  # 0 to 1, as the task says
    progress_message = models.TextField(null=True)
    output_head = models.TextField(default="")
    output_tail = models.TextField(default="")
    output_dropped_bytes = models.PositiveBigIntegerField(default=0)

    class Meta:
        verbose_name = _("attempt")
        verbose_name_plural = _("attempts")
        default_permissions = ()
        constraints = (
            models.UniqueConstraint(fields=("job", "fence"), name="jobs_attempt_one_per_claim"),
            models.CheckConstraint(name="jobs_attempt_outcome_known", condition=Q(outcome__in=Ending.values)),
        )

    def __str__(self) -> str:
        return f"{self.job_id} attempt {self.number}"

    def as_summary(self) -> AttemptSummary:
        """Return what the result of a task tells of it."""
        return AttemptSummary(
            worker_id=f"{self.host}:{self.pid}",
            started_at=self.started_at,
            outcome=self.outcome,
            exception_class=self.exception_class,
            error=self.traceback or self.error,
            progress=self.progress,
            progress_message=self.progress_message,
        )

    @property
    def report(self) -> str:
        """What it printed, and then its traceback if it has one: all there is to read."""
        gap = "\n" if self.output and not self.output.endswith("\n") else ""
        return f"{self.output}{gap}{self.traceback}" if self.traceback else self.output

    @property
    def output(self) -> str:
        """What it printed, with a line that says so where the middle was dropped."""
        if not self.output_dropped_bytes:
            return self.output_head + self.output_tail
        return f"{self.output_head}\n… {self.output_dropped_bytes} bytes dropped …\n{self.output_tail}"


class Config(models.Model):
    """What people set: one row for the defaults (`*`) and one for each queue that differs. None is not set."""

    queue = NameField(max_length=NAME_MAX_CHARACTERS, primary_key=True)
    max_retries = models.PositiveSmallIntegerField(null=True, blank=True)
    backoff_base = models.FloatField(null=True, blank=True)
    backoff_max = models.FloatField(null=True, blank=True)  # seconds
    jitter = models.FloatField(null=True, blank=True)
    timeout = models.FloatField(null=True, blank=True)  # seconds
    retention = models.FloatField(null=True, blank=True)  # seconds
    paused_at = models.DateTimeField(null=True, blank=True)
    paused_until = models.DateTimeField(null=True, blank=True)  # None: until someone resumes it
    paused_reason = models.TextField(null=True, blank=True)

    class Meta:
        verbose_name = _("queue settings")
        verbose_name_plural = _("config")
        default_permissions = ("view", "change")
        permissions = (("pause_queue", "Can pause and resume queues"),)

    def __str__(self) -> str:
        return "defaults" if self.queue == ALL_QUEUES else self.queue

    def is_paused(self, now: datetime) -> bool:
        return self.paused_at is not None and (self.paused_until is None or self.paused_until > now)


class ConfigChange(models.Model):
    """One change of what people set. Of a queue the newest are kept, see `queue`.

    `before` and `after` are numbers where `key` is a knob. Where it is PAUSED they are objects with `until` (an ISO
    time, or null) and `reason`. None is not set, or not paused.
    """

    PAUSED = "paused"  # the key of pauses and resumptions; no knob has that name

    queue = NameField(max_length=NAME_MAX_CHARACTERS)
    key = models.CharField(max_length=32)
    before = JSONTextField(null=True)
    after = JSONTextField(null=True)
    changed_by = models.CharField(max_length=255)
    changed_at = models.DateTimeField()

    class Meta:
        verbose_name = _("change of config")
        verbose_name_plural = _("changes of config")
        default_permissions = ()
        constraints = (
            models.CheckConstraint(
                name="jobs_configchange_named", condition=~Q(queue="") & ~Q(key="") & ~Q(changed_by="")
            ),
            models.CheckConstraint(
                name="jobs_configchange_changes", condition=Q(before__isnull=False) | Q(after__isnull=False)
            ),
        )
        indexes = (models.Index(fields=("queue", "id"), name="jobs_configchange_queue"),)

    def __str__(self) -> str:
        return f"{self.key} of {self.queue}"


class Counter(models.Model):
    """What one supervisor saw of one queue in one minute. A total is a sum over writers.

    After two hours the rows of ten minutes and all supervisors are folded into one, of the first of those minutes.

    The histograms count jobs per bucket of `histogram.BUCKET_SECONDS`.
    """

    minute = models.DateTimeField()
    queue = NameField(max_length=NAME_MAX_CHARACTERS)
    writer = models.PositiveBigIntegerField()  # the supervisor's id; its row may be gone. Or FOLDED
    enqueued = models.PositiveIntegerField(default=0)
    completed = models.PositiveIntegerField(default=0)
    failed = models.PositiveIntegerField(default=0)
    dead = models.PositiveIntegerField(default=0)
    run_histogram = models.JSONField(default=list)
    wait_histogram = models.JSONField(default=list)

    class Meta:
        verbose_name = _("counter")
        verbose_name_plural = _("counters")
        default_permissions = ()
        constraints = (
            models.UniqueConstraint(fields=("minute", "queue", "writer"), name="jobs_counter_one_per_minute"),
        )

    def __str__(self) -> str:
        return f"{self.queue} {self.minute:%H:%M}"


class Depth(models.Model):
    """How many jobs waited and ran in all queues, as seen once in a minute. Counts stop at `DEPTH_MAX`."""

    minute = models.DateTimeField(primary_key=True)
    pending = models.PositiveIntegerField()
    processing = models.PositiveIntegerField()

    class Meta:
        verbose_name = _("depth")
        verbose_name_plural = _("depths")
        default_permissions = ()

    def __str__(self) -> str:
        return f"{self.minute:%H:%M}: {self.pending} pending, {self.processing} processing"


class Undo(models.Model):
    """How one job was before a person requeued or cancelled it: for a minute, all it takes to put it back.

    The row stands on its own: its job may be deleted, and whoever did it may be known to another database only.
    """

    action = models.CharField(max_length=32)  # random; what the person did to all those jobs at once
    user = models.CharField(max_length=255)  # the primary key of that person, as text
    at = models.DateTimeField()
    left_state = NameField(max_length=16)  # in which the verb left it
    job = NameField(max_length=NAME_MAX_CHARACTERS)

    # As it was, and as it is put back.
    state = NameField(max_length=16)
    run_at = models.DateTimeField()
    finished_at = models.DateTimeField(null=True)
    cancel_requested_at = models.DateTimeField(null=True)
    attempts = models.PositiveIntegerField()
    postponements = models.PositiveIntegerField()

    # As it was, and as it must still be.
    fence = models.PositiveBigIntegerField()
    queue = NameField(max_length=NAME_MAX_CHARACTERS)
    priority = models.SmallIntegerField()
    max_retries = models.PositiveSmallIntegerField(null=True)
    backoff_base = models.FloatField(null=True)
    backoff_max_seconds = models.FloatField(null=True)
    timeout_seconds = models.FloatField(null=True)

    class Meta:
        verbose_name = _("undo")
        verbose_name_plural = _("undos")
        default_permissions = ()
        constraints = (
            models.UniqueConstraint(fields=("action", "job"), name="jobs_undo_one_per_action"),
            models.CheckConstraint(
                name="jobs_undo_leads_back",
                condition=Q(left_state=State.PENDING, state__in=sorted(FINAL))
                | Q(left_state=State.CANCELLED, state__in=sorted(WAITING)),
            ),
        )
        indexes = (models.Index(fields=("at",), name="jobs_undo_at"),)

    def __str__(self) -> str:
        return f"{self.job}: {self.left_state} back to {self.state}"


class DeadJob(Job):
    """The Dead Letter Queue, as the admin lists it."""

    class Meta:
        proxy = True
        verbose_name = _("dead job")
        verbose_name_plural = _("dead letters")
        default_permissions = ("view",)


class Dashboard(Counter):
    """What the admin shows on one page. It has no rows of its own; it is an entry, and a permission."""

    class Meta:
        proxy = True
        verbose_name = _("dashboard")
        verbose_name_plural = _("dashboard")
        default_permissions = ("view",)
