"""The errors of the project, one tree.

ReviewError                     whatever this project raises on purpose
|-- UsageError                  the user can mend it before anything runs; exit code 2
|   |-- ConfigError             configuration: every mistake at once, each with its key path
|   |-- ProtocolError           the review protocol: likewise
|   `-- MissingExtraError       a package or a key is not there; names what to type (an ImportError too)
|-- PaperError                  one paper cannot be read or assessed; fails alone
|   `-- UnreadablePaperError    its file cannot be read: `reason` is a word, the text says what to do
|-- StageTimeoutError           a stage passed its deadline; transient (a TimeoutError too)
|-- BackendError                a model's answer cannot be used
|   |-- BudgetSpentError        the run's budget or quota is spent; the run stops and can be resumed
|   `-- OutageError             the model's server does not answer; likewise
`-- StoreError                  a database or a history file cannot be used; nothing was changed
"""

from __future__ import annotations

from collections.abc import Sequence


class ReviewError(Exception):
    """Root of the tree. Its text is one line that a user can act on."""


class UsageError(ReviewError):
    """Wrong usage: nothing was run, nothing was changed. Exit code 2."""


class ConfigError(UsageError, ValueError):
    """Mistakes in the configuration. `problems`: one line each, with its key path."""

    def __init__(self, problems: Sequence[str]) -> None:
        self.problems = tuple(problems)
        super().__init__("\n".join(self.problems))


class ProtocolError(UsageError, ValueError):
    """Mistakes in the review protocol. `problems`: one line each, with its place in the file."""

    def __init__(self, problems: Sequence[str]) -> None:
        self.problems = tuple(problems)
        super().__init__("\n".join(self.problems))


class MissingExtraError(UsageError, ImportError):
    """A package that a chosen part needs is not installed; the text names the pip command."""


class PaperError(ReviewError):
    """One paper fails, and fails alone. Permanent: the same file fails again."""


class UnreadablePaperError(PaperError):
    """A paper's file cannot be read.

    `reason` is one of: empty, missing, not_permitted, encrypted, damaged, not_a_pdf, no_text, too_large,
    crashed, timed_out, no_reader, outside. The text says what a person can do about it.
    """

    def __init__(self, reason: str, message: str) -> None:
        self.reason = reason
        super().__init__(message)

    def __reduce__(self) -> tuple[type[UnreadablePaperError], tuple[str, str]]:
        return type(self), (self.reason, str(self))


class StageTimeoutError(ReviewError, TimeoutError):
    """A stage passed its deadline. Transient; what it had finished is kept."""


class BackendError(ReviewError):
    """A model answered, but not with what was asked for. `is_shared`: every other call would meet it too, since the
    address, the name of the model or the kind of server is wrong."""

    is_shared = False


class BudgetSpentError(BackendError):
    """The money or the provider's quota for this run is spent; resume later."""


class OutageError(BackendError):
    """The model's server has not answered for a long time; resume when it does."""


class StoreError(ReviewError):
    """A database or history file that is damaged, foreign, of a newer version, in use or not to be written. What it
    held is untouched."""
