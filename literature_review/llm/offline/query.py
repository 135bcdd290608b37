"""A question as seen from one text: what its words weigh there, and how well each place matches them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from itertools import chain, pairwise, zip_longest
from math import fsum, log

from .places import FLAGS, Place
from .synonyms import SYNONYMS
from .tokens import content, stem_set, stems

MOST_WORDS = 400
"""Words of a question that count; a longer one keeps its first."""

MATCHES = (
    "focus", "focus squared", "focus whole", "focus pairs", "focus before", "focus head", "focus best",
    "focus reported", "focus results", "focus planned", "focus near", "rest", "rest reported", "dense",
)  # fmt: skip
"""Names of what `Query.matches` gives for a place."""

ANSWERS = (
    "told", "told squared", "anywhere", "pairs there", "pairs anywhere", "whole", "whole squared", "has",
    "rest there",
    "rest whole", "told and rest",
)  # fmt: skip
"""Names of what `Query.answers` gives for a text. "anywhere": in three sentences on end, as a clause and what leads to
it."""

_LIGHT = stem_set(
    "mean median change changes score scores rate rates level levels incidence number percentage proportion"
    " total overall"
    " time day days week weeks month months year years hour hours minute minutes patient patients"
    " participant participants"
    " subject subjects group groups difference improvement reduction increase decrease value values measure measures"
    " baseline treatment outcome result results method methods study studies another risk frequency"
    " occurrence ratio index significant significantly concentration"
)
"""Words that many outcomes share: they tell little of which one is meant."""

_PLANNED = 1 << FLAGS.index("planned")


class _Words:
    """Words of one kind (the focus, the rest) with their weights in the text.

    Weights of a set are added by `fsum`: a set has another order in each process, and rounding would follow it.
    """

    def __init__(self, terms: Sequence[str], seen: Mapping[str, int], places: int) -> None:
        self.terms = frozenset(terms)
        self.weight = {term: log((places + 1.0) / (seen.get(term, 0) + 0.5)) + 0.1 for term in terms}
        self.known = sum([self.weight[term] for term in terms if term in seen]) or 1.0
        self.lacking = log((places + 1.0) / 1.5) + 0.1
        self._shares: dict[frozenset[str], float] = {}  # many places have the same words of a question

    def share(self, present: frozenset[str]) -> float:
        """The weight of the words present, as a share of those that the text knows."""
        share = self._shares.get(present)
        if share is None:
            weight = self.weight
            share = self._shares[present] = fsum([weight[term] for term in present]) / self.known
        return share


class Query:
    """One question to the places of one text. `focused` tells whether keywords say what matters most; `exact`: a
    synonym does not speak for a word."""

    def __init__(
        self,
        question: str,
        keywords: Sequence[str],
        places: Sequence[Place],
        short_forms: dict[str, frozenset[str]],
        exact: bool = False,
    ) -> None:
        asked = stems(question)
        focus, rest = content(stems(" . ".join(keywords)))[:MOST_WORDS], content(asked)[:MOST_WORDS]
        self.focused = bool(focus)
        if not focus:
            focus, rest = rest, []
        rest = [word for word in rest if word not in set(focus)]
        self._places = places
        self._stands_for = _stands_for(short_forms, {*focus, *rest}, {} if exact else SYNONYMS)
        wanted = frozenset({*focus, *rest, *self._stands_for})
        self._present = [wanted & place.present for place in places]
        if self._stands_for:
            others = frozenset(self._stands_for)
            self._present = [
                present if present.isdisjoint(others) else self._spelt_out(present, others) for present in self._present
            ]
        self._seen = seen = Counter(chain.from_iterable(self._present))
        self._focus, self._rest = _Words(focus, seen, len(places)), _Words(rest, seen, len(places))
        runs = [stems(keyword) for keyword in keywords] if self.focused else [asked]
        self._pairs = dict.fromkeys(
            (one, two)
            for run in runs
            for one, two in pairwise(run)
            if one in self._focus.terms or two in self._focus.terms
        )
        self._pairs_of: dict[str, list[tuple[str, str]]] = {}
        for one, two in self._pairs:  # under a word of the focus: a place looks at the pairs of its own words alone
            self._pairs_of.setdefault(one if one in self._focus.terms else two, []).append((one, two))

    def _spelt_out(self, present: frozenset[str], others: frozenset[str]) -> frozenset[str]:
        """The words of the question that are present, short forms and synonyms read as what they stand for."""
        for word in present & others:
            present = present | self._stands_for[word]
        return present

    def _pairs_in(self, place: Place, named: frozenset[str], apart: float = 0.0) -> float:
        """The share of the neighbouring words of the focus that stand side by side in a place too.

        `named`: the words of the focus that it has. A pair whose words are not side by side counts `apart`.
        """
        present, pairs_of = place.present, self._pairs_of
        near = [
            pair
            for word in named
            if word in pairs_of
            for pair in pairs_of[word]
            if pair[0] in present and pair[1] in present
        ]
        if not near:
            return 0.0
        text = f" {' '.join(place.words)} "
        return sum([1.0 if f" {one} {two} " in text else apart for one, two in near]) / len(self._pairs)

    def matches(self) -> Iterator[tuple[Place, tuple[float, ...]]]:
        """Each place that shares a word with the question, and how it matches (see MATCHES)."""
        focus, rest = self._focus, self._rest
        terms, others = focus.terms, rest.terms
        # Many places have the same words of a question: each set of them is weighed once.
        found = {
            present: (present & terms, focus.share(present & terms), rest.share(present & others))
            for present in set(self._present)
        }
        best = max([share for _, share, _ in found.values()], default=0.0) or 1.0
        before: frozenset[str] = frozenset()
        for place, present in zip(self._places, self._present, strict=True):
            there, share, other = found[present]
            if share or other:
                reports, missed, near = place.reports, before - there, there & place.told
                head = (place.head & terms) - there
                yield place, (
                    share, share * share, 1.0 if share > 0.99 else 0.0,
                    self._pairs_in(place, there) if share and self._pairs else 0.0,
                    focus.share(missed) if missed else 0.0, focus.share(head) if head else 0.0, share / best,
                    share * reports, share if place.part.role == "results" else 0.0,
                    share if place.flags & _PLANNED else 0.0, focus.share(near) if near else 0.0,
                    other, other * reports,
                    len(there) / (len(place.present) + 5.0),
                )  # fmt: skip
            before = there

    def answers(self) -> tuple[float, ...] | None:
        """How far the text as a whole speaks to the question (see ANSWERS), words that it lacks counted against it.

        None where it has none of the words.
        """
        weigh = self._weigh(self._focus)
        total = sum(weigh.values())
        found = [present & self._focus.terms for present in self._present]
        told, told_at = 0.0, -1
        for i, there in enumerate(found):
            if there:
                share = fsum([weigh[term] for term in there]) * (0.7 + 0.3 * self._places[i].reports)
                if share > told:
                    told, told_at = share, i
        if told_at < 0:
            return None
        on_end = zip_longest(found, found[1:], found[2:], fillvalue=frozenset[str]())
        windows = {one | two | three for one, two, three in on_end}
        anywhere = max([fsum([weigh[term] for term in window]) for window in windows]) / total
        told /= total
        whole = sum([weight for term, weight in weigh.items() if term in self._seen]) / total
        has = sum([term in self._seen for term in weigh]) / len(weigh)
        pairs = near = told
        if self._pairs:
            pairs = self._pairs_in(self._places[told_at], self._present[told_at], 0.5)
            terms = self._focus.terms
            near = max([self._pairs_in(place, terms & place.present, 0.5) for place in self._nearest(told_at)])
        rest = self._weigh(self._rest, light=0.0)  # what all questions share does not tell which study is meant
        # A rest of few or common words says little: it counts as present by half the weight of one unknown word.
        known = 0.5 * self._rest.lacking
        every = sum(rest.values()) + known
        rest_there = (fsum([rest[term] for term in self._present[told_at] if term in rest]) + known) / every
        rest_whole = (sum([weight for term, weight in rest.items() if term in self._seen]) + known) / every
        return (
            told, told * told, anywhere, pairs, near, whole, whole * whole, has, rest_there, rest_whole,
            told * rest_whole,
        )  # fmt: skip

    def _nearest(self, at: int) -> list[Place]:
        """The places that have at least two words of the focus, the one at `at` among them; at most forty."""
        terms = self._focus.terms
        found = [place for place, present in zip(self._places, self._present, strict=True) if len(present & terms) > 1]
        return [*found[:40], self._places[at]]

    def _weigh(self, words: _Words, light: float = 0.4) -> dict[str, float]:
        """Weights that do not favour words the text lacks over rare ones it has; words that all outcomes share count
        `light` of theirs."""
        most = words.lacking
        return {term: min(weight, most) * (light if term in _LIGHT else 1.0) for term, weight in words.weight.items()}


def _stands_for(
    short_forms: dict[str, frozenset[str]], asked: set[str], synonyms: dict[str, frozenset[str]]
) -> dict[str, frozenset[str]]:
    """Other words that speak for words of the question: synonyms, and short forms whose long form is asked for, whole.

    A synonym that is asked for itself speaks for itself alone.
    """
    found = {short: words for short, words in short_forms.items() if words <= asked}
    for word in asked & synonyms.keys():
        for other in synonyms[word] - asked:
            found[other] = found.get(other, frozenset()) | {word}
    return found
