"""The numbers that everyone shows: right, and at a cost that does not grow with the table."""

from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from jobs import histogram, identities, queue, stats
from jobs.errors import NotFound
from jobs.models import Attempt, Config, Counter, Depth, Supervisor
from jobs.states import State
from jobs.stats import CappedCount, Liveness, Origin, Verdict
from tests.clock import NOW, after
from tests.factories import make_job, make_jobs, make_supervisor

pytestmark = pytest.mark.django_db


def make_living(**fields) -> Supervisor:
    """Store a supervisor that is this very process."""
    me = identities.own()
    return make_supervisor(**{"machine": me.machine, "pid": me.pid, "process_started": me.started, **fields})


def make_one_of_each() -> None:
    make_jobs({"id": state.value, "state": state, "queue": "mail"} for state in State)


def read_status(**options: Any) -> stats.Status:
    return stats.status(counts=stats.count_jobs(), now=NOW, **options)


# Counting


@pytest.mark.parametrize("count", [stats.count_jobs, stats.count_jobs_exactly])
def test_it_counts_every_state_and_queue(count):
    make_one_of_each()
    make_jobs({"id": f"more{n}"} for n in range(3))
    counts = count()
    assert {state: counts.total(state).value for state in State} == {
        state: 4 if state is State.PENDING else 1 for state in State
    }
    assert counts.in_queue("mail", State.DEAD) == CappedCount(1)
    assert counts.in_queue("default", State.PENDING) == CappedCount(3)
    assert counts.in_queue("nowhere", State.DEAD) == CappedCount(0)
    assert counts.queues == {"mail", "default"}


def test_it_counts_nothing_in_an_empty_table():
    counts = stats.count_jobs()
    assert [counts.total(state) for state in State] == [CappedCount(0)] * len(State)


def test_it_stops_counting_and_says_so(monkeypatch):
    monkeypatch.setattr("jobs.stats._counts.COUNT_MAX", 4)
    make_jobs({"id": f"p{n}"} for n in range(6))
    make_jobs({"id": f"q{n}", "queue": "mail"} for n in range(2))
    make_jobs({"id": f"d{n}", "state": State.DEAD} for n in range(4))
    make_jobs({"id": f"c{n}", "state": State.COMPLETED, "finished_at": after(seconds=n)} for n in range(9))
    counts = stats.count_jobs()
    assert counts.in_queue("default", State.PENDING) == CappedCount(4, is_capped=True)
    assert counts.in_queue("mail", State.PENDING) == CappedCount(2)
    assert counts.total(State.COMPLETED) == CappedCount(4, is_capped=True)
    assert counts.total(State.PENDING) == CappedCount(6, is_capped=True)
    assert stats.count_jobs_exactly().total(State.COMPLETED) == CappedCount(9)


def test_it_does_not_say_none_where_it_did_not_look_at_all(monkeypatch):
    monkeypatch.setattr("jobs.stats._counts.COUNT_MAX", 4)
    make_jobs({"id": f"s{n}", "state": State.SCHEDULED, "run_at": after(seconds=1)} for n in range(5))
    make_job(id="behind", state=State.FAILED, queue="mail", run_at=after(seconds=2))
    counts = stats.count_jobs()
    assert str(counts.total(State.FAILED)) == str(counts.in_queue("mail", State.FAILED)) == "0+"
    assert counts.total(State.CANCELLED) == counts.in_queue("mail", State.DEAD) == CappedCount(0)


def test_it_counts_exactly_as_many_as_the_limit_without_a_plus(monkeypatch):
    monkeypatch.setattr("jobs.stats._counts.COUNT_MAX", 4)
    make_jobs({"id": f"d{n}", "state": State.DEAD} for n in range(4))
    assert stats.count_jobs().total(State.DEAD) == CappedCount(4)
    assert stats.count_dead() == CappedCount(4)


def test_it_writes_a_lower_bound_with_a_plus():
    assert str(CappedCount(1_000, is_capped=True)) == "1,000+"
    assert str(CappedCount(1_280)) == "1,280"
    assert CappedCount(1) + CappedCount(2, is_capped=True) == CappedCount(3, is_capped=True)
    assert not CappedCount(0)


def test_it_counts_the_dead_of_one_queue():
    make_jobs({"id": f"d{n}", "state": State.DEAD, "queue": "mail" if n else "web"} for n in range(3))
    assert (stats.count_dead(), stats.count_dead(queue="mail")) == (CappedCount(3), CappedCount(2))


def test_it_counts_all_the_dead_for_those_who_touch_them_all(monkeypatch):
    monkeypatch.setattr("jobs.stats._counts.COUNT_MAX", 2)
    make_jobs({"id": f"d{n}", "state": State.DEAD, "queue": "mail" if n else "web"} for n in range(4))
    assert (stats.count_dead_exactly(), stats.count_dead_exactly(queue="mail")) == (4, 3)
    assert stats.count_dead() == CappedCount(2, is_capped=True)


# Waiting


def test_it_finds_the_oldest_due_job_of_each_queue_behind_more_urgent_ones():
    make_jobs(
        [
            {"id": "urgent", "priority": 9, "run_at": after(seconds=-1)},
            {"id": "old", "priority": -9, "run_at": after(seconds=-60)},
            {"id": "mail", "queue": "mail", "run_at": after(seconds=-5)},
            {"id": "later", "queue": "later", "state": State.SCHEDULED},
        ]
    )
    waits = stats.oldest_waits(now=NOW)
    assert {queue: wait.seconds for queue, wait in waits.items()} == {"default": 60, "mail": 5}


@pytest.mark.parametrize("state", [State.SCHEDULED, State.FAILED])
def test_it_counts_a_job_as_waiting_that_is_due_and_was_not_promoted_yet(state):
    make_job(state=state, run_at=after(seconds=-7))
    assert stats.oldest_waits(now=NOW)["default"].seconds == 7


# Supervisors


@pytest.mark.parametrize(
    ("silent_seconds", "fields", "liveness"),
    [
        (0, {}, Liveness.ALIVE),
        (25, {}, Liveness.LATE),
        (3_600, {}, Liveness.LATE),
        (0, {"process_started": "0"}, Liveness.GONE),
        (0, {"machine": "another"}, Liveness.ALIVE),
        (25, {"machine": "another"}, Liveness.LATE),
        (61, {"machine": "another"}, Liveness.GONE),
        (0, {"lost_at": NOW}, Liveness.GONE),
        (3_600, {"stopped_at": NOW}, Liveness.STOPPED),
        (-3_600, {"machine": "another"}, Liveness.ALIVE),
    ],
)
def test_it_knows_what_a_silence_means(silent_seconds, fields, liveness):
    make_living(heartbeat_at=after(seconds=-silent_seconds), **fields)
    (view,) = stats.supervisors(now=NOW)
    assert view.liveness is liveness
    assert view.is_serving is (liveness is Liveness.ALIVE)


def test_it_knows_which_queues_a_supervisor_serves():
    make_living(queues=["mail"])
    views = stats.supervisors(now=NOW)
    assert [len(stats.serving(views, queue)) for queue in ("mail", "web")] == [1, 0]
    Supervisor.objects.update(queues=None)
    assert stats.supervisors(now=NOW)[0].serves("web")
    Supervisor.objects.update(stop_requested_at=NOW)
    assert not stats.supervisors(now=NOW)[0].serves("web")


def test_it_names_the_jobs_in_hand():
    make_living(workers=[{"pid": 1, "jobs": ["a", "b"], "rss_bytes": 1}, {"pid": 2, "jobs": [], "rss_bytes": 1}])
    assert stats.supervisors(now=NOW)[0].running_ids == ["a", "b"]


# Totals


def make_counter(**fields) -> None:
    empty = histogram.empty()
    defaults: dict[str, Any] = {"minute": NOW, "queue": "default", "writer": 1}
    Counter.objects.create(**({**defaults, "run_histogram": empty, "wait_histogram": empty} | fields))


def histogram_of(*durations: float) -> list[int]:
    counts = histogram.empty()
    for seconds in durations:
        histogram.add(counts, seconds)
    return counts


def test_it_sums_over_writers_queues_and_minutes():
    make_counter(enqueued=5, completed=3, failed=2, dead=1, run_histogram=histogram_of(0.1, 0.1, 5))
    make_counter(writer=2, completed=1, run_histogram=histogram_of(0.1))
    make_counter(queue="mail", minute=after(seconds=-60), completed=10, wait_histogram=histogram_of(60))
    make_counter(minute=after(seconds=-7_200), completed=1_000)
    total = stats.totals(since=after(seconds=-3_600), now=NOW)
    assert (total.enqueued, total.completed, total.failed, total.dead) == (5, 14, 2, 1)
    assert (total.run_p50_seconds, total.run_p99_seconds) == (0.1, 5)
    assert total.wait_p95_seconds == 60
    assert stats.totals(since=after(seconds=-3_600), now=NOW, queue="mail").completed == 10
    by_queue = stats.totals_by_queue(since=after(seconds=-3_600), now=NOW)
    assert {queue: row.completed for queue, row in by_queue.items()} == {"default": 4, "mail": 10}


def test_it_sums_each_step_of_time_the_empty_ones_too():
    for seconds, completed in ((-600, 1), (-580, 2), (-301, 4), (0, 8), (-601, 16)):
        make_counter(minute=after(seconds=seconds), completed=completed)
    steps = stats.totals_over_time(since=after(seconds=-600), now=NOW, step=timedelta(minutes=5))
    assert {moment: total.completed for moment, total in steps.items()} == {
        after(seconds=-600): 7,
        after(seconds=-300): 0,
        NOW: 8,
    }
    assert steps[after(seconds=-300)].run_p50_seconds is None


def test_it_tells_the_peaks_of_the_depth_over_time():
    for seconds, pending, processing in ((-600, 5, 2), (-540, 9, 1), (0, 0, 0)):
        Depth.objects.create(minute=after(seconds=seconds), pending=pending, processing=processing)

    steps = stats.depth_over_time(since=after(seconds=-600), now=NOW, step=timedelta(minutes=5))

    assert steps == {
        after(seconds=-600): stats.Peak(pending=9, processing=2),
        after(seconds=-300): stats.Peak(pending=None, processing=None),
        NOW: stats.Peak(pending=0, processing=0),
    }


def test_it_counts_what_completed():
    assert stats.count_completed(since=after(seconds=-3_600), now=NOW) == 0
    for seconds, completed in ((-60, 3), (0, 4), (-7_200, 1_000)):
        make_counter(minute=after(seconds=seconds), completed=completed)
    assert stats.count_completed(since=after(seconds=-3_600), now=NOW) == 7


def test_it_has_no_percentile_of_nothing():
    assert stats.totals(since=after(seconds=-60), now=NOW).run_p50_seconds is None


# Queues


def test_it_shows_each_queue_with_its_jobs_its_past_and_its_pause():
    make_one_of_each()
    make_counter(queue="mail", completed=8, failed=1)
    Config.objects.create(queue="mail", paused_at=NOW, paused_until=after(seconds=60), paused_reason="moving")
    Config.objects.create(queue="quiet", max_retries=1)
    mail, quiet = read_status().queues
    assert (mail.name, quiet.name) == ("mail", "quiet")
    numbers = (mail.pending, mail.scheduled, mail.failed, mail.processing, mail.dead)
    assert [number.value for number in numbers] == [1] * 5
    assert (mail.recent_completed, mail.recent_failed, mail.oldest_wait_seconds) == (8, 1, 0)
    assert mail.pause == stats.Pause(since=NOW, until=after(seconds=60), reason="moving")
    assert (quiet.pause, quiet.pending) == (None, CappedCount(0))


def test_it_takes_a_pause_for_over_when_its_time_is():
    Config.objects.create(queue="mail", paused_at=NOW, paused_until=after(seconds=60))
    assert set(stats.pauses(now=after(seconds=59))) == {"mail"}
    assert stats.pauses(now=after(seconds=60)) == {}


# Health


def test_it_is_idle_when_nothing_is_due():
    make_job(state=State.SCHEDULED)
    health = read_status().health
    assert (health.verdict, health.cause) == (Verdict.IDLE, "nothing is due now, 1 later, and no worker is running")
    assert health.remedy == "queuectl worker start"
    make_living()
    assert read_status().health.remedy is None


def test_it_is_running_when_work_is_done():
    make_job()
    make_living()
    health = read_status().health
    assert (health.verdict, health.cause, health.is_healthy) == (Verdict.RUNNING, "0 running, 1 waiting", True)


def test_it_is_stalled_when_nobody_is_there():
    make_jobs({"id": f"a{n}", "run_at": after(seconds=-90)} for n in range(2))
    health = read_status().health
    assert (health.verdict, health.is_healthy) == (Verdict.STALLED, False)
    assert health.cause == "2 jobs wait, the oldest for 1m30s, and no worker is running"


def test_it_is_stalled_when_due_work_has_nobody_to_promote_it():
    make_job(state=State.FAILED, run_at=after(seconds=-5))
    assert read_status().health.cause == "due jobs wait, the oldest for 5.0s, and no worker is running"


def test_it_is_stalled_when_nobody_serves_a_queue():
    make_living(queues=["web"])
    make_job(queue="mail")
    health = read_status().health
    assert health.cause == "1 job waits in mail, the oldest for 0ms, and no worker serves it"
    assert health.remedy == "queuectl worker start --queue mail"


@pytest.mark.parametrize("fields", [{"stop_requested_at": NOW}, {"heartbeat_at": after(seconds=-30)}])
def test_it_does_not_count_on_supervisors_that_stop_or_are_silent(fields):
    make_living(**fields)
    make_job()
    assert read_status().health.verdict is Verdict.STALLED


@pytest.mark.parametrize("paused_at", [None, NOW])
def test_it_is_stalled_when_workers_died_with_jobs_and_nobody_is_there_to_take_them_back(paused_at):
    Config.objects.create(queue="default", paused_at=paused_at)
    make_job(state=State.PROCESSING, supervisor=make_supervisor(lost_at=NOW))
    health = read_status().health
    assert (health.verdict, health.is_healthy) == (Verdict.STALLED, False)
    assert health.cause == "1 job was in the hands of a worker that died, and no worker is running"
    assert health.remedy == "queuectl worker start"


@pytest.mark.parametrize(
    "fields", [{"queues": ["mail"]}, {"stop_requested_at": NOW}, {"heartbeat_at": after(seconds=-30)}]
)
def test_it_is_running_while_a_living_supervisor_has_jobs_or_can_take_them_back(fields):
    make_job(state=State.PROCESSING, supervisor=make_supervisor(lost_at=NOW))
    make_living(**fields)
    assert read_status().health.verdict is Verdict.RUNNING


def test_it_is_stalled_when_a_job_waits_longer_than_it_may():
    make_living()
    make_job(run_at=after(seconds=-120))
    assert read_status().health.verdict is Verdict.RUNNING
    health = read_status(max_wait_seconds=60).health
    assert (health.verdict, health.cause) == (
        Verdict.STALLED,
        "the oldest due job in default has waited 2m, more than 1m",
    )


def test_it_is_paused_when_all_due_work_is():
    make_job()
    Config.objects.create(queue="default", paused_at=NOW)
    health = read_status().health
    assert (health.verdict, health.is_healthy) == (Verdict.PAUSED, True)
    assert health.remedy == "queuectl queue resume default"
    make_job(id="job2", queue="mail")
    assert read_status().health.verdict is Verdict.STALLED


# Lists


def ids(jobs) -> list[str]:
    return [job.pk for job in jobs]


def test_it_lists_the_next_to_run_first_across_queues():
    make_jobs(
        [
            {"id": "c", "queue": "x", "priority": 1},
            {"id": "b", "queue": "y", "run_at": after(seconds=-5)},
            {"id": "a", "queue": "x"},
        ]
    )
    assert ids(stats.newest_jobs(states=[State.PENDING], limit=2)) == ["c", "b"]
    assert ids(stats.newest_jobs(states=[State.PENDING], queue="x", limit=9)) == ["c", "a"]


@pytest.mark.parametrize(
    ("states", "field", "expected"),
    [
        ([State.SCHEDULED], "run_at", "abc"),
        ([State.SCHEDULED, State.FAILED], "run_at", "abc"),
        ([State.COMPLETED], "finished_at", "cba"),
        ([State.CANCELLED, State.COMPLETED], "finished_at", "cba"),
        ([State.DEAD], "finished_at", "cba"),
        ([State.DEAD, State.COMPLETED], "enqueued_at", "cba"),
    ],
)
def test_it_lists_in_the_order_that_tells_most(states, field, expected):
    make_jobs(
        {"id": name, "state": states[place % len(states)], field: after(seconds=place + 60)}
        for place, name in enumerate("abc")
    )
    assert ids(stats.newest_jobs(states=states, limit=9)) == list(expected)
    assert ids(stats.newest_jobs(states=states, limit=1)) == [expected[0]]


def test_it_lists_the_last_claimed_first():
    supervisor = make_supervisor()
    make_jobs(
        {"id": name, "state": State.PROCESSING, "supervisor": supervisor, "claimed_at": after(seconds=place)}
        for place, name in enumerate("abc")
    )
    assert ids(stats.newest_jobs(states=[State.PROCESSING], limit=2)) == ["c", "b"]


def test_it_leaves_large_columns_in_the_database():
    make_job(env={"A": "x"})
    with CaptureQueriesContext(connection) as queries:
        (job,) = stats.newest_jobs(limit=1)
    assert job.get_deferred_fields() == {"args", "cwd", "env", "kwargs", "return_value", "signature"}
    assert len(queries) == 1


def test_it_finds_a_job_or_says_that_there_is_none():
    assert stats.find_job(make_job().pk).pk == "job1"
    with pytest.raises(NotFound, match="there is no job nope"):
        stats.find_job("nope")


def test_it_tells_the_states_of_many_jobs():
    make_jobs([{"id": "a"}, {"id": "b", "state": State.DEAD}])
    wanted = ["a", "b", *(f"nope{n}" for n in range(1_200))]
    assert stats.states_of(wanted) == {"a": State.PENDING, "b": State.DEAD}


# Settings


def test_it_tells_where_a_setting_comes_from():
    Config.objects.create(queue="*", timeout=60.0, jitter=0.1)
    Config.objects.create(queue="mail", timeout=5.0)
    found = {name: stats.setting(name, queue="mail") for name in ("timeout", "jitter", "max-retries")}
    assert {name: (setting.value, setting.origin) for name, setting in found.items()} == {
        "timeout": (5.0, Origin.QUEUE),
        "jitter": (0.1, Origin.DEFAULTS),
        "max-retries": (3, Origin.BUILT_IN),
    }
    assert stats.setting("timeout").value == 60.0
    assert [(setting.queue, setting.knob.name) for setting in stats.queue_settings()] == [("mail", "timeout")]


# Why


def why(job) -> list[str]:
    return [reason.code for reason in stats.why_waiting(job, now=NOW)]


def test_it_says_that_a_job_is_not_due():
    make_living()
    assert why(make_job(state=State.SCHEDULED)) == ["scheduled"]
    failed = make_job(id="job2", state=State.FAILED, run_at=after(seconds=4), error="exit code 1")
    (reason,) = stats.why_waiting(failed, now=NOW)
    assert reason.text == ("attempt 1 failed: exit code 1; the next one is due 2026-01-02 03:04:09 UTC (in 4.0s)")
    assert reason.remedy == "queuectl run-now job2"


def test_it_says_what_stands_in_the_way():
    job = make_job(queue="mail")
    queue.pause("mail", now=NOW, reason="moving", by="anna")
    paused, unserved = stats.why_waiting(job, now=NOW)
    assert paused.text == "queue mail is paused by anna since 2026-01-02 03:04:05 UTC: moving"
    assert paused.remedy == "queuectl queue resume mail"
    assert (unserved.text, unserved.remedy) == ("no worker is running", "queuectl worker start")
    make_living(queues=["web"])
    assert stats.why_waiting(job, now=NOW)[1].text == "no running worker serves queue mail"


def test_it_says_how_many_go_before():
    make_living()
    job = make_job(priority=1)
    assert why(job) == ["next"]
    make_jobs(
        [
            {"id": "urgent", "priority": 2, "run_at": after(seconds=9)},
            {"id": "older", "priority": 1, "run_at": after(seconds=-1)},
            {"id": "job0", "priority": 1},
            {"id": "job2", "priority": 1},
            {"id": "less", "priority": 0, "run_at": after(seconds=-9)},
            {"id": "other", "priority": 9, "queue": "mail"},
        ]
    )
    (reason,) = stats.why_waiting(job, now=NOW)
    assert (reason.code, reason.text) == ("behind", "3 jobs go before it in queue default")


def test_it_estimates_when_a_job_starts():
    make_living()
    for name in ("first", "second"):
        make_job(id=name, run_at=after(seconds=-9))
    job = make_job(id="job", queue="default")
    make_counter(minute=after(seconds=-3_600), wait_histogram=histogram_of(*[1.0] * 900))  # too long ago
    make_counter(minute=after(seconds=-120), wait_histogram=histogram_of(1, 1))
    make_counter(minute=after(seconds=-60), wait_histogram=histogram_of(1))
    make_counter(minute=after(seconds=-300), wait_histogram=histogram_of(*[1.0] * 99), queue="mail")

    (reason,) = stats.why_waiting(job, now=NOW)

    ahead, estimate = reason.text.split("; ")
    assert ahead == "2 jobs go before it in queue default"
    assert estimate == "as fast as its jobs started in the last 10 minutes, it starts in about 1m20s"


def test_its_estimate_is_a_lower_bound_where_not_all_were_counted(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("jobs.stats._counts.COUNT_MAX", 3)
    make_living()
    make_jobs({"id": f"older{number}", "run_at": after(seconds=-9)} for number in range(5))
    job = make_job(id="job")
    make_counter(minute=after(seconds=-60), wait_histogram=histogram_of(1))

    (reason,) = stats.why_waiting(job, now=NOW)

    assert reason.text.startswith("3+ jobs go before it")
    assert reason.text.endswith("it starts in 3m or more")


def test_it_says_where_a_job_runs():
    supervisor = make_living()
    job = make_job(state=State.PROCESSING, supervisor=supervisor)
    assert why(job) == ["claimed"]
    job.started_at = after(seconds=-30)
    Attempt.objects.create(job=job, fence=job.fence, number=1, host="web1", pid=77, started_at=NOW)
    (reason,) = stats.why_waiting(job, now=NOW)
    assert reason.text == "it has been running for 30s on web1, process 77"
    job.cancel_requested_at = NOW
    assert why(job) == ["cancelling", "running"]
    Supervisor.objects.update(lost_at=NOW)
    assert why(job) == ["orphaned"]
    Supervisor.objects.update(lost_at=None, stopped_at=NOW)
    assert why(job) == ["orphaned"]


@pytest.mark.parametrize("state", [State.COMPLETED, State.DEAD, State.CANCELLED])
def test_it_says_how_a_job_ended(state):
    (reason,) = stats.why_waiting(make_job(state=state), now=NOW)
    assert reason.code == state
    assert "2026-01-02 03:04:05 UTC (now)" in reason.text
