"""What a sub-requirement asks, as words: what the engine is asked, and what a passage must name to speak to it."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable
from dataclasses import dataclass

from literature_review.llm.offline.tokens import content, stems
from literature_review.models import SubRequirement

WORDS_OF_A_QUESTION = 4
"""Words beyond its keywords with which a sub-requirement says by itself what is meant."""

_WORD = re.compile(r"[^\W_]+(?:-[^\W_]+)*")
_MOST_NAMED = 5


@dataclass(frozen=True)
class Asked:
    """`question` and `keywords` are for the engine. `words`: (as written, stem) of what a passage should name;
    `phrases`: stems of each keyword, or of each word where there are no keywords."""

    question: str
    keywords: tuple[str, ...]
    by_keywords: bool
    words: tuple[tuple[str, str], ...]
    phrases: tuple[frozenset[str], ...]

    @classmethod
    def of(cls, sub: SubRequirement) -> Asked:
        question, keywords = _with_context(sub)
        words = _named_words(sub.keywords or (sub.text,))
        phrases = [frozenset(content(stems(keyword))) for keyword in sub.keywords]
        if not sub.keywords:
            phrases = [frozenset((stem,)) for _, stem in words]
        return cls(question, keywords, bool(sub.keywords), words, tuple(filter(None, phrases)))

    def share(self, present: Collection[str]) -> float:
        """How much of what was asked for these stems name, 0 to 1; 1 where nothing can be named."""
        shares = [len(phrase.intersection(present)) / len(phrase) for phrase in self.phrases]
        return sum(shares) / len(shares) if shares else 1.0

    def names_whole(self, present: Collection[str], whole_at: float) -> bool:
        """Whether this share of the keywords is named, each at least by half; True where there are none."""
        named = [2 * len(phrase.intersection(present)) >= len(phrase) for phrase in self.phrases]
        return not self.by_keywords or not named or sum(named) >= whole_at * len(named)

    def named(self, present: Collection[str]) -> int:
        return sum(stem in present for _, stem in self.words)

    def missing(self, present: Collection[str]) -> str:
        """The words that are not named, as they were written."""
        words = dict.fromkeys(word for word, stem in self.words if stem not in present)
        return ", ".join(list(words)[:_MOST_NAMED])


def _with_context(sub: SubRequirement) -> tuple[str, tuple[str, ...]]:
    """The question and the keywords for the engine. A text that says little beyond its keywords ("accuracy") is asked
    with what it stands under, as the weaker words; without keywords its own words are then the strong ones."""
    question, keywords = sub.text, sub.keywords
    strong = set(content(stems(" ".join(keywords))))
    for above in (sub.requirement, sub.question):
        if len(set(content(stems(question))) - strong) >= WORDS_OF_A_QUESTION or not above:
            break
        question, keywords = f"{question} . {above}", keywords or (sub.text,)
    return question, keywords


def _named_words(texts: Iterable[str]) -> tuple[tuple[str, str], ...]:
    """The words that matter in `texts`, each with its stem, once."""
    found: dict[str, str] = {}
    for word in _WORD.findall(" ".join(texts)):
        for stem in content(stems(word)):
            found.setdefault(stem, word)
    return tuple((word, stem) for stem, word in found.items())
