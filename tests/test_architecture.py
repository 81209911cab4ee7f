"""Rules of the house that a machine can check, on the source of the app and of the site."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

CHECKOUT = Path(__file__).resolve().parent.parent
SOURCES = sorted(
    path
    for package in ("jobs", "queuectl_site")
    for path in (CHECKOUT / package).rglob("*.py")
    if path.parent.name != "migrations"
)
NAMES = [str(path.relative_to(CHECKOUT)) for path in SOURCES]
WRITERS_OF_STATE = ("jobs/queue/", "jobs/sql/")
DEFERRED_IMPORTS = ("jobs/backend.py", "jobs/pytest_plugin.py", "jobs/apps.py", "jobs/cli/", "jobs/management/")

FUNCTION_LINES_MAX = 40
FILE_LINES_MAX = 420

# The words of DESIGN's "never say" column that cannot mean anything else, as parts of an identifier.
FORBIDDEN_WORDS = set(
    "dequeue dequeued consumer consumers revoke revoked nack resurrect resurrected eta tube cooldown purge".split()
)
# What Unix calls the end of a process. Of a job it is never said.
WORDS_OF_PROCESSES = {"reap", "reaps", "reaper", "reaped", "zombie", "zombies"}
ABOUT_PROCESSES = ("jobs/identities.py", "jobs/processes.py", "jobs/runners/")
OTHER_WORDS = re.compile(r"\b(TODO|FIXME|XXX)\b")  # this file is not among those that are searched

Function = ast.FunctionDef | ast.AsyncFunctionDef


@pytest.fixture(params=SOURCES, ids=NAMES)
def source(request: pytest.FixtureRequest) -> Path:
    path: Path = request.param
    return path


def _name(path: Path) -> str:
    return str(path.relative_to(CHECKOUT))


def _nodes(path: Path) -> Iterator[ast.AST]:
    return ast.walk(ast.parse(path.read_text()))


def _functions(path: Path) -> Iterator[Function]:
    return (node for node in _nodes(path) if isinstance(node, Function))


def test_it_has_sources_to_check():
    assert "jobs/models.py" in NAMES
    assert "jobs/queue/_turn.py" in NAMES


def test_it_has_no_function_longer_than_forty_lines(source: Path):
    lengths = {function.name: function.end_lineno - function.lineno + 1 for function in _functions(source)}  # type: ignore[operator]
    assert {name: lines for name, lines in lengths.items() if lines > FUNCTION_LINES_MAX} == {}


def test_it_has_no_file_longer_than_can_be_kept_in_mind(source: Path):
    assert len(source.read_text().splitlines()) <= FILE_LINES_MAX


def test_it_says_at_the_top_of_a_module_what_lives_there(source: Path):
    tree = ast.parse(source.read_text())
    assert not tree.body or ast.get_docstring(tree)


def test_it_leaves_no_note_to_do_something_later(source: Path):
    assert OTHER_WORDS.findall(source.read_text()) == []


def _is_update_of_state(call: ast.Call) -> bool:
    """Whether it is `….update(state=…)`, or hands `state` to a bulk update."""
    if not isinstance(call.func, ast.Attribute):
        return False
    named = {keyword.arg for keyword in call.keywords}
    in_dicts = {
        key.value
        for keyword in call.keywords
        if keyword.arg is None and isinstance(keyword.value, ast.Dict)
        for key in keyword.value.keys
        if isinstance(key, ast.Constant)
    }
    return (call.func.attr == "update" and "state" in named | in_dicts) or call.func.attr == "bulk_update"


def _root(node: ast.expr) -> list[str]:
    """Return the names of a dotted chain: `models.Job.objects.create` is `["models", "Job", "objects", "create"]`."""
    if isinstance(node, ast.Attribute):
        return [*_root(node.value), node.attr]
    if isinstance(node, ast.Call):
        return _root(node.func)
    return [node.id] if isinstance(node, ast.Name) else []


WRITERS = {"create", "bulk_create", "get_or_create", "update_or_create", "acreate", "abulk_create", "save", "asave"}
JOBS = {"Job", "DeadJob"}


def _is_creation_of_job(call: ast.Call) -> bool:
    """Whether it stores a job, or makes one with more than the id that a log entry or a link needs."""
    chain = _root(call.func)
    if not JOBS & set(chain):
        return False
    return chain[-1] in WRITERS or (
        chain[-1] in JOBS and {keyword.arg for keyword in call.keywords} - {"pk", "id"} != set()
    )


def _is_assignment_to_state(node: ast.AST) -> bool:
    targets: list[ast.expr] = []
    if isinstance(node, ast.Assign):
        targets = node.targets
    elif isinstance(node, ast.AugAssign | ast.AnnAssign):
        targets = [node.target]
    return any(isinstance(target, ast.Attribute) and target.attr == "state" for target in targets)


def _writes_state(node: ast.AST) -> bool:
    if isinstance(node, ast.Call):
        return _is_update_of_state(node) or _is_creation_of_job(node)
    return _is_assignment_to_state(node)


def test_it_writes_the_state_of_jobs_in_one_place(source: Path):
    if _name(source).startswith(WRITERS_OF_STATE):
        return
    assert [ast.unparse(node) for node in _nodes(source) if _writes_state(node)] == []


@pytest.mark.parametrize(
    "code",
    [
        "jobs.update(state=State.DEAD)",
        "jobs.filter(pk=1).update(**{'state': 'dead'})",
        "Job.objects.bulk_update(jobs, ['state'])",
        "job.state = 'dead'",
        "Job.objects.create(id='a')",
        "models.Job.objects.using('x').bulk_create(jobs)",
        "Job(id='a').save()",
        "Job(id='a', state='pending')",
    ],
)
def test_it_would_notice_another_writer(code: str):
    assert any(_writes_state(node) for node in ast.walk(ast.parse(code)))


def _deferred_imports(path: Path) -> list[str]:
    inside = (node for function in _functions(path) for node in ast.walk(function))
    return [
        ast.unparse(node)
        for node in inside
        if (isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == "jobs")
        or (isinstance(node, ast.Import) and any(alias.name.split(".")[0] == "jobs" for alias in node.names))
    ]


def test_it_imports_late_only_where_it_must(source: Path):
    name = _name(source)
    if not name.startswith("jobs/") or name.startswith(DEFERRED_IMPORTS):
        return
    assert _deferred_imports(source) == []


def _identifiers(path: Path) -> Iterator[str]:
    for node in _nodes(path):
        for field in ("id", "name", "attr", "arg", "asname"):
            value = getattr(node, field, None)
            if isinstance(value, str):
                yield value


def _words(identifier: str) -> set[str]:
    """Return the words of `snake_case` and `CamelCase`, in lower case."""
    return {word.lower() for word in re.findall(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])", identifier)}


def test_it_says_one_word_for_each_thing(source: Path):
    if not _name(source).startswith("jobs/"):
        return
    forbidden = FORBIDDEN_WORDS if _name(source).startswith(ABOUT_PROCESSES) else FORBIDDEN_WORDS | WORDS_OF_PROCESSES
    wrong = {identifier for identifier in _identifiers(source) if _words(identifier) & forbidden}
    assert wrong == set()


def test_it_would_notice_a_word_that_is_not_ours():
    assert _words("JobConsumer") & FORBIDDEN_WORDS
    assert _words("_dequeue_all") & FORBIDDEN_WORDS
    assert _words("STATUS_ZOMBIE") & WORDS_OF_PROCESSES


def _exported(package: Path) -> set[str]:
    """Return what the package's `__init__` passes on, or all that is public in a module."""
    source = package / "__init__.py" if package.is_dir() else package
    tree = ast.parse(source.read_text())
    aliases = {alias.asname for node in tree.body if isinstance(node, ast.ImportFrom) for alias in node.names}
    defined = {node.name for node in tree.body if isinstance(node, Function) and not node.name.startswith("_")}
    return {name for name in aliases | defined if name is not None}


@pytest.mark.parametrize("name", ["queue", "stats", "retry.py"])
def test_it_documents_every_function_that_interfaces_call(name: str):
    package = CHECKOUT / "jobs" / name
    exported = _exported(package)
    files = package.rglob("*.py") if package.is_dir() else [package]
    top = [node for file in files for node in ast.parse(file.read_text()).body if isinstance(node, Function)]
    assert exported
    assert [node.name for node in top if node.name in exported and not ast.get_docstring(node)] == []
