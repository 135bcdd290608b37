"""The limit of calls holds where the provider counts them, not only where they are let go."""

from __future__ import annotations

import io

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from literature_review.config import CallRetry, Quota
from literature_review.pipeline.calls import CallGate, arrival_window
from literature_review.pipeline.runlog import RunLog
from literature_review.pipeline.waiting import StopEvent
from literature_review.ports import Deadline
from tests.virtual_time import VirtualTime


def _arrivals(time: VirtualTime, quota: Quota, ways: list[float]) -> list[float]:
    """When calls arrive at the provider that take so long to get there; each is answered at once."""
    retry = CallRetry(attempts=1, enable_jitter=False)
    gate = CallGate(retry, RunLog(io.StringIO()), quota=quota, max_in_flight=len(ways), clock=time.clock,
                    sleep=time.sleep, pause=time.pause)  # fmt: skip
    arrived: list[float] = []

    def ask(way: float) -> None:
        def go(_: float | None) -> None:
            time.sleep(way)
            arrived.append(time.clock())

        gate.call(go, Deadline(None, cancelled=StopEvent(), clock=time.clock))

    time.run([lambda way=way: ask(way) for way in ways])  # type: ignore[misc]
    return sorted(arrived)


@settings(max_examples=40, deadline=None)
@given(st.lists(st.floats(0, 1), min_size=1, max_size=40), st.integers(1, 20))
def test_calls_that_arrive_together_are_no_more_than_the_limit(ways: list[float], rate: int) -> None:
    """A way of up to a second, to each call its own: no window of the provider's holds more than `rate`."""
    arrived = _arrivals(VirtualTime(), Quota(rate=rate, per_seconds=10), ways)
    assert len(arrived) == len(ways)
    assert max(sum(at <= other < at + 10 - 1e-6 for other in arrived) for at in arrived) <= rate


def test_the_bucket_alone_would_let_more_arrive_together() -> None:
    """What the window is for: slow ways at first, fast ones later."""
    ways = [1.0] * 6 + [0.0] * 30
    arrived = _arrivals(VirtualTime(), Quota(rate=20, per_seconds=10), ways)
    assert max(sum(at <= other < at + 10 - 1e-6 for other in arrived) for at in arrived) <= 20


@pytest.mark.parametrize(
    ("rate", "per_seconds", "calls", "seconds"),
    [(60, 60, 60, 61), (10, 1, 10, 1.1), (2.5, 60, 2, 61), (1, 60, 1, 61), (0.5, 60, 1, 121)],
)
def test_a_fraction_of_a_call_is_none(rate: float, per_seconds: float, calls: float, seconds: float) -> None:
    window = arrival_window(Quota(rate=rate, per_seconds=per_seconds), lambda: 0.0)
    assert window.limit == calls
    assert window.seconds == pytest.approx(seconds)
