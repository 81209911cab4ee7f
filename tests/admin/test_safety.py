"""What jobs are called, run and print is shown, and never executed or believed."""

import re
from html import unescape
from html.parser import HTMLParser
from pathlib import Path

import pytest
from django.contrib.staticfiles import finders
from django.test import Client

from jobs.admin.printable import one_line, printed
from jobs.models import Attempt, Config, ConfigChange, Job
from jobs.states import Kind, State
from tests.admin.pages import PAGES, get, make_rows, post, text_of
from tests.clock import NOW
from tests.factories import make_job, make_supervisor

CORPUS = (
    "<script>alert(1)</script>",
    '"><img/src=x/onerror=alert(1)>',
    "'-alert(1)-'",
    "{{7*7}}{%debug%}",
    "javascript:alert(1)",
    "</pre></title></textarea><svg/onload=alert(1)>",
    "&lt;script&gt;",
    "%(count)s%s{id}",
)


class Inline(HTMLParser):
    """Collects what a strict Content Security Policy would block, and every script there is."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        names = {name for name, _ in attrs}
        if tag == "style" or (tag == "script" and "src" not in names):
            self.found.append(tag)
        self.found += [f"{tag} {name}" for name in names if name == "style" or name.startswith("on")]
        links = [value or "" for name, value in attrs if name in {"href", "src", "action", "formaction"}]
        self.found += [f"{tag} {link}" for link in links if link.strip().lower().startswith("javascript:")]


def inline_of(html: str) -> list[str]:
    parser = Inline()
    parser.feed(html)
    return parser.found


def make_nasty(text: str, *, number: int = 2) -> str:
    """Store `text` in every field there is, and return the id of a dead job made of it."""
    name = f"x{text.replace(' ', '')}"[:62]
    supervisor = make_supervisor(
        id=number,
        marker=str(number),
        host=text,
        queues=[text],
        workers=[{"pid": 1, "jobs": [name]}],
        version=text[:32],
    )
    make_job(id=name, state=State.DEAD, queue=name, command=text, cwd=text, env={text: text}, error=text)
    make_job(id=f"t{name}", kind=Kind.TASK, state=State.DEAD, task=text, command=None, args=[text], kwargs={text: text})
    make_job(id=f"p{name}", state=State.PROCESSING, queue=name, command=text, supervisor=supervisor)
    Config.objects.create(queue=name, paused_at=NOW, paused_reason=text)
    pause = {"until": None, "reason": text}
    ConfigChange.objects.create(queue=name, key="paused", after=pause, changed_by=text, changed_at=NOW)
    ConfigChange.objects.create(queue=name, key=text[:32], after=1, changed_by=text, changed_at=NOW)
    for job in Job.objects.exclude(pk__in=("waiting1",)):
        Attempt.objects.filter(job=job).delete()
        Attempt.objects.create(
            job=job,
            fence=1,
            number=1,
            host=text,
            started_at=NOW,
            outcome="failed",
            error=text,
            output_head=text,
            traceback=text,
        )
    return name


def links_of(html: str) -> set[str]:
    return {unescape(link) for link in re.findall(r'href="(/admin/jobs/[^"]*)"', html)}


@pytest.mark.django_db
@pytest.mark.parametrize("text", CORPUS)
def test_it_escapes_whatever_a_job_is_made_of_on_every_page_that_leads_from_the_lists(superuser: Client, text):
    make_rows()
    make_nasty(text)
    seen: set[str] = set()
    ahead = {f"/admin/jobs/{path}" for path in ("job/", "deadjob/", "config/", "supervisor/")}

    while ahead:
        path = ahead.pop()
        seen.add(path)
        response = superuser.get(path)
        if response.status_code == 200 and "text/html" in response.headers["Content-Type"]:
            html = text_of(response)  # type: ignore[arg-type]
            assert inline_of(html) == [], path
            assert "<script>alert" not in html
            ahead |= {link for link in links_of(html) if "?download" not in link} - seen
        else:
            assert response.status_code == 302, path

    assert len(seen) > 30


@pytest.mark.django_db
@pytest.mark.parametrize("path", [path for path in PAGES if "download" not in path])
def test_it_has_nothing_inline_on_any_page(superuser: Client, path):
    make_rows()

    assert inline_of(text_of(get(superuser, path))) == []


@pytest.mark.django_db
@pytest.mark.parametrize("path", ["config/mail/change/", "job/waiting1/settings/", "config/mail/pause/"])
def test_it_has_nothing_inline_on_a_page_that_refuses(superuser: Client, path):
    make_rows()
    nasty = dict.fromkeys(
        ("queue", "priority", "run_at", "max_retries", "backoff_base", "timeout", "duration", "reason"),
        "<script>alert(1)</script>",
    )

    html = text_of(post(superuser, path, nasty | {"confirmed": "yes", "way": "save", "fence": "0"}))

    assert inline_of(html) == []


@pytest.mark.django_db
def test_it_escapes_what_comes_in_the_address(superuser: Client):
    make_rows()

    for path in ("job/", "deadjob/", "job/requeue/", "deadjob/discard/"):
        for name in ("q", "queue", "error", "state", "kind", "window", "job"):
            response = superuser.get(f"/admin/jobs/{path}", {name: '"><script>alert(1)</script>'})
            assert b"<script>alert" not in response.content


@pytest.mark.parametrize(
    "lookup",
    [
        "env__contains=hunter2",
        "env__regex=h.*2",
        "env=x",
        "args__contains=x",
        "kwargs__contains=x",
        "signature__startswith=x",
        "return_value__contains=x",
        "command__contains=x",
        "attempt_set__output_head__contains=printed",
        "attempt__output_head__contains=printed",
        "supervisor__marker__startswith=0",
        "state__contains=dead",
    ],
)
@pytest.mark.parametrize("page", ["job/", "deadjob/", "job/requeue/", "deadjob/discard/"])
def test_it_answers_no_guesses_at_what_it_does_not_show(superuser: Client, page: str, lookup: str):
    make_rows()

    assert get(superuser, f"{page}?{lookup}").status_code == 400


def test_it_is_one_small_stylesheet_that_loads_nothing():
    path = finders.find("jobs/admin.css")
    assert isinstance(path, str)
    css = Path(path).read_text()

    assert "url(" not in css
    assert "@import" not in css
    assert not re.search(r"(?<![-\w])(left|right|margin-left|margin-right|padding-left|padding-right)\s*:", css)
    assert all(f"html{switch}" in css for switch in ('[data-theme="dark"]', ".dark", '[data-bs-theme="dark"]'))
    assert "prefers-color-scheme: dark" in css


HIDDEN = "echo done\x1b]; touch /tmp/pwn; echo \x07\x1b[8m\u200b\u2060\u00ad\u180e\U000e0041\r\n"
SPELLED = r"echo done\x1b]; touch /tmp/pwn; echo \x07\x1b[8m\u200b\u2060\xad\u180e\U000e0041\r"


@pytest.mark.django_db
def test_it_hides_nothing_of_what_is_executed_named_or_logged(superuser: Client):
    make_job(state=State.DEAD, command=HIDDEN, cwd=HIDDEN, env={HIDDEN: HIDDEN}, error=HIDDEN)
    Attempt.objects.create(
        job_id="job1", fence=1, number=1, host="h", started_at=NOW, outcome="failed", error=HIDDEN, traceback=HIDDEN
    )
    make_job(id="task1", kind=Kind.TASK, state=State.DEAD, task=HIDDEN, command=None, args=[HIDDEN])

    for path in ("job/", "deadjob/", "job/requeue/", "job/delete/?job=job1", "job/task1/change/"):
        assert SPELLED in unescape(text_of(get(superuser, path))), path
    page = unescape(text_of(get(superuser, "job/job1/change/")))
    # Command, directory, name and value in the environment; why it ended, last error, the attempt's, its traceback.
    assert page.count(SPELLED) == 8


def test_it_takes_terminal_sequences_out_of_what_a_job_printed():
    assert printed("\x1b[1;31mred\x1b[0m \x1b]0;title\x07x\r\n") == "red x\n"
    assert printed("\x1b]8;;https://example.com/\x1b\\link\x1b]8;;\x1b\\") == "link"


@pytest.mark.parametrize(
    "text",
    [
        "all of the rest\x1b]0;title without an end\nis there",
        f"what is longer \x1b]{'x' * 600}\x07 than a title",
        f"or than \x1b[{'1;' * 40}m a colour",
        "two lines \x1b]0;of\na title\x07",
    ],
)
def test_it_takes_nothing_out_that_is_no_terminal_sequence(text: str):
    assert printed(text) == text.replace("\x1b", "\\x1b").replace("\x07", "\\x07")


def test_it_cuts_to_one_line():
    assert one_line("a\nb   c", 10) == "a b c"
    assert one_line("x" * 11, 10) == "x" * 10 + "…"
    assert one_line("echo" + " " * 1_000 + "; rm", 10) == "echo…"
