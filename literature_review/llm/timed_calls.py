"""Requests that end in time, whatever the server does.

An HTTP client's own time-outs count from one read to the next: a body that drips for ever never passes them. Here each
request is a task in an event loop of its own thread, waited for by a clock and cancelled when its time is over, which
closes its connection.
"""

from __future__ import annotations

import asyncio
import concurrent.futures
import threading
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

T = TypeVar("T")


class TimedCalls:
    """Runs coroutines in one thread of its own, begun with the first. Thread-safe.

    The thread is a daemon: a request under way keeps no program from ending.
    """

    def __init__(self, name: str) -> None:
        self._name = name
        self._lock = threading.Lock()  # guards all below
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None
        self._closed = False

    def run(self, work: Callable[[], Coroutine[Any, Any, T]], timeout: float | None) -> T:
        """What the coroutine returns or raises. Raises TimeoutError after `timeout` seconds, and gives the coroutine
        up; likewise on an interrupt of the waiting thread. An answer that came at the last moment is returned."""
        loop = self._running_loop()
        future = asyncio.run_coroutine_threadsafe(work(), loop)
        try:
            return future.result(timeout)
        except concurrent.futures.CancelledError as error:
            raise RuntimeError(f"{self._name}: closed while an answer was waited for") from error
        except concurrent.futures.TimeoutError as error:
            if not future.cancel() and not future.cancelled():
                return future.result()  # it has ended meanwhile, or the time-out was the coroutine's own
            raise TimeoutError(f"no whole answer within {timeout:g} s") from error
        except BaseException:
            future.cancel()
            raise

    def close(self, last: Callable[[], Coroutine[Any, Any, None]]) -> None:
        """Give up what is under way, run `last` and end the thread, within a second or two. Twice does nothing."""
        with self._lock:
            loop, thread, self._loop, self._closed = self._loop, self._thread, None, True
        if loop is not None and thread is not None:
            asyncio.run_coroutine_threadsafe(_wind_up(last, loop), loop)
            thread.join(2.0)  # it is a daemon: a connection that will not close keeps nobody waiting

    def _running_loop(self) -> asyncio.AbstractEventLoop:
        with self._lock:
            if self._closed:
                raise RuntimeError(f"{self._name} is closed")
            if self._loop is None:
                self._loop = asyncio.new_event_loop()
                self._thread = threading.Thread(target=_run, args=(self._loop,), name=self._name, daemon=True)
                self._thread.start()
            return self._loop


def _run(loop: asyncio.AbstractEventLoop) -> None:
    try:
        loop.run_forever()
        loop.run_until_complete(_settle())
    finally:
        loop.close()


async def _settle() -> None:
    """Let the tasks end that a client library's finalizer leaves in whatever loop is running."""
    await asyncio.gather(*(asyncio.all_tasks() - {asyncio.current_task()}), return_exceptions=True)


async def _wind_up(last: Callable[[], Coroutine[Any, Any, None]], loop: asyncio.AbstractEventLoop) -> None:
    for task in asyncio.all_tasks() - {asyncio.current_task()}:
        task.cancel()
    await _settle()
    try:
        await last()
    finally:
        loop.stop()
