"""The standard stages, and those of the configuration put in between.

    standard stages + `stages` of the file -> a tree: who stands behind whom -> read off from the top: the order
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from literature_review.strict_json import Problems, shown

STANDARD_STAGES: tuple[dict[str, Any], ...] = (
    {
        "name": "journal_reviewer",
        "module": "literature_review.reviewers.journal_reviewer",
        "title": "Stage 1: Initial Paper Review",
        "per_paper": True,
    },
    {
        "name": "judge",
        "module": "literature_review.reviewers.judge",
        "title": "Stage 2: Claim Judgement",
        "per_paper": True,
    },
    {
        "name": "dra",
        "module": "literature_review.reviewers.dra",
        "title": "Stage 3: Deep Requirements Analysis (appeals)",
        "per_paper": True,
    },
    {
        "name": "sync",
        "module": "literature_review.synthesis.sync",
        "title": "Stage 4: Sync to Database",
        "per_paper": False,
    },
    {
        "name": "orchestrator",
        "module": "literature_review.synthesis.gap_analysis",
        "title": "Stage 5: Gap Analysis",
        "per_paper": False,
    },
)


def order_stages(entries: Sequence[Mapping[str, Any]], problems: Problems) -> list[dict[str, Any]]:
    """The standard stages with `entries` in them, in the order in which they run.

    An entry with a known name takes the place of that stage, unless it says `after`. Stages behind the same one
    stand in the order of the file, each followed by those behind itself; what names none comes at the end.
    """
    stages = {row["name"]: {**row, "after": None, "place": ""} for row in STANDARD_STAGES}
    seen: dict[str, str] = {}
    for at, entry in enumerate(entries):
        name, place = entry["name"], f"stages[{at}]"
        if name is None:
            continue
        if name in seen:
            problems.add(f"{place}.name", f"is {name}, as {seen[name]} is; give each stage one entry")
            continue
        seen[name] = place
        stages[name] = _stage(entry, stages.get(name), place, problems)
    _check_after(stages, problems)
    return _in_order(stages, problems)


def _stage(
    entry: Mapping[str, Any], standard: Mapping[str, Any] | None, place: str, problems: Problems
) -> dict[str, Any]:
    given = {key: value for key, value in entry.items() if value is not None and key != "given"}
    if standard is None and "module" not in entry["given"]:
        problems.add(f"{place}.module", "is missing; write the dotted path of the module that has run(context)")
    usual = standard or {"module": None, "title": entry["name"], "per_paper": None}
    return {"after": None, **usual, **given, "place": place}


def _check_after(stages: Mapping[str, dict[str, Any]], problems: Problems) -> None:
    known = tuple(stages)
    for stage in stages.values():
        after = stage["after"]
        if after is not None and after not in stages:
            wrong = f"is {shown(after)}, which is no stage; {problems.hint(after, known)}"
            problems.add(f"{stage['place']}.after", wrong)
            stage["after"] = None


def _in_order(stages: Mapping[str, dict[str, Any]], problems: Problems) -> list[dict[str, Any]]:
    behind: dict[str | None, list[dict[str, Any]]] = {}
    for stage in stages.values():
        behind.setdefault(stage["after"], []).append(stage)
    ordered: list[dict[str, Any]] = []
    ahead = list(reversed(behind.get(None, [])))
    while ahead:
        stage = ahead.pop()
        ordered.append(stage)
        ahead.extend(reversed(behind.get(stage["name"], [])))
    placed = {stage["name"] for stage in ordered}
    for stage in stages.values():
        if stage["name"] not in placed:
            problems.add(f"{stage['place']}.after", "leads round in a circle; break it in one place")
    return _completed(ordered)


def _completed(ordered: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """The stages without notes of the reading. `per_paper`, where not said, is as of the stage before."""
    completed: list[dict[str, Any]] = []
    before = False
    for stage in ordered:
        before = before if stage["per_paper"] is None else stage["per_paper"]
        completed.append({key: stage[key] for key in ("name", "module", "title", "after")} | {"per_paper": before})
    return completed
