"""The evidence gap map: sub-requirements down, papers across, one lettered cell where they meet."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import groupby

from literature_review.reports.html_parts import STATE_WORDS, badge, bar, scrolling, section
from literature_review.reports.html_text import attribute, decimal, shown
from literature_review.reports.report_view import CELL_ORDER, ReportView, Row, short_name

COLUMNS_SHOWN = 60  # more papers than these are counted per state instead
LETTERS = {
    "covered": "C", "partial": "P", "rejected": "R", "not_found": "–",
    "not_assessed": "?", "unreadable": "U", "excluded": "X",
}  # fmt: skip
_LEGEND = {
    "covered": "an approved claim answers it",
    "partial": "an approved claim answers a part",
    "rejected": "its claims were rejected",
    "not_found": "assessed, no answer found",
    "not_assessed": "not assessed",
    "unreadable": "could not be read",
    "excluded": "screened out",
}


def evidence_map(view: ReportView) -> str:
    """The section with the map; with more than COLUMNS_SHOWN papers, numbers of papers per state."""
    if not view.rows:
        return section("map", "Evidence gap map", '<p class="empty">No sub-requirements, so no map.</p>')
    if len(view.columns) > COLUMNS_SHOWN:
        return section("map", "Evidence gap map", _counts(view))
    note = "" if view.columns else '<p class="empty">No paper was set against them.</p>'
    return section("map", "Evidence gap map", note or _legend(), _grid(view))


def _legend() -> str:
    items = "".join(
        f'<li><i class="cell {state}">{LETTERS[state]}</i> {_LEGEND[state]}</li>' for state in CELL_ORDER
    )
    return f'<ul class="legend">{items}</ul>'


def _grid(view: ReportView) -> str:
    heads = "".join(_column(view, paper) for paper in view.columns)
    head = f'<thead><tr><th scope="col" class="corner">Sub-requirement</th>{heads}</tr></thead>'
    width = len(view.columns) + 1
    body = "".join(
        _group(name, width, [_line(row, view) for row in rows]) for name, rows in _by_requirement(view.rows)
    )
    return scrolling("Evidence gap map", f'<table class="map">{head}\n{body}</table>')


def _column(view: ReportView, paper_id: str) -> str:
    paper = view.paper(paper_id)
    name, anchor = shown(short_name(paper), 22), view.paper_anchor(paper_id)
    title = attribute(f"{paper.get('title') or ''} ({paper_id})".strip(), 240)
    inner = f'<a href="#{anchor}" title="{title}">{name}</a>' if anchor else f'<span title="{title}">{name}</span>'
    return f'<th scope="col" class="paper"><div>{inner}</div></th>'


def _by_requirement(rows: Sequence[Row]) -> Iterator[tuple[str, list[Row]]]:
    for _, group in groupby(rows, key=lambda row: id(row.requirement)):
        members = list(group)
        requirement = members[0].requirement
        yield f"{shown(requirement['id'], 40)} · {shown(requirement.get('text'), 240)}", members


def _group(name: str, width: int, lines: Sequence[str]) -> str:
    head = f'<tr class="group"><th colspan="{width}" scope="rowgroup"><span>{name}</span></th></tr>'
    return f"<tbody>{head}\n{''.join(lines)}</tbody>\n"


def _line(row: Row, view: ReportView) -> str:
    cells = {cell["paper"]: cell for cell in row.sub.get("cells", ())}
    targets = _targets(row, view)
    drawn = []
    for paper in view.columns:
        cell = cells.get(paper, {})
        state = cell.get("state", "")
        known = state if state in LETTERS else "not_assessed"
        title = f"{STATE_WORDS[known]}, {decimal(cell.get('score'))}" if cell else "no entry"
        letter = LETTERS[known]
        if known in ("covered", "partial", "rejected"):
            letter = f'<a href="#{targets.get(paper, row.anchor)}" aria-label="{title}">{letter}</a>'
        drawn.append(f'<td class="{known}" title="{title}" aria-label="{title}">{letter}</td>')
    return f"<tr>{_row_head(row)}{''.join(drawn)}</tr>\n"


def _row_head(row: Row) -> str:
    text = f'<a href="#{row.anchor}">{shown(row.sub.get("text") or row.sub["id"], 200)}</a>'
    return f'<th scope="row" class="{row.status}">{badge(row.status)} {text}</th>'


def _targets(row: Row, view: ReportView) -> dict[str, str]:
    """Paper -> anchor of its best claim among those that the page shows."""
    taken = row.upheld()[: view.claims_in_full] + row.rejected()[: view.rejected_in_full]
    found: dict[str, str] = {}
    for anchor, claim in taken:
        found.setdefault(claim["paper"], anchor)
    return found


def _counts(view: ReportView) -> str:
    columns = ["Sub-requirement", "papers", *(STATE_WORDS[state] for state in CELL_ORDER)]
    head = "".join(f'<th scope="col">{column}</th>' for column in columns)
    body = "".join(
        _group(name, len(columns), [_count_line(row) for row in rows]) for name, rows in _by_requirement(view.rows)
    )
    table = f'<table class="map counts"><thead><tr>{head}</tr></thead>\n{body}</table>'
    note = f"With {len(view.columns):,} papers the map counts papers per state; the JSON report has every cell."
    return f'<p class="note">{note}</p>' + scrolling("Evidence gap map, papers per state", table)


def _count_line(row: Row) -> str:
    tally = row.tally()
    cells = "".join(
        f'<td class="{state if number else "none"}">{number:,}</td>' for state, number in tally.items()
    )
    label = ", ".join(f"{number} {STATE_WORDS[state]}" for state, number in tally.items() if number)
    drawn = bar(list(tally.items()), label or "no papers")
    return f'<tr>{_row_head(row)}<td class="bars">{drawn}</td>{cells}</tr>\n'
