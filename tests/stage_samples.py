"""What the stages' tests share: a small paper, a protocol, a back end that says what it is told to."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from literature_review.models import (
    Bibliography,
    Claim,
    Document,
    Findings,
    HiddenText,
    Page,
    PaperFile,
    PaperReview,
    Proposal,
    Question,
    Requirement,
    ReviewProtocol,
    Screening,
    Section,
    StageResult,
    SubRequirement,
    Verdict,
    claim_id,
)
from literature_review.ports import Backend, Deadline, StageContext

TEXT = (
    "Reminders in an eye clinic\n\nAbstract\n\n"
    "We sent reminders to outpatients of an eye clinic in Wexford in 2019.\n\n"
    "Results\n\nText message reminders reduced missed appointments from 20.1% to 12.3% (p < 0.001). "
    "No patient who was reminded com-\nplained about the reminder. Staff liked the new system well enough.\n\n"
    "References\n\n1. Smith J. A meta-analysis of reminders in mice. J Mouse 2001;1:1-9."
)
RESULT = "Text message reminders reduced missed appointments from 20.1% to 12.3% (p < 0.001)."
COMPLAINTS = "No patient who was reminded complained about the reminder."
STAFF = "Staff liked the new system well enough."

MISSED = SubRequirement("S1", "Effect of reminders on missed appointments", ("missed appointments",), "R", "Q")
COST = SubRequirement("S2", "Cost of a reminder", ("cost",), "R", "Q")


def protocol(*subs: SubRequirement, screening: Screening | None = None) -> ReviewProtocol:
    requirement = Requirement("R1", "Attendance", subs or (MISSED, COST))
    return ReviewProtocol("Reminders", (Question("Q1", "Do they help?", (requirement,)),), screening or Screening())


def document(text: str = TEXT, hidden: Sequence[HiddenText] = ()) -> Document:
    """The text with a section at each heading and a page break before "No patient"."""
    heads = [(name, text.find(f"\n{name}\n") + 1) for name in ("Abstract", "Results", "References")]
    heads = [(name, start) for name, start in heads if start > 0]
    ends = [start for _, start in heads[1:]] + [len(text)]
    sections = [
        Section(name, name.lower(), start, end) for (name, start), end in zip(heads, ends, strict=True)
    ]
    turn = max(text.find("No patient"), 0)
    pages = (Page(1, 0, turn), Page(2, turn, len(text))) if turn else (Page(1, 0, len(text)),)
    return Document(text, pages, tuple(sections), {}, tuple(hidden))


def paper(name: str = "a.pdf") -> PaperFile:
    return PaperFile(name, f"/papers/{name}", "0" * 64, 10)


def claim(quote: str = RESULT, sub: str = "S1", name: str = "a.pdf", text: str = TEXT, **fields: Any) -> Claim:
    start = text.index(quote)
    made: dict[str, Any] = {
        "id": claim_id(name, sub, start, start + len(quote)),
        "paper": name,
        "sub_requirement": sub,
        "quote": quote,
        "page": 1,
        "section": "Results",
        "start": start,
        "end": start + len(quote),
        "score": 0.8,
        "status": "pending",
        "reason": "proposed",
        "backend": "told",
        "model": "told-1",
        "last_page": 1,
    }
    return Claim(**{**made, **fields})


def review(name: str = "a.pdf", state: str = "reviewed", **fields: Any) -> PaperReview:
    return PaperReview(paper(name), state, **fields)


class ToldBackend:
    """Answers what it was told. `approve`: claim -> verdict's reason, where it starts with "no" rejected."""

    name, model, paid = "told", "told-1", False

    def __init__(
        self,
        proposals: Sequence[Proposal] = (),
        turned_down: Sequence[Proposal] = (),
        coverage: Mapping[str, float] | None = None,
        approve: Callable[[Claim], bool] = lambda claim: True,
        appeals: Sequence[Proposal] = (),
    ) -> None:
        self.findings = Findings(tuple(proposals), tuple(turned_down), coverage or {})
        self.appeals = Findings(tuple(appeals))
        self.approve = approve
        self.judged: list[str] = []

    def fingerprint(self) -> str:
        return "told"

    def for_paper(self, paper: str) -> ToldBackend:
        return self

    def find_claims(self, document: Document, wanted: Sequence[SubRequirement], deadline: Deadline) -> Findings:
        return self.findings

    def judge(
        self,
        document: Document,
        claims: Sequence[Claim],
        wanted: Mapping[str, SubRequirement],
        deadline: Deadline,
    ) -> list[Verdict]:
        self.judged += [claim.id for claim in claims]
        scores = {"relevance": 0.9}
        return [Verdict(claim.id, self.approve(claim), "as told", 0.9, "covered", scores) for claim in claims]

    def reconsider(
        self,
        document: Document,
        rejected: Sequence[Claim],
        wanted: Mapping[str, SubRequirement],
        deadline: Deadline,
    ) -> Findings:
        return self.appeals

    def estimate(self, stage: str, characters: int, sub_requirements: int) -> Mapping[str, float]:
        return {"calls": 0, "tokens": 0, "usd": 0.0, "seconds": 0.0}

    def usage(self) -> Mapping[str, float]:
        return {}

    def close(self) -> None:
        pass


class QuietLog:
    """Keeps its lines."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    def debug(self, text: str) -> None:
        self.lines.append(text)

    info = success = warning = error = debug


def context(backend: Backend | None = None, text: Document | None = None, **fields: Any) -> StageContext:
    """A context for a stage; for a per-paper stage unless `reviews` are given."""
    shown = text or document()
    made: dict[str, Any] = {
        "stage": "stage",
        "protocol": protocol(),
        "backend": backend or ToldBackend(),
        "log": QuietLog(),
        "deadline": Deadline(),
        "output_dir": "nowhere",
    }
    if "reviews" not in fields:
        made.update(paper=paper(), read=lambda _: shown, identify=lambda *_: Bibliography(title="Reminders", year=2019))
    return StageContext(**{**made, **fields})


def earlier(**results: StageResult) -> dict[str, StageResult]:
    return results
