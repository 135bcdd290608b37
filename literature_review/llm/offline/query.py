"""A question as seen from one text: what its words weigh there, and how well each place matches them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence, Set
from functools import reduce
from itertools import chain, pairwise, zip_longest
from math import fsum, log
from operator import or_

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

MOST_NEAR = 40
"""Places with two words of the focus or more whose pairs of words coverage looks at."""

_PLANNED = 1 << FLAGS.index("planned")


class _Words:
    """Words of one kind (the focus, the rest) with their weights in the text; a set of them is the bits of a number.
    `shares`: set of them -> its weight, as a share of those that the text knows."""

    def __init__(self, bits: Mapping[str, int], seen: Mapping[str, int], places: int) -> None:
        self.bits = bits
        self.asked = frozenset(bits)
        self.all = sum(bits.values())
        self.weight = {term: log((places + 1.0) / (seen[term] + 0.5)) + 0.1 for term in bits}
        self.known = sum([weight for term, weight in self.weight.items() if seen[term]]) or 1.0
        self.lacking = log((places + 1.0) / 1.5) + 0.1
        self.shares = _Shares(bits, self.weight, self.known)

    def among(self, words: frozenset[str]) -> int:
        """Those of `words` that are asked for."""
        return sum(map(self.bits.__getitem__, self.asked & words))


class _Shares(dict[int, float]):
    """Set of words -> the sum of their weights, as a share of `total`. Filled as sets are met: many places have the
    same words of a question. The sum is exact before it is rounded (`fsum`): no order of words matters."""

    def __init__(self, words: Mapping[str, int], weights: Mapping[str, float], total: float) -> None:
        super().__init__({0: 0.0})
        self._weights = {bit: weights[term] for term, bit in words.items()}
        self._total = total

    def __missing__(self, present: int) -> float:
        share = self[present] = fsum(map(self._weights.__getitem__, _apart(present))) / self._total
        return share


def _apart(words: int) -> list[int]:
    """A set of words as sets of one."""
    found = []
    while words:
        word = words & -words
        found.append(word)
        words ^= word
    return found


_Pair = tuple[int, str, str, str]
"""Two words that stand side by side in a question: those of the focus among them; one, the other and both, spelt."""


class Query:
    """One question to one text. `focused` tells whether keywords say what matters most; `exact`: a synonym does not
    speak for a word."""

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
        terms = frozenset(focus)
        bits = {term: 1 << i for i, term in enumerate([*focus, *(word for word in rest if word not in terms)])}
        self._places = places
        stands_for = _stands_for(short_forms, bits.keys(), {} if exact else SYNONYMS)
        wanted = frozenset({*bits, *stands_for})
        found = [wanted & place.present for place in places]
        if stands_for:
            found = _spelt_out(found, stands_for, frozenset(bits))
        seen = Counter(chain.from_iterable(found))
        # From here on a set of the question's words is the bits of a number.
        sets = {words: sum(map(bits.__getitem__, words)) for words in set(found)}
        self._present = list(map(sets.__getitem__, found))
        self._focus = _Words({term: bits[term] for term in focus}, seen, len(places))
        self._rest = _Words({term: bit for term, bit in bits.items() if term not in terms}, seen, len(places))
        runs = [stems(keyword) for keyword in keywords] if self.focused else [asked]
        pairs = {(one, two) for run in runs for one, two in pairwise(run) if one in terms or two in terms}
        self._pairs = len(pairs)
        self._pairs_of: dict[int, list[_Pair]] = {}
        focused = {term: bits[term] for term in focus}
        for one, two in pairs:  # under a word of the focus: a place looks at the pairs of its own words alone
            pair = focused.get(one, 0) | focused.get(two, 0), f" {one} ", f" {two} ", f" {one} {two} "
            self._pairs_of.setdefault(pair[0] & -pair[0], []).append(pair)

    def _pairs_for(self, named: int) -> list[_Pair]:
        """The neighbouring words of the focus that a place which has `named` of it may have."""
        pairs_of = self._pairs_of
        return [
            pair for bit in _apart(named) if bit in pairs_of for pair in pairs_of[bit] if pair[0] & named == pair[0]
        ]

    def matches(self) -> Iterator[tuple[int, tuple[float, ...]]]:
        """Each place, by its number, that shares a word with the question, and how it matches (see MATCHES)."""
        focus, rest, count = self._focus, self._rest, self._pairs
        shares, asked = focus.shares, focus.asked
        # Many places have the same words of a question: each set of them is weighed once.
        found = {}
        for present in set(self._present):
            there = present & focus.all
            pairs = [both for _, _, _, both in self._pairs_for(there)]
            found[present] = there, shares[there], rest.shares[present & rest.all], pairs
        best = max([share for _, share, *_ in found.values()], default=0.0) or 1.0
        before = above = 0
        heading: frozenset[str] | None = None
        for number, present in enumerate(self._present):
            there, share, other, pairs = found[present]
            if share or other:
                place = self._places[number]
                if place.head is not heading:
                    heading, above = place.head, focus.among(place.head)
                spelt, reports = place.spelt, place.reports
                near = asked & place.told if reports else None
                yield number, (
                    share, share * share, 1.0 if share > 0.99 else 0.0,
                    len([1 for both in pairs if both in spelt]) / count if pairs else 0.0,
                    shares[before & ~there], shares[above & ~there], share / best,
                    share * reports, share if place.part.role == "results" else 0.0,
                    share if place.flags & _PLANNED else 0.0, shares[focus.among(near)] if near else 0.0,
                    other, other * reports,
                    there.bit_count() / (len(place.present) + 5.0),
                )  # fmt: skip
            before = there

    def answers(self) -> tuple[float, ...] | None:
        """How far the text as a whole speaks to the question (see ANSWERS), words that it lacks counted against it.

        None where it has none of the words.
        """
        focus = self._focus
        weigh = self._weigh(focus)
        total = sum(weigh.values())
        found = [present & focus.all for present in self._present]
        sums = _Shares(focus.bits, weigh, 1.0)
        told, told_at = 0.0, -1
        for i, there in enumerate(found):
            if there:
                share = sums[there] * (0.7 + 0.3 * self._places[i].reports)
                if share > told:
                    told, told_at = share, i
        if told_at < 0:
            return None
        windows = {one | two | three for one, two, three in zip_longest(found, found[1:], found[2:], fillvalue=0)}
        anywhere = max([sums[window] for window in windows]) / total
        told /= total
        seen = reduce(or_, self._present)
        known_terms = [term for term, bit in focus.bits.items() if seen & bit]
        whole = sum([weigh[term] for term in known_terms]) / total
        has = len(known_terms) / len(weigh)
        pairs = near = told
        if self._pairs:
            pairs = self._near_pairs(told_at, found[told_at])
            most = [at for at, there in enumerate(found) if there & (there - 1)][:MOST_NEAR]
            near = max([self._near_pairs(at, found[at]) for at in (*most, told_at)])
        rest = self._weigh(self._rest, light=0.0)  # what all questions share does not tell which study is meant
        # A rest of few or common words says little: it counts as present by half the weight of one unknown word.
        known = 0.5 * self._rest.lacking
        every = sum(rest.values()) + known
        rest_there = (_Shares(self._rest.bits, rest, 1.0)[self._present[told_at] & self._rest.all] + known) / every
        rest_whole = (sum([rest[term] for term, bit in self._rest.bits.items() if seen & bit]) + known) / every
        return (
            told, told * told, anywhere, pairs, near, whole, whole * whole, has, rest_there, rest_whole,
            told * rest_whole,
        )  # fmt: skip

    def _near_pairs(self, number: int, named: int) -> float:
        """The share of the neighbouring words of the focus that stand side by side in a place too, of which `named` are
        there; a pair that it has without its words being side by side counts half."""
        spelt, share = self._places[number].spelt, 0.0
        for _, one, two, both in self._pairs_for(named):
            if one in spelt and two in spelt:
                share += 1.0 if both in spelt else 0.5
        return share / self._pairs

    def _weigh(self, words: _Words, light: float = 0.4) -> dict[str, float]:
        """Weights that do not favour words the text lacks over rare ones it has; words that all outcomes share count
        `light` of theirs."""
        most = words.lacking
        return {term: min(weight, most) * (light if term in _LIGHT else 1.0) for term, weight in words.weight.items()}


def _stands_for(
    short_forms: dict[str, frozenset[str]], asked: Set[str], synonyms: dict[str, frozenset[str]]
) -> dict[str, frozenset[str]]:
    """Other words that speak for words of the question: synonyms, and short forms whose long form is asked for, whole.

    A synonym that is asked for itself speaks for itself alone.
    """
    found = {short: words for short, words in short_forms.items() if words <= asked}
    for word in asked & synonyms.keys():
        for other in synonyms[word] - asked:
            found[other] = found.get(other, frozenset()) | {word}
    return found


def _spelt_out(
    found: Sequence[frozenset[str]], stands_for: Mapping[str, frozenset[str]], asked: frozenset[str]
) -> list[frozenset[str]]:
    """Sets of words with short forms and synonyms read as what they stand for."""
    others = frozenset(stands_for)
    read = {
        words: (words & asked).union(*[stands_for[word] for word in words & others])
        for words in set(found)
        if not words.isdisjoint(others)
    }
    return [read.get(words, words) for words in found] if read else list(found)
