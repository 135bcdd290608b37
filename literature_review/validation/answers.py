"""The CSV that a person filled in, read back and held against the program.

    CSV -> answers by cell (what cannot be an answer: all of it told at once) -> ratings with weights -> figures
"""

from __future__ import annotations

import csv
import io
import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from literature_review.errors import UsageError
from literature_review.text import spreadsheet
from literature_review.validation.agreement import Estimate, Rating, kappa, share
from literature_review.validation.sample import STRATA, Sample, SampledCell

ANSWERS = ("covered", "partial", "none", "unsure")
"""What may stand in the column `person`; an empty one is not answered yet."""

LARGEST_FILE = 64 * 1024 * 1024
_OF_PROGRAM = {"covered": "covered", "partial": "partial", "rejected": "none", "not_found": "none"}
_NAMED_COMMA = re.compile(r"sep=([,;\t])\r?\n", re.IGNORECASE)  # a first line for spreadsheets
_SHOWN_PROBLEMS = 20


@dataclass(frozen=True)
class Answer:
    """What the person said of one cell (line of the file), with the page and the note that they wrote. `paper`: what
    stands in its line as the paper, for a look whether line and cell still belong together."""

    line: int
    person: str
    page: str = ""
    note: str = ""
    paper: str = ""


@dataclass(frozen=True)
class Comparison:
    """The figures, and what they do not rest on.

    `sensitivity`: of the cells that the person calls covered or partial, the share that the program does too;
    `specificity`: of the cells with nothing, likewise; `precision`: of those that the program calls covered or
    partial, the share that the person does; `negative_value`: of those where it found nothing. `kappa`: agreement
    on evidence or none; `kappa_of_three`: on covered, partial, none. `counts`: (program, person) -> cells answered.
    `unanswered`, `unsure`: cells left out; `added`: rows of the file that are no cells of the sample; `moved`: rows
    that name another paper than their cell does, as after sorting one column alone.
    """

    sensitivity: Estimate
    specificity: Estimate
    precision: Estimate
    negative_value: Estimate
    kappa: Estimate
    kappa_of_three: Estimate
    counts: Mapping[tuple[str, str], int]
    disagreements: tuple[tuple[SampledCell, Answer], ...]
    unanswered: int
    unsure: int
    added: tuple[int, ...]
    moved: tuple[int, ...]
    without_answers: tuple[str, ...]

    def to_json(self) -> dict[str, Any]:
        """Plain data; the counts as a list."""
        plain = asdict(self)
        plain["counts"] = [{"program": p, "person": q, "cells": n} for (p, q), n in sorted(self.counts.items())]
        plain["disagreements"] = [{**asdict(answer), **asdict(cell)} for cell, answer in self.disagreements]
        return plain


def read_answers(path: str) -> dict[str, Answer]:
    """Cell -> answer, also for cells that nobody asked for. Raises UsageError with every row that cannot be
    understood, or where the file cannot be read. Commas, semicolons or tabs, as spreadsheets save them."""
    table, above = _table(_text(path))
    problems: list[str] = []
    found: dict[str, Answer] = {}
    try:
        head = [name.strip().lower() for name in next(table, [])]
        if missing := [name for name in ("cell", "person") if name not in head]:
            raise UsageError(f"{path} has no column {' and no column '.join(missing)}; keep the first line as it was")
        if twice := [name for name in ("cell", "person") if head.count(name) > 1]:
            raise UsageError(f"{path} has the column {' and the column '.join(twice)} more than once; keep one of each")
        for row in table:
            values = dict(zip(head, (value.strip() for value in row), strict=False))
            if any(values.values()):
                _take(table.line_num + above, values, found, problems)
    except csv.Error as error:
        raise UsageError(f"{path}: line {table.line_num + above} is no CSV ({error}); save it as CSV again") from error
    if problems:
        more = [f"and {len(problems) - _SHOWN_PROBLEMS} more"] if len(problems) > _SHOWN_PROBLEMS else []
        raise UsageError(f"{path}: " + "; ".join(problems[:_SHOWN_PROBLEMS] + more))
    return found


def _table(text: str) -> tuple[Any, int]:
    """A CSV reader over the head and what follows it, and how many lines stand above the head."""
    named = _NAMED_COMMA.match(text)
    comma = named[1] if named else max(",;\t", key=text.partition("\n")[0].count)
    table = csv.reader(io.StringIO(text[named.end() :] if named else text, newline=""), delimiter=comma)
    return table, 1 if named else 0


def compare(sample: Sample, answers: Mapping[str, Answer]) -> Comparison:
    """The figures of one filled-in file."""
    cells = {cell.cell: cell for cell in sample.cells}
    given = {cell: answer for cell, answer in answers.items() if cell in cells}
    judged = {cell: answer for cell, answer in given.items() if answer.person not in ("", "unsure")}
    answered = Counter(cells[cell].state for cell in judged)
    weights = {state: sample.sizes[state] / answered[state] for state in answered}
    of_three = [
        Rating(_OF_PROGRAM[cells[cell].state], answer.person, weights[cells[cell].state])
        for cell, answer in judged.items()
    ]
    of_two = [Rating(_evidence(one.program), _evidence(one.person), one.weight) for one in of_three]
    return Comparison(
        sensitivity=share((one.program == "some", one.weight) for one in of_two if one.person == "some"),
        specificity=share((one.program == "none", one.weight) for one in of_two if one.person == "none"),
        precision=share((one.person == "some", one.weight) for one in of_two if one.program == "some"),
        negative_value=share((one.person == "none", one.weight) for one in of_two if one.program == "none"),
        kappa=kappa(of_two),
        kappa_of_three=kappa(of_three),
        counts=Counter((cells[cell].state, answer.person) for cell, answer in judged.items()),
        disagreements=tuple(
            (cells[cell], answer)
            for cell, answer in judged.items()
            if _OF_PROGRAM[cells[cell].state] != answer.person
        ),
        unanswered=len(cells) - sum(1 for answer in given.values() if answer.person),
        unsure=sum(1 for answer in given.values() if answer.person == "unsure"),
        added=tuple(answer.line for cell, answer in answers.items() if cell not in cells),
        moved=tuple(answer.line for cell, answer in given.items() if _is_moved(cells[cell], answer)),
        without_answers=tuple(state for state in STRATA if sample.sizes[state] and not answered[state]),
    )


def _is_moved(asked: SampledCell, answer: Answer) -> bool:
    """Whether the line names another paper. A paper's name stands there as `spreadsheet.cell` makes it."""
    return bool(answer.paper) and answer.paper.split() != str(spreadsheet.cell(asked.paper)).split()


def _evidence(answer: str) -> str:
    return "none" if answer == "none" else "some"


def _text(path: str) -> str:
    try:
        with open(path, "rb") as file:
            raw = file.read(LARGEST_FILE + 1)
    except OSError as error:
        raise UsageError(f"{path} cannot be read: {error.strerror}") from error
    if len(raw) > LARGEST_FILE:
        raise UsageError(f"{path} is larger than {LARGEST_FILE // 1024 // 1024} MB: it is no sample of this program")
    for encoding in ("utf-16",) if raw[:2] in (b"\xff\xfe", b"\xfe\xff") else ("utf-8-sig", "cp1252"):
        try:
            return raw.decode(encoding)
        except UnicodeDecodeError:
            continue
    raise UsageError(f"{path} is in no encoding that spreadsheets write; save it as CSV UTF-8")


def _take(line: int, values: Mapping[str, str], found: dict[str, Answer], problems: list[str]) -> None:
    cell, person = values.get("cell", "").lower(), values.get("person", "").lower()
    earlier = found.get(cell)
    if person and person not in ANSWERS:
        problems.append(f"line {line}: {person[:40]!r} is no answer; write one of {', '.join(ANSWERS)}")
    elif not cell:
        problems.append(f"line {line}: the cell is missing; it is the first column of the line as it was written")
    elif earlier is not None and person and earlier.person and earlier.person != person:
        problems.append(f"line {line}: the cell {cell[:40]} has another answer in line {earlier.line}; keep one")
    elif earlier is None or person:
        found[cell] = Answer(line, person, *(values.get(name, "") for name in ("page", "note", "paper")))
