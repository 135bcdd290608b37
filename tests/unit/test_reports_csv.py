"""The CSV report: complete, and harmless in a spreadsheet."""

from __future__ import annotations

import csv
import io
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from literature_review.reports.csv_report import COLUMNS, CsvReport
from literature_review.text.spreadsheet import cell
from tests.report_samples import empty_report, hostile_report, huge_report, sample_report

pytestmark = pytest.mark.unit


def written(report: dict[str, Any], folder: Path) -> list[dict[str, str]]:
    CsvReport().write(report, str(folder / "report.csv"))
    text = (folder / "report.csv").read_bytes().decode("utf-8-sig")
    return list(csv.DictReader(io.StringIO(text, newline="")))


def subs(report: dict[str, Any]) -> list[dict[str, Any]]:
    return [s for q in report["questions"] for r in q["requirements"] for s in r["sub_requirements"]]


@pytest.mark.parametrize("report", [sample_report(), huge_report(), hostile_report()])
def test_there_is_a_row_for_every_claim_gap_and_passage(report: dict[str, Any], tmp_path: Path) -> None:
    rows = written(report, tmp_path)
    count = {kind: sum(row["row"] == kind for row in rows) for kind in ("claim", "gap", "passage")}
    asked = subs(report)
    assert count == {
        "claim": sum(len(sub["claims"]) for sub in asked),
        "gap": sum(sub["status"] == "gap" for sub in asked),
        "passage": sum(len(sub["nearest"]) for sub in asked),
    }
    assert len(rows) == sum(count.values())


def test_a_claims_row_says_where_it_stands_and_what_became_of_it(tmp_path: Path) -> None:
    report = sample_report()
    claim = subs(report)[0]["claims"][0]
    row = next(row for row in written(report, tmp_path) if row["claim"] == claim["id"])
    assert row["quote"] == claim["quote"]
    assert (row["paper"], row["page"], row["status"]) == (claim["paper"], str(claim["page"]), "approved")
    assert (row["question"], row["requirement"], row["sub_requirement"]) == ("Q1", "R1", "S1.1")
    assert row["scores"] == "outcome_words 0.9; place 0.7; result_signs 0.8"
    assert row["title"]


def test_a_gap_names_its_reason_and_the_papers_that_were_not_assessed(tmp_path: Path) -> None:
    report = sample_report()
    gap = next(sub for sub in subs(report) if sub["status"] == "gap")
    row = next(row for row in written(report, tmp_path) if row["row"] == "gap")
    assert row["reason"] == gap["reason"]
    assert row["not_assessed"].split("; ") == gap["not_assessed"]


def test_an_empty_report_is_a_table_with_headings_alone(tmp_path: Path) -> None:
    assert written(empty_report(), tmp_path) == []
    assert (tmp_path / "report.csv").read_bytes() == b"\xef\xbb\xbf" + ",".join(COLUMNS).encode() + b"\r\n"


@pytest.mark.parametrize(
    ("text", "harmless"),
    [
        ("=1+1", "'=1+1"),
        ("+1", "'+1"),
        ("-1", "'-1"),
        ("@SUM(A1)", "'@SUM(A1)"),
        ("\t=1", "' =1"),
        ("\r\n=1", "' =1"),
        ("  =1", "'  =1"),
        ("＝1+1", "'＝1+1"),
        ("p < 0.05;=HYPERLINK(1)", "p < 0.05;'=HYPERLINK(1)"),
        ("a - b = c; -4.1 to -1.4", "a - b = c; -4.1 to -1.4"),
        ("two\r\nlines", "two lines"),
        ("nul\x00 and \u202e", "nul[U+0000] and [U+202E]"),
        ("\ud800", "[U+D800]"),
        (None, ""),
        (float("nan"), ""),
        (0, 0),
        (-0.5, -0.5),
        (True, "True"),
    ],
)  # fmt: skip
def test_a_cell_is_harmless(text: Any, harmless: Any) -> None:
    assert cell(text) == harmless


@given(st.text(max_size=30))
def test_no_text_whatever_starts_a_formula_or_holds_a_control_character(text: str) -> None:
    shown = str(cell(text))
    assert not shown.lstrip().startswith(("=", "+", "-", "@", "\t", "\r"))
    assert not any(ord(character) < 32 or 0x7F <= ord(character) < 0xA0 for character in shown)
    shown.encode("utf-8")


def test_a_cell_is_no_longer_than_a_spreadsheet_takes(tmp_path: Path) -> None:
    """A gap may name thousands of papers that could not be read; Excel breaks the row where the cell is too long."""
    report = sample_report()
    gap = next(sub for q in report["questions"] for r in q["requirements"] for sub in r["sub_requirements"]
               if sub["status"] == "gap")  # fmt: skip
    gap["not_assessed"] = [f"folder/paper-{number}.pdf" for number in range(5_000)]
    CsvReport().write(report, str(tmp_path / "r.csv"))
    text = (tmp_path / "r.csv").read_bytes().decode("utf-8-sig")
    table = list(csv.reader(io.StringIO(text, newline="")))
    assert {len(row) for row in table} == {len(COLUMNS)}
    longest = max((value for row in table for value in row), key=len)
    assert longest.startswith("folder/paper-0.pdf; folder/paper-1.pdf")
    assert longest.endswith("…")
    assert len(longest) <= 32_767


def test_hostile_texts_start_no_formula_in_any_column(tmp_path: Path) -> None:
    for row in written(hostile_report(), tmp_path):
        for value in row.values():
            assert not value.startswith(("=", "+", "-", "@", "\t", "\r"))
            assert "\x00" not in value
