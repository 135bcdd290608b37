"""The evidence: coverage per requirement, and each claim with its quote in context."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby

from literature_review.reports.html_claims import claim_items, claim_list, more, nearest_by_paper, unknown
from literature_review.reports.html_parts import badge, bar, folded, section, table
from literature_review.reports.html_text import count, shown
from literature_review.reports.report_view import Record, ReportView, Row

OPEN_CLAIMS = 3  # of a sub-requirement, before the rest is folded
_STATUSES = ("covered", "partial", "gap")


def evidence(view: ReportView) -> str:
    """The section on coverage and claims, in the order of the protocol."""
    if not view.rows:
        return section("evidence", "Evidence", '<p class="empty">Nothing was asked for.</p>')
    parts = []
    for _, rows in groupby(view.rows, key=lambda row: id(row.question)):
        members = list(rows)
        parts.append(f'<h3 class="question" dir="auto">{_heading(members[0].question)}</h3>')
        for _, group in groupby(members, key=lambda row: id(row.requirement)):
            parts.append(_requirement(list(group), view))
    return section("evidence", "Evidence", _coverage(view), *parts)


def _heading(record: Record) -> str:
    return f'<span class="id">{shown(record["id"], 40)}</span> {shown(record.get("text"), 400)}'


def _coverage(view: ReportView) -> str:
    lines = []
    for _, group in groupby(view.rows, key=lambda row: id(row.requirement)):
        rows = list(group)
        parts = [(status, sum(row.status == status for row in rows)) for status in _STATUSES]
        label = ", ".join(f"{number} {status}" for status, number in parts)
        approved = sum(len(row.claims("approved")) for row in rows)
        name = f'<a href="#r{rows[0].number}">{_heading(rows[0].requirement)}</a>'
        lines.append((name, bar(parts, label), *(f"{number:,}" for _, number in parts), f"{approved:,}"))
    columns = ("Requirement", "coverage", "covered", "partly", "gaps", "approved claims")
    return table("Coverage per requirement", columns, lines, "numbers")


def _requirement(rows: Sequence[Row], view: ReportView) -> str:
    subs = "\n".join(_sub_requirement(row, view) for row in rows)
    heading = f'<h4 id="r{rows[0].number}" dir="auto">{_heading(rows[0].requirement)}</h4>'
    return f'<div class="requirement">\n{heading}\n{subs}\n</div>'


def _sub_requirement(row: Row, view: ReportView) -> str:
    heading = f'<h5 dir="auto">{badge(row.status)} {_heading(row.sub)}</h5>'
    if row.status == "gap":
        link = f'<a href="#{row.anchor}">why it is a gap</a>'
        return f'<div class="sub pointer">{heading}<p class="note">No approved claim: {link}.</p></div>'
    upheld, limit = row.upheld(), view.claims_in_full
    rest = claim_items(upheld[OPEN_CLAIMS:limit], view)
    open_question = unknown(row, view) if row.status == "partial" else ""
    return (
        f'<article class="sub {row.status}" id="{row.anchor}">{heading}\n'
        f'<p class="why">{shown(row.sub.get("reason"))}</p>\n{open_question}'
        f"{claim_items(upheld[:OPEN_CLAIMS], view)}"
        f"{folded(count(len(upheld[OPEN_CLAIMS:limit]), 'more claim'), rest)}{more(len(upheld) - limit, 'claim')}"
        f"{claim_list(row.rejected(), view.rejected_in_full, view, 'Claims that were rejected')}"
        f"{nearest_by_paper(row, view)}</article>"
    )
