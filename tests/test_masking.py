"""Hiding secrets in what is shown."""

from typing import Any

import pytest

from jobs.masking import MASK, masked


@pytest.mark.parametrize(
    "name",
    ["API_TOKEN", "api", "AUTH", "Authorization", "SECRET_KEY", "password", "PGPASSWORD", "SENTRY_DSN", "private",
     "MYSQL_PWD", "pwd", "Cookie", "SESSION_JWT", "aws_access_key_id", "signature", "credentials", "passphrase"],
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
        ("https://example.com/@user", "https://example.com/@user"),
        ("postgres://me:hu@sh@db/x", f"postgres://me:{MASK}@db/x"),
        ("postgres://me:hu/sh@db/x", f"postgres://me:{MASK}@db/x"),
        ("postgres://me:12/sh@db/x", f"postgres://me:{MASK}@db/x"),
        ("https://gh_hush@github.com/x", f"https://{MASK}@github.com/x"),
        ("https://a.example/,https://u:hush@host/", f"https://a.example/,https://u:{MASK}@host/"),
    ],
)
def test_it_hides_what_may_be_a_password_or_a_token_inside_a_url(url, shown):
    assert masked({"DATABASE": url}) == {"DATABASE": shown}
    assert masked([url]) == [shown]


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("postgresql:///db?user=me&password=hush", f"postgresql:///db?user=me&password={MASK}"),
        ("see /back?API_key=h?u#sh&n=1 there", f"see /back?API_key={MASK}&n=1 there"),
        ("/login?next=/x?token=hush", f"/login?next=/x?token={MASK}"),
        ("https://host/#access_token=hush", f"https://host/#access_token={MASK}"),
        ("/find?q=token&page=2", "/find?q=token&page=2"),
    ],
)
def test_it_hides_a_parameter_of_a_url_whose_name_sounds_secret(url, shown):
    assert masked([url]) == [shown]


def test_it_takes_no_longer_for_a_text_that_is_made_to_take_long():
    for piece in ("@://a:", "?key=", "?a=?", "://a"):
        masked(piece * 50_000)  # minutes, if each piece were a reason to read to the end


def test_it_changes_nothing_in_place():
    value = {"a": [{"token": "hush"}]}
    masked(value)
    assert value == {"a": [{"token": "hush"}]}


def test_it_gives_up_on_what_is_too_deep_to_be_shown():
    value: Any = "hush"
    for _ in range(5_000):
        value = [value]
    assert "hush" not in repr(masked(value))
