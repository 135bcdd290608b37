"""The fits themselves: numbers in, weights out. Needs numpy and scipy (they come with scikit-learn)."""

from __future__ import annotations

import sys
from collections.abc import Callable, Collection, Sequence
from pathlib import Path
from typing import Any, NamedTuple

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import evidence_data as ed
import numpy as np
from scipy.optimize import minimize

from literature_review.llm.offline.index import EvidenceIndex

FOLDS = 5
RIDGE = 2.0
Array = Any


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


def logistic(rows: Array, label: Array, ridge: float, rising: Collection[int] = ()) -> tuple[Array, float]:
    """Weights and bias under which `label` is likeliest; those at `rising` are kept from being negative."""
    scale, middle = np.std(rows, axis=0) + 0.02, np.mean(rows, axis=0)
    # Round their middle: a column that is always the same would else pull against the bias.
    design = np.c_[(rows - middle) / scale, np.ones(len(rows))]

    def loss(w: Array) -> tuple[float, Array]:
        chance = 1 / (1 + np.exp(-np.clip(design @ w, -40, 40)))
        value = -float((label * np.log(chance + 1e-12) + (1 - label) * np.log(1 - chance + 1e-12)).sum())
        penalised = np.r_[w[:-1], 0.0]
        slope = design.T @ (chance - label) + 2 * ridge * penalised
        # By row, so that the first step does not run into the flat ends of the curve.
        return (value + ridge * float(penalised @ penalised)) / len(rows), slope / len(rows)

    bounds = [(0.0 if at in rising else None, None) for at in range(design.shape[1])]
    options = {"maxiter": 500, "ftol": 1e-12, "gtol": 1e-8}
    start = np.zeros(design.shape[1])
    found = minimize(loss, start, jac=True, method="L-BFGS-B", bounds=bounds, options=options)
    weights = found.x[:-1] / scale
    return weights, float(found.x[-1] - weights @ middle)
