"""The direction of an effect that a passage tells: increase, decrease, no difference or unknown. Advisory.

    passage, what was asked -> clause that speaks of the outcome -> no difference? (words, p-values)
                            -> words of more and less, those of the outcome itself left out
                            -> turned round where they are said of the group compared with

By words alone, English ones: "unknown" where none is found, or as many of one side as of the other.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence

from .tokens import content, stem_set, stems

INCREASE, DECREASE, NO_DIFFERENCE, UNKNOWN = "increase", "decrease", "no difference", "unknown"

SHARES = (1.0, 0.6, 0.4)
"""What the direction of the first, second and third passage weighs."""

_UP = stem_set(
    "higher increase increased increases greater more larger longer rose elevated raised improved"
    " improve improvement better superior gain gained exceeded faster enhanced highest favoured favored benefit"
    " prolonged easier upregulated upregulation advantage stronger doubled heavier exceed enhance augmented"
)
_DOWN = stem_set(
    "lower decrease decreased decreases reduced reduce reduction less fewer smaller shorter fell"
    " declined decline worse worsened inferior loss lost dropped slower lowest attenuated diminished prevented"
    " lesser earlier impaired shortened weaker downregulated suppressed poorer reductions"
)
_NONE = re.compile(
    r"\b(?:no|not|neither|nor|without|non|lack of|failed to)\b[^.;]{0,60}\b(?:differ\w*|significan\w*"
    r"|effect\w*|change\w*|increase\w*|"
    r"decrease\w*|reduc\w*|improve\w*|association|benefit\w*|alter\w*|affect\w*)|\b(?:similar|comparable"
    r"|unchanged|equal|equivalent|"
    r"the same|identical|non-?significant\w*|nonsignificant\w*|insignificant\w*)\b|\bdid not\b|\bNS\b",
    re.IGNORECASE,
)
_P_VALUE = re.compile(r"\b[pP]\s?-?(?:values?)?\s?(?P<sign>[<>=\u2264\u2265])\s?(?P<value>0?[.,\u00b7]\d+)")
_COMPARED = re.compile(r"\b(?:compared (?:with|to)|versus|vs\.?|than|against|relative to)\s", re.IGNORECASE)
_THAN = stem_set("than compared versus vs against relative p")
_NOUNS = stem_set("increase decrease reduction improvement loss gain decline advantage benefit")
_NEAR = 8  # words


class Effect:
    """What was asked, as far as it tells of an effect. `nouns`: words such as "reduction" that are part of the outcome
    itself; `given`, `other`: stems that only one of the two sides compared has."""

    def __init__(self, question: str = "", keywords: Sequence[str] = ()) -> None:
        outcome = frozenset(content(stems(" . ".join(keywords))))
        self.nouns = outcome & _NOUNS
        sides = _COMPARED.split(question, maxsplit=1)
        if len(sides) == 2:
            first, second = (set(content(stems(side))) - outcome for side in sides)
            self.given, self.other = frozenset(first - second), frozenset(second - first)
        else:
            self.given = self.other = frozenset()


_NOTHING = Effect()


def _not_significant(span: str) -> int:
    """p-values above 0.05 less those below it."""
    balance = 0
    for found in _P_VALUE.finditer(span):
        value = float(found["value"].replace(",", ".").replace("\u00b7", "."))
        balance += 1 if (value > 0.05 if found["sign"] != ">" else value >= 0.05) else -1
    return balance


def vote(told: Sequence[str]) -> str:
    """The direction that passages tell together, the best first: the first weighs most (see SHARES)."""
    weight: dict[str, float] = {}
    for one, share in zip(told, SHARES, strict=False):
        if one != UNKNOWN:
            weight[one] = weight.get(one, 0.0) + share
    return max(weight, key=lambda one: weight[one], default=UNKNOWN)


def direction(span: str, effect: Effect = _NOTHING) -> str:
    """The direction that a passage gives its outcome."""
    balance = _not_significant(span)
    none = len(_NONE.findall(span)) + max(0, balance)
    words = stems(span)
    told = [word for word in words if word not in effect.nouns]
    up, down = sum(word in _UP for word in told), sum(word in _DOWN for word in told)
    if none and (balance >= 0 or none > up + down):
        return NO_DIFFERENCE
    if up == down:
        return UNKNOWN
    rises = up > down
    if _of_the_other(words, _UP if rises else _DOWN, effect):
        rises = not rises
    return INCREASE if rises else DECREASE


def _of_the_other(words: Sequence[str], told: Collection[str], effect: Effect) -> bool:
    """Whether what is told is told of the group compared with: that one follows, with no "than" before it."""
    at = next((i for i, word in enumerate(words) if word in told and word not in effect.nouns), len(words))
    for word in words[at + 1 : at + 1 + _NEAR]:
        if word in effect.given or word in _THAN:
            return False
        if word in effect.other:
            return True
    return False
