"""RetryHelper: the schedule, what a server says, and what ends the retrying.  Nothing here sleeps."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from literature_review.pipeline.orchestrator_v2 import ErrorClassifier, RetryHelper

retry = RetryHelper.retry_with_backoff


class Flaky:
    """Fails with each of the given errors in turn, then succeeds."""

    def __init__(self, *errors: BaseException) -> None:
        self.errors = list(errors)
        self.calls = 0

    def __call__(self) -> str:
        self.calls += 1
        if self.errors:
            raise self.errors.pop(0)
        return "done"


def unwanted_sleep(seconds: float) -> None:
    pytest.fail(f"it slept {seconds} s")


def test_the_guides_schedule() -> None:
    """At once, then after 0.5, 1.0 and 2.0 s; the exact sleeps."""
    sleeps: list[float] = []
    func = Flaky(*[OSError()] * 3)
    assert retry(func, attempts=4, jitter=False, sleep=sleeps.append) == "done"
    assert (func.calls, sleeps) == (4, [0.5, 1.0, 2.0])


def test_success_at_once_does_not_sleep() -> None:
    assert retry(lambda: "x", sleep=unwanted_sleep) == "x"


def test_the_original_error_is_raised_in_the_end() -> None:
    errors = [ValueError("first"), ValueError("last")]
    with pytest.raises(ValueError, match="last") as caught:
        retry(Flaky(*errors), attempts=2, sleep=lambda _: None)
    assert caught.value is errors[1]


@pytest.mark.parametrize(("drawn", "expected"), [(0.0, 8.0), (0.5, 10.0), (1.0, 12.0)])
def test_jitter_stays_within_twenty_per_cent(drawn: float, expected: float) -> None:
    sleeps: list[float] = []
    retry(Flaky(OSError()), base=10, sleep=sleeps.append, random=lambda: drawn)
    assert sleeps == [pytest.approx(expected)]


def test_jitter_never_goes_above_the_cap() -> None:
    sleeps: list[float] = []
    retry(Flaky(OSError()), base=60, max_delay=60, sleep=sleeps.append, random=lambda: 1.0)
    assert sleeps == [60.0]


@given(
    base=st.just(0.0) | st.floats(1e-6, 1e300),
    factor=st.just(0.0) | st.floats(0.01, 1e300),
    cap=st.floats(0, 1e6),
    attempts=st.integers(1, 40),
    jitter=st.booleans(),
)
def test_the_delay_schedule(base: float, factor: float, cap: float, attempts: int, jitter: bool) -> None:
    """min(base * factor**(n-1), max_delay) before attempt n+1, within 20 % with jitter; no exponent overflows."""
    sleeps: list[float] = []
    with pytest.raises(OSError, match=r"^$"):
        retry(
            Flaky(*[OSError()] * attempts), attempts=attempts, base=base, factor=factor, max_delay=cap,
            jitter=jitter, sleep=sleeps.append,
        )  # fmt: skip
    assert len(sleeps) == attempts - 1
    for n, slept in enumerate(sleeps):
        try:
            plain = min(base * factor**n, cap)
        except OverflowError:
            plain = cap if base else 0.0
        if jitter:
            assert 0.79 * plain <= slept <= min(1.21 * plain, cap)
        else:
            assert slept == pytest.approx(plain, rel=1e-6)


def test_a_thousand_attempts_with_a_large_factor() -> None:
    sleeps: list[float] = []
    with pytest.raises(OSError, match=r"^$"):
        retry(Flaky(*[OSError()] * 1000), attempts=1000, factor=1e6, jitter=False, sleep=sleeps.append)
    assert sleeps[-1] == 60.0


def test_with_a_classifier_only_what_it_calls_transient_is_retried() -> None:
    for error, calls in [(TimeoutError(), 2), (FileNotFoundError(), 1), (RuntimeError("odd"), 1)]:
        func = Flaky(error)
        if calls == 1:
            with pytest.raises(type(error)):
                retry(func, error_classifier=ErrorClassifier, sleep=lambda _: None)
        else:
            retry(func, error_classifier=ErrorClassifier(), sleep=lambda _: None)
        assert func.calls == calls


@pytest.mark.parametrize("error", [KeyboardInterrupt(), SystemExit(3), GeneratorExit()])
def test_what_is_no_exception_passes_straight_through(error: BaseException) -> None:
    func = Flaky(error)
    with pytest.raises(type(error)):
        retry(func, sleep=unwanted_sleep)
    assert func.calls == 1


@pytest.mark.parametrize(
    "options",
    [{"attempts": 0}, {"attempts": -1}]
    + [
        {name: value}
        for name in ("base", "factor", "max_delay", "deadline", "max_server_delay")
        for value in (-0.1, float("nan"), float("inf"))
    ],
)
def test_senseless_numbers_are_refused_before_the_first_call(options: dict[str, Any]) -> None:
    func = Flaky()
    with pytest.raises(ValueError, match=next(iter(options))):
        retry(func, **options)
    assert func.calls == 0


def test_no_wait_is_begun_that_would_reach_the_deadline() -> None:
    now = [0.0]
    sleeps: list[float] = []

    def sleep(seconds: float) -> None:
        sleeps.append(seconds)
        now[0] += seconds

    func = Flaky(*[OSError()] * 10)
    with pytest.raises(OSError, match=r"^$"):
        retry(func, attempts=10, jitter=False, deadline=4.0, sleep=sleep, clock=lambda: now[0])
    assert (sleeps, func.calls) == ([0.5, 1.0, 2.0], 4)
    with pytest.raises(OSError, match=r"^$"):
        retry(Flaky(OSError()), base=0, deadline=0, sleep=unwanted_sleep)


def test_on_retry_is_told_before_each_wait_and_may_end_it() -> None:
    seen: list[tuple[int, str, float]] = []

    def tell(attempt: int, error: Exception, delay: float) -> None:
        seen.append((attempt, str(error), delay))
        if attempt == 2:
            raise LookupError("the budget for retries is spent")

    with pytest.raises(LookupError):
        retry(
            Flaky(OSError("a"), OSError("b"), OSError("c")), attempts=5, jitter=False, on_retry=tell,
            sleep=lambda _: None,
        )  # fmt: skip
    assert seen == [(1, "a", 0.5), (2, "b", 1.0)]


def test_cancel_ends_a_wait_at_once() -> None:
    cancel = threading.Event()
    func = Flaky(OSError("x"), OSError("y"))
    timer = threading.Timer(0.01, cancel.set)
    timer.start()
    with pytest.raises(OSError, match="x"):
        retry(func, base=60, cancel=cancel)
    timer.join()
    assert func.calls == 1
    with pytest.raises(OSError, match="y"):
        retry(func, sleep=unwanted_sleep, cancel=cancel)


def test_cancel_is_seen_after_an_own_sleep_as_well() -> None:
    cancel = threading.Event()
    func = Flaky(OSError("x"))
    with pytest.raises(OSError, match="x"):
        retry(func, cancel=cancel, sleep=lambda _: cancel.set())


class ServerError(Exception):
    def __init__(self, text: str = "busy", **attributes: Any) -> None:
        super().__init__(text)
        self.__dict__.update(attributes)


class Response:
    def __init__(self, **headers: str) -> None:
        self.headers = {name.replace("_", "-"): value for name, value in headers.items()}


def slept(error: Exception, **options: Any) -> float:
    sleeps: list[float] = []
    retry(Flaky(error), jitter=False, sleep=sleeps.append, wall_clock=lambda: 1_700_000_000.0, **options)
    return sleeps[0]


@pytest.mark.parametrize(
    ("error", "seconds"),
    [
        (ServerError(headers={"Retry-After": "7"}), 7.0),
        (ServerError(headers={"retry-after": "7.5"}), 7.5),
        (ServerError(response=Response(Retry_After="12")), 12.0),
        (ServerError(headers={"Retry-After": "Tue, 14 Nov 2023 22:13:40 GMT"}), 20.0),
        (ServerError(headers={"Retry-After": "Tue, 14 Nov 2003 22:13:40 GMT"}), 0.5),
        (ServerError(headers={"Retry-After": "soon"}), 0.5),
        (ServerError(headers={"Retry-After": "-5"}), 0.5),
        (ServerError(headers={"Retry-After": "9" * 40}), 0.5),
        (ServerError(headers={"Retry-After": "0.1"}), 0.5),
        (ServerError(headers={}), 0.5),
        (ServerError(retry_after=9), 9.0),
        (ServerError(retry_after=float("nan")), 0.5),
        (ServerError('{"@type": "RetryInfo", "retryDelay": "34.5s"}'), 34.5),
        (ServerError(details={"error": {"details": [{"retryDelay": "34s"}]}}), 34.0),
        (ServerError("retry_delay {\n  seconds: 8\n}"), 8.0),
        (ServerError("please retry when convenient"), 0.5),
        (ServerError(headers={"Retry-After": "5000"}), 300.0),
    ],
)
def test_a_servers_own_word_is_honoured_where_it_is_longer(error: Exception, seconds: float) -> None:
    assert slept(error) == pytest.approx(seconds)


def test_the_servers_word_has_a_limit_of_its_own() -> None:
    error = ServerError(headers={"Retry-After": "100"})
    assert slept(error, max_delay=1) == 100.0
    assert slept(ServerError(headers={"Retry-After": "100"}), max_server_delay=10) == 10.0


def test_the_servers_word_may_come_in_a_cause() -> None:
    error = RuntimeError("wrapped")
    error.__cause__ = ServerError(headers={"Retry-After": "6"})
    assert slept(error) == 6.0


def test_headers_that_raise_say_nothing() -> None:
    class Odd(Exception):
        @property
        def headers(self) -> dict[str, str]:
            raise RuntimeError("no headers")

    assert slept(Odd()) == 0.5


@pytest.mark.parametrize("sleeper", [None, threading.Event()])
def test_without_a_sleep_of_ones_own_it_really_waits(
    sleeper: threading.Event | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    slept_for: list[float] = []
    record: Callable[[float], None] = slept_for.append
    monkeypatch.setattr("literature_review.pipeline.orchestrator_v2.time.sleep", record)
    if sleeper is not None:
        monkeypatch.setattr(sleeper, "wait", record)
    assert retry(Flaky(OSError()), base=1e30, max_delay=1e30, cancel=sleeper) == "done"
    assert slept_for == [1e8]
