"""Scores of a passage from the text's own signs, each from 0 to 1.

Advisory: a judge may show and weigh them; none of them alone approves a claim.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from .signs import CITES, HYPOTHESISES, MENTIONS, NEGATES, PLANS, REPORTS, in_own_findings, reading


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
