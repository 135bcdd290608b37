"""Indexes of texts that were asked for not long ago are not made again, and do not fill the memory."""

from __future__ import annotations

import pytest

from literature_review.text import quote_indexes
from literature_review.text.quote_indexes import index_of
from literature_review.text.quotes import QuoteIndex

TEXT = "The share of missed appointments fell from 21 to 14 per cent."


@pytest.fixture(autouse=True)
def _room_for_a_few(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(quote_indexes, "MOST_CHARACTERS", 3 * len(TEXT))
    quote_indexes._indexes.clear()


def texts(count: int) -> list[str]:
    """Of equal length, none like another."""
    return [TEXT.replace("21", str(21 + number)) for number in range(count)]


def test_an_equal_text_gets_the_same_index_which_finds_what_a_new_one_finds() -> None:
    quote = "fell from 21 to 14 per cent"
    assert index_of(TEXT) is index_of("".join(TEXT))
    assert index_of(TEXT).find(quote) == QuoteIndex(TEXT).find(quote) is not None


def test_a_text_that_is_shown_otherwise_is_another() -> None:
    """10⁴ is found only where the page shows it."""
    text, shown = TEXT.replace("21", "104"), TEXT.replace("21", "10⁴")
    plain, raised = index_of(text), index_of(text, shown)
    assert index_of(text, text) is plain is not raised
    assert (plain.find(shown), raised.find(shown)) == (None, (0, len(text)))


def test_the_text_that_was_asked_for_longest_ago_makes_room() -> None:
    first, second, third, fourth = texts(4)
    kept = [index_of(text) for text in (first, second, third)]
    assert index_of(first) is kept[0]
    index_of(fourth)
    assert index_of(first) is kept[0]
    assert index_of(third) is kept[2]
    assert index_of(second) is not kept[1]


@pytest.mark.parametrize("text", ["", "x" * (4 * len(TEXT))])
def test_an_empty_and_a_huge_text_are_looked_up_all_the_same(text: str) -> None:
    """The huge one is not kept, and drives no other out."""
    kept = index_of(TEXT)
    assert index_of(text).find(TEXT) is None
    assert index_of(TEXT) is kept
