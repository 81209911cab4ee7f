"""Hiding secrets in what is shown."""

from typing import Any

import pytest

from jobs.masking import MASK, masked


@pytest.mark.parametrize(
    "name",
    ["API_TOKEN", "api", "AUTH", "Authorization", "SECRET_KEY", "password", "PGPASSWORD", "SENTRY_DSN", "private",
     "aws_access_key_id", "signature", "credentials", "passphrase"],
)  # fmt: skip
def test_it_hides_a_value_under_a_name_that_sounds_secret(name):
    assert masked({name: "hush"}) == {name: MASK}
    assert masked({name: {"any": ["hush"]}}) == {name: MASK}


def test_it_shows_everything_else_as_it_is():
    value = {"to": "ann@example.com", "count": 3, "flags": [True, None, 1.5], "nested": {"path": "/srv"}}
    assert masked(value) == value
    assert masked(None) is None


def test_it_looks_into_lists_and_objects():
    assert masked([{"a": [{"token": "hush"}]}]) == [{"a": [{"token": MASK}]}]


@pytest.mark.parametrize("empty", [None, "", True, False])
def test_it_shows_that_a_secret_is_not_set(empty):
    assert masked({"password": empty}) == {"password": empty}


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("postgres://me:hush@db:5432/x", f"postgres://me:{MASK}@db:5432/x"),
        ("see https://:hush@host/ and redis://u:hush@h", f"see https://:{MASK}@host/ and redis://u:{MASK}@h"),
        ("https://example.com:8000/a@b", "https://example.com:8000/a@b"),
        ("http://me@host/x", "http://me@host/x"),
    ],
)
def test_it_hides_a_password_inside_a_url(url, shown):
    assert masked({"DATABASE": url}) == {"DATABASE": shown}
    assert masked([url]) == [shown]


def test_it_changes_nothing_in_place():
    value = {"a": [{"token": "hush"}]}
    masked(value)
    assert value == {"a": [{"token": "hush"}]}


def test_it_gives_up_on_what_is_too_deep_to_be_shown():
    value: Any = "hush"
    for _ in range(5_000):
        value = [value]
    assert "hush" not in repr(masked(value))
