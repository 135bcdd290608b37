"""The offline evidence engine: which sentences of a text answer a question, and how surely the text does.

Standard library only, deterministic, no network. `rank_evidence` and `coverage` serve one question to one text;
`EvidenceIndex` reads a text once for many questions. `signs` and `scores` hold the judging helpers.
Importing this package loads nothing of the engine; the first use of a name does.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .index import EvidenceIndex as EvidenceIndex
    from .index import EvidenceSpan as EvidenceSpan
    from .index import Sentence as Sentence
    from .index import coverage as coverage
    from .index import rank_evidence as rank_evidence
    from .weights import COVERED as COVERED
    from .weights import PARTIAL as PARTIAL

_HOME = {
    "COVERED": "weights", "PARTIAL": "weights", "EvidenceIndex": "index", "EvidenceSpan": "index", "Sentence": "index",
    "coverage": "index", "rank_evidence": "index",
}  # fmt: skip

__all__ = ["COVERED", "PARTIAL", "EvidenceIndex", "EvidenceSpan", "Sentence", "coverage", "rank_evidence"]


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(f".{_HOME[name]}", __name__), name)
