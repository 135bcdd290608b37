"""What the gate promises for all calls of a run together, in time that is not real: limits in every window, throttling
that slows everybody."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from literature_review.config import CallRetry, Quota
from tests.gate_samples import Answer, gate, never
from tests.virtual_time import VirtualTime


def fullest(moments: list[tuple[float, float]], seconds: float) -> float:
    """The largest sum of any window of so many seconds over (time, amount)."""
    return max(
        (sum(more for at, more in moments if start <= at < start + seconds - 1e-6) for start, _ in moments), default=0.0
    )


# Limits, in every window


@settings(max_examples=40, deadline=None)
@given(
    st.lists(
        st.lists(st.tuples(st.floats(0, 30), st.floats(0, 1), st.integers(1, 100), st.integers(1, 100)), max_size=6),
        min_size=1,
        max_size=6,
    ),
    st.integers(2, 20),
    st.integers(100, 400),
)
def test_no_window_holds_more_calls_or_tokens_than_configured(
    workers: list[list[tuple[float, float, int, int]]], rate: int, tokens: int
) -> None:
    """Whatever the calls take (never more than estimated), however long, and whenever between beginning and end the
    provider counts their tokens."""
    time = VirtualTime()
    limited = gate(
        time, quota=Quota(rate=rate, per_seconds=60, tokens_per_minute=tokens), max_in_flight=len(workers)
    )
    calls: list[tuple[float, float]] = []
    counted: list[tuple[float, float]] = []

    def work(plan: list[tuple[float, float, int, int]]) -> None:
        for seconds, part, estimate, took in plan:
            true = min(estimate, took)

            def ask(_: float | None, seconds: float = seconds, part: float = part, true: int = true) -> int:
                calls.append((time.clock(), 1))
                time.sleep(seconds * part)
                counted.append((time.clock(), true))
                time.sleep(seconds * (1 - part))
                return true

            limited.call(ask, never(time), tokens=estimate, used=float)

    time.run([lambda plan=plan: work(plan) for plan in workers])  # type: ignore[misc]
    assert len(calls) == sum(map(len, workers))
    assert fullest(calls, 60) <= rate
    assert fullest(counted, 60) <= tokens


def test_a_call_that_took_more_than_estimated_makes_later_ones_wait() -> None:
    time = VirtualTime()
    limited = gate(time, quota=Quota(rate=1000, tokens_per_minute=1000))
    limited.call(lambda _: 1800, never(time), tokens=100, used=float)
    limited.call(lambda _: 100, never(time), tokens=100, used=float)
    assert time.now == pytest.approx(60)
    assert limited.usage()["quota_throttled"] == 1


def test_a_call_that_took_less_frees_the_rest_at_once() -> None:
    time = VirtualTime()
    limited = gate(time, quota=Quota(rate=1000, tokens_per_minute=1000))
    for done in range(10):
        limited.call(lambda _: 100, never(time), tokens=1000 - 100 * done, used=float)
    assert time.now == 0  # by their estimates alone they would take minutes


def test_the_limits_leave_the_promised_speed() -> None:
    """54 calls a minute after a first burst of 6, and no call waits without need."""
    time = VirtualTime()
    limited = gate(time, quota=Quota(rate=60, per_seconds=60), max_in_flight=16)
    time.run([lambda: [limited.call(lambda _: None, never(time)) for _ in range(12)]] * 10)
    assert time.now == pytest.approx((120 - 6) / 54 * 60, rel=0.01)


# Throttling slows everybody


def test_a_servers_retry_after_holds_all_callers_back() -> None:
    time = VirtualTime()
    passing = gate(time, max_in_flight=8)
    began: list[float] = []
    told: list[bool] = []

    def ask(_: float | None) -> None:
        began.append(time.clock())
        if not told:
            told.append(True)
            raise Answer(429, Retry_After="30")
        time.sleep(1)

    passing.call(ask, never(time))
    assert began == [0, 30]
    told.clear()
    time.run([lambda: passing.call(ask, never(time))] * 4)
    first = [at for at in began if 31 <= at < 60]
    assert len(first) <= 4  # those under way already when the server spoke
    time.run([lambda: passing.call(ask, never(time))] * 4)
    assert not [at for at in began if 31 < at < 61]


def test_calls_in_flight_shrink_by_throttling_and_grow_by_success_between_1_and_the_most() -> None:
    time = VirtualTime()
    passing = gate(time, max_in_flight=16, retry=CallRetry(attempts=1))
    down = True
    under_way, most = 0, [0]

    def ask(_: float | None) -> None:
        nonlocal under_way
        under_way += 1
        most.append(under_way)
        time.sleep(1)
        under_way -= 1
        if down:
            raise Answer(503)

    def work(times: int) -> Callable[[], None]:
        def body() -> None:
            for _ in range(times):
                try:
                    passing.call(ask, never(time))
                except Answer:
                    pass

        return body

    time.run([work(2)] * 20)
    assert max(most) == 16
    most.clear()
    time.run([work(1)] * 10)
    assert max(most) == 1
    down = False
    most.clear()
    time.run([work(8)] * 20)
    assert max(most) == 16
    assert sorted(set(most)) == list(range(1, 17))


def test_one_throttled_answer_in_twenty_costs_hardly_a_place() -> None:
    time = VirtualTime()
    passing = gate(time, max_in_flight=16, retry=CallRetry(attempts=1))
    numbers = iter(range(10_000))

    def ask(_: float | None) -> None:
        time.sleep(0.2)
        if next(numbers) % 20 == 19:
            raise Answer(429)

    def work() -> None:
        for _ in range(50):
            try:
                passing.call(ask, never(time))
            except Answer:
                pass

    time.run([work] * 16)
    assert time.now <= 1.1 * 50 * 0.2, time.now


@pytest.mark.parametrize("takes", [12, 8, 3])
def test_a_server_that_takes_fewer_calls_at_once_is_kept_busy_and_no_call_fails_for_it(takes: int) -> None:
    """It says 429 without a word on how long: its limit is found, tried now and then, and retries suffice for that."""
    time = VirtualTime()
    passing = gate(time, max_in_flight=16, retry=CallRetry(attempts=5, base=0.1, enable_jitter=False))
    under_way, done, throttled, failed = 0, [0], [0], [0]

    def ask(_: float | None) -> None:
        nonlocal under_way
        if under_way >= takes:
            time.sleep(0.02)
            throttled[0] += 1
            raise Answer(429)
        under_way += 1
        time.sleep(0.2)
        under_way -= 1
        done[0] += 1

    def work() -> None:
        for _ in range(60):
            try:
                passing.call(ask, never(time))
            except Answer:
                failed[0] += 1

    time.run([work] * 16)
    assert failed[0] <= 3  # of the first sixteen, which nobody knew to be too many
    assert throttled[0] <= 0.12 * (done[0] + throttled[0])
    assert time.now <= 1.3 * done[0] * 0.2 / takes
