"""The fitted judge of the offline back end: what raises a chance, what lowers it, and its second look."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from literature_review.llm.offline import weights
from literature_review.llm.offline.judging import FEATURES, RISING, chance, log_odds, prominence
from literature_review.llm.offline_backend import OfflineBackend
from literature_review.models import Claim, Document, SubRequirement
from literature_review.ports import Deadline

PLAIN = dict.fromkeys(FEATURES, 0.0)
TEXT = """Abstract

Results: Hand grip fell in neither group. Conclusions: The balm helps knees.

Methods

Hand grip, knee swelling and walking speed were measured with a dynamometer, a tape and a watch.
We aimed to assess knee swelling.

Results

Of 90 adults, 88 came back after six weeks. Grip was the same in both groups (p = 0.71).
Knee swelling was significantly less with the balm than with water (2.1 against 3.4 cm; p = 0.003).
The walking speed did not differ between the groups (p = 0.44).
"""
SWELLING = SubRequirement("S", "Effect of the balm on knee swelling", ("knee swelling",))


def features(**given_values: float) -> tuple[float, ...]:
    return tuple({**PLAIN, **given_values}.values())


@pytest.mark.parametrize("name", FEATURES[:RISING])
@pytest.mark.parametrize("focused", [True, False])
@pytest.mark.parametrize("reporting", [0.0, 0.5, 1.0])
def test_what_speaks_for_a_passage_never_lowers_its_chance(name: str, focused: bool, reporting: float) -> None:
    low, high = (chance(features(**{name: value}), focused, reporting) for value in (0.0, 1.0))
    assert low <= high


def test_each_fit_has_a_weight_for_every_feature_and_a_bias() -> None:
    for fitted in (weights.JUDGE_FOCUSED, weights.JUDGE_OPEN, weights.JUDGE_PLAIN):
        assert len(fitted) == len(FEATURES) + 1
        assert min(fitted[:RISING]) >= 0.0


@given(st.floats(0, 1), st.lists(st.floats(0, 1), max_size=20))
def test_prominence_is_the_log_of_a_share(score: float, scores: list[float]) -> None:
    assert prominence(score, sorted([*scores, score], reverse=True)) <= 0.0


def test_log_odds_are_bounded_and_odd() -> None:
    assert log_odds(0.5) == 0.0
    assert log_odds(0.0) == pytest.approx(-log_odds(1.0))


def appeals(quote: str) -> list[str]:
    start = TEXT.index(quote)
    claim = Claim("r", "a", "S", quote, 1, "", start, start + len(quote), 0.5, "rejected", "", "offline", "embedded")
    found = OfflineBackend({}).reconsider(Document(TEXT), [claim], {"S": SWELLING}, Deadline())
    return [proposal.quote for proposal in found.proposals]


def test_a_plan_is_replaced_by_the_result_that_says_the_same_words() -> None:
    assert appeals("We aimed to assess knee swelling.")[0].startswith("Knee swelling was significantly")


def test_a_neighbour_that_does_not_speak_of_it_replaces_nothing() -> None:
    assert appeals("Of 90 adults, 88 came back after six weeks.") == []


def test_a_chance_that_is_too_low_is_a_reason_that_a_reader_can_check() -> None:
    quote = "The walking speed did not differ between the groups (p = 0.44)."
    start = TEXT.index(quote)
    claim = Claim("c", "a", "S", quote, 1, "", start, start + len(quote), 0.5, "pending", "", "offline", "embedded")
    (verdict,) = OfflineBackend({}).judge(Document(TEXT), [claim], {"S": SWELLING}, Deadline())
    assert not verdict.approved
    assert verdict.reason.startswith("the passage does not speak of knee, swelling")
    assert "needed 0.50" in verdict.reason


def test_a_passage_far_less_likely_than_the_first_is_not_taken_beside_it(monkeypatch: pytest.MonkeyPatch) -> None:
    again = TEXT + "\nConclusion\n\nWith the balm the knee swelling was less after six weeks (p = 0.003).\n"
    assert len(taken_with(again, monkeypatch, beside=99.0)) > 1
    first = taken_with(again, monkeypatch, beside=0.0)
    assert first == taken_with(again, monkeypatch, beside=99.0)[:1]


def taken_with(text: str, monkeypatch: pytest.MonkeyPatch, beside: float) -> list[str]:
    monkeypatch.setattr("literature_review.llm.offline_reading.BESIDE", beside)
    found = OfflineBackend({}).find_claims(Document(text), (SWELLING,), Deadline())
    return [proposal.quote for proposal in found.proposals]
