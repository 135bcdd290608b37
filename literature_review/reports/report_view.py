"""The report's data as the page needs it: papers and sub-requirements numbered, looked up and put in order.

Numbers make the anchors of the page (`p12`, `s3`, `s3c1`): never an id from the data.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

Record = Mapping[str, Any]

PAPERS_LISTED = 1000  # papers beyond these are in the JSON report alone
CLAIMS_SHOWN = 10  # per sub-requirement, fewer where there are very many sub-requirements
CLAIMS_ON_PAGE = 1200  # so that the page stays a few megabytes
CELL_ORDER = ("covered", "partial", "rejected", "not_found", "not_assessed", "unreadable", "excluded")


@dataclass(frozen=True)
class Row:
    """A sub-requirement with what it stands under. `number` counts from 1 over the whole report."""

    number: int
    question: Record
    requirement: Record
    sub: Record

    @property
    def anchor(self) -> str:
        return f"s{self.number}"

    @property
    def status(self) -> str:
        status = self.sub.get("status")
        return status if status in ("covered", "partial") else "gap"

    @cached_property
    def states(self) -> dict[str, str]:
        """Paper id -> state of its cell."""
        return {cell["paper"]: cell["state"] for cell in self.sub.get("cells", ())}

    def claims(self, *statuses: str) -> list[tuple[str, Record]]:
        """Claims of these statuses, in the order of the statuses and best first, each with its anchor."""
        found = [
            (f"{self.anchor}c{number}", claim)
            for number, claim in enumerate(self.sub.get("claims", ()), 1)
            if claim.get("status") in statuses
        ]
        return sorted(found, key=lambda item: (statuses.index(item[1]["status"]), -number(item[1].get("score"))))

    def upheld(self) -> list[tuple[str, Record]]:
        return self.claims("approved", "pending")

    def rejected(self) -> list[tuple[str, Record]]:
        return self.claims("rejected")

    def tally(self) -> dict[str, int]:
        """State -> number of papers, every state of CELL_ORDER named."""
        states = list(self.states.values())
        return {state: states.count(state) for state in CELL_ORDER}


class ReportView:
    """One report, read. Missing parts count as empty; nothing is changed."""

    def __init__(self, report: Record) -> None:
        self.run: Record = report.get("run") or {}
        self.protocol: Record = report.get("protocol") or {}
        self.totals: Record = report.get("totals") or {}
        self.papers: Sequence[Record] = report.get("papers") or ()
        self.rows = _rows(report.get("questions") or ())
        self._numbers = {paper["id"]: number for number, paper in enumerate(self.papers, 1)}

    def paper(self, paper_id: str) -> Record:
        """The paper's record; where the report has none, one with the id alone."""
        number = self._numbers.get(paper_id)
        return self.papers[number - 1] if number else {"id": paper_id}

    def paper_anchor(self, paper_id: str) -> str:
        """The anchor of its line in the list of papers, or "" where it has none."""
        number = self._numbers.get(paper_id, PAPERS_LISTED + 1)
        return f"p{number}" if number <= PAPERS_LISTED else ""

    def in_state(self, *states: str) -> list[Record]:
        return [paper for paper in self.papers if paper.get("state") in states]

    def total(self, name: str) -> int:
        return int(self.totals.get(name) or 0)

    @cached_property
    def claims_in_full(self) -> int:
        """How many claims of a sub-requirement the page shows; of rejected ones and passages half as many."""
        return max(1, min(CLAIMS_SHOWN, CLAIMS_ON_PAGE // max(len(self.rows), 1)))

    @property
    def rejected_in_full(self) -> int:
        return max(1, self.claims_in_full // 2)

    @cached_property
    def columns(self) -> list[str]:
        """Ids of the papers that have a cell anywhere: first those that were reviewed, then those that could not
        be, each group in the report's order."""
        seen = dict.fromkeys(paper for row in self.rows for paper in row.states)
        order = {"reviewed": 0, "excluded": 2}
        known = {paper_id: number for paper_id, number in self._numbers.items() if paper_id in seen}
        return sorted(
            {**known, **seen}, key=lambda paper: (order.get(self.paper(paper).get("state", ""), 1))
        )

    @cached_property
    def criteria(self) -> dict[str, str]:
        """Id of a screening criterion -> its text; the years and languages asked for stand under these names."""
        screening = self.protocol.get("screening") or {}
        years = " to ".join(map(str, screening.get("years") or ()))
        languages = ", ".join(map(str, screening.get("languages") or ()))
        given = {"years": f"Published from {years}" if years else "", "languages": f"Written in: {languages}"}
        criteria = [*(screening.get("include") or ()), *(screening.get("exclude") or ())]
        return given | {criterion["id"]: criterion.get("text", "") for criterion in criteria}


def _rows(questions: Sequence[Record]) -> list[Row]:
    found = [
        (question, requirement, sub)
        for question in questions
        for requirement in question.get("requirements", ())
        for sub in requirement.get("sub_requirements", ())
    ]
    return [Row(number, *parts) for number, parts in enumerate(found, 1)]


def number(score: Any) -> float:
    """The score, or 0 where there is none: a NaN would leave the order to chance."""
    return float(score) if isinstance(score, (int, float)) and math.isfinite(score) else 0.0


def short_name(paper: Record) -> str:
    """`Okafor 2021`, or the file's name without its ending: what a column of the map is called."""
    authors, year = paper.get("authors") or (), paper.get("year")
    if authors:
        first = str(authors[0])
        surname = first.split(",")[0] if "," in first else (first.split() or [first])[-1]
        return f"{surname} {year}" if year else surname
    name = str(paper["id"]).rpartition("/")[2]
    return name.rpartition(".")[0] or name
