"""P15: whatever bytes a job prints are stored, and shown without anything that a terminal or a browser would obey."""

import json
import random

import pytest
from django.contrib.auth.models import User
from django.test import Client

from jobs.models import Attempt
from jobs.outcome import Outcome
from jobs.runners.capture import Capture
from jobs.states import Ending
from jobs.visible import JOINERS
from tests.admin.conftest import browser_of
from tests.admin.pages import get, text_of
from tests.cli.command import Terminal, queuectl
from tests.e2e.site import Site
from tests.factories import make_job, make_outcome, make_supervisor
from tests.fuzz.amount import SEED, portion
from tests.queue import turns

pytestmark = [pytest.mark.timeout(3_600)]

PIECES = [
    bytes(range(256)), b"\0", b"\xff\xfe", b"\xed\xa0\x80", b"\xc0\x80", b"\xf8\x88\x80\x80\x80", b"\xe2\x82",
    b"\x1b[2J", b"\x1b[31m", b"\x1b]0;title\x07", b"\x1b]52;c;cm0gLXJm\x07", b"\x1bP+q\x1b\\", b"\x9b2J", b"\xc2\x9b2J",
    b"\r", b"\r\n", b"\b\b\b", b"\x07", "\u202e\u2066\u200b\u2028\ufeff".encode(), "é日本👩\u200d🚀".encode(),
    b"<script>alert(1)</script>", b"{{7*7}}", b"%s%(x)s{0}", b"\n" * 50, b"x" * 70_000,
]  # fmt: skip
CONTROLS = {chr(code) for code in (*range(9), *range(11, 32), *range(127, 160))}
OBEYED = CONTROLS | set("\u202a\u202e\u2066\u2069\u2028\u200f")


def printed(chance: random.Random) -> bytes:
    """Return what a job may print: pieces that hurt, and noise."""
    parts = [chance.choice(PIECES) for _ in range(chance.randrange(1, 6))]
    if chance.random() < 0.3:
        parts.append(chance.randbytes(chance.randrange(200)))
    return b"".join(parts)


def ended(data: bytes) -> Outcome:
    """Return the end of an attempt that printed it, and failed saying it, as a runner tells it."""
    capture = Capture()
    for start in range(0, len(data), 4_001):
        capture.feed(data[start : start + 4_001])
    said = data[:300].decode(errors="surrogateescape")  # as Python reads what is no UTF-8
    return make_outcome(ending=Ending.FAILED, output=capture.output(), error=said, traceback=said)


def check_terminal(*words: str) -> None:
    done = queuectl(*words, "--no-color", stdout=Terminal())
    assert done.code == 0, done
    lines = done.out.translate(dict.fromkeys(map(ord, JOINERS + "\t"))).split("\n")
    assert all(map(str.isprintable, lines)), words
    assert done.err.replace("\n", "").isprintable()


@pytest.mark.django_db
def test_it_stores_and_shows_them():
    chance = random.Random(SEED)
    client = browser_of(User.objects.create_superuser("root"))
    for number in range(portion(30, share=0.05)):
        id_ = f"job{number}"
        make_job(id=id_, max_retries=0)
        data = printed(chance)
        (recorded,) = turns.record(turns.claim_one(make_supervisor()), outcome=ended(data))
        assert recorded.state == "dead", data
        check_shown(id_, client)


def check_shown(id_: str, client: Client) -> None:
    for words in (["show", id_], ["logs", id_], ["dlq", "show", id_], ["dlq", "list"], ["list"]):
        check_terminal(*words)
    attempt = Attempt.objects.get(job=id_)
    told = json.loads(queuectl("logs", id_, "--json").out)
    assert (told["output_head"], told["output_tail"]) == (attempt.output_head, attempt.output_tail)
    for path in (f"job/{id_}/change/", f"job/{id_}/output/1/", f"deadjob/{id_}/change/", "deadjob/"):
        html = text_of(get(client, path))
        assert not OBEYED & set(html), path
        assert "<script>alert" not in html


def test_it_does_so_in_processes_of_its_own(site: Site):
    chance = random.Random(SEED)
    data = [printed(chance)[:20_000] for _ in range(8)] + [bytes(range(256))]
    for number, each in enumerate(data):
        (site.home / f"bytes{number}").write_bytes(each)
        site.enqueue({"id": f"job{number}", "command": f"cat {site.home}/bytes{number}; exit 100"})
    supervisor = site.start("--drain")
    assert supervisor.wait() == 0
    for number in range(len(data)):
        assert site.job(f"job{number}")["state"] == "dead"
        shown = site.ok("show", f"job{number}")
        assert all(map(str.isprintable, shown.translate(dict.fromkeys(map(ord, JOINERS))).split("\n")))
