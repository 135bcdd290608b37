"""What a run has cost so far, from the back end's own ledger where it keeps one.

    the ledger: all calls into the output folder --minus what stood there when the run began--> this run's
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from literature_review.pipeline.run_state import RunState
from literature_review.ports import Backend

Amounts = dict[str, "float | None"]


def ledger_of(backend: Backend) -> dict[str, dict[str, dict[str, float]]]:
    """{"stages": {stage: {"calls", "tokens_in", "tokens_out", "usd"}}, "papers": {...}}, earlier runs into the output
    folder included and "usd" absent where it is not known; empty for a back end without a ledger (`costs()`)."""
    costs = getattr(backend, "costs", None)
    return dict(costs()) if callable(costs) else {}


def spent_in_all(backend: Backend) -> Amounts:
    """`calls`, `tokens`, `usd` (None: not known) as the ledger has them; of this process alone where there is none."""
    ledger = ledger_of(backend)
    if ledger:
        return _sum(ledger["stages"])
    usage = backend.usage()
    return {"calls": usage.get("calls", 0.0), "tokens": usage.get("tokens", 0.0), "usd": usage.get("usd")}


def spent_in_run(state: RunState) -> Amounts:
    """The same for this run, what it had paid before it was resumed included."""
    now = spent_in_all(state.parts.backend)
    return {name: _difference(amount, state.spent_before.get(name, 0.0)) for name, amount in now.items()}


def costs_of(state: RunState) -> dict[str, Any]:
    """The report's `run.costs`: `run` (this one), `total` (all into this folder), `stages` and `papers` of the total;
    empty where nothing is paid for."""
    if not state.parts.backend.paid:
        return {}
    ledger = ledger_of(state.parts.backend)
    return {"run": spent_in_run(state), "total": spent_in_all(state.parts.backend), **ledger}


def _sum(rows: Mapping[str, Mapping[str, float]]) -> Amounts:
    unknown = any("usd" not in row for row in rows.values())
    return {
        "calls": sum(row["calls"] for row in rows.values()),
        "tokens": sum(row["tokens_in"] + row["tokens_out"] for row in rows.values()),
        "usd": None if unknown else sum(row["usd"] for row in rows.values()),
    }


def _difference(now: float | None, before: float | None) -> float | None:
    return None if now is None or before is None else max(now - before, 0.0)
