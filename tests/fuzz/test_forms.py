"""Every field of every form of the admin, and every address of a page, with values that nobody means."""

import random
from collections import Counter
from urllib.parse import quote

import pytest
from django.contrib.auth.models import User
from django.db import transaction
from django.http import HttpResponse
from django.test import Client

from tests.admin.conftest import browser_of
from tests.admin.pages import PAGES, get, make_rows, text_of
from tests.fuzz.amount import SEED, portion
from tests.fuzz.forms import EXTRA, KEPT, Form, forms_of
from tests.fuzz.rows import everything
from tests.fuzz.values import HOSTILE, KNOWN

pytestmark = [pytest.mark.django_db, pytest.mark.timeout(3_600)]

ANSWERS = {200, 302, 400, 403, 404}
PARAMETERS = (
    "q", "queue", "error", "state", "kind", "window", "job", "supervisor", "undo", "p", "o", "all", "e", "since", "x",
)  # fmt: skip


@pytest.fixture
def root(db) -> Client:
    """Return the browser of someone who may do everything; what fails within a page is raised here."""
    make_rows()
    return browser_of(User.objects.create_superuser("root"))


def forms(client: Client) -> list[tuple[str, Form]]:
    pages = ((path, get(client, path)) for path in PAGES if "download" not in path)
    return [(path, form) for path, response in pages for form in forms_of(text_of(response)) if form.fields]


def test_it_answers_every_form_and_changes_nothing_where_it_refuses(root: Client):
    chance = random.Random(SEED)
    every = forms(root)
    codes: Counter[int] = Counter()
    assert len({path for path, _ in every}) > len(PAGES) / 2
    for number in range(portion(300, share=0.5)):
        path, form = every[number % len(every)]
        data = form.mutated(chance)
        before = everything()
        with transaction.atomic():
            response = root.post(f"/admin/jobs/{path}", data)
            assert response.status_code in ANSWERS, (path, data)
            if response.status_code != 302:
                assert everything() == before, (path, data)
            transaction.set_rollback(True)
        codes[response.status_code] += 1
    assert min(codes[200], codes[302]) > sum(codes.values()) / 20


@pytest.mark.parametrize(
    "text",
    ["a\0b", '["\\u0000"]', '["\\ud800"]', "[Infinity]", "0001-01-01T00:00:00+23:59", "9999-12-31T23:59:59-23:59"],
)
def test_it_answers_forms_with_what_no_database_can_be_asked_for(text: str, root: Client):
    before = everything()
    for path, form in forms(root):
        for name in form.fields.keys() - KEPT:
            with transaction.atomic():
                response = root.post(f"/admin/jobs/{path}", form.fields | {name: [text]})
                assert response.status_code in ANSWERS, (path, name)
                transaction.set_rollback(True)
    assert everything() == before


@pytest.mark.parametrize("path", sorted({path.partition("?")[0] for path in PAGES}))
def test_it_answers_addresses_with_what_no_database_can_be_asked_for(path: str, root: Client):
    asked = [*((name, "a\0b") for name in PARAMETERS), ("q", "cmd:a " * 600), ("q", "a " * 1_100)]
    for name, text in asked:
        with transaction.atomic():
            response = root.get(f"/admin/jobs/{path}", {name: text})
            assert response.status_code in ANSWERS, (name, text)
            transaction.set_rollback(True)


def test_it_answers_every_address_and_changes_nothing(root: Client):
    chance = random.Random(SEED)
    before = everything()
    paths = sorted(PAGES)
    for _ in range(portion(200, share=0.25)):
        path, _, query = chance.choice(paths).partition("?")
        parts = path.split("/")
        if chance.random() < 0.5:
            parts[chance.randrange(1, len(parts))] = quote(chance.choice(HOSTILE + KNOWN)[:300], safe="")
        names = chance.sample(PARAMETERS, chance.choice([0, 1, 2]))
        asked = {name: chance.choice(HOSTILE + KNOWN + EXTRA) for name in names}
        response: HttpResponse = root.get("/admin/jobs/" + "/".join(parts), asked)  # type: ignore[assignment]
        assert response.status_code in ANSWERS | {301}, (parts, query, asked)
    assert everything() == before
