"""Pieces of text around a place: contexts cut at words, sentences found, hidden parts blanked."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from literature_review.reviewers.passages import CONTEXT_CHARACTERS, LONGEST_PASSAGE, context_of, sentence_around
from literature_review.text.hidden import blank_out

TEXT = "First things first. The result\nwas clear, p = 0.04 in both arms. Then came more."

TEXTS = st.text("ab .\n!", max_size=900)


def test_the_words_before_and_after_are_on_one_line() -> None:
    start = TEXT.index("was clear")
    assert context_of(TEXT, start, start + 9) == (
        "First things first. The result",
        ", p = 0.04 in both arms. Then came more.",
    )


def test_a_context_begins_and_ends_at_whole_words() -> None:
    words = " ".join(f"word{number}" for number in range(200))
    start = words.index("word100")
    before, after = context_of(words, start, start + 7)
    assert set(before.split()) | set(after.split()) <= set(words.split())
    assert CONTEXT_CHARACTERS - 10 <= len(before) <= CONTEXT_CHARACTERS


def test_a_text_without_spaces_has_a_context_too() -> None:
    assert context_of("\u8a9e" * 900, 400, 410) == ("\u8a9e" * CONTEXT_CHARACTERS, "\u8a9e" * CONTEXT_CHARACTERS)


def test_a_sentence_is_found_from_any_place_in_it() -> None:
    sentence = "The result\nwas clear, p = 0.04 in both arms."
    start = TEXT.index(sentence)
    for at in range(start, start + len(sentence)):
        assert TEXT[slice(*sentence_around(TEXT, at, at + 1))] == sentence


@given(TEXTS, st.integers(0, 900), st.integers(1, 40))
def test_a_sentence_holds_its_place_and_never_grows_to_a_page(text: str, start: int, size: int) -> None:
    start = min(start, len(text))
    end = min(start + size, len(text))
    low, high = sentence_around(text, start, end)
    assert 0 <= low <= high <= len(text)
    assert high - low <= LONGEST_PASSAGE + size
    place = text[start:end]
    if place and not place[0].isspace() and "." not in place and "!" not in place and "\n" not in place:
        assert low <= start < high


@given(TEXTS, st.lists(st.tuples(st.integers(-5, 950), st.integers(-5, 950)), max_size=5))
def test_blanking_keeps_every_offset_and_every_other_character(text: str, ranges: list[tuple[int, int]]) -> None:
    blanked = blank_out(text, ranges)
    assert len(blanked) == len(text)
    for at, (old, new) in enumerate(zip(text, blanked, strict=True)):
        hidden = any(start <= at < end for start, end in ranges)
        assert new == (" " if hidden else old)
