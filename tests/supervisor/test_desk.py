"""What lies between the control thread and the store thread of a supervisor."""

import os
import resource
import select
from collections.abc import Iterator

import pytest

from jobs.outcome import Output
from jobs.queue import Ended
from jobs.supervisor.desk import Desk, Running, Wishes
from tests.clock import NOW
from tests.factories import make_claim, make_outcome

ROOM = 1_000_000
SELECT_MAX = 1_023  # FD_SETSIZE - 1


@pytest.fixture
def desk() -> Iterator[Desk]:
    desk = Desk()
    yield desk
    _close(desk)


def _close(desk: Desk) -> None:
    for fd in (*desk._control_bell, *desk._store_bell):
        os.close(fd)


def _ended(id: str = "job1") -> Ended:  # noqa: A002
    return Ended(claim=make_claim(id=id), outcome=make_outcome())


def _running(printed: str, id: str = "job1") -> Running:  # noqa: A002
    return Running(claim=make_claim(id=id), pid=1, started_at=NOW, output=Output(head=printed))


def _rings(desk: Desk) -> bool:
    return bool(select.select([desk], [], [], 0)[0])


def _wakes_the_store(desk: Desk) -> bool:
    return bool(select.select([desk._store_bell[0]], [], [], 0)[0])


def test_it_keeps_ends_in_order_until_they_are_recorded(desk: Desk):
    ends = [_ended("a"), _ended("b"), _ended("c")]
    desk.put_ended(ends[:2])
    desk.put_ended(ends[2:])
    assert desk.look_at_ended(2, max_characters=ROOM) == ends[:2]
    assert desk.look_at_ended(10, max_characters=ROOM) == ends


def test_it_forgets_the_ends_that_were_recorded_and_no_others(desk: Desk):
    desk.put_ended([_ended("a"), _ended("b")])
    looked_at = desk.look_at_ended(10, max_characters=ROOM)
    desk.put_ended([_ended("c")])
    desk.clear_ended(len(looked_at))
    assert desk.look_at_ended(10, max_characters=ROOM) == [_ended("c")]
    assert desk.has_unrecorded
    desk.clear_ended(1)
    assert not desk.has_unrecorded


def _long(id: str, characters: int) -> Ended:  # noqa: A002
    return Ended(claim=make_claim(id=id), outcome=make_outcome(output=Output(head="x" * characters)))


def test_it_gives_no_more_text_than_there_is_room_for(desk: Desk):
    ends = [_long("a", 6), Ended(claim=make_claim(id="b"), outcome=None), _long("c", 4), _long("d", 1)]
    desk.put_ended(ends)
    assert desk.look_at_ended(10, max_characters=11) == ends
    assert desk.look_at_ended(10, max_characters=10) == ends[:3]
    assert desk.look_at_ended(10, max_characters=9) == ends[:2]


def test_it_gives_one_end_however_long(desk: Desk):
    ends = [_long("a", 6), _long("b", 1)]
    desk.put_ended(ends)
    assert desk.look_at_ended(10, max_characters=0) == ends[:1]


def test_it_replaces_an_end_that_could_not_be_recorded(desk: Desk):
    desk.put_ended([_ended("a"), _ended("b")])
    bare = Ended(claim=make_claim(id="a"), outcome=None)
    desk.replace_first_ended(bare)
    assert desk.look_at_ended(10, max_characters=ROOM) == [bare, _ended("b")]


def test_it_knows_how_long_the_oldest_end_has_waited(desk: Desk):
    desk.put_ended([_ended("a")])
    since = desk.unrecorded_since
    desk.put_ended([_ended("b")])
    assert 0 < desk.unrecorded_since == since


def test_it_keeps_only_the_latest_word_of_a_running_attempt(desk: Desk):
    desk.put_running(_running("one"))
    desk.put_running(_running("one two"))
    desk.put_running(_running("other", id="job2"))
    assert [running.output.head for running in desk.take_running()] == ["one two", "other"]
    assert desk.take_running() == []


def test_it_says_nothing_of_an_attempt_that_has_ended(desk: Desk):
    desk.put_running(_running("out of date"))
    desk.put_ended([_ended()])
    assert desk.take_running() == []


def test_it_hands_over_claims_once_and_rings(desk: Desk):
    assert not _rings(desk)
    desk.put_claims([make_claim()])
    assert _rings(desk)
    assert desk.take_news().claims == [make_claim()]
    assert not _rings(desk)
    assert desk.take_news().claims == []


def test_it_does_not_ring_for_no_claims(desk: Desk):
    desk.put_claims([])
    assert not _rings(desk)


def test_it_takes_the_room_of_claims_that_it_handed_over(desk: Desk):
    desk.wish(Wishes(room=5, is_hungry=True))
    desk.put_claims([make_claim(id="a"), make_claim(id="b")])
    assert (desk.wishes.room, desk.wishes.is_hungry) == (3, False)


def test_it_takes_the_room_of_claims_that_nobody_has_picked_up(desk: Desk):
    desk.put_claims([make_claim(id="a"), make_claim(id="b")])
    desk.wish(Wishes(room=5))
    assert desk.wishes.room == 3
    desk.take_news()
    desk.wish(Wishes(room=5))
    assert desk.wishes.room == 5


@pytest.mark.parametrize("wishes", [Wishes(room=1), Wishes(is_hungry=True), Wishes(is_closing=True)])
def test_it_wakes_the_store_when_more_is_wished_for(desk: Desk, wishes: Wishes):
    desk.wish(wishes)
    assert _wakes_the_store(desk)
    desk.wait(60.0)
    assert not _wakes_the_store(desk)


def test_it_lets_the_store_sleep_when_less_is_wished_for(desk: Desk):
    desk.wish(Wishes(room=5))
    desk.wait(0.0)
    desk.wish(Wishes(room=4))
    assert not _wakes_the_store(desk)


@pytest.fixture
def many_open_files() -> Iterator[None]:
    """As many as the largest supervisors have: the next descriptor is one that select() refuses."""
    limits = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(limits[0], 2_048), limits[1]))
    opened = [os.open(os.devnull, os.O_RDONLY)]
    while opened[-1] < SELECT_MAX:
        opened.append(os.dup(opened[0]))
    yield
    for number in opened:
        os.close(number)
    resource.setrlimit(resource.RLIMIT_NOFILE, limits)


def test_it_waits_with_more_files_open_than_select_takes(many_open_files: None):
    desk = Desk()
    desk.wait(0.0)
    desk.wish(Wishes(is_closing=True))
    desk.wait(60.0)
    desk.put_stop(None)
    desk.wait_for_news(60.0)
    assert desk.fileno() > SELECT_MAX
    assert desk.take_news().is_stop_asked
    _close(desk)


def test_it_waits_no_longer_than_it_was_told(desk: Desk):
    desk.wait(0.0)


def test_it_passes_on_requests_to_cancel_and_to_stop(desk: Desk):
    desk.put_cancels([("job1", 1)])
    desk.put_cancels([("job2", 3)])
    desk.put_stop(5.0)
    assert _rings(desk)
    news = desk.take_news()
    assert news.cancels == [("job1", 1), ("job2", 3)]
    assert (news.is_stop_asked, news.stop_grace_seconds) == (True, 5.0)
    assert not desk.take_news().is_stop_asked


def test_it_forgets_everything_of_a_lost_lease(desk: Desk):
    desk.fresh_start.set()
    desk.put_ended([_ended()])
    desk.put_running(_running("printed", id="job2"))
    desk.put_claims([make_claim(id="job3")])
    desk.wish(Wishes(room=9))

    desk.put_lease_lost()

    assert _rings(desk)
    news = desk.take_news()
    assert (news.is_lease_lost, news.claims) == (True, [])
    assert not desk.has_unrecorded
    assert desk.take_running() == []
    assert desk.wishes.room == 0
    assert not desk.fresh_start.is_set()


def test_it_keeps_a_request_to_stop_when_the_lease_is_lost(desk: Desk):
    desk.put_stop(5.0)
    desk.put_lease_lost()
    assert desk.take_news().is_stop_asked


def test_it_is_dry_when_nothing_was_found_and_rings_once(desk: Desk):
    desk.put_dry()
    assert desk.is_dry
    assert _rings(desk)
    desk.take_news()
    desk.put_dry()
    assert not _rings(desk)


def test_it_is_not_dry_after_a_claim(desk: Desk):
    desk.put_dry()
    desk.put_claims([make_claim()])
    assert not desk.is_dry


def test_it_is_not_dry_after_an_end(desk: Desk):
    desk.put_dry()
    desk.put_ended([_ended()])
    assert not desk.is_dry


def test_it_is_not_dry_while_an_end_waits_to_be_recorded(desk: Desk):
    # The store looks, finds nothing, and says so; between the two a job has failed whose retry is due at once.
    desk.put_ended([_ended()])
    desk.put_dry()
    assert not desk.is_dry


def test_it_can_be_rung_without_end_by_signals_that_nobody_hears(desk: Desk):
    for _ in range(70_000):  # more than a pipe holds
        desk.ring()
    assert _rings(desk)
