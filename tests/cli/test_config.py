"""`config`: what is set, where it comes from, and what is refused."""

import json

import pytest

from jobs.models import Config
from tests.cli.command import ok, queuectl, refused

pytestmark = pytest.mark.django_db


def test_it_sets_and_gets_a_number():
    assert ok("config", "set", "max-retries", "5") == (
        "max_retries = 5 for all queues without a value of their own. See all: queuectl config list\n"
    )
    assert ok("config", "get", "max_retries") == "5\n"
    assert Config.objects.get().max_retries == 5


def test_it_takes_durations_and_echoes_them():
    assert ok("config", "set", "timeout", "1m30s", "--queue", "mail").startswith(
        "timeout = 90s (1m30s) for queue mail."
    )
    assert ok("config", "get", "timeout", "--queue", "mail") == "1m30s\n"


def test_it_says_that_no_time_is_no_limit():
    assert "0s (no limit)" in ok("config", "list")
    assert next(row for row in json.loads(ok("config", "list", "--json")) if row["key"] == "timeout")["value"] == 0
    assert ok("config", "set", "timeout", "0").startswith("timeout = 0s (no limit) for all queues")
    assert ok("config", "set", "backoff-max", "0").startswith("backoff_max = 0s for all queues")


def test_it_tells_where_a_value_comes_from():
    ok("config", "set", "jitter", "0.5")
    ok("config", "set", "backoff-base", "3", "--queue", "mail")
    settings = {row["key"]: row for row in json.loads(ok("config", "list", "--queue", "mail", "--json"))}
    assert (settings["jitter"]["value"], settings["jitter"]["origin"]) == (0.5, "defaults")
    assert (settings["backoff_base"]["value"], settings["backoff_base"]["origin"]) == (3, "queue")
    assert (settings["timeout"]["value"], settings["timeout"]["origin"]) == (0, "built-in")


def test_it_lists_what_queues_set_for_themselves():
    ok("config", "set", "timeout", "10m", "--queue", "mail")
    assert ok("config", "list").endswith("\nQUEUE  KEY      VALUE\nmail   timeout  600s (10m)\n")


def test_it_keeps_data_and_remarks_apart():
    done = queuectl("config", "get", "retention")
    assert (done.out, done.err) == ("7d\n", "retention: built-in\n")


def test_it_goes_back_to_what_is_behind_a_value():
    ok("config", "set", "max-retries", "5")
    assert ok("config", "unset", "max-retries").startswith("max_retries = 3 (built-in) for all queues")
    assert ok("config", "unset", "max-retries").startswith("It was not set for all queues")


@pytest.mark.parametrize(
    ("key", "value", "problem"),
    [
        ("max-retries", "-1", "max_retries: must be from 0 to 1000"),
        ("max-retries", "1.5", "max_retries: must be a whole number"),
        ("max-retries", "1_0", "max_retries: must be a number"),
        ("max-retries", "", "max_retries: must be a number"),
        ("max-retries", "9" * 5_000, "max_retries: must be a number"),
        ("backoff-base", "nan", "backoff_base: must be a number"),
        ("backoff-base", "inf", "backoff_base: must be a number"),
        ("backoff-base", "true", "backoff_base: must be a number"),
        ("backoff-max", "forever", "backoff_max: must be a duration such as 90s, 10m, 1h30m or 2d"),
        ("jitter", "2", "jitter: must be from 0 to 1"),
        ("timeout", "400d", "timeout: must be from 0 to"),
        ("retires", "1", "retires: is not a setting; choose from max_retries"),
    ],
)
def test_it_refuses_what_is_wrong_and_changes_nothing(key, value, problem):
    assert problem in refused("config", "set", key, value)
    assert not Config.objects.exists()


def test_it_refuses_a_negative_number_with_the_reason():
    assert "max_retries: must be from 0 to 1000" in refused("config", "set", "max-retries", "-5")
    assert "must not be *" in refused("config", "set", "timeout", "1", "--queue", "*")
