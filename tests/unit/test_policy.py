"""The circuit breaker and stages against a deadline."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from hypothesis import given
from hypothesis import strategies as st

from literature_review.errors import StageTimeoutError
from literature_review.pipeline.policy import CircuitBreaker, run_with_deadline
from literature_review.ports import Deadline


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def opened(threshold: int = 2, pause: float = 60.0) -> tuple[CircuitBreaker, Clock, list[str]]:
    clock, changes = Clock(), []  # type: ignore[var-annotated]
    breaker = CircuitBreaker(threshold, pause, changes.append, clock)
    for _ in range(threshold):
        admission = breaker.try_enter()
        assert admission is not None
        admission.failed()
    return breaker, clock, changes


def test_opens_after_the_threshold_of_failures_in_a_row_and_tells() -> None:
    breaker, _, changes = opened(threshold=3)
    assert breaker.state == "open"
    assert breaker.try_enter() is None
    assert changes == ["open"]


def test_a_success_in_between_starts_the_count_anew() -> None:
    breaker = CircuitBreaker(2, 60, clock=Clock())
    for end in ("failed", "succeeded", "failed"):
        admission = breaker.try_enter()
        assert admission is not None
        getattr(admission, end)()
    assert breaker.state == "closed"


def test_half_open_lets_exactly_one_of_many_threads_through() -> None:
    breaker, clock, _ = opened()
    clock.now = 60.0
    barrier = threading.Barrier(16)

    def enter(_: int) -> bool:
        barrier.wait()
        return breaker.try_enter() is not None

    with ThreadPoolExecutor(16) as pool:
        assert sum(pool.map(enter, range(16))) == 1


def test_the_probe_decides() -> None:
    for end, state in (("succeeded", "closed"), ("failed", "open")):
        breaker, clock, _ = opened()
        clock.now = 60.0
        probe = breaker.try_enter()
        assert probe is not None
        getattr(probe, end)()
        assert breaker.state == state
        assert (breaker.try_enter() is None) == (end == "failed")


def test_a_cancelled_probe_frees_its_place() -> None:
    breaker, clock, _ = opened()
    clock.now = 60.0
    probe = breaker.try_enter()
    assert probe is not None
    assert breaker.try_enter() is None
    probe.cancelled()
    assert breaker.try_enter() is not None


def test_a_late_end_of_an_old_call_does_not_free_the_probes_place() -> None:
    breaker = CircuitBreaker(1, 60, clock=(clock := Clock()))
    old, failing = breaker.try_enter(), breaker.try_enter()
    assert old is not None
    assert failing is not None
    failing.failed()
    clock.now = 60.0
    assert breaker.try_enter() is not None
    old.cancelled()
    assert breaker.try_enter() is None


def test_the_pause_doubles_with_every_probe_that_fails_and_begins_anew_after_a_success() -> None:
    clock = Clock()
    breaker = CircuitBreaker(1, pause=10, clock=clock, first_pause=2)

    def fail() -> float:
        admission = breaker.try_enter()
        assert admission is not None
        admission.failed()
        seconds = breaker.seconds_left()
        clock.now += seconds
        return seconds

    assert [fail() for _ in range(5)] == [2, 4, 8, 10, 10]
    probe = breaker.try_enter()
    assert probe is not None
    assert probe.is_probe
    assert breaker.seconds_left() == float("inf")
    probe.succeeded()
    assert breaker.seconds_left() == 0
    assert fail() == 2


def test_a_probe_whose_change_cannot_be_told_leaves_its_place() -> None:
    """`on_change` writes the checkpoint: a full disk there must not keep the breaker half open for ever."""
    breaker, clock, _ = opened()
    clock.now = 60.0

    def full(state: str) -> None:
        raise OSError(28, "No space left on device")

    breaker.on_change = full
    with pytest.raises(OSError, match="No space"):
        breaker.try_enter()
    breaker.on_change = None
    assert breaker.try_enter() is not None


def test_an_admission_ends_once() -> None:
    breaker = CircuitBreaker(2, 60, clock=Clock())
    admission = breaker.try_enter()
    assert admission is not None
    admission.failed()
    admission.failed()
    assert breaker.state == "closed"


@given(st.lists(st.sampled_from(["enter", "failed", "succeeded", "cancelled", "wait"]), max_size=60))
def test_whatever_happens_at_most_one_probe_is_out(steps: list[str]) -> None:
    """Model: while the breaker is not closed, no more than one call that entered since it opened is under way."""
    breaker, clock, _ = opened(threshold=1, pause=10)
    probes = []
    for step in steps:
        if step == "wait":
            clock.now += 10
        elif step == "enter":
            was_closed = breaker.state == "closed"
            admission = breaker.try_enter()
            if admission is not None and not was_closed:
                probes.append(admission)
        elif probes:
            getattr(probes.pop(), step)()
        assert len(probes) <= 1


@pytest.mark.parametrize(("threshold", "pause"), [(0, 1.0), (1, -1.0), (1, float("inf")), (1, float("nan"))])
def test_values_that_make_no_sense_are_refused(threshold: int, pause: float) -> None:
    with pytest.raises(ValueError, match="breaker needs"):
        CircuitBreaker(threshold, pause)


def test_work_inside_its_deadline_returns_or_raises_its_own() -> None:
    assert run_with_deadline(lambda: 7, Deadline(60), "stage") == 7
    error = KeyError("own")
    with pytest.raises(KeyError) as caught:
        run_with_deadline(lambda: (_ for _ in ()).throw(error), Deadline(60), "stage")
    assert caught.value is error


def test_work_that_heeds_nothing_is_left_behind() -> None:
    release = threading.Event()
    with pytest.raises(StageTimeoutError, match=r"judge of a\.pdf timed out"):
        run_with_deadline(release.wait, Deadline(0.0), "judge of a.pdf", grace=0.01)
    release.set()


def test_being_asked_to_stop_cancels_the_work_and_raises() -> None:
    deadline = Deadline(None)
    with pytest.raises(KeyboardInterrupt):
        run_with_deadline(lambda: deadline.cancelled.wait(60), deadline, "stage", stop_asked=lambda: True)
    assert deadline.cancelled.is_set()


def test_a_deadline_says_what_is_left() -> None:
    clock = Clock()
    deadline = Deadline(10, clock=clock)
    clock.now = 4.0
    assert deadline.remaining() == 6.0
    assert deadline.remaining(at_most=2) == 2.0
    deadline.check()
    clock.now = 11.0
    assert deadline.remaining() == 0.0
    with pytest.raises(StageTimeoutError):
        deadline.check()
    assert Deadline(None).remaining() is None
