"""What every report writer promises."""

from __future__ import annotations

import copy
import os
from pathlib import Path
from typing import Any

import pytest

from literature_review.plugins import PLUGINS, load
from literature_review.ports import ReportWriter
from tests.report_samples import empty_report, hostile_report, huge_report, sample_report

pytestmark = pytest.mark.contract

FORMATS = sorted(PLUGINS["report"])
REPORTS = {"empty": empty_report, "sample": sample_report, "hostile": hostile_report, "huge": huge_report}


@pytest.fixture(params=FORMATS)
def writer(request: pytest.FixtureRequest) -> ReportWriter:
    made: ReportWriter = load("report", request.param)()
    return made


@pytest.mark.parametrize("kind", REPORTS)
def test_any_report_becomes_a_whole_file_of_valid_utf8(writer: ReportWriter, kind: str, tmp_path: Path) -> None:
    path = tmp_path / f"report{writer.suffix}"
    writer.write(REPORTS[kind](), str(path))
    text = path.read_bytes().decode("utf-8")
    assert text.endswith("\n")
    assert os.listdir(tmp_path) == [path.name]


def test_the_suffix_is_the_formats_name(writer: ReportWriter) -> None:
    assert PLUGINS["report"][writer.suffix.removeprefix(".")]


def test_the_same_report_gives_the_same_bytes(writer: ReportWriter, tmp_path: Path) -> None:
    writer.write(sample_report(), str(tmp_path / "a"))
    writer.write(sample_report(), str(tmp_path / "b"))
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


def test_the_report_is_left_as_it_was(writer: ReportWriter, tmp_path: Path) -> None:
    report = sample_report()
    before = copy.deepcopy(report)
    writer.write(report, str(tmp_path / "out"))
    assert report == before


def test_an_older_report_is_replaced(writer: ReportWriter, tmp_path: Path) -> None:
    path = tmp_path / "out"
    path.write_text("old" * 10_000)
    writer.write(empty_report(), str(path))
    assert b"oldold" not in path.read_bytes()


def test_where_writing_fails_the_older_report_stays_whole(
    writer: ReportWriter, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "out"
    path.write_bytes(b"the report of yesterday")

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space left"):
        writer.write(sample_report(), str(path))
    assert path.read_bytes() == b"the report of yesterday"
    assert os.listdir(tmp_path) == ["out"]


def test_a_score_that_is_no_number_stops_no_report(writer: ReportWriter, tmp_path: Path) -> None:
    report: Any = sample_report()
    claim = report["questions"][0]["requirements"][0]["sub_requirements"][0]["claims"][0]
    claim["score"], claim["scores"] = float("nan"), {"place": float("inf")}
    writer.write(report, str(tmp_path / "out"))
    text = (tmp_path / "out").read_text("utf-8")
    assert "NaN" not in text
    assert "nan" not in text.replace("financ", "")
    assert "Infinity" not in text
