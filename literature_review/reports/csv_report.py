"""The report as CSV, for spreadsheets: one row per claim, per gap and per passage that was turned down.

No cell runs as a formula (text/spreadsheet.py). Tabs and line breaks in a cell become a space, other control
characters and direction marks are shown as [U+202E].
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from literature_review.files import write_atomically
from literature_review.text.spreadsheet import csv_bytes

COLUMNS = (
    "row", "question", "requirement", "sub_requirement", "sub_requirement_text", "sub_requirement_status",
    "paper", "title", "year", "doi",
    "page", "last_page", "section", "quote", "status", "coverage", "direction", "score", "scores", "reason",
    "not_assessed", "claim", "start", "end", "backend", "model", "appeal_of",
)  # fmt: skip
_OF_CLAIM = (
    "page", "last_page", "section", "quote", "status", "coverage", "direction", "score", "reason",
    "start", "end", "backend", "model", "appeal_of",
)  # fmt: skip
_OF_PASSAGE = ("page", "section", "quote", "score", "reason", "start", "end")

Record = Mapping[str, Any]


class CsvReport:
    """Writes `<name>.csv`. Thread-safe; holds no state."""

    suffix = ".csv"

    def write(self, report: Record, path: str) -> None:
        """Write the report to `path`, whole or not at all. Raises OSError."""
        write_atomically(path, csv_bytes(COLUMNS, ([row.get(name) for name in COLUMNS] for row in rows(report))))


def rows(report: Record) -> Iterator[dict[str, Any]]:
    """The report's rows, column -> value, in the report's order: per sub-requirement its gap, claims, passages."""
    papers = {paper["id"]: paper for paper in report.get("papers", ())}
    for question in report.get("questions", ()):
        for requirement in question.get("requirements", ()):
            for sub in requirement.get("sub_requirements", ()):
                for row in _of_sub_requirement(sub):
                    paper = papers.get(row.get("paper"), {})
                    about = {name: paper.get(name) for name in ("title", "year", "doi")}
                    yield {"question": question["id"], "requirement": requirement["id"], **about, **row}


def _of_sub_requirement(sub: Record) -> Iterator[dict[str, Any]]:
    about = {
        "sub_requirement": sub["id"],
        "sub_requirement_text": sub.get("text"),
        "sub_requirement_status": sub.get("status"),
    }
    if sub.get("status") == "gap":
        unseen = "; ".join(map(str, sub.get("not_assessed", ())))
        yield {"row": "gap", **about, "reason": sub.get("reason"), "not_assessed": unseen}
    for claim in sub.get("claims", ()):
        found = {name: claim.get(name) for name in _OF_CLAIM}
        scores = "; ".join(f"{name} {value}" for name, value in sorted(claim.get("scores", {}).items()))
        yield {"row": "claim", **about, "paper": claim["paper"], "claim": claim["id"], "scores": scores, **found}
    for passage in sub.get("nearest", ()):
        found = {name: passage.get(name) for name in _OF_PASSAGE}
        yield {"row": "passage", **about, "paper": passage["paper"], **found}
