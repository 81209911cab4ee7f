"""The demonstration of `make run`: it starts everything, says where to look, and leaves nothing behind."""

import os
import re
import signal
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import psutil
import pytest

ROOT = Path(__file__).resolve().parents[2]
START_SECONDS = 60


@pytest.fixture
def log(tmp_path):
    return tmp_path / "log"


@pytest.fixture
def demo(tmp_path, log):
    environment = {"PATH": os.environ["PATH"], "QUEUECTL_HOME": str(tmp_path / "home"), "PYTHONUNBUFFERED": "1"}
    with log.open("wb") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", "queuectl_site.demo"],
            cwd=ROOT,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
        )
    yield process
    if process.poll() is None:
        process.terminate()
        process.wait(timeout=90)


def await_text(demo, log, pattern):
    deadline = time.monotonic() + START_SECONDS
    while not (found := re.search(pattern, log.read_text(encoding="utf-8"))):
        assert demo.poll() is None, log.read_text(encoding="utf-8")
        assert time.monotonic() < deadline, log.read_text(encoding="utf-8")
        time.sleep(0.1)
    return found


@pytest.mark.timeout(240)
def test_it_shows_where_to_look_and_stops_everything_on_ctrl_c(demo, log):
    url = await_text(demo, log, r"Look +(http://127\.0\.0\.1:\d+/)").group(1)
    assert await_text(demo, log, r"Log in +user demo, password (\S{12})")
    with urllib.request.urlopen(url, timeout=10) as response:  # noqa: S310  (our own address)
        assert b"queuectl" in response.read()
    started = psutil.Process(demo.pid).children(recursive=True)
    assert len(started) >= 4  # a supervisor, its two workers, the site

    demo.send_signal(signal.SIGINT)

    assert demo.wait(timeout=90) == 0
    _gone, alive = psutil.wait_procs(started, timeout=5)
    assert not alive
