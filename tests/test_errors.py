"""Refusals: each has the exit code that the command line promises, and says what was wrong."""

import pytest

from jobs import errors
from jobs.errors import QueueError

EXIT_CODES = {"InvalidInput": 2, "NotFound": 4, "JobExists": 5, "WrongState": 5, "DatabaseUnavailable": 75}


def test_it_ends_the_command_line_with_the_codes_of_the_contract():
    assert {kind.__name__: kind.exit_code for kind in QueueError.__subclasses__()} == EXIT_CODES


def test_it_ends_the_command_line_with_one_for_a_refusal_of_no_special_kind():
    assert QueueError("no").exit_code == 1


def test_it_has_no_refusal_beside_the_family():
    kinds = [thing for thing in vars(errors).values() if isinstance(thing, type)]
    assert all(issubclass(kind, QueueError) for kind in kinds)


@pytest.mark.parametrize("name", EXIT_CODES)
def test_it_documents_each_refusal(name: str):
    assert getattr(errors, name).__doc__


def test_it_names_the_field_of_a_wrong_value():
    error = errors.InvalidInput("priority", "must be a whole number")
    assert str(error) == "priority: must be a whole number"
    assert (error.field, error.problem) == ("priority", "must be a whole number")
