"""The line in which calls wait: first come, first served, nobody looks again and again, and a stop wakes everybody."""

from __future__ import annotations

import threading
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from literature_review.errors import StageTimeoutError
from literature_review.pipeline.in_flight import CallsInFlight
from literature_review.pipeline.retry_budget import RetryBudget
from literature_review.pipeline.token_window import TokenWindow
from literature_review.pipeline.waiting import FOREVER, StopEvent, WaitingLine
from literature_review.ports import Deadline
from tests.virtual_time import VirtualTime

pytestmark = pytest.mark.unit


def until(time: VirtualTime, seconds: float | None = None) -> Deadline:
    return Deadline(seconds, cancelled=StopEvent(), clock=time.clock)


def test_who_came_first_goes_first_however_long_others_would_have_to_wait() -> None:
    time = VirtualTime()
    line = WaitingLine(time.pause)
    opens = {"a": 10.0, "b": 0.0, "c": 5.0}
    through: list[str] = []

    def work(name: str, after: float) -> None:
        time.sleep(after)
        line.pass_through(lambda: None if time.now >= opens[name] else opens[name] - time.now, until(time), name)
        through.append(name)

    time.run([lambda: work("a", 1), lambda: work("b", 2), lambda: work("c", 3)])
    assert through == ["a", "b", "c"]
    assert time.now == 10


def test_a_change_wakes_the_first_alone() -> None:
    time = VirtualTime()
    line = WaitingLine(time.pause)
    room, asked = [0], [0]
    through: list[float] = []

    def ready() -> float | None:
        asked[0] += 1
        if room[0] == 0:
            return FOREVER
        room[0] -= 1
        return None

    def work() -> None:
        line.pass_through(ready, until(time), "one")
        through.append(time.now)

    def open_one_by_one() -> None:
        for _ in range(5):
            time.sleep(10)
            with line.change():
                room[0] += 1

    time.run([work] * 5 + [open_one_by_one])
    assert through == [10, 20, 30, 40, 50]
    assert asked[0] <= 3 * 5  # at the beginning, when first in line, and when woken


def test_who_gives_up_leaves_the_line_and_holds_nobody_up() -> None:
    time = VirtualTime()
    line = WaitingLine(time.pause)
    ended: list[Any] = []

    def impatient() -> None:
        with pytest.raises(StageTimeoutError):
            line.pass_through(lambda: FOREVER, until(time, 5), "impatient")
        ended.append(time.now)

    def patient() -> None:
        time.sleep(1)
        line.pass_through(lambda: None, until(time), "patient")
        ended.append(time.now)

    time.run([impatient, patient])
    assert ended == [5, 5]


def test_an_error_of_what_is_asked_comes_out_and_the_next_is_asked() -> None:
    time = VirtualTime()
    line = WaitingLine(time.pause)

    def broken() -> float | None:
        raise OSError(28, "No space left on device")

    with pytest.raises(OSError, match="No space"):
        line.pass_through(broken, until(time), "x")
    line.pass_through(lambda: None, until(time), "y")


def test_a_plain_event_stops_a_wait_too() -> None:
    """Not at once, since it wakes nobody, but within a fraction of a second."""
    line = WaitingLine()
    stop = threading.Event()
    threading.Timer(0.05, stop.set).start()
    with pytest.raises(StageTimeoutError, match="told to stop"):
        line.pass_through(lambda: FOREVER, Deadline(30, cancelled=stop), "a call")


def test_a_stop_wakes_only_those_who_wait() -> None:
    stop, sleeper = StopEvent(), threading.Event()
    with stop.waking(sleeper):
        pass
    stop.set()
    assert stop.is_set()
    assert not sleeper.is_set()


@given(st.lists(st.sampled_from(["succeeded", "throttled"]), max_size=200), st.integers(1, 64))
def test_places_stay_between_one_and_the_most(outcomes: list[str], most: int) -> None:
    places = CallsInFlight(most)
    for outcome in outcomes:
        before = places.limit
        getattr(places, outcome)()
        assert 1 <= places.limit <= most
        assert (places.limit >= before) if outcome == "succeeded" else (places.limit <= before)


def test_one_throttled_call_of_sixteen_takes_two_places_and_three_answers_bring_them_back() -> None:
    """Half a place counts as one."""
    places = CallsInFlight(16)
    room = []
    for outcome in (places.throttled, places.succeeded, places.succeeded, places.succeeded):
        outcome()
        taken = 0
        while places.has_room():
            places.begin()
            taken += 1
        room.append(taken)
        for _ in range(taken):
            places.end()
    assert room == [14, 15, 15, 16]


def test_spare_places_are_there_once_a_call_was_answered_and_while_none_is_lost() -> None:
    """A server that refuses or throttles everybody is asked no more than `most` at once."""
    places = CallsInFlight(4, spare=2)
    room = []
    for outcome in ("begin", "succeeded", "throttled", "succeeded"):
        if outcome != "begin":
            getattr(places, outcome)()
        places.under_way = 0
        while places.has_room():
            places.begin()
        room.append(places.under_way)
    assert room == [4, 6, 4, 6]


@given(st.lists(st.booleans(), max_size=400))
def test_retries_never_pass_a_tenth_of_the_calls_and_ten(steps: list[bool]) -> None:
    budget, calls, retries = RetryBudget(), 0, 0
    for is_call in steps:
        if is_call:
            budget.add_call()
            calls += 1
        else:
            retries += budget.take()
        assert retries <= 10 + 0.1 * calls + 1e-6


@given(
    st.lists(st.tuples(st.floats(0, 90), st.integers(1, 120), st.floats(0, 80), st.integers(0, 120)), max_size=30),
    st.integers(50, 150),
)
def test_no_window_of_charged_tokens_is_fuller_than_the_limit(
    calls: list[tuple[float, int, float, int]], limit: int
) -> None:
    """Calls that overlap: each begins as soon as it may, and ends some time later with at most its estimate."""
    now = [0.0]
    window = TokenWindow(limit, clock=lambda: now[0])
    open_calls: list[tuple[float, int, int]] = []  # end, estimate, true
    spans: list[tuple[float, float, int]] = []  # begin, end, true

    def end_until(moment: float) -> None:
        for call in sorted(call for call in open_calls if call[0] <= moment):
            open_calls.remove(call)
            now[0] = max(now[0], call[0])
            window.end(call[1], call[2])
        now[0] = max(now[0], moment)

    for gap, estimate, seconds, took in calls:
        estimate = min(estimate, limit)
        end_until(now[0] + gap)
        while (wait := window.seconds_until(estimate)) > 0:
            next_end = min((call[0] for call in open_calls), default=now[0])
            end_until(next_end if wait == FOREVER else now[0] + wait)
        window.begin(estimate)
        true = min(took, estimate)
        open_calls.append((now[0] + seconds, estimate, true))
        spans.append((now[0], now[0] + seconds, true))
    for start, _, _ in spans:
        inside = [true for begin, end, true in spans if begin < start + 60 - 1e-6 and end >= start]
        counted_at_end = [true for _, end, true in spans if start <= end < start + 60 - 1e-6]
        counted_at_begin = [true for begin, _, true in spans if start <= begin < start + 60 - 1e-6]
        assert max(sum(counted_at_end), sum(counted_at_begin)) <= limit
        assert sum(counted_at_end) <= sum(inside)
