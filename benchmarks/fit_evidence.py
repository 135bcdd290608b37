"""Fits the numbers of `literature_review/llm/offline/weights.py` and shows, cross-validated, what they reach.

    /path/to/python benchmarks/fit_evidence.py [--data DIR] [--write]

Ranking: the likelihood that a marked sentence comes first (softmax over the sentences of a text), ridge-penalised on
standardised features; the folds are made of whole papers. Trials are shown with and without their heading lines, so
that nothing leans on headings alone. Texts that report nothing (contracts) have weights of their own; the engine
blends the two by how surely a text reports results. Needs numpy and scipy (they come with scikit-learn).
"""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import evidence_data as ed
import numpy as np
from gap_map import AnswerSet, auroc, best_threshold, contract_answers, rows_of, trial_answers
from scipy.optimize import minimize

from literature_review.llm.offline.index import EvidenceIndex
from literature_review.llm.offline.query import MATCHES

FOLDS = 5
RIDGE = 2.0
COVERAGE_RIDGE = 1.0
Array = Any
WEIGHTS = Path(__file__).resolve().parents[1] / "literature_review" / "llm" / "offline" / "weights.py"


class Asked(NamedTuple):
    """One task as numbers: features of each candidate, whether a marked passage touches it, and whether it is one."""

    text_id: str
    features: Array
    hit: Array
    marked: Array


def asked_of(corpus: ed.Corpus) -> list[Asked]:
    """Every task of `corpus` that has a candidate."""
    out = []
    for text, tasks in corpus.by_text():
        index = EvidenceIndex(text)
        for task in tasks:
            rows = list(index.candidates(task.question, task.keywords))
            if rows:
                spans = [(place.start, place.end) for place, _ in rows]
                hit = np.array([any(a < end and start < b for a, b in task.marked) for start, end in spans], float)
                marked = np.array([ed.covered(span, task.marked) >= 0.5 for span in spans], float)
                out.append(Asked(task.text_id, np.array([features for _, features in rows]), hit, marked))
    return out


def fitted(asked: Sequence[Asked], ridge: float = RIDGE) -> Array:
    """Weights under which a marked sentence most likely comes first."""
    kept = [(one.features, one.marked if one.marked.any() else one.hit) for one in asked if one.hit.any()]
    scale = np.std(np.vstack([features for features, _ in kept]), axis=0) + 0.02
    rows = np.vstack([features for features, _ in kept]) / scale
    sizes = [len(features) for features, _ in kept]
    first = np.r_[0, np.cumsum(sizes)[:-1]]
    label = np.concatenate([label for _, label in kept])
    group = np.repeat(np.arange(len(kept)), sizes)

    def loss(weights: Array) -> tuple[float, Array]:
        score = rows @ weights
        grown = np.exp(score - np.maximum.reduceat(score, first)[group])
        total, right = np.add.reduceat(grown, first), np.add.reduceat(grown * label, first)
        slope = grown * label / right[group] - grown / total[group]
        penalty = ridge * float(weights @ weights)
        return penalty - float(np.log(right / total + 1e-300).sum()), 2 * ridge * weights - rows.T @ slope

    found = minimize(loss, np.zeros(rows.shape[1]), jac=True, method="L-BFGS-B", options={"maxiter": 300})
    return found.x / scale


def reached(asked: Sequence[Asked], weights_for: Callable[[str], Array]) -> dict[str, float]:
    """hit@k, MRR@10 and tight@1 of a ranking."""
    ranks, tight = [], []
    for one in asked:
        order = np.argsort(-(one.features @ weights_for(one.text_id)), kind="stable")
        ranks.append(next((i + 1 for i, at in enumerate(order) if one.hit[at]), 99))
        tight.append(one.marked[order[0]])
    found = np.array(ranks)
    figures = {f"hit@{k}": float((found <= k).mean()) for k in (1, 3, 5, 10)}
    return figures | {"MRR@10": float(np.where(found <= 10, 1 / found, 0).mean()), "tight@1": float(np.mean(tight))}


def cross_validated(train: Sequence[Asked], tests: dict[str, Sequence[Asked]], ridge: float = RIDGE) -> None:
    """Print what each test set reaches with weights that never saw its papers."""
    names = sorted({one.text_id for one in train})
    np.random.RandomState(0).shuffle(names)
    fold = {name: i % FOLDS for i, name in enumerate(names)}
    parts = [fitted([one for one in train if fold[one.text_id] != k], ridge) for k in range(FOLDS)]
    for name, test in tests.items():
        figures = reached(test, lambda text_id: parts[fold[text_id]])
        print(f"{name:32}" + "  ".join(f"{key} {value:.3f}" for key, value in figures.items()), flush=True)


def _logistic(rows: Array, label: Array, ridge: float) -> tuple[Array, float]:
    scale = np.std(rows, axis=0) + 0.02
    design = np.c_[rows / scale, np.ones(len(rows))]

    def loss(w: Array) -> tuple[float, Array]:
        chance = 1 / (1 + np.exp(-np.clip(design @ w, -40, 40)))
        value = -float((label * np.log(chance + 1e-12) + (1 - label) * np.log(1 - chance + 1e-12)).sum())
        penalised = np.r_[w[:-1], 0.0]
        return value + ridge * float(penalised @ penalised), design.T @ (chance - label) + 2 * ridge * penalised

    found = minimize(loss, np.zeros(design.shape[1]), jac=True, method="L-BFGS-B", options={"maxiter": 500})
    return found.x[:-1] / scale, float(found.x[-1])


def _both_ways(corpus: ed.Corpus) -> tuple[list[Asked], list[Asked]]:
    """The tasks of a corpus with and without its heading lines."""
    return asked_of(corpus), asked_of(ed.without_headings(corpus))


def fit_ranking(data: Path) -> dict[str, tuple[Array, Array]]:
    """FOCUSED and OPEN, each (plain, full); prints what they reach on papers they never saw."""
    corpus = ed.trials(data)
    focused, bare = _both_ways(corpus)
    alone, bare_alone = _both_ways(ed.without_keywords(corpus))
    plain = asked_of(ed.contracts(data))
    cross_validated(focused + bare, {"trials, keywords": focused, "the same, headings removed": bare})
    cross_validated(
        alone + bare_alone, {"trials, question alone": alone, "the same, headings removed, alone": bare_alone}
    )
    cross_validated(plain, {"contracts": plain}, 3 * RIDGE)
    open_plain = fitted(plain, 3 * RIDGE)
    # No contract comes with keywords: there the rest of a question counts half of what the keywords do.
    focused_plain = open_plain.copy()
    focused_plain[MATCHES.index("rest")] = 0.5 * open_plain[MATCHES.index("focus")]
    return {
        "FOCUSED": (focused_plain, fitted(focused + bare)),
        "OPEN": (open_plain, fitted(alone + bare_alone)),
    }


def fit_coverage(data: Path) -> dict[str, Array]:
    """The three weight vectors of `coverage`, the bias last; prints the AUROC on groups they never saw."""
    corpus = ed.trials(data)
    papers = sorted(corpus.texts)
    sets = {
        "COVERAGE_FOCUSED": trial_answers(corpus, papers),
        "COVERAGE_OPEN": trial_answers(corpus, papers, keywords=False),
        "COVERAGE_PLAIN": contract_answers(data),
    }
    out = {}
    for name, answers in sets.items():
        rows, label = np.array(answers.features), np.array(answers.answered, float)
        held = _held_out(answers)
        print(f"{name:32}AUROC, cross-validated {auroc(list(held[label > 0]), list(held[label == 0])):.3f}", flush=True)
        weights, bias = _logistic(rows, label, COVERAGE_RIDGE)
        out[name] = np.r_[weights, bias]
    for name, keywords in (("COVERAGE_FOCUSED", True), ("COVERAGE_OPEN", False)):
        out[name][-1] -= _best_cut(corpus, papers[:93], out[name], keywords)
    return out


def _best_cut(corpus: ed.Corpus, papers: Sequence[str], weights: Array, keywords: bool) -> float:
    """The score at which F1 over all cells of a gap map is best: it becomes the engine's 0.5."""
    rows, pairs = rows_of(corpus, papers), []
    for name in papers:
        index = EvidenceIndex(corpus.texts[name])
        for row in rows:
            answers = index.answers(row.task.question, row.task.keywords if keywords else ())
            if answers is not None:
                pairs.append((float(np.dot(weights[:-1], answers) + weights[-1]), row.owner == name))
    return best_threshold(pairs)


def _held_out(answers: AnswerSet) -> Array:
    """The score of every cell by weights that never saw its paper."""
    rows, label = np.array(answers.features), np.array(answers.answered, float)
    names = sorted(set(answers.groups))
    fold = np.array([names.index(name) % FOLDS for name in answers.groups])
    held = np.zeros(len(label))
    for k in range(FOLDS):
        kept = fold != k
        weights, bias = _logistic(rows[kept], label[kept], COVERAGE_RIDGE)
        held[~kept] = rows[~kept] @ weights + bias
    return held


def rewritten(ranking: dict[str, tuple[Array, Array]], coverage: dict[str, Array]) -> str:
    """The text of `weights.py` with the new numbers."""
    text = WEIGHTS.read_text(encoding="utf-8")
    for name, (plain, full) in ranking.items():
        text = _replaced(text, name, f"({_tuple(plain)}, {_tuple(full)})")
    for name, numbers in coverage.items():
        text = _replaced(text, name, _tuple(numbers))
    return text


def _tuple(numbers: Array) -> str:
    return f"({', '.join(f'{value:.3f}' for value in numbers)})"


def _replaced(text: str, name: str, value: str) -> str:
    found = re.search(rf"(?ms)^{name}: ([^=]+?) = .*?(?=^[A-Z\"]|\Z)", text)
    if found is None:
        raise SystemExit(f"{WEIGHTS} has no {name}")
    return f"{text[: found.start()]}{name}: {found.group(1)} = {value}\n{text[found.end() :]}"


def main(argv: list[str] | None = None) -> int:
    """Fit, print, and with --write put the numbers where the engine reads them."""
    given = sys.argv[1:] if argv is None else argv
    data = ed.data_folder([one for one in given if one != "--write"], __doc__ or "")
    text = rewritten(fit_ranking(data), fit_coverage(data))
    if "--write" in given:
        WEIGHTS.write_text(text, encoding="utf-8")
        print(f"{WEIGHTS} written; format it, then look at benchmarks/gap_map.py for COVERED and PARTIAL")
    return 0


if __name__ == "__main__":
    sys.exit(main())
