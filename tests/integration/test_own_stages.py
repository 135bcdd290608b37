"""What a stage of one's own may return: nothing of it stops the run, and no quote is believed unread."""

from __future__ import annotations

import io
import sqlite3
from pathlib import Path
from typing import Any

import pytest

from literature_review.models import RunResult
from literature_review.pipeline.parts import RunOptions
from literature_review.pipeline.run import PipelineOrchestrator
from literature_review.pipeline.runlog import RunLog
from tests.review_samples import config_of, make_review, report_of

pytestmark = pytest.mark.integration
HEAD = """
from dataclasses import replace
from literature_review.models import Claim, Passage, StageResult
def run(context):
    quote = "Evening tea shortens sleep."
    start = context.read(context.paper).text.index(quote)
    claim = Claim("own" + context.paper.id, context.paper.id, "S2", quote, 1, "", start, start + len(quote), 0.5,
                  "approved", "mine", "own", "own")
"""


@pytest.fixture
def review(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Runs papers with a stage behind judge, of which this is the end; gives the result and the log."""

    def run(code: str, name: str = "own", papers: int = 2) -> tuple[RunResult, str]:
        module = f"own_{tmp_path.name.replace('-', '_')}"
        make_review(tmp_path, papers=papers)
        (tmp_path / f"{module}.py").write_text(HEAD + "    " + code, encoding="utf-8")
        monkeypatch.syspath_prepend(str(tmp_path))
        stage = {"name": name, "module": module, "title": "Own", "per_paper": True}
        stages = [stage if name != "own" else {**stage, "after": "judge"}]
        stream = io.StringIO()
        result = PipelineOrchestrator(config_of(tmp_path, stages=stages), log=RunLog(stream)).run()
        return result, stream.getvalue()

    return run


def cell(folder: Path, sub: str) -> dict[str, Any]:
    found = report_of(folder)["questions"][0]["requirements"][0]["sub_requirements"]
    return next(dict(row) for row in found if row["id"] == sub)


def test_a_true_quote_of_it_is_believed(review: Any, tmp_path: Path) -> None:
    result, _ = review("return StageResult(claims=(*context.claims, claim))")
    assert result.exit_code == 0
    assert {claim["status"] for claim in cell(tmp_path, "S2")["claims"]} == {"approved"}
    assert cell(tmp_path, "S2")["status"] == "covered"


def test_a_claim_that_it_leaves_pending_is_judged_like_all_others(review: Any, tmp_path: Path) -> None:
    """A stage behind judge may bring claims of its own, as dra does."""
    code = "return StageResult(claims=(*context.claims, replace(claim, status='pending', sub_requirement='S1')))"
    result, _ = review(code)
    assert result.exit_code == 0
    own = [claim for claim in cell(tmp_path, "S1")["claims"] if claim["id"].startswith("own")]
    assert len(own) == 2
    assert {claim["status"] for claim in own} <= {"approved", "rejected"}
    assert "mine" not in {claim["reason"] for claim in own}


def test_what_a_judge_of_ones_own_turns_down_of_new_claims_is_shown_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Passages that it leaves while it judges the claims of a stage behind it stand in the report beside that stage's
    own."""
    code = HEAD.replace("def run", "def judge").replace('"approved"', '"pending"') + """
    words = quote if context.stage == "late" else "Future work should measure mood."
    start = context.read(context.paper).text.index(words)
    told = Passage(context.paper.id, "S2", words, 1, "", start, start + len(words), 0.4, context.stage + " says no")
    if context.stage == "late":
        return StageResult(claims=(*context.claims, claim), passages=(told,))
    late = any(claim.id.startswith("own") for claim in context.claims)
    return StageResult(claims=tuple(replace(claim, status="rejected") for claim in context.claims),
                       passages=(told,) if late else ())
run = judge
"""
    module = f"own_{tmp_path.name.replace('-', '_')}"
    make_review(tmp_path, papers=1)
    (tmp_path / f"{module}.py").write_text(code, encoding="utf-8")
    monkeypatch.syspath_prepend(str(tmp_path))
    judge = {"name": "judge", "module": module, "title": "Own judge", "per_paper": True}
    stages = [judge, {**judge, "name": "late", "title": "Late", "after": "judge"}]
    result = PipelineOrchestrator(config_of(tmp_path, stages=stages), log=RunLog(io.StringIO())).run()
    assert result.exit_code == 0
    reasons = {passage["reason"] for passage in cell(tmp_path, "S2")["nearest"]}
    assert {"judge says no", "late says no"} <= reasons


@pytest.mark.parametrize("change", ["quote='Tea is blue.'", "start=claim.start + 3", "end=10**9"])
def test_an_approved_quote_that_does_not_stand_in_the_paper_is_rejected(
    change: str, review: Any, tmp_path: Path
) -> None:
    """Whoever approves it; what had been approved before stays so."""
    result, _ = review(f"return StageResult(claims=(*context.claims, replace(claim, {change})))")
    assert result.exit_code == 0
    (first, second) = cell(tmp_path, "S2")["claims"]
    assert first["status"] == second["status"] == "rejected"
    assert "does not stand in the paper" in first["reason"]
    assert cell(tmp_path, "S2")["status"] == "gap"
    assert cell(tmp_path, "S1")["status"] == "covered"


def test_a_judge_of_ones_own_makes_no_false_quote_true(review: Any, tmp_path: Path) -> None:
    code = "return StageResult(claims=tuple(replace(c, status='approved', quote='No.') for c in context.claims))"
    result, _ = review(code, name="judge")
    assert result.exit_code == 0
    assert {claim["status"] for claim in cell(tmp_path, "S1")["claims"]} == {"rejected"}


BAD = {
    "claims=(replace(claim, sub_requirement='ZZ'),)": "is for 'ZZ', which is no sub-requirement",
    "claims=(replace(claim, paper='other.txt'),)": "is of the paper 'other.txt'",
    "claims=(replace(claim, score=float('nan')),)": "has nan for its score",
    "claims=(replace(claim, score='high'),)": "has str for its score",
    "claims=(replace(claim, page='1'),)": "has str for its page",
    "claims=(replace(claim, page=True),)": "has bool for its page",
    "claims=(replace(claim, page=10**30),)": "for its page",
    "claims=(replace(claim, start=None),)": "has NoneType for its start",
    "claims=(replace(claim, start=-5),)": "has -5 for its start",
    "claims=(replace(claim, status='maybe'),)": "has the status 'maybe'",
    "claims=(replace(claim, id=''),)": "has no id",
    "claims=(claim, claim)": "has the id of another",
    "claims=('x',)": "is no Claim",
    "passages=(claim,)": "is no Passage",
    "claims=7": "TypeError",
}


def test_a_claim_that_cannot_be_kept_fails_its_paper_alone(review: Any, tmp_path: Path) -> None:
    """It is named where it was made, and there is a report on all other papers."""
    results = ", ".join(f"lambda: StageResult({code})" for code in BAD)
    number = "int(context.paper.id[6:9])"
    result, log = review(f"return [{results}, StageResult][{number} - 1]()", papers=len(BAD) + 1)
    assert result.exit_code == 1
    good = f"trial_{len(BAD) + 1:03}.txt"
    for (paper, told), said in zip(sorted(result.failures.items()), BAD.values(), strict=True):
        assert said in told, paper
    states = {row["id"]: row["state"] for row in report_of(tmp_path)["papers"]}
    assert states == {**dict.fromkeys(result.failures, "failed"), good: "reviewed"}
    assert "unexpected" not in log


@pytest.mark.parametrize(
    "raised", ["asyncio.CancelledError()", "SystemExit(0)", "GeneratorExit()", "type('Own', (BaseException,), {})()"]
)
def test_whatever_it_raises_its_paper_fails_and_the_run_says_so(raised: str, review: Any, tmp_path: Path) -> None:
    """What is no Exception passes by many an `except`."""
    result, _ = review(f"import asyncio; raise {raised}")
    assert result.exit_code == 1
    assert sorted(result.failures) == ["trial_001.txt", "trial_002.txt"]
    assert "ended with" in result.failures["trial_001.txt"]
    assert {row["state"] for row in report_of(tmp_path)["papers"]} == {"failed"}


def test_the_words_of_an_error_are_cut(review: Any) -> None:
    """Some errors carry all that was read."""
    result, log = review("raise ValueError('x' * 10_000_000)")
    assert "and 9,998,000 characters more" in result.failures["trial_001.txt"]
    assert len(log) < 100_000


def test_a_paper_that_changes_while_it_is_read_is_not_taken_for_what_it_was(
    review: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its text would be kept under the digest of the old content, and stand there when that comes back."""
    code = "Path(context.paper.path).write_text('No.'); context.read(context.paper); return StageResult()"
    head = "from pathlib import Path\nfrom literature_review.models import StageResult\ndef run(context):\n"
    monkeypatch.setattr("tests.integration.test_own_stages.HEAD", head)
    result, _ = review(code, name="journal_reviewer")
    assert result.exit_code == 1
    assert "changed since the run began" in result.failures["trial_001.txt"]
    make_review(tmp_path, papers=2)  # as they were
    again = PipelineOrchestrator(config_of(tmp_path), log=RunLog(io.StringIO())).run()
    assert again.exit_code == 0
    assert len(again.worked) == 2


def test_its_record_is_its_own_affair(review: Any, tmp_path: Path) -> None:
    """Names that the standard stages use as well change nothing in what these found."""
    names = ["bibliography", "screening", "coverage", "pages", "characters", "hidden", "suspicious", "contexts"]
    result, _ = review(f"return StageResult(record=dict.fromkeys({names!r}, 3))")
    assert result.exit_code == 0
    assert {row["state"] for row in report_of(tmp_path)["papers"]} == {"reviewed"}
    assert {row["pages"] for row in report_of(tmp_path)["papers"]} == {1}


@pytest.mark.parametrize("record", ["{'screening': 3}", "{'bibliography': {}}", "{'hidden': 7}"])
def test_a_record_in_place_of_a_standard_stages_must_be_one(record: str, review: Any, tmp_path: Path) -> None:
    result, log = review(f"return StageResult(record={record})", name="journal_reviewer")
    assert result.exit_code == 1
    assert "a record that cannot be read as that of journal_reviewer" in log
    assert "unexpected" not in log


@pytest.mark.parametrize("parallel", [False, True])
@pytest.mark.parametrize("after", ["sync", "orchestrator"])
def test_a_stage_per_paper_behind_one_over_all_takes_no_paper_out_of_the_report(
    after: str, parallel: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What runs later than the report is no reason for a paper to be not assessed in it: nor does it in the database,
    nor where a later run begins behind the stages that found the claims."""
    make_review(tmp_path, papers=2)
    module = f"late_{tmp_path.name.replace('-', '_')}"
    code = "from literature_review.models import StageResult\ndef run(context):\n    return StageResult()\n"
    (tmp_path / f"{module}.py").write_text(code, encoding="utf-8")
    monkeypatch.syspath_prepend(str(tmp_path))
    stages = [{"name": "late", "module": module, "per_paper": True, "after": after}]
    config = config_of(tmp_path, stages=stages, v2_features={
        "checkpoint_file": str(tmp_path / "checkpoint.json"), "enable_parallel": parallel,
    })  # fmt: skip
    for options in (RunOptions(), RunOptions(), RunOptions(resume_from="sync"), RunOptions(only="orchestrator")):
        stream = io.StringIO()
        result = PipelineOrchestrator(config, options, RunLog(stream)).run()
        assert result.exit_code == 0
        assert "2 reviewed" in stream.getvalue()
        assert {paper["state"] for paper in report_of(tmp_path)["papers"]} == {"reviewed"}
        assert cell(tmp_path, "S1")["status"] == "covered"
        with sqlite3.connect(tmp_path / "out" / "review.db") as database:
            assert database.execute("SELECT DISTINCT state FROM papers").fetchall() == [("reviewed",)]
        database.close()
