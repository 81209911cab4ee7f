"""P19: whatever is typed after `queuectl` ends in an exit code of the contract and plain lines, with no traceback."""

import contextlib
import random
import re
from collections import Counter
from collections.abc import Iterator
from unittest import mock

import pytest
from django.db import transaction

from jobs.visible import JOINERS
from tests.cli.command import Done, parser, queuectl
from tests.e2e.site import Site
from tests.fuzz.amount import SEED, portion
from tests.fuzz.command_lines import mutated, places
from tests.fuzz.rows import everything, make_rows

PROCESSES = 40
# What may be answered: to every verb, and to some (the table in docs/reference/commands.md).
ALWAYS = {0, 2, 4, 5, 6}
ALSO = {
    "doctor": {1},
    "logs": {130},
    "move": {1, 75},
    "status": {3, 130},
    "wait": {10, 124, 130},
    "web": {1},
    "worker": {130},
}
# What would start something, or wait for something, that this test does not have. Arguments are read before.
ACTIONS = (
    "jobs.supervisor.run",
    "jobs.cli.initdb.call_command",
    "jobs.cli.web.call_command",
    "jobs.cli.web._refuse_taken",
)
OWN_STYLE = re.compile(r"\x1b\[(?:0|1|2|3[1-6])m")  # with --force-color


@pytest.fixture
def harmless() -> Iterator[None]:
    """Let nothing be started; and a verb that would wait is interrupted, as by Ctrl-C."""
    with contextlib.ExitStack() as stack:
        for path in ACTIONS:
            stack.enter_context(mock.patch(path, return_value=0))
        stack.enter_context(mock.patch("time.sleep", side_effect=KeyboardInterrupt))
        yield


def is_harmless(line: str) -> bool:
    """Tell whether a terminal only prints it: nothing to obey but our own colours, and characters that join others."""
    return OWN_STYLE.sub("", line).translate(dict.fromkeys(map(ord, JOINERS))).isprintable()


def check(words: list[str], done: Done) -> None:
    """Expect an answer of the contract, in lines that a terminal can show."""
    told = (words, done)
    verb = next((word for word in words if not word.startswith("-")), "")
    assert done.code in ALWAYS | ALSO.get(verb, set()), told
    for stream in (done.out, done.err):
        assert all(map(is_harmless, stream.split("\n"))), told
        assert "Traceback" not in stream, told
    assert max(map(len, done.err.split("\n"))) < 1_000, told
    if done.code == 2:
        assert (done.out, done.err.count("\n")) == ("", 1), told


@pytest.mark.django_db
@pytest.mark.timeout(3_600)
def test_it_answers_every_command_line_and_changes_nothing_where_it_refuses(harmless: None):
    make_rows()
    before = everything()
    chance = random.Random(SEED)
    tree = list(places(parser()))
    codes: Counter[int] = Counter()
    for number in range(portion(1_500)):
        words = mutated(tree[number % len(tree)], chance)
        with transaction.atomic():
            done = queuectl(*words)
            check(words, done)
            if done.code == 2:
                assert everything() == before, words
            transaction.set_rollback(True)
        codes[done.code] += 1
    assert min(codes[0], codes[2], codes[4]) > sum(codes.values()) / 50


# Of those that end by themselves, and start nothing.
QUICK = {"enqueue", "list", "show", "config", "queue", "dlq", "retry", "cancel", "delete", "prune"}


def test_it_does_so_in_processes_of_its_own(site: Site):
    chance = random.Random(SEED)
    tree = [place for place in places(parser()) if place.words and place.words[0] in QUICK]
    lines = [mutated(chance.choice(tree), chance) for _ in range(PROCESSES * 4)]
    lines = [words for words in lines if _is_utf8(words)][:PROCESSES]
    for words, end in zip(lines, site.run_together(*lines), strict=True):
        check(words, Done(end.returncode, end.stdout, end.stderr))


def _is_utf8(words: list[str]) -> bool:
    try:
        return bool("".join(words).encode())
    except UnicodeEncodeError:  # JSON, by which the processes are told, would change it
        return False
