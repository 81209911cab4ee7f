"""`web`: the site on this machine, with a way in, and one line where it cannot be had."""

import os
import re
import signal
import socket
import subprocess
import urllib.request
from collections.abc import Iterator

import pytest
from django.contrib.auth.models import User

from tests.cli.command import refused
from tests.e2e.site import CHECKOUT, LONG_SECONDS, Site
from tests.waiting import wait_until

pytestmark = pytest.mark.django_db


@pytest.fixture
def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture
def web(site: Site, free_port: int) -> Iterator[subprocess.Popen[str]]:
    words = ("web", "--port", str(free_port), "--log-in", "me")
    process = subprocess.Popen(
        site.command(*words),
        cwd=CHECKOUT,
        env=site.environment | {"PYTHONUNBUFFERED": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    yield process
    process.kill()
    process.communicate()


def page(url: str, data: bytes | None = None, **headers: str) -> tuple[str, str]:
    """Return a page's text and the address it came from."""
    with opener.open(urllib.request.Request(url, data, headers), timeout=10) as response:  # noqa: S310 - our own
        return response.read().decode(), response.url


opener = urllib.request.build_opener(urllib.request.HTTPCookieProcessor())


def test_it_serves_the_site_and_gives_a_way_in(web: subprocess.Popen[str], free_port: int):
    assert web.stdout is not None
    look, log_in, stop = (web.stdout.readline() for _ in range(3))
    url, password = look.split()[1], log_in.split()[-1]
    assert log_in.startswith("Log in  user me, password ")
    assert stop == "Stop    Ctrl-C\n"

    wait_until(lambda: answers(free_port), LONG_SECONDS)
    html, log_in_url = page(url)
    token = re.findall(r'csrfmiddlewaretoken" value="(\w+)"', html)[0]
    fields = f"username=me&password={password}&csrfmiddlewaretoken={token}&next=/admin/jobs/dashboard/"
    html, address = page(log_in_url, fields.encode(), Referer=log_in_url)

    assert address == url
    assert "qc-verdict" in html
    assert "--qc-" in page(url.split("/admin")[0] + "/static/jobs/admin.css")[0]
    web.send_signal(signal.SIGINT)
    assert web.wait(timeout=20) == 0


def answers(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def test_it_refuses_a_port_that_is_taken():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        line = refused("web", "--port", str(port), code=1)
    assert line == f"queuectl: port {port} cannot be had: {os.strerror(98)}; choose another with --port"


def test_it_refuses_without_tables(empty_site: Site):
    done = empty_site.run("web")
    assert (done.returncode, done.stdout) == (1, "")
    assert "first: queuectl initdb" in done.stderr


def test_it_refuses_where_the_urls_have_no_admin(settings):
    settings.ROOT_URLCONF = __name__
    assert "do not lead to the admin" in refused("web", code=1)


urlpatterns: list[object] = []


def test_it_renews_the_password_of_a_superuser_alone(free_port: int):
    User.objects.create_user("clerk", password="old")
    line = refused("web", "--log-in", "clerk", "--port", str(free_port), code=1)
    assert "clerk is no superuser" in line
    assert User.objects.get().check_password("old")
