"""Who may do what, as tables: made of what `test_permissions` enforces. The documentation shows them."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from django.apps import apps
from django.urls import URLPattern, get_resolver, resolve

from tests.admin.conftest import OPERATE, VIEW
from tests.admin.pages import ACTIONS, CHANGES, CLOSED, LEADS, NOWHERE, PAGES

PREFIX = "admin/jobs/"
ROLES = ("visitor", "staff", "viewer", "operator", "superuser")
YES, NO, LOG_IN = "yes", "–", "log in"
# What the rows that the tests act on are called where it decides who may.
ROWS = {"waiting1": "that waits", "dead1": "that is dead", "done1": "that completed", "later1": "that is scheduled"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One thing that can be asked of the admin. `needed` of None: nobody may."""

    address: str
    request: str
    needed: frozenset[str] | None

    def answers(self) -> tuple[str, ...]:
        """Return what each of `ROLES` gets: a superuser has every permission, plain staff has none."""
        if self.needed is None:
            return (LOG_IN, NO, NO, NO, NO)
        return (LOG_IN, NO, *(YES if self.needed <= rights else NO for rights in (VIEW, OPERATE)), YES)


def addresses() -> set[str]:
    """Return every address of the queue's admin, as the site's URLs have it: `job/<path:object_id>/change/`."""
    return {route.removeprefix(PREFIX) for route in _routes(get_resolver().url_patterns) if route.startswith(PREFIX)}


def _routes(patterns: Iterable[object], prefix: str = "") -> Iterator[str]:
    for pattern in patterns:
        route = f"{prefix}{getattr(pattern, 'pattern')}"  # noqa: B009 - of both kinds of pattern
        if isinstance(pattern, URLPattern):
            yield route
        else:
            yield from _routes(getattr(pattern, "url_patterns", ()), route)


def address_of(path: str) -> str:
    """Return the address that serves a path of `pages`."""
    return resolve(f"/{PREFIX}{path.partition('?')[0]}").route.removeprefix(PREFIX)


def enforced() -> set[str]:
    """Return the addresses that the tests know."""
    paths = [*PAGES, *(path for path, _, _ in CHANGES.values()), *CLOSED, *LEADS, *NOWHERE]
    return {address_of(path) for path in paths}


def permissions() -> list[str]:
    """Return the permissions of the queue, those to look first."""
    found: list[str] = []
    for model in apps.get_app_config("jobs").get_models():
        found += [f"{action}_{model._meta.model_name}" for action in model._meta.default_permissions]
        found += [str(codename) for codename, _ in model._meta.permissions]
    return sorted(found, key=lambda name: (not name.startswith("view_"), name))


def entries() -> list[Entry]:
    """Return everything that can be asked, by address."""
    found = {*_pages(), *_changes(), *_actions(), *_closed()}
    return sorted(found, key=lambda entry: (entry.address, not entry.request.startswith("see"), entry.request))


def _pages() -> Iterator[Entry]:
    for path, needed in PAGES.items():
        alike = {frozenset(PAGES[other]) for other in PAGES if address_of(other) == address_of(path)}
        row = ROWS.get(path.split("/")[1], "") if len(alike) > 1 else ""
        yield Entry(address=address_of(path), request=f"see one {row}" if row else "see", needed=frozenset(needed))


def _changes() -> Iterator[Entry]:
    for name, (path, _, needed) in CHANGES.items():
        yield Entry(address=address_of(path), request=f"do: {name}", needed=frozenset(needed))


def _actions() -> Iterator[Entry]:
    for (path, name), needed in ACTIONS.items():
        yield Entry(address=address_of(path), request=f"action: {name}", needed=frozenset(needed))


def _closed() -> Iterator[Entry]:
    for path in CLOSED:
        yield Entry(address=address_of(path), request="see or do", needed=None)


def needed() -> set[str]:
    """Return the permissions that something needs."""
    return {codename for entry in entries() for codename in entry.needed or ()}


def rows() -> list[list[str]]:
    """Return the entries as the documentation shows them."""
    return [[f"`{_shown(entry.address)}`", entry.request, _needs(entry), *entry.answers()] for entry in entries()]


def _shown(address: str) -> str:
    return address.replace("path:object_id", "id").replace("int:", "")


def _needs(entry: Entry) -> str:
    return "closed" if entry.needed is None else ", ".join(f"`{name}`" for name in sorted(entry.needed))
