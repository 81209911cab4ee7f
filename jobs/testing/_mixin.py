"""The functions of this package as methods, for test cases in Django's style."""

from jobs.testing import _draining, _looking


class JobsMixin:
    """Stands beside `TestCase` or `TransactionTestCase`. Each method is the function of its name."""

    drain = staticmethod(_draining.drain)
    drain_past_failures = staticmethod(_draining.drain_past_failures)
    enqueued = staticmethod(_looking.enqueued)
    assertEnqueued = staticmethod(_looking.assert_enqueued)  # noqa: N815 - unittest's style
    assertNothingEnqueued = staticmethod(_looking.assert_nothing_enqueued)  # noqa: N815
