"""For the tests of projects: run the queue within a test, and ask what was enqueued. Nothing of the queue imports this.

See docs/how-to/test.md. The subjects live in private modules; this is their one import path.
"""

from jobs.testing._attempts import DrainedAttempt as DrainedAttempt
from jobs.testing._attempts import JobFailed as JobFailed
from jobs.testing._draining import ATTEMPTS_MAX as ATTEMPTS_MAX
from jobs.testing._draining import TooManyAttempts as TooManyAttempts
from jobs.testing._draining import drain as drain
from jobs.testing._draining import drain_past_failures as drain_past_failures
from jobs.testing._looking import assert_enqueued as assert_enqueued
from jobs.testing._looking import assert_nothing_enqueued as assert_nothing_enqueued
from jobs.testing._looking import enqueued as enqueued
from jobs.testing._mixin import JobsMixin as JobsMixin
