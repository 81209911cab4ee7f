"""What the documentation says is true: its generated parts are current, its commands parse, its transcripts run."""

import importlib.util
import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest
from django.core.management import CommandError

from jobs.cli import tree
from jobs.management.commands.queuectl import Command
from tests import documents
from tests.e2e.site import CHECKOUT, Site

DOCUMENTS = documents.documents()
# What differs from run to run; an ellipsis in a transcript stands for anything.
CHANGING = (
    (r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d \w+", "TIME"),
    (r"[\w.-]+:\d{2,7}\b", "HOST:PID"),
    (r"[\w.-]+@[\w.-]+", "USER@HOST"),
    (r", on [\w.-]+:$", ", on HOST:"),
    (r"\b(in )?(\d+(\.\d+)?(ms|[smhd]))+( ago)?", "AGO"),
    (r"\b(AGO|now|due)\b", "WHEN"),
    (r"[0-9a-f]{8}-[0-9a-f-]{27}", "UUID"),
    (r" {2,}", "  "),
)


def name(page: Path) -> str:
    return str(page.relative_to(documents.ROOT))


@pytest.fixture(scope="module")
def generate() -> ModuleType:
    spec = importlib.util.spec_from_file_location("generate", documents.ROOT / "docs/generate.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_it_has_current_generated_parts(generate):
    outdated = [name(page) for page in generate.pages() if generate.brought_up_to_date(text := read(page)) != text]
    assert not outdated, f"run make docs: {outdated} differ from the code"


def test_it_uses_every_generated_part(generate):
    used = {found["name"] for page in generate.pages() for found in generate.REGION.finditer(read(page))}
    assert used == set(generate.REGIONS)


def read(page: Path) -> str:
    return page.read_text(encoding="utf-8")


@pytest.mark.parametrize("page", DOCUMENTS, ids=name)
def test_its_command_lines_parse(page):
    parser = Command().create_parser("queuectl", "queuectl")
    mentioned = {level.path for level in tree.levels(parser)}  # `queuectl retry` in a sentence is a verb, not a command
    wrong = []
    for words in documents.command_lines(page):
        if "/".join(["queuectl", *words]) in mentioned:
            continue
        try:
            parser.parse_args(words)
        except CommandError as error:
            wrong.append(f"{' '.join(words)}: {error}")
        except SystemExit:  # --help and --version; anything wrong is a CommandError here
            pass
    assert not wrong


def test_it_finds_the_command_lines():
    """The test above would also pass if it found none."""
    assert len(list(documents.command_lines(documents.ROOT / "README.md"))) >= 10
    assert len(list(documents.command_lines(documents.ROOT / "docs/reference/commands.md"))) >= 40


@pytest.mark.parametrize("page", DOCUMENTS, ids=name)
def test_its_links_lead_somewhere(page):
    assert documents.broken_links(page) == []


def test_every_page_is_in_a_table_of_contents():
    pages = {page for page in DOCUMENTS if documents.ROOT / "docs" in page.parents}
    listed = {documents.ROOT / "docs/index.md"}
    for page in pages:
        for block in re.findall(r"```\{toctree\}\n(.*?)```", read(page), re.DOTALL):
            entries = [line for line in block.splitlines() if line and not line.startswith(":")]
            listed |= {page.parent / f"{entry}.md" for entry in entries}
    assert pages == listed


@pytest.mark.timeout(400)  # forty processes, one after another, on a machine that may have others to run
@pytest.mark.parametrize("page", [documents.ROOT / "README.md", documents.ROOT / "docs/quickstart.md"], ids=name)
def test_its_transcripts_are_what_happens(page, site: Site, tmp_path, monkeypatch):
    site.start("--count", "2")
    run = shell(site, tmp_path)
    for step in documents.steps(page):
        printed = run(step.command)
        assert [plain(line) for line in printed] == [plain(line) for line in step.printed], step.command


def shell(site: Site, tmp_path: Path) -> Callable[[str], list[str]]:
    """Return what runs a line as a user's terminal would, with files in a place of this test's own."""
    binaries = tmp_path / "bin"
    binaries.mkdir()
    for program, words in (("python", ""), ("queuectl", f'"{CHECKOUT}/manage.py" queuectl')):
        script = binaries / program
        script.write_text(f'#!/bin/sh\nexec "{sys.executable}" {words} "$@"\n')
        script.chmod(0o755)
    environment = site.environment | {"PATH": f"{binaries}:{os.environ['PATH']}", "COLUMNS": "120"}

    def run(command: str) -> list[str]:
        if command == ". .venv/bin/activate":
            return []
        done = subprocess.run(
            ["/bin/sh", "-c", command.replace("/tmp/", f"{tmp_path}/")],
            cwd=CHECKOUT,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=60,
            check=False,
        )
        return done.stdout.replace(f"{tmp_path}/", "/tmp/").splitlines()

    return run


def plain(line: str) -> str:
    for pattern, word in CHANGING:
        line = re.sub(pattern, word, line)
    return line.rstrip()
