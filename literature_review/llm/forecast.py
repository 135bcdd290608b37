"""What a paper is expected to cost before it is asked about: calls, tokens, US dollars and seconds, with a range.

Length and number of sub-requirements give the questions, by the arithmetic of excerpts and batches. What depends on the
paper is a range: how sections fall into excerpts, how long the references are, how much is found, how much of it is
rejected or borderline. The typical figures are from papers of the Evidence Inference corpus. Of one paper all of that
may come together, or nothing of it. What many papers take on average is bounded more narrowly, by half and twice the
typical share, since how much a model finds and rejects is known no better before it is asked.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from functools import cache
from typing import NamedTuple, Protocol

from literature_review.llm.prompts import load_prompt
from literature_review.llm.question_limits import APPEAL_TOKENS, COVERAGE_TOKENS, QUOTE_TOKENS, VERDICT_TOKENS, Limits
from literature_review.llm.questions import APPEAL_REACH, JUDGE_REACH
from literature_review.text.token_estimate import QUARTERS, tokens_of

SECONDS_PER_CALL = 5.0
"""A typical answer of a hosted model to a question of some thousand tokens."""

_SUB_REQUIREMENT_TOKENS = 40  # its line in a question
_CLAIM_TOKENS = 120  # a quote, and its marks, in a question about it
_BOUNDS = ("_low", "_mean_low", "", "_mean_high", "_high")  # of one paper, of many on average, typical
_SENT = (0.6, 0.8, 1.0, 1.0, 1.0)  # share of a paper's text: at least what is left without its references
_CLAIMS_FOUND = (0.0, 0.4, 0.8, 1.6, math.inf)  # per sub-requirement, of those that are allowed
_REJECTED, _BORDERLINE = (0.0, 0.15, 0.3, 0.6, 1.0), (0.0, 0.1, 0.2, 0.4, 1.0)  # shares of claims
# share of the longest answer about an excerpt: typically a quote or so for each thing asked
_ANSWER = (0.1, 0.125, 0.25, 0.5, 1.0)


class Price(Protocol):
    """US dollars for the tokens of one request."""

    def usd(self, input_tokens: float, output_tokens: float) -> float: ...


class _Amount(NamedTuple):
    calls: float
    tokens_in: float
    tokens_out: float


def forecast(
    stage: str, characters: int, sub_requirements: int, limits: Limits, price: Price | None
) -> Mapping[str, float]:
    """As `ports.Backend.estimate`: a Chinese character, a token by itself, is given as four. Nothing for a stage
    that asks no model."""
    amounts = _AMOUNTS.get(stage, _nothing)(characters, sub_requirements, limits)
    found: dict[str, float] = {}
    for suffix, amount in zip(_BOUNDS, amounts, strict=True):
        found[f"calls{suffix}"] = amount.calls
        found[f"tokens{suffix}"] = round(amount.tokens_in + amount.tokens_out)
        found[f"seconds{suffix}"] = amount.calls * SECONDS_PER_CALL
        if price is not None:
            found[f"usd{suffix}"] = _usd(amount, price)
    return found


def _usd(amount: _Amount, price: Price) -> float:
    """By the call: the price of a token may depend on a request's length."""
    calls = max(amount.calls, 1.0)
    return calls * price.usd(amount.tokens_in / calls, amount.tokens_out / calls)


def excerpt_counts(tokens: float, budget: int) -> tuple[int, int, int]:
    """How many excerpts a text of so many tokens makes: at least, typically, at most.

    One where it fits. Else sections do not fill an excerpt: a fifth more than its length on 195 trials; never more than
    twice as many, since two neighbours together hold more than one budget. At least: without two fifths of it."""
    if tokens <= budget - 10:
        return 1, 1, 1
    share = tokens / budget
    return max(math.ceil(_SENT[0] * share), 1), max(math.ceil(1.2 * share), 2), math.ceil(2 * share) + 1


def _nothing(characters: int, subs: int, limits: Limits) -> list[_Amount]:
    return [_Amount(0, 0, 0)] * len(_BOUNDS)


def _reviewing(characters: int, subs: int, limits: Limits) -> list[_Amount]:
    if not subs or not characters:
        return _nothing(characters, subs, limits)
    text = characters / QUARTERS
    rounds = math.ceil(subs / limits.asked_at_once)
    rules = _prompt_tokens("journal_reviewer")
    longest = COVERAGE_TOKENS * subs + QUOTE_TOKENS * subs * max(limits.claims, limits.nearest)
    amounts = []
    low, typical, high = excerpt_counts(text, limits.input_tokens)
    counts = (low, (low + typical) / 2, typical, (typical + high) / 2, high)
    for excerpts, sent, share in zip(counts, _SENT, _ANSWER, strict=True):
        calls = excerpts * rounds
        asked = rounds * sent * text + calls * rules + excerpts * subs * _SUB_REQUIREMENT_TOKENS
        told = excerpts * max(share * longest, COVERAGE_TOKENS * subs)
        amounts.append(_Amount(calls, asked, min(told, calls * limits.output_tokens)))
    return amounts


def _judging(characters: int, subs: int, limits: Limits) -> list[_Amount]:
    return [
        _judged(claims, share, limits) for claims, share in zip(_claims(subs, limits), _BORDERLINE, strict=True)
    ]


def _appealing(characters: int, subs: int, limits: Limits) -> list[_Amount]:
    """The second look, and the judgement of what it finds."""
    amounts = []
    for claims, share, borderline in zip(_claims(subs, limits), _REJECTED, _BORDERLINE, strict=True):
        rejected = share * claims
        look = _about_claims("dra", rejected, limits.appealed_at_once, APPEAL_REACH, APPEAL_TOKENS, limits)
        amounts.append(_sum(look, _judged(rejected, borderline, limits)))
    return amounts


def _judged(claims: float, borderline: float, limits: Limits) -> _Amount:
    """The first vote on all claims, and the further ones on those that are borderline."""
    amount = _about_claims("judge", claims, limits.judged_at_once, JUDGE_REACH, VERDICT_TOKENS, limits)
    again = borderline * claims
    vote = _about_claims("judge", again, limits.judged_at_once, JUDGE_REACH, VERDICT_TOKENS, limits)
    return _sum(amount, *[vote] * (limits.votes - 1))


def _sum(*amounts: _Amount) -> _Amount:
    return _Amount(*map(sum, zip(*amounts, strict=True)))


def _claims(subs: int, limits: Limits) -> list[float]:
    return [subs * min(each, limits.claims) for each in _CLAIMS_FOUND]


def _about_claims(prompt: str, claims: float, at_once: int, reach: int, answer: int, limits: Limits) -> _Amount:
    """Questions about so many claims, each with `reach` characters before and after it. Of a number that is not whole,
    an expectation, a question is asked as likely as there is a claim at all, 1 - exp(-claims)."""
    each = _CLAIM_TOKENS + 2 * reach / QUARTERS
    per_call = max(min(at_once, int(limits.input_tokens / each)), 1)
    calls = math.ceil(claims / per_call) if claims == int(claims) else max(claims / per_call, 1 - math.exp(-claims))
    asked = calls * _prompt_tokens(prompt) + claims * (each + _SUB_REQUIREMENT_TOKENS)
    return _Amount(calls, asked, 0.7 * claims * answer)


@cache
def _prompt_tokens(name: str) -> int:
    prompt = load_prompt(name)
    return tokens_of(prompt.system) + tokens_of(prompt.user)


_AMOUNTS = {"journal_reviewer": _reviewing, "judge": _judging, "dra": _appealing}
