"""The documentation as tests see it: its files, links and anchors, and the commands in it."""

import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
FENCE = re.compile(r"^```(?P<language>[\w{}]*)[^\n]*\n(?P<body>.*?)^```$", re.MULTILINE | re.DOTALL)
TRANSCRIPT = re.compile(r"<!-- transcript -->\n```console\n(.*?)^```$", re.MULTILINE | re.DOTALL)
INLINE_CODE = re.compile(r"(?<!`)`([^`\n]+(?:\n[^`\n]+)?)`(?!`)")
LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
HEADING = re.compile(r"^#{1,4} (.+)$", re.MULTILINE)
LABEL = re.compile(r"^\(([\w-]+)\)=$", re.MULTILINE)
PROMPT = "$ "
COMMAND = re.compile(r"^(?:\S*python )?(?:\S*manage\.py |\S*/)?queuectl(?: |$)")
ELLIPSIS = "…"  # stands for what the reader fills in: not a command line as it is


@dataclass(frozen=True, slots=True)
class Step:
    """One command of a transcript, and the lines it printed."""

    command: str
    printed: list[str]


def documents() -> list[Path]:
    """Return every page for users and developers."""
    return sorted([*ROOT.glob("*.md"), *(path for path in (ROOT / "docs").rglob("*.md") if "_build" not in path.parts)])


def steps(page: Path) -> list[Step]:
    """Return the steps of a page's transcripts."""
    found: list[Step] = []
    for block in TRANSCRIPT.findall(page.read_text(encoding="utf-8")):
        for line in block.splitlines():
            if line.startswith(PROMPT):
                found.append(Step(line.removeprefix(PROMPT), []))
            else:
                found[-1].printed.append(line)
    return found


def command_lines(page: Path) -> Iterator[list[str]]:
    """Yield the words after `queuectl` of each command line in a page, in blocks and in sentences."""
    text = page.read_text(encoding="utf-8")
    blocks = [block["body"] for block in FENCE.finditer(text) if block["language"] in ("console", "ini", "sh")]
    candidates = [line.strip() for block in blocks for line in block.splitlines()]
    candidates += [" ".join(code.split()) for code in INLINE_CODE.findall(FENCE.sub("", text))]
    for candidate in candidates:
        for command in _simple_commands(candidate.removeprefix(PROMPT).removeprefix("ExecStart=")):
            if COMMAND.match(command) and ELLIPSIS not in command:
                yield shlex.split(COMMAND.sub("", command))


def _simple_commands(line: str) -> Iterator[str]:
    """Split a line of shell at its operators, as far as documentation uses them."""
    lexer = shlex.shlex(line, posix=False, punctuation_chars="|&;<>")
    lexer.whitespace_split = True
    lexer.commenters = ""
    words: list[str] = []
    try:
        for word in lexer:
            if word.strip("|&;<>"):
                words.append(word)
            else:
                yield " ".join(words)
                words = []
    except ValueError:
        return  # a line of something else, such as a program's output
    yield " ".join(word for word in words if word != "#")


def anchors(page: Path) -> set[str]:
    """Return the anchors of a page: its headings', as GitHub and Sphinx make them, and its own."""
    text = FENCE.sub("", page.read_text(encoding="utf-8"))
    return {_slug(heading) for heading in HEADING.findall(text)} | set(LABEL.findall(text))


def _slug(heading: str) -> str:
    return re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")


def broken_links(page: Path) -> list[str]:
    """Return the links of a page that lead nowhere; those to other sites are not followed."""
    text = FENCE.sub("", page.read_text(encoding="utf-8"))
    links = [link for link in LINK.findall(text) if not link.startswith(("https://", "mailto:"))]
    return [link for link in links if not _leads_somewhere(page, link)]


def _leads_somewhere(page: Path, link: str) -> bool:
    path, _, anchor = link.partition("#")
    target = (page.parent / path).resolve() if path else page
    if not target.is_file():
        return False
    return not anchor or anchor in anchors(target)
