"""Stage 5: what is covered, what is a gap, and why. Builds the report and has it written in every format.

    reviews + duplicates (sync) -> cells -> status and reason per sub-requirement -> totals -> report -> writers

The report varies between two runs over the same input in `run` alone: papers come by id, claims by paper and
place, passages best first.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from literature_review.models import (
    CLAIM_STATUSES,
    PAPER_STATES,
    Claim,
    PaperReview,
    Passage,
    ReviewProtocol,
    StageResult,
    SubRequirement,
    claim_id,
)
from literature_review.ports import StageContext
from literature_review.synthesis.cells import Cell, cell_of, held_to, not_assessed, reason_of, status_of
from literature_review.synthesis.duplicates import mark

SCHEMA_VERSION = 1
_OF_NEAREST = ("quote", "page", "section", "start", "end", "score", "reason")
_MANY, _MOST = 10, 0.9  # papers that one criterion excludes, and their share, from which on that is told
REPORT_NAME = "gap_analysis_report"


def run(context: StageContext) -> StageResult:
    """Write the report to `output_dir`; `record` holds its totals and where it was written. Raises OSError."""
    synced = context.earlier.get("sync")
    reviews = mark(context.reviews, synced.record if synced is not None else {})
    report = build_report(context.protocol, reviews, context.run, context.settings.get("review", {}))
    _warn_of_a_criterion_that_excludes_most(context, report["totals"])
    outputs = {}
    for name, writer in context.reports.items():
        context.deadline.check(context.stage)
        outputs[name] = os.path.join(context.output_dir, REPORT_NAME + writer.suffix)
        writer.write(report, outputs[name])
    return StageResult(record={"totals": report["totals"], "outputs": outputs})


def build_report(
    protocol: ReviewProtocol, reviews: Sequence[PaperReview], run: Mapping[str, Any], settings: Mapping[str, Any]
) -> dict[str, Any]:
    """The report as plain data. `settings`: `nearest_passages` (how many a gap shows), `covered_at`."""
    reviews = sorted(held_to(reviews, settings.get("covered_at")), key=lambda review: review.paper.id)
    questions = _questions(protocol, reviews, settings)
    return {
        "schema_version": SCHEMA_VERSION,
        "run": dict(run),
        "protocol": {**protocol.to_json(), "sha256": _digest(protocol)},
        "papers": [_paper(review) for review in reviews],
        "questions": questions,
        "totals": {
            **_totals(reviews, questions),
            "entries_without_paper": len(run.get("entries_without_paper", ())),
        },
    }


def _warn_of_a_criterion_that_excludes_most(context: StageContext, totals: Mapping[str, Any]) -> None:
    """A keyword that is misspelt, years that nothing falls into, or what no paper says of itself ("published in a
    journal") empty a review without an error."""
    counts, screened = totals["excluded_by"], totals["reviewed"] + totals["excluded"]
    criterion = max(counts, key=counts.__getitem__, default="")
    number = counts.get(criterion, 0)
    is_most = number >= _MANY and number >= _MOST * screened
    if totals["excluded"] > 1 and (is_most or not totals["reviewed"]):
        of_all = f"all {number} papers" if number == screened else f"{number} of {screened} papers"
        context.log.warning(f"the criterion {criterion!r} excluded {of_all}: is it what was meant?")


def _digest(protocol: ReviewProtocol) -> str:
    text = json.dumps(protocol.to_json(), sort_keys=True, ensure_ascii=True, separators=(",", ":"))
    return hashlib.sha256(text.encode("ascii")).hexdigest()


def _paper(review: PaperReview) -> dict[str, Any]:
    known, screening = review.bibliography, review.screening
    statuses = Counter(claim.status for claim in review.claims)
    return {
        "id": review.paper.id,
        "sha256": review.paper.sha256,
        "state": review.state,
        "title": known.title,
        "authors": list(known.authors),
        "year": known.year,
        "doi": known.doi,
        "language": known.language,
        "sources": dict(known.sources),
        "pages": review.pages,
        "characters": review.characters,
        "error": review.error,
        "error_type": review.error_type,
        "duplicate_of": review.duplicate_of,
        "duplicate_by": review.duplicate_by,
        "related": dict(sorted(review.related.items())),
        "hidden": list(review.hidden),
        "suspicious": list(review.suspicious),
        "screening": dict(screening.__dict__),
        "claims": {status: statuses[status] for status in ("approved", "rejected", "pending")},
    }


def _questions(
    protocol: ReviewProtocol, reviews: Sequence[PaperReview], settings: Mapping[str, Any]
) -> list[dict[str, Any]]:
    rows = _Rows(reviews, settings)
    return [
        {
            "id": question.id,
            "text": question.text,
            "requirements": [
                {
                    "id": requirement.id,
                    "text": requirement.text,
                    "sub_requirements": [rows.row(sub) for sub in requirement.sub_requirements],
                }
                for requirement in question.requirements
            ],
        }
        for question in protocol.questions
    ]


class _Rows:
    """Makes the report's rows: papers, claims and passages looked up once, for all sub-requirements."""

    def __init__(self, reviews: Sequence[PaperReview], settings: Mapping[str, Any]) -> None:
        self._counted = [review for review in reviews if review.state != "duplicate"]
        self._by_id = {review.paper.id: review for review in self._counted}
        self._claims: dict[str, list[Claim]] = {}
        self._passages: dict[str, list[Passage]] = {}
        for review in self._counted:
            for claim in review.claims:
                self._claims.setdefault(claim.sub_requirement, []).append(claim)
            for passage in review.passages:
                self._passages.setdefault(passage.sub_requirement, []).append(passage)
        self._nearest = int(settings.get("nearest_passages", 3))

    def row(self, sub: SubRequirement) -> dict[str, Any]:
        """The sub-requirement as the report has it: status, reason, claims, nearest passages and cells."""
        cells = [cell_of(review, sub.id) for review in self._counted]
        status = status_of(cells)
        passages = sorted(self._passages.get(sub.id, ()), key=lambda each: (-each.score, each.paper, each.start))
        nearest = self._nearest_of(passages) if status == "gap" else []
        claims = sorted(self._claims.get(sub.id, ()), key=lambda claim: (claim.paper, claim.start, claim.end))
        return {
            "id": sub.id,
            "text": sub.text,
            "keywords": list(sub.keywords),
            "status": status,
            "reason": reason_of(cells, self._by_id, len(nearest)),
            "claims": [self._with_context(claim) for claim in claims],
            "nearest": [self._with_context(passage) for passage in nearest],
            "cells": self._with_nearest(cells, passages),
            "not_assessed": not_assessed(cells),
        }

    def _nearest_of(self, passages: Iterable[Passage]) -> list[Passage]:
        """The first that a gap shows of what was turned down in all papers, each place once."""
        best: dict[tuple[str, int, int], Passage] = {}
        for passage in passages:
            best.setdefault((passage.paper, passage.start, passage.end), passage)
        return list(best.values())[: self._nearest]

    def _with_nearest(self, cells: Iterable[Cell], passages: Iterable[Passage]) -> list[dict[str, Any]]:
        """The cells; where nothing was found, with the passage of that paper that came nearest (all that were
        considered are in the database)."""
        best: dict[str, Passage] = {}
        for passage in passages if self._nearest else ():
            best.setdefault(passage.paper, passage)
        rows = []
        for cell in cells:
            row = cell.to_json()
            if cell.state == "not_found":
                found = best.get(cell.paper)
                row["nearest"] = [] if found is None else [{name: getattr(found, name) for name in _OF_NEAREST}]
            rows.append(row)
        return rows

    def _with_context(self, found: Claim | Passage) -> dict[str, Any]:
        key = found.id if isinstance(found, Claim) else _place_of(found)
        before, after = self._by_id[found.paper].contexts.get(key, ("", ""))
        return {**found.to_json(), "context": {"before": before, "after": after}}


def _place_of(passage: Passage) -> str:
    return claim_id(passage.paper, passage.sub_requirement, passage.start, passage.end)


def _totals(reviews: Sequence[PaperReview], questions: Iterable[Mapping[str, Any]]) -> dict[str, Any]:
    states = Counter(review.state for review in reviews)
    statuses = Counter(claim.status for review in reviews for claim in review.claims)
    rows = Counter(
        sub["status"]
        for question in questions
        for requirement in question["requirements"]
        for sub in requirement["sub_requirements"]
    )
    excluded_by = Counter(review.screening.criterion for review in reviews if review.state == "excluded")
    return {
        "papers": len(reviews),
        **{state: states[state] for state in PAPER_STATES},
        "claims": sum(statuses.values()),
        **{status: statuses[status] for status in CLAIM_STATUSES},
        "sub_requirements": sum(rows.values()),
        "covered": rows["covered"],
        "partial": rows["partial"],
        "gaps": rows["gap"],
        "excluded_by": dict(sorted(excluded_by.items())),
    }


if __name__ == "__main__":
    from literature_review.plugins import stage_command as command

    raise SystemExit(command("orchestrator"))
