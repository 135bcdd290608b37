"""The records that a dry run needs too: a paper's file, the review protocol, how a run ended. `models` offers them with
all others; here they can be had without those, so that the dry run starts sooner."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from literature_review.light_record import as_plain, made, record


@record
class PaperFile:
    """A file that was found. `id`: its path below the papers folder, with `/`; `sha256` of its bytes."""

    id: str
    path: str
    sha256: str
    size: int
    duplicate_of: str | None = None


@record
class SubRequirement:
    """The smallest thing that is looked for, with the texts that it stands under."""

    id: str
    text: str
    keywords: tuple[str, ...] = ()
    requirement: str = ""
    question: str = ""


@record
class Requirement:
    id: str
    text: str
    sub_requirements: tuple[SubRequirement, ...] = ()


@record
class Question:
    id: str
    text: str
    requirements: tuple[Requirement, ...] = ()


@record
class Criterion:
    """A screening criterion; `keywords` are the words that matter most."""

    id: str
    text: str
    keywords: tuple[str, ...] = ()


@record
class Screening:
    """Criteria for taking a paper in. `years`: first and last year allowed; `languages`: ISO 639-1 codes."""

    include: tuple[Criterion, ...] = ()
    exclude: tuple[Criterion, ...] = ()
    years: tuple[int, int] | None = None
    languages: tuple[str, ...] = ()


@record
class ReviewProtocol:
    """What the review asks. Ids are unique over all levels."""

    title: str
    questions: tuple[Question, ...] = ()
    screening: Screening = Screening()

    def sub_requirements(self) -> Iterator[SubRequirement]:
        for question in self.questions:
            for requirement in question.requirements:
                yield from requirement.sub_requirements

    def to_json(self) -> dict[str, Any]:
        """The protocol as the file gives it, every optional key written out."""
        data: dict[str, Any] = as_plain(self)
        for question in data["questions"]:
            for requirement in question["requirements"]:
                for sub in requirement["sub_requirements"]:
                    del sub["requirement"], sub["question"]
        return data


@record
class RunResult:
    """How a run ended. `exit_code`: 0 all well, 1 a stage or papers failed, 2 usage, 130 interrupted.

    `status`: completed, failed or interrupted; `papers` counts by PAPER_STATES; `claims` by CLAIM_STATUSES;
    `worked`: papers on which any per-paper stage ran in this run; `reused`: papers whose results were all kept.
    `cost_usd`: of this run (None: not known); `costs`: the report's `run.costs`, empty where nothing is paid for.
    """

    exit_code: int
    status: str
    run_id: str
    papers: Mapping[str, int] = made(default_factory=dict)
    claims: Mapping[str, int] = made(default_factory=dict)
    failures: Mapping[str, str] = made(default_factory=dict)
    worked: tuple[str, ...] = ()
    reused: tuple[str, ...] = ()
    retries: int = 0
    quota: Mapping[str, float] = made(default_factory=dict)
    cost_usd: float | None = 0.0
    costs: Mapping[str, Any] = made(default_factory=dict)
    seconds: float = 0.0
    outputs: Mapping[str, str] = made(default_factory=dict)
