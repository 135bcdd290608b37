"""The gate that every paid call passes.

    call -> one line for all: a place among the calls under way, no word of the server to wait, the breaker, the
            tokens of a minute -> the calls of a minute -> the calls of a day -> ask, with its time limit
         <- transient: again with back-off, from the retries that all calls share

Every attempt passes anew, since the provider counts every attempt. In line nobody looks again and again: who ends a
call wakes the first, who is first knows how long to sleep, and a stop wakes everybody.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from literature_review.config import CallRetry, Quota
from literature_review.errors import BackendError, BudgetSpentError, OutageError, StageTimeoutError, StoreError
from literature_review.pipeline.daily_quota import DailyQuota
from literature_review.pipeline.in_flight import CallsInFlight
from literature_review.pipeline.orchestrator_v2 import ErrorClassifier, ErrorType, RetryHelper, SimpleQuotaManager
from literature_review.pipeline.outage import Outage, Refusals, RefusedError
from literature_review.pipeline.policy import Admission, CircuitBreaker
from literature_review.pipeline.retry_budget import RESERVE, RetryBudget
from literature_review.pipeline.server_word import is_throttled, quota_is_spent, seconds_to_wait
from literature_review.pipeline.token_window import TokenWindow
from literature_review.pipeline.waiting import FOREVER, WaitingLine
from literature_review.ports import Deadline, Log

T = TypeVar("T")
LONGEST_WAY = 1.0  # seconds from the moment that a call is let go to its arrival at the provider
# the server did not say it; no attempt can help
_OURS = (StageTimeoutError, BudgetSpentError, OutageError, RefusedError, StoreError)


def request_bucket(quota: Quota, **time_of_tests: Any) -> SimpleQuotaManager:
    """A bucket that keeps to `rate` calls in every window of `per_seconds`, bursts included.

    A bucket of capacity b and refill r grants at most b + r * w tokens in a window w: with b a tenth of the rate
    (at least 1, or `quota.burst`) and r = (rate - b) / per_seconds that is the rate. For a rate of 1 or less one call
    follows the other after `per_seconds / rate`.
    """
    burst = quota.burst if quota.burst is not None else max(1.0, quota.rate / 10)
    if quota.rate <= burst:
        return SimpleQuotaManager(rate=quota.rate, per_seconds=quota.per_seconds, burst=1, **time_of_tests)
    refill = quota.rate - burst
    return SimpleQuotaManager(rate=refill, per_seconds=quota.per_seconds, burst=burst, **time_of_tests)


def arrival_window(quota: Quota, clock: Callable[[], float]) -> TokenWindow:
    """The same limit where the provider sees the calls: the bucket counts when they are let go, and between that and
    their arrival lie a flush of the ledger, a connection and other threads, so that calls let go one after the other
    can arrive together. Here a call counts until `per_seconds` after it may have arrived last: a second, or a tenth of
    the window where that is less, after it was let go.
    """
    calls = max(float(int(quota.rate)), 1.0)
    seconds = quota.per_seconds / min(quota.rate, 1.0)
    return TokenWindow(calls, seconds + min(LONGEST_WAY, seconds / 10), clock=clock)


@dataclass
class _Call(Generic[T]):
    """One call on its way, and what its present attempt holds: leave of the breaker."""

    ask: Callable[[float | None], T]
    deadline: Deadline
    tokens: float
    used: Callable[[T], float] | None
    attempts: int = 0
    admission: Admission | None = None
    waited_for_room: bool = False
    has_its_day: bool = False


class CallGate:
    """Keeps ports.CallGate. Thread-safe: one gate serves all papers of a run.

    `quota` None: no limit. `daily`: the calls of a day, and when a spent quota of the provider's is filled again.
    `breaker` None: calls pass whatever happened before. `smart` False: every error of a call is tried again, not only
    transient ones. `request_timeout`: seconds for one call. `max_in_flight`: calls under way at most; fewer while
    the server throttles. `spare`: see CallsInFlight; none where there is a quota, whose calls must arrive when they are
    let go. `clock` (monotonic seconds), `sleep` (seconds) and `pause` (an event, or so many seconds)
    replace the time in tests.

    Once the provider's quota is spent, the server has been down for too long (`Outage`) or refuses everybody
    (`Refusals`), no call is made any more.
    A server's Retry-After holds all calls back, not only the one that was told. Tokens: see TokenWindow; an attempt
    that failed stays charged with its estimate, since the provider may have counted it.
    """

    def __init__(
        self,
        retry: CallRetry,
        log: Log,
        quota: Quota | None = None,
        breaker: CircuitBreaker | None = None,
        smart: bool = True,
        request_timeout: float = 120.0,
        max_in_flight: int = 4,
        spare: int = 0,
        daily: DailyQuota | None = None,
        sleep: Callable[[float], object] | None = None,
        clock: Callable[[], float] | None = None,
        pause: Callable[[threading.Event, float | None], object] = threading.Event.wait,
    ) -> None:
        self._retry, self._log, self._breaker, self._daily = retry, log, breaker, daily
        self._worth = _WorthRepeating(smart)
        self._request_timeout = request_timeout
        self._clock = clock or time.monotonic
        given = (("sleep", sleep), ("clock", clock))
        self._time: dict[str, Any] = {name: function for name, function in given if function is not None}
        self._budget = RetryBudget(reserve=max(RESERVE, retry.attempts - 1))
        self._requests = request_bucket(quota, **self._time) if quota is not None else None
        self._line = WaitingLine(pause)  # its lock guards all below
        self._places = CallsInFlight(max_in_flight, spare if quota is None else 0)
        self._window: TokenWindow | None = None
        if quota is not None and quota.tokens_per_minute is not None:
            self._window = TokenWindow(quota.tokens_per_minute, clock=self._clock)
        self._arrivals = arrival_window(quota, self._clock) if quota is not None else None
        self._outage, self._refusals = Outage(self._clock), Refusals()
        self._held_until = 0.0
        self._stopped: BackendError | None = None  # why no call is made any more
        self._calls = self._retries = self._throttled = 0

    def call(
        self,
        ask: Callable[[float | None], T],
        deadline: Deadline,
        tokens: float = 0.0,
        used: Callable[[T], float] | None = None,
    ) -> T:
        """See ports.CallGate. Raises BackendError for a call that is larger than the tokens of a minute."""
        if self._window is not None and tokens > self._window.limit:
            raise BackendError(
                f"a call of about {tokens:,.0f} tokens is larger than tokens_per_minute ({self._window.limit:,.0f}): "
                "raise that, or lower llm.max_input_tokens or llm.max_output_tokens"
            )
        call = _Call(ask, deadline, tokens, used)
        try:
            return RetryHelper.retry_with_backoff(
                lambda: self._attempt(call),
                attempts=self._retry.attempts,
                base=self._retry.base,
                factor=self._retry.factor,
                max_delay=self._retry.max_delay,
                jitter=self._retry.enable_jitter,
                error_classifier=self._worth,
                deadline=deadline.remaining(),
                on_retry=self._on_retry,
                cancel=deadline.cancelled,
                **self._time,
            )
        except _OURS:
            raise
        except Exception as error:
            if quota_is_spent(error):
                raise self._stop_for_today(error) from error
            if isinstance(error, TimeoutError) and deadline.remaining() == 0.0:
                raise StageTimeoutError("a call timed out with its stage (stage_timeout)") from error
            raise

    def usage(self) -> Mapping[str, float]:
        """See ports.CallGate. A call that had to wait for calls or for tokens counts as throttled."""
        stats = self._requests.get_stats() if self._requests is not None else {}
        with self._line.change():
            return {
                "calls": self._calls,
                "retries": self._retries,
                "quota_consumed": stats.get("consumed_count", 0),
                "quota_throttled": stats.get("throttle_count", 0) + self._throttled,
            }

    def _attempt(self, call: _Call[T]) -> T:
        self._enter(call)
        taken, ended_with = call.tokens, None
        try:
            answer = call.ask(call.deadline.remaining(at_most=self._request_timeout))
            taken = call.tokens if call.used is None else max(call.used(answer), 0.0)
            return answer
        except BaseException as error:
            ended_with = error
            raise
        finally:
            self._leave(call, taken, ended_with)

    def _enter(self, call: _Call[Any]) -> None:
        """Everything that has to be waited for. What was taken while a wait for another part went on may no longer
        hold at its end; then it is given back, and the call goes to the end of the line."""
        while True:
            self._line.pass_through(
                lambda: self._may_pass(call), call.deadline, "a call that waited for its quota or its server"
            )
            try:
                self._take_day(call)
                self._take_request(call.deadline)
                if not self._is_overtaken(call):
                    self._count(call)
                    return
            except BaseException:
                self._withdraw(call)
                raise
            self._withdraw(call)

    def _may_pass(self, call: _Call[Any]) -> float | None:
        """Lets the call through when a place, the server, its tokens and the breaker allow. See WaitingLine."""
        if self._stopped is not None:
            raise type(self._stopped)(str(self._stopped))
        if not self._places.has_room():
            return FOREVER
        held = self._held_until - self._clock()
        if held > 0:
            return held
        room_in = max((window.seconds_until(amount) for window, amount in self._windows(call)), default=0.0)
        if room_in > 0:
            self._throttled += not call.waited_for_room
            call.waited_for_room = True
            return room_in
        if self._breaker is not None:
            if self._breaker.state != "closed" and self._outage.is_too_long():
                self._stopped = self._outage.error()
                raise self._stopped
            call.admission = self._breaker.try_enter()
            if call.admission is None:
                return max(self._breaker.seconds_left(), 1e-6)
        self._places.begin()
        for window, amount in self._windows(call):
            window.begin(amount)
        return None

    def _windows(self, call: _Call[Any]) -> list[tuple[TokenWindow, float]]:
        """The limits that hold in every window, each with what the call takes of it."""
        both = ((self._window, call.tokens), (self._arrivals, 1.0))
        return [(window, amount) for window, amount in both if window is not None]

    def _take_day(self, call: _Call[Any]) -> None:
        """One of the day's calls; what an attempt took that was not made after all is the next one's."""
        if self._daily is not None and not call.has_its_day:
            self._daily.take()
            call.has_its_day = True

    def _take_request(self, deadline: Deadline) -> None:
        if self._requests is None:
            return
        if not self._requests.consume(1, wait=True, timeout=deadline.remaining(), cancel=deadline.cancelled):
            deadline.check("a call that waited for its quota")
            raise StageTimeoutError("a call that waited for its quota would have waited past its deadline")

    def _is_overtaken(self, call: _Call[Any]) -> bool:
        """While the call waited for its quota, the server asked all to wait, the breaker opened, or the day's quota
        turned out to be spent."""
        if self._stopped is not None or self._held_until > self._clock():
            return True
        old = call.admission
        return self._breaker is not None and old is not None and not old.is_probe and self._breaker.state != "closed"

    def _count(self, call: _Call[Any]) -> None:
        if call.attempts == 0:
            self._budget.add_call()
        call.attempts += 1
        call.has_its_day = False
        with self._line.change():
            self._calls += 1
            if self._arrivals is not None:
                self._arrivals.end(1.0, 1.0)

    def _withdraw(self, call: _Call[Any]) -> None:
        if call.admission is not None:
            call.admission.cancelled()
        with self._line.change():
            self._places.end()
            for window, amount in self._windows(call):
                window.withdraw(amount)

    def _leave(self, call: _Call[Any], taken: float, error: BaseException | None) -> None:
        """The attempt is over: what it took is charged, what it says of the server is heeded."""
        transient = error is not None and ErrorClassifier.classify_error(error) is ErrorType.TRANSIENT
        ours = isinstance(error, _OURS) or (error is not None and not isinstance(error, Exception))
        wait = seconds_to_wait(error) if transient and isinstance(error, Exception) else 0.0
        try:
            self._end(call.admission, ours, transient)
        finally:
            with self._line.change():
                self._places.end()
                if self._window is not None:
                    self._window.end(call.tokens, taken)
                if error is not None and is_throttled(error):
                    self._places.throttled()
                elif error is None and self._budget.is_ample():
                    self._places.succeeded()
                if not ours:
                    self._outage.note(error if transient else None)
                    self._note_refusal(error)
                if wait > 0:
                    self._held_until = max(self._held_until, self._clock() + wait)

    def _note_refusal(self, error: BaseException | None) -> None:
        """A spent quota, which is refused too, has words of its own (`_stop_for_today`)."""
        if self._stopped is None and not (error is not None and quota_is_spent(error)):
            self._stopped = self._refusals.note(error)

    @staticmethod
    def _end(admission: Admission | None, ours: bool, transient: bool) -> None:
        if admission is None:
            return
        if ours:
            admission.cancelled()
        elif transient:
            admission.failed()
        else:
            admission.succeeded()

    def _on_retry(self, attempt: int, error: BaseException, delay: float) -> None:
        if not self._budget.take():
            self._log.warning(f"call failed ({error}); not tried again: too many calls fail for further attempts")
            raise error
        with self._line.change():
            self._retries += 1
        self._log.warning(f"call failed ({error}); attempt {attempt + 1} in {delay:.1f} s")

    def _stop_for_today(self, error: Exception) -> BudgetSpentError:
        """No further call of this gate is made: those in line hear the same."""
        when = self._daily.when_more() if self._daily is not None else "later"
        spent = BudgetSpentError(f"the provider's quota is spent ({error}); go on {when} with --resume")
        with self._line.change():
            self._stopped = spent
        return spent


class _WorthRepeating:
    """What the kernel's classifier calls transient, or every error; but never our own."""

    def __init__(self, smart: bool) -> None:
        self._smart = smart

    def should_retry(self, error: object) -> bool:
        if isinstance(error, _OURS):
            return False
        return not self._smart or ErrorClassifier.should_retry(error)
