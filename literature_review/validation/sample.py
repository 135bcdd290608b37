"""A stratified sample of a report's cells for a person to look at, blind to what the program said.

    report -> cells that were assessed, by state -> up to an equal number of each state -> CSV to fill in
                                                                                       `-> key beside it (JSON)

Drawn by the digest of seed and cell, so the same report and seed give the same sample on every machine. What the
program said stands in the key alone, with the number of cells in each stratum, which makes the weights.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from literature_review.errors import StoreError, UsageError
from literature_review.files import write_atomically
from literature_review.text.spreadsheet import csv_bytes

STRATA = ("covered", "partial", "rejected", "not_found")
COLUMNS = ("cell", "paper", "title", "sub_requirement", "text", "person", "page", "note")
KEY_SCHEMA = 1


@dataclass(frozen=True)
class SampledCell:
    """`cell`: "c" and 12 hexadecimal digits of paper and sub-requirement (the letter keeps a spreadsheet from
    taking it for a number); `state`: one of STRATA."""

    cell: str
    paper: str
    title: str
    sub_requirement: str
    text: str
    state: str


@dataclass(frozen=True)
class Sample:
    """The cells drawn, in an order that says nothing of their state; `sizes`: state -> cells of it in the report."""

    seed: int
    run_id: str
    sizes: Mapping[str, int]
    cells: tuple[SampledCell, ...]


def draw(report: Mapping[str, Any], cells: int, seed: int) -> Sample:
    """At most `cells` cells, as equal a number from each state as there are. Raises UsageError for a report without
    an assessed cell, and ValueError for `cells` below 1."""
    if cells < 1:
        raise ValueError("a sample needs at least one cell")
    strata = _strata(report)
    if not any(strata.values()):
        raise UsageError("the report has no cell that was assessed: there is nothing to validate")
    quota = _allot({name: len(found) for name, found in strata.items()}, cells)
    drawn = [
        one
        for name, found in strata.items()
        for one in sorted(found, key=lambda one: _digest("draw", seed, one.cell))[: quota[name]]
    ]
    drawn.sort(key=lambda one: _digest("order", seed, one.cell))
    run = report.get("run")
    run_id = str(run.get("run_id", "")) if isinstance(run, Mapping) else ""
    return Sample(seed, run_id, {name: len(found) for name, found in strata.items()}, tuple(drawn))


def write_sample(sample: Sample, path: str) -> str:
    """Write the CSV to fill in, and the key beside it; returns the key's path. Raises UsageError where the file is
    there already (a person may have filled it in), and OSError."""
    if os.path.lexists(path):
        raise UsageError(f"{path} is there already and may hold a person's answers; name another with --to")
    key = key_path(path)
    write_atomically(key, json.dumps({"schema_version": KEY_SCHEMA, **asdict(sample)}, indent=1).encode("ascii"))
    rows = ([getattr(one, name, "") for name in COLUMNS] for one in sample.cells)
    write_atomically(path, csv_bytes(COLUMNS, rows))
    return key


def read_key(path: str) -> Sample:
    """The sample that a CSV was made of, from the key beside it. Raises UsageError where there is none, StoreError
    for one that is damaged or of a newer version."""
    key = key_path(path)
    try:
        with open(key, encoding="ascii") as file:
            data = json.load(file)
        if data["schema_version"] != KEY_SCHEMA:
            raise StoreError(f"{key} is of a version that this program does not know; use a newer program")
        cells = tuple(SampledCell(**row) for row in data["cells"])
        sizes = {name: int(data["sizes"][name]) for name in STRATA}
        if any(one.state not in STRATA for one in cells):
            raise ValueError("an unknown state")
        return Sample(data["seed"], data["run_id"], sizes, cells)
    except OSError as error:
        raise UsageError(
            f"{key} cannot be read ({error.strerror}): it holds what the program said of the cells, and lies beside "
            "the file that `validate sample` wrote"
        ) from error
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise StoreError(f"{key} is damaged; draw the sample again with the same --seed") from error


def key_path(path: str) -> str:
    """Where the key of a CSV lies: `sample.csv` -> `sample.key.json`."""
    return os.path.splitext(path)[0] + ".key.json"


def _strata(report: Mapping[str, Any]) -> dict[str, list[SampledCell]]:
    """The assessed cells by state. Raises UsageError for what is no report of ours."""
    strata: dict[str, list[SampledCell]] = {name: [] for name in STRATA}
    try:
        titles = {paper["id"]: str(paper.get("title") or "") for paper in report["papers"]}
        subs = [
            sub
            for question in report["questions"]
            for requirement in question["requirements"]
            for sub in requirement["sub_requirements"]
        ]
        for sub in subs:
            for cell in sub["cells"]:
                if cell["state"] in strata:
                    name, paper = str(sub["id"]), str(cell["paper"])
                    place = "c" + _digest("cell", name, paper)[:12]
                    title = titles.get(paper, "")
                    strata[cell["state"]].append(
                        SampledCell(place, paper, title, name, str(sub["text"]), cell["state"])
                    )
    except (KeyError, TypeError, AttributeError) as error:
        raise UsageError("the file is no report of this program: name a gap_analysis_report.json") from error
    return strata


def _allot(sizes: Mapping[str, int], cells: int) -> dict[str, int]:
    """How many to draw of each: as equal as their sizes allow, the first names get what does not divide."""
    quota = dict.fromkeys(sizes, 0)
    left = min(cells, sum(sizes.values()))
    while left:
        open_ones = [name for name in sizes if quota[name] < sizes[name]]
        each = max(left // len(open_ones), 1)
        for name in open_ones[:left]:
            more = min(each, sizes[name] - quota[name])
            quota[name] += more
            left -= more
    return quota


def _digest(*parts: object) -> str:
    text: Sequence[str] = [str(part) for part in parts]
    return hashlib.sha256("\x1f".join(text).encode("utf-8", "surrogatepass")).hexdigest()
