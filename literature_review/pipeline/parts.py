"""What a run works with, and how it was asked for."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from literature_review.light_record import made, record

if TYPE_CHECKING:  # names of types alone: the dry run starts without what it does not use
    from literature_review.models import PaperFile, ReviewProtocol
    from literature_review.pipeline.policy import CircuitBreaker
    from literature_review.pipeline.results import FaultOf
    from literature_review.pipeline.stages import LoadedStage
    from literature_review.ports import (
        Backend,
        DocumentReader,
        References,
        ReportWriter,
        ResultStore,
        ReviewDatabase,
        VersionHistory,
    )


@record
class PapersFound:
    """What lies in the papers folder. `problems`: paper id -> why its file cannot be taken; `references`: what
    reference files there say of the papers, where there are any."""

    papers: tuple[PaperFile, ...]
    ignored: tuple[str, ...] = ()
    problems: Mapping[str, str] = made(default_factory=dict)
    references: References | None = None


@record
class Parts:
    """The parts of a pipeline, each known by its promise alone. `close()` gives everything back; `fault_of`: why a
    claim cannot be approved for what stands in its paper, or ""."""

    protocol: ReviewProtocol
    stages: tuple[LoadedStage, ...]
    find_papers: Callable[[], PapersFound]
    reader: DocumentReader
    backend: Backend
    store: ResultStore
    database: ReviewDatabase
    history: VersionHistory
    reports: Mapping[str, ReportWriter]
    close: Callable[[], None]
    breaker: CircuitBreaker | None = None
    fault_of: FaultOf | None = None


@record
class RunOptions:
    """How a run was asked for. `resume`: go on with the run in the checkpoint; `resume_from`: run this stage and
    all after it again, and none before it; `only`: this stage alone; `force`: review everything again."""

    resume: bool = False
    resume_from: str | None = None
    force: bool = False
    only: str | None = None
