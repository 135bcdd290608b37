"""`python -m literature_review validate`: is the gap map true? A person looks at a sample of its cells.

    validate sample    report -> CSV to fill in, and its key
    validate score     the CSV, filled in -> sensitivity, specificity, agreement
"""

from __future__ import annotations

import argparse
import json
import os
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from literature_review.config import load_config
from literature_review.errors import UsageError
from literature_review.files import write_atomically
from literature_review.strict_json import printable
from literature_review.validation.agreement import CONFIDENCE, Estimate
from literature_review.validation.answers import ANSWERS, Comparison, compare, read_answers
from literature_review.validation.sample import STRATA, draw, read_key, write_sample

DEFAULT_CELLS, DEFAULT_FILE = 100, "validation_sample.csv"
_SHOWN_DISAGREEMENTS = 20
_SAID = {"covered": "covered", "partial": "partial", "rejected": "claims rejected", "not_found": "nothing found"}


Write = Callable[[str], None]


def arguments(parser: argparse.ArgumentParser) -> None:
    """What the verb takes."""
    steps = parser.add_subparsers(dest="step", metavar="sample|score", required=True)
    sample = steps.add_parser("sample", help="draw cells of a report and write a CSV for a person to fill in")
    sample.add_argument("--report", metavar="FILE", help="the report (default: that of the output folder)")
    sample.add_argument("--config", metavar="FILE", help="configuration (default: pipeline_config.json here)")
    sample.add_argument("--output-dir", metavar="DIR", help="the output folder, instead of the configuration's")
    sample.add_argument("--cells", type=int, metavar="N", default=DEFAULT_CELLS, help="how many cells to draw")
    sample.add_argument("--seed", type=int, metavar="N", default=1, help="another seed draws other cells")
    sample.add_argument("--to", metavar="FILE", default=DEFAULT_FILE, help="where the CSV goes")
    score = steps.add_parser("score", help="read the CSV back and tell how well program and person agree")
    score.add_argument("file", metavar="FILE", nargs="?", default=DEFAULT_FILE, help="the CSV that was filled in")
    score.add_argument("--to", metavar="FILE", help="write the figures as JSON as well")


def run(arguments: argparse.Namespace, write: Write) -> int:
    """Do what `arguments.step` says; returns the exit code. Raises UsageError, StoreError and OSError."""
    for line in _sample(arguments) if arguments.step == "sample" else _score(arguments):
        write(line)
    return 0


def _sample(options: argparse.Namespace) -> Iterator[str]:
    if not 1 <= options.cells <= 1_000_000:
        raise UsageError(f"--cells: write a number from 1 to 1,000,000, not {options.cells}")
    path = options.report
    if path is None:
        folder = options.output_dir or load_config(options.config).output_dir
        path = os.path.join(folder, "gap_analysis_report.json")
    sample = draw(_report(path), options.cells, options.seed)
    key = write_sample(sample, options.to)
    drawn = {name: sum(cell.state == name for cell in sample.cells) for name in STRATA}
    yield f"{options.to}: {len(sample.cells)} cells to look at, drawn from {sum(sample.sizes.values())}"
    for name in STRATA:
        yield f"  {_SAID[name]}: {drawn[name]} of {sample.sizes[name]}"
    yield f"Write into the column `person` what the paper says to the text: {', '.join(ANSWERS)}."
    yield f"What the program said is in {key}; look at it when you are done."
    yield f"Then: python -m literature_review validate score {options.to}"


def _report(path: str) -> dict[str, Any]:
    try:
        with open(path, encoding="utf-8") as file:
            report = json.load(file)
    except OSError as error:
        raise UsageError(
            f"{printable(path)} cannot be read ({error.strerror}): name the report of a run with --report"
        ) from error
    except (ValueError, RecursionError):
        report = None
    if not isinstance(report, dict):
        raise UsageError(f"{printable(path)} is no report of this program: name a gap_analysis_report.json")
    return report


def _score(options: argparse.Namespace) -> Iterator[str]:
    answers = read_answers(options.file)
    sample = read_key(options.file)
    found = compare(sample, answers)
    if options.to:
        write_atomically(options.to, (json.dumps(found.to_json(), indent=1) + "\n").encode("ascii"))
    yield from _left_out(found, len(sample.cells))
    yield f"{'':16}{'value':>8}{f'{CONFIDENCE:.0%} interval':>18}{'cells':>7}"
    for name, estimate in (
        ("sensitivity", found.sensitivity),
        ("specificity", found.specificity),
        ("precision", found.precision),
        ("negative value", found.negative_value),
        ("kappa", found.kappa),
        ("kappa of three", found.kappa_of_three),
    ):
        yield f"{name:16}{_figures(estimate)}"
    yield "Evidence is `covered` or `partial`; each cell counts for as many as it was drawn from."
    yield from _table(found)
    yield from _disagreements(found)
    if options.to:
        yield f"As data: {options.to}"


def _figures(estimate: Estimate) -> str:
    value = "unknown" if estimate.value is None else f"{estimate.value:.3f}"
    interval = "" if estimate.low is None else f"{estimate.low:.3f} to {estimate.high:.3f}"
    return f"{value:>8}{interval:>18}{estimate.cells:>7}"


def _left_out(found: Comparison, drawn: int) -> Iterator[str]:
    if found.unanswered:
        yield f"{found.unanswered} of {drawn} cells have no answer yet; they are left out"
    if found.unsure:
        yield f"{found.unsure} of {drawn} cells are answered `unsure`; they are left out"
    if found.added:
        rows = "row is no cell" if len(found.added) == 1 else "rows are no cells"
        yield f"{len(found.added)} {rows} of the sample and left out ({_lines(found.added)})"
    if found.moved:
        rows = "row names" if len(found.moved) == 1 else "rows name"
        yield (
            f"{len(found.moved)} {rows} another paper than the cell ({_lines(found.moved)}): was a column sorted "
            "without the others? Then the figures mean nothing"
        )
    if found.without_answers:
        names = ", ".join(_SAID[name] for name in found.without_answers)
        yield f"no cell is answered where the program says: {names}; the figures say nothing of these"


def _lines(lines: Sequence[int]) -> str:
    return "line " + ", ".join(map(str, lines[:10])) + (" ..." if len(lines) > 10 else "")


def _table(found: Comparison) -> Iterator[str]:
    answers = [name for name in ANSWERS if name != "unsure"]
    yield f"{'program / person':16}" + "".join(f"{name:>9}" for name in answers)
    for state in STRATA:
        yield f"{_SAID[state]:16}" + "".join(f"{found.counts.get((state, name), 0):>9}" for name in answers)


def _disagreements(found: Comparison) -> Iterator[str]:
    for cell, answer in found.disagreements[:_SHOWN_DISAGREEMENTS]:
        note = f" ({printable(answer.note)})" if answer.note else ""
        yield (
            f"{printable(cell.paper)}, {printable(cell.sub_requirement)}: the program says {_SAID[cell.state]}, "
            f"the person {answer.person}{note}"
        )
    more = len(found.disagreements) - _SHOWN_DISAGREEMENTS
    if more > 0:
        yield f"and {more} disagreements more; --to FILE writes all of them"
