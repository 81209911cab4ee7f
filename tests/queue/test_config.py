"""Settings that people change: what holds for a queue, pausing it, and changing one job's own."""

import math

import pytest

from jobs import conf, queue
from jobs.errors import InvalidInput, WrongState
from jobs.models import Config
from jobs.retry import Policy
from tests.clock import NOW, after

pytestmark = pytest.mark.django_db

NUMBERS = {"max_retries": 7, "backoff_base": 1.5, "backoff_max": 60, "jitter": 0.25, "timeout": 5, "retention": 99}


def _value(knob: str, name: str = "default") -> float:
    return queue.load_policies(now=NOW).value(knob, name)


def test_it_has_a_column_for_every_knob():
    columns = {field.name for field in Config._meta.get_fields()}
    assert set(conf.KNOBS) == columns - {"queue", "paused_at", "paused_until", "paused_reason"}


@pytest.mark.parametrize("knob", conf.KNOBS)
def test_it_starts_with_the_built_in_value(knob: str):
    assert _value(knob) == conf.KNOBS[knob].default


@pytest.mark.parametrize("knob", conf.KNOBS)
def test_it_prefers_the_value_of_the_queue_to_that_of_all_and_that_to_the_built_in(knob: str):
    assert queue.set_knob(knob, NUMBERS[knob], now=NOW, by="tests") == NUMBERS[knob]
    assert _value(knob) == NUMBERS[knob]
    queue.set_knob(knob, 0, queue="mail", now=NOW, by="tests")
    assert (_value(knob, "mail"), _value(knob)) == (0, NUMBERS[knob])
    assert queue.unset_knob(knob, queue="mail", now=NOW, by="tests")
    assert _value(knob, "mail") == NUMBERS[knob]
    assert queue.unset_knob(knob, now=NOW, by="tests")
    assert _value(knob, "mail") == conf.KNOBS[knob].default


def test_it_leaves_the_other_knobs_of_a_queue():
    queue.set_knob("max_retries", 1, queue="mail", now=NOW, by="tests")
    queue.set_knob("timeout", 9, queue="mail", now=NOW, by="tests")
    queue.unset_knob("max_retries", queue="mail", now=NOW, by="tests")
    assert (_value("max_retries", "mail"), _value("timeout", "mail")) == (3, 9)


def test_it_says_that_there_was_nothing_to_unset():
    assert not queue.unset_knob("timeout", now=NOW, by="tests")
    queue.set_knob("max_retries", 1, now=NOW, by="tests")
    assert not queue.unset_knob("timeout", now=NOW, by="tests")


def test_it_takes_dashes_for_underscores():
    queue.set_knob("backoff-max", "10m", now=NOW, by="tests")
    assert _value("backoff_max") == 600
    assert queue.unset_knob("backoff-max", now=NOW, by="tests")


@pytest.mark.parametrize(
    "value",
    [math.nan, math.inf, -1, 10**400, True, None, [], "", "nan", "inf", "1_0", "0x1", "-1", "1e999", "٣", "x" * 99],
)
@pytest.mark.parametrize("knob", conf.KNOBS)
def test_it_refuses_a_wrong_value_and_changes_nothing(knob: str, value: object):
    queue.set_knob(knob, NUMBERS[knob], now=NOW, by="tests")
    with pytest.raises(InvalidInput, match=f"^{knob}: must be "):
        queue.set_knob(knob, value, now=NOW, by="tests")
    assert _value(knob) == NUMBERS[knob]


def test_it_refuses_half_a_retry():
    with pytest.raises(InvalidInput, match="whole"):
        queue.set_knob("max_retries", 1.5, now=NOW, by="tests")


@pytest.mark.parametrize(
    "change",
    [
        lambda: queue.set_knob("color", 1, now=NOW, by="tests"),
        lambda: queue.unset_knob("paused_at", now=NOW, by="tests"),
    ],
)
def test_it_knows_no_other_knob(change):
    with pytest.raises(InvalidInput, match="is not a setting"):
        change()


@pytest.mark.parametrize("name", ["*", "", "a b", "-x", "x" * 65])
def test_it_refuses_what_is_no_name_of_a_queue(name: str):
    for change in (
        lambda: queue.set_knob("timeout", 1, queue=name, now=NOW, by="tests"),
        lambda: queue.unset_knob("timeout", queue=name, now=NOW, by="tests"),
        lambda: queue.pause(name, now=NOW, by="tests"),
    ):
        with pytest.raises(InvalidInput, match=r"^queue: "):
            change()
    assert not Config.objects.exists()


def test_it_makes_a_retry_policy():
    for knob, value in NUMBERS.items():
        queue.set_knob(knob, value, queue="mail", now=NOW, by="tests")
    policies = queue.load_policies(now=NOW)
    assert policies.retry("mail") == Policy(max_retries=7, backoff_base=1.5, backoff_max_seconds=60, jitter=0.25)
    assert policies.retry("other") == Policy(max_retries=3, backoff_base=2, backoff_max_seconds=3_600, jitter=0)


def test_it_takes_a_timeout_of_zero_for_none():
    queue.set_knob("timeout", 60, now=NOW, by="tests")
    queue.set_knob("timeout", 0, queue="mail", now=NOW, by="tests")
    policies = queue.load_policies(now=NOW)
    assert (policies.timeout_seconds("mail"), policies.timeout_seconds("other")) == (None, 60)


def test_it_pauses_a_queue_until_someone_resumes_it():
    queue.pause("mail", now=NOW, reason="the provider is down", by="tests")
    row = Config.objects.get()
    assert (row.queue, row.paused_at, row.paused_until, row.paused_reason) == (
        "mail",
        NOW,
        None,
        "the provider is down",
    )
    later = queue.load_policies(now=after(seconds=10**9))
    assert later.is_paused("mail")
    assert not later.is_paused("other")
    queue.resume("mail", now=NOW, by="tests")
    assert not queue.load_policies(now=NOW).is_paused("mail")
    row.refresh_from_db()
    assert (row.paused_at, row.paused_until, row.paused_reason) == (None, None, None)


def test_it_ends_a_pause_by_itself_when_its_time_is_over():
    queue.pause("mail", now=NOW, until=after(seconds=60), by="tests")
    assert queue.load_policies(now=after(seconds=59.9)).is_paused("mail")
    assert not queue.load_policies(now=after(seconds=60)).is_paused("mail")


def test_it_replaces_the_end_and_the_reason_of_a_pause():
    queue.pause("mail", now=NOW, until=after(seconds=60), reason="a", by="tests")
    queue.pause("mail", now=after(seconds=1), by="tests")
    row = Config.objects.get()
    assert (row.paused_at, row.paused_until, row.paused_reason) == (after(seconds=1), None, None)


@pytest.mark.parametrize("until_seconds", [None, 60])
def test_it_says_that_a_queue_is_not_paused(until_seconds: float | None):
    if until_seconds is not None:
        queue.pause("mail", now=NOW, until=after(seconds=until_seconds), by="tests")
    with pytest.raises(WrongState, match="mail is not paused"):
        queue.resume("mail", now=after(seconds=60), by="tests")


def test_it_keeps_the_settings_of_a_queue_that_is_paused_and_resumed():
    queue.set_knob("timeout", 9, queue="mail", now=NOW, by="tests")
    queue.pause("mail", now=NOW, by="tests")
    queue.resume("mail", now=NOW, by="tests")
    assert _value("timeout", "mail") == 9


def test_it_reads_all_settings_with_one_query(django_assert_num_queries):
    for number in range(5):
        queue.set_knob("timeout", number, queue=f"queue{number}", now=NOW, by="tests")
    with django_assert_num_queries(1):
        policies = queue.load_policies(now=NOW)
        assert [policies.timeout_seconds(f"queue{number}") for number in range(5)] == [None, 1, 2, 3, 4]
        assert policies.retry("queue1").max_retries == 3
