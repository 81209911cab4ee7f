"""P17: no value of a setting breaks the retry rule; who refuses one says why, and changes nothing."""

import itertools
import json
import math
import random
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.db import transaction
from django.test import Client

from jobs import conf
from jobs.models import Config, ConfigChange, Job
from tests.admin.conftest import browser_of
from tests.admin.pages import post
from tests.cli.command import queuectl
from tests.fuzz.amount import FUZZ, SEED
from tests.fuzz.values import HOSTILE

pytestmark = [pytest.mark.django_db, pytest.mark.timeout(3_600)]

USUAL = 150
OF_A_JOB = ("max_retries", "backoff_base", "backoff_max", "timeout")  # of the JSON form
JSON_VALUES: list[Any] = [
    *HOSTILE, None, True, False, 0, -0.0, 0.5, 1, 2, -1, 1_000, 1_001, 10**30, 1e-320, 3.2e7, [], {}, [1],
]  # fmt: skip


def some(pairs: list[tuple[str, Any]]) -> list[tuple[str, Any]]:
    return pairs if FUZZ else random.Random(SEED).sample(pairs, USUAL)


def stored(knob: str) -> Any:
    return Config.objects.filter(queue="mail").values_list(knob, flat=True).first()


def check_bounds(knob: str, value: Any) -> None:
    bounds = conf.KNOBS[knob]
    assert math.isfinite(value)
    assert bounds.minimum <= value <= bounds.maximum


def test_it_takes_or_refuses_the_same_in_the_admin_as_on_the_command_line():
    client = browser_of(User.objects.create_superuser("root"))
    codes = [_set_both(client, knob, value) for knob, value in some(list(itertools.product(conf.KNOBS, HOSTILE)))]
    assert min(codes.count(0), codes.count(2)) > len(codes) / 20


def _set_both(client: Client, knob: str, value: str) -> int:
    done = queuectl("config", "set", knob, "--queue", "mail", "--", value)
    by_command = stored(knob)
    assert done.code in (0, 2), (knob, value, done)
    assert (by_command is not None) == ConfigChange.objects.exists() == (done.code == 0)
    if done.code == 2:
        assert (done.out, done.err.count("\n")) == ("", 1)
    else:
        check_bounds(knob, by_command)
    for model in (Config, ConfigChange):
        model.objects.all().delete()
    with transaction.atomic():
        response = post(client, "config/mail/change/", {knob: value})
        by_form = stored(knob)
        transaction.set_rollback(True)
    assert response.status_code == (302 if done.code == 0 or not value.strip() else 200), (knob, value)
    assert by_form == by_command, (knob, value)
    return done.code


def test_it_takes_or_refuses_it_in_a_job():
    codes = [_enqueue(field, value) for field, value in some(list(itertools.product(OF_A_JOB, JSON_VALUES)))]
    assert min(codes.count(0), codes.count(2)) > len(codes) / 20


def _enqueue(field: str, value: Any) -> int:
    done = queuectl("enqueue", json.dumps({"id": "job1", "command": "true", field: value}))
    job = Job.objects.filter(pk="job1").first()
    assert done.code in (0, 2), (field, value, done)
    assert (job is not None) == (done.code == 0)
    if job is None:
        assert (done.out, done.err.count("\n")) == ("", 1)
        assert done.err.startswith(f"queuectl: {field}: ")
    else:
        column = {"backoff_max": "backoff_max_seconds", "timeout": "timeout_seconds"}.get(field, field)
        if (own := getattr(job, column)) is not None:
            check_bounds(field, own)
        job.delete()
    return done.code
