"""Claims and passages: the quote in its context, where it stands, its score, and why it was taken or not."""

from __future__ import annotations

from collections.abc import Sequence

from literature_review.reports.html_parts import (
    ELSEWHERE,
    folded,
    paper_link,
    paper_names,
    place,
    quotation,
    score,
)
from literature_review.reports.html_text import count, shown
from literature_review.reports.report_view import Record, ReportView, Row, number

_TURNED_DOWN = '<b class="rejected">turned down</b> · '


def claim_list(claims: Sequence[tuple[str, Record]], limit: int, view: ReportView, title: str) -> str:
    """Claims under a title that opens on demand; the first `limit` of them."""
    body = claim_items(claims[:limit], view) + more(len(claims) - limit, "claim")
    return folded(f"{title} ({len(claims):,})", body)


def claim_items(claims: Sequence[tuple[str, Record]], view: ReportView) -> str:
    """Claims as a list, each under its anchor; nothing where there are none."""
    items = "\n".join(_claim(anchor, claim, view) for anchor, claim in claims)
    return f'<ol class="claims">\n{items}\n</ol>' if items else ""


def _claim(anchor: str, claim: Record, view: ReportView) -> str:
    status = str(claim.get("status") or "pending")
    colour = status if status in ("approved", "rejected") else "pending"
    extent = "answers a part" if claim.get("coverage") == "partial" else "answers it"
    facts = [
        f'<b class="{colour}">{shown(status, 20)}</b>',
        extent if status == "approved" else "",
        score(claim),
        f"direction: {shown(claim.get('direction') or 'unknown', 40)}",
        "second look at a rejected claim" if claim.get("appeal_of") else "",
    ]
    return f'<li id="{anchor}">{_found(claim, " · ".join(filter(None, facts)), view)}</li>'


def _found(record: Record, facts: str, view: ReportView) -> str:
    """Quote and reason beside source and facts."""
    quote = quotation(record, view.paper(str(record["paper"])).get("language"))
    return (
        f'<div>{quote}\n<p class="reason">{shown(record.get("reason"))}</p></div>\n'
        f'<div><p class="source">{paper_link(view, record["paper"])}<br>{place(record)}</p>\n'
        f'<p class="facts">{facts}</p></div>'
    )


def nearest_passages(row: Row, view: ReportView) -> str:
    """The nearest passages that were turned down for a gap, each with score and reason."""
    nearest, limit = row.sub.get("nearest") or (), view.rejected_in_full
    if not nearest:
        return ""
    title = '<h4 class="label">Nearest passages, turned down</h4>'
    return f"{title}\n{_passages(nearest[:limit], view)}{more(len(nearest) - limit, 'passage')}"


def nearest_by_paper(row: Row, view: ReportView) -> str:
    """For each paper in which nothing was found, the passage that came nearest, best first, on demand; those that are
    shown with the gap are left out."""
    shown_already = {(one.get("paper"), one.get("start")) for one in row.sub.get("nearest") or ()}
    found = [
        {**one, "paper": cell["paper"]}
        for cell in row.sub.get("cells", ())
        for one in cell.get("nearest", ())
        if (cell["paper"], one.get("start")) not in shown_already
    ]
    found.sort(key=lambda one: -number(one.get("score")))
    limit = view.rejected_in_full
    left = len(found) - limit
    note = f'<p class="note">{count(left, "more paper")} in the JSON report.</p>' if left > 0 else ""
    body = f"{_passages(found[:limit], view)}{note}" if found else ""
    further = "further " if shown_already else ""
    return folded(f"Nearest passage in each {further}paper without an answer ({len(found):,})", body)


def _passages(passages: Sequence[Record], view: ReportView) -> str:
    items = "\n".join(f"<li>{_found(one, _TURNED_DOWN + score(one), view)}</li>" for one in passages)
    return f'<ol class="claims passages">\n{items}\n</ol>'


def unknown(row: Row, view: ReportView) -> str:
    """The papers about which nothing can be said for this sub-requirement; nothing where there are none."""
    papers = list(row.sub.get("not_assessed") or ())
    if not papers:
        return ""
    said = f"{count(len(papers), 'paper')} not assessed, so not counted as having no evidence"
    return f'<p class="unknown"><b>Not known.</b> {said}: {paper_names(view, papers)}.</p>\n'


def more(number: int, what: str) -> str:
    """A line that says how many are not on the page, and where they are."""
    return f'<p class="note">{count(number, f"more {what}")} {ELSEWHERE}.</p>' if number > 0 else ""
