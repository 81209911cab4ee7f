"""Which runner runs which kind of job. The worker asks here."""

from jobs.runners import Runner, shell
from jobs.states import Kind

RUNNERS: dict[Kind, Runner] = {Kind.SHELL: shell.run}
