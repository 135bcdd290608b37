"""The foot of the page: how the run went, and what it was made from."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from literature_review.reports.html_parts import folded, section, table
from literature_review.reports.html_text import count, duration, shown
from literature_review.reports.report_view import ReportView

LISTED = 200
_NAMES = {
    "run_id": "Run", "started_at": "Started", "finished_at": "Finished", "duration_seconds": "Took",
    "host": "Host", "version": "Version", "backend": "Back end", "model": "Model", "retries": "Retries",
    "attempts": "Attempts per stage", "quota": "Quota", "cost_usd": "Cost",
}  # fmt: skip
_LISTS = {
    "worked": "paper worked on", "reused": "paper reused", "ignored_files": "file ignored",
    "reference_files": "reference file used", "entries_without_paper": "entry without a paper",
    "papers_with_several_entries": "paper with several entries",
}  # fmt: skip
_PLURALS = {
    "worked": "papers worked on", "reused": "papers reused", "ignored_files": "files ignored",
    "reference_files": "reference files used", "entries_without_paper": "entries without a paper",
    "papers_with_several_entries": "papers with several entries",
}  # fmt: skip


def run(view: ReportView) -> str:
    """The section with the run's facts; those that this page does not know by name come last."""
    further = [name for name in view.run if name not in _NAMES and name not in _LISTS and name != "costs"]
    facts = [_fact(name, view.run[name]) for name in (*_NAMES, *further) if name in view.run]
    digest = view.protocol.get("sha256")
    if digest:
        facts.append(("Protocol (SHA-256)", f'<code class="id">{shown(digest, 80)}</code>'))
    items = "".join(f"<div><dt>{name}</dt><dd>{value}</dd></div>\n" for name, value in facts)
    lists = "".join(_files(name, view.run.get(name) or ()) for name in _LISTS if name in view.run)
    costs = _costs(view.run.get("costs"))
    return section("run", "Run", f'<dl class="run">\n{items}</dl>' if facts else "", costs, lists)


def _fact(name: str, value: Any) -> tuple[str, str]:
    title = _NAMES.get(name) or shown(name.replace("_", " "), 60)
    if name == "duration_seconds":
        return title, duration(value)
    if name == "cost_usd":
        return title, "unknown" if value is None else f"{float(value):,.4g} US dollars"
    if isinstance(value, Mapping):
        pairs = [f"{shown(str(key).replace('_', ' '), 60)} {_plain(number)}" for key, number in value.items()]
        return title, ", ".join(pairs[:40]) or "none"
    return title, _plain(value)


def _costs(costs: Any) -> str:
    """What was paid by stage and by paper, dearest papers first; nothing where nothing was paid for."""
    if not isinstance(costs, Mapping):
        return ""
    stages, papers = (dict(costs.get(name) or {}) for name in ("stages", "papers"))
    dearest = sorted(papers.items(), key=lambda row: -(row[1].get("usd") or 0.0))
    tables = _costs_table("stage", stages.items()) + _costs_table("paper", dearest[:LISTED])
    left = len(dearest) - LISTED
    note = f'<p class="note">{left:,} more papers in the JSON report.</p>' if left > 0 else ""
    return folded("Costs by stage and by paper, all runs into this folder", tables + note)


def _costs_table(name: str, rows: Iterable[tuple[str, Mapping[str, Any]]]) -> str:
    cells = [
        (
            shown(key, 200),
            *(_plain(row.get(part)) for part in ("calls", "tokens_in", "tokens_out")),
            "unknown" if row.get("usd") is None else _plain(float(row["usd"])),
        )
        for key, row in rows
    ]
    return table(f"Costs by {name}", (name.capitalize(), "Calls", "Tokens in", "Tokens out", "US dollars"), cells)


def _plain(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:,.6g}"
    return shown("none" if value in (None, "") else value, 300)


def _files(name: str, files: Sequence[Any]) -> str:
    items = "".join(f"<li>{shown(file, 200)}</li>" for file in files[:LISTED])
    left = len(files) - LISTED
    note = f'<p class="note">{left:,} more in the JSON report.</p>' if left > 0 else ""
    return folded(count(len(files), _LISTS[name], _PLURALS[name]), f"<ul>{items}</ul>{note}" if items else "")
