"""How much goes into one question, and how much comes back: the settings that every prompt keeps to.

A batch is as many things as surely fit: their texts into the question, the longest answers into the answer. Which
things share a question follows from the settings and their order alone, so that an answer once paid for is found again.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

T = TypeVar("T")

LONGEST_LIST = 25
"""Things in one question. Their names are an enum: OpenAI's strict mode takes up to 1,000 values in a schema, 250 of
them in one enum without a limit of length (its documentation, 2026); Gemini refuses schemas of about 200 values and
says no number (googleapis/python-genai issue 2133)."""

QUOTE_TOKENS, VERDICT_TOKENS, APPEAL_TOKENS, COVERAGE_TOKENS = 170, 170, 180, 30
"""Tokens of an answer, at the lengths that the prompts allow, with the marks of JSON."""


@dataclass(frozen=True)
class Limits:
    """`input_tokens`: of a paper's text in a question; `output_tokens`: of an answer; `claims`, `nearest`: per
    sub-requirement and paper; `votes` on a verdict whose score is at most `borderline` from 0.5; `weights` of the
    scores by name."""

    input_tokens: int = 8_000
    output_tokens: int = 4_096
    claims: int = 3
    nearest: int = 3
    votes: int = 1
    borderline: float = 0.1
    weights: Mapping[str, float] = field(default_factory=dict)

    @classmethod
    def from_settings(cls, settings: Mapping[str, Any]) -> Limits:
        """What the configuration's `llm` and `review` say; the defaults above where they say nothing."""
        llm, review = settings.get("llm", {}), settings.get("review", {})
        given = {
            "input_tokens": llm.get("max_input_tokens"),
            "output_tokens": llm.get("max_output_tokens"),
            "claims": review.get("claims_per_sub_requirement"),
            "nearest": review.get("nearest_passages"),
            "votes": review.get("votes"),
            "borderline": review.get("borderline"),
            "weights": review.get("score_weights"),
        }
        return cls(**{name: value for name, value in given.items() if value is not None})

    @property
    def quotes_at_once(self) -> int:
        """Quotes that an answer has room for."""
        return max((self.output_tokens - COVERAGE_TOKENS) // QUOTE_TOKENS, 1)

    @property
    def asked_at_once(self) -> int:
        """Sub-requirements in one question about an excerpt."""
        per_one = COVERAGE_TOKENS + QUOTE_TOKENS * max(self.claims, self.nearest)
        return min(max(self.output_tokens // per_one, 1), LONGEST_LIST)

    @property
    def judged_at_once(self) -> int:
        return min(max(self.output_tokens // VERDICT_TOKENS, 1), LONGEST_LIST)

    @property
    def appealed_at_once(self) -> int:
        return min(max(self.output_tokens // APPEAL_TOKENS, 1), LONGEST_LIST)


def batches(things: Sequence[T], most: int, tokens: Callable[[T], int], room: int) -> Iterator[list[T]]:
    """The things in order, at most `most` in a batch and at most `room` tokens; one that is longer is alone."""
    batch: list[T] = []
    left = room
    for thing in things:
        size = tokens(thing)
        if batch and (len(batch) == most or size > left):
            yield batch
            batch, left = [], room
        batch.append(thing)
        left -= size
    if batch:
        yield batch
