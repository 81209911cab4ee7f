"""From an entry of `JOBS["COMMANDS"]` to a command that can be started."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from django.utils.functional import Promise

from jobs import conf, new_job
from jobs.errors import InvalidInput
from jobs.named_commands import _parameter, _template
from jobs.named_commands._parameter import Matching, Parameter
from jobs.named_commands._wrong import WrongDefinition, dictionary, label_of, words_of

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}")
CHOSEN = "; if absent, who starts it may choose"
JOB_FIELDS = {
    "queue": "; `default` if absent",
    "priority": CHOSEN,
    "max_retries": CHOSEN,
    "timeout": CHOSEN,
    "backoff_base": "",
    "backoff_max": "",
    "cwd": "",
    "env": "; shown masked, where a name sounds secret",
}
ANY_MOMENT = datetime(2000, 1, 1, tzinfo=UTC)  # no field of a definition is reckoned from now

COMMAND_KEYS = {
    "command": "list of the program and its arguments; `{name}` is the place of a parameter",
    "parameters": "dictionary of what is chosen by who starts it",
    "label": "its name for people; made from its name if absent",
    "help": "what it does and what follows, for those who are about to start it",
    **{name: f"[as of a job](json.md#a-job-to-enqueue){after}" for name, after in JOB_FIELDS.items()},
}


@dataclass(frozen=True, slots=True, kw_only=True)
class NamedCommand:
    """A command that a site trusts. `settings` are the fields of its jobs that are not chosen by who starts it."""

    name: str
    label: str | Promise
    help: str | Promise
    arguments: tuple[_template.Argument, ...]
    parameters: Mapping[str, Parameter]
    settings: Mapping[str, Any]

    def words(self, values: Mapping[str, object]) -> list[str]:
        """Return the program and its arguments. Raise InvalidInput, which names a parameter."""
        for name in values:
            if name not in self.parameters:
                known = ", ".join(self.parameters) or "none"
                raise InvalidInput(new_job.shown(name), f"is no parameter of {self.name}; it has {known}")
        cleaned = {name: parameter.clean(values.get(name)) for name, parameter in self.parameters.items()}
        return _template.filled(self.arguments, cleaned)

    def fields(self, values: Mapping[str, object]) -> dict[str, Any]:
        """Return the fields of a job, as `new_job.from_fields` takes them. Raise InvalidInput."""
        return {"command": self.words(values), **self.settings}

    @property
    def pattern(self) -> list[str]:
        """The program and its arguments with the names of parameters in their places."""
        return _template.filled(self.arguments, {name: f"{{{name}}}" for name in self.parameters})


def commands() -> dict[str, NamedCommand]:
    """Return the commands of the setting, in its order, without those that are wrong."""
    return {found.name: found for found in _read_all() if isinstance(found, NamedCommand)}


def problems() -> list[WrongDefinition]:
    """Return what is wrong with the others: of each the first thing."""
    return [found for found in _read_all() if isinstance(found, WrongDefinition)]


def find(name: str) -> NamedCommand:
    """Return the command of that name. Raise InvalidInput."""
    definitions = conf.commands()
    if name not in definitions:
        choice = f"choose from {', '.join(map(str, definitions))}" if definitions else 'JOBS["COMMANDS"] names none'
        raise InvalidInput("named", f"there is no command {new_job.shown(name)!r}; {choice}")
    try:
        return _read(name, definitions[name])
    except WrongDefinition as wrong:
        raise InvalidInput("named", f"{wrong} {wrong.hint}") from None


def _read_all() -> Iterator[NamedCommand | WrongDefinition]:
    for name, definition in conf.commands().items():
        try:
            yield _read(name, definition)
        except WrongDefinition as wrong:
            yield wrong


def _read(name: object, definition: object) -> NamedCommand:
    place = f"JOBS['COMMANDS'][{name!r}]"
    if not isinstance(name, str) or not NAME.fullmatch(name):
        hint = "Use letters, digits, dashes, dots and underscores, and begin with a letter or a digit."
        raise WrongDefinition(place, "has a name that no command can have", hint)
    given = dictionary(place, definition, COMMAND_KEYS)
    arguments = _template.read(f"{place}['command']", given.get("command"))
    parameters = _parameters(f"{place}['parameters']", given.get("parameters", {}), arguments)
    risky = {parameter.name for parameter in parameters.values() if isinstance(parameter, Matching)}
    _template.refuse_script(f"{place}['command']", arguments, risky)
    return NamedCommand(
        name=name,
        label=label_of(place, given, name),
        help=words_of(place, given, "help"),
        arguments=arguments,
        parameters=parameters,
        settings=_settings(place, given),
    )


def _parameters(place: str, definitions: object, arguments: tuple[_template.Argument, ...]) -> dict[str, Parameter]:
    used, beginning = _template.parameters(arguments), _template.beginning(arguments)
    given = dictionary(place, definitions, definitions if isinstance(definitions, Mapping) else used)
    for name in used:
        if name not in given:
            hint = f"Add {name!r} to it. For braces as they stand write them twice: {{{{ and }}}}."
            raise WrongDefinition(place, f"lacks {name!r}, which has a place in the command", hint)
    for name in given:
        if name not in used:
            hint = f"Give it one, as {{{name}}}, or take it out."
            raise WrongDefinition(f"{place}[{name!r}]", "has no place in the command", hint)
    return {
        name: _parameter.read(f"{place}[{name!r}]", name, definition, begins_argument=name in beginning)
        for name, definition in given.items()
    }


def _settings(place: str, given: Mapping[str, Any]) -> dict[str, Any]:
    settings = {name: given[name] for name in JOB_FIELDS if given.get(name) is not None}
    try:
        # The words are judged with it: the longest that a value makes of them is judged again when it is there.
        new_job.from_fields({"command": list(given["command"]), **settings}, now=ANY_MOMENT)
    except InvalidInput as refusal:
        hint = "It is as in a job; see docs/reference/json.md."
        raise WrongDefinition(f"{place}[{refusal.field!r}]", refusal.problem, hint) from None
    return settings
