"""Between processes: who asks a question first asks it alone, and the others wait for its answer.

    a question's key -> one byte of `<book>.lock`, locked -> asked, its answer kept -> unlocked

The system unlocks what a process held that died, so nobody waits for the dead. Where a file system or a system has no
such locks, equal questions of several processes at the same time are each paid for.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import ModuleType

from literature_review.files import make_folder
from literature_review.ports import Deadline

try:
    import fcntl
except ImportError:  # Windows
    _fcntl: ModuleType | None = None
else:
    _fcntl = fcntl

_LOOK_AGAIN = 0.1  # seconds between two looks at a question that another process is asking
_PLACES = 15  # hexadecimal digits of a key that name its byte: two keys share one in 10^18
_BUDGET = 1 << 60  # the byte behind them: of the process that keeps to a budget


class QuestionLocks:
    """The locks of one process in the file `path`, made with the first and removed by the last process that closes.

    Thread-safe for different keys; threads that ask the same have to be kept apart by others, since a process's locks
    do not hold against itself. Raises no OSError: without locks the work goes on.
    """

    def __init__(self, path: str) -> None:
        self._path = path
        self._lock = threading.Lock()  # guards the two below
        self._file: int | None = None
        self._left: list[int] = []  # descriptors of files that were removed: another thread may be about to use one

    @contextmanager
    def held(self, key: str, deadline: Deadline) -> Iterator[None]:
        """Hold the question with this key. Raises StageTimeoutError when the deadline passes before that."""
        place = int(key[:_PLACES], 16)
        file = self._waited_for(place, deadline)
        try:
            yield
        finally:
            if file is not None:
                self._unlock(file, place)

    def alone_with_budget(self) -> bool:
        """True where no other process keeps to a budget; none can then, until this one closes. To be called while a
        question is held."""
        try:
            file = self._opened()
            return file is None or _locked(file, _BUDGET)
        except OSError:
            return True

    def close(self) -> None:
        """Give the file back, and remove it where no other process holds a question."""
        with self._lock:
            file, self._file = self._file, None
            if file is None:
                return
            try:
                if _locked(file, 0, whole=True) and self._is_current(file):
                    os.unlink(self._path)
            except OSError:
                pass  # an empty file stays
            while self._left:
                os.close(self._left.pop())
            os.close(file)

    def _waited_for(self, place: int, deadline: Deadline) -> int | None:
        """The descriptor in which the place is locked by now; None where nothing can be locked."""
        while True:
            try:
                file = self._opened()
                free = file is None or _locked(file, place)
                if file is None or (free and self._is_current(file)):
                    return file
                if free:
                    self._leave(file)
                    continue
            except OSError:
                return None
            deadline.check("a question that another process is asking")
            deadline.cancelled.wait(deadline.remaining(at_most=_LOOK_AGAIN))

    def _opened(self) -> int | None:
        with self._lock:
            if self._file is None and _fcntl is not None:
                make_folder(os.path.dirname(self._path))
                self._file = os.open(self._path, os.O_RDWR | os.O_CREAT, 0o666)
            return self._file

    def _is_current(self, file: int) -> bool:
        """False where another process has removed the file meanwhile: a lock in it holds against nobody."""
        try:
            found, own = os.stat(self._path), os.fstat(file)
        except FileNotFoundError:
            return False
        return (found.st_dev, found.st_ino) == (own.st_dev, own.st_ino)

    def _leave(self, file: int) -> None:
        with self._lock:
            if self._file == file:
                self._left.append(file)
                self._file = None

    def _unlock(self, file: int, place: int) -> None:
        with self._lock:
            if self._file == file and _fcntl is not None:
                _fcntl.lockf(file, _fcntl.LOCK_UN, 1, place)


def _locked(file: int, place: int, whole: bool = False) -> bool:
    """Lock a byte of the file, or all of it; False where another process holds it. Raises OSError where nothing can be
    locked."""
    if _fcntl is None:
        return True
    try:
        _fcntl.lockf(file, _fcntl.LOCK_EX | _fcntl.LOCK_NB, 0 if whole else 1, place)
    except (BlockingIOError, PermissionError):
        return False
    return True
