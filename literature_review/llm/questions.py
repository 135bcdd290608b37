"""The questions that a model is asked: a prompt filled in, and the schema that its answer keeps to.

    excerpt + sub-requirements -> claims_question    names s1, s2 ...
    claims with their context  -> verdicts_question  names c1, c2 ..., each with what it was proposed for
    rejected claims, and more of their context -> appeals_question

The schemas hold what OpenAI's strict mode and Gemini both take: objects with every field required and no other, enums
of short names, numbers with a minimum and a maximum; no length limits, no maxItems (Gemini refuses a schema whose sum
of them is beyond about 960: googleapis/python-genai issue 2170). Fields come in the order in which a model should
think: what it speaks of, the words, the reason, and only then the number and the verdict.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from literature_review.llm.chat import ModelQuestion
from literature_review.llm.excerpts import Excerpt
from literature_review.llm.prompts import fence_for, load_prompt
from literature_review.llm.question_limits import Limits
from literature_review.models import Claim, Document, SubRequirement

SCORES = ("relevance", "directness", "strength", "rigour", "recency", "reproducibility")
COVERAGES = ("covered", "partial")
DIRECTIONS = ("increase", "decrease", "no difference", "unknown")
VERDICTS = ("approve", "reject")
OUTCOMES = ("better_quote", "none")

JUDGE_REACH, APPEAL_REACH = 600, 3_000
"""Characters before and after a quote that the judge sees, and that the second look sees."""

_OPENING = 600  # characters of a paper's beginning: title, authors, often the year
_KNOWN = ("year", "date", "doi")
_IDENTIFIER = re.compile(r"[\w.:/()+-]{1,100}")  # one word: what no page shows cannot tell a model anything
_LONGEST_TITLE = 100  # characters
_UNSENDABLE = re.compile("[\x00-\x1f\x7f\ud800-\udfff]")
_SENTENCE_START = re.compile(r"(?<=[.!?])\s+(?=[^\W\d_a-z])|(?<=[\u3002\uff01\uff1f])")
_TEXT: Mapping[str, Any] = {"type": "string"}
_SCORE: Mapping[str, Any] = {"type": "number", "minimum": 0, "maximum": 1}


def names(letter: str, count: int) -> list[str]:
    """s1, s2 ...: short names that stand for ids in a question."""
    return [f"{letter}{number}" for number in range(1, count + 1)]


def claims_question(excerpt: Excerpt, asked: Sequence[SubRequirement], limits: Limits) -> ModelQuestion:
    """Which passages of the excerpt answer what is asked."""
    values = {
        "number": excerpt.number,
        "parts": excerpt.of,
        "text": excerpt.text,
        "fence": fence_for(excerpt.text),
        "asked": asked_lines(asked),
        "claims": min(limits.claims, limits.quotes_at_once),
        "nearest": min(-(-limits.nearest // excerpt.of), limits.quotes_at_once),  # of all parts together enough
    }
    return _question("journal_reviewer", values, claims_schema(names("s", len(asked))), limits)


def verdicts_question(
    data: str, count: int, asked: Sequence[SubRequirement], vote: int, limits: Limits
) -> ModelQuestion:
    """Whether the claims in `data` (see `claims_data`) answer what is asked. Votes count from 1; the first is asked
    for in the same words whether others follow or not."""
    told = "" if vote == 1 else f"This is vote number {vote}: judge afresh, as if nobody had judged before.\n"
    values = {"asked": asked_lines(asked), "data": data, "fence": fence_for(data), "vote": told, "count": count}
    return _question("judge", values, verdicts_schema(names("c", count)), limits)


def appeals_question(data: str, count: int, asked: Sequence[SubRequirement], limits: Limits) -> ModelQuestion:
    """Whether a better passage stands around the rejected claims in `data` (see `claims_data`)."""
    values = {"asked": asked_lines(asked), "data": data, "fence": fence_for(data), "count": count}
    return _question("dra", values, appeals_schema(names("c", count)), limits)


def _question(prompt: str, values: Mapping[str, object], schema: dict[str, Any], limits: Limits) -> ModelQuestion:
    loaded = load_prompt(prompt)
    return ModelQuestion(loaded.name, loaded.system, loaded.fill(**values), schema, limits.output_tokens)


def claims_schema(asked: Sequence[str]) -> dict[str, Any]:
    """Quotes that answer, quotes that come near, how far the excerpt answers, and words that give orders."""
    name = {"type": "string", "enum": list(asked)}
    found = _list_of(_object(sub_requirement=name, quote=_TEXT, reason=_TEXT, score=_SCORE))
    coverage = _list_of(_object(sub_requirement=name, coverage=_SCORE))
    return _object(suspicious=_list_of(_TEXT), claims=found, nearest=found, coverage=coverage)


def verdicts_schema(claims: Sequence[str]) -> dict[str, Any]:
    """A verdict on each claim, its reason and scores before it."""
    verdict = _object(
        claim={"type": "string", "enum": list(claims)},
        reason=_TEXT,
        **dict.fromkeys(SCORES, _SCORE),
        coverage={"type": "string", "enum": list(COVERAGES)},
        direction={"type": "string", "enum": list(DIRECTIONS)},
        verdict={"type": "string", "enum": list(VERDICTS)},
    )
    return _object(verdicts=_list_of(verdict))


def appeals_schema(claims: Sequence[str]) -> dict[str, Any]:
    """A better quote for each claim, or that there is none."""
    appeal = _object(
        claim={"type": "string", "enum": list(claims)},
        outcome={"type": "string", "enum": list(OUTCOMES)},
        quote=_TEXT,
        reason=_TEXT,
        score=_SCORE,
    )
    return _object(appeals=_list_of(appeal))


def _object(**fields: Mapping[str, Any]) -> dict[str, Any]:
    return {"type": "object", "properties": fields, "required": list(fields), "additionalProperties": False}


def _list_of(items: Mapping[str, Any]) -> dict[str, Any]:
    return {"type": "array", "items": items}


def asked_lines(asked: Sequence[SubRequirement]) -> str:
    """What is asked, a line each: short name, text, the words that matter most, what it stands under."""
    return "\n".join(map(_asked_line, names("s", len(asked)), asked))


def _asked_line(name: str, sub: SubRequirement) -> str:
    line = f"- {name}: {_one_line(sub.text)}"
    if sub.keywords:
        line += f" | words that matter most: {_one_line(', '.join(sub.keywords))}"
    above = " / ".join(_one_line(text) for text in (sub.question, sub.requirement) if text)
    return f"{line} | stands under: {above}" if above else line


def claims_data(document: Document, claims: Sequence[Mapping[str, Any]], text: str) -> str:
    """The paper as far as known and the claims as JSON, in which no text of the paper can pass for anything else."""
    fields = {name: _one_line(document.metadata.get(name, "")) for name in _KNOWN}
    known = {name: value for name, value in fields.items() if _IDENTIFIER.fullmatch(value)}
    known["begins"] = _one_line(text[: 2 * _OPENING])[:_OPENING]
    named = [{"claim": name, **claim} for name, claim in zip(names("c", len(claims)), claims, strict=True)]
    return json.dumps({"paper": known, "claims": named}, ensure_ascii=False, indent=1)


def claim_to_judge(document: Document, claim: Claim, text: str) -> dict[str, Any]:
    """What the judge sees of a claim; `text`: the visible text. What it was proposed for is added by the asker."""
    low, high = _around(text, claim.start, claim.end, JUDGE_REACH)
    return {
        "page": claim.page,
        "section": _one_line(document.section_at(claim.start))[:_LONGEST_TITLE],
        "before": _tidy(text[low : claim.start]),
        "quote": _tidy(text[claim.start : claim.end]),
        "after": _tidy(text[claim.end : high]),
    }


def claim_to_appeal(document: Document, claim: Claim, text: str) -> dict[str, Any]:
    """What the second look sees of a rejected claim."""
    low, high = _around(text, claim.start, claim.end, APPEAL_REACH)
    return {
        "section": _one_line(document.section_at(claim.start))[:_LONGEST_TITLE],
        "quote": _tidy(text[claim.start : claim.end]),
        "rejected_because": _one_line(claim.reason),
        "around": _tidy(text[low:high]),
    }


def _around(text: str, start: int, end: int, reach: int) -> tuple[int, int]:
    """Where the sentences around a range begin and end, at most `reach` characters from it."""
    low, high = max(start - reach, 0), min(end + reach, len(text))
    if low > 0:
        first = _SENTENCE_START.search(text, low, start)
        low = first.end() if first else low
    if high < len(text):
        high = max((found.start() for found in _SENTENCE_START.finditer(text, end, high)), default=high)
    return low, high


def _tidy(text: str) -> str:
    return " ".join(text.split())


def _one_line(text: str) -> str:
    return _tidy(_UNSENDABLE.sub(" ", text))


def used(wanted: Iterable[SubRequirement]) -> list[SubRequirement]:
    """Each sub-requirement once, in the order of its first mention."""
    return list({sub.id: sub for sub in wanted}.values())
