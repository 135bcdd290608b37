"""SimpleQuotaManager: the bound, the order, and who gives up.  No test waits for real time to pass."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from literature_review.pipeline.orchestrator_v2 import SimpleQuotaManager


class Clock:
    """Virtual seconds; sleeping moves them on, by a little more than asked if ``late``."""

    def __init__(self, late: float = 0.0) -> None:
        self.now = 1_000.0
        self.late = late
        self.sleeps: list[float] = []

    def __call__(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        assert seconds > 0
        self.sleeps.append(seconds)
        self.now += seconds + self.late


def manager(rate: float, per_seconds: float = 60, burst: float | None = None, late: float = 0.0) -> tuple[
    SimpleQuotaManager, Clock
]:  # fmt: skip
    clock = Clock(late)
    return SimpleQuotaManager(rate, per_seconds, burst=burst, clock=clock, sleep=clock.sleep), clock


def test_attributes_and_statistics_at_the_start_and_after_use() -> None:
    quota, clock = manager(10, 5)
    assert (quota.rate, quota.per_seconds, quota.allowance) == (10, 5, 10.0)
    assert (quota.consumed_count, quota.throttle_count) == (0, 0)
    assert quota.consume(4) is True
    clock.now += 1
    assert quota.allowance == 6.0  # as of the last consume
    assert quota.get_stats() == {
        "rate": 10, "per_seconds": 5, "current_allowance": 8.0, "consumed_count": 4, "throttle_count": 0
    }  # fmt: skip
    clock.now += 100
    assert quota.get_stats()["current_allowance"] == 10.0


def test_without_waiting_lacking_tokens_are_refused_at_once_and_counted_once() -> None:
    quota, clock = manager(2, 1)
    assert [quota.consume(wait=False) for _ in range(3)] == [True, True, False]
    assert (quota.throttle_count, clock.sleeps) == (1, [])


def test_a_call_that_waits_sleeps_once_until_its_turn() -> None:
    quota, clock = manager(60, 60)
    for _ in range(60):
        quota.consume()
    assert quota.consume(tokens=3) is True
    assert clock.sleeps == [pytest.approx(3.0)]
    assert (quota.throttle_count, quota.consumed_count) == (1, 63)


def test_a_fractional_rate_works_and_its_bucket_holds_one() -> None:
    quota, clock = manager(0.5, 10)
    assert quota.consume()
    assert quota.consume()
    assert clock.sleeps == [pytest.approx(20.0)]
    with pytest.raises(ValueError, match="at most 1"):
        quota.consume(1.5)


def test_burst_sets_the_capacity() -> None:
    quota, _ = manager(60, 60, burst=5)
    assert quota.consume(5)
    assert not quota.consume(1, wait=False)


@pytest.mark.parametrize("bad", [0, -1, float("nan"), float("inf")])
def test_rates_periods_and_bursts_that_make_no_sense_are_refused(bad: float) -> None:
    with pytest.raises(ValueError, match="rate"):
        SimpleQuotaManager(bad)
    with pytest.raises(ValueError, match="per_seconds"):
        SimpleQuotaManager(1, bad)
    with pytest.raises(ValueError, match="burst"):
        SimpleQuotaManager(1, 1, burst=bad)


def test_a_rate_too_small_for_a_float_is_refused() -> None:
    with pytest.raises(ValueError, match="rate / per_seconds"):
        SimpleQuotaManager(1e-300, 1e300)


@pytest.mark.parametrize("bad", [0, -1, 10.5, float("nan"), float("inf")])
def test_tokens_that_could_never_be_granted_are_refused_and_not_counted(bad: float) -> None:
    quota, _ = manager(10)
    with pytest.raises(ValueError, match="tokens"):
        quota.consume(bad)
    assert quota.throttle_count == 0


def test_a_timeout_that_the_due_time_passes_is_false_at_once() -> None:
    quota, clock = manager(1, 1)
    quota.consume()
    assert quota.consume(timeout=0.5) is False
    assert quota.consume(timeout=0) is False
    assert quota.consume(timeout=float("nan")) is False
    assert clock.sleeps == []
    assert quota.consume(timeout=1.5) is True


def test_who_is_cancelled_gives_his_turn_up() -> None:
    quota, clock = manager(1, 1)
    cancel = threading.Event()
    quota.consume()
    quota._sleep = lambda seconds: cancel.set()
    assert quota.consume(cancel=cancel) is False
    assert quota.consume(cancel=cancel) is False
    quota._sleep = clock.sleep
    assert quota.consume() is True
    assert clock.sleeps == [pytest.approx(1.0)]


def test_an_interrupt_while_waiting_gives_the_turn_up() -> None:
    quota, clock = manager(1, 1)
    quota.consume()

    def interrupted(seconds: float) -> None:
        raise KeyboardInterrupt

    quota._sleep = interrupted
    with pytest.raises(KeyboardInterrupt):
        quota.consume()
    quota._sleep = clock.sleep
    assert quota.consume() is True
    assert clock.sleeps == [pytest.approx(1.0)]


def test_a_clock_that_goes_back_adds_nothing() -> None:
    quota, clock = manager(1, 1)
    quota.consume()
    clock.now -= 100
    assert quota.consume(wait=False) is False
    assert quota.get_stats()["current_allowance"] == 0


@given(
    rate=st.floats(0.01, 1000),
    per_seconds=st.floats(0.01, 1000),
    burst=st.one_of(st.none(), st.floats(0.5, 50)),
    late=st.sampled_from([0.0, 0.001, 0.7]),
    steps=st.lists(st.tuples(st.floats(0, 1), st.booleans(), st.floats(0, 20)), max_size=60),
)
def test_in_no_window_is_more_granted_than_capacity_plus_refill(
    rate: float, per_seconds: float, burst: float | None, late: float, steps: list[tuple[float, bool, float]]
) -> None:
    """The bound, for any rate and any mixture of waiting and trying, also where sleeping overshoots."""
    quota, clock = manager(rate, per_seconds, burst, late)
    capacity = max(rate, 1) if burst is None else burst
    granted: list[tuple[float, float]] = []
    for share, wait, pause in steps:
        tokens = max(share * capacity, capacity * 1e-3)
        if quota.consume(tokens, wait=wait):
            granted.append((clock.now, tokens))
        clock.now += pause
    for first in range(len(granted)):
        total = 0.0
        for at, tokens in granted[first:]:
            total += tokens
            window = at - granted[first][0]
            assert total <= capacity + rate / per_seconds * window + 1e-6 * max(1, capacity)
    assert quota.consumed_count == pytest.approx(sum(tokens for _, tokens in granted))


def wait_until(condition: Callable[[], bool]) -> None:
    """Let other threads run until something holds; at most 10 s."""
    deadline = time.monotonic() + 10
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.001)


def queued(quota: SimpleQuotaManager, count: int) -> Callable[[], bool]:
    return lambda: len(quota._queue) == count


def test_waiters_are_served_first_come_first_served_and_a_large_request_does_not_starve() -> None:
    quota = SimpleQuotaManager(50, 1, burst=10)
    quota.consume(10)
    order: list[int] = []
    lock = threading.Lock()

    def ask(number: int, tokens: float) -> None:
        quota.consume(tokens)
        with lock:
            order.append(number)

    threads = []
    for number, tokens in enumerate([9, 1, 1, 10, 1]):
        threads.append(threading.Thread(target=ask, args=(number, tokens)))
        threads[-1].start()
        before = number
        wait_until(lambda before=before: len(quota._queue) + len(order) > before)  # type: ignore[misc]
    for thread in threads:
        thread.join()
    assert order == [0, 1, 2, 3, 4]
    assert quota.consume(wait=False) is False


def test_nobody_overtakes_the_queue_without_waiting() -> None:
    quota = SimpleQuotaManager(1, 60, burst=10)
    quota.consume(9)
    cancel = threading.Event()
    waiting = threading.Thread(target=quota.consume, args=(10,), kwargs={"cancel": cancel})
    waiting.start()
    wait_until(queued(quota, 1))
    assert quota.consume(1, wait=False) is False
    cancel.set()
    waiting.join()
    assert quota.consume(1, wait=False) is True


def test_those_behind_move_up_when_somebody_gives_up() -> None:
    """Behind 100 s of somebody else's tokens: served at once when he goes, not after 100 s."""
    quota = SimpleQuotaManager(1, 1, burst=100)
    quota.consume(99.9)
    cancel = threading.Event()
    results: dict[str, bool] = {}
    ahead = threading.Thread(target=lambda: results.update(ahead=quota.consume(100, cancel=cancel)))
    ahead.start()
    wait_until(queued(quota, 1))
    behind = threading.Thread(target=lambda: results.update(behind=quota.consume(0.3)))
    behind.start()
    wait_until(queued(quota, 2))
    cancel.set()
    behind.join(5)
    ahead.join(5)
    assert results == {"ahead": False, "behind": True}


def test_a_timeout_holds_also_behind_somebody_who_does_not_come_for_his_tokens() -> None:
    released = threading.Event()

    class Late(threading.Event):
        def wait(self, timeout: float | None = None) -> bool:
            return released.wait(20)

    clock = Clock()
    quota = SimpleQuotaManager(1, 1, clock=clock)
    quota.consume()
    ahead = threading.Thread(target=quota.consume, kwargs={"cancel": Late()})
    ahead.start()
    wait_until(queued(quota, 1))
    quota._sleep = clock.sleep
    assert quota.consume(timeout=5) is False
    assert clock.now == pytest.approx(1_005.0)
    released.set()
    ahead.join(10)
    assert quota.consumed_count == 2


def test_many_threads_take_exactly_what_there_is() -> None:
    quota = SimpleQuotaManager(100, 1e6)
    results: list[bool] = []

    def take() -> None:
        results.extend(quota.consume(wait=False) for _ in range(50))

    threads = [threading.Thread(target=take) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert results.count(True) == quota.consumed_count == 100
    assert quota.throttle_count == 300


def test_waiting_threads_keep_the_bound_and_lose_no_tokens() -> None:
    """Sixteen threads, 60 tokens beyond the burst at 200 a second: about 0.3 s, whatever the scheduling."""
    quota = SimpleQuotaManager(200, 1, burst=20)
    times: list[float] = []

    def take() -> None:
        for _ in range(5):
            quota.consume()
            times.append(time.monotonic())

    began = time.monotonic()
    threads = [threading.Thread(target=take) for _ in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert time.monotonic() - began >= 0.3 - 0.001
    assert quota.consumed_count == 80
    assert not quota._queue
