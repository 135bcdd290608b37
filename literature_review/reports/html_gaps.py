"""The gaps: why each is one, what was looked at, what came nearest, and for which papers nothing is known."""

from __future__ import annotations

from collections.abc import Sequence

from literature_review.reports.html_claims import claim_list, nearest_by_paper, nearest_passages, unknown
from literature_review.reports.html_parts import section
from literature_review.reports.html_text import count, listed, shown
from literature_review.reports.report_view import ReportView, Row

NAMED_IN_PART = 30  # sub-requirements linked in the sentence on those that are covered in part


def gaps(view: ReportView) -> str:
    """The section on gaps, in the report's order."""
    found = [row for row in view.rows if row.status == "gap"]
    partial = [row for row in view.rows if row.status == "partial"]
    if not view.rows:
        return section("gaps", "Gaps", '<p class="empty">Nothing was asked for.</p>')
    none = '<p class="empty">No gaps: everything asked for is covered, at least in part.</p>'
    body = "\n".join(_gap(row, view) for row in found) or none
    return section("gaps", "Gaps", _in_part(partial), body)


def _in_part(rows: Sequence[Row]) -> str:
    if not rows:
        return ""
    links = [f'<a href="#{row.anchor}">{shown(row.sub["id"], 40)}</a>' for row in rows[:NAMED_IN_PART]]
    if len(rows) > NAMED_IN_PART:
        links.append(f"{len(rows) - NAMED_IN_PART:,} more")
    return f'<p class="note">Covered in part, with the evidence below: {listed(links)}.</p>'


def _gap(row: Row, view: ReportView) -> str:
    sub = row.sub
    where = f"{shown(row.requirement['id'], 40)} · {shown(row.requirement.get('text'), 240)}"
    return (
        f'<article class="sub gap" id="{row.anchor}">\n<p class="where">{where}</p>\n'
        f'<h3 dir="auto"><span class="id">{shown(sub["id"], 40)}</span> {shown(sub.get("text"), 400)}</h3>\n'
        f'<p class="why"><b>Why it is a gap.</b> {shown(sub.get("reason") or "No reason was given.")}</p>\n'
        f'<p class="looked"><b>What was looked at.</b> {looked_at(row)}</p>\n{unknown(row, view)}'
        f"{claim_list(row.upheld(), view.claims_in_full, view, 'Claims of papers that are not assessed to the end')}"
        f"{claim_list(row.rejected(), view.rejected_in_full, view, 'Claims that were rejected')}"
        f"{nearest_passages(row, view)}{nearest_by_paper(row, view)}</article>"
    )


def looked_at(row: Row) -> str:
    """How many papers were assessed for it, and what came of it. HTML."""
    tally = row.tally()
    assessed = tally["covered"] + tally["partial"] + tally["rejected"] + tally["not_found"]
    if not assessed:
        return "No paper was assessed for this."
    outcomes = [
        f"{tally['rejected']:,} with claims that were rejected" if tally["rejected"] else "",
        f"{tally['not_found']:,} with no passage that answers it" if tally["not_found"] else "",
    ]
    words = row.sub.get("keywords") or ()
    sought = f" Words that matter most: {shown(', '.join(map(str, words)), 200)}." if words else ""
    return f"{count(assessed, 'paper')}: {listed(filter(None, outcomes))}.{sought}"
