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
from literature_review.reports.report_view import Record, ReportView, Row

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


def passage_list(row: Row, view: ReportView, title: str) -> str:
    """The nearest passages that were turned down, each with score and reason: open for a gap, else folded."""
    nearest, limit = row.sub.get("nearest") or (), view.rejected_in_full
    items = "\n".join(
        f"<li>{_found(passage, _TURNED_DOWN + score(passage), view)}</li>" for passage in nearest[:limit]
    )
    if not items:
        return ""
    body = f'<ol class="claims passages">\n{items}\n</ol>{more(len(nearest) - limit, "passage")}'
    if row.status == "gap":
        return f'<h4 class="label">{title}</h4>\n{body}'
    return folded(f"{title} ({len(nearest):,})", body)


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
