"""The plugin for pytest, which loads it in every run: so it imports nothing of Django's before a test asks for it."""

from types import ModuleType

import pytest


@pytest.fixture
def queuectl(db: None) -> ModuleType:  # noqa: ARG001 - it makes the database available
    """The functions of `jobs.testing`, in a test that may use the database: `queuectl.drain()`.

    With `transactional_db` beside it the test has no transaction around it.
    """
    from jobs import testing  # noqa: PLC0415 - it imports models

    return testing
