"""Signs that a sentence reports a finding, and what speaks against it. Small pure functions, each with its reason.

They read English wording; on other languages they find nothing and say so ("unknown", no reason), they do not
guess. All are advisory: none of them alone approves a claim.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from .tokens import stem_set, stems

STATISTIC = re.compile(
    r"\b[pP]\s?-?(?:values?)?\s?(?:[<>=\u2264\u2265]|was|of)\s?0?[.,\u00b7]\d+|\bCIs?\b|confidence"
    r" interval|\u00b1|\bSDs?\b"
    r"|\b(?:OR|RR|HR|SMD|WMD|ES|AUC)\s?[=:]?\s?\d+(?:\.\d+)?|\bratio,? (?:of |was |= ?)?\d+(?:\.\d+)?|\(\s?[nN]\s?="
    r"|\b[trFdzZ]\s?(?:\(\d[\d, .]*\)\s?)?=\s?-?\d+(?:\.\d+)?|\u03c72"
)
"""Where a statistic is given: p-values, intervals, deviations, ratios, test statistics."""

COMPARED = stem_set(
    "higher lower greater less more fewer increase decrease reduce reduction improve worse worsen better"
    " superior inferior"
    " differ similar comparable equal longer shorter faster slower larger smaller rose fell declined"
    " improvement change"
    " benefit advantage outperform exceed elevated decline unchanged no than favour gain loss"
)
SIGNIFICANT = stem_set("significant significantly significance statistically")
FOUND = stem_set(
    "found showed observed demonstrated revealed occurred achieved reported experienced noted resulted"
    " obtained yielded"
    " reached remained detected were had"
)
PLANNED = stem_set(
    "will aim hypothesis hypothesize investigate evaluate assess measure calculate define compute"
    " objective purpose determine"
    " determined test collect randomize outcome endpoint include exclude perform analyze recorded"
)
HEDGED = stem_set("may might could suggest possible possibly likely perhaps potential")
BINDING = stem_set("shall must may agree agrees undertake undertakes obligation obliged entitled required prohibited")
CITED = re.compile(
    r"\[\d|\bet al\b|\((?:[A-Z][\w'-]+(?: and [A-Z][\w'-]+)?,? (?:19|20)\d\d)"
    r"|[a-z][.,]\d{1,2}(?:[,-]\d{1,2})*(?:\s|$)"
)

_OWN_WORK = re.compile(
    r"\b(?:we|our|this (?:study|trial|paper|work|analysis)|the (?:present|current) (?:study|trial|work))\b",
    re.IGNORECASE,
)
_PLAN = re.compile(
    r"\b(?:will \w+|objective:|to find out (?:whether|how|if)|should be studied|aims?(?:ed)? (?:to|of|was)"
        r"|objectives? (?:of|was|were|is)|purpose (?:of|was)|(?:was"
    r"|were) (?:designed|planned)|we plan"
    r"|is to (?:investigate|evaluate|assess|compare|determine)|to (?:investigate|evaluate|assess"
    r"|determine) (?:the|whether)|future"
    r" (?:work|studies|research)|(?:primary|secondary) (?:outcome|endpoint|end"
    r" point)s?\b[^.]{0,60}\b(?:was|were|included?)"
    r"|(?:was|were) (?:measured|assessed|evaluated|calculated|defined|collected|recorded) (?:using|by"
    r"|with|at|as|on|from))",
    re.IGNORECASE,
)
_HYPOTHESIS = re.compile(
    r"\b(?:hypothes\w+|we (?:expect|predict|assume|speculate|had hoped|hoped)\w*|may do|it (?:is"
        r"|was) (?:expected|assumed"
    r"|possible|likely) that|may be"
    r"|might|could (?:be|have)|would be expected|if\b.{0,80}\bwould)\b",
    re.IGNORECASE,
)
_OTHERS_WORK = re.compile(
    r"\b(?:previous(?:ly)?|earlier|prior|other|several|many|recent|past|some) (?:\w+ ){0,2}(?:stud(?:y"
    r"|ies)|trials?|reports?|reported|work"
    r"|research(?:ers)?|authors|investigators|literature)|\bet al\b|\bmeta-?analys[ie]s\b|\bhas been"
    r" (?:shown|reported|suggested)"
    r"|\bhave (?:shown|reported|found|demonstrated) that",
    re.IGNORECASE,
)
_NEGATED = re.compile(
    r"\b(?:was|were|is|are|did|has|have|had|could) not (?:been )?(?:measured|assessed|evaluated|examined"
    r"|collected|recorded|studied"
    r"|investigated|analy[sz]ed|tested|available|reported|possible|examine|assess|measure|evaluate"
    r"|collect|test|include)\w*"
    r"|\bno (?:data|information|evidence|results?) (?:were|was|are|is|on|about|regarding|available)"
    r"|\bunable to (?:assess|evaluate|measure)"
    r"|\b(?:was|were) (?:not|never) (?:enrolled|eligible|invited|recruited|calculated|compared|varied)\b"
    r"|\b(?:did|do) not (?:enrol|vary|compare|calculate|recruit)\b"
    r"|\bbeyond the scope\b|\bremains? (?:unknown|unclear|to be)",
    re.IGNORECASE,
)

REPORTS, PLANS, HYPOTHESISES, CITES, NEGATES, MENTIONS = (
    "reports",
    "plans",
    "hypothesises",
    "cites",
    "negates",
    "mentions",
)


class Reading(NamedTuple):
    """What a sentence does, and the words of it that say so (empty where nothing does)."""

    act: str
    reason: str


def _found(pattern: re.Pattern[str], sentence: str) -> str:
    match = pattern.search(sentence)
    return " ".join(match.group().split()) if match else ""


def reading(sentence: str, role: str = "unknown") -> Reading:
    """Whether `sentence` reports, plans, hypothesises, cites, negates (says that it was not looked at) or mentions.

    `role` is the role of its section. A sentence with a statistic of its own reports, unless it cites others.
    """
    negated = _found(_NEGATED, sentence)
    if negated:
        return Reading(NEGATES, negated)
    cited = _found(_OTHERS_WORK, sentence) or (
        _found(CITED, sentence) if role in ("introduction", "discussion") else ""
    )
    if cited and not _found(_OWN_WORK, sentence):
        return Reading(CITES, cited)
    statistic = _found(STATISTIC, sentence)
    planned = _found(_PLAN, sentence)
    if planned and not (statistic and role in ("results", "unknown", "abstract")):
        return Reading(PLANS, planned)
    guessed = _found(_HYPOTHESIS, sentence)
    if guessed and not statistic and role != "results":
        return Reading(HYPOTHESISES, guessed)
    if statistic:
        return Reading(REPORTS, statistic)
    told = set(stems(sentence)) & (SIGNIFICANT | COMPARED | FOUND)
    if told and role not in ("introduction", "methods", "references"):
        return Reading(REPORTS, ", ".join(sorted(told)))
    return Reading(MENTIONS, "")


def in_own_findings(role: str, sentence: str = "") -> bool:
    """Whether a sentence of a section with this role stands among the paper's own findings.

    Results and conclusions do; a discussion's sentence does where it speaks of this work, one of unknown place where
    it reports.
    """
    if role in ("results", "conclusion"):
        return True
    if role == "discussion":
        return bool(_OWN_WORK.search(sentence)) and not _OTHERS_WORK.search(sentence)
    return role == "unknown" and reading(sentence).act == REPORTS
