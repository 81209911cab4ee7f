"""`completion`: scripts that complete, tried in the shells that are on this machine."""

import shutil
import subprocess

import pytest

from tests.cli.command import ok, refused

TRY_BASH = """
source /dev/stdin <<'SCRIPT'
%s
SCRIPT
COMP_WORDS=(%s)
COMP_CWORD=$((${#COMP_WORDS[@]} - 1))
_queuectl
printf '%%s\\n' "${COMPREPLY[@]}"
"""


def completed(*words: str) -> list[str]:
    typed = " ".join(f"'{word}'" for word in ("queuectl", *words))
    script = TRY_BASH % (ok("completion", "bash"), typed)
    done = subprocess.run(["bash", "--norc", "-c", script], capture_output=True, text=True, check=True)
    assert done.stderr == ""
    return done.stdout.split()


@pytest.mark.parametrize(
    ("words", "candidates"),
    [
        (["enq"], ["enqueue"]),
        (["dlq", ""], ["list", "show", "retry", "discard"]),
        (["dlq", "retry", "--a"], ["--all"]),
        (["list", "--state", "p"], ["pending", "processing"]),
        (["config", "set", "back"], ["backoff-base", "backoff-max"]),
        (["completion", "z"], ["zsh"]),
        (["list", "--limit", ""], []),
        (["enqueue", "--", "--j"], []),
        (["--no-color", "worker", "st"], ["start", "stop"]),
    ],
)
def test_it_completes_in_bash(words, candidates):
    assert [word for word in completed(*words) if not word.startswith("--") or words[-1]] == candidates


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_it_writes_a_script_that_the_shell_can_read(shell):
    script = ok("completion", shell)
    assert "enqueue" in script
    if program := shutil.which(shell):
        done = subprocess.run([program, "-n"], input=script, capture_output=True, text=True, check=False)
        assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_it_names_every_verb_in_every_shell(shell):
    script = ok("completion", shell)
    for path in ("queuectl/dlq/discard", "queuectl/queue/resume", "queuectl/worker/start", "queuectl/prune"):
        assert path in script


def test_it_refuses_another_shell():
    assert "there is no choice 'tcsh'" in refused("completion", "tcsh")
