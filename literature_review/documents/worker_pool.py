"""A few worker processes that read PDFs, each killed and replaced when it hangs or dies.

    caller's thread -> takes a worker (waits for one) -> request -> answer | time over | told to stop | died
                    -> gives the worker back, or kills it; a new one is started when it is needed

Idle workers are kept in `_idle`; `_running` counts all. Both are guarded by `_free`. One thread at a time talks
to a worker, so that an answer belongs to the request before it. A reader thread per worker waits on the pipe,
because a pipe cannot be waited for with a time limit on every system.
"""

from __future__ import annotations

import json
import os
import queue
import subprocess
import sys
import threading
import time
import weakref
from collections.abc import Callable, Sequence
from typing import Any, BinaryIO, cast

from literature_review.documents.frames import read_frame, write_frame
from literature_review.errors import ReviewError, UnreadablePaperError
from literature_review.ports import Deadline

START_SECONDS = 60.0
_LOOK_SECONDS = 0.1  # how often a waiting thread looks whether it is told to stop
_KEPT_ENVIRONMENT = ("PATH", "SYSTEMROOT", "WINDIR", "TEMP", "TMP", "TMPDIR", "HOME", "LD_LIBRARY_PATH",
                     "DYLD_LIBRARY_PATH", "LANG", "LC_ALL", "LC_CTYPE")  # fmt: skip
_START = "import sys; sys.path[:] = sys.argv[1:]; from literature_review.documents.pdf_worker import main; main()"


class WorkerDiedError(ReviewError):
    """The worker process ended, or wrote what is no answer, after it had been at work for `after` seconds."""

    after = 0.0


class WorkerTimeoutError(ReviewError):
    """The worker did not answer within the time that one file is given."""


def worker_command() -> list[str]:
    """How a worker is started: the same interpreter, with the import path of this process but not the
    current folder, so that nothing lying beside the papers is imported."""
    root = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
    path = [root, *(entry for entry in sys.path if entry and entry != root)]
    return [sys.executable, "-I", "-c", _START, *path]


class Worker:
    """One worker process. Used by one thread at a time; `kill` may be called from any.

    Environment variables are not handed on but for a few that the system needs: no key is within its reach.
    """

    def __init__(self, command: Sequence[str]) -> None:
        self.used = 0
        self._answers: queue.SimpleQueue[bytes | None] = queue.SimpleQueue()
        flags: dict[str, Any] = (
            {"creationflags": getattr(subprocess, "CREATE_NEW_PROCESS_GROUP", 0)}
            if os.name == "nt"
            else {"start_new_session": True}
        )
        environment = {key: os.environ[key] for key in _KEPT_ENVIRONMENT if key in os.environ}
        self.process = subprocess.Popen(
            list(command),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env=environment,
            **flags,
        )
        self._listener = threading.Thread(target=self._listen, name="pdf-worker-pipe", daemon=True)
        self._listener.start()

    def _listen(self) -> None:
        stream = cast(BinaryIO, self.process.stdout)
        try:
            while (frame := read_frame(stream)) is not None:
                self._answers.put(frame)
        except (OSError, ValueError):  # the pipe was closed under the reader: the worker is being killed
            pass
        self._answers.put(None)

    def receive(self, seconds: float | None, deadline: Deadline) -> dict[str, Any]:
        """The next answer. Raises WorkerDiedError, WorkerTimeoutError after `seconds`, StageTimeoutError."""
        until = None if seconds is None else time.monotonic() + seconds
        while True:
            deadline.check("reading a paper")
            left = _LOOK_SECONDS if until is None else min(_LOOK_SECONDS, until - time.monotonic())
            if left <= 0:
                raise WorkerTimeoutError(f"no answer within {seconds:g} seconds")
            try:
                frame = self._answers.get(timeout=deadline.remaining(left))
            except queue.Empty:
                continue
            return _parsed(frame)

    def send(self, request: dict[str, Any]) -> None:
        try:
            write_frame(cast(BinaryIO, self.process.stdin), request)
        except (OSError, ValueError) as error:
            raise WorkerDiedError("the worker does not read any more") from error
        self.used += 1

    def kill(self) -> None:
        """Ends the process, waits for its end and closes the pipes. May be called again."""
        self.process.kill()
        self.process.wait()
        self._listener.join(timeout=5)
        for stream in (self.process.stdin, self.process.stdout):
            try:
                if stream is not None:
                    stream.close()
            except OSError:  # unsent bytes of a dead worker
                pass


def _parsed(frame: bytes | None) -> dict[str, Any]:
    try:
        message = json.loads(frame) if frame is not None else None
    except (ValueError, RecursionError):
        message = None
    if not isinstance(message, dict):
        raise WorkerDiedError("the worker ended or wrote what is no answer")
    return message


class WorkerPool:
    """At most `size` workers, started when they are needed. Thread-safe.

    After a fork the child starts with no workers of its own and leaves the parent's alone.
    """

    def __init__(self, size: int, command: Callable[[], Sequence[str]] = worker_command) -> None:
        self.size = size
        self._command = command
        self._serial = 0
        self._begin()
        if hasattr(os, "register_at_fork"):
            method = weakref.WeakMethod(self._after_fork)
            os.register_at_fork(after_in_child=lambda: (forget := method()) and forget())

    def _after_fork(self) -> None:
        """In the child: the workers are the parent's, and a lock may be held by a thread that is not here."""
        self._at_exit.detach()
        self._begin()

    def _begin(self) -> None:
        self._free = threading.Condition()
        self._idle: list[Worker] = []
        self._running = 0
        self._closed = False
        self._all: set[Worker] = set()
        self._at_exit = weakref.finalize(self, _kill_all, self._all)

    def ask(self, path: str, seconds: float | None, deadline: Deadline) -> dict[str, Any]:
        """The answer of a worker to one file. Raises WorkerDiedError, WorkerTimeoutError (no answer within
        `seconds`, waiting for a worker not counted), StageTimeoutError, and UnreadablePaperError (no_reader).

        A worker that has read other files before and dies of this one may have been hurt by them: then a fresh
        one is asked. So is one where a worker was killed from outside, once. It is given what is left of `seconds`."""
        try:
            return self._ask_once(path, seconds, deadline)
        except WorkerDiedError as error:
            if seconds is None:
                return self._ask_once(path, None, deadline)
            if error.after >= seconds:
                raise
            return self._ask_once(path, seconds - error.after, deadline)

    def _ask_once(self, path: str, seconds: float | None, deadline: Deadline) -> dict[str, Any]:
        worker = self._take(deadline)
        whole = False
        try:
            with self._free:
                self._serial += 1
                serial = self._serial
            worker.send({"id": serial, "path": os.fsencode(path).hex()})
            answer = _received(worker, seconds, deadline)
            if answer.get("id") != serial:
                raise WorkerDiedError("the worker answered another question")
            whole = True
            return answer
        finally:
            self._give_back(worker, whole)

    def _take(self, deadline: Deadline) -> Worker:
        """An idle worker, or a new one where fewer than `size` run; else waits for one."""
        with self._free:
            while True:
                deadline.check("reading a paper")
                if self._closed:
                    raise ReviewError("The reader is closed: no further paper can be read with it.")
                if self._idle:
                    return self._idle.pop()
                if self._running < self.size:
                    self._running += 1
                    break
                self._free.wait(deadline.remaining(_LOOK_SECONDS))
        return self._started(deadline)

    def _started(self, deadline: Deadline) -> Worker:
        """A new worker that has said that it is ready."""
        worker = None
        try:
            worker = Worker(self._command())
            with self._free:
                self._all.add(worker)
            ready = worker.receive(START_SECONDS, deadline)
        except (OSError, WorkerDiedError, WorkerTimeoutError) as error:
            self._give_back(worker, whole=False)
            raise UnreadablePaperError("no_reader", f"The PDF reader cannot be started ({error}).") from error
        except BaseException:
            self._give_back(worker, whole=False)
            raise
        if not ready.get("ready"):
            self._give_back(worker, whole=False)
            raise UnreadablePaperError(
                "no_reader", f"PDFs cannot be read ({ready.get('message')}): pip install --upgrade pypdfium2"
            )
        return worker

    def _give_back(self, worker: Worker | None, whole: bool) -> None:
        """Back among the idle ones, or killed where it may still be at work."""
        with self._free:
            keep = whole and not self._closed and worker is not None
            if keep and worker is not None:
                self._idle.append(worker)
            else:
                self._running -= 1
                self._all -= {worker}
            self._free.notify()
        if worker is not None and not keep:
            worker.kill()

    def close(self) -> None:
        """Ends all workers; a thread that waits for one of them gets WorkerDiedError. May be called again."""
        with self._free:
            self._closed = True
            workers, self._idle = list(self._all), []
            self._all.clear()
            self._free.notify_all()
        for worker in workers:
            worker.kill()

    def process_ids(self) -> list[int]:
        """The ids of the worker processes that run."""
        with self._free:
            return [worker.process.pid for worker in self._all]


def _received(worker: Worker, seconds: float | None, deadline: Deadline) -> dict[str, Any]:
    """The worker's answer. Raises as `Worker.receive`, with the time that a worker was at work before it died."""
    began = time.monotonic()
    try:
        return worker.receive(seconds, deadline)
    except WorkerDiedError as error:
        error.after = time.monotonic() - began
        raise


def _kill_all(workers: set[Worker]) -> None:
    for worker in list(workers):
        worker.kill()
