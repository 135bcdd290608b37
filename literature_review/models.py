"""The records that walk through the house. All are frozen; all turn to and from plain JSON data.

    PaperFile -> Document -> Claim (pending) -> Claim (approved | rejected) -> PaperReview -> the report
                                  Passage: what was considered and turned down on the way

Offsets (`start`, `end`) count characters of `Document.text`; `end` is exclusive. Pages count from 1.
"""

from __future__ import annotations

import hashlib
from bisect import bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

from literature_review.records import (
    Criterion,
    PaperFile,
    Question,
    Requirement,
    ReviewProtocol,
    RunResult,
    Screening,
    SubRequirement,
)

__all__ = [
    "CLAIM_STATUSES", "PAPER_STATES", "STAGE_STATUSES", "Bibliography", "Claim", "Criterion", "Document", "Findings",
    "HiddenText", "Page", "PaperFile", "PaperReview", "Passage", "Proposal", "Question", "Requirement",
    "ReviewProtocol", "RunResult", "Screening", "ScreeningDecision", "Section", "StageResult", "SubRequirement",
    "Verdict", "claim_id",
]  # fmt: skip

CLAIM_STATUSES = ("pending", "approved", "rejected")
STAGE_STATUSES = ("completed", "failed", "skipped")
PAPER_STATES = ("reviewed", "excluded", "unreadable", "failed", "duplicate", "not_assessed")
_SUPERSCRIPTS = str.maketrans("0123456789-\u2212\u2013+", "⁰¹²³⁴⁵⁶⁷⁸⁹⁻⁻⁻⁺")


@dataclass(frozen=True)
class Page:
    """One page: `number` from 1; its characters are `Document.text[start:end]`. Each page begins where the one before
    it ends: every character of the text stands on one page."""

    number: int
    start: int
    end: int


@dataclass(frozen=True)
class Section:
    """A section from its heading to the next heading of any level. `kind` is a word such as
    abstract, introduction, methods, results, discussion, conclusion, references, other."""

    title: str
    kind: str
    start: int
    end: int


@dataclass(frozen=True)
class HiddenText:
    """Text that a reader of the page cannot see. `reason`: invisible, white, off_page or tiny."""

    start: int
    end: int
    reason: str


@dataclass(frozen=True)
class Document:
    """A paper's text with its pages, sections and offsets. Pages and sections are in order of `start`.

    `metadata` holds texts: title, author, year, doi ... as far as the file names them, and `reader`.
    `raised`: start and end of runs of digits that are set as an exponent of 10, which `text` has as plain digits.
    """

    text: str
    pages: tuple[Page, ...] = ()
    sections: tuple[Section, ...] = ()
    metadata: Mapping[str, str] = field(default_factory=dict)
    hidden: tuple[HiddenText, ...] = ()
    raised: tuple[tuple[int, int], ...] = ()

    @cached_property
    def shown(self) -> str:
        """`text`, character for character, but for raised digits and their signs, which are superscripts: as people
        are shown it, 10⁴ where `text` has 104."""
        if not self.raised:
            return self.text
        parts, last = [], 0
        for start, end in self.raised:
            parts += [self.text[last:start], self.text[start:end].translate(_SUPERSCRIPTS)]
            last = end
        return "".join([*parts, self.text[last:]])

    @cached_property
    def _page_starts(self) -> list[int]:
        return [page.start for page in self.pages]

    @cached_property
    def _section_starts(self) -> list[int]:
        return [section.start for section in self.sections]

    def page_at(self, offset: int) -> int:
        """Number of the page on which the character at `offset` stands; 1 where there are no pages."""
        at = bisect_right(self._page_starts, offset) - 1
        return self.pages[max(at, 0)].number if self.pages else 1

    def section_at(self, offset: int) -> str:
        """Title of the section that holds the character at `offset`, or an empty text."""
        at = bisect_right(self._section_starts, offset) - 1
        return self.sections[at].title if at >= 0 and offset < self.sections[at].end else ""

    def is_hidden(self, start: int, end: int) -> bool:
        """True where any character of the range is one that a reader cannot see."""
        return any(span.start < end and start < span.end for span in self.hidden)

    def to_json(self) -> dict[str, Any]:
        """Plain JSON data: pages, sections and hidden text as short lists."""
        return {
            "text": self.text,
            "pages": [[page.number, page.start, page.end] for page in self.pages],
            "sections": [[s.title, s.kind, s.start, s.end] for s in self.sections],
            "metadata": dict(self.metadata),
            "hidden": [[span.start, span.end, span.reason] for span in self.hidden],
            "raised": [list(span) for span in self.raised],
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Document:
        """What `to_json` was made of. Raises KeyError or TypeError for other data."""
        return cls(
            text=data["text"],
            pages=tuple(Page(*row) for row in data["pages"]),
            sections=tuple(Section(*row) for row in data["sections"]),
            metadata=dict(data["metadata"]),
            hidden=tuple(HiddenText(*row) for row in data["hidden"]),
            raised=tuple((start, end) for start, end in data.get("raised", ())),
        )


@dataclass(frozen=True)
class Bibliography:
    """What a paper is, as far as known. `sources` says where each field came from
    (file metadata, first page, RIS, BibTeX)."""

    title: str = ""
    authors: tuple[str, ...] = ()
    year: int | None = None
    doi: str = ""
    language: str = ""
    sources: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Bibliography:
        return cls(**{**data, "authors": tuple(data["authors"])})


@dataclass(frozen=True)
class Passage:
    """A passage that was considered for a sub-requirement and turned down, and why."""

    paper: str
    sub_requirement: str
    quote: str
    page: int
    section: str
    start: int
    end: int
    score: float
    reason: str

    def to_json(self) -> dict[str, Any]:
        return dict(self.__dict__)


@dataclass(frozen=True)
class Claim:
    """A verbatim quote that speaks to a sub-requirement, and its verdict.

    `score` in 0..1; `scores` its parts by name, each in 0..1; `coverage`: covered or partial, how far the
    quote answers; `direction`: increase, decrease, no difference or unknown (advisory); `last_page` differs
    from `page` where the quote runs over a page break; `appeal_of`: the rejected claim that this one replaces;
    `match`: exact, or near where the model's words differ from the text's, shown here, by signs of scanning.
    """

    id: str
    paper: str
    sub_requirement: str
    quote: str
    page: int
    section: str
    start: int
    end: int
    score: float
    status: str
    reason: str
    backend: str
    model: str
    last_page: int = 0
    coverage: str = "covered"
    scores: Mapping[str, float] = field(default_factory=dict)
    direction: str = "unknown"
    appeal_of: str = ""
    match: str = "exact"

    def to_json(self) -> dict[str, Any]:
        return {**self.__dict__, "scores": dict(self.scores)}

    def judged(self, verdict: Verdict) -> Claim:
        """The same claim with its verdict."""
        return replace(
            self,
            status="approved" if verdict.approved else "rejected",
            reason=verdict.reason,
            score=verdict.score,
            scores=dict(verdict.scores),
            coverage=verdict.coverage,
            direction=verdict.direction,
        )


def claim_id(paper: str, sub_requirement: str, start: int, end: int) -> str:
    """A name that is the same in every run: 16 hexadecimal digits of the claim's place."""
    place = "\x1f".join((paper, sub_requirement, str(start), str(end)))
    return hashlib.sha256(place.encode("utf-8", "surrogatepass")).hexdigest()[:16]


@dataclass(frozen=True)
class Proposal:
    """A quote that a back end offers. The quote check decides where it stands, and whether it does.

    `start` is a hint where the quote stands several times (characters of the text), or None.
    """

    sub_requirement: str
    quote: str
    score: float
    reason: str
    start: int | None = None
    appeal_of: str = ""


@dataclass(frozen=True)
class Findings:
    """What a back end found in one paper: proposals, the nearest spans that it turned down per
    sub-requirement (as proposals with the reason), and how surely the paper speaks to each (0..1).

    `suspicious`: words of the paper that give orders to a model instead of telling a reader something."""

    proposals: tuple[Proposal, ...] = ()
    turned_down: tuple[Proposal, ...] = ()
    coverage: Mapping[str, float] = field(default_factory=dict)
    suspicious: tuple[str, ...] = ()


@dataclass(frozen=True)
class Verdict:
    """A judgement of one claim: approved or not, the reason named, the score in 0..1 and its parts."""

    claim: str
    approved: bool
    reason: str
    score: float
    coverage: str = "covered"
    scores: Mapping[str, float] = field(default_factory=dict)
    direction: str = "unknown"


@dataclass(frozen=True)
class ScreeningDecision:
    """Whether a paper is taken in. Where not: the criterion and the passage that decided."""

    included: bool
    criterion: str = ""
    reason: str = ""
    quote: str = ""
    page: int = 0


@dataclass(frozen=True)
class StageResult:
    """What a stage leaves behind. `StageResult(status="completed")` is enough for a stage of one's own.

    `status`: completed, failed or skipped (then `reason` says why). `claims`: every claim of the paper as it
    now stands (None: the stage did not touch them). `passages`: considered and turned down. `record`: further
    plain JSON data, kept with the result and handed to later stages.
    """

    status: str = "completed"
    claims: tuple[Claim, ...] | None = None
    passages: tuple[Passage, ...] = ()
    record: Mapping[str, Any] = field(default_factory=dict)
    reason: str = ""

    def to_json(self) -> dict[str, Any]:
        """Plain JSON data, as it is kept in review.db."""
        return {
            "status": self.status,
            "claims": None if self.claims is None else [claim.to_json() for claim in self.claims],
            "passages": [passage.to_json() for passage in self.passages],
            "record": dict(self.record),
            "reason": self.reason,
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> StageResult:
        """What `to_json` was made of. Raises KeyError or TypeError for other data."""
        claims = data["claims"]
        return cls(
            status=data["status"],
            claims=None if claims is None else tuple(Claim(**row) for row in claims),
            passages=tuple(Passage(**row) for row in data["passages"]),
            record=data["record"],
            reason=data["reason"],
        )


@dataclass(frozen=True)
class PaperReview:
    """A paper with all that its stages left: what the corpus stages see.

    `state`: one of PAPER_STATES; `error` and `error_type` where it failed; `contexts`: the words before and after
    a quote, by the claim's id (or what `claim_id` gives for a passage's place); `duplicate_by`: by what it was found to
    be the same work (same content, same DOI ...); `related`: papers that are near to it without being the same (a
    supplement, a preprint), with the relation named; `suspicious`: words of its text that give orders to a model.
    """

    paper: PaperFile
    state: str
    bibliography: Bibliography = Bibliography()
    claims: tuple[Claim, ...] = ()
    passages: tuple[Passage, ...] = ()
    coverage: Mapping[str, float] = field(default_factory=dict)
    screening: ScreeningDecision = ScreeningDecision(included=True)
    pages: int = 0
    characters: int = 0
    hidden: tuple[str, ...] = ()
    contexts: Mapping[str, Sequence[str]] = field(default_factory=dict)
    error: str = ""
    error_type: str = ""
    duplicate_of: str = ""
    duplicate_by: str = ""
    related: Mapping[str, str] = field(default_factory=dict)
    suspicious: tuple[str, ...] = ()
