"""P19 and P3: whatever is typed is stored whole or refused in one line; one id is one job."""

import json
import random
import re
import subprocess
from typing import Any

import pytest

from jobs.models import Job
from tests.cli.command import queuectl
from tests.e2e.conftest import initialized_home, make_site, site  # noqa: F401 - fixtures
from tests.e2e.site import CHECKOUT, Site

DOCUMENTS = 5_000
PROCESSES = 12
RACERS = 16
STARTS: list[dict[str, Any]] = [
    {"id": "job1", "command": "echo hi"},
    {"command": ["ls", "-la"], "queue": "mail", "priority": 5, "delay": "10m", "max_retries": 3},
    {"task": "app.tasks.send", "args": [1, "two", None], "kwargs": {"to": "ann@example.com"}},
    {"command": "true", "cwd": "/srv", "env": {"A": "1"}, "timeout": 30, "run_at": "2026-12-31T23:59:00Z"},
]
VALUES: list[Any] = [
    None, True, False, 0, -1, 1, 1.5, -0.0, 10**30, "", " ", "x", "NaN", "\0", "\ud800", "\u202e", "\x1b[2J", "é" * 70,
    "x" * 200_000, [], {}, [[]], {"": ""}, {"a": {"b": [None]}}, "-1", "{", "2026-02-30", "99999d", "*", "../..",
]  # fmt: skip
TOKENS = [
    "NaN", "Infinity", "-Infinity", "1e999", "9" * 5_000, "[" * 200_000, '{"a":' * 1_000, "\ufeff", '"id":"a","id":"b"',
    "\\ud800", "\\u0000", "\0", "\x1b[31m", "'", '"', ",", "}", "{", "]", ":", "\\", "\n", "\r", "//", "\u2028",
]  # fmt: skip
FIELDS = ["id", "command", "task", "args", "kwargs", "queue", "priority", "run_at", "delay", "max_retries", "timeout",
          "cwd", "env", "nonsense", "", "\x1b[2J", "state", "fence", "signature"]  # fmt: skip


def mutated(chance: random.Random) -> str:
    """Return a job as JSON with something wrong in its values, its text, or both; or nothing wrong at all."""
    fields = dict(chance.choice(STARTS))
    for _ in range(chance.randrange(3)):
        fields[chance.choice(FIELDS)] = chance.choice(VALUES)
    text = json.dumps(fields, ensure_ascii=chance.random() < 0.5)
    for _ in range(chance.choice([0, 0, 1, 2])):
        start = chance.randrange(len(text) + 1)
        end = min(len(text), start + chance.randrange(4))
        text = text[:start] + chance.choice(TOKENS) + text[end:]
    # An argument that begins otherwise is a command, which is another thing.
    return text if text.startswith("{") else "{" + text


def check(code: int, out: str, err: str, document: str) -> None:
    """Expect that a document was stored, or refused in one plain line."""
    assert code in (0, 2, 5), (document[:200], err)
    said = out if code == 0 else err
    assert said.count("\n") == 1, (document[:200], said)
    assert said.rstrip("\n").isprintable()
    assert len(said) < 1_000
    if code == 2:
        assert re.match(r"(manage\.py )?queuectl( enqueue)?: \S.*", said), said


@pytest.mark.django_db
def test_it_stores_or_refuses_whatever_is_written_and_nothing_in_between():
    """The seed is printed by a failure through the document; the documents are the same in every run."""
    chance = random.Random(20_261_124)
    codes = []
    for _ in range(DOCUMENTS):
        document = mutated(chance)
        done = queuectl("enqueue", document)
        check(done.code, done.out, done.err, document)
        codes.append(done.code)
    assert Job.objects.count() == codes.count(0)
    assert min(codes.count(0), codes.count(2)) > DOCUMENTS / 20


@pytest.mark.django_db
def test_it_stores_whole_files_or_nothing():
    chance = random.Random(7)
    stored = 0
    for _ in range(100):
        documents = [mutated(chance) for _ in range(chance.randrange(1, 3))]
        done = queuectl(
            "enqueue", "--quiet", "--file", "-", stdin="\n".join(documents).encode(errors="replace").decode()
        )
        assert done.code in (0, 2, 5), done.err
        assert done.err.count("\n") == int(done.code != 0)
        stored += len(done.out.splitlines())
        assert Job.objects.count() == stored


def test_it_does_so_in_processes_of_its_own(site: Site):  # noqa: F811
    chance = random.Random(3)
    # The system passes no NUL and no argument above 128 KiB, and Python no lone surrogate.
    documents: list[bytes] = [
        text.encode()
        for text in (mutated(chance) for _ in range(PROCESSES * 20))
        if "\0" not in text and "\ud800" not in text and len(text.encode()) < 131_072
    ][:PROCESSES]
    documents += [b'{"command": "\xff"}', b"{\xfe"]
    codes = []
    for document in documents:
        done = subprocess.run(
            [*site.command("enqueue"), document], cwd=CHECKOUT, env=site.environment, capture_output=True, check=False
        )
        check(done.returncode, done.stdout.decode(), done.stderr.decode(), repr(document))
        codes.append(done.returncode)
    assert site.rows("SELECT COUNT(*) AS stored FROM jobs_job")[0]["stored"] == codes.count(0)


def test_it_takes_one_of_many_that_enqueue_one_id_at_one_instant(site: Site):  # noqa: F811
    gate = site.home / "gate"
    wait = 'while [ ! -e "$0" ]; do sleep 0.01; done; exec "$@"'
    racers = [
        subprocess.Popen(
            ["/bin/sh", "-c", wait, str(gate), *site.command("enqueue", "--id", "one", f"echo {number}")],
            cwd=CHECKOUT,
            env=site.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for number in range(RACERS)
    ]
    gate.touch()
    ends = [(*racer.communicate(timeout=100), racer.returncode) for racer in racers]
    winners = [number for number, (_, _, code) in enumerate(ends) if code == 0]
    assert len(winners) == 1
    assert {err for _, err, code in ends if code != 0} == {"queuectl: one exists already; nothing was changed\n"}
    assert {code for _, _, code in ends} == {0, 5}
    assert [row["command"] for row in site.rows("SELECT command FROM jobs_job")] == [f"echo {winners[0]}"]
