"""The knobs: their bounds hold against every way a value can be wrong."""

import math
from decimal import Decimal

import pytest

from jobs import conf
from jobs.errors import InvalidInput

KNOBS = list(conf.KNOBS.values())
UNUSABLE = [
    math.nan, math.inf, -math.inf, "nan", "inf", "-inf", "Infinity", True, False, None, "", " ", "x", "1_0", "0x10",
    "1e1", "٣", "--1", "1.2.3", "-", ".", "9" * 5_000, 10**400, -1, -0.001, "-1", 1e308, [], {}, [1], Decimal("NaN"),
    b"1", object(),
]  # fmt: skip


@pytest.mark.parametrize("knob", KNOBS, ids=lambda knob: knob.name)
@pytest.mark.parametrize("value", UNUSABLE, ids=lambda value: str(value)[:12] if not isinstance(value, int) else "int")
def test_it_refuses_what_is_no_number_within_bounds(knob, value):
    with pytest.raises(InvalidInput) as refusal:
        knob.clean(value)
    assert refusal.value.field == knob.name
    assert refusal.value.problem.startswith("must be ")
    assert len(str(refusal.value)) < 200


@pytest.mark.parametrize("knob", KNOBS, ids=lambda knob: knob.name)
def test_it_takes_its_bounds_and_its_default(knob):
    for value in (knob.minimum, knob.maximum, knob.default):
        assert knob.clean(value) == value
        assert knob.clean(f"{value:.15g}") == value
    with pytest.raises(InvalidInput, match=f"{knob.name}: must be from"):
        knob.clean(knob.maximum * 2)


@pytest.mark.parametrize(
    ("name", "text", "value"),
    [
        ("timeout", "1h30m", 5_400),
        ("backoff_max", "2d", 172_800),
        ("backoff_base", "0.5", 0.5),
        ("max_retries", "7", 7),
    ],
)
def test_it_reads_a_text_as_a_person_writes_it(name, text, value):
    assert conf.KNOBS[name].clean(text) == value


@pytest.mark.parametrize("value", [1.5, "1.5"])
def test_it_takes_only_a_whole_number_of_retries(value):
    with pytest.raises(InvalidInput, match="max_retries: must be a whole number"):
        conf.KNOBS["max_retries"].clean(value)
    assert isinstance(conf.KNOBS["max_retries"].clean(3.0), int)


@pytest.mark.parametrize("name", ["max-retries", "max_retries"])
def test_it_finds_a_knob_with_dashes_or_underscores(name):
    assert conf.knob(name).name == "max_retries"


def test_it_refuses_a_knob_that_does_not_exist_and_lists_the_others():
    with pytest.raises(InvalidInput, match="colour: is not a setting; choose from max_retries, backoff_base"):
        conf.knob("colour")


def test_it_reads_the_named_commands_or_finds_none(settings):
    settings.JOBS = {"COMMANDS": {"a": 1}}
    assert conf.commands() == {"a": 1}
    for other in ({}, {"COMMANDS": None}, {"COMMANDS": ["a"]}):
        settings.JOBS = other
        assert conf.commands() == {}


def test_it_explains_every_knob():
    assert all(knob.help and knob.name in conf.KNOBS for knob in KNOBS)
