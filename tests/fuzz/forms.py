"""The forms of a page as a browser sees them, and what else may be posted to where they lead."""

import random
from dataclasses import dataclass, field
from html.parser import HTMLParser

from tests.fuzz.values import HOSTILE, KNOWN

EXTRA = ["[Infinity]", "[-1e999, NaN]", "a " * 1_100, "cmd:a " * 600, "task:a " * 600]
EXTRA += ["\0", "a\0b", "\u2066x", "[" * 10_000, '["job1"]', '{"a": 1}', "[1, null]", '["\\u0000"]', '["\\ud800"]']
KEPT = {"csrfmiddlewaretoken"}


@dataclass(slots=True)
class Form:
    """The fields of one form that posts, with their values; of several buttons any may be pressed."""

    fields: dict[str, list[str]] = field(default_factory=dict)
    buttons: list[tuple[str, str]] = field(default_factory=list)

    def mutated(self, chance: random.Random) -> dict[str, list[str]]:
        """Return what is posted: most of it as a browser would, one field or two with something else."""
        data = {name: list(values) for name, values in self.fields.items()}
        if self.buttons:
            name, value = chance.choice(self.buttons)
            data[name] = [value]
        names = sorted(data.keys() - KEPT)
        for name in chance.sample(names, min(len(names), chance.choice([1, 1, 1, 2]))):
            data[name] = [chance.choice(HOSTILE + KNOWN + EXTRA) for _ in range(chance.choice([0, 1, 1, 1, 1, 2]))]
        return data


class _Forms(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.found: list[Form] = []
        self._form: Form | None = None
        self._select: str | None = None

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = {name: value or "" for name, value in attrs}
        if tag == "form":
            self._form = Form() if values.get("method", "").lower() == "post" else None
        elif self._form is not None:
            self._note(self._form, tag, values)

    def _note(self, form: Form, tag: str, values: dict[str, str]) -> None:
        name = values.get("name", "")
        if tag == "button" or values.get("type") == "submit":
            form.buttons += [(name, values.get("value", ""))] if name else []
        elif tag in ("input", "textarea") and name:
            form.fields.setdefault(name, []).append(values.get("value", ""))
        elif tag == "select":
            self._select = name
        elif tag == "option" and self._select and ("selected" in values or self._select not in form.fields):
            form.fields[self._select] = [values.get("value", "")]

    def handle_endtag(self, tag: str) -> None:
        if tag == "form" and self._form is not None:
            self.found.append(self._form)
            self._form = None


def forms_of(html: str) -> list[Form]:
    parser = _Forms()
    parser.feed(html)
    return parser.found
