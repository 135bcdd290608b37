"""Money in whole runs, with the true answer store and ledger: what it cost, what was expected, and a budget that stops
the run so that it can go on."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from literature_review.llm.chat import ModelQuestion
from literature_review.llm.paid_book import PaidBook
from literature_review.llm.paid_calls import PaidCalls
from literature_review.llm.prices import PriceTable
from literature_review.pipeline.parts import RunOptions
from literature_review.ports import CallGate, Deadline, Log
from tests.paid_runs import PaidRun, ScriptedBackend, ScriptedModel, paid_run
from tests.review_samples import checkpoint_of, make_review, report_of

pytestmark = pytest.mark.integration
PRICE = {"scripted-1": {"input_usd_per_million": 1000, "output_usd_per_million": 2000}}
CALL = 600 * 1000 / 1e6 + 300 * 2000 / 1e6  # what one scripted answer costs: 1.20 US dollars
SCHEMA = {"type": "object", "properties": {"paper": {"type": "string"}}}


class LedgerBackend(ScriptedBackend):
    """Asks through PaidCalls instead. Expects a third more than it takes."""

    def __init__(self, calls: PaidCalls, model: ScriptedModel, gate: CallGate, paper: str = "") -> None:
        super().__init__(model, gate)
        self._calls, self._paper = calls, paper

    def for_paper(self, paper: str) -> LedgerBackend:
        return LedgerBackend(self._calls, self._model, self._gate, paper)

    def ask(self, stage: str, deadline: Deadline) -> None:
        words = f"{stage} of {self._paper} " + 500 * "word "
        self._calls.ask(ModelQuestion(f"{stage}/1", "", words, SCHEMA, 300), stage, self._paper, deadline)

    def estimate(self, stage: str, characters: int, sub_requirements: int) -> Mapping[str, float]:
        calls = {"journal_reviewer": 1.0, "judge": 2.0}.get(stage, 0.0)
        low = 1.0 if calls else 0.0
        return {
            "calls": calls, "calls_low": low, "tokens": 900 * calls, "tokens_low": 900 * low,
            "usd": CALL * calls, "usd_low": CALL * low, "seconds": calls,
        }  # fmt: skip

    def usage(self) -> Mapping[str, float]:
        return self._calls.usage()

    def costs(self) -> Mapping[str, Any]:
        return self._calls.costs()

    def close(self) -> None:
        self._calls.close()


def build(model: ScriptedModel, settings: Mapping[str, Any], gate: CallGate, output_dir: str, log: Log) -> Any:
    llm = settings["llm"]
    book = PaidBook(Path(output_dir) / "answers.db")
    prices = PriceTable.standard(llm["prices"])
    return LedgerBackend(PaidCalls(model, gate, book, prices, llm["budget_usd"], log), model, gate)


Run = Callable[..., PaidRun]


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    def once(options: RunOptions | None = None, papers: int = 4, **settings: Any) -> PaidRun:
        make_review(tmp_path, papers=papers)
        settings["llm"] = {"prices": PRICE, **settings.get("llm", {})}
        return paid_run(tmp_path, monkeypatch, lambda n: '{"paper": "x"}', options, build, **settings)

    return once


RESUME = RunOptions(resume=True)


def test_the_report_has_the_cost_of_each_paper_stage_and_run_as_the_ledger_sums_them(run: Run, tmp_path: Path) -> None:
    done = run()
    assert len(done.requests) == 8
    costs = report_of(tmp_path, without_run=False)["run"]["costs"]
    assert costs["run"] == {"calls": 8, "tokens": 7200, "usd": pytest.approx(8 * CALL)}
    assert costs["total"] == costs["run"]
    row = {"calls": 4, "tokens_in": 2400, "tokens_out": 1200, "usd": pytest.approx(4 * CALL)}
    assert costs["stages"] == {"journal_reviewer": row, "judge": row}
    assert len(costs["papers"]) == 4
    assert costs["papers"]["trial_001.txt"]["usd"] == pytest.approx(2 * CALL)
    assert done.result.costs["stages"] == costs["stages"]
    assert done.result.cost_usd == pytest.approx(8 * CALL)
    assert "cost: 9.6000 USD" in done.said
    assert "journal_reviewer 4.80 USD (4 calls), judge 4.80 USD (4 calls); in all 9.60 USD" in done.said
    page = (tmp_path / "out" / "gap_analysis_report.html").read_text(encoding="utf-8")
    assert "Costs by stage and by paper" in page
    assert "9.6 US dollars" in page


def test_a_second_run_costs_nothing_and_the_folders_costs_stand_beside_it(run: Run, tmp_path: Path) -> None:
    run()
    again = run()
    assert again.requests == []
    assert again.result.cost_usd == 0
    costs = report_of(tmp_path, without_run=False)["run"]["costs"]
    assert costs["run"] == {"calls": 0, "tokens": 0, "usd": 0}
    assert costs["total"]["usd"] == pytest.approx(8 * CALL)


def test_an_unknown_price_is_an_unknown_cost(run: Run, tmp_path: Path) -> None:
    done = run(llm={"prices": {}})
    assert done.result.cost_usd is None
    assert "cost: unknown" in done.said
    assert report_of(tmp_path, without_run=False)["run"]["cost_usd"] is None


def test_the_forecast_is_kept_from_the_beginning_and_the_summary_says_how_far_off_it_was(
    run: Run, tmp_path: Path
) -> None:
    done = run()
    assert "Expected: 12 model calls (8 to 12), 10,800 tokens (7,200 to 10,800), 14.40 USD (9.60 to 14.40)" in done.said
    assert "12 model calls (8 to 12) expected, 8 made (33 % less)" in done.said
    assert "14.40 USD (9.60 to 14.40) expected, 9.60 USD spent (33 % less)" in done.said
    forecast = checkpoint_of(tmp_path)["forecast"]
    assert (forecast["calls"], forecast["calls_low"], forecast["calls_high"]) == (12, 8, 12)


def test_a_forecast_counts_only_what_is_to_be_done(run: Run, tmp_path: Path) -> None:
    run(papers=3)
    assert "Expected: 3 model calls (2 to 3)" in run(papers=4).said
    nothing_left = run(papers=4).said
    assert "Expected: 0 model calls" in nothing_left
    assert "Forecast: " not in nothing_left


@pytest.mark.parametrize("parallel", [False, True])
def test_a_budget_stops_the_run_before_it_is_passed_and_resuming_pays_nothing_twice(
    run: Run, tmp_path: Path, parallel: bool
) -> None:
    features = {"enable_parallel": parallel, "max_workers": 2}
    first = run(llm={"budget_usd": 5.5}, v2_features=features)
    spent = len(first.requests)
    assert 1 <= spent <= 4
    assert first.result.cost_usd == pytest.approx(spent * CALL)
    assert (first.result.exit_code, first.result.status) == (1, "failed")
    assert first.result.failures == {}
    assert "raise llm.budget_usd" in first.said
    assert "no answer is paid for twice. Go on, when it can, with: --resume" in first.said
    assert checkpoint_of(tmp_path)["status"] == "failed"
    again = run(RESUME, llm={"budget_usd": 5.5}, v2_features=features)
    assert again.requests == []
    last = run(RESUME, llm={"budget_usd": 100}, v2_features=features)
    assert (last.result.exit_code, last.result.status) == (0, "completed")
    assert spent + len(last.requests) == 8
    assert last.result.cost_usd == pytest.approx(8 * CALL)  # of the run, whenever it was paid
    assert "8 made (33 % less)" in last.said


def test_a_budget_of_nothing_buys_nothing(run: Run) -> None:
    done = run(llm={"budget_usd": 0})
    assert done.requests == []
    assert done.result.exit_code == 1


def test_the_dry_run_forecasts_with_a_range_and_calls_nothing(run: Run, tmp_path: Path) -> None:
    done = run(dry_run=True, llm={"budget_usd": 5})
    assert done.requests == []
    assert "4 papers, 8 model calls (4 to 8), 7,200 tokens (3,600 to 7,200), 9.60 USD (4.80 to 9.60)" in done.said
    assert "[DRY-RUN] Expected in all: 12 model calls (8 to 12)" in done.said
    assert "llm.budget_usd (5.00 USD) may not be enough" in done.said
    assert json.loads((tmp_path / "checkpoint.json").read_text())["stages"]["judge"]["forecast"]["usd_low"]
    assert not (tmp_path / "out").exists()


def test_the_dry_run_says_how_many_days_the_calls_take_and_how_long_several_papers_at_once(run: Run) -> None:
    quota = {"gemini_api": {"rate": 60, "requests_per_day": 5}}
    one = run(dry_run=True, v2_features={"quota": quota}).said
    assert "at 5 calls a day it takes about 3 days, gone on with by --resume" in one
    assert "14.40 USD (9.60 to 14.40), about 12 s" in one
    assert "about 3.0 s" in run(dry_run=True, v2_features={"max_workers": 4, "enable_parallel": True}).said
