"""A request ends in time, or is given up; nothing of it is left behind."""

from __future__ import annotations

import asyncio
import concurrent.futures
import threading
from collections.abc import Iterator

import pytest

from literature_review.llm.timed_calls import TimedCalls


async def _nothing() -> None:
    """What a client does on closing."""


@pytest.fixture
def calls() -> Iterator[TimedCalls]:
    made = TimedCalls("requests for tests")
    yield made
    made.close(_nothing)


def _threads() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name == "requests for tests"]


def test_no_thread_before_the_first_call(calls: TimedCalls) -> None:
    """A dry run makes the client and asks nothing."""
    assert _threads() == []

    async def three() -> int:
        return 3

    assert calls.run(three, 5.0) == 3
    assert len(_threads()) == 1
    calls.close(_nothing)
    assert _threads() == []


def test_a_coroutine_past_its_time_is_cancelled(calls: TimedCalls) -> None:
    """So that its connection is closed."""
    cancelled = threading.Event()

    async def slow() -> None:
        try:
            await asyncio.sleep(30)
        except asyncio.CancelledError:
            cancelled.set()
            raise

    with pytest.raises(TimeoutError, match=r"within 0\.05 s"):
        calls.run(slow, 0.05)
    assert cancelled.wait(5.0)


def test_an_answer_at_the_last_moment_is_not_thrown_away(calls: TimedCalls, monkeypatch: pytest.MonkeyPatch) -> None:
    """It was paid for: the wait was over, but so was the request."""
    real = concurrent.futures.Future.result

    def result(future: concurrent.futures.Future[str], timeout: float | None = None) -> str:
        told = real(future, None)
        if timeout is not None:
            raise concurrent.futures.TimeoutError
        return told

    async def answer() -> str:
        return "paid for"

    monkeypatch.setattr(concurrent.futures.Future, "result", result)
    assert calls.run(answer, 0.1) == "paid for"


def test_an_interrupt_gives_the_request_up(calls: TimedCalls, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ctrl-C reaches the waiting thread; the request does not go on behind its back."""
    cancelled, begun = threading.Event(), threading.Event()

    def result(future: concurrent.futures.Future[None], timeout: float | None = None) -> None:
        begun.wait(5.0)
        raise KeyboardInterrupt

    async def slow() -> None:
        begun.set()
        try:
            await asyncio.sleep(30)
        except asyncio.CancelledError:
            cancelled.set()
            raise

    monkeypatch.setattr(concurrent.futures.Future, "result", result)
    with pytest.raises(KeyboardInterrupt):
        calls.run(slow, 30.0)
    assert cancelled.wait(5.0)


def test_closing_runs_the_clients_own_closing_in_its_loop(calls: TimedCalls) -> None:
    where: list[str] = []

    async def name() -> None:
        where.append(threading.current_thread().name)

    calls.run(name, 5.0)
    calls.close(name)
    assert where == ["requests for tests"] * 2


def test_a_closing_that_fails_or_hangs_keeps_nobody() -> None:
    """The thread is a daemon, and is waited for two seconds at most."""

    async def three() -> int:
        return 3

    async def fails() -> None:
        raise OSError("the connection would not close")

    calls = TimedCalls("requests for tests")
    calls.run(three, 5.0)
    calls.close(fails)
    assert _threads() == []


def test_after_closing_nothing_runs(calls: TimedCalls) -> None:
    calls.close(_nothing)

    async def never() -> None:
        raise AssertionError("it ran")

    with pytest.raises(RuntimeError, match="closed"):
        calls.run(never, 1.0)
