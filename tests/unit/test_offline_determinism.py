"""The offline engine gives the same figures, to the last bit, in every process."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
ASKED = """
from literature_review.llm.offline import EvidenceIndex
words = (
    "pain score relief dose nausea fatigue placebo aspirin follow trial group arm day sleep mood gait walk knee hip "
    "back head neck hand foot skin lung liver heart brain blood"
).split()
sentences = []
for number in range(1, 300):
    some = [word for at, word in enumerate(words) if number % (at + 2) in (0, 1)]
    sentences.append(f"The {' '.join(some)} was lower (p = 0.0{number % 9 + 1}).")
index = EvidenceIndex(" ".join(sentences))
for shift in range(16):
    focus = (" ".join(words[shift:shift + 14]),)
    question = f"Effect of {' '.join(words)} on {focus[0]}"
    print(repr(index.coverage(question, focus)), [(s.start, repr(s.score)) for s in index.rank(question, focus, 99)])
    print(repr(index.coverage(question)), [(s.start, repr(s.score)) for s in index.rank(question, (), 99)])
"""


def answer(seed: int) -> str:
    run = subprocess.run(
        [sys.executable, "-c", ASKED],
        cwd=ROOT,
        env={**os.environ, "PYTHONHASHSEED": str(seed)},
        capture_output=True,
        text=True,
        check=True,
    )
    return run.stdout


def test_no_figure_depends_on_the_order_of_a_set() -> None:
    """A sum over a set of words comes in another order in each process; rounding must not follow it."""
    answers = {answer(seed) for seed in range(4)}
    assert len(answers) == 1
    assert len(next(iter(answers)).splitlines()) == 32
