"""What a server said with an error: slow down, wait so long, spent for today. All by the kernel's own rules."""

from __future__ import annotations

from collections.abc import Iterator

from literature_review.pipeline.orchestrator_v2 import ErrorClassifier, ErrorType, RetryHelper

_THROTTLED = frozenset({429, 503, 529})  # 529: overloaded, as Anthropic and some gateways send it


def is_throttled(error: BaseException) -> bool:
    """True for an answer that says: too much. Its status stands where client libraries put it."""
    return any(_status(link) in _THROTTLED for link in _chain(error))


def seconds_to_wait(error: Exception) -> float:
    """What the server asked to wait (Retry-After, Gemini's retryDelay), at most the kernel's limit; 0 for nothing.

    The kernel reads it in its retry: a retry without a back-off of its own waits exactly that.
    """
    waits: list[float] = []
    outcomes = iter((error,))

    def once() -> None:
        for raised in outcomes:
            raise raised

    traceback = error.__traceback__
    RetryHelper.retry_with_backoff(once, attempts=2, base=0, max_delay=0, jitter=False, sleep=waits.append)
    error.__traceback__ = traceback
    return waits[0] if waits else 0.0


def quota_is_spent(error: BaseException) -> bool:
    """True where the provider says that its quota for the day, or the credit, is used up (QuotaFailure PerDay,
    insufficient_quota): the kernel calls a 429 permanent for that alone."""
    return any(
        _status(link) in (None, 429) and ErrorClassifier.classify_error(link, http_status=429) is ErrorType.PERMANENT
        for link in _chain(error)
    )


def _chain(error: BaseException) -> Iterator[BaseException]:
    """The error and what it was raised from, at most ten."""
    link: BaseException | None = error
    for _ in range(10):
        if link is None:
            return
        yield link
        link = link.__cause__


def _status(error: BaseException) -> int | None:
    for holder in (error, getattr(error, "response", None)):
        for name in ("status_code", "code", "status"):
            value = getattr(holder, name, None)
            if isinstance(value, int) and not isinstance(value, bool):
                return value
    return None
