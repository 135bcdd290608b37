"""A server that is down, or whose quota is spent: few attempts, waits that end when they should, a run that can be
resumed."""

from __future__ import annotations

import io
import threading
from functools import partial
from pathlib import Path

import pytest

from literature_review.config import CallRetry, Quota
from literature_review.errors import BackendError, BudgetSpentError, OutageError, StageTimeoutError
from literature_review.pipeline.calls import CallGate
from literature_review.pipeline.daily_quota import DailyQuota
from literature_review.pipeline.policy import Admission, CircuitBreaker
from literature_review.pipeline.runlog import RunLog
from literature_review.pipeline.waiting import StopEvent
from literature_review.ports import Deadline
from tests.gate_samples import Answer, gate, never
from tests.virtual_time import VirtualTime

# An outage


@pytest.mark.parametrize("breaker", [False, True])
def test_in_an_outage_a_thousand_calls_make_no_more_than_a_tenth_more_attempts(breaker: bool) -> None:
    time = VirtualTime()
    broken = CircuitBreaker(3, 60, clock=time.clock, first_pause=2) if breaker else None
    passing = gate(time, max_in_flight=16, breaker=broken, retry=CallRetry(attempts=5, enable_jitter=False))
    attempts: list[float] = []
    failed: list[int] = []

    def ask(_: float | None) -> None:
        attempts.append(time.clock())
        time.sleep(0.05)
        if 1 <= time.clock() < 301:
            raise Answer(503)

    def work() -> None:
        for _ in range(1000 // 16 + 1):
            try:
                passing.call(ask, never(time))
            except Answer:
                failed.append(1)

    time.run([work] * 16)
    calls = 16 * (1000 // 16 + 1)
    assert len(attempts) <= 1.1 * calls + 10
    if breaker:
        assert time.now > 301
        assert len([at for at in attempts if 2 < at < 300]) < 20
        assert len(failed) < 40  # the rest waited for the breaker, and none of them was lost


def test_a_server_that_never_answers_is_given_up_after_a_minute() -> None:
    """A wrong address: a line that says so, a handful of attempts, and all who wait hear it."""
    time = VirtualTime()
    breaker = CircuitBreaker(3, 60, clock=time.clock, first_pause=2)
    passing = gate(time, breaker=breaker, max_in_flight=4)
    attempts: list[float] = []
    heard: list[str] = []

    def ask(_: float | None) -> None:
        attempts.append(time.clock())
        raise ConnectionError("nobody there")

    def work() -> None:
        while not heard:
            try:
                passing.call(ask, never(time))
            except OutageError as error:
                heard.append(str(error))
            except ConnectionError:
                pass

    time.run([work] * 8)
    assert "has not answered for" in heard[0]
    assert "nobody there" in heard[0]
    assert "llm.base_url" in heard[0]
    assert time.now < 130
    assert len(attempts) < 15
    with pytest.raises(OutageError):
        passing.call(ask, never(time))


def test_a_server_that_has_answered_is_waited_for_ten_minutes() -> None:
    time = VirtualTime()
    breaker = CircuitBreaker(1, 60, clock=time.clock)
    passing = gate(time, breaker=breaker, retry=CallRetry(attempts=1))
    passing.call(lambda _: None, never(time))
    heard: list[str] = []
    while not heard and time.now < 3600:
        try:
            passing.call(lambda _: (_ for _ in ()).throw(Answer(503)), never(time))
        except Answer:
            pass
        except OutageError as error:
            heard.append(str(error))
    assert "has not answered for 10 min" in heard[0]
    assert 600 <= time.now < 700


def test_the_budget_of_retries_never_stands_in_the_way_of_a_single_call() -> None:
    time = VirtualTime()
    passing = gate(time, retry=CallRetry(attempts=40, base=0, enable_jitter=False))
    answers = iter([Answer(503)] * 39)

    def ask(_: float | None) -> str:
        for answer in answers:
            raise answer
        return "answer"

    assert passing.call(ask, never(time)) == "answer"


def test_while_the_probe_is_out_exactly_one_call_is_under_way() -> None:
    time = VirtualTime()
    breaker = CircuitBreaker(1, 10, clock=time.clock)
    passing = gate(time, breaker=breaker, max_in_flight=8, retry=CallRetry(attempts=1))
    with pytest.raises(Answer):
        passing.call(lambda _: (_ for _ in ()).throw(Answer(503)), never(time))
    began: list[float] = []

    def ask(_: float | None) -> None:
        began.append(time.clock())
        time.sleep(1)

    time.run([lambda: passing.call(ask, never(time))] * 8)
    assert began[0] == pytest.approx(10)
    assert all(at >= 11 for at in began[1:])


def test_calls_that_waited_for_quota_while_the_breaker_opened_do_not_go_out() -> None:
    time = VirtualTime()
    breaker = CircuitBreaker(1, 1000, clock=time.clock)
    passing = gate(
        time, breaker=breaker, max_in_flight=8, quota=Quota(rate=2, per_seconds=20), retry=CallRetry(attempts=1)
    )
    began: list[float] = []

    def ask(_: float | None) -> None:
        began.append(time.clock())
        if len(began) == 1:
            time.sleep(1)
            raise Answer(503)

    def work() -> None:
        try:
            passing.call(ask, never(time))
        except Answer:
            pass

    time.run([work] * 3)
    assert began[0] == 0
    assert min(began[1:]) >= 1000


# Waiting ends when it should, and is no polling


def waiting_gate() -> tuple[CallGate, CircuitBreaker]:
    """A gate in real time whose breaker is open for an hour."""
    breaker = CircuitBreaker(1, 3600)
    passing = CallGate(CallRetry(attempts=1), RunLog(io.StringIO()), breaker=breaker)
    with pytest.raises(Answer):
        passing.call(lambda _: (_ for _ in ()).throw(Answer(503)), Deadline(None))
    return passing, breaker


def test_whoever_waits_hears_a_stop_at_once() -> None:
    passing, _ = waiting_gate()
    stop = StopEvent()
    ended: list[str] = []

    def work() -> None:
        try:
            passing.call(lambda _: None, Deadline(None, cancelled=stop))
        except StageTimeoutError as error:
            ended.append(str(error))

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    stop.set()
    for thread in threads:
        thread.join(10)
    assert len(ended) == 8
    assert "told to stop" in ended[0]


def test_a_wait_that_the_deadline_would_cut_off_is_not_begun() -> None:
    passing, _ = waiting_gate()
    with pytest.raises(StageTimeoutError, match=r"would have gone on in 3[56]\d\d\.\d s, but has"):
        passing.call(lambda _: None, Deadline(60))


def test_nobody_looks_again_and_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """Eight calls that wait for the probe's end ask the breaker no more than twice before it has ended."""
    passing, breaker = waiting_gate()
    breaker._opens_again_at = 0.0  # the pause is over
    asked: list[int] = []
    enter = breaker.try_enter

    def counted() -> Admission | None:
        asked.append(1)
        return enter()

    monkeypatch.setattr(breaker, "try_enter", counted)
    probing, waiting, answered = threading.Event(), threading.Barrier(9), threading.Event()

    def probe(_: float | None) -> None:
        probing.set()
        assert answered.wait(10)

    def work() -> None:
        waiting.wait()
        passing.call(lambda _: None, Deadline(None, cancelled=StopEvent()))

    threads = [threading.Thread(target=passing.call, args=(probe, Deadline(None)))]
    threads[0].start()
    assert probing.wait(10)
    threads += [threading.Thread(target=work) for _ in range(8)]
    for thread in threads[1:]:
        thread.start()
    waiting.wait()
    answered.wait(0.1)  # time in which a poll would ask again
    assert len(asked) <= 3
    answered.set()
    for thread in threads:
        thread.join(10)
    assert len(asked) <= 3 + 2 * 8


# Quotas that are spent

PER_DAY = (
    "429 RESOURCE_EXHAUSTED. {'error': {'details': [{'@type': 'type.googleapis.com/google.rpc.QuotaFailure', "
    "'violations': [{'quotaId': 'GenerateRequestsPerDayPerProjectPerModel-FreeTier'}]}]}}"
)
NOON = 1_763_928_000.0  # 2025-11-23 20:00 UTC: noon in Los Angeles


@pytest.mark.parametrize("smart", [True, False])
@pytest.mark.parametrize(
    ("error", "api", "says"),
    [
        (Answer(429, PER_DAY), "gemini_api", "midnight Pacific time"),
        (Answer(429, "{'error': {'code': 'insufficient_quota'}}"), "openai_api", "once there is credit"),
    ],
)
def test_a_quota_that_the_provider_calls_spent_stops_all_calls(
    error: Answer, api: str, says: str, smart: bool, tmp_path: Path
) -> None:
    time = VirtualTime()
    daily = DailyQuota(api, None, str(tmp_path), wall_clock=lambda: NOON)
    passing = gate(time, daily=daily, smart=smart)
    attempts: list[int] = []

    def ask(_: float | None) -> None:
        attempts.append(1)
        raise error

    for _ in range(3):
        with pytest.raises(BudgetSpentError, match=says) as caught:
            passing.call(ask, never(time))
        assert "--resume" in str(caught.value)
    assert len(attempts) == (1 if smart else 3)
    assert list(tmp_path.iterdir()) == []


def test_calls_that_waited_for_their_turn_do_not_go_out_once_the_day_is_known_to_be_over() -> None:
    time = VirtualTime()
    passing = gate(time, quota=Quota(rate=2, per_seconds=20), max_in_flight=8)
    began: list[float] = []
    refused: list[str] = []

    def ask(_: float | None) -> None:
        began.append(time.clock())
        time.sleep(1)
        raise Answer(429, PER_DAY)

    def work() -> None:
        try:
            passing.call(ask, never(time))
        except BudgetSpentError as error:
            refused.append(str(error))

    time.run([work] * 6)
    assert began == [0]
    assert len(refused) == 6


def test_a_throttle_of_a_minute_is_no_spent_quota() -> None:
    time = VirtualTime()
    answers = iter([Answer(429, PER_DAY.replace("PerDay", "PerMinute"))])

    def ask(_: float | None) -> str:
        for answer in answers:
            raise answer
        return "answer"

    assert gate(time).call(ask, never(time)) == "answer"


def test_calls_per_day_are_counted_over_runs_and_end_at_the_providers_midnight(tmp_path: Path) -> None:
    now = [NOON]
    made: list[int] = []

    def run(calls: int) -> None:
        """One run: a gate of its own over the same output folder."""
        daily = DailyQuota("gemini_api", 5, str(tmp_path), wall_clock=lambda: now[0])
        passing = gate(VirtualTime(), daily=daily)
        for _ in range(calls):
            passing.call(lambda _: made.append(1), Deadline(None))

    run(3)
    with pytest.raises(BudgetSpentError, match="requests_per_day are made; go on after 2025-11-2"):
        run(3)
    assert len(made) == 5
    now[0] += 12 * 3600 - 1
    with pytest.raises(BudgetSpentError):
        run(1)
    now[0] += 1
    run(5)
    assert len(made) == 10


def test_a_daily_quota_is_one_for_all_threads(tmp_path: Path) -> None:
    daily = DailyQuota("openai_api", 20, str(tmp_path))
    passing = gate(VirtualTime(), daily=daily, max_in_flight=8)
    made: list[int] = []
    refused: list[int] = []

    def work() -> None:
        for _ in range(5):
            try:
                passing.call(lambda _: made.append(1), Deadline(None))
            except BudgetSpentError:
                refused.append(1)

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(10)
    assert (len(made), len(refused)) == (20, 20)


# A server that refuses everybody


def refused() -> Answer:
    return Answer(401, "Incorrect API key provided")


def ask_all(passing: CallGate, time: VirtualTime, outcomes: list[Exception | None]) -> tuple[int, list[str]]:
    """One call after the other, as told; how many were made, and what was raised."""
    made, raised = 0, list[str]()

    def ask(outcome: Exception | None) -> str:
        nonlocal made
        made += 1
        if outcome is not None:
            raise outcome
        return "answer"

    for outcome in outcomes:
        try:
            passing.call(partial(lambda outcome, _: ask(outcome), outcome), never(time))
        except (Answer, BackendError) as error:
            raised.append(str(error))
    return made, raised


def test_after_three_refusals_in_a_row_no_call_is_made_and_each_hears_why() -> None:
    time = VirtualTime()
    made, raised = ask_all(gate(time), time, [refused() for _ in range(20)])
    assert made == 3
    assert raised == ["Incorrect API key provided"] * 20


def test_an_answer_between_refusals_begins_anew() -> None:
    time = VirtualTime()
    made, _ = ask_all(gate(time), time, [refused(), refused(), None] * 5)
    assert made == 15


def test_what_is_one_calls_own_fault_refuses_no_other() -> None:
    time = VirtualTime()
    made, _ = ask_all(gate(time), time, [Answer(400, "the schema is too large") for _ in range(9)])
    assert made == 9


def test_a_wrong_key_is_tried_by_those_under_way_alone() -> None:
    """Two hundred papers that wait for one of eight places: eight calls."""
    time = VirtualTime()
    made: list[float] = []
    passing = gate(time, max_in_flight=8, spare=2)

    def ask(_: float | None) -> None:
        made.append(time.clock())
        time.sleep(0.2)
        raise refused()

    def work() -> None:
        with pytest.raises((Answer, BackendError), match="Incorrect API key"):
            passing.call(ask, never(time))

    time.run([work] * 40)
    assert len(made) == 8
