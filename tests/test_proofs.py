"""Every promise names its proofs, and they are there: the page cannot outlive the tests that it speaks of."""

import ast
import re
from functools import cache

import pytest

from tests import documents
from tests.chaos.nemeses import NEMESES

PAGE = (documents.ROOT / "docs/explanation/proofs.md").read_text(encoding="utf-8")
PROMISES = 30
UNPROVEN = {"P21"}  # there are no schedules yet
SECTIONS = dict(re.findall(r"^### (P\d+): .*?\n(.*?)(?=^##|\Z)", PAGE, re.MULTILINE | re.DOTALL))
TESTS = re.findall(r"`(tests/[^`]*)`", PAGE)


@cache
def functions(path: str) -> set[str]:
    tree = ast.parse((documents.ROOT / path).read_text(encoding="utf-8"))
    return {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)}


def test_it_has_every_promise_once_and_in_order():
    assert list(SECTIONS) == re.findall(r"^### (P\d+):", PAGE, re.MULTILINE)
    assert list(SECTIONS) == [f"P{number}" for number in range(1, PROMISES + 1)]


@pytest.mark.parametrize("promise", SECTIONS)
def test_it_names_a_test_of(promise: str):
    assert ("`tests/" in SECTIONS[promise]) != (promise in UNPROVEN)


@pytest.mark.parametrize("test", sorted({*TESTS} - {"tests/test_proofs.py"}))
def test_it_names_a_test_that_is_there(test: str):
    path, name = test.split("::")
    assert name in functions(path)


def test_it_names_faults_of_the_campaign_and_leaves_none_out():
    lines = re.findall(r"^- campaign: (.*)", PAGE, re.MULTILINE)
    named = {fault for line in lines for fault in re.findall("`(.*?)`", line)}
    assert named <= NEMESES.keys()
    assert NEMESES.keys() - named == {"status", "cancel"}  # of people who look, and who cancel: they try no promise
