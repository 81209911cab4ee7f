"""Who set what, and who paused what: written with each change, told newest first, and bounded."""

from datetime import datetime, timedelta
from typing import Any

import pytest
from django.db import IntegrityError, connection

from jobs import queue, stats
from jobs.errors import InvalidInput, WrongState
from jobs.models import Config, ConfigChange
from jobs.queue import _changes
from tests.clock import NOW, after
from tests.queue.racing import race

pytestmark = pytest.mark.django_db

LATER = after(seconds=10**6)


def rows() -> list[tuple[Any, ...]]:
    """Return all changes, oldest first."""
    return list(ConfigChange.objects.order_by("pk").values_list("queue", "key", "before", "after", "changed_by"))


def told(*, name: str | None = None, limit: int = 100, now: datetime = LATER) -> list[tuple[str | None, str]]:
    return [(change.by, change.text) for change in stats.config_history(queue=name, limit=limit, now=now)]


def test_it_writes_down_who_set_a_knob_from_what_to_what():
    queue.set_knob("timeout", "10m", queue="mail", by="anna (admin)", now=NOW)
    queue.set_knob("max-retries", 5, by="deploy@web1", now=NOW)
    queue.set_knob("timeout", 90, queue="mail", by="deploy@web1", now=after(seconds=1))
    queue.unset_knob("timeout", queue="mail", by="anna (admin)", now=after(seconds=2))
    assert rows() == [
        ("mail", "timeout", None, 600.0, "anna (admin)"),
        ("*", "max_retries", None, 5, "deploy@web1"),
        ("mail", "timeout", 600.0, 90.0, "deploy@web1"),
        ("mail", "timeout", 90.0, None, "anna (admin)"),
    ]
    assert told() == [
        ("anna (admin)", "timeout: 1m30s → not set"),
        ("deploy@web1", "timeout: 10m → 1m30s"),
        ("deploy@web1", "max_retries: not set → 5"),
        ("anna (admin)", "timeout: not set → 10m"),
    ]
    newest = stats.config_history(limit=1, now=LATER)[0]
    assert (newest.queue, newest.at, newest.before, newest.after) == ("mail", after(seconds=2), 90.0, None)


def test_it_writes_down_nothing_where_nothing_changes():
    queue.set_knob("jitter", 0, by="anna", now=NOW)
    queue.set_knob("jitter", 0.0, by="berta", now=NOW)
    queue.unset_knob("timeout", by="berta", now=NOW)
    queue.unset_knob("timeout", queue="mail", by="berta", now=NOW)
    with pytest.raises(WrongState):
        queue.resume("mail", now=NOW, by="berta")
    assert rows() == [("*", "jitter", None, 0.0, "anna")]
    assert Config.objects.count() == 1


def test_it_writes_down_who_paused_and_who_resumed():
    until = after(seconds=3_600)
    queue.pause("mail", now=NOW, until=until, reason="on fire", by="anna")
    queue.pause("mail", now=after(seconds=1), by="berta")
    queue.resume("mail", now=after(seconds=2), by="carla")
    first = {"until": "2026-01-02T04:04:05Z", "reason": "on fire"}
    second = {"until": None, "reason": None}
    assert rows() == [
        ("mail", "paused", None, first, "anna"),
        ("mail", "paused", first, second, "berta"),
        ("mail", "paused", second, None, "carla"),
    ]
    assert told() == [
        ("carla", "resumed"),
        ("berta", "paused"),
        ("anna", "paused until 2026-01-02 04:04:05 UTC: on fire"),
    ]


def test_it_tells_the_end_of_a_pause_that_nobody_ended():
    queue.pause("mail", now=NOW, until=after(seconds=60), by="anna")
    assert [by for by, _ in told(now=after(seconds=59))] == ["anna"]
    end, pause = stats.config_history(limit=9, now=after(seconds=60))
    assert (end.by, end.at, end.text) == (None, after(seconds=60), "resumed by itself, as its time was over")
    assert (pause.by, pause.at) == ("anna", NOW)
    queue.set_knob("timeout", 1, queue="mail", now=after(seconds=30), by="dora")
    queue.pause("mail", now=after(seconds=90), by="berta")
    assert [by for by, _ in told()] == ["berta", None, "dora", "anna"]
    assert ConfigChange.objects.get(changed_by="berta").before is None
    with pytest.raises(WrongState):
        queue.resume("other", now=NOW, by="anna")


def test_it_tells_no_such_end_of_a_pause_that_was_changed_before():
    queue.pause("mail", now=NOW, until=after(seconds=60), by="anna")
    queue.pause("mail", now=after(seconds=30), by="berta")
    queue.pause("news", now=NOW, until=after(seconds=60), by="carla")
    queue.resume("news", now=after(seconds=30), by="dora")
    assert None not in [by for by, _ in told()]


def test_it_tells_of_one_queue_or_of_the_values_for_all():
    queue.set_knob("timeout", 1, by="anna", now=NOW)
    queue.set_knob("timeout", 2, queue="mail", by="berta", now=NOW)
    assert [by for by, _ in told(name="mail")] == ["berta"]
    assert [by for by, _ in told(name="*")] == ["anna"]
    assert stats.config_history(queue="*", limit=1, now=NOW)[0].queue is None
    assert told(name="other") == []


def test_it_tells_a_setting_that_only_a_newer_version_knows():
    ConfigChange.objects.create(queue="mail", key="speed", before=1.5, after=None, changed_by="anna", changed_at=NOW)
    assert told() == [("anna", "speed: 1.5 → not set")]


@pytest.mark.parametrize(
    "act",
    [
        lambda by: queue.set_knob("timeout", 9, queue="mail", by=by, now=NOW),
        lambda by: queue.unset_knob("timeout", queue="mail", by=by, now=NOW),
        lambda by: queue.pause("mail", by=by, now=NOW),
        lambda by: queue.resume("paused", by=by, now=NOW),
    ],
)
@pytest.mark.parametrize("by", ["", "  "])
def test_it_changes_nothing_for_somebody_without_a_name(act: Any, by: str):
    Config.objects.create(queue="mail", timeout=5)
    Config.objects.create(queue="paused", paused_at=NOW)
    before = list(Config.objects.order_by("pk").values())
    with pytest.raises(InvalidInput, match="must say who"):
        act(by)
    assert list(Config.objects.order_by("pk").values()) == before


def test_it_keeps_a_name_that_can_be_shown():
    queue.set_knob("timeout", 1, by="a\x1b[31m\n" + "é" * 1_000, now=NOW)
    (stored,) = ConfigChange.objects.values_list("changed_by", flat=True)
    assert stored.startswith("a?[31m?é")
    assert len(stored) <= 255


def test_it_changes_nothing_that_it_cannot_write_down(monkeypatch):
    def fail(*_args: object, **_kwargs: object) -> None:
        raise IntegrityError("no")

    monkeypatch.setattr(ConfigChange.objects, "create", fail)
    for act in (
        lambda: queue.set_knob("timeout", 1, queue="mail", by="anna", now=NOW),
        lambda: queue.pause("mail", by="anna", now=NOW),
    ):
        with pytest.raises(IntegrityError):
            act()
    assert not Config.objects.exists()


def test_it_keeps_the_newest_of_each_queue(monkeypatch):
    monkeypatch.setattr(_changes, "CHANGES_KEPT", 3)
    queue.set_knob("timeout", 99, queue="quiet", by="anna", now=NOW)
    for number in range(6):
        queue.set_knob("timeout", number, queue="mail", by="script", now=after(seconds=number))
    kept = ConfigChange.objects.filter(queue="mail").order_by("pk")
    assert [change.after for change in kept] == [3, 4, 5]
    assert told(name="quiet") == [("anna", "timeout: not set → 1m39s")]


def test_it_names_who_paused_a_queue():
    queue.pause("mail", now=NOW, reason="on fire", by="anna")
    queue.pause("mail", now=after(seconds=1), until=after(seconds=60), reason="still", by="berta")
    queue.pause("news", now=NOW, by="carla")
    found = stats.pauses(now=after(seconds=2))
    assert {name: pause.by for name, pause in found.items()} == {"mail": "berta", "news": "carla"}
    assert found["mail"].text == ("paused by berta since 2026-01-02 03:04:06 UTC until 2026-01-02 03:05:05 UTC: still")
    assert found["news"].text == "paused by carla since 2026-01-02 03:04:05 UTC"


def test_it_names_nobody_for_a_pause_of_which_it_knows_nothing():
    """Old code, which runs beside new code while that is rolled out, pauses without a word."""
    queue.pause("mail", now=NOW, by="anna")
    Config.objects.update(paused_at=NOW + timedelta(seconds=1))
    pause = stats.pauses(now=after(seconds=2))["mail"]
    assert (pause.by, pause.text) == (None, "paused since 2026-01-02 03:04:06 UTC")


def test_it_asks_for_nobody_where_nothing_is_paused(django_assert_num_queries):
    queue.set_knob("timeout", 1, queue="mail", by="anna", now=NOW)
    with django_assert_num_queries(1):
        assert stats.pauses(now=NOW) == {}


def test_it_reads_a_long_history_through_its_index():
    with connection.cursor() as cursor:
        constraints = connection.introspection.get_constraints(cursor, ConfigChange._meta.db_table)
    assert constraints["jobs_configchange_queue"]["columns"] == ["queue", "id"]


@pytest.mark.django_db(transaction=True)
def test_it_tells_one_story_of_changes_at_one_instant():
    values = [1.0, 2.0, 3.0, 4.0]
    race(*[lambda v=v: queue.set_knob("timeout", v, queue="mail", by=f"user{v:g}", now=NOW) for v in values])
    changes = list(ConfigChange.objects.order_by("pk"))
    assert sorted(change.after for change in changes) == values
    assert [change.before for change in changes] == [None, *(change.after for change in changes[:-1])]
    assert Config.objects.get().timeout == changes[-1].after
