"""The page that asks before anything is changed. It says what, how many, what follows; its button is the only POST."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from django import forms
from django.http import HttpRequest
from django.template.response import TemplateResponse

from jobs.admin.base import QueueAdmin


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """What a confirmation page says. `button` of None: nothing to confirm. `hidden` travels with the answer."""

    title: str
    scope: str = ""
    consequence: str
    notes: Sequence[str] = ()
    examples: Sequence[tuple[str, str]] = ()
    button: str | None
    is_destructive: bool = False
    action_url: str
    back_url: str
    hidden: Mapping[str, str] = field(default_factory=dict)
    form: forms.Form | None = None


def ask(model_admin: QueueAdmin, request: HttpRequest, question: Question) -> TemplateResponse:
    return model_admin.page(request, "confirm.html", question.title, question=question)


def is_confirmed(request: HttpRequest) -> bool:
    """Tell whether this request comes from the button of a confirmation page."""
    return request.method == "POST" and request.POST.get("confirmed") == "yes"
