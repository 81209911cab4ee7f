"""Takes the pictures of the admin that the documentation shows, into docs/images: `make screenshots`.

The shop that they show is the one that the tests of the browser look at, at a moment that never changes: a picture is
written anew only when a page looks different.
"""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from unittest import mock

DOCS = Path(__file__).resolve().parent
IMAGES = DOCS / "images"
NOW = datetime(2026, 11, 24, 14, 32, 10, tzinfo=UTC)
HEIGHT_MAX = 900  # a picture is looked at beside a text
BYTES_MAX = 150_000

WIDE = (
    "dashboard", "jobs", "job-running", "job-dead", "job-settings", "enqueue-command", "output", "requeue-all",
    "dead-letters", "config", "config-queue", "pause", "workers", "supervisor", "stop",
)  # fmt: skip
NARROW = ("dashboard", "job-dead")


def main() -> int:
    """Take every picture; fail if one is too large to be kept with the code."""
    sys.path.insert(0, str(DOCS.parent))
    os.environ["DJANGO_SETTINGS_MODULE"] = "tests.settings"  # a temporary home; no file of the user's is touched
    os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"] = "true"  # Playwright keeps an event loop on this thread
    import django  # noqa: PLC0415 - not before its settings are named

    django.setup()
    IMAGES.mkdir(exist_ok=True)
    with mock.patch("jobs.clock.now", return_value=NOW), shown() as (browser, origin):
        for theme in ("light", "dark"):
            for name in WIDE:
                take(browser, origin, name, theme, width=1_280)
        for name in NARROW:
            take(browser, origin, name, "light", width=360, suffix="phone")
    large = [path.name for path in IMAGES.glob("*.png") if path.stat().st_size > BYTES_MAX]
    return f"Larger than {BYTES_MAX} bytes: {', '.join(large)}" if large else 0  # type: ignore[return-value]


@contextmanager
def shown() -> Iterator[tuple[Any, str]]:
    """Serve the shop, and run a browser to look at it."""
    from django.core.management import call_command  # noqa: PLC0415
    from pytest_django.live_server_helper import LiveServer  # noqa: PLC0415

    from tests.browser import rig, scenery  # noqa: PLC0415

    call_command("migrate", verbosity=0)
    scenery.build(NOW)
    server = LiveServer("127.0.0.1")
    with rig.launched() as browser:
        yield browser, server.url
    server.stop()


def take(browser: Any, origin: str, name: str, theme: str, *, width: int, suffix: str = "") -> None:
    """Take one picture as large as its page, up to a limit."""
    from tests.browser import rig, scenery  # noqa: PLC0415

    context = browser.new_context(
        viewport={"width": width, "height": 600}, color_scheme=theme, reduced_motion="reduce", device_scale_factor=1
    )
    tab = rig.Tab(context.new_page(), origin)
    context.add_cookies([rig.cookie_of(origin)])
    tab.page.add_init_script("localStorage.setItem('django.admin.navSidebarIsOpen', 'false')")  # room for the page
    tab.page.goto(f"{origin}/admin/jobs/{scenery.PAGES[name]}")
    height = min(HEIGHT_MAX, int(tab.page.evaluate("document.documentElement.scrollHeight")))
    tab.page.set_viewport_size({"width": width, "height": height})
    path = IMAGES / f"{name}-{suffix or theme}.png"
    tab.page.screenshot(path=path, animations="disabled")
    context.close()


if __name__ == "__main__":
    sys.exit(main())
