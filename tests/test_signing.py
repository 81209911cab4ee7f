"""A shell job's signature covers everything that decides what will run."""

from typing import Any

import pytest
from django.test import override_settings

from jobs import signing
from tests.factories import make_claim

JOB: dict[str, Any] = {"id": "job1", "command": "echo é", "uses_shell": True, "cwd": "/", "env": {"B": "2", "A": "1"}}


def test_it_recognises_its_own_signature():
    assert signing.verify(**JOB, signature=signing.sign(**JOB))


def test_it_does_not_care_in_which_order_the_database_returns_the_environment():
    assert signing.verify(**(JOB | {"env": {"A": "1", "B": "2"}}), signature=signing.sign(**JOB))


def test_it_takes_no_environment_and_an_empty_one_for_the_same():
    assert signing.verify(**(JOB | {"env": None}), signature=signing.sign(**(JOB | {"env": {}})))


@pytest.mark.parametrize(
    "change",
    [
        {"id": "job2"},
        {"command": "echo e"},
        {"command": None},
        {"uses_shell": False},
        {"cwd": None},
        {"cwd": "/tmp"},
        {"env": None},
        {"env": {"A": "1"}},
        {"env": {"A": "1", "B": "3"}},
    ],
)
def test_it_notices_every_change(change: dict[str, Any]):
    assert not signing.verify(**(JOB | change), signature=signing.sign(**JOB))


@pytest.mark.parametrize("signature", [None, "", ":", "a:b", "é", "x" * 128])
def test_it_refuses_what_is_no_signature(signature: str | None):
    assert not signing.verify(**JOB, signature=signature)


def test_it_refuses_a_claim_whose_environment_is_no_json():
    claim = make_claim(signature=signing.sign(id="job1", command="true", uses_shell=True, cwd=None, env=None))

    assert signing.is_genuine(claim)
    assert not signing.is_genuine(claim._replace(env_json="{"))


def test_it_follows_the_secret_key():
    signature = signing.sign(**JOB)
    with override_settings(SECRET_KEY="another"):
        assert not signing.verify(**JOB, signature=signature)
    assert signing.verify(**JOB, signature=signature)


def test_it_honours_the_keys_that_were_rotated_out():
    with override_settings(SECRET_KEY="old"):
        signature = signing.sign(**JOB)
    with override_settings(SECRET_KEY="new", SECRET_KEY_FALLBACKS=["older", "old"]):
        assert signing.verify(**JOB, signature=signature)
        assert signing.sign(**JOB) != signature
    with override_settings(SECRET_KEY="new", SECRET_KEY_FALLBACKS=[]):
        assert not signing.verify(**JOB, signature=signature)
