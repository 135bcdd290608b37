"""The marked texts that the evidence benchmarks measure on, and the tasks made of them.

Evidence Inference 2.0 (trials; passages marked by doctors) and ContractNLI (contracts; clauses marked by
lawyers). They are not part of the project: `--data` names the folder that holds `evidence_inference/` and
`contract_nli/`; by default `shared/data` beside the project.
"""

from __future__ import annotations

import argparse
import json
import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass, replace
from html import unescape
from pathlib import Path

Span = tuple[int, int]

ROOT = Path(__file__).resolve().parents[1]
DATA = ROOT.parent / "shared" / "data"


@dataclass(frozen=True)
class Task:
    """One question to one text, with the passages that answer it (none: the text does not)."""

    text_id: str
    question: str
    keywords: tuple[str, ...]
    marked: tuple[Span, ...]
    row: str = ""
    parts: tuple[str, str, str] = ("", "", "")
    choice: str = ""


@dataclass(frozen=True)
class Corpus:
    """Texts by id, and the tasks over them."""

    texts: dict[str, str]
    tasks: tuple[Task, ...]

    def by_text(self) -> Iterator[tuple[str, list[Task]]]:
        """Each text once, with its tasks."""
        grouped: dict[str, list[Task]] = {}
        for task in self.tasks:
            grouped.setdefault(task.text_id, []).append(task)
        for text_id, tasks in grouped.items():
            yield self.texts[text_id], tasks


def question_of(outcome: str, intervention: str, comparator: str) -> str:
    """The question that a reviewer would ask for the three parts of a prompt."""
    return f"What is the effect of {intervention} compared with {comparator} on {outcome}?"


def trials(data: Path) -> Corpus:
    """Evidence Inference: one task a prompt; the outcome is the keywords."""
    folder = data / "evidence_inference"
    texts: dict[str, str] = {}
    tasks = []
    for line in (folder / "questions.jsonl").read_text(encoding="utf-8").splitlines():
        row = json.loads(line)
        parts = tuple(unescape(row[name]).strip() for name in ("outcome", "intervention", "comparator"))
        paper = row["paper"]
        if paper not in texts:
            texts[paper] = (folder / paper).read_bytes().decode("utf-8")
        marked = tuple((start, end) for start, end in row["spans"])
        outcome, intervention, comparator = parts
        question = question_of(outcome, intervention, comparator)
        tasks.append(Task(paper, question, (outcome,), marked, row["id"], (outcome, intervention, comparator)))
    return Corpus(texts, tuple(tasks))


def contracts(data: Path, *, mentioned_only: bool = True) -> Corpus:
    """ContractNLI: each requirement is the question; its evidence, the marked passages."""
    folder = data / "contract_nli"
    requirements = json.loads((folder / "requirements.json").read_text(encoding="utf-8"))
    texts, tasks = {}, []
    for line in (folder / "documents.jsonl").read_text(encoding="utf-8").splitlines():
        row = json.loads(line)
        text_id = str(row["id"])
        texts[text_id] = row["text"]
        for name, answer in row["answers"].items():
            marked = tuple((row["spans"][i][0], row["spans"][i][1]) for i in answer["spans"])
            if marked or not mentioned_only:
                tasks.append(Task(text_id, requirements[name], (), marked, name, choice=answer["choice"]))
    return Corpus(texts, tuple(tasks))


def without_keywords(corpus: Corpus) -> Corpus:
    """The same tasks, the question alone."""
    return Corpus(corpus.texts, tuple(replace(task, keywords=()) for task in corpus.tasks))


_HEADING = re.compile(r"(?m)^(?:TITLE|ABSTRACT|BODY)\b[^\n]*\n")


def without_headings(corpus: Corpus) -> Corpus:
    """The same texts with every heading line taken out, the marked passages moved along."""
    texts, cuts = {}, {}
    for text_id, text in corpus.texts.items():
        cuts[text_id] = [found.span() for found in _HEADING.finditer(text)]
        texts[text_id] = _HEADING.sub("", text)

    def moved(text_id: str, at: int) -> int:
        return at - sum(min(end, at) - start for start, end in cuts[text_id] if start < at)

    tasks = (
        replace(task, marked=tuple((moved(task.text_id, a), moved(task.text_id, b)) for a, b in task.marked))
        for task in corpus.tasks
    )
    return Corpus(texts, tuple(tasks))


def covered(span: Span, marked: tuple[Span, ...]) -> float:
    """The share of `span` that is marked."""
    total, last = 0, span[0]
    for start, end in sorted(marked):
        low, high = max(start, last), min(end, span[1])
        if high > low:
            total, last = total + high - low, high
    return total / max(1, span[1] - span[0])


def data_folder(argv: list[str] | None, description: str) -> Path:
    """The folder that `--data` names; ends the program with a clear word where it is missing."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--data", type=Path, default=DATA, help=f"folder with the marked texts (default: {DATA})")
    data: Path = parser.parse_args(argv).data
    missing = [name for name in ("evidence_inference", "contract_nli") if not (data / name).is_dir()]
    if missing:
        sys.exit(f"No marked texts: {' and '.join(missing)} not found in {data}. Name their folder with --data DIR.")
    return data
