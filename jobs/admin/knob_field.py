"""A form field for a knob: what the command line takes, refuses and says, the admin takes, refuses and says."""

from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.utils.text import capfirst

from jobs import conf, durations
from jobs.errors import InvalidInput


class KnobField(forms.CharField):
    """Empty is None: not set."""

    def __init__(self, *, knob: conf.Knob, **kwargs: Any) -> None:
        label = capfirst(knob.name.replace("_", " "))
        super().__init__(required=False, label=label, help_text=_help(knob), **kwargs)
        self.knob = knob

    def prepare_value(self, value: Any) -> Any:
        return shown(self.knob, value) if isinstance(value, int | float) else value

    def clean(self, value: Any) -> Any:
        text = super().clean(value)
        if not text:
            return None
        try:
            return self.knob.clean(text)
        except InvalidInput as refusal:
            raise ValidationError(str(refusal)) from refusal

    def has_changed(self, initial: Any, data: Any) -> bool:
        try:
            before = self.clean(initial) if isinstance(initial, str) else initial
            return bool(self.clean(data) != before)
        except ValidationError:
            return True


def shown(knob: conf.Knob, value: float) -> str:
    """Return a knob's value as a person would type it."""
    return durations.text(value) if knob.unit == "seconds" else f"{value:g}"


def bounds(knob: conf.Knob) -> str:
    return f"{shown(knob, knob.minimum)} – {shown(knob, knob.maximum)}"


def _help(knob: conf.Knob) -> str:
    text = capfirst(knob.help)
    examples = f"; {durations.EXAMPLES}" if knob.unit == "seconds" else ""
    return f"{text}. ({bounds(knob)}{examples})"
