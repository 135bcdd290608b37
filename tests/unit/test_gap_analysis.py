"""Stage 5: what is covered, what is a gap and why; what was not assessed is never "no evidence"."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from literature_review.models import Passage, ScreeningDecision, StageResult
from literature_review.synthesis import gap_analysis
from literature_review.synthesis.gap_analysis import build_report
from tests.stage_samples import MISSED, RESULT, QuietLog, claim, context, protocol, review


def row(report: Mapping[str, Any], sub: str = "S1") -> dict[str, Any]:
    subs = report["questions"][0]["requirements"][0]["sub_requirements"]
    return next(each for each in subs if each["id"] == sub)


def report_of(*reviews: Any, **settings: Any) -> dict[str, Any]:
    return build_report(protocol(), reviews, {"run_id": "r"}, settings)


def passage(name: str, score: float, start: int = 0) -> Passage:
    return Passage(name, "S1", "words of the paper", 3, "Results", start, start + 18, score, "names no cost")


@pytest.mark.parametrize(
    ("claims", "status", "cell"),
    [
        ((claim(status="approved"),), "covered", "covered"),
        ((claim(status="approved", coverage="partial"),), "partial", "partial"),
        ((claim(status="rejected"),), "gap", "rejected"),
        ((claim(status="pending"),), "gap", "not_assessed"),
        ((claim(status="approved", sub="S2"),), "gap", "not_found"),
        ((), "gap", "not_found"),
    ],
)
def test_a_row_has_the_status_of_its_best_cell(claims: tuple[Any, ...], status: str, cell: str) -> None:
    found = row(report_of(review(claims=claims)))
    assert (found["status"], found["cells"][0]["state"]) == (status, cell)
    assert found["reason"]


@pytest.mark.parametrize("coverage", [0.3, 0.7])
def test_a_paper_that_speaks_to_it_too_weakly_covers_in_part(coverage: float) -> None:
    found = row(report_of(review(claims=(claim(status="approved"),), coverage={"S1": coverage}), covered_at=0.5))
    wanted = "covered" if coverage > 0.5 else "partial"
    assert (found["status"], found["claims"][0]["coverage"]) == (wanted, wanted)


@pytest.mark.parametrize(
    ("state", "cell"),
    [("unreadable", "unreadable"), ("failed", "not_assessed"), ("not_assessed", "not_assessed")],
)
def test_a_paper_that_was_not_assessed_is_never_counted_as_having_no_evidence(state: str, cell: str) -> None:
    found = row(report_of(review("a.pdf"), review("b.pdf", state, error="encrypted: ask its owner")))
    assert [each["state"] for each in found["cells"]] == ["not_found", cell]
    assert found["not_assessed"] == ["b.pdf"]
    assert "1 paper could not be read or assessed: b.pdf (encrypted: ask its owner)" in found["reason"]
    assert "1 assessed paper" in found["reason"]


def test_a_criterion_that_excludes_nearly_every_paper_is_a_warning() -> None:
    """A keyword that occurs nowhere, or years that nothing falls into, are likely a slip."""
    out = ScreeningDecision(False, "words", "does not meet the inclusion criterion")
    log = QuietLog()
    gap_analysis.run(context(reviews=(review("a.pdf", "excluded", screening=out),) * 2, log=log))
    assert any("the criterion 'words' excluded all 2 papers" in line for line in log.lines)
    by_year = review("c.pdf", "excluded", screening=ScreeningDecision(False, "years", "1980 is too old"))
    gap_analysis.run(context(reviews=(review("a.pdf", "excluded", screening=out),) * 2 + (by_year,), log=log))
    assert any("the criterion 'words' excluded 2 of 3 papers" in line for line in log.lines)
    for excluded, told in ((1, False), (8, False), (18, True)):
        log = QuietLog()
        many = tuple(review(f"{number}.pdf", "excluded", screening=out) for number in range(excluded))
        gap_analysis.run(context(reviews=(*many, review("b.pdf")), log=log))
        assert any(f"'words' excluded {excluded} of" in line for line in log.lines) is told


def test_entries_that_no_paper_was_found_for_are_counted() -> None:
    assert report_of()["totals"]["entries_without_paper"] == 0
    report = build_report(protocol(), (), {"entries_without_paper": ["refs.ris line 1: none"]}, {})
    assert report["totals"]["entries_without_paper"] == 1


def test_an_excluded_paper_is_counted_by_its_criterion_and_is_no_evidence_of_a_gap() -> None:
    out = ScreeningDecision(False, "mice", "a study of mice", "in mice", 2)
    report = report_of(review(state="excluded", screening=out))
    assert report["totals"]["excluded_by"] == {"mice": 1}
    assert report["papers"][0]["screening"]["quote"] == "in mice"
    assert row(report)["cells"][0]["state"] == "excluded"
    assert row(report)["not_assessed"] == []
    assert "no paper could be assessed" in row(report)["reason"]


def test_a_duplicate_has_no_cell_and_its_claims_count_once() -> None:
    first, second = review("a.pdf", claims=(claim(status="approved"),)), review("b.pdf", claims=(claim(name="b.pdf"),))
    synced = StageResult(record={"duplicates": {"b.pdf": "a.pdf"}})
    kept: dict[str, Any] = {}

    class Writer:
        suffix = ".json"

        def write(self, report: Mapping[str, Any], path: str) -> None:
            kept[path] = report

    gap_analysis.run(
        context(reviews=(first, second), earlier={"sync": synced}, reports={"json": Writer()}, output_dir="out")
    )
    (report,) = kept.values()
    assert next(iter(kept)).endswith("gap_analysis_report.json")
    assert (report["totals"]["duplicate"], report["totals"]["claims"]) == (1, 1)
    assert [cell["paper"] for cell in row(report)["cells"]] == ["a.pdf"]
    assert report["papers"][1]["duplicate_of"] == "a.pdf"


def test_a_cell_in_which_nothing_was_found_shows_what_came_nearest_in_that_paper() -> None:
    """Also in a row that another paper covers: every "not found" says what was looked at."""
    covers = review("a.pdf", claims=(claim(name="a.pdf", status="approved"),), passages=(passage("a.pdf", 0.4),))
    without = review("b.pdf", passages=(passage("b.pdf", 0.1), passage("b.pdf", 0.3, 50)))
    found = row(report_of(covers, without, review("c.pdf"), review("d.pdf", "unreadable")))
    assert found["status"] == "covered"
    near = {"quote": "words of the paper", "page": 3, "section": "Results", "start": 50, "end": 68, "score": 0.3,
            "reason": "names no cost"}  # fmt: skip
    assert [cell.get("nearest") for cell in found["cells"]] == [None, [near], [], None]
    assert row(report_of(covers, without, nearest_passages=0))["cells"][1]["nearest"] == []


def test_a_gap_shows_the_nearest_passages_best_first_each_place_once() -> None:
    a = review("a.pdf", passages=(passage("a.pdf", 0.2), passage("a.pdf", 0.4, 50), passage("a.pdf", 0.1)))
    b = review("b.pdf", passages=(passage("b.pdf", 0.4), passage("b.pdf", 0.3, 90)))
    found = row(report_of(a, b, nearest_passages=4))
    assert [(each["paper"], each["score"]) for each in found["nearest"]] == [
        ("a.pdf", 0.4), ("b.pdf", 0.4), ("b.pdf", 0.3), ("a.pdf", 0.2)
    ]  # fmt: skip
    assert found["nearest"][0]["reason"] == "names no cost"
    assert found["nearest"][0]["context"] == {"before": "", "after": ""}
    assert row(report_of(a, b, nearest_passages=0))["nearest"] == []


def test_the_report_is_the_same_whatever_order_the_papers_come_in() -> None:
    reviews = [review(name, claims=(claim(name=name, status="approved"),)) for name in ("c.pdf", "a.pdf", "b.pdf")]
    assert json.dumps(report_of(*reviews)) == json.dumps(report_of(*reversed(reviews)))


def test_the_report_holds_protocol_totals_and_whole_claims() -> None:
    report = report_of(review(claims=(claim(status="approved"), claim(status="rejected", sub="S2"))))
    assert report["schema_version"] == 1
    assert report["run"] == {"run_id": "r"}
    assert len(report["protocol"]["sha256"]) == 64
    assert report["papers"][0]["claims"] == {"approved": 1, "rejected": 1, "pending": 0}
    assert row(report)["claims"][0]["quote"] == RESULT
    totals = report["totals"]
    assert (totals["papers"], totals["reviewed"], totals["sub_requirements"], totals["covered"], totals["gaps"]) == (
        1, 1, 2, 1, 1
    )  # fmt: skip
    assert totals["claims"] == totals["approved"] + totals["rejected"] + totals["pending"]


def test_a_protocol_without_papers_is_all_gaps_and_says_so() -> None:
    found = row(build_report(protocol(MISSED), (), {}, {}))
    assert (found["status"], found["reason"]) == ("gap", "there are no papers")


def test_every_format_is_written_to_the_output_folder(tmp_path: Path) -> None:
    from literature_review.reports.json_report import JsonReport

    result = gap_analysis.run(context(reviews=(review(),), reports={"json": JsonReport()}, output_dir=str(tmp_path)))
    path = tmp_path / "gap_analysis_report.json"
    assert result.record["outputs"] == {"json": str(path)}
    assert json.loads(path.read_text(encoding="utf-8"))["totals"] == result.record["totals"]
