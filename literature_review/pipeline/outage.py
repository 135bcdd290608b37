"""When a server that does not answer is no longer waited for, and one that refuses no longer asked."""

from __future__ import annotations

from collections.abc import Callable

from literature_review.errors import BackendError, OutageError
from literature_review.pipeline.orchestrator_v2 import ErrorClassifier
from literature_review.pipeline.progress import spoken_seconds

PATIENCE = 600.0  # seconds from the first failed call to the last, none answered between, after which the run stops
FIRST_PATIENCE = 60.0  # the same where no call has been answered yet: the address may be wrong
MOST_REFUSALS = 3  # in a row, after which a batch of papers ends as well


class RefusedError(BackendError):
    """A call that was not made, since the last ones were all refused for what every call would meet. Its text is
    theirs."""

    is_shared = True


class Refusals:
    """Calls in a row that the server refused for what is no call's own fault: a wrong key, an unknown model. Not
    thread-safe: who uses it holds a lock."""

    def __init__(self) -> None:
        self._in_a_row = 0

    def note(self, failure: BaseException | None) -> RefusedError | None:
        """A call has ended, answered (None) or not. Returns what further calls are to raise, where they had better not
        be made."""
        if failure is None:
            self._in_a_row = 0
        elif getattr(failure, "is_shared", False) or ErrorClassifier.is_shared_fault(failure):
            self._in_a_row += 1
        return RefusedError(str(failure)) if self._in_a_row >= MOST_REFUSALS else None


class Outage:
    """How long a server has been failing. Not thread-safe: who uses it holds a lock."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._since: float | None = None
        self._until = 0.0
        self._patience = FIRST_PATIENCE
        self._last = ""

    def note(self, failure: BaseException | None) -> None:
        """A call has ended: with a transient failure, or with any other sign of life (None)."""
        if failure is None:
            self._since, self._patience = None, PATIENCE
            return
        self._last, self._until = str(failure), self._clock()
        if self._since is None:
            self._since = self._until

    def is_too_long(self) -> bool:
        return self._since is not None and self._until - self._since >= self._patience

    def error(self) -> OutageError:
        """What to say then."""
        lasted = self._until - (self._until if self._since is None else self._since)
        return OutageError(
            f"the model's server has not answered for {spoken_seconds(lasted)} ({self._last}); see to it, or to "
            "llm.base_url, then go on with --resume"
        )
