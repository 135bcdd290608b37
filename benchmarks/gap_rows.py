"""The rows of the gap map, and what the fits and the tables both need of it: questions that a paper covers and phantoms
that none does, their features, and how well a score tells the one from the other."""

from __future__ import annotations

import random
import re
import sys
from collections import Counter
from collections.abc import Iterable, Sequence
from math import log, sqrt
from pathlib import Path
from typing import NamedTuple

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import evidence_data as ed

from literature_review.llm.offline import EvidenceIndex

MAPPED = 93
"""Papers that the map is measured on; the threshold of coverage is set on the others."""

WORD = re.compile(r"[a-z]{3,}")


class Row(NamedTuple):
    """One requirement of the map: a task, the paper that covers it (None: none does), and real, near or far."""

    task: ed.Task
    owner: str | None
    kind: str


class AnswerSet(NamedTuple):
    """Features of `coverage` for texts and questions, and whether each text answers: what the fit reads. `groups`: the
    text that the question was made for, and the one that was read."""

    groups: list[tuple[str, str]]
    features: list[tuple[float, ...]]
    answered: list[bool]


def _vectors(texts: dict[str, str]) -> dict[str, dict[str, float]]:
    """Unit tf-idf vectors of the texts."""
    counts = {name: Counter(WORD.findall(text.lower())) for name, text in texts.items()}
    seen = Counter(word for words in counts.values() for word in words)
    out = {}
    for name, words in counts.items():
        weights = {w: (1 + log(n)) * log(len(texts) / seen[w]) for w, n in words.items() if seen[w] < len(texts)}
        norm = sqrt(sum(value * value for value in weights.values())) or 1.0
        out[name] = {word: value / norm for word, value in weights.items()}
    return out


def _likeness(one: dict[str, float], other: dict[str, float]) -> float:
    small, large = sorted((one, other), key=len)
    return sum(value * large[word] for word, value in small.items() if word in large)


def rows_of(corpus: ed.Corpus, papers: Sequence[str], seed: int = 0) -> list[Row]:
    """The real questions of `papers` and a near and a far phantom for each."""
    rng = random.Random(seed)
    own: dict[str, list[ed.Task]] = {}
    for task in corpus.tasks:
        if task.text_id in papers:
            own.setdefault(task.text_id, []).append(task)
    vectors = _vectors({name: corpus.texts[name] for name in own})
    rows = []
    for name, tasks in own.items():
        ranked = sorted(
            (other for other in own if other != name), key=lambda o: (-_likeness(vectors[name], vectors[o]), o)
        )
        for task in tasks:
            rows.append(Row(task, name, "real"))
            for kind, pool in (("near", ranked[:3]), ("far", ranked[len(ranked) // 2 :])):
                phantom = _phantom(task, [t for other in pool for t in own[other]], tasks, rng)
                if phantom is not None:
                    rows.append(Row(phantom, None, kind))
    return rows


def _phantom(task: ed.Task, pool: list[ed.Task], own: list[ed.Task], rng: random.Random) -> ed.Task | None:
    """`task` with the outcome of another, one that none of the paper's own questions asks for."""
    asked = [set(WORD.findall(one.parts[0].lower())) for one in own]
    for other in rng.sample(pool, len(pool)):
        words = set(WORD.findall(other.parts[0].lower()))
        if words and not any(words <= mine or mine <= words for mine in asked if mine):
            _, intervention, comparator = task.parts
            question = ed.question_of(other.parts[0], intervention, comparator)
            return ed.Task(
                task.text_id, question, (other.parts[0],), (), task.row, (other.parts[0], intervention, comparator)
            )
    return None


def auroc(positive: Sequence[float], negative: Sequence[float]) -> float:
    """Chance that a positive stands above a negative; ties count half."""
    ordered = sorted([(value, 1) for value in positive] + [(value, 0) for value in negative])
    total, i = 0.0, 0
    below = 0
    while i < len(ordered):
        j = i
        while j < len(ordered) and ordered[j][0] == ordered[i][0]:
            j += 1
        up = sum(flag for _, flag in ordered[i:j])
        total += up * (below + (j - i - up) / 2)
        below += j - i - up
        i = j
    return total / (len(positive) * len(negative)) if positive and negative else float("nan")


def best_threshold(pairs: Iterable[tuple[float, bool]]) -> float:
    """The score from which on cells count as covered, so that F1 is best."""
    ordered = sorted(pairs, reverse=True)
    wanted = sum(hit for _, hit in ordered)
    right, best, at = 0, 0.0, 1.0
    for taken, (value, hit) in enumerate(ordered, 1):
        right += hit
        score = 2 * right / (taken + wanted)
        if score > best and (taken == len(ordered) or ordered[taken][0] < value):
            best, at = score, value
    return at


def trial_answers(corpus: ed.Corpus, maps: Iterable[Sequence[str]], *, keywords: bool) -> AnswerSet:
    """Features of every cell of gap maps over these lists of papers."""
    out = AnswerSet([], [], [])
    for papers in maps:
        rows = rows_of(corpus, papers)
        for name in papers:
            index = EvidenceIndex(corpus.texts[name])
            for row in rows:
                answers = index.answers(row.task.question, row.task.keywords if keywords else ())
                if answers is not None:
                    out.groups.append((row.task.text_id, name))
                    out.features.append(answers)
                    out.answered.append(row.owner == name)
    return out


def contract_answers(data: Path) -> AnswerSet:
    """Features of every contract for every requirement."""
    out = AnswerSet([], [], [])
    for text, tasks in ed.contracts(data, mentioned_only=False).by_text():
        index = EvidenceIndex(text)
        for task in tasks:
            answers = index.answers(task.question)
            if answers is not None:
                out.groups.append((task.text_id, task.text_id))
                out.features.append(answers)
                out.answered.append(bool(task.marked))
    return out
