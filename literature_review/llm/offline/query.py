"""A question as seen from one text: what its words weigh there, and how well each place matches them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import pairwise
from math import log

from .places import Place
from .tokens import content, stems

MOST_WORDS = 400
"""Words of a question that count; a longer one keeps its first."""

MATCHES = (
    "focus", "focus squared", "focus whole", "focus pairs", "focus before", "focus after", "focus head", "focus best",
    "focus best fourth", "focus reported", "focus results", "rest", "rest before", "rest reported", "dense", "numbers",
)  # fmt: skip

ANSWERS = ("best", "best squared", "pairs", "whole", "rest there", "rest whole")
"""Names of what `Query.answers` gives."""


class _Words:
    """Words of one kind (the focus, the rest) with their weights in the text."""

    def __init__(self, terms: Sequence[str], seen: Counter[str], places: int) -> None:
        self.terms = frozenset(terms)
        self.weight = {term: log((places + 1.0) / (seen[term] + 0.5)) + 0.1 for term in terms}
        self.known = sum(self.weight[term] for term in terms if seen[term]) or 1.0
        self.total = sum(self.weight.values()) or 1.0

    def share(self, present: frozenset[str] | set[str]) -> float:
        """The weight of the words present, as a share of those that the text knows."""
        weight = self.weight
        return sum([weight[term] for term in present]) / self.known


class Query:
    """One question to the places of one text. `focused` tells whether keywords say what matters most."""

    def __init__(
        self,
        question: str,
        keywords: Sequence[str],
        places: Sequence[Place],
        short_forms: dict[str, frozenset[str]],
    ) -> None:
        asked = stems(question)
        key = stems(" . ".join(keywords))
        focus, rest = content(key)[:MOST_WORDS], content(asked)[:MOST_WORDS]
        self.focused = bool(focus)
        if not focus:
            focus, key, rest = rest, asked, []
        rest = [word for word in rest if word not in set(focus)]
        self._places = places
        self._stands_for = _stands_for(short_forms, {*focus, *rest})
        wanted = frozenset({*focus, *rest, *self._stands_for})
        self._present = [self._spelt_out(wanted & place.present) for place in places]
        seen: Counter[str] = Counter()
        for found in self._present:
            seen.update(found)
        self._focus, self._rest = _Words(focus, seen, len(places)), _Words(rest, seen, len(places))
        self._pairs = {
            f" {one} {two} "
            for one, two in pairwise(key)
            if one in self._focus.terms or two in self._focus.terms
        }
        self._numbers = frozenset(word for word in focus if word.isdigit())

    def _spelt_out(self, present: frozenset[str]) -> frozenset[str]:
        """The words of the question that are present, short forms read as what they stand for."""
        short = present & self._stands_for.keys()
        for word in short:
            present = present | self._stands_for[word]
        return present

    def matches(self) -> Iterator[tuple[Place, tuple[float, ...]]]:
        """Each place that shares a word with the question, and how it matches (see MATCHES)."""
        focus, rest = self._focus, self._rest
        in_focus = [focus.share(present & focus.terms) for present in self._present]
        in_rest = [rest.share(present & rest.terms) for present in self._present]
        best = max(in_focus, default=0.0) or 1.0
        for i, place in enumerate(self._places):
            share, other = in_focus[i], in_rest[i]
            if not share and not other:
                continue
            present, reports = self._present[i], place.reports
            before = focus.share((self._present[i - 1] - present) & focus.terms) if i else 0.0
            after = in_focus[i + 1] if i + 1 < len(in_focus) else 0.0
            head = focus.share((place.head - present) & focus.terms) if place.head else 0.0
            text = f" {' '.join(place.words)} " if self._pairs and share else ""
            pairs = sum([pair in text for pair in self._pairs]) / len(self._pairs) if text else 0.0
            yield place, (
                share, share * share, 1.0 if share > 0.99 else 0.0, pairs, before, after, head, share / best,
                (share / best) ** 4,
                share * reports, share * (place.part.role == "results"), other, in_rest[i - 1] if i else 0.0,
                other * reports, len(present & focus.terms) / (len(place.present) + 5.0),
                len(present & self._numbers) / (len(self._numbers) or 1),
            )  # fmt: skip

    def answers(self, reporting: float) -> tuple[float, ...]:
        """How far the text as a whole speaks to the question (see ANSWERS); words that it lacks count against it."""
        best, best_at, value = 0.0, -1, 0.0
        focus, rest = self._focus, self._rest
        for i, place in enumerate(self._places):
            value = sum([focus.weight[term] for term in self._present[i] & focus.terms]) / focus.total
            value *= 1.0 - 0.3 * reporting * (1.0 - place.reports)
            if value > best:
                best, best_at = value, i
        if best_at < 0:
            return (0.0,) * len(ANSWERS)
        everywhere = frozenset().union(*self._present)
        whole = sum([focus.weight[term] for term in everywhere & focus.terms]) / focus.total
        text = f" {' '.join(self._places[best_at].words)} "
        pairs = sum([pair in text for pair in self._pairs]) / len(self._pairs) if self._pairs else best
        return (
            best, best * best, pairs, whole,
            sum([rest.weight[term] for term in self._present[best_at] & rest.terms]) / rest.total if rest.terms else best,
            sum([rest.weight[term] for term in everywhere & rest.terms]) / rest.total if rest.terms else whole,
        )  # fmt: skip


def _stands_for(short_forms: dict[str, frozenset[str]], asked: set[str]) -> dict[str, frozenset[str]]:
    """Short forms that speak for words of the question: their long form is asked for, whole."""
    return {short: words & asked for short, words in short_forms.items() if words <= asked}
