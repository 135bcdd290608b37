"""Small pieces that several parts of the page are built of."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import Any

from literature_review.reports.html_text import attribute, decimal, listed, shown, words_after, words_before
from literature_review.reports.report_view import Record, ReportView

QUOTE_LIMIT = 1500  # characters; the JSON and CSV reports have every quote whole
CONTEXT_LIMIT = 220
NAMES_LISTED = 12
_LANGUAGE = re.compile("[a-z]{2,3}")
ELSEWHERE = "in the JSON and CSV reports"

STATE_WORDS = {
    "covered": "covered",
    "partial": "partly covered",
    "gap": "gap",
    "rejected": "claims rejected",
    "not_found": "no answer",
    "not_assessed": "not assessed",
    "unreadable": "unreadable",
    "excluded": "excluded",
    "reviewed": "reviewed",
    "failed": "failed",
    "duplicate": "duplicate",
}


def section(anchor: str, title: str, *parts: str) -> str:
    """A part of the page under a heading of the second level. `title` and `parts` are HTML."""
    return f'<section id="{anchor}">\n<h2>{title}</h2>\n' + "\n".join(filter(None, parts)) + "\n</section>\n"


def badge(state: str) -> str:
    """A state as a coloured word."""
    known = state if state in STATE_WORDS else "not_assessed"
    return f'<span class="badge {known}">{shown(STATE_WORDS.get(state, state), 30)}</span>'


def paper_link(view: ReportView, paper_id: Any) -> str:
    """A paper's title, linked to its line in the list of papers, and its id."""
    paper = view.paper(str(paper_id))
    anchor = view.paper_anchor(str(paper_id))
    name = f"<bdi>{shown(paper.get('title') or paper_id, 220)}</bdi>"
    linked = f'<a href="#{anchor}">{name}</a>' if anchor else name
    return f"{linked} {identifier(paper_id)}" if paper.get("title") else linked


def paper_names(view: ReportView, paper_ids: Sequence[Any], limit: int = NAMES_LISTED) -> str:
    """Ids of papers as a sentence's list, each linked; beyond `limit` only how many more."""
    names = []
    for paper_id in paper_ids[:limit]:
        anchor = view.paper_anchor(str(paper_id))
        names.append(f'<a href="#{anchor}">{identifier(paper_id)}</a>' if anchor else identifier(paper_id))
    if len(paper_ids) > limit:
        names.append(f"{len(paper_ids) - limit:,} more")
    return listed(names)


def identifier(value: Any) -> str:
    return f'<code class="id">{shown(value, 160)}</code>'


def quotation(record: Record, language: Any = None) -> str:
    """A claim's or passage's quote, marked, within its greyed context. `language`: ISO 639 code of the paper."""
    context, start = record.get("context") or {}, record.get("start") or 0
    before, after = str(context.get("before") or ""), str(context.get("after") or "")
    if before and start > len(before) + 2:  # so much white space may have been trimmed
        before = "… " + before
    before = shown(words_before(before, CONTEXT_LIMIT), CONTEXT_LIMIT + 9)
    after = shown(words_after(after, CONTEXT_LIMIT), CONTEXT_LIMIT + 9)
    known = isinstance(language, str) and language != "en" and _LANGUAGE.fullmatch(language)
    tongue = f' lang="{language}"' if known else ""
    return (
        f'<blockquote dir="auto"{tongue}><span class="context">{before}</span>'
        f"{' ' if before else ''}<mark>{shown(record.get('quote'), QUOTE_LIMIT)}</mark>{' ' if after else ''}"
        f'<span class="context">{after}</span></blockquote>'
    )


def place(record: Record) -> str:
    """`p. 3–4 · Results`: where a quote stands."""
    page, last = record.get("page") or 0, record.get("last_page") or 0
    pages = f"pp. {shown(page, 12)}–{shown(last, 12)}" if last and last != page else f"p. {shown(page, 12)}"
    title = record.get("section")
    return f"{pages} · {shown(title, 120)}" if title else pages


def score(record: Record) -> str:
    """The score and, in brackets, what it is made of."""
    parts = record.get("scores") or {}
    made_of = ", ".join(
        f"{shown(str(name).replace('_', ' '), 40)} {decimal(value)}" for name, value in list(parts.items())[:12]
    )
    of = f' <span class="parts">({made_of})</span>' if made_of else ""
    return f"score <b>{decimal(record.get('score'))}</b>{of}"


def folded(title: str, body: str) -> str:
    """A list that opens on demand. Both are HTML; nothing where there is no body."""
    return f"<details><summary>{title}</summary>\n{body}\n</details>" if body else ""


def table(caption: str, columns: Sequence[str], rows: Iterable[Sequence[str]], css: str = "plain") -> str:
    """A table in a box that scrolls; the first cell of a row heads it. Nothing where there are no rows.

    `rows` are HTML; `caption` and `columns` are words of the page's own.
    """
    labels = [f' data-label="{column}"' for column in columns[1:]]  # a narrow screen shows them, not the head
    body = ""
    for head, *cells in rows:
        drawn = "".join(f"<td{label}>{cell}</td>" for label, cell in zip(labels, cells, strict=True))
        body += f'<tr><th scope="row">{head}</th>{drawn}</tr>\n'
    heads = "".join(f'<th scope="col">{column}</th>' for column in columns)
    drawn = f'<table class="{css}"><thead><tr>{heads}</tr></thead>\n<tbody>\n{body}</tbody></table>'
    return scrolling(caption, drawn) if body else ""


def scrolling(label: str, body: str) -> str:
    """A box that scrolls sideways, with the keyboard too."""
    return f'<div class="scroll" role="region" tabindex="0" aria-label="{attribute(label)}">{body}</div>'


def bar(parts: Sequence[tuple[str, int]], label: str) -> str:
    """A stacked bar of `(state, number)`, wide as the numbers; `label` says the same in words.

    Every number that is not 0 can be seen: the first is drawn last, above its neighbour's edge.
    """
    whole = sum(number for _, number in parts) or 1
    drawn, left = [], 0.0
    for state, number in parts:
        width = 100 * number / whole
        if number:
            drawn.append(f'<rect class="{state}" x="{left:.2f}" width="{max(width - 0.4, 0.9):.2f}" height="4"/>')
        left += width
    svg = '<svg class="bar" viewBox="0 0 100 4" preserveAspectRatio="none" role="img"'
    return f'{svg} aria-label="{attribute(label)}">{"".join(reversed(drawn))}</svg>'
