"""P19: whatever is typed is stored whole or refused in one line."""

import json
import random
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest

from jobs.models import Job
from tests.cli.command import queuectl
from tests.e2e.site import CHECKOUT, Site
from tests.fuzz.amount import SEED, portion

PROCESSES = 40
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
@pytest.mark.timeout(3_600)
def test_it_stores_or_refuses_whatever_is_written_and_nothing_in_between():
    """A failure shows the document; the documents are the same in every run."""
    chance = random.Random(SEED)
    codes = []
    for _ in range(portion(3_000)):
        document = mutated(chance)
        done = queuectl("enqueue", document)
        check(done.code, done.out, done.err, document)
        codes.append(done.code)
    assert Job.objects.count() == codes.count(0)
    assert min(codes.count(0), codes.count(2)) > len(codes) / 20


NOISE = [b"\xff", b"\xfe\xff", b"\xef\xbb\xbf", b"\xed\xa0\x80", b"\0", b"\r\n", b"\n\n", b"\x85", b"{", b"\x1b[2J"]
LARGE = b'{"command": "' + b"x" * 10_000_000 + b'"}'


def mutated_file(chance: random.Random) -> bytes:
    """Return a few jobs, a line each, in a file that may be no text."""
    data = b"\n".join(mutated(chance).encode(errors="surrogatepass") for _ in range(chance.randrange(1, 4)))
    if chance.random() < 0.3:
        place = chance.choice([0, chance.randrange(len(data) + 1)])
        data = data[:place] + chance.choice(NOISE) + data[place:]
    return LARGE + b"\n" + data if chance.random() < 0.01 else data


@pytest.mark.django_db
@pytest.mark.timeout(3_600)
def test_it_stores_whole_files_or_nothing(tmp_path: Path):
    chance = random.Random(SEED)
    stored = 0
    path = tmp_path / "jobs.jsonl"
    for _ in range(portion(150, share=0.25)):
        path.write_bytes(mutated_file(chance))
        done = queuectl("enqueue", "--quiet", "--file", str(path))
        assert done.code in (0, 2, 5), done.err
        assert done.err.count("\n") == int(done.code != 0)
        assert done.err.rstrip("\n").isprintable()
        stored += len(done.out.splitlines())
        assert Job.objects.count() == stored
    assert stored


def test_it_does_so_in_processes_of_its_own(site: Site):
    chance = random.Random(3)
    documents = [text for text in (mutated(chance) for _ in range(PROCESSES * 20)) if "\ud800" not in text][:PROCESSES]
    ends = site.run_together(*(["enqueue", document] for document in documents))
    for document, end in zip(documents, ends, strict=True):
        check(end.returncode, end.stdout, end.stderr, document)
    codes = [end.returncode for end in ends]
    for broken in (b'{"command": "\xff"}', b"{\xfe"):
        done = subprocess.run(
            [*site.command("enqueue"), broken], cwd=CHECKOUT, env=site.environment, capture_output=True, check=False
        )
        check(done.returncode, done.stdout.decode(), done.stderr.decode(), repr(broken))
        codes.append(done.returncode)
    assert site.rows("SELECT COUNT(*) AS stored FROM jobs_job")[0]["stored"] == codes.count(0)
