"""The head of the page: what was asked, the answer in a sentence, the figures."""

from __future__ import annotations

from literature_review.reports.html_parts import bar
from literature_review.reports.html_text import count, listed, shown
from literature_review.reports.report_view import ReportView

_FIGURES = (("covered", "covered", "covered"), ("partial", "partial", "partly covered"), ("gaps", "gap", "gaps"))
_OUTCOMES = (
    ("covered", "is covered", "are covered"),
    ("partial", "is covered in part", "are covered in part"),
    ("gaps", "is a gap", "are gaps"),
)
_LINKS = (("map", "Map"), ("gaps", "Gaps"), ("evidence", "Evidence"), ("screening", "Screening"),
          ("papers", "Papers"), ("run", "Run"))  # fmt: skip


def header(view: ReportView) -> str:
    """Title, summary, figures and the way to the parts."""
    title = shown(view.protocol.get("title") or "Literature review", 300)
    links = "".join(f'<a href="#{anchor}">{name}</a>' for anchor, name in _LINKS)
    return (
        f'<header>\n<p class="kicker">Evidence gap report</p>\n<h1 dir="auto">{title}</h1>\n'
        f'<p class="lead">{summary(view)}</p>\n{_caution(view)}{_figures(view)}'
        f'<p class="byline">{_byline(view)}</p>\n<nav aria-label="Parts of the report">{links}</nav>\n</header>\n'
    )


def summary(view: ReportView) -> str:
    """The result of the review in one sentence. HTML."""
    asked = view.total("sub_requirements")
    if not asked:
        return "The protocol asks for nothing, so there is nothing to cover."
    if not view.total("papers"):
        return f"No papers were found, so {_nothing(asked)}."
    if not view.total("reviewed"):
        return f"{_none_reviewed(view)}, so {_nothing(asked)}."
    unfinished = view.in_state("failed", "not_assessed")  # what is known of these counts when it is whole
    approved = view.total("approved") - sum((paper.get("claims") or {}).get("approved", 0) for paper in unfinished)
    evidence = count(approved, "approved claim") if approved else "no approved claim"
    return f"{_outcome(view, asked)}, with {evidence} from {count(view.total('reviewed'), 'reviewed paper')}."


def _none_reviewed(view: ReportView) -> str:
    """`None of the 3 papers found was reviewed (2 excluded, 1 unreadable)`."""
    states = ("excluded", "unreadable", "failed", "not_assessed", "duplicate")
    why = ", ".join(f"{view.total(state):,} {state.replace('_', ' ')}" for state in states if view.total(state))
    found = view.total("papers")
    which = "The one paper found was not" if found == 1 else f"None of the {found:,} papers found was"
    return f"{which} reviewed ({why})" if why else f"{which} reviewed"


def _outcome(view: ReportView, asked: int) -> str:
    """`Of 11 sub-requirements, 5 are covered and 6 are gaps`, or `All 4 sub-requirements are covered`."""
    parts = [(view.total(name), one, many) for name, one, many in _OUTCOMES if view.total(name)]
    if len(parts) == 1 and parts[0][0] == asked:
        _, one, many = parts[0]
        return f"The one sub-requirement {one}" if asked == 1 else f"All {count(asked, 'sub-requirement')} {many}"
    said = listed(f"<b>{number:,}</b> {one if number == 1 else many}" for number, one, many in parts)
    return f"Of {count(asked, 'sub-requirement')}, {said}"


def _nothing(asked: int) -> str:
    if asked == 1:
        return "the one sub-requirement could not be assessed"
    return f"none of the {count(asked, 'sub-requirement')} could be assessed"


def _caution(view: ReportView) -> str:
    unread = sum(view.total(state) for state in ("unreadable", "failed", "not_assessed"))
    if not unread:
        return ""
    return (
        f'<p class="caution"><a href="#unread">{count(unread, "paper")}</a> could not be read or assessed: '
        "a gap says nothing about what stands there.</p>\n"
    )


def _figures(view: ReportView) -> str:
    parts = [(state, view.total(name)) for name, state, _ in _FIGURES]
    if not any(number for _, number in parts):
        return ""
    label = ", ".join(f"{view.total(name)} {words}" for name, _, words in _FIGURES)
    items = "".join(
        f'<div class="figure"><dt><i class="swatch {state}"></i>{words}</dt><dd>{view.total(name):,}</dd></div>'
        for name, state, words in _FIGURES
    )
    return f'{bar(parts, label)}\n<dl class="figures">{items}</dl>\n'


def _byline(view: ReportView) -> str:
    run = view.run
    parts = [
        count(view.total("papers"), "paper") + " found",
        f"back end {shown(run['backend'], 60)}" if run.get("backend") else "",
        f"model {shown(run['model'], 80)}" if run.get("model") else "",
        f"run of {shown(str(run['started_at']).replace('T', ' '), 40)}" if run.get("started_at") else "",
    ]
    return " · ".join(filter(None, parts))
