"""The console script and manage.py as a person meets them: exit codes, and one line where something is wrong."""

import os
import signal
import stat
import subprocess
import sys
from pathlib import Path

import pytest

import jobs

ROOT = Path(__file__).resolve().parents[2]
QUEUECTL = [sys.executable, "-m", "queuectl_site.cli"]
MANAGE = [sys.executable, "manage.py"]


@pytest.fixture
def environment(tmp_path):
    return {"PATH": os.environ["PATH"], "QUEUECTL_HOME": str(tmp_path / "home")}


def run(words, environment, **variables):
    return subprocess.run(
        words,
        cwd=ROOT,
        env=environment | variables,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


def test_it_says_its_version_without_starting_django(environment):
    code = "import sys; from queuectl_site import cli; cli.main(); sys.exit('django.apps' in sys.modules)"
    result = run([sys.executable, "-c", code, "--version"], environment)
    assert (result.returncode, result.stdout, result.stderr) == (0, f"queuectl {jobs.__version__}\n", "")
    assert not Path(environment["QUEUECTL_HOME"]).exists()


@pytest.mark.parametrize("words", [QUEUECTL, [*MANAGE, "queuectl"]])
def test_both_ways_to_call_it_run_the_same_command(environment, words):
    result = run([*words, "initdb"], environment)
    assert (result.returncode, result.stderr) == (0, "")
    assert "Database initialized successfully." in result.stdout


def test_it_calls_itself_queuectl(environment):
    assert run([*QUEUECTL, "--help"], environment).stdout.startswith("usage: queuectl ")


@pytest.mark.parametrize("words", [[*QUEUECTL, "list"], [*MANAGE, "check"], [*MANAGE, "queuectl", "list"]])
@pytest.mark.parametrize(
    ("variables", "reason"),
    [
        ({"DEBUG": "ture"}, "DEBUG is 'ture'; use true or false"),
        (
            {"QUEUECTL_HOME": "/nowhere"},
            "there is no database at /nowhere/queue.sqlite3; make one with: queuectl initdb",
        ),
        ({"DATABASE_URL": "sqlite://"}, "DATABASE_URL must name a file"),
        ({"DJANGO_SETTINGS_MODULE": "nowhere.settings"}, "cannot load nowhere.settings: No module named 'nowhere'"),
    ],
)
def test_a_site_that_cannot_start_is_one_line(environment, words, variables, reason):
    result = run(words, environment, **variables)
    assert (result.returncode in (1, 75), result.stdout) == (True, "")
    assert result.stderr.startswith("queuectl: ")
    assert result.stderr.count("\n") == 1
    assert reason in result.stderr


@pytest.mark.parametrize("words", [[*QUEUECTL, "initdb"], [*MANAGE, "migrate"], [*MANAGE, "queuectl", "initdb"]])
def test_a_home_that_cannot_be_made_is_one_line(environment, words):
    result = run(words, environment, QUEUECTL_HOME="/dev/null/home")
    assert (result.returncode, result.stdout, result.stderr.count("\n")) == (1, "", 1)
    assert "set QUEUECTL_HOME to a directory you may write to" in result.stderr


@pytest.mark.parametrize(
    "words",
    [
        *([*QUEUECTL, *verb] for verb in (["list"], ["enqueue", "true"], ["worker", "start"], ["web"], ["doctor"])),
        [*MANAGE, "createsuperuser", "--noinput"],
        [*MANAGE, "shell", "-c", "from jobs.models import Job; Job.objects.exists()"],
    ],
)
def test_a_wrong_home_is_no_new_queue(environment, tmp_path, words):
    for home in ("home", "home/made"):
        result = run(words, environment, QUEUECTL_HOME=str(tmp_path / home), DJANGO_SUPERUSER_PASSWORD="secret")
        assert result.returncode != 0
        assert f"there is no database at {tmp_path / home}/queue.sqlite3" in result.stdout + result.stderr
        assert not list(tmp_path.glob("home/*"))
        (tmp_path / "home").mkdir(exist_ok=True)


@pytest.mark.parametrize("words", [[*QUEUECTL, "initdb"], [*MANAGE, "migrate"]])
def test_the_files_of_a_new_site_are_private(environment, tmp_path, words):
    (tmp_path / "home").mkdir(mode=0o755)
    assert run(words, environment).returncode == 0
    modes = {file.name: stat.S_IMODE(file.stat().st_mode) for file in (tmp_path / "home").iterdir()}
    assert modes == {"queue.sqlite3": 0o600, "secret_key": 0o600}


@pytest.mark.parametrize("words", [["enqueue", "true"], ["worker", "start", "--drain"]])
def test_a_new_key_is_not_made_for_a_queue_that_has_one_elsewhere(environment, tmp_path, words):
    assert run([*QUEUECTL, "initdb"], environment).returncode == 0
    key = tmp_path / "home" / "secret_key"
    key.unlink()
    result = run([*QUEUECTL, *words], environment)
    assert (result.returncode, result.stdout, result.stderr.count("\n")) == (1, "", 1)
    assert f"there is no secret key at {key}" in result.stderr
    assert "there is no secret key at" in run([*QUEUECTL, "doctor"], environment).stdout
    assert not key.exists()


def test_it_obeys_the_settings_option(environment):
    result = run([*QUEUECTL, "list", "--settings=nowhere.settings"], environment)
    assert (result.returncode, result.stderr) == (
        1,
        "queuectl: cannot load nowhere.settings: No module named 'nowhere'\n",
    )


def test_a_reader_that_went_away_is_no_error(environment):
    code = "import sys; from queuectl_site import cli; sys.exit(cli.guarded(lambda: print('x' * 1_000_000)))"
    process = subprocess.Popen(
        [sys.executable, "-c", code], cwd=ROOT, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    assert process.stdout is not None
    assert process.stderr is not None
    process.stdout.close()
    stderr = process.stderr.read()
    process.stderr.close()
    assert (process.wait(timeout=30), stderr) == (141, b"")


def test_an_interrupt_is_quiet(environment):
    code = (
        "import sys, time; from queuectl_site import cli\n"
        "def wait(): print('ready', flush=True); time.sleep(60)\n"
        "sys.exit(cli.guarded(wait))"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", code], cwd=ROOT, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    with process:
        assert process.stdout is not None
        assert process.stderr is not None
        assert process.stdout.readline() == b"ready\n"
        process.send_signal(signal.SIGINT)
        assert process.stderr.read() == b""
    assert process.returncode == 130
