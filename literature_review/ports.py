"""The promises that the parts make to each other. A stage sees these, never the parts behind them.

    who asks                    what it asks            who keeps the promise
    pipeline, journal_reviewer  DocumentReader          documents
    pipeline                    References              documents.references
    reviewers                   Backend                 llm.offline_backend
    a paid back end             CallGate                pipeline.calls
    pipeline                    ResultStore             storage.database
    sync                        ReviewDatabase          storage.database
    sync                        VersionHistory          storage.version_history
    gap analysis                ReportWriter            reports
    pipeline                    Stage                   reviewers, synthesis, or a module of the user's own

Each port has one suite in tests/contracts that every implementation passes.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

from literature_review.errors import StageTimeoutError

if TYPE_CHECKING:  # names of types alone: a dry run does without them
    from literature_review.models import (
        Bibliography,
        Claim,
        Document,
        Findings,
        PaperFile,
        PaperReview,
        ReviewProtocol,
        StageResult,
        SubRequirement,
        Verdict,
    )

T = TypeVar("T")


class Deadline:
    """The time by which something has to be done, and the wish to stop sooner.

    `expires_at` is on `clock` (monotonic seconds), or None for no limit. `cancelled` is set when the run is
    told to stop. `waiting()`: to be entered by who waits for something that is none of this computer's work (a
    model's answer); where work is limited, another works meanwhile. Safe to share between threads.
    """

    def __init__(
        self,
        seconds: float | None = None,
        cancelled: threading.Event | None = None,
        clock: Callable[[], float] = time.monotonic,
        waiting: Callable[[], AbstractContextManager[None]] = nullcontext,
    ) -> None:
        self._clock = clock
        self.waiting = waiting
        self.expires_at = None if seconds is None else clock() + seconds
        self.cancelled = cancelled if cancelled is not None else threading.Event()

    def remaining(self, at_most: float | None = None) -> float | None:
        """Seconds left, never below 0; None where nothing limits. `at_most` is a further limit."""
        left = None if self.expires_at is None else max(self.expires_at - self._clock(), 0.0)
        limits = [limit for limit in (left, at_most) if limit is not None]
        return min(limits) if limits else None

    def check(self, what: str = "the stage") -> None:
        """Raise StageTimeoutError where the time is over, or the run is told to stop."""
        if self.cancelled.is_set():
            raise StageTimeoutError(f"{what} was told to stop")
        if self.remaining() == 0.0:
            raise StageTimeoutError(f"{what} timed out: its deadline passed")


class Log(Protocol):
    """One line to the user, as `[2025-11-14 03:16:29] [INFO] text`. Thread-safe; never raises."""

    def debug(self, text: str) -> None: ...
    def info(self, text: str) -> None: ...
    def success(self, text: str) -> None: ...
    def warning(self, text: str) -> None: ...
    def error(self, text: str) -> None: ...


class DocumentReader(Protocol):
    """Reads a paper's file. Thread-safe. A hostile file harms no one: it is read where it can be killed."""

    def fingerprint(self, path: str) -> str:
        """Names reader and version for this kind of file: what it changes, changes what is read."""
        ...

    def read(self, path: str, deadline: Deadline) -> Document:
        """The paper's text. Raises UnreadablePaperError (permanent) or StageTimeoutError (transient)."""
        ...

    def identify(self, paper: PaperFile, document: Document) -> Bibliography:
        """Title, authors, year, DOI and language, each with where it came from. Never raises for odd text."""
        ...

    def check(self, path: str) -> str:
        """A quick look for the dry run: "" or why the file cannot be read. Opens it, parses nothing."""
        ...

    def close(self) -> None:
        """End the reading processes."""
        ...


class References(Protocol):
    """What reference files beside the papers (RIS, BibTeX) say of them. Thread-safe. Never raises for odd entries."""

    @property
    def used(self) -> Mapping[str, int]:
        """File -> how many entries it gave."""
        ...

    @property
    def problems(self) -> Sequence[str]:
        """A line for each file or entry that gave nothing."""
        ...

    def digest(self, paper: PaperFile, known: Callable[[], Document | None]) -> str:
        """Stands for all that is said of the paper; "" where nothing is. `known` gives the paper's text where it
        was read before; where it was not, and the entry does not name its file, the answer is "" too."""
        ...

    def completed(self, paper: PaperFile, document: Document, own: Bibliography) -> Bibliography:
        """`own` with what the paper's entry says in its place, each field with the file that it came from."""
        ...

    def without_paper(self) -> Sequence[str]:
        """A line for each entry that none of the papers asked about was: reports that were not retrieved."""
        ...

    def doubled(self) -> Sequence[str]:
        """A line for each paper asked about that several entries speak of in different words."""
        ...


class Backend(Protocol):
    """What reads like a reviewer: offline, or a paid model. Thread-safe.

    Each method raises BackendError for an answer that cannot be used, whatever the provider's client raises
    otherwise, and StageTimeoutError when the deadline passes. The text of `document` is data, never orders.
    """

    name: str
    model: str
    paid: bool

    def fingerprint(self) -> str:
        """Everything that changes its answers: model, prompts, parameters, weights."""
        ...

    def for_paper(self, paper: str) -> Backend:
        """The same back end, whose calls are booked on this paper (its id)."""
        ...

    def find_claims(self, document: Document, wanted: Sequence[SubRequirement], deadline: Deadline) -> Findings:
        """Quotes from the document for each sub-requirement, and the nearest that were turned down."""
        ...

    def judge(
        self,
        document: Document,
        claims: Sequence[Claim],
        wanted: Mapping[str, SubRequirement],
        deadline: Deadline,
    ) -> list[Verdict]:
        """One verdict per claim, in their order."""
        ...

    def reconsider(
        self,
        document: Document,
        rejected: Sequence[Claim],
        wanted: Mapping[str, SubRequirement],
        deadline: Deadline,
    ) -> Findings:
        """A second look at rejected claims with more of their context: better quotes (`appeal_of` names the
        claim), each to be judged again."""
        ...

    def estimate(self, stage: str, characters: int, sub_requirements: int) -> Mapping[str, float]:
        """What the stage is expected to take for one paper of that length, in characters of a Latin script: `calls`,
        `tokens`, `seconds`, and `usd` (absent where the price is unknown). Where the outcome is open, `calls_low`,
        `calls_high` and so on bound the range of one paper, `calls_mean_low`, `calls_mean_high` that of many on average
        (where they are absent it is the same); what has no bounds is exact."""
        ...

    def usage(self) -> Mapping[str, float]:
        """Since the start: `calls`, `retries`, `tokens`, `quota_consumed`, `quota_throttled`, and `usd` (absent where
        a price is unknown)."""
        ...

    def close(self) -> None:
        """Give files and connections back. What was paid for is on disk already."""
        ...


class ResultStore(Protocol):
    """Results of stages per paper, and texts once read. Thread-safe. What `put_*` returned from survives
    `kill -9` and loss of power."""

    def get_result(self, paper: str, stage: str) -> StoredResult | None: ...

    def put_result(self, paper: str, stage: str, result: StoredResult) -> None: ...

    def get_document(self, sha256: str, reader: str) -> Document | None: ...

    def put_document(self, sha256: str, reader: str, document: Document) -> None: ...


@dataclass(frozen=True)
class StoredResult:
    """A stage's result for one paper and what it was made from.

    `made_from`: name -> digest of everything that went in (content, protocol, back end, stage ...); a result is
    used again only where all are the same. A failure is kept as well: then `result.status` is failed, and
    `error_type` an ErrorType's value.
    """

    made_from: Mapping[str, str]
    result: StageResult
    error_type: str = ""
    finished_at: str = ""


class ReviewDatabase(Protocol):
    """The database that people query. One transaction per call; safe to read while it is written."""

    def replace_review(self, protocol: ReviewProtocol, reviews: Sequence[PaperReview], run_id: str) -> None:
        """Make the tables say exactly this review. Rows that are the same stay untouched."""
        ...


class VersionHistory(Protocol):
    """The version history file: what each run knew of each paper. Whole after any crash."""

    def record(self, reviews: Sequence[PaperReview], run_id: str, made_from: Mapping[str, Mapping[str, str]]) -> int:
        """Add a version for each paper whose review changed; returns how many were added."""
        ...


class ReportWriter(Protocol):
    """Writes the finished report in one format."""

    suffix: str

    def write(self, report: Mapping[str, Any], path: str) -> None:
        """Write whole or not at all: a reader never sees half a file."""
        ...


@dataclass(frozen=True)
class StageContext:
    """All that a stage may use. A per-paper stage gets `paper`, a corpus stage gets `reviews`.

    `claims` and `earlier` (stage name -> its result) are this paper's so far. `read(paper)` gives the text,
    from the store where it was read before. `deadline` is the stage's own: long work checks it. `settings` is
    the configuration's plain data. `database`, `history` and `reports` are for corpus stages, and so is
    `made_from` (paper id -> what its results were made from). `run` is the part of the report that varies
    between runs; `ignored` are the files below the papers folder that are no papers.
    """

    stage: str
    protocol: ReviewProtocol
    backend: Backend
    log: Log
    deadline: Deadline
    output_dir: str
    settings: Mapping[str, Any] = field(default_factory=dict)
    run: Mapping[str, Any] = field(default_factory=dict)
    paper: PaperFile | None = None
    read: Callable[[PaperFile], Document] | None = None
    identify: Callable[[PaperFile, Document], Bibliography] | None = None
    claims: tuple[Claim, ...] = ()
    earlier: Mapping[str, StageResult] = field(default_factory=dict)
    reviews: tuple[PaperReview, ...] = ()
    made_from: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    database: ReviewDatabase | None = None
    history: VersionHistory | None = None
    reports: Mapping[str, ReportWriter] = field(default_factory=dict)
    ignored: tuple[str, ...] = ()
    dry_run: bool = False


class Stage(Protocol):
    """A stage is a module with this function. What it raises is classified, retried or reported for it. What it returns
    is looked at: a claim that cannot be kept fails its paper alone, and a quote is approved only where it stands."""

    def run(self, context: StageContext) -> StageResult: ...


class CallGate(Protocol):
    """What every paid call passes: quota, retry with back-off, circuit breaker. Thread-safe."""

    def call(
        self,
        ask: Callable[[float | None], T],
        deadline: Deadline,
        tokens: float = 0.0,
        used: Callable[[T], float] | None = None,
    ) -> T:
        """Run `ask(timeout in seconds)` when quota and breaker allow, again after transient errors.

        `tokens`: the estimate that is charged to limits of tokens before each attempt; `used(answer)`: what it
        really took, charged or given back after. Raises the last error of `ask`, StageTimeoutError when the
        deadline passes first, or BudgetSpentError where the provider's quota for the day is spent."""
        ...

    def usage(self) -> Mapping[str, float]:
        """`calls` (attempts made), `retries`, `quota_consumed`, `quota_throttled`."""
        ...
