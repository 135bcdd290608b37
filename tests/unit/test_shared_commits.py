"""Writes of threads that share a flush: each is whole, each hears its own fate."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from literature_review.errors import StoreError
from literature_review.shared_commits import SharedCommits
from literature_review.sqlite_file import Schema, SqliteFile

LONG = 10.0  # seconds that no test waits, unless it fails
SCHEMA = Schema(0x54455354, lambda: ("CREATE TABLE rows (value INTEGER UNIQUE);",), "the rows are lost")


class CountingFile(SqliteFile):
    """Counts its transactions; `end` is called before each is committed."""

    def __init__(self, path: Path) -> None:
        super().__init__(path, SCHEMA)
        self.transactions = 0
        self.end: Callable[[], None] = lambda: None

    @contextmanager
    def transaction(self) -> Iterator[Any]:
        with super().transaction() as connection:
            self.transactions += 1
            yield connection
            self.end()

    def values(self) -> list[int]:
        return [row[0] for row in self.rows("SELECT value FROM rows ORDER BY value")]


@pytest.fixture
def file(tmp_path: Path) -> Iterator[CountingFile]:
    made = CountingFile(tmp_path / "rows.db")
    yield made
    made.close()


def add(value: int) -> Callable[[Any], int]:
    return lambda connection: int(connection.execute("INSERT INTO rows VALUES (?)", (value,)).rowcount)


def together(commits: SharedCommits, first: Callable[[Any], Any], *others: Callable[[Any], Any]) -> list[Any]:
    """What each write returned or raised, where the others come while the first is under way."""
    begun, gathered = threading.Event(), threading.Event()
    outcomes: list[Any] = [None] * (1 + len(others))

    def leading(connection: Any) -> Any:
        begun.set()
        assert gathered.wait(LONG)
        return first(connection)

    def write(at: int, work: Callable[[Any], Any]) -> None:
        try:
            outcomes[at] = commits.write(work)
        except BaseException as error:
            outcomes[at] = error

    threads = [threading.Thread(target=write, args=each, daemon=True) for each in enumerate([leading, *others])]
    threads[0].start()
    assert begun.wait(LONG)
    for count, thread in enumerate(threads[1:], 1):
        thread.start()
        while len(commits._line) < count:
            threading.Event().wait(0.001)
    gathered.set()
    for thread in threads:
        thread.join(LONG)
        assert not thread.is_alive(), "a write waits for ever"
    return outcomes


def test_writes_that_come_while_another_is_under_way_share_one_flush(file: CountingFile) -> None:
    assert together(SharedCommits(file), *map(add, range(9))) == [1] * 9
    assert file.transactions == 2
    assert file.values() == list(range(9))


def test_a_write_that_fails_changes_nothing_and_harms_no_other(file: CountingFile) -> None:
    """Neither those before it in the same transaction nor those behind; its error is its own."""
    commits = SharedCommits(file)

    def half(connection: Any) -> None:
        add(20)(connection)
        raise ValueError("no")

    outcomes = together(commits, add(0), add(1), half, add(1), add(2))
    assert outcomes[:2] == [1, 1]
    assert isinstance(outcomes[2], ValueError)
    assert isinstance(outcomes[3], StoreError)  # the value stands there already
    assert outcomes[4] == 1
    assert file.values() == [0, 1, 2]
    assert commits.write(add(3)) == 1


def test_where_the_disk_fails_every_write_of_the_flush_raises(file: CountingFile) -> None:
    """And the next begins afresh."""
    commits = SharedCommits(file)

    def fail() -> None:
        if file.transactions > 1:
            raise OSError(28, "No space left on device")

    file.end = fail
    outcomes = together(commits, add(0), add(1), add(2))
    assert outcomes[0] == 1
    assert [type(outcome) for outcome in outcomes[1:]] == [OSError, OSError]
    file.end = lambda: None
    assert commits.write(add(3)) == 1
    assert file.values() == [0, 3]


def test_an_interrupt_in_the_thread_that_writes_for_others_leaves_their_writes_to_be_done(file: CountingFile) -> None:
    def interrupted() -> None:
        if file.transactions == 2:
            raise KeyboardInterrupt

    file.end = interrupted
    outcomes = together(SharedCommits(file), add(0), add(1), add(2), add(3))
    assert outcomes[0] == 1
    assert isinstance(outcomes[1], KeyboardInterrupt)
    assert outcomes[2:] == [1, 1]
    assert file.values() == [0, 2, 3]
