"""What a run says of itself: the `run` block of the report, the RunResult, and the lines at the end."""

from __future__ import annotations

import os
import platform
import time
from typing import Any

from literature_review import __version__
from literature_review.errors import BudgetSpentError, OutageError
from literature_review.models import PAPER_STATES, RunResult
from literature_review.pipeline.corpus import CorpusStages
from literature_review.pipeline.costs import costs_of, spent_in_run
from literature_review.pipeline.forecast import spoken_usd
from literature_review.pipeline.parts import PapersFound
from literature_review.pipeline.progress import spoken_seconds
from literature_review.pipeline.references_told import tell_entries
from literature_review.pipeline.run_forecast import tell_forecast
from literature_review.pipeline.run_state import RunState
from literature_review.pipeline.work import PaperWork

EXIT_CODES = {"completed": 0, "failed": 1, "interrupted": 130}


def run_facts(state: RunState, found: PapersFound, work: PaperWork, started_at: str, began: float) -> dict[str, Any]:
    """Everything that varies between two runs over the same input: the report's `run`. Times local ISO, durations
    in seconds."""
    usage, costs = state.parts.backend.usage(), costs_of(state)
    with state.lock:
        stage_retries = dict(state.retries)
    return {
        "run_id": state.checkpoint.data.get("run_id", ""),
        "started_at": started_at,
        "finished_at": time.strftime("%Y-%m-%dT%H:%M:%S"),
        "duration_seconds": round(time.monotonic() - began, 3),
        "host": platform.node(),
        "version": __version__,
        "backend": state.parts.backend.name,
        "model": state.parts.backend.model,
        "retries": sum(stage_retries.values()) + int(usage.get("retries", 0)),
        "attempts": stage_retries,
        "quota": _quota(state),
        "cost_usd": spent_in_run(state)["usd"],
        **({"costs": costs} if costs else {}),
        "worked": _names(work, worked=True),
        "reused": _names(work, worked=False),
        "ignored_files": list(found.ignored),
        **_references_used(found),
    }


def _references_used(found: PapersFound) -> dict[str, list[str]]:
    if found.references is None:
        return {}
    used = [name for name, count in found.references.used.items() if count]
    return {
        "reference_files": used,
        "entries_without_paper": list(found.references.without_paper()),
        "papers_with_several_entries": list(found.references.doubled()),
    }


def run_result(state: RunState, corpus: CorpusStages, work: PaperWork, status: str, seconds: float) -> RunResult:
    """How the run ended, in figures."""
    totals = corpus.totals()
    usage = state.parts.backend.usage()
    kinds = ("failed", "unreadable", *(("not_assessed",) if status == "completed" else ()))
    failures = {name: outcome.error for name, outcome in work.outcomes.items() if outcome.kind in kinds}
    failures.update(corpus.problems())
    exit_code = EXIT_CODES[status]
    if exit_code == 0 and failures:
        exit_code = 1
    with state.lock:
        retries = sum(state.retries.values()) + int(usage.get("retries", 0))
    return RunResult(
        exit_code=exit_code,
        status=status,
        run_id=str(state.checkpoint.data.get("run_id", "")),
        papers={"total": totals.get("papers", 0), **{name: totals.get(name, 0) for name in PAPER_STATES}},
        claims={name: totals.get(name, 0) for name in ("claims", "approved", "rejected", "pending")},
        failures=failures,
        worked=tuple(_names(work, worked=True)),
        reused=tuple(_names(work, worked=False)),
        retries=retries,
        quota=_quota(state),
        cost_usd=spent_in_run(state)["usd"],
        costs=costs_of(state),
        seconds=seconds,
        outputs=_outputs(state),
    )


def tell_summary(state: RunState, found: PapersFound, result: RunResult) -> None:
    """The lines at the end: papers, claims, retries, quota, cost, time, and where to look."""
    log, papers, claims = state.log, result.papers, result.claims
    states = ", ".join(f"{papers[name]} {name.replace('_', ' ')}" for name in PAPER_STATES if papers[name])
    log.info(
        f"Papers: {papers['total']} ({states or 'none'}); {len(result.worked)} worked on, {len(result.reused)} reused"
    )
    log.info(
        f"Claims: {claims['claims']} ({claims['approved']} approved, {claims['rejected']} rejected, "
        f"{claims['pending']} pending)"
    )
    cost = "unknown" if result.cost_usd is None else f"{result.cost_usd:.4f} USD"
    log.info(
        f"Retries: {result.retries}; quota: {result.quota['consumed']:.0f} consumed, "
        f"{result.quota['throttled']:.0f} throttled; cost: {cost}; time: {spoken_seconds(result.seconds)}"
    )
    _tell_costs(state, result)
    if result.status == "completed":
        tell_entries(log, found)
    for name, why in result.failures.items():
        log.error(f"Failed: {name}: {why}")
    for what, path in result.outputs.items():
        log.info(f"{what}: {path}")
    if result.status == "completed" and not result.failures:
        log.success("🎉 Pipeline Complete!")
    elif result.status == "completed":
        count = len(result.failures)
        log.warning(f"Pipeline complete, but {count} paper{'s' * (count > 1)} failed; the rest is in the report")
    elif result.status == "interrupted":
        log.warning("Interrupted; go on with: --resume")
    elif isinstance(state.fatal, OutageError):
        log.warning("The run stopped because the model's server is down; nothing is lost. Go on with: --resume")
    elif isinstance(state.fatal, BudgetSpentError):
        log.warning(
            "The run stopped before its budget or quota would be passed; nothing that was done is lost, and no answer "
            "is paid for twice. Go on, when it can, with: --resume"
        )
    else:
        log.error("The pipeline stopped; nothing that was done is lost. Mend the cause, then go on with: --resume")


def _tell_costs(state: RunState, result: RunResult) -> None:
    """What each stage cost in this folder, and how far off the forecast was; nothing where nothing is paid for."""
    stages = result.costs.get("stages", {})
    if stages:
        total = result.costs["total"]["usd"]
        told = ", ".join(
            f"{name} {spoken_usd(row['usd']) if 'usd' in row else 'unknown'} ({row['calls']:.0f} calls)"
            for name, row in stages.items()
        )
        state.log.info(f"Cost by stage, all runs into this folder: {told}; in all " + _usd(total))
    if state.parts.backend.paid:
        tell_forecast(state, finished=result.status == "completed")


def _usd(usd: float | None) -> str:
    return "unknown" if usd is None else spoken_usd(usd)


def _names(work: PaperWork, worked: bool) -> list[str]:
    return sorted(
        name for name, outcome in work.outcomes.items() if outcome.worked is worked and (outcome.done or outcome.kind)
    )


def _quota(state: RunState) -> dict[str, float]:
    usage = state.parts.backend.usage()
    return {"consumed": usage.get("quota_consumed", 0.0), "throttled": usage.get("quota_throttled", 0.0)}


def _outputs(state: RunState) -> dict[str, str]:
    """What a reader may want to open, as far as it is there."""
    folder = state.config.output_dir
    candidates = {
        "Report to read": os.path.join(folder, "gap_analysis_report.html"),
        "Report as data": os.path.join(folder, "gap_analysis_report.json"),
        "Report as a table": os.path.join(folder, "gap_analysis_report.csv"),
        "Database": os.path.join(folder, "review.db"),
        "Version history": os.path.join(folder, state.config.version_history_path),
        "Checkpoint": state.config.checkpoint_file,
    }
    return {what: path for what, path in candidates.items() if os.path.exists(state.absolute(path))}
