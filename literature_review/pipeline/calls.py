"""The gate that every paid call passes.

    ask -> breaker (is the server up?) -> quota (is it our turn?) -> the call -> retry with back-off

Quota is taken for every attempt, since the provider counts every attempt.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from literature_review.config import CallRetry, Quota
from literature_review.errors import StageTimeoutError
from literature_review.pipeline.orchestrator_v2 import ErrorClassifier, ErrorType, RetryHelper, SimpleQuotaManager
from literature_review.pipeline.policy import Admission, CircuitBreaker
from literature_review.ports import Deadline, Log

T = TypeVar("T")


def request_bucket(quota: Quota) -> SimpleQuotaManager:
    """A bucket that keeps to `rate` calls in every window of `per_seconds`, bursts included.

    A bucket of capacity b and refill r grants at most b + r * w tokens in a window w: with b a tenth of the rate
    (at least 1, or `quota.burst`) and r = (rate - b) / per_seconds that is the rate. For a rate of 1 or less one call
    follows the other after `per_seconds / rate`.
    """
    burst = quota.burst if quota.burst is not None else max(1.0, quota.rate / 10)
    if quota.rate <= burst:
        return SimpleQuotaManager(rate=quota.rate, per_seconds=quota.per_seconds, burst=1)
    return SimpleQuotaManager(rate=quota.rate - burst, per_seconds=quota.per_seconds, burst=burst)


class CallGate:
    """Keeps ports.CallGate. Thread-safe: one gate serves all papers of a run.

    `quota` None: no limit. `smart` False: every error of a call is tried again, not only transient ones.
    `breaker` None: calls pass whatever happened before. `request_timeout`: seconds for one call.
    """

    def __init__(
        self,
        retry: CallRetry,
        log: Log,
        quota: Quota | None = None,
        breaker: CircuitBreaker | None = None,
        smart: bool = True,
        request_timeout: float = 120.0,
        sleep: Callable[[float], None] | None = None,
    ) -> None:
        self._retry, self._log, self._breaker, self._smart = retry, log, breaker, smart
        self._requests = request_bucket(quota) if quota is not None else None
        self._tokens = _token_bucket(quota)
        self._request_timeout = request_timeout
        self._sleep = {} if sleep is None else {"sleep": sleep}
        self._lock = threading.Lock()  # guards the counters
        self._calls = self._retries = 0

    def call(self, ask: Callable[[float | None], T], deadline: Deadline, tokens: float = 0.0) -> T:
        def attempt() -> T:
            admission = self._admission(deadline)
            try:
                self._take_quota(deadline, tokens)
                self._count(calls=1)
                answer = ask(deadline.remaining(at_most=self._request_timeout))
            except BaseException as error:
                self._end(admission, error)
                raise
            if admission is not None:
                admission.succeeded()
            return answer

        options: dict[str, Any] = dict(self._sleep)
        if self._smart:
            options["error_classifier"] = ErrorClassifier
        return RetryHelper.retry_with_backoff(
            attempt,
            attempts=self._retry.attempts,
            base=self._retry.base,
            factor=self._retry.factor,
            max_delay=self._retry.max_delay,
            jitter=self._retry.enable_jitter,
            deadline=deadline.remaining(),
            on_retry=self._on_retry,
            cancel=deadline.cancelled,
            **options,
        )

    def usage(self) -> Mapping[str, float]:
        with self._lock:
            counts: dict[str, float] = {"calls": self._calls, "retries": self._retries}
        stats = self._requests.get_stats() if self._requests is not None else {}
        counts["quota_consumed"] = stats.get("consumed_count", 0)
        counts["quota_throttled"] = stats.get("throttle_count", 0)
        return counts

    def _admission(self, deadline: Deadline) -> Admission | None:
        if self._breaker is None:
            return None
        while True:
            admission = self._breaker.try_enter()
            if admission is not None:
                return admission
            deadline.check("a call that waits for the circuit breaker")
            self._breaker.wait(deadline.remaining(at_most=1.0))

    def _take_quota(self, deadline: Deadline, tokens: float) -> None:
        for bucket, amount in ((self._requests, 1.0), (self._tokens, tokens)):
            if bucket is None or amount <= 0:
                continue
            taken = bucket.consume(amount, wait=True, timeout=deadline.remaining(), cancel=deadline.cancelled)
            if not taken:
                raise StageTimeoutError("a call waited for its quota until its time was over")

    def _end(self, admission: Admission | None, error: BaseException) -> None:
        if admission is None:
            return
        if isinstance(error, StageTimeoutError) or not isinstance(error, Exception):
            admission.cancelled()
        elif ErrorClassifier.classify_error(error) is ErrorType.TRANSIENT:
            admission.failed()
        else:
            admission.succeeded()

    def _on_retry(self, attempt: int, error: BaseException, delay: float) -> None:
        self._count(retries=1)
        self._log.warning(f"call failed ({error}); attempt {attempt + 1} in {delay:.1f} s")

    def _count(self, calls: int = 0, retries: int = 0) -> None:
        with self._lock:
            self._calls += calls
            self._retries += retries


def _token_bucket(quota: Quota | None) -> SimpleQuotaManager | None:
    if quota is None or quota.tokens_per_minute is None:
        return None
    burst = quota.tokens_per_minute / 2
    return SimpleQuotaManager(rate=quota.tokens_per_minute - burst, per_seconds=60.0, burst=burst)
