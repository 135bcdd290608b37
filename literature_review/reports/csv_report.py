"""The report as CSV, for spreadsheets: one row per claim, per gap and per passage that was turned down.

UTF-8 with a byte order mark, comma, CRLF, quotes doubled (RFC 4180). No cell runs as a formula: a text gets an
apostrophe before it where it begins with = + - or @ (with white space before them or not, in full width too), and
within where one of them stands right behind a semicolon, which some spreadsheets take for the separator. Tabs and
line breaks in a cell become a space, other control characters and direction marks are shown as [U+202E].
"""

from __future__ import annotations

import csv
import io
import math
import re
from collections.abc import Iterator, Mapping
from typing import Any

from literature_review.files import write_atomically
from literature_review.reports.visible import visible

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
_BREAKS = re.compile(r"[\t\r\n]+")
_FORMULA = re.compile(r"(^(?=\s*[=+\-@＝＋－＠])|;(?=[=+\-@＝＋－＠]))")

Record = Mapping[str, Any]


class CsvReport:
    """Writes `<name>.csv`. Thread-safe; holds no state."""

    suffix = ".csv"

    def write(self, report: Record, path: str) -> None:
        """Write the report to `path`, whole or not at all. Raises OSError."""
        table = io.StringIO()
        writer = csv.writer(table, lineterminator="\r\n")
        writer.writerow(COLUMNS)
        for row in rows(report):
            writer.writerow([cell(row.get(column)) for column in COLUMNS])
        write_atomically(path, table.getvalue().encode("utf-8-sig"))


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


def cell(value: Any) -> str | int | float:
    """What stands in the cell: finite numbers as they are, texts made visible and harmless, the
    rest (None, NaN) as nothing."""
    if isinstance(value, float):
        return value if math.isfinite(value) else ""
    if value is None or type(value) is int:
        return "" if value is None else value
    text = visible(_BREAKS.sub(" ", str(value)))
    return _FORMULA.sub(r"\1'", text)
