"""Fits the numbers of `literature_review/llm/offline/weights.py` and shows, cross-validated, what they reach.

    python benchmarks/fit_evidence.py [--data DIR] [--write]

Ranking: the likelihood that a marked sentence comes first (softmax over the sentences of a text), ridge-penalised on
standardised features. Coverage and judge: logistic. Trials are shown with and without their heading lines, so that
nothing leans on headings alone. Texts that report nothing (contracts) have weights of their own; the engine blends the
two by how surely a text reports results. The folds are made of whole texts; `benchmarks/judging.py` shows what the
judge reaches on texts that none of its numbers, ranking and coverage among them, has seen.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from math import log
from pathlib import Path
from textwrap import wrap
from typing import NamedTuple

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import evidence_data as ed
import numpy as np
from fitting import FOLDS, RIDGE, Array, Asked, asked_of, cross_validated, fitted, logistic
from gap_rows import MAPPED, AnswerSet, auroc, best_threshold, contract_answers, rows_of, trial_answers

from literature_review.llm.offline import index as engine
from literature_review.llm.offline import judging as judge
from literature_review.llm.offline import weights as shipped
from literature_review.llm.offline.query import ANSWERS, MATCHES
from literature_review.llm.offline_reading import PaperReading
from literature_review.llm.offline_thresholds import Thresholds
from literature_review.models import Document, SubRequirement

COVERAGE_RIDGE = 1.0
RISING = range(len(ANSWERS))
"""All that coverage reads speaks for an answer: none of it ever lowers coverage, whatever else is asked."""

JUDGE_RIDGE = 1.0
MOST_CLAIMS = 3
WEIGHTS = Path(shipped.__file__ or "")
Numbers = dict[str, Array | tuple[Array, Array]]
Rows = Sequence[tuple[str, Sequence[tuple[ed.Task, bool]]]]
"""Texts by id, each with its tasks and whether it answers them."""


class Collected(NamedTuple):
    """Everything that ranking and coverage are fitted on, read once: no fitted number has a part in it."""

    ranking: dict[str, list[Asked]]
    answers: dict[str, AnswerSet]


class Passages(NamedTuple):
    """The first passages of each question that the judge reads: their question, features, and whether marked."""

    question: list[tuple[str, int]]
    features: list[tuple[float, ...]]
    marked: list[bool]
    answered: dict[tuple[str, int], bool]


def collect(data: Path) -> Collected:
    """Read both development sets."""
    corpus = ed.trials(data)
    papers = sorted(corpus.texts)
    ranking = {"contracts": asked_of(ed.contracts(data))}
    for name, one in (("keywords", corpus), ("question alone", ed.without_keywords(corpus))):
        ranking[name] = asked_of(one)
        ranking[f"{name}, headings removed"] = asked_of(ed.without_headings(one))
    halves = papers[:MAPPED], papers[MAPPED:]
    answers = {
        "COVERAGE_FOCUSED": trial_answers(corpus, halves, keywords=True),
        "COVERAGE_OPEN": trial_answers(corpus, halves, keywords=False),
        "COVERAGE_PLAIN": contract_answers(data),
    }
    return Collected(ranking, answers)


def fit_engine(collected: Collected, keep: Callable[[str], bool] = bool) -> Numbers:
    """Weights of ranking and coverage from the texts that `keep` takes."""
    asked = {name: [one for one in ones if keep(one.text_id)] for name, ones in collected.ranking.items()}
    open_plain = fitted(asked["contracts"], 3 * RIDGE)
    # No contract comes with keywords: there the rest of a question counts half of what the keywords do.
    focused_plain = open_plain.copy()
    focused_plain[MATCHES.index("rest")] = 0.5 * open_plain[MATCHES.index("focus")]
    out: Numbers = {
        "FOCUSED": (focused_plain, fitted(asked["keywords"] + asked["keywords, headings removed"])),
        "OPEN": (open_plain, fitted(asked["question alone"] + asked["question alone, headings removed"])),
    }
    for name, answers in collected.answers.items():
        kept = np.array([all(map(keep, group)) for group in answers.groups])
        rows, label = np.array(answers.features)[kept], np.array(answers.answered, float)[kept]
        weights, _ = logistic(rows, label, COVERAGE_RIDGE, RISING)
        # The score at which F1 over all cells is best becomes the engine's 0.5.
        out[name] = np.r_[weights, -best_threshold(zip((rows @ weights).tolist(), (label > 0).tolist(), strict=True))]
    return out


@contextmanager
def using(numbers: Mapping[str, Array | tuple[Array, Array]]) -> Iterator[None]:
    """The engine with these numbers in place of its own."""
    before = {name: getattr(shipped, name) for name in numbers}
    plain = {
        name: tuple(map(tuple, value)) if isinstance(value, tuple) else tuple(value) for name, value in numbers.items()
    }
    try:
        vars(shipped).update(plain)
        engine.blended.cache_clear()
        yield
    finally:
        vars(shipped).update(before)
        engine.blended.cache_clear()


def passages_of(texts: Mapping[str, str], rows: Rows) -> Passages:
    """The first passages of every question, those left out that the judge turns down for what they do."""
    out = Passages([], [], [], {})
    for name, tasks in rows:
        reading = PaperReading(Document(texts[name]), Thresholds.from_settings({}))
        for number, (task, answered) in enumerate(tasks):
            answer = reading.answer(SubRequirement(str(number), task.question, task.keywords))
            out.answered[name, number] = answered
            for _, start, end in answer.spans[: judge.FIRST]:
                if not reading.against(start, end):
                    out.question.append((name, number))
                    out.features.append(reading.features(answer, start, end))
                    out.marked.append(any(a < end and start < b for a, b in task.marked))
    return out


def fit_judge(passages: Passages) -> Array:
    """The weights of the judge, the bias last, so that approving from 0.5 on is best: the mean of the share of answered
    questions with an approved passage that is marked and of the share of others with none."""
    rows, label = np.array(passages.features), np.array(passages.marked, float)
    weights, bias = logistic(rows, label, JUDGE_RIDGE, range(judge.RISING))
    scores = rows @ weights + bias
    return np.r_[weights, bias - _best_cut(passages, scores)]


def _best_cut(passages: Passages, scores: Array) -> float:
    """The score from which on approving is best, in steps of a hundredth of a chance."""
    found: dict[tuple[str, int], list[tuple[float, bool]]] = {question: [] for question in passages.answered}
    for question, score, marked in zip(passages.question, scores, passages.marked, strict=True):
        found[question].append((float(score), marked))
    best, at = 0.0, 0.0
    for step in range(5, 60):
        cut = log(step / (100 - step))
        right: dict[bool, list[bool]] = {True: [], False: []}
        for question, ones in found.items():
            taken = [marked for score, marked in sorted(ones, reverse=True)[:MOST_CLAIMS] if score >= cut]
            answered = passages.answered[question]
            right[answered].append(any(taken) if answered else not taken)
        value = float(np.mean(right[True]) + np.mean(right[False]))
        if value > best:
            best, at = value, cut
    return at


def judge_rows(data: Path) -> dict[str, tuple[Mapping[str, str], Rows]]:
    """What each of the judge's three fits reads: real questions and phantoms, and all requirements of contracts."""
    corpus, contracts = ed.trials(data), ed.contracts(data, mentioned_only=False)
    tasks = [(row.task, row.owner is not None) for row in rows_of(corpus, sorted(corpus.texts))]
    bare = ed.without_keywords(ed.Corpus(corpus.texts, tuple(task for task, _ in tasks))).tasks
    return {
        "JUDGE_FOCUSED": (corpus.texts, _by_text(tasks)),
        "JUDGE_OPEN": (corpus.texts, _by_text([(task, real) for task, (_, real) in zip(bare, tasks, strict=True)])),
        "JUDGE_PLAIN": (contracts.texts, _by_text([(task, bool(task.marked)) for task in contracts.tasks])),
    }


def _by_text(tasks: Sequence[tuple[ed.Task, bool]]) -> Rows:
    grouped: dict[str, list[tuple[ed.Task, bool]]] = {}
    for task, answered in tasks:
        grouped.setdefault(task.text_id, []).append((task, answered))
    return list(grouped.items())


def fit_all(
    collected: Collected, sets: Mapping[str, tuple[Mapping[str, str], Rows]], keep: Callable[[str], bool] = bool
) -> Numbers:
    """All numbers of `weights.py` from the texts that `keep` takes."""
    numbers = fit_engine(collected, keep)
    with using(numbers):
        for name, (texts, rows) in sets.items():
            numbers[name] = fit_judge(passages_of(texts, [one for one in rows if keep(one[0])]))
    return numbers


def fold_of(collected: Collected) -> dict[str, int]:
    """Text -> number of its fold; texts of each kind are spread evenly."""
    folds: dict[str, int] = {}
    for kind in ("keywords", "contracts"):
        names = sorted({one.text_id for one in collected.ranking[kind]})
        np.random.RandomState(0).shuffle(names)
        folds.update({name: number % FOLDS for number, name in enumerate(names)})
    return folds


def without(folds: Mapping[str, int], fold: int) -> Callable[[str], bool]:
    """Takes the texts of all folds but this one."""
    return lambda name: folds[name] != fold


def show(collected: Collected) -> None:
    """What ranking and coverage reach on texts that their weights never saw."""
    for kind in ("keywords", "question alone"):
        bare = f"{kind}, headings removed"
        tests: dict[str, Sequence[Asked]] = {f"trials, {name}": collected.ranking[name] for name in (kind, bare)}
        cross_validated(collected.ranking[kind] + collected.ranking[bare], tests)
    cross_validated(collected.ranking["contracts"], {"contracts": collected.ranking["contracts"]}, 3 * RIDGE)
    for name, answers in collected.answers.items():
        held, label = _held_out(answers), np.array(answers.answered)
        print(f"{name:40}AUROC {auroc(list(held[label]), list(held[~label])):.3f}", flush=True)


def _held_out(answers: AnswerSet) -> Array:
    """The score of every cell by weights that never saw its paper."""
    rows, label = np.array(answers.features), np.array(answers.answered, float)
    names = sorted({asker for asker, _ in answers.groups})
    fold = np.array([names.index(asker) % FOLDS for asker, _ in answers.groups])
    held = np.zeros(len(label))
    for k in range(FOLDS):
        kept = fold != k
        weights, bias = logistic(rows[kept], label[kept], COVERAGE_RIDGE, RISING)
        held[~kept] = rows[~kept] @ weights + bias
    return held


def rewritten(numbers: Numbers) -> str:
    """The text of `weights.py` with the new numbers."""
    text = WEIGHTS.read_text(encoding="utf-8")
    for name, value in numbers.items():
        both = isinstance(value, tuple)
        text = _replaced(text, name, f"({_tuple(value[0])}, {_tuple(value[1])})" if both else _tuple(value))
    return text


def _tuple(numbers: Array) -> str:
    return f"({', '.join(f'{value:.3f}' for value in numbers)})"


def _replaced(text: str, name: str, value: str) -> str:
    found = re.search(rf"(?ms)^{name}: ([^=]+?) = .*?(?=^[A-Z\"]|\Z)", text)
    if found is None:
        raise SystemExit(f"{WEIGHTS} has no {name}")
    line = "\n".join(wrap(f"{name}: {found.group(1)} = {value}", 118, subsequent_indent="    ", break_on_hyphens=False))
    return f"{text[: found.start()]}{line}\n{text[found.end() :]}"


def main(argv: list[str] | None = None) -> int:
    """Fit, print, and with --write put the numbers where the engine reads them."""
    given = sys.argv[1:] if argv is None else argv
    data = ed.data_folder([one for one in given if one != "--write"], __doc__ or "")
    collected = collect(data)
    show(collected)
    numbers = fit_all(collected, judge_rows(data))
    for name in ("JUDGE_FOCUSED", "JUDGE_OPEN", "JUDGE_PLAIN"):
        print(name, dict(zip((*judge.FEATURES, "bias"), np.round(numbers[name], 2).tolist(), strict=True)))
    if "--write" in given:
        WEIGHTS.write_text(rewritten(numbers), encoding="utf-8")
        print(f"{WEIGHTS} written; format it, then look at benchmarks/gap_map.py and benchmarks/judging.py")
    return 0


if __name__ == "__main__":
    sys.exit(main())
