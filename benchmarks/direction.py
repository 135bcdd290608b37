"""The direction of an effect: what the engine tells beside simpler readings.

    python benchmarks/direction.py [--data DIR]

The marked texts say which passage answers, not in which direction. `direction_labels.txt` holds what one of us read in
the doctors' passages. The words that the engine looks for were settled with the first list in view (`seen`); the
second was read afterwards (`fresh`). Three classes; "unknown" counts as wrong. The passages are found by weights that
never saw their papers (five folds).
"""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import evidence_data as ed
from fit_evidence import collect, fit_engine, fold_of, using, without
from fitting import FOLDS

from literature_review.llm.offline import EvidenceIndex
from literature_review.llm.offline.directions import SHARES, Effect, direction, vote

LABELS = Path(__file__).with_name("direction_labels.txt")
CLASSES = ("increase", "decrease", "no difference")


def labels() -> dict[str, dict[str, str]]:
    """List (seen, fresh) -> id of a question -> its direction; those that the passages do not tell are left out."""
    lists: dict[str, dict[str, str]] = {}
    for line in LABELS.read_text(encoding="utf-8").splitlines():
        if line.startswith("["):
            current = lists.setdefault(line.strip("[]"), {})
        elif line and not line.startswith("#"):
            name, told = line.split(" ", 1)
            if told in CLASSES:
                current[name] = told
    return lists


def macro_f1(right: Sequence[str], told: Sequence[str]) -> float:
    """The mean over the classes of F1."""
    pairs = list(zip(right, told, strict=True))
    total = 0.0
    for name in CLASSES:
        hits = sum(a == b == name for a, b in pairs)
        total += 2 * hits / max(1, sum(a == name for a, _ in pairs) + sum(b == name for _, b in pairs))
    return total / len(CLASSES)


def readings(corpus: ed.Corpus, folds: dict[str, int], fold: int) -> dict[str, dict[str, str]]:
    """Question -> way of reading -> direction, for the texts of one fold."""
    out = {}
    for text, tasks in corpus.by_text():
        if folds[tasks[0].text_id] != fold:
            continue
        index = EvidenceIndex(text)
        for task in tasks:
            effect = Effect(task.question, task.keywords)
            best = [text[span.start : span.end] for span in index.rank(task.question, task.keywords, len(SHARES))]
            own = max(task.marked, key=lambda span: span[1] - span[0])
            out[task.row] = {
                "words alone, best sentence": direction(best[0]) if best else "unknown",
                "engine, best sentence": direction(best[0], effect) if best else "unknown",
                "engine, best three": vote([direction(one, effect) for one in best]),
                "engine, the doctor's own passage": direction(text[own[0] : own[1]], effect),
            }
    return out


def main(argv: list[str] | None = None) -> int:
    """Print a table for each list of labels."""
    data = ed.data_folder(argv, __doc__ or "")
    corpus, collected = ed.trials(data), collect(data)
    folds, told = fold_of(collected), dict[str, dict[str, str]]()
    for fold in range(FOLDS):
        with using(fit_engine(collected, without(folds, fold))):
            told |= readings(corpus, folds, fold)
    for name, right in labels().items():
        print(f"{name}: {len(right)} questions, {dict(Counter(right.values()))}")
        majority = Counter(right.values()).most_common(1)[0][0]
        ways = {"majority": dict.fromkeys(right, majority)}
        ways |= {way: {row: told[row][way] for row in right} for way in next(iter(told.values()))}
        for way, answers in ways.items():
            pairs = [(right[row], answers[row]) for row in right]
            accuracy = sum(a == b for a, b in pairs) / len(pairs)
            unknown = sum(b == "unknown" for _, b in pairs)
            f1 = macro_f1([a for a, _ in pairs], [b for _, b in pairs])
            print(f"  {way:34} accuracy {accuracy:.3f}  macro-F1 {f1:.3f}  unknown {unknown}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
