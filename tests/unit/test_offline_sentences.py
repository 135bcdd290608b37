"""Where sentences begin and end."""

from __future__ import annotations

import pytest

from literature_review.llm.offline import EvidenceIndex
from literature_review.llm.offline.sentences import split_sentences


def pieces(text: str) -> list[str]:
    return [text[start:end] for start, end in split_sentences(text)]


@pytest.mark.parametrize("dash", ["-", "\u2010", "\xad", "\u2013"])
def test_a_word_that_is_broken_at_a_line_s_end_is_not_cut_in_a_short_text(dash: str) -> None:
    text = f"Nine com{dash}\nplained of pain. All went home."
    assert pieces(text) == [f"Nine com{dash}\nplained of pain.", "All went home."]


def test_a_range_that_is_broken_at_a_line_s_end_is_not_cut() -> None:
    assert pieces("Pages 123\u2013\n126 tell of it.") == ["Pages 123\u2013\n126 tell of it."]


def test_a_list_s_items_are_cut_at_their_marks() -> None:
    lines = ["It has:", "- one item here", "- another item here"]
    assert pieces("\n".join(lines)) == lines


ABSTRACT = (
    "# Reminders\n\n## Abstract\n\n**Background.** Reminders are sent everywhere. **Methods:** We asked 612 patients."
    " **Results.** One in ten found them annoying (p = 0.03). *Conclusions.* Fewer would do.\n\n## Methods\n\nWe asked."
    "\n\n## Results\n\nNo more.\n"
)


def test_labels_in_bold_or_italics_begin_a_sentence_each() -> None:
    assert [piece for piece in pieces(ABSTRACT) if piece[0] == "*"] == [
        "**Background.** Reminders are sent everywhere.",
        "**Methods:** We asked 612 patients.",
        "**Results.** One in ten found them annoying (p = 0.03).",
        "*Conclusions.* Fewer would do.",
    ]


def test_labels_in_bold_or_italics_tell_the_role_of_their_sentence() -> None:
    roles = [s.role for s in EvidenceIndex(ABSTRACT).sentences if ABSTRACT[s.start] == "*"]
    assert roles == ["introduction", "methods", "results", "conclusion"]


def test_a_line_of_a_page_that_begins_with_a_short_word_is_no_item_of_a_list() -> None:
    lines = [
        "The images are those of the well known collection of the Common Objects in Context",
        "(COCO) that others have used before, and we looked at all of them, see Supplementary",
        "Fig. 3 for the whole of the table, in which each of the patients had two different",
        "maps. The others were left out of what follows, as all of them had been looked at by",
    ]
    first, _ = " ".join(lines).split(" The others ")
    found = [" ".join(sentence.split()) for sentence in pieces("\n".join(lines * 3))]
    assert found[0] == first
    assert found[1].startswith("The others ")


def test_a_page_s_number_behind_an_empty_line_belongs_to_no_sentence() -> None:
    assert pieces("The length of words matches.\n\n4\nNext one.")[0] == "The length of words matches."


def test_a_short_line_of_chinese_is_a_heading_or_a_sentence_and_no_cell_of_a_table() -> None:
    """Two signs are a word: a heading is not joined to the sentence before it, whose end it would hide."""
    assert pieces("运动可以降低血压。\n\n结果\n\n收缩压下降了。") == ["运动可以降低血压。", "结果", "收缩压下降了。"]
    assert pieces("Group A had the mean value\n12 (4)\n") == ["Group A had the mean value\n12 (4)"]


def test_a_sentence_that_begins_near_a_line_s_end_goes_on_with_a_capital() -> None:
    """It is the line that has to be full, not the piece of it that the sentence takes up."""
    lines = [
        "and it was seen that all of these were alike in what they had done by then. Our",
        "SimCLR models were looked at by those who had no part in the work that was done,",
        "and none of the others had been looked at before the end of what we had planned.",
    ]
    found = [" ".join(sentence.split()) for sentence in pieces("\n".join(lines * 4))]
    assert found[1].startswith("Our SimCLR models")
