"""The forms. They read texts; the queue's own readers judge them, in the words of the command line."""

from collections.abc import Collection, Mapping
from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.utils.translation import gettext_lazy as _

from jobs import conf, durations, strict_json
from jobs.admin.knob_field import KnobField
from jobs.errors import InvalidInput
from jobs.named_commands import Choice, NamedCommand, Parameter

PARAMETER_PREFIX = "set_"  # a parameter may be called as a field of the job is


class JobForm(forms.Form):
    """How a job runs, whatever it is. An empty field is left to the task, or to the settings of the queue."""

    priority = forms.CharField(label=_("Priority"), required=False, help_text=_("−100 to 100; larger runs sooner."))
    delay = forms.CharField(
        label=_("Delay"),
        required=False,
        help_text=_("Start no earlier than this from now: %(examples)s.") % {"examples": durations.EXAMPLES},
    )
    run_at = forms.CharField(
        label=_("Not before"),
        required=False,
        help_text=_("In place of a delay, a time: 2026-12-31 23:59. Without an offset it is in the site's time zone."),
    )
    max_retries = KnobField(knob=conf.KNOBS["max_retries"])
    timeout = KnobField(knob=conf.KNOBS["timeout"])

    def __init__(self, *args: Any, settled: Collection[str] = (), usual: Mapping[str, str], **kwargs: Any) -> None:
        """Leave out the fields that are `settled`; show in the others what holds if they are left empty."""
        super().__init__(*args, **kwargs)
        for name in settled:
            self.fields.pop(name, None)
        for name in self.fields.keys() & usual.keys():
            self.fields[name].widget.attrs["placeholder"] = usual[name]

    def fields_of_job(self) -> dict[str, Any]:
        """Return what was filled in, as `new_job.from_fields` takes it. Raise InvalidInput."""
        names = [name for name in ("queue", *JobForm.base_fields) if self.cleaned_data.get(name) not in (None, "")]
        given = {name: self.cleaned_data[name] for name in names}
        try:
            return given | {"priority": int(given["priority"])} if "priority" in given else given
        except ValueError:
            return given

    def field_of(self, refusal: InvalidInput) -> str | None:
        """Return the field that a refusal is about; None is the form as a whole."""
        names = (refusal.field, f"{PARAMETER_PREFIX}{refusal.field}")
        return next((name for name in names if name in self.fields), None)


class ParameterField(forms.CharField):
    """A parameter of a named command; it takes, refuses and says what the command line does."""

    def __init__(self, *, parameter: Parameter) -> None:
        super().__init__(
            label=str(parameter.label),
            initial=parameter.default,
            help_text=_help(parameter),
            strip=False,
            widget=_widget(parameter),
        )
        self.parameter = parameter

    def clean(self, value: Any) -> Any:
        text = super().clean(value)
        try:
            return self.parameter.clean(text)
        except InvalidInput as refusal:
            raise ValidationError(str(refusal)) from refusal


def _widget(parameter: Parameter) -> forms.Widget:
    if not isinstance(parameter, Choice):
        return forms.TextInput(attrs={"autocomplete": "off", "spellcheck": "false"})
    nothing = [] if parameter.default else [("", "–")]  # nobody starts a command with a value he did not look at
    return forms.Select(choices=[*nothing, *((choice, choice) for choice in parameter.choices)])


def _help(parameter: Parameter) -> str:
    if isinstance(parameter, Choice):
        return str(parameter.help)
    bounds = f"{parameter.bounds[:1].upper()}{parameter.bounds[1:]}."
    return f"{parameter.help} {bounds}".strip()


class CommandForm(JobForm):
    """The parameters of a named command, and what its definition leaves open."""

    def __init__(self, *args: Any, command: NamedCommand, **kwargs: Any) -> None:
        super().__init__(*args, settled=command.settings, **kwargs)
        for name, parameter in command.parameters.items():
            self.fields[f"{PARAMETER_PREFIX}{name}"] = ParameterField(parameter=parameter)
        self.order_fields([name for name in self.fields if name.startswith(PARAMETER_PREFIX)])
        self.command = command

    def values(self) -> dict[str, str]:
        return {name: self.cleaned_data[f"{PARAMETER_PREFIX}{name}"] for name in self.command.parameters}

    def fields_of_job(self) -> dict[str, Any]:
        return super().fields_of_job() | self.command.fields(self.values())


def _json_field(label: Any, help_text: Any) -> forms.CharField:
    area = forms.Textarea(attrs={"rows": 3, "spellcheck": "false", "class": "qc-code"})
    return forms.CharField(label=label, required=False, widget=area, help_text=help_text)


class TaskForm(JobForm):
    """The arguments of a task, in JSON, and where it waits."""

    args = _json_field(_("Arguments"), _('A list in JSON: [42, "first"]. Empty: none.'))
    kwargs = _json_field(_("Named arguments"), _('An object in JSON: {"order_id": 42}. Empty: none.'))
    queue = forms.CharField(label=_("Queue"), required=False, strip=False)
    field_order = ("args", "kwargs", "queue")

    def fields_of_job(self) -> dict[str, Any]:
        texts = {name: self.cleaned_data[name] for name in ("args", "kwargs") if self.cleaned_data[name]}
        return super().fields_of_job() | {name: strict_json.load_field(name, text) for name, text in texts.items()}
