"""Commands that a site trusts and names in `JOBS["COMMANDS"]`: the one kind of shell job that the web may start.

Nobody who starts one writes what is executed. The program and its arguments stand in the setting, no shell reads them,
and a checked value fills its place within one argument. Called by the admin, the command line and the system checks.
"""

from jobs.named_commands._definition import COMMAND_KEYS as COMMAND_KEYS
from jobs.named_commands._definition import NamedCommand as NamedCommand
from jobs.named_commands._definition import commands as commands
from jobs.named_commands._definition import find as find
from jobs.named_commands._definition import problems as problems
from jobs.named_commands._parameter import PARAMETER_KEYS as PARAMETER_KEYS
from jobs.named_commands._parameter import Choice as Choice
from jobs.named_commands._parameter import Parameter as Parameter
from jobs.named_commands._wrong import WrongDefinition as WrongDefinition
