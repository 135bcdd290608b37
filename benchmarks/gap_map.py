"""Which paper covers which requirement: the engine's `coverage` beside simpler measures.

Rows are real questions, which their own paper covers, and phantoms that no paper covers: the same intervention with the
outcome of another paper, of the most similar one (near) or of a dissimilar one (far). Reported: AUROC of a real
question against its own phantoms in the same paper; F1 over all cells (paper x row) at the engine's threshold; balanced
accuracy of "some paper covers this row"; how often the own paper ranks first. For contracts: AUROC of mentioned against
not mentioned, within each requirement. The numbers never saw the papers of the map, nor the contracts of their fold;
`--fitted` shows those as shipped.
"""

from __future__ import annotations

import sys
import time
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import evidence_data as ed
from fit_evidence import collect, fit_engine, fold_of, using, without
from gap_rows import MAPPED, WORD, Row, auroc, best_threshold, rows_of

from literature_review.llm.offline import COVERED, EvidenceIndex


def figures(rows: Sequence[Row], cells: dict[str, list[float]], threshold: float | None) -> dict[str, float]:
    """The figures of a map: `cells` holds each paper's score of each row. Without a threshold, the best one for F1."""
    own = [cells[row.task.text_id][i] for i, row in enumerate(rows)]
    real = [value for value, row in zip(own, rows, strict=True) if row.kind == "real"]
    out = {}
    for kind in ("near", "far"):
        out[kind] = auroc(real, [value for value, row in zip(own, rows, strict=True) if row.kind == kind])
    pairs = [
        (value, row.owner == name) for name, values in cells.items() for value, row in zip(values, rows, strict=True)
    ]
    if threshold is None:
        threshold = best_threshold(pairs)
    right = sum(hit for value, hit in pairs if value >= threshold)
    out["F1"] = 2 * right / (sum(value >= threshold for value, _ in pairs) + len(real))
    top = [max(values[i] for values in cells.values()) for i in range(len(rows))]
    found = [value >= threshold for value in top]
    yes = [flag for flag, row in zip(found, rows, strict=True) if row.owner]
    no = [not flag for flag, row in zip(found, rows, strict=True) if not row.owner]
    out["gap rows"] = (sum(yes) / len(yes) + sum(no) / len(no)) / 2
    first = [cells[row.owner][i] >= top[i] for i, row in enumerate(rows) if row.owner]
    return out | {"r@1": sum(first) / len(first), "threshold": threshold}


def _cells(corpus: ed.Corpus, papers: Sequence[str], rows: Sequence[Row], keywords: bool) -> dict[str, list[float]]:
    cells = {}
    for name in papers:
        index = EvidenceIndex(corpus.texts[name])
        cells[name] = [index.coverage(row.task.question, row.task.keywords if keywords else ()) for row in rows]
    return cells


def _share_cells(corpus: ed.Corpus, papers: Sequence[str], rows: Sequence[Row]) -> dict[str, list[float]]:
    """The plain peer: the share of the question's words that the paper has anywhere."""
    asked = [set(WORD.findall(row.task.question.lower())) for row in rows]
    cells = {}
    for name in papers:
        words = set(WORD.findall(corpus.texts[name].lower()))
        cells[name] = [len(one & words) / max(1, len(one)) for one in asked]
    return cells


ContractScores = dict[str, tuple[list[float], list[float]]]


def score_contracts(data: Path, scores: ContractScores, taken: Callable[[str], bool] = bool) -> None:
    """Add the coverage of the contracts that `taken` takes to `scores`: requirement -> (mentioned, not mentioned)."""
    for text, tasks in ed.contracts(data, mentioned_only=False).by_text():
        if not taken(tasks[0].text_id):
            continue
        index = EvidenceIndex(text)
        for task in tasks:
            scores.setdefault(task.row, ([], []))[0 if task.marked else 1].append(index.coverage(task.question))


def within_requirements(scores: ContractScores) -> float:
    """The mean over the requirements of the AUROC mentioned against not mentioned."""
    each = [auroc(*both) for both in scores.values() if both[0] and both[1]]
    return sum(each) / len(each)


def _shown(name: str, numbers: dict[str, float], seconds: float) -> None:
    print(f"{name:44}" + "  ".join(f"{key} {value:.3f}" for key, value in numbers.items()) + f"  {seconds:.1f} s")


def _tables(corpus: ed.Corpus, papers: Sequence[str], rows: Sequence[Row]) -> None:
    for keywords in (True, False):
        begun = time.perf_counter()
        cells = _cells(corpus, papers, rows, keywords)
        name = f"coverage, {'outcome as keywords' if keywords else 'question alone'}"
        _shown(f"{name}, own threshold", figures(rows, cells, COVERED), time.perf_counter() - begun)
        _shown(f"{name}, best threshold", figures(rows, cells, None), 0.0)
    begun = time.perf_counter()
    shares = _share_cells(corpus, papers, rows)
    _shown("share of question words, whole paper", figures(rows, shares, None), time.perf_counter() - begun)


def _held_out(
    data: Path, corpus: ed.Corpus, papers: Sequence[str], rows: Sequence[Row], scores: ContractScores
) -> None:
    """The map by numbers from the other trials, and the contracts by numbers from the other folds."""
    collected, unseen = collect(data), frozenset(papers)
    folds = fold_of(collected)
    with using(fit_engine(collected, lambda name: name not in unseen)):
        _tables(corpus, papers, rows)
    for fold in sorted(set(folds.values())):
        with using(fit_engine(collected, without(folds, fold))):
            score_contracts(data, scores, _of_fold(folds, fold))


def _of_fold(folds: dict[str, int], fold: int) -> Callable[[str], bool]:
    return lambda name: folds[name] == fold


def main(argv: list[str] | None = None) -> int:
    """Print the table."""
    given = sys.argv[1:] if argv is None else argv
    data = ed.data_folder([one for one in given if one != "--fitted"], __doc__ or "")
    corpus = ed.trials(data)
    papers = sorted(corpus.texts)[:MAPPED]
    rows = rows_of(corpus, papers)
    scores: ContractScores = {}
    print(f"{len(papers)} papers x {len(rows)} rows: {dict(Counter(row.kind for row in rows))}")
    if "--fitted" in given:
        _tables(corpus, papers, rows)
        score_contracts(data, scores)
    else:
        _held_out(data, corpus, papers, rows, scores)
    print(f"contracts, AUROC mentioned / not mentioned within a requirement: {within_requirements(scores):.3f}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
