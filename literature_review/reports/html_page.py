"""The report as one HTML page that needs nothing but itself.

    report -> ReportView -> head | summary | map | gaps | evidence | screening | papers | run -> page

The policy in its head forbids everything but the page's own style and script, each known by its digest. The
page is complete without the script, which adds a filter and opens folded lists for printing.
"""

from __future__ import annotations

import hashlib
import pkgutil
from base64 import b64encode
from collections.abc import Mapping
from typing import Any

from literature_review.reports.html_evidence import evidence
from literature_review.reports.html_gaps import gaps
from literature_review.reports.html_map import evidence_map
from literature_review.reports.html_papers import papers, screening
from literature_review.reports.html_run import run
from literature_review.reports.html_script import SCRIPT
from literature_review.reports.html_summary import header
from literature_review.reports.report_view import ReportView
from literature_review.text.visible import visible

_FILTER = (
    '<div id="filter" role="search" hidden><label for="words">Show only gaps and claims with</label> '
    '<input id="words" type="search" autocomplete="off" spellcheck="false"> '
    '<output id="found" for="words"></output></div>\n'
)


def page(report: Mapping[str, Any]) -> str:
    """The whole page; every character of it can be written as UTF-8."""
    view = ReportView(report)
    style = _style()
    parts = (evidence_map(view), _FILTER, gaps(view), evidence(view), screening(view), papers(view), run(view))
    return (
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{policy(style, SCRIPT)}">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        '<meta name="referrer" content="no-referrer">\n<meta name="color-scheme" content="light dark">\n'
        f"<title>{_title(view)}</title>\n<style>{style}</style>\n</head>\n<body>\n"
        f"{header(view)}<main>\n{''.join(parts)}</main>\n<script>{SCRIPT}</script>\n</body>\n</html>\n"
    )


def policy(style: str, script: str) -> str:
    """The Content-Security-Policy that lets this style and this script through, and nothing else."""
    return (
        f"default-src 'none'; style-src '{_digest(style)}'; script-src '{_digest(script)}'; "
        "base-uri 'none'; form-action 'none'"
    )


def _digest(text: str) -> str:
    return "sha256-" + b64encode(hashlib.sha256(text.encode()).digest()).decode()


def _title(view: ReportView) -> str:
    from html import escape

    name = visible(str(view.protocol.get("title") or "Literature review"))[:200]
    return escape(name) + " – evidence gap report"


def _style() -> str:
    data = pkgutil.get_data(__package__, "report.css")
    if data is None:
        raise FileNotFoundError("report.css is missing from the installed package; install it again")
    return data.decode("utf-8").replace("\r\n", "\n")
