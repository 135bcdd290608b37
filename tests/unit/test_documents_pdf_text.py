"""Raw page text becomes the text that offsets count in."""

from __future__ import annotations

import time
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from literature_review.documents.pdf_text import (
    HIDDEN_END,
    HIDDEN_START,
    MARKS,
    RAISED_END,
    RAISED_START,
    clean,
    clean_pages,
    letter_of,
)


@pytest.mark.parametrize(
    ("raw", "cleaned"),
    [
        ("classi\ufffefication", "classification"),
        ("classi\x02fication", "classification"),
        ("classi-\r\nfication of", "classification\nof"),
        ("the classi\ufffefication, of", "the classification,\nof"),
        ("classi\xad\r\nfication", "classification"),
        ("a CNN\ufffeLSTM model", "a CNN-LSTM\nmodel"),
        ("an AI\ufffebased model", "an AI-based\nmodel"),
        ("type 2\ufffediabetes", "type 2-diabetes"),
        ("the well\ufffeknown and well-known", "the well-known\nand well-known"),
        ("wellknown is wellknown, well\ufffeknown", "wellknown is wellknown, wellknown"),
        ("self is made of supervised self\ufffesupervised", "self is made of supervised self-supervised"),
        ("ends with\ufffe", "ends with-"),
        ("a range of 3-\n4 and – dash", "a range of 3-4\nand – dash"),
        ("COVID-\r\n19 in a 10-\r\nfold rise", "COVID-19\nin a 10-fold\nrise"),
        ("minus -\n5 and a dash -\nthen", "minus -\n5 and a dash -\nthen"),
        ("the participants, par- ticipants", "the participants, participants"),
        ("pre- and post-operative, with andpost", "pre- and post-operative, with andpost"),
        ("short- and long-term, shortand", "short- and long-term, shortand"),
    ],
)
def test_a_word_broken_at_a_line_s_end_is_whole_again(raw: str, cleaned: str) -> None:
    assert clean(raw) == cleaned


@pytest.mark.parametrize(
    ("raw", "cleaned"),
    [
        ("e\ufb03cacy of the \ufb02ow", "efficacy of the flow"),
        ("of\xa0deep\u2009learning", "of deep learning"),
        ("line \r\nline  \n", "line\nline\n"),
        ("levels1–3\r\n. For example", "levels1–3. For example"),
        ("see\n.05 level", "see\n.05 level"),
        ("a\x00b\x07c\u200bd", "abcd"),
        ("soft\xadhyphen in a line", "soft-hyphen in a line"),
    ],
)
def test_blanks_ligatures_and_line_ends_are_put_right(raw: str, cleaned: str) -> None:
    assert clean(raw) == cleaned


def test_pages_are_parted_by_one_line_end_and_know_their_characters() -> None:
    text, pages, hidden, raised = clean_pages(["One \r\ntwo", "", "three\ffour"])
    assert text == "One\ntwo\n\nthree four"
    assert [text[page.start : page.end] for page in pages] == ["One\ntwo\n", "\n", "three four"]
    assert [page.number for page in pages] == [1, 2, 3]
    assert (hidden, raised) == ((), ())


@pytest.mark.parametrize(
    "odd", ["tea" + " " * 60_000 + "\ntea", "Tea.\n\n" + "!" * 60_000, "Tea.\n\n" + "1!" * 30_000 + "a"]
)
def test_one_odd_line_takes_no_time(odd: str) -> None:
    start = time.process_time()
    text, pages, _, _ = clean_pages([odd, "Water.", odd])
    assert time.process_time() - start < 3.0
    assert len(pages) == 3
    assert " \n" not in text


def test_hidden_runs_keep_their_place_through_the_cleaning() -> None:
    raw = f"An e\ufb03cient \r\n{HIDDEN_START['white']}o\ufb03cial\xa0note{HIDDEN_END}\r\nword and classi\ufffefication"
    text, _, hidden, _ = clean_pages(["first page", raw])
    assert [(text[run.start : run.end], run.reason) for run in hidden] == [("official note", "white")]
    assert "classification" in text


def test_marks_in_a_paper_s_own_text_mean_nothing() -> None:
    """A file cannot mark its own text as hidden, nor end the mark of what is."""
    raw = "".join(HIDDEN_START.values()) + HIDDEN_END + RAISED_START + RAISED_END + "text"
    assert "".join(character for character in raw if ord(character) not in MARKS) == "text"


def test_raised_digits_keep_their_place_within_hidden_runs_and_outside() -> None:
    raised = f"10{RAISED_START}\u22124{RAISED_END}"
    raw = f"e\ufb03cacy {raised} and {HIDDEN_START['tiny']}secret {raised}{HIDDEN_END}\r\n{raised} end"
    text, _, hidden, found = clean_pages(["10", raw])
    assert [text[start:end] for start, end in found] == ["\u22124"] * 3
    assert [text[run.start : run.end] for run in hidden] == ["secret 10\u22124"]


@pytest.mark.parametrize(
    ("foot", "head", "apart"),
    [
        ("the models were", "Journal of Apples\n\nleft out.", True),
        ("the models were\n\nJournal 12", "left out.", True),
        ("the models were\n\n- 12 -", "left out.", True),
        ("the models were", "left out.", False),
        ("the models were", "left out.\n\nResults", False),
        ("Methods\n\nThe models were", "left out.\nAll of them.\n\nResults", False),
    ],
)
def test_a_running_head_or_foot_between_two_pages_stands_apart(foot: str, head: str, apart: bool) -> None:
    text, pages, _, _ = clean_pages([foot, head])
    assert text == (f"{foot}\n\n{head}" if apart else f"{foot}\n{head}")
    assert text[pages[1].start :] == head


def test_letters_of_formulas_become_plain_ones_of_the_same_length() -> None:
    raw = "\U0001d45d < 0.05, \U0001d6fd = \U0001d7cf"
    assert "".join(letter_of(ord(character)) for character in raw) == "p < 0.05, \u03b2 = 1"


@given(st.lists(st.text(alphabet="ab-\ufffe\x02\r\n\f \xa0\ufb01.,é7", max_size=40), min_size=1, max_size=5))
def test_any_raw_pages_give_pages_that_cover_the_text_in_order(raw: list[str]) -> None:
    text, pages, _, _ = clean_pages(raw)
    assert len(pages) == len(raw)
    assert pages[0].start == 0
    assert pages[-1].end == len(text)
    assert all(after.start == before.end for before, after in pairwise(pages))
    assert not set(text) & set("\ufffe\x02\r\f\xa0\ufb01")


@given(st.text(alphabet="ab c\ufffe\r\n\xa0\ufb01", max_size=30), st.text(alphabet="xyz", min_size=1, max_size=9))
def test_a_hidden_run_is_found_wherever_it_stands(around: str, secret: str) -> None:
    raw = f"{around}\n{HIDDEN_START['tiny']}{secret}{HIDDEN_END}\n{around}"
    text, _, hidden, _ = clean_pages([raw])
    assert [text[run.start : run.end] for run in hidden] == [secret]
