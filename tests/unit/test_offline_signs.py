"""What the offline judging helpers tell of a sentence, each with its reason."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from literature_review.llm.offline import scores, signs


@pytest.mark.parametrize(
    ("sentence", "role", "act"),
    [
        ("Pain was significantly lower in the drug group (p = 0.01).", "results", "reports"),
        ("The mean score was 4.2 ± 1.1 in the drug group.", "results", "reports"),
        ("We will measure pain after six weeks.", "introduction", "plans"),
        ("The aim of this study was to assess pain.", "introduction", "plans"),
        ("The primary outcome was pain at six weeks.", "methods", "plans"),
        ("Previous studies have reported lower pain with the drug.", "introduction", "cites"),
        ("Smith et al. found lower pain [12].", "discussion", "cites"),
        ("Pain was not assessed in this trial.", "discussion", "negates"),
        ("No data were available on pain.", "results", "negates"),
        ("We hypothesised that pain would be lower.", "introduction", "hypothesises"),
        ("The drug may be useful for pain.", "discussion", "hypothesises"),
        ("Pain is common.", "introduction", "mentions"),
    ],
)
def test_what_a_sentence_does_is_told(sentence: str, role: str, act: str) -> None:
    assert signs.reading(sentence, role).act == act


def test_the_reason_is_words_of_the_sentence() -> None:
    read = signs.reading("The aim of this study was to assess pain.", "introduction")
    assert read.reason.lower() in "the aim of this study was to assess pain."


@pytest.mark.parametrize("figure", ["p < 0.001", "P=.045", "HR 0.82", "ratio of 1.75", "t(12) = 2.31"])
def test_a_figure_is_told_whole(figure: str) -> None:
    """A p-value cut to `p < 0.0` would say something that the paper does not."""
    assert signs.reading(f"Pain was lower with the drug ({figure}).", "results").reason == figure


@pytest.mark.parametrize(
    ("role", "sentence", "own"),
    [
        ("results", "Pain fell.", True),
        ("conclusion", "Pain fell.", True),
        ("discussion", "In our trial pain fell.", True),
        ("discussion", "Pain fell in other studies.", False),
        ("introduction", "Pain fell by half (p < 0.01).", False),
        ("unknown", "Pain was lower (p < 0.01).", True),
        ("references", "Pain was lower (p < 0.01).", False),
    ],
)
def test_own_findings_are_told_from_others(role: str, sentence: str, own: bool) -> None:
    assert signs.in_own_findings(role, sentence) is own


def test_direct_evidence_scores_above_plans_and_citations() -> None:
    told = scores.directness("Pain was lower with the drug (p = 0.01).", "results")
    planned = scores.directness("Pain will be measured.", "methods")
    cited = scores.directness("Previous studies have reported lower pain.", "introduction")
    assert told.value == 1.0 > planned.value
    assert told.value > cited.value
    assert "p = 0" in told.reason


def test_recency_halves_and_an_unknown_year_is_none() -> None:
    assert scores.recency(2020, 2020).value == 1.0
    assert scores.recency(2010, 2020).value == 0.5
    assert scores.recency(2030, 2020).value == 1.0
    assert scores.recency(None, 2020) == scores.Score(0.0, "the year is not known")


def test_an_open_study_is_more_reproducible_than_a_closed_one() -> None:
    open_study = "Registered as NCT01234567. Data are available at osf.io/x. We analysed 40 patients (95% CI)."
    assert scores.reproducibility(open_study).value > scores.reproducibility("A story.").value == 0.0


@given(st.text(max_size=300), st.sampled_from(["results", "methods", "unknown", "discussion"]))
def test_every_score_is_a_share_with_a_reason(span: str, role: str) -> None:
    for score in (
        scores.directness(span, role),
        scores.reproducibility(span),
    ):
        assert 0.0 <= score.value <= 1.0
        assert score.reason
