"""When a server that does not answer is no longer waited for."""

from __future__ import annotations

from collections.abc import Callable

from literature_review.errors import OutageError
from literature_review.pipeline.progress import spoken_seconds

PATIENCE = 600.0  # seconds from the first failed call to the last, none answered between, after which the run stops
FIRST_PATIENCE = 60.0  # the same where no call has been answered yet: the address may be wrong


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
