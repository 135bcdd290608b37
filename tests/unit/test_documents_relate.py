"""Whether two papers are the same work."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from literature_review.documents.relate import PREPRINT, SAME, SUPPLEMENT, find_related, relation, same_work
from literature_review.models import Bibliography

TRIAL = Bibliography("Apples against headache", ("Ada Byron", "Bo Li"), 2019, "10.1234/apples")


@pytest.mark.parametrize(
    ("other", "expected"),
    [
        (TRIAL, SAME),
        (replace(TRIAL, title="Another spelling", authors=(), year=None), SAME),
        (replace(TRIAL, doi="https://doi.org/10.1234/APPLES"), SAME),
        (replace(TRIAL, doi=""), SAME),
        (replace(TRIAL, doi="", title="APPLES  against head\u00adache".replace("\u00ad", "")), SAME),
        (replace(TRIAL, doi="", authors=("Byron, A.", "Li, B.")), SAME),
        (replace(TRIAL, doi="", authors=("Byron A",)), SAME),
        (replace(TRIAL, doi="", authors=("Carl Byron", "Bo Li")), ""),
        (replace(TRIAL, doi="", year=2018), ""),
        (replace(TRIAL, doi="", year=None), ""),
        (replace(TRIAL, doi="", authors=("Cato Dam",)), ""),
        (replace(TRIAL, doi="", authors=()), ""),
        (replace(TRIAL, doi="10.9999/other"), ""),
        (replace(TRIAL, doi="10.9999/other", title="Pears against headache"), ""),
        (replace(TRIAL, doi="10.1101/2018.05.01", year=2018), PREPRINT),
        (replace(TRIAL, doi="10.1101/2018.05.01", year=2005), ""),
        (replace(TRIAL, title="Supplementary information for Apples against headache", doi=""), SUPPLEMENT),
        (replace(TRIAL, title="Supplement", authors=(), year=None), SUPPLEMENT),
        (replace(TRIAL, title="Apples against headache: Supplementary Appendix", doi=""), SUPPLEMENT),
        (replace(TRIAL, title="Supplementary information for Pears", doi=""), ""),
        (Bibliography(), ""),
    ],
)
def test_relations(other: Bibliography, expected: str) -> None:
    assert relation(TRIAL, other) == expected
    assert relation(other, TRIAL) == expected
    assert same_work(TRIAL, other) == (expected == SAME)


def test_a_trial_of_supplements_is_no_supplement() -> None:
    """Papers on dietary supplements are papers."""
    pills = Bibliography("Vitamin supplements in adults: a trial", ("Ada Byron",), 2019)
    assert relation(pills, replace(pills)) == SAME


def test_unknown_papers_are_not_the_same() -> None:
    """Two papers of which nothing is known share all their empty fields."""
    assert relation(Bibliography(), Bibliography()) == ""
    assert relation(Bibliography("Editorial"), Bibliography("Editorial")) == ""


def test_versions_of_a_preprint_are_the_same_work() -> None:
    first = Bibliography("Apples", ("Ada Byron",), 2018, "10.48550/arxiv.1801.00001v1")
    assert relation(first, replace(first, doi="10.48550/arxiv.1801.00001v2")) == SAME


def test_related_papers_of_a_folder_name_each_other() -> None:
    papers = {
        "a.pdf": TRIAL,
        "b.pdf": replace(TRIAL, doi=""),
        "s.pdf": replace(TRIAL, title="Supplement to: Apples against headache"),
        "other.pdf": Bibliography("Pears", ("Bo Li",), 2019, "10.1/pears"),
    }
    assert find_related(papers) == {
        "a.pdf": {"b.pdf": SAME, "s.pdf": SUPPLEMENT},
        "b.pdf": {"a.pdf": SAME, "s.pdf": SUPPLEMENT},
        "s.pdf": {"a.pdf": SUPPLEMENT, "b.pdf": SUPPLEMENT},
    }


def test_many_papers_of_one_title_take_no_time_of_their_square() -> None:
    papers = {f"{at}.pdf": Bibliography("Editorial comment", (f"Ada Name{at}",), 2020) for at in range(20_000)}
    assert find_related(papers) == {}


BOOKS = st.builds(
    Bibliography,
    title=st.sampled_from(["", "Apples against headache", "Supplement: Apples against headache", "Pears"]),
    authors=st.sampled_from([(), ("Ada Byron",), ("Byron, Ada", "Li, Bo"), ("Bo Li",)]),
    year=st.sampled_from([None, 2018, 2019]),
    doi=st.sampled_from(["", "10.1234/apples", "10.1101/1", "10.1234/apples.supp1"]),
)


@given(BOOKS, BOOKS)
def test_a_relation_holds_both_ways(one: Bibliography, other: Bibliography) -> None:
    assert relation(one, other) == relation(other, one)
