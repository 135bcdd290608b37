"""Writes of many threads in one transaction: they share its flush to the disk.

    write --> in line --> nobody writes? --> takes all that are in line --> one transaction --> wakes its followers
                                             ^--- who came meanwhile is taken by the first of them ---'

A flush takes the disk as long for twenty rows as for one, and while one is under way the next writes gather by
themselves: nothing is held back to wait for company.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from literature_review.sqlite_file import SqliteFile

if TYPE_CHECKING:
    import sqlite3

T = TypeVar("T")


class _Write(Generic[T]):
    """One thread's write, until it is done: with what it returned, or raised."""

    def __init__(self, work: Callable[[sqlite3.Connection], T]) -> None:
        self.work = work
        self.woken = threading.Event()  # done, or first in line
        self.is_done = False
        self.result: T | None = None
        self.error: Exception | None = None

    def end(self, result: T | None = None, error: Exception | None = None) -> None:
        self.result, self.error, self.is_done = result, error, True
        self.woken.set()


class SharedCommits:
    """Durable writes to a SqliteFile. Thread-safe."""

    def __init__(self, file: SqliteFile) -> None:
        self._file = file
        self._lock = threading.Lock()  # guards all below
        self._line: list[_Write[Any]] = []
        self._is_led = False

    def write(self, work: Callable[[sqlite3.Connection], T]) -> T:
        """What `work(connection)` returns, once it is on disk; or what it raises, and then nothing of it was changed.

        It runs within a transaction that may hold other threads' writes, in any of these threads, and where one of
        those fails, once more without them: it must do nothing but work on the connection. Raises what
        SqliteFile.transaction raises.
        """
        mine = _Write(work)
        with self._lock:
            self._line.append(mine)
            leads, self._is_led = not self._is_led, True
        if not leads:
            mine.woken.wait()
        if not mine.is_done:
            self._lead()
        if mine.error is not None:
            raise mine.error
        return mine.result  # type: ignore[return-value]  # it is done

    def _lead(self) -> None:
        """Write all that are in line, this thread's first among them; the next in line leads after that."""
        with self._lock:
            batch, self._line = self._line, []
        try:
            self._commit(batch)
        finally:
            with self._lock:  # after an interrupt of this thread the others' are still to be done
                self._line = [write for write in batch[1:] if not write.is_done] + self._line
                self._is_led = bool(self._line)
                if self._line:
                    self._line[0].woken.set()

    def _commit(self, batch: list[_Write[Any]]) -> None:
        is_begun = is_whole = False
        try:
            with self._file.transaction() as connection:
                is_begun = True
                results = [write.work(connection) for write in batch]
                is_whole = True
        except Exception as error:  # noqa: BLE001, it is raised again where it belongs
            if is_begun and not is_whole and len(batch) > 1:  # the fault of one of them: each alone
                for write in batch:
                    self._commit([write])
                return
            for write in batch:
                write.end(error=error)
        else:
            for write, result in zip(batch, results, strict=True):
                write.end(result)
