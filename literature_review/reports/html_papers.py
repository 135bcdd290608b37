"""The papers: how they came in or fell out, what could not be read and why, and the list of all."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from literature_review.reports.html_parts import (
    badge,
    folded,
    identifier,
    paper_link,
    quotation,
    section,
    table,
)
from literature_review.reports.html_text import count, listed, shown
from literature_review.reports.report_view import PAPERS_LISTED, Record, ReportView

LISTED = 300  # papers per table of the screening and of the faults
OPEN_UP_TO = 40  # papers; longer lists are folded
_UNREAD = ("unreadable", "failed", "not_assessed")


def screening(view: ReportView) -> str:
    """How the papers came in: counts, excluded papers, unread ones, duplicates, hidden text, orders to a model."""
    if not view.papers and not view.total("papers"):
        return section("screening", "Screening", '<p class="empty">No papers were found.</p>')
    return section(
        "screening",
        "Screening",
        _flow(view),
        _part("Excluded, by reason", _by_criterion(view)),
        _part("Excluded", _excluded(view)),
        _part("Not read or not assessed", _unread(view), "unread"),
        _part("Duplicates, counted once", _duplicates(view)),
        _part("Related papers", _related(view)),
        _part("Text that a reader cannot see", _flagged(view, "hidden", "Flagged, and never quoted as evidence.")),
        _part(
            "Text that gives orders to a model",
            _flagged(view, "suspicious", "A model was asked to report such text, and not to follow it."),
        ),
    )


def _part(title: str, body: str, anchor: str = "") -> str:
    name = f' id="{anchor}"' if anchor else ""
    return f"<h3{name}>{title}</h3>\n{body}" if body else ""


def _flow(view: ReportView) -> str:
    """The steps of a PRISMA 2020 flow diagram, each with what was left out on the way to it."""
    total = view.total
    lost = total("entries_without_paper")
    unread = [(lost, "not retrieved")] + [(total(state), state.replace("_", " ")) for state in _UNREAD]
    screened = total("reviewed") + total("excluded")
    copies = total("duplicate")
    unique = total("papers") - copies + lost
    files = count(lost, "of them an entry", "of them entries")
    steps = (
        (total("papers") + lost, "identified", f"{files} without a file" if lost else ""),
        (unique, "unique", _less([(copies, "duplicate" if copies == 1 else "duplicates")])),
        (screened, "assessed for eligibility", _less(unread)),
        (total("reviewed"), "included", _less([(total("excluded"), "excluded, with reasons")])),
    )
    items = "".join(
        f'<li><b>{number:,}</b> {words}<span class="less">{less}</span></li>' for number, words, less in steps
    )
    return f'<ol class="flow">{items}</ol>'


def _less(parts: Sequence[tuple[int, str]]) -> str:
    named = [f"{number:,} {words}" for number, words in parts if number]
    return f"without {listed(named)}" if named else ""


def _by_criterion(view: ReportView) -> str:
    """How many papers each criterion excluded, most first."""
    counts = {str(name): int(number) for name, number in (view.totals.get("excluded_by") or {}).items()}
    rows = [
        (f"<b>{shown(name, 40)}</b>", shown(view.criteria.get(name, ""), 240), f"{counts[name]:,}")
        for name in sorted(counts, key=lambda name: (-counts[name], name))[:LISTED]
    ]
    return table("Excluded papers by criterion", ("Criterion", "What it asks", "Papers"), rows) if rows else ""


def _limited(papers: Sequence[Record]) -> tuple[Sequence[Record], str]:
    left = len(papers) - LISTED
    return papers[:LISTED], f'<p class="note">{count(left, "more paper")} in the JSON report.</p>' if left > 0 else ""


def _excluded(view: ReportView) -> str:
    papers, note = _limited(view.in_state("excluded"))
    rows = []
    for paper in papers:
        decision = paper.get("screening") or {}
        criterion = str(decision.get("criterion") or "")
        text = view.criteria.get(criterion, "")
        passage = f"{quotation(decision)}p. {shown(decision.get('page'), 12)}" if decision.get("quote") else "–"
        named = f"<b>{shown(criterion, 40)}</b> {shown(text, 240)}"
        rows.append((paper_link(view, paper["id"]), named, shown(decision.get("reason"), 300), passage))
    columns = ("Paper", "Criterion", "Reason", "Passage that decided")
    return _fold_long(len(rows), "excluded paper", table("Excluded papers", columns, rows) + note)


def _fold_long(number: int, what: str, body: str) -> str:
    return folded(count(number, what), body) if number > OPEN_UP_TO else body if number else ""


def _unread(view: ReportView) -> str:
    papers, note = _limited(view.in_state(*_UNREAD))
    rows = [
        (paper_link(view, paper["id"]), badge(str(paper["state"])), shown(_why(paper)), what_to_do(paper))
        for paper in papers
    ]
    columns = ("Paper", "State", "Why", "What to do")
    return _fold_long(len(rows), "paper", table("Papers that were not assessed", columns, rows) + note)


def _why(paper: Record) -> str:
    return str(paper.get("error") or "The run ended before this paper's turn.")


def what_to_do(paper: Record) -> str:
    """The remedy for a paper that was not assessed. HTML."""
    if paper.get("state") == "not_assessed" or paper.get("error_type") == "transient":
        return "Run again with <code>--resume</code>: only what is missing is done."
    if paper.get("state") == "unreadable":
        return "Put a readable file in its place, or take it out, and run again: only this paper is worked on."
    if paper.get("error_type") == "permanent":
        return "Mend what the reason names and run again: only this paper is worked on."
    return "Run again with <code>--resume</code>, which tries it once more; if it fails again, mend the cause."


def _duplicates(view: ReportView) -> str:
    papers, note = _limited(view.in_state("duplicate"))
    rows = [
        (identifier(paper["id"]), paper_link(view, paper.get("duplicate_of")), shown(paper.get("duplicate_by"), 300))
        for paper in papers
    ]
    body = table("Duplicates", ("File", "Same paper as", "Recognised by"), rows) + note
    return _fold_long(len(rows), "duplicate", body)


def _related(view: ReportView) -> str:
    pairs = [
        (paper_link(view, paper["id"]), shown(str(relation).replace("_", " "), 60), paper_link(view, other))
        for paper in view.papers
        for other, relation in (paper.get("related") or {}).items()
    ]
    return _fold_long(
        len(pairs), "related pair", table("Related papers", ("Paper", "Relation", "To"), pairs[:LISTED])
    )


def _flagged(view: ReportView, field: str, said: str) -> str:
    """The papers that have lines in this field, with the lines."""
    papers, note = _limited([paper for paper in view.papers if paper.get(field)])
    rows = [
        (paper_link(view, paper["id"]), "<br>".join(shown(place, 160) for place in paper[field][:10]))
        for paper in papers
    ]
    told = f'<p class="note">{said}</p>' if rows else ""
    body = told + table("Papers with such text", ("Paper", "Where"), rows) + note
    return _fold_long(len(rows), "paper", body)


def papers(view: ReportView) -> str:
    """The section with the list of all papers, in the report's order."""
    left = len(view.papers) - PAPERS_LISTED
    note = f'<p class="note">{count(left, "more paper")} in the JSON report.</p>' if left > 0 else ""
    body = f'<ol class="papers">\n{"".join(_entries(view))}</ol>{note}' if view.papers else ""
    none = '<p class="empty">No papers were found.</p>'
    return section("papers", "Papers", _fold_long(len(view.papers), "paper", body) or none)


def _entries(view: ReportView) -> Iterator[str]:
    for number, paper in enumerate(view.papers[:PAPERS_LISTED], 1):
        title = f"<bdi>{shown(paper['title'], 300)}</bdi> " if paper.get("title") else ""
        yield (
            f'<li id="p{number}">{badge(str(paper.get("state", "")))} {title}'
            f'{identifier(paper["id"])}<p class="facts">{_about(paper)}</p></li>\n'
        )


def _by_source(paper: Record) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for name, where in (paper.get("sources") or {}).items():
        found.setdefault(str(where), []).append(str(name))
    return found


def _about(paper: Record) -> str:
    authors = [str(name) for name in paper.get("authors") or ()]
    names = ", ".join(authors[:6]) + (" and others" if len(authors) > 6 else "")
    claims = paper.get("claims") or {}
    found = ", ".join(f"{int(number):,} {shown(status, 12)}" for status, number in claims.items() if number)
    sources = "; ".join(f"{', '.join(names)} from {where}" for where, names in _by_source(paper).items())
    facts = (
        shown(names, 240),
        shown(paper.get("year") or "", 12),
        f"doi {shown(paper['doi'], 100)}" if paper.get("doi") else "",
        f"language {shown(paper['language'], 12)}" if paper.get("language") else "",
        count(paper["pages"], "page") if paper.get("pages") else "",
        f"claims: {found}" if found else "",
        f'<span class="parts">{shown(sources, 240)}</span>' if sources else "",
    )
    return " · ".join(filter(None, facts))
