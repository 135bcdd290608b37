"""The gate that paid calls pass: every key that acts on calls has its effect here, through a server made of a list."""

from __future__ import annotations

import io
from collections.abc import Callable
from typing import Any

import pytest

from literature_review.config import CallRetry, Quota
from literature_review.errors import BackendError, StageTimeoutError
from literature_review.pipeline.calls import CallGate, request_bucket
from literature_review.pipeline.policy import CircuitBreaker
from literature_review.pipeline.runlog import RunLog
from literature_review.ports import Deadline


class Server:
    """Answers what it is told to, one item a call: an exception is raised, anything else returned."""

    def __init__(self, *answers: Any) -> None:
        self.answers = list(answers)
        self.timeouts: list[float | None] = []

    def __call__(self, timeout: float | None) -> Any:
        self.timeouts.append(timeout)
        answer = self.answers.pop(0)
        if isinstance(answer, BaseException):
            raise answer
        return answer


def gate(sleeps: list[float] | None = None, **settings: Any) -> CallGate:
    kept = [] if sleeps is None else sleeps
    retry = settings.pop("retry", CallRetry(enable_jitter=False))
    return CallGate(retry, RunLog(io.StringIO()), sleep=kept.append, **settings)


def busy() -> ConnectionError:
    return ConnectionError("503 Service Unavailable")


@pytest.mark.parametrize(
    ("retry", "waits"),
    [
        (CallRetry(attempts=4, base=0.5, factor=2.0, max_delay=60, enable_jitter=False), [0.5, 1.0, 2.0]),
        (CallRetry(attempts=4, base=1.0, factor=3.0, max_delay=60, enable_jitter=False), [1.0, 3.0, 9.0]),
        (CallRetry(attempts=4, base=1.0, factor=3.0, max_delay=2, enable_jitter=False), [1.0, 2.0, 2.0]),
    ],
)
def test_the_retry_keys_decide_how_often_and_how_long(retry: CallRetry, waits: list[float]) -> None:
    sleeps: list[float] = []
    passing = gate(sleeps, retry=retry)
    assert passing.call(Server(busy(), busy(), busy(), "answer"), Deadline(None)) == "answer"
    assert sleeps == waits
    assert passing.usage()["calls"] == 4
    assert passing.usage()["retries"] == 3


def test_jitter_moves_the_waits_by_a_fifth_at_most() -> None:
    sleeps: list[float] = []
    passing = gate(sleeps, retry=CallRetry(attempts=40, base=1.0, factor=1.0, enable_jitter=True))
    passing.call(Server(*[busy() for _ in range(39)], "answer"), Deadline(None))
    assert all(0.8 <= wait <= 1.2 for wait in sleeps)
    assert len(set(sleeps)) > 1


def test_smart_retry_tries_transient_errors_alone_and_without_it_every_one() -> None:
    server = Server(ValueError("malformed"), "answer")
    with pytest.raises(ValueError, match="malformed"):
        gate().call(server, Deadline(None))
    assert gate(smart=False).call(Server(ValueError("malformed"), "answer"), Deadline(None)) == "answer"


def test_every_attempt_takes_quota_and_none_is_taken_without_one() -> None:
    limited = gate(quota=Quota(rate=100, per_seconds=60))
    limited.call(Server(busy(), "answer"), Deadline(None))
    assert limited.usage()["quota_consumed"] == 2
    free = gate(quota=None)
    free.call(Server("answer"), Deadline(None))
    assert free.usage()["quota_consumed"] == 0


def test_a_spent_quota_waits_no_longer_than_the_deadline() -> None:
    limited = gate(quota=Quota(rate=1, per_seconds=3600), retry=CallRetry(attempts=1))
    limited.call(Server("answer"), Deadline(None))
    with pytest.raises(StageTimeoutError, match="waited for its quota"):
        limited.call(Server("answer"), Deadline(0.01))
    assert limited.usage()["quota_throttled"] == 1


@pytest.mark.parametrize(
    ("quota", "burst", "per_window"),
    [
        (Quota(rate=60, per_seconds=60), 6, 60),
        (Quota(rate=60, per_seconds=60, burst=1), 1, 60),
        (Quota(rate=5, per_seconds=1), 1, 5),
        (Quota(rate=1, per_seconds=60), 1, 1),
    ],
)
def test_no_window_sees_more_calls_than_the_rate(quota: Quota, burst: float, per_window: float) -> None:
    """Capacity plus what a window refills is the rate; with a rate of one, one call follows the other after it."""
    stats = request_bucket(quota).get_stats()
    assert stats["current_allowance"] == burst
    refill = stats["rate"] / stats["per_seconds"] * quota.per_seconds
    assert refill + (burst if quota.rate > 1 else 0) == pytest.approx(per_window)


def test_tokens_are_charged_to_their_own_limit() -> None:
    limited = gate(quota=Quota(rate=100, per_seconds=60, tokens_per_minute=1000), retry=CallRetry(attempts=1))
    limited.call(Server("answer"), Deadline(None), tokens=600)
    with pytest.raises(StageTimeoutError):
        limited.call(Server("answer"), Deadline(0.01), tokens=500)
    assert limited.call(Server("answer"), Deadline(0.01), tokens=400) == "answer"
    assert limited.usage()["quota_throttled"] == 1


def test_a_call_larger_than_the_tokens_of_a_minute_is_told_at_once_and_never_made() -> None:
    limited = gate(quota=Quota(rate=100, tokens_per_minute=1000))
    server = Server()
    with pytest.raises(BackendError, match="larger than tokens_per_minute"):
        limited.call(server, Deadline(None), tokens=1001)
    assert server.timeouts == []


def test_the_breaker_opens_after_its_threshold_and_its_probe_closes_it() -> None:
    now = [0.0]
    changes: list[str] = []
    breaker = CircuitBreaker(3, pause=60, on_change=changes.append, clock=lambda: now[0])
    passing = gate(breaker=breaker, retry=CallRetry(attempts=1))
    for _ in range(3):
        with pytest.raises(ConnectionError):
            passing.call(Server(busy()), Deadline(None))
    server = Server("answer")
    with pytest.raises(StageTimeoutError):
        passing.call(server, Deadline(0.01))
    assert server.timeouts == []
    now[0] = 60.0
    assert passing.call(server, Deadline(None)) == "answer"
    assert changes == ["open", "half_open", "closed"]


def test_a_permanent_error_says_that_the_server_is_alive() -> None:
    breaker = CircuitBreaker(1, pause=60)
    with pytest.raises(KeyError):
        gate(breaker=breaker).call(Server(KeyError("field")), Deadline(None))
    assert breaker.state == "closed"


def test_a_call_gets_what_is_left_of_its_time() -> None:
    server = Server("a", "b")
    passing = gate(request_timeout=7)
    passing.call(server, Deadline(None))
    now: Callable[[], float] = lambda: 0.0  # noqa: E731
    passing.call(server, Deadline(5, clock=now))
    assert server.timeouts == [7, 5]


def test_a_call_that_is_cut_off_with_its_stage_says_so() -> None:
    """The model's client calls it a time-out of its own; the stage's deadline was the reason."""
    now = [0.0]

    def ask(timeout: float | None) -> str:
        now[0] += timeout or 0.0
        raise TimeoutError(f"no whole answer within {timeout:g} s")

    with pytest.raises(StageTimeoutError, match="timed out with its stage"):
        gate(clock=lambda: now[0], retry=CallRetry(attempts=3)).call(ask, Deadline(5, clock=lambda: now[0]))
    with pytest.raises(TimeoutError) as caught:
        gate(clock=lambda: now[0], retry=CallRetry(attempts=1)).call(ask, Deadline(None))
    assert not isinstance(caught.value, StageTimeoutError)
