"""Scores of a passage from the text's own signs, each from 0 to 1, and the direction of an effect.

Advisory: a judge may show and weigh them; none of them alone approves a claim.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from .signs import CITES, HYPOTHESISES, MENTIONS, NEGATES, PLANS, REPORTS, in_own_findings, reading
from .tokens import stem_set, stems

INCREASE, DECREASE, NO_DIFFERENCE, UNKNOWN = "increase", "decrease", "no difference", "unknown"

_UP = stem_set(
    "higher increase increased increases greater more larger longer rose elevated raised improved"
    " improve improvement better"
    " superior gain gained exceeded faster enhanced highest favoured favored benefit"
)
_DOWN = stem_set(
    "lower decrease decreased decreases reduced reduce reduction less fewer smaller shorter fell"
    " declined decline worse worsened"
    " inferior loss lost dropped slower lowest attenuated diminished prevented"
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


def _not_significant(span: str) -> int:
    """p-values above 0.05 less those below it."""
    balance = 0
    for found in _P_VALUE.finditer(span):
        value = float(found["value"].replace(",", ".").replace("\u00b7", "."))
        balance += 1 if (value > 0.05 if found["sign"] != ">" else value >= 0.05) else -1
    return balance


def direction(span: str) -> str:
    """The direction that a passage gives its outcome: "increase", "decrease", "no difference" or "unknown".

    By its words alone, so that "reduced improvement" may mislead it; "unknown" where no sign or as many of one as of
    the other is found.
    """
    balance = _not_significant(span)
    none = len(_NONE.findall(span)) + max(0, balance)
    words = stems(span)
    up, down = sum(word in _UP for word in words), sum(word in _DOWN for word in words)
    if none and (balance >= 0 or none > up + down):
        return NO_DIFFERENCE
    if up == down:
        return UNKNOWN
    return INCREASE if up > down else DECREASE


class Score(NamedTuple):
    """A share from 0 to 1 and what it rests on, in a few words."""

    value: float
    reason: str


_DIRECT = {REPORTS: 1.0, MENTIONS: 0.5, HYPOTHESISES: 0.2, PLANS: 0.2, CITES: 0.2, NEGATES: 0.0}


def directness(span: str, role: str) -> Score:
    """How directly the passage is the paper's own finding, by what it does and where it stands."""
    read = reading(span, role)
    own = in_own_findings(role, span)
    value = _DIRECT[read.act] * (1.0 if own else 0.6)
    place = "among the paper's own findings" if own else f"in {role}"
    return Score(value, f"{read.act} {place}" + (f" ({read.reason})" if read.reason else ""))


def recency(year: int | None, this_year: int, half_life: float = 10.0) -> Score:
    """1 for a paper of this year, half of it for one `half_life` years old; 0 where the year is not known."""
    if year is None:
        return Score(0.0, "the year is not known")
    age = max(0, this_year - year)
    return Score(0.5 ** (age / half_life), f"{age} years old")


_OPENNESS = (
    ("registered", re.compile(r"\bNCT\d{6,8}\b|\bISRCTN\s?\d+|[Tt]rial [Rr]egistration|PROSPERO|preregist\w+"
        r"|pre-registered")),
    ("data offered", re.compile(r"[Dd]ata (?:are|is|and code are) (?:\w+ )?available|[Dd]ata [Aa]vailability"
        r"|\bDryad\b|\bZenodo\b|\bfigshare\b|osf\.io")),
    ("code offered", re.compile(r"github\.com|gitlab\.com|[Cc]ode (?:is|are|availability)|[Ss]ource code")),
    ("protocol named", re.compile(r"\b(?:study|trial) protocol\b|\b[Pp]rotocol (?:was|is) (?:published"
        r"|registered|available)|CONSORT|PRISMA|STROBE")),
    ("sample size told", re.compile(r"\b[nN]\s?=\s?\d+|[Ss]ample size|power (?:analysis|calculation)"
        r"|\d+ (?:patients|participants|subjects|adults)")),
    ("statistics told", re.compile(r"[Ss]tatistical (?:analys[ie]s|methods|tests?)|confidence interval|\bCI\b"
        r"|standard deviation")),
)  # fmt: skip


def reproducibility(text: str) -> Score:
    """The share of the signs of an open, checkable study that the whole paper shows."""
    shown = [name for name, sign in _OPENNESS if sign.search(text)]
    return Score(len(shown) / len(_OPENNESS), ", ".join(shown) or "no sign of registration, data, code or method")
