"""A real browser on the pages of the admin: which one, what it complained about, and how a person uses it.

Nothing here, nor in the tests, imports Playwright when it is imported itself: without it the tests are still collected,
and skipped in one line.
"""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from typing import Any

from tests.browser import strict

WIDE = {"width": 1280, "height": 800}
NARROW = {"width": 360, "height": 740}
# Django labels its search field with a picture of a magnifying glass, which has a text; axe wants to see one.
KNOWN_BARRIERS = {("label-title-only", "#searchbar")}
PATIENCE_MS = 30_000.0  # a loaded machine is slow; what takes longer has failed

# What is behind an element, as the mean of a colour's three channels.
_BRIGHTNESS = """element => {
    const channels = getComputedStyle(element).backgroundColor.match(/[\\d.]+/g).slice(0, 3).map(Number);
    return channels.reduce((sum, value) => sum + value, 0) / 3;
}"""
# Tests that make network interfaces on this machine meanwhile have Chromium drop whatever it loads.
CUT = "net::ERR_NETWORK_CHANGED"
_IN_FOCUS = "selector => document.activeElement.matches(selector)"
TABS_MAX = 200  # from the first to the last thing on any page that can have the focus


def lack() -> str | None:
    """Return what is missing on this machine to run these tests, None if nothing is. In CI a browser must be there."""
    if find_spec("playwright") is None:
        return "no Playwright: `make browser` installs it and runs these tests"
    if chromium_path() is None and os.environ.get("CI") != "true":
        return "no Chromium: install Debian's chromium, or name one in CHROMIUM"
    return None


def chromium_path() -> str | None:
    """Return the browser to drive."""
    return os.environ.get("CHROMIUM") or shutil.which("chromium")


def cookie_of(origin: str, *permissions: str) -> Any:
    """Return the cookie of someone who logged in: a superuser, or staff with these permissions."""
    from django.contrib.auth.models import Permission, User
    from django.test import Client

    name = "-".join(permissions) or "root"
    user, _ = User.objects.get_or_create(username=name, is_staff=True, is_superuser=not permissions)
    found = Permission.objects.filter(content_type__app_label="jobs", codename__in=permissions)
    user.user_permissions.set(found)
    client = Client()
    client.force_login(user)
    return {"name": "sessionid", "value": client.cookies["sessionid"].value, "url": origin}


class Tab:
    """A person's tab. `problems` are what no page may ever cause: errors, violations, dialogs, foreign requests."""

    def __init__(self, page: Any, origin: str) -> None:
        self.page = page
        self.origin = origin
        self.problems: list[str] = []
        self._is_cut = False
        self.requests: list[Any] = []
        self.answers: list[Any] = []  # to what was read in the background
        page.set_default_timeout(PATIENCE_MS)
        page.on("console", self._note_message)
        page.on("pageerror", lambda error: self.problems.append(f"script: {error}"))
        page.on("dialog", self._note_dialog)
        page.on("request", self._note_request)
        page.on("requestfinished", self._note_answer)

    def _note_message(self, message: Any) -> None:
        if CUT in message.text:
            self._is_cut = True
        elif message.type in {"error", "warning"}:  # a violation of the policy is an error
            self.problems.append(f"console: {message.text}")

    def _note_dialog(self, dialog: Any) -> None:
        self.problems.append(f"dialog: {dialog.message}")
        dialog.dismiss()

    def _note_request(self, request: Any) -> None:
        self.requests.append(request)
        if not request.url.startswith(self.origin):
            self.problems.append(f"request: {request.url}")

    def _note_answer(self, request: Any) -> None:
        if request.resource_type == "fetch":
            self.answers.append(request)

    def open(self, path: str) -> None:
        """Open a page of the queue's admin; `job/` is the list of jobs."""
        response = self.page.goto(f"{self.origin}/admin/jobs/{path}")
        while self._is_cut:
            self._is_cut = False
            response = self.page.reload()
        assert response.status == 200, (path, response.status)
        assert response.headers["content-security-policy"] == strict.POLICY

    def reading(self) -> list[str]:
        """Return the addresses that were read in the background."""
        return [request.url for request in self.requests if request.resource_type == "fetch"]

    def find(self, selector: str) -> Any:
        return self.page.locator(selector)

    def link(self, name: str) -> Any:
        """Return the link a person would find under that name."""
        return self.page.get_by_role("link", name=name, exact=True)

    def button(self, name: str) -> Any:
        return self.page.get_by_role("button", name=name, exact=True)

    def text_of(self, selector: str) -> str:
        return str(self.page.locator(selector).first.inner_text())

    def press_tab_until(self, selector: str) -> None:
        """Go to an element by keyboard alone."""
        for _ in range(TABS_MAX):
            self.page.keyboard.press("Tab")
            if self.page.evaluate(_IN_FOCUS, selector):
                return
        raise AssertionError(f"the keyboard does not reach {selector}")

    def report(self) -> str:
        """Return what the page says was done."""
        return " ".join(self.page.locator(".messagelist").inner_text().split())

    def too_wide(self, selector: str) -> list[str]:
        """Return which of these have to be scrolled sideways, and by how much."""
        wide = "elements => elements.filter(one => one.scrollWidth > one.clientWidth).map(one => one.scrollWidth)"
        return [f"{width} px" for width in self.page.locator(selector).evaluate_all(wide)]

    def brightness(self, selector: str) -> float:
        """Return how light what is behind an element is, from 0 to 255."""
        return float(self.page.locator(selector).first.evaluate(_BRIGHTNESS))

    def be_dark(self) -> None:
        """Have the system ask for dark pages, and wait until the last colour has faded into its other one."""
        self.page.emulate_media(color_scheme="dark")
        self.page.evaluate("Promise.all(document.getAnimations().map(animation => animation.finished))")

    def barriers(self, *rules: str) -> list[str]:
        """Return what axe finds that keeps people out: what it calls serious or critical, with where it is.

        With `rules` it looks for those alone: by far the most of its time goes into contrast.
        """
        from axe_playwright_python.sync_playwright import Axe

        options: dict[str, Any] = {"resultTypes": ["violations"]}
        options["preload"] = False  # or it copies what a stylesheet imports into the page, against the policy
        if rules:
            options["runOnly"] = list(rules)
        found = Axe().run(self.page, options=options).response["violations"]
        return [
            f"{violation['id']}: {node['target'][0]} {node['any'][0]['message'] if node['any'] else ''}"
            for violation in found
            for node in violation["nodes"]
            if violation["impact"] in {"serious", "critical"}
            and (violation["id"], node["target"][0]) not in KNOWN_BARRIERS
        ]

    def wait_for_text(self, selector: str, text: str) -> None:
        from playwright.sync_api import expect

        expect(self.page.locator(selector).first).to_contain_text(text, timeout=PATIENCE_MS)


@contextmanager
def launched() -> Iterator[Any]:
    """Run a browser. Raise Playwright's own error where it cannot."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        # Chromium's sandbox refuses to run as root, as which containers run.
        arguments = ["--no-sandbox"] if os.geteuid() == 0 else []
        browser = playwright.chromium.launch(executable_path=chromium_path(), args=arguments)
        try:
            yield browser
        finally:
            browser.close()
