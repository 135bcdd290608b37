"""Evidence retrieval: offline ranking beside SQLite FTS5, TF-IDF and bm25s (the last two where installed).

    python benchmarks/evidence.py [--data DIR]

hit@k: one of the first k spans overlaps a marked passage. tight@1: at least half of the first span is marked. Peers
rank the same sentences, with the question and its keywords as words; they are given the sentences, the engine finds
them in its own time. The engine's figures here are of texts that its weights were fitted on: those of texts it never
saw are printed by `fit_evidence.py`. The last column is the time in that of FTS5.
"""

from __future__ import annotations

import re
import sqlite3
import sys
import time
from collections.abc import Callable, Iterable
from importlib.util import find_spec
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import evidence_data as ed

from literature_review.llm.offline import EvidenceIndex

Rank = Callable[[str, list[tuple[int, int]], list[ed.Task]], list[list[tuple[int, int]]]]
DEPTH = 10
COLUMNS = ("hit@1", "hit@3", "hit@5", "hit@10", "MRR@10", "tight@1", "ms/text", "x FTS5")


def offline(text: str, places: list[tuple[int, int]], tasks: list[ed.Task]) -> list[list[tuple[int, int]]]:
    index = EvidenceIndex(text)
    return [[(s.start, s.end) for s in index.rank(task.question, task.keywords, DEPTH)] for task in tasks]


def fts5(text: str, places: list[tuple[int, int]], tasks: list[ed.Task]) -> list[list[tuple[int, int]]]:
    base = sqlite3.connect(":memory:")
    base.execute("CREATE VIRTUAL TABLE s USING fts5(body, tokenize='porter')")
    base.executemany("INSERT INTO s(rowid, body) VALUES (?, ?)", ((n, text[a:b]) for n, (a, b) in enumerate(places)))
    found = []
    for task in tasks:
        words = re.findall(r"\w+", " ".join((task.question, *task.keywords)))
        query = " OR ".join(f'"{word}"' for word in words)
        rows = base.execute("SELECT rowid FROM s WHERE s MATCH ? ORDER BY rank LIMIT ?", (query, DEPTH)).fetchall()
        found.append([places[row[0]] for row in rows])
    base.close()
    return found


def tf_idf(text: str, places: list[tuple[int, int]], tasks: list[ed.Task]) -> list[list[tuple[int, int]]]:
    from sklearn.feature_extraction.text import TfidfVectorizer

    vectors = TfidfVectorizer(stop_words="english")
    rows = vectors.fit_transform([text[a:b] for a, b in places])
    asked = vectors.transform([" ".join((task.question, *task.keywords)) for task in tasks])
    return [[places[at] for at in line.argsort()[::-1][:DEPTH]] for line in (asked @ rows.T).toarray()]


def bm25(text: str, places: list[tuple[int, int]], tasks: list[ed.Task]) -> list[list[tuple[int, int]]]:
    import bm25s

    index = bm25s.BM25()
    index.index(bm25s.tokenize([text[a:b] for a, b in places], show_progress=False), show_progress=False)
    asked = bm25s.tokenize([" ".join((task.question, *task.keywords)) for task in tasks], show_progress=False)
    numbers, _ = index.retrieve(asked, k=min(DEPTH, len(places)), show_progress=False)
    return [[places[int(at)] for at in line] for line in numbers]


def share_marked(span: tuple[int, int], marked: Iterable[tuple[int, int]]) -> float:
    """How much of the span is marked by the passage that marks most of it, 0 to 1."""
    start, end = span
    best = max((min(end, stop) - max(start, begin) for begin, stop in marked), default=0)
    return max(best, 0) / max(end - start, 1)


def measure(corpus: ed.Corpus, rank: Rank) -> list[float]:
    """hit@1, 3, 5, 10, MRR@10, tight@1, milliseconds of the processor per text."""
    sums, tasks_seen, texts, spent = [0.0] * 6, 0, 0, 0.0
    for text, tasks in corpus.by_text():
        places = [(s.start, s.end) for s in EvidenceIndex(text).sentences]
        began = time.process_time()
        answers = rank(text, places, tasks)
        spent += time.process_time() - began
        texts += 1
        for task, spans in zip(tasks, answers, strict=True):
            tasks_seen += 1
            first = next((n for n, span in enumerate(spans, 1) if share_marked(span, task.marked) > 0), 0)
            for at, k in enumerate((1, 3, 5, 10)):
                sums[at] += 0 < first <= k
            sums[4] += 1 / first if first else 0
            sums[5] += bool(spans) and share_marked(spans[0], task.marked) >= 0.5
    return [value / tasks_seen for value in sums] + [1000 * spent / texts]


def peers() -> Iterable[tuple[str, Rank]]:
    yield "offline", offline
    yield "SQLite FTS5 (porter)", fts5
    for name, package, rank in (("TF-IDF", "sklearn", tf_idf), ("bm25s", "bm25s", bm25)):
        if find_spec(package) is not None:
            yield name, rank
        else:
            print(f"({name}: the package {package} is not installed: pip install '.[bench]')")


def main(argv: list[str] | None = None) -> int:
    data = ed.data_folder(argv, __doc__ or "")
    trials, contracts = ed.trials(data), ed.contracts(data)
    sets = (
        ("trials, the outcome as keywords", trials),
        ("trials, without keywords", ed.without_keywords(trials)),
        ("trials, heading lines removed", ed.without_headings(trials)),
        ("contracts", contracts),
    )
    methods = list(peers())
    methods.sort(key=lambda method: method[1] is not fts5)  # first: the others' time is shown in its
    for title, corpus in sets:
        print(f"\n{title}: {len(corpus.texts)} texts, {len(corpus.tasks)} questions")
        print(f"{'method':22}" + "".join(f"{name:>9}" for name in COLUMNS))
        beside = 1.0
        for name, rank in methods:
            found = measure(corpus, rank)
            beside = found[-1] if rank is fts5 else beside
            print(f"{name:22}" + "".join(f"{figure:9.3f}" for figure in (*found, found[-1] / beside)), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
