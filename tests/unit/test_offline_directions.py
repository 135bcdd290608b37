"""The direction of an effect, as a passage tells it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from literature_review.llm.offline.directions import Effect, direction, vote

WAYS = ("increase", "decrease", "no difference", "unknown")


@pytest.mark.parametrize(
    ("span", "way"),
    [
        ("Pain was significantly lower in the drug group (p = 0.01).", "decrease"),
        ("Scores increased more with the drug than with placebo (P < 0.001).", "increase"),
        ("There was no significant difference between the groups (p = 0.45).", "no difference"),
        ("Pain was similar in both groups.", "no difference"),
        ("Pain was lower, but not significantly (p = 0.20).", "no difference"),
        ("Forty patients were seen.", "unknown"),
        ("", "unknown"),
    ],
)
def test_the_direction_of_an_effect(span: str, way: str) -> None:
    assert direction(span) == way


EFFECT = Effect("What is the effect of ketamine compared with midazolam on movement?", ("movement",))


@pytest.mark.parametrize(
    ("span", "way"),
    [
        ("Movement was significantly more frequent with ketamine (p = 0.001).", "increase"),
        ("Movement was significantly more frequent with midazolam (p = 0.001).", "decrease"),
        ("Movement was more frequent with ketamine than with midazolam.", "increase"),
        ("Movement was less frequent with ketamine compared with midazolam.", "decrease"),
    ],
)
def test_what_is_told_of_the_group_compared_with_is_turned_round(span: str, way: str) -> None:
    assert direction(span, EFFECT) == way


def test_a_word_of_the_outcome_itself_says_nothing_of_its_direction() -> None:
    loss = Effect("Effect of the diet compared with advice on weight loss", ("weight loss",))
    assert direction("Weight loss was greater with the diet (p = 0.01).", loss) == "increase"


@pytest.mark.parametrize(
    ("told", "way"),
    [
        (["unknown", "increase"], "increase"),
        (["decrease", "increase", "unknown"], "decrease"),
        (["decrease", "increase", "increase"], "decrease"),
        (["unknown", "unknown"], "unknown"),
        ([], "unknown"),
    ],
)
def test_the_best_passage_that_tells_one_weighs_most(told: list[str], way: str) -> None:
    assert vote(told) == way


@given(st.text(max_size=300), st.text(max_size=60), st.lists(st.text(max_size=20), max_size=2))
def test_any_passage_and_question_give_one_of_four(span: str, question: str, keywords: list[str]) -> None:
    assert direction(span, Effect(question, keywords)) in WAYS
