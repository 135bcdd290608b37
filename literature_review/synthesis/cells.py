"""One cell per paper and sub-requirement, and what the cells of a row say together.

    paper not assessed -> not_assessed | unreadable | excluded      never "no evidence"
    approved claims    -> covered | partial
    only rejected ones -> rejected;  nothing -> not_found
    row: any covered -> covered; else any partial -> partial; else gap, with the reason
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from literature_review.models import Claim, PaperReview

NAMED_IN_REASON = 3
_ASSESSED = ("covered", "partial", "rejected", "not_found")
_NOT_ASSESSED = {"unreadable": "unreadable", "excluded": "excluded", "failed": "not_assessed"}


@dataclass(frozen=True)
class Cell:
    """What one paper says to one sub-requirement; `score` in 0..1, of the best claim or the paper's coverage."""

    paper: str
    state: str
    score: float

    def to_json(self) -> dict[str, Any]:
        return {"paper": self.paper, "state": self.state, "score": round(self.score, 4)}


def held_to(reviews: Iterable[PaperReview], covered_at: float | None) -> tuple[PaperReview, ...]:
    """The reviews with claims that answer in part where the paper's coverage is below `covered_at` (None: no limit),
    whatever a back end says of the claim alone. Report, database and history then say the same."""
    if covered_at is None:
        return tuple(reviews)
    return tuple(
        replace(review, claims=tuple(_held_to(claim, review, covered_at) for claim in review.claims))
        for review in reviews
    )


def _held_to(claim: Claim, review: PaperReview, covered_at: float) -> Claim:
    is_weak = review.coverage.get(claim.sub_requirement, 1.0) < covered_at
    return replace(claim, coverage="partial") if is_weak and claim.coverage == "covered" else claim


def cell_of(review: PaperReview, sub: str) -> Cell:
    """What the paper says to the sub-requirement."""
    paper = review.paper.id
    if review.state != "reviewed":
        return Cell(paper, _NOT_ASSESSED.get(review.state, "not_assessed"), 0.0)
    claims = [claim for claim in review.claims if claim.sub_requirement == sub]
    approved = [claim for claim in claims if claim.status == "approved"]
    coverage = review.coverage.get(sub, 0.0)
    if approved:
        whole = any(claim.coverage == "covered" for claim in approved)
        return Cell(paper, "covered" if whole else "partial", max(claim.score for claim in approved))
    if any(claim.status == "pending" for claim in claims):
        return Cell(paper, "not_assessed", coverage)
    return Cell(paper, "rejected" if claims else "not_found", coverage)


def status_of(cells: Sequence[Cell]) -> str:
    """covered, partial or gap."""
    states = {cell.state for cell in cells}
    return "covered" if "covered" in states else "partial" if "partial" in states else "gap"


def not_assessed(cells: Sequence[Cell]) -> list[str]:
    """Papers of which it is not known whether they speak to it (an excluded paper is not among them)."""
    return [cell.paper for cell in cells if cell.state in ("not_assessed", "unreadable")]


def reason_of(cells: Sequence[Cell], reviews: Mapping[str, PaperReview], nearest: int) -> str:
    """Why the row has its status, in a sentence or two. `nearest`: passages that are shown with a gap."""
    status = status_of(cells)
    if status == "gap":
        return _why_gap(cells, reviews, nearest)
    papers = [cell.paper for cell in cells if cell.state == status]
    words = "answered by" if status == "covered" else "answered in part by"
    return f"{words} {counted(len(papers), 'paper')}: {_named(papers)}"


def _why_gap(cells: Sequence[Cell], reviews: Mapping[str, PaperReview], nearest: int) -> str:
    assessed = [cell for cell in cells if cell.state in _ASSESSED]
    rejected = [cell for cell in assessed if cell.state == "rejected"]
    parts = []
    if not assessed:
        parts.append("no paper could be assessed for it" if cells else "there are no papers")
    elif rejected:
        parts.append(
            f"of {counted(len(assessed), 'assessed paper')} none answers it: "
            f"all claims from {counted(len(rejected), 'paper')} were rejected"
        )
    else:
        parts.append(f"no passage in {counted(len(assessed), 'assessed paper')} answers it")
    if nearest:
        parts.append("the nearest were considered and turned down")
    unknown = not_assessed(cells)
    if unknown:
        names = _named(unknown, reviews)
        parts.append(f"{counted(len(unknown), 'paper')} could not be read or assessed: {names}")
    excluded = sum(cell.state == "excluded" for cell in cells)
    if excluded:
        parts.append(f"{counted(excluded, 'paper')} excluded by screening")
    return "; ".join(parts)


def _named(papers: Sequence[str], reviews: Mapping[str, PaperReview] | None = None) -> str:
    names = []
    for paper in papers[:NAMED_IN_REASON]:
        error = reviews[paper].error if reviews is not None and paper in reviews else ""
        names.append(f"{paper} ({error.rstrip('.')})" if error else paper)
    more = len(papers) - len(names)
    return ", ".join(names) + (f" and {more} more" if more > 0 else "")


def counted(number: int, thing: str) -> str:
    return f"{number} {thing}" if number == 1 else f"{number} {thing}s"
