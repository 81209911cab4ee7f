"""The kernel's word that a file was written to."""

import select
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from jobs import file_watch
from jobs.file_watch import FileWatch

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="inotify is Linux's")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "file"
    path.write_text("before")
    return path


@pytest.fixture
def watch(path: Path) -> Iterator[FileWatch]:
    watch = file_watch.watch(path, path.with_name("absent"))
    assert watch is not None
    yield watch
    watch.close()


def _is_readable(watch: FileWatch) -> bool:
    return bool(select.select([watch], [], [], 0)[0])


def test_it_is_readable_after_a_write_until_it_is_cleared(watch: FileWatch, path: Path):
    assert not _is_readable(watch)
    path.write_text("after")
    assert _is_readable(watch)
    assert watch.clear()
    assert not _is_readable(watch)
    assert not watch.clear()


def test_it_hears_nothing_of_a_read(watch: FileWatch, path: Path):
    path.read_text()
    assert not _is_readable(watch)


def test_it_hears_of_a_file_that_took_the_name_of_another_once_renewed(watch: FileWatch, path: Path):
    path.unlink()
    path.write_text("another")
    watch.clear()
    watch.renew()
    path.write_text("after")
    assert _is_readable(watch)
