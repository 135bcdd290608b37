"""Running heads between pages: a quote may pass over them, and over nothing else."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from literature_review.models import Document, Page, Proposal
from literature_review.reviewers.claims import QuoteDesk, fault_of
from literature_review.text.quotes import QuoteIndex, find_quote
from literature_review.text.running_heads import joined_over_heads, without_running_heads

BODY = "The first of the sentences on this page says what was done to whom in it. " * 3
GROUPS = ["one", "two", "three", "four", "five"]
FEET = [f"{BODY}\nThe apples of group {group} had grown more than\n\n{at + 10}" for at, group in enumerate(GROUPS)]
TOPS = [
    f"Journal of Apples | Page {at} of 9\n\npears of group {group} had by then. {BODY}"
    for at, group in enumerate(GROUPS)
]
TEXT = "\n\n".join(part for pair in zip(FEET, TOPS, strict=True) for part in pair)
QUOTE = "The apples of group three had grown more than pears of group three had by then."


def test_a_quote_over_a_page_break_passes_over_the_running_head_and_the_page_s_number() -> None:
    match = find_quote(TEXT, QUOTE)
    assert match is not None
    assert TEXT[match.start : match.end].startswith("The apples of group three")
    assert TEXT[match.start : match.end].endswith("had by then.")


@pytest.mark.parametrize(
    "quote",
    [
        "The apples of group three had grown more than pears of group four had by then.",
        "The apples of group three had grown less than pears of group three had by then.",
        "The apples of group three had grown more than 12 pears of group three had by then.",
        "The apples of group three had grown more pears of group three had by then.",
    ],
)
def test_a_changed_quote_over_a_page_break_is_refused(quote: str) -> None:
    assert find_quote(TEXT, quote) is None


def test_a_line_that_does_not_come_back_is_never_passed_over() -> None:
    text = TEXT.replace("Journal of Apples | Page 2 of 9\n\npears", "None of them was large, as seen\n\npears")
    assert find_quote(text, QUOTE) is None


def test_a_head_between_whole_sentences_is_not_passed_over() -> None:
    text = TEXT.replace("had grown more than\n", "had grown more.\n")
    assert find_quote(text, "The apples of group three had grown more. pears of group three had by then.") is None
    assert joined_over_heads(text) == text


def test_a_claim_over_a_page_break_names_both_pages_and_shows_no_running_head() -> None:
    turn = TEXT.index("pears of group three")
    pages = (Page(1, 0, turn - 30), Page(2, turn - 30, len(TEXT)))
    document = Document(TEXT, pages)
    desk = QuoteDesk("paper.pdf", document, {"S1"}, "other", "model")
    (claim,) = desk.claims([Proposal("S1", QUOTE, 1.0, "it says so", 0)])
    assert claim.quote == QUOTE
    assert (claim.page, claim.last_page) == (1, 2)
    assert fault_of(claim, document, {"S1"}) == ""


def test_a_quote_of_the_head_itself_is_found_as_it_stands() -> None:
    assert find_quote(TEXT, "Journal of Apples | Page 3") is not None


def test_a_page_s_number_alone_is_passed_over_where_pages_count_on() -> None:
    feet = [foot.removeprefix(BODY) for foot in FEET]
    text = BODY + "\n\n".join(
        f"{foot}\n\npears of group {group} had by then." for foot, group in zip(feet, GROUPS, strict=True)
    )
    assert find_quote(text, QUOTE) is not None
    assert find_quote(text.replace("\n11\n", "\n99\n").replace("\n13\n", "\n98\n"), QUOTE) is None


def test_figures_that_stand_alone_within_a_sentence_are_not_passed_over() -> None:
    """What comes back with other figures is a row of a table, not the head of a page."""
    text = "\n\n".join(
        f"In group {group} we saw a fall of\n\n{at * 7 % 5} percent (SD {at * 3 % 4})\n\nin all."
        for at, group in enumerate(GROUPS)
    )
    assert joined_over_heads(text) == text


@given(st.text(alphabet="ab \n.1", max_size=200), st.integers(0, 6))
def test_offsets_stay_whatever_the_text(filling: str, times: int) -> None:
    text = (filling + "\nA running head of pages\n") * times
    assert len(joined_over_heads(text)) == len(without_running_heads(text)) == len(text)


def test_a_text_of_one_line_many_times_takes_linear_time() -> None:
    assert QuoteIndex("A running head of pages\n" * 50_000).find("a sentence that stands nowhere in it") is None
