"""A sample of the gap map for a person, and the person's answers read back."""

from __future__ import annotations

import csv
import io
import json
from argparse import ArgumentParser
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from literature_review.__main__ import main
from literature_review.errors import StoreError, UsageError
from literature_review.validation.answers import compare, read_answers
from literature_review.validation.command import arguments, run
from literature_review.validation.sample import STRATA, draw, read_key, write_sample


def report(**cells: int) -> dict[str, Any]:
    """A report with so many cells of each state, one paper a cell, one sub-requirement."""
    rows = [
        {"paper": f"{state}-{number}.txt", "state": state, "score": 0.5}
        for state, count in cells.items()
        for number in range(count)
    ]
    sub = {"id": "S1", "text": "Does it help?", "cells": rows}
    papers = [{"id": row["paper"], "title": f"=On {row['paper']}"} for row in rows]
    return {
        "schema_version": 1,
        "run": {"run_id": "r1"},
        "papers": papers,
        "questions": [{"requirements": [{"sub_requirements": [sub]}]}],
    }


MIXED = report(covered=40, partial=3, rejected=10, not_found=200, excluded=7, unreadable=2)


def fill(path: Path, say: Callable[[dict[str, str]], str]) -> None:
    """What a person does in a spreadsheet."""
    rows = list(csv.DictReader(io.StringIO(path.read_text("utf-8-sig"), newline="")))
    for row in rows:
        row["person"] = say(row)
    table = io.StringIO()
    writer = csv.DictWriter(table, list(rows[0]))
    writer.writeheader()
    writer.writerows(rows)
    path.write_text(table.getvalue(), "utf-8")


def command(*words: str) -> list[str]:
    parser = ArgumentParser()
    arguments(parser)
    lines: list[str] = []
    assert run(parser.parse_args(words), lines.append) == 0
    return lines


def test_each_state_gets_an_equal_share_as_far_as_it_has_cells() -> None:
    sample = draw(MIXED, 43, 1)
    drawn = Counter(cell.state for cell in sample.cells)
    assert drawn == {"covered": 15, "partial": 3, "rejected": 10, "not_found": 15}
    assert sample.sizes == {"covered": 40, "partial": 3, "rejected": 10, "not_found": 200}


@given(st.integers(0, 9), st.integers(0, 9), st.integers(0, 9), st.integers(1, 9), st.integers(1, 60))
def test_a_sample_has_as_many_cells_as_asked_for_each_once(c: int, p: int, r: int, n: int, wanted: int) -> None:
    sample = draw(report(covered=c, partial=p, rejected=r, not_found=n), wanted, 1)
    assert len({cell.cell for cell in sample.cells}) == len(sample.cells) == min(wanted, c + p + r + n)


def test_the_same_seed_draws_the_same_cells_and_another_others() -> None:
    assert draw(MIXED, 30, 1) == draw(MIXED, 30, 1)
    assert {cell.cell for cell in draw(MIXED, 30, 1).cells} != {cell.cell for cell in draw(MIXED, 30, 2).cells}


def test_the_file_for_the_person_says_nothing_of_the_program(tmp_path: Path) -> None:
    """Neither a column nor the order tells covered from not found; titles cannot run as formulas."""
    path = tmp_path / "s.csv"
    write_sample(draw(report(covered=5, not_found=5), 10, 1), str(path))
    text = path.read_text("utf-8-sig")
    assert text.splitlines()[0] == "cell,paper,title,sub_requirement,text,person,page,note"
    rows = list(csv.DictReader(io.StringIO(text)))
    assert [row["person"] for row in rows] == [""] * 10
    order = [row["paper"].partition("-")[0] for row in rows]
    assert order not in (sorted(order), sorted(order, reverse=True))
    assert all(row["title"].startswith("'=") for row in rows)


def test_answers_that_agree_give_full_marks_and_the_interval_says_how_few_they_are(tmp_path: Path) -> None:
    path = tmp_path / "s.csv"
    sample = draw(MIXED, 40, 1)
    write_sample(sample, str(path))
    said = {cell.cell: {"rejected": "none", "not_found": "none"}.get(cell.state, cell.state) for cell in sample.cells}
    fill(path, lambda row: said[row["cell"]].upper())
    found = compare(read_key(str(path)), read_answers(str(path)))
    assert found.sensitivity.value == found.specificity.value == found.kappa_of_three.value == 1.0
    assert found.sensitivity.low is not None
    assert found.sensitivity.low < 0.9
    assert (found.disagreements, found.unanswered, found.added) == ((), 0, ())


def test_sensitivity_counts_a_cell_for_as_many_as_it_was_drawn_from(tmp_path: Path) -> None:
    """Of 10 covered and 10 of 100 not found looked at, the person finds evidence in all of the first and in one of
    the second: 10 true and 10 missed in the whole map, though the sample shows 10 and 1."""
    path = tmp_path / "s.csv"
    sample = draw(report(covered=10, not_found=100), 20, 1)
    write_sample(sample, str(path))
    missed = next(cell.cell for cell in sample.cells if cell.state == "not_found")
    covered = {cell.cell for cell in sample.cells if cell.state == "covered"} | {missed}
    fill(path, lambda row: "covered" if row["cell"] in covered else "none")
    found = compare(sample, read_answers(str(path)))
    assert found.sensitivity.value == pytest.approx(0.5)
    assert found.specificity.value == 1.0
    assert [cell.cell for cell, _ in found.disagreements] == [missed]


def test_cells_that_are_missing_unsure_or_added_are_counted_and_left_out(tmp_path: Path) -> None:
    path = tmp_path / "s.csv"
    sample = draw(report(covered=4, not_found=4), 8, 1)
    write_sample(sample, str(path))
    fill(path, lambda row: {"c": "covered", "n": "none"}[row["paper"][0]])
    lines = path.read_text("utf-8").splitlines()
    unsure = lines[1].replace("covered,,", "unsure,,").replace("none,,", "unsure,,")
    path.write_text("\n".join([lines[0], unsure, *lines[2:7], "cffffffffffff,x,,S9,?,none,,", ",,,,,,,"]) + "\n")
    found = compare(sample, read_answers(str(path)))
    assert (found.unanswered, found.unsure, found.added) == (2, 1, (8,))
    assert sum(found.counts.values()) == 5
    told = "\n".join(command("score", str(path)))
    assert "2 of 8 cells have no answer yet" in told
    assert "1 row is no cell of the sample" in told
    assert "line 8" in told


def test_a_state_without_an_answer_is_named(tmp_path: Path) -> None:
    path = tmp_path / "s.csv"
    write_sample(draw(report(covered=4, not_found=4), 8, 1), str(path))
    fill(path, lambda row: "covered" if row["paper"].startswith("c") else "")
    told = "\n".join(command("score", str(path)))
    assert "no cell is answered where the program says: nothing found" in told
    assert "specificity      unknown" in told


def test_semicolons_and_utf_16_are_what_spreadsheets_write_too(tmp_path: Path) -> None:
    path = tmp_path / "s.csv"
    path.write_text("cell;person;note\nc1;none;so, so\n", "utf-16")
    assert read_answers(str(path))["c1"].note == "so, so"
    path.write_bytes("cell\tperson\tnote\nc1\tnone\tgr\u00fc\u00df\n".encode("cp1252"))
    assert read_answers(str(path))["c1"].note == "gr\u00fc\u00df"


def test_a_line_that_names_the_comma_and_capital_letters_change_nothing(tmp_path: Path) -> None:
    """Some programs write `sep=;` above the head; a person may write `None`."""
    path = tmp_path / "s.csv"
    path.write_text("sep=;\r\nCell;Person\r\nC1;None \r\nc2;maybe\r\n", newline="")
    with pytest.raises(UsageError, match="line 4: 'maybe'"):
        read_answers(str(path))
    path.write_text("sep=;\r\nCell;Person\r\nC1;None \r\n", newline="")
    assert read_answers(str(path))["c1"].person == "none"


def test_rows_that_came_apart_are_told(tmp_path: Path) -> None:
    """A column that was sorted alone gives every answer to another cell: the figures would mean nothing."""
    path = tmp_path / "s.csv"
    sample = draw(report(covered=2, not_found=2), 4, 1)
    write_sample(sample, str(path))
    fill(path, lambda row: "none")
    assert compare(sample, read_answers(str(path))).moved == ()
    rows = list(csv.reader(io.StringIO(path.read_text("utf-8"), newline="")))
    cells = [row[0] for row in (*rows[2:], rows[1])]
    with path.open("w", newline="") as file:
        csv.writer(file).writerows([rows[0], *([cell, *row[1:]] for cell, row in zip(cells, rows[1:], strict=True))])
    assert compare(sample, read_answers(str(path))).moved == (2, 3, 4, 5)
    told = "\n".join(command("score", str(path)))
    assert "4 rows name another paper than the cell (line 2, 3, 4, 5)" in told


def test_a_paper_s_name_that_a_spreadsheet_would_run_is_the_same_paper(tmp_path: Path) -> None:
    path = tmp_path / "s.csv"
    odd = report(covered=1)
    sub = odd["questions"][0]["requirements"][0]["sub_requirements"][0]
    sub["cells"][0]["paper"] = odd["papers"][0]["id"] = "=cmd\tpaper.txt"
    sample = draw(odd, 1, 1)
    write_sample(sample, str(path))
    assert "'=cmd" in path.read_text("utf-8-sig")
    assert compare(sample, read_answers(str(path))).moved == ()


@pytest.mark.parametrize(
    ("text", "part"),
    [
        ("", "has no column cell and no column person"),
        ("cell,x\nc1,none\n", "has no column person"),
        ("cell,person\nc1,yes\nc2,perhaps\n", "line 2: 'yes' is no answer; write one of covered, partial, none"),
        ("cell,person\nc1,yes\nc2,perhaps\n", "line 3: 'perhaps'"),
        ("cell,person,person\nc1,none,\n", "has the column person more than once"),
        ("cell,person\n,none\n", "line 2: the cell is missing"),
        ("cell,person\nc1,none\nc1,covered\n", "line 3: the cell c1 has another answer in line 2"),
        ('cell,person\nc1,"none' + "x" * 200_000, "is no CSV"),
    ],
)
def test_what_cannot_be_an_answer_is_told_by_its_line(tmp_path: Path, text: str, part: str) -> None:
    path = tmp_path / "s.csv"
    path.write_text(text)
    with pytest.raises(UsageError) as caught:
        read_answers(str(path))
    assert part in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_cell_twice_with_one_answer_is_one(tmp_path: Path) -> None:
    path = tmp_path / "s.csv"
    path.write_text("cell,person,page\nc1,,\nc1,none,3\nc1,none,4\nc1,,\n")
    answers = read_answers(str(path))
    assert (len(answers), answers["c1"].person) == (1, "none")


def test_a_file_that_a_person_may_have_filled_in_is_never_written_over(tmp_path: Path) -> None:
    path = tmp_path / "s.csv"
    path.write_text("work of a week")
    with pytest.raises(UsageError, match="may hold a person's answers"):
        write_sample(draw(MIXED, 5, 1), str(path))
    assert path.read_text() == "work of a week"
    assert [file.name for file in tmp_path.iterdir()] == ["s.csv"]


def test_without_its_key_a_file_cannot_be_scored(tmp_path: Path) -> None:
    path = tmp_path / "s.csv"
    write_sample(draw(MIXED, 5, 1), str(path))
    key = tmp_path / "s.key.json"
    whole = key.read_text()
    for damage in ("", whole[:-9], "[]", "[" * 100_000, whole.replace("covered", "coloured")):
        key.write_text(damage)
        with pytest.raises(StoreError, match="is damaged"):
            read_key(str(path))
    key.write_text(whole.replace('"schema_version": 1', '"schema_version": 2'))
    with pytest.raises(StoreError, match="newer program"):
        read_key(str(path))
    key.unlink()
    with pytest.raises(UsageError, match="lies beside"):
        read_key(str(path))


@pytest.mark.parametrize("odd", [{}, {"papers": [], "questions": [3]}, {"papers": 3, "questions": []}])
def test_what_is_no_report_is_refused(odd: dict[str, Any]) -> None:
    with pytest.raises(UsageError, match="no report"):
        draw(odd, 5, 1)


def test_a_report_without_an_assessed_cell_has_nothing_to_validate() -> None:
    with pytest.raises(UsageError, match="nothing to validate"):
        draw(report(unreadable=3), 5, 1)


def test_the_command_draws_and_scores(tmp_path: Path) -> None:
    (tmp_path / "gap_analysis_report.json").write_text(json.dumps(MIXED))
    path = tmp_path / "s.csv"
    told = command("sample", "--output-dir", str(tmp_path), "--cells", "20", "--to", str(path))
    assert told[0] == f"{path}: 20 cells to look at, drawn from 253"
    fill(path, lambda row: "none" if row["paper"].startswith(("n", "r", "partial")) else "covered")
    told = command("score", str(path), "--to", str(tmp_path / "figures.json"))
    assert any(line.startswith("sensitivity        1.000") for line in told)
    assert any("the program says partial, the person none" in line for line in told)
    figures = json.loads((tmp_path / "figures.json").read_text())
    assert figures["sensitivity"]["value"] == 1.0
    assert {row["program"] for row in figures["counts"]} == set(STRATA)


@pytest.mark.parametrize("text", ["", "{", "[]", '{"papers": 1}', "\x00"])
def test_a_report_that_is_none_is_one_line(tmp_path: Path, text: str) -> None:
    (tmp_path / "r.json").write_text(text)
    with pytest.raises(UsageError, match="no report"):
        command("sample", "--report", str(tmp_path / "r.json"), "--to", str(tmp_path / "s.csv"))
    with pytest.raises(UsageError, match="cannot be read"):
        command("sample", "--report", str(tmp_path / "none.json"))
    with pytest.raises(UsageError, match="--cells"):
        command("sample", "--cells", "0")


def test_the_verb_tells_a_mistake_in_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["validate", "score", str(tmp_path / "none.csv")]) == 2
    told = capsys.readouterr().err
    assert "none.csv cannot be read" in told
    assert told.count("\n") == 1
