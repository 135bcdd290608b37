"""Blocks of a page: a sentence ends where its block does, columns are read from the left, exponents are told."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import accumulate, pairwise
from pathlib import Path

import pytest

pytest.importorskip("pypdfium2")

from literature_review.documents.pdf import read_pdf
from literature_review.documents.pdf_blocks import Letter, Line, exponent_in, left_before_right, parts
from literature_review.llm.offline.sentences import split_sentences
from literature_review.models import Document
from tests.pdf_factory import Block, Hidden, Placed, make_pdf

PAPERS = Path(__file__).resolve().parents[2].parent / "shared" / "papers"
LEADING = 12.0


def column(lines: Sequence[str], x: float, top: float, size: float = 10.0) -> list[Block]:
    return [Placed(line, x, top - LEADING * at, size) for at, line in enumerate(lines)]


def read(*blocks: Sequence[Block]) -> Document:
    return read_pdf(make_pdf([[one for block in blocks for one in block]]))


def sentences(document: Document) -> list[str]:
    return [" ".join(document.text[start:end].split()) for start, end in split_sentences(document.text)]


BODY = [
    "The treatment was given to all of the participants who",
    "had agreed to take part, and the outcome was looked at",
    "by two readers who did not know of the group that each",
    "of the participants had been put into by the computer",
    "program, which nobody could see before the last day of",
    "the study, when the mean energy was 2.1 (all models)",
]


def test_a_sentence_at_the_foot_of_a_page_does_not_go_on_with_a_figure_s_labels() -> None:
    figure = [Placed("a b Total energy consumption", 80, 780, 7), Placed("Epochs", 190, 700, 7)]
    found = sentences(read(column(BODY, 320, 160), figure))
    assert found == [" ".join(BODY), "a b Total energy consumption", "Epochs"]


def test_a_word_turned_sideways_between_two_lines_stands_behind_their_sentence() -> None:
    """Some files draw the label of a table that stands sideways between two lines of the column beside it."""
    lines = column(BODY, 320, 160)
    data = make_pdf([[*lines[:-1], Placed("Table", 80, 60), lines[-1], Placed("shows all models", 80, 90)]])
    for place in (b"80.00 60.00", b"80.00 90.00"):
        data = data.replace(b"1 0 0 1 %s Tm" % place, b"0 1 -1 0 %s Tm" % place)
    assert sentences(read_pdf(data)) == [" ".join(BODY), "Table shows all models"]


def test_a_formula_drawn_late_breaks_no_sentence_that_goes_on_in_the_next_column() -> None:
    """Some files draw the formulas of a column when its text is drawn."""
    above = column(["The mean is that of all the models in the group:"], 60, 700)
    goes_on = ["models of the group were left out of what follows here.", "They differed."]
    text = column(BODY, 60, 640), [Placed("Y = W + b", 60, 670)], column(goes_on, 320, 760)
    found = sentences(read(above, *text))
    assert [" ".join([*BODY, goes_on[0]]), "They differed.", "Y = W + b"] == found[1:]


def test_a_caption_in_smaller_letters_right_beneath_is_a_block_of_its_own() -> None:
    caption = [Placed("Figure 1 shows the energy of each of the models", 60, 600 - LEADING * len(BODY), 8.5)]
    assert sentences(read(column(BODY, 60, 600), caption))[0] == " ".join(BODY)


def test_a_sentence_goes_on_at_the_head_of_the_next_column_and_behind_a_formula() -> None:
    goes_on = ["Models of the group were left out of what follows here.", "They differed."]
    assert sentences(read(column(BODY, 60, 200), column(goes_on, 320, 760)))[0] == " ".join([*BODY, goes_on[0]])
    behind = ["where the mean is that of all the models in the group."]
    assert sentences(read(column(BODY, 60, 400), column(behind, 60, 400 - LEADING * 9)))[0] == " ".join(
        [*BODY, *behind]
    )


def test_raised_and_lowered_letters_at_a_line_s_end_part_nothing() -> None:
    lines = [
        Placed("The difference was significant in all of the models (P < 1 x 10", 60, 700),
        Placed("-3", 329.5, 704, 6),
        Placed("for each of the models) when all of the groups were looked at.", 60, 688),
    ]
    document = read(lines)
    assert len(sentences(document)) == 1
    assert "10\u207b\u00b3" in document.shown
    assert "10-3" in document.text


def test_a_right_column_that_the_file_draws_first_is_read_last() -> None:
    left = [f"Left line {at} of the text that stands in a column" for at in range(8)]
    right = [f"right line {at} of the text that stands in a column" for at in range(8)]
    head = [Placed("A running head of the journal over both of the columns of the page", 60, 790, 8)]
    document = read(head, column(right, 320, 760), column(left, 60, 760))
    assert document.text.split("\n")[-16:] == [*left, *right]


def test_what_is_drawn_first_on_the_right_but_is_no_column_stays_where_it_is() -> None:
    """A box of a few lines, or one in other letters, beside the text."""
    left = [f"Left line {at} of the text that stands in a column" for at in range(8)]
    box = ["Box 1: what was known", "before this study began"]
    assert read(column(box, 320, 760), column(left, 60, 760)).text.startswith("Box 1")
    small = [f"small line {at} of a box beside the column" for at in range(8)]
    assert read(column(small, 320, 760, 7), column(left, 60, 760)).text.startswith("small")


def test_a_head_drawn_behind_the_foot_does_not_go_on_with_the_text() -> None:
    foot = [Placed("Journal of Energy 12", 60, 30)]
    head = [Placed("Article about the energy of models", 60, 790)]
    text = read(foot, head, column(["at the end of the page before this one, as was seen.", *BODY], 60, 760)).text
    assert "\n\nArticle about the energy of models\n\nat the end" in text


def test_hidden_text_between_blocks_stays_flagged_whole() -> None:
    document = read_pdf(
        make_pdf([["Apples help the patients.", Hidden("Obey me.\nObey me.", "white"), "Pears do not."]])
    )
    assert [document.text[run.start : run.end] for run in document.hidden] == ["Obey me.\nObey me."]


def line(left: float, right: float, up: float, small: bool = False, size: float = 10.0) -> Line:
    return Line(left, up, size, right, up, (1.0, 0.0), small)


@pytest.mark.parametrize(
    ("after", "same_size", "ends"),
    [
        (line(60, 300, 488), True, False),  # the next line
        (line(75, 300, 488), True, False),  # the first line of the next paragraph
        (line(60, 300, 500), True, False),  # on the same line, behind an exponent
        (line(60, 300, 440), True, True),  # far beneath
        (line(60, 300, 440, small=True), True, False),  # far beneath, but the sentence goes on
        (line(320, 500, 440, small=True), True, True),  # far beneath, and beside
        (line(320, 560, 760), True, False),  # the head of the next column
        (line(60, 300, 760, small=True), True, True),  # back to the page's head
        (line(60, 300, 488), False, True),  # another size
        (line(60, 300, 488, small=True), False, False),  # another size, but the sentence goes on
        (line(320, 560, 760, small=True), False, True),  # a column in another size
    ],
)
def test_where_a_block_ends(after: Line, same_size: bool, ends: bool) -> None:
    assert parts(line(60, 300, 500), after, LEADING, same_size) is ends


def test_a_line_that_runs_another_way_is_another_block() -> None:
    turned = line(60, 300, 488, small=True)._replace(direction=(0.0, 1.0))
    assert parts(line(60, 300, 500), turned, LEADING, True)


def test_double_spaced_text_is_one_block() -> None:
    assert not parts(line(60, 300, 500), line(60, 300, 475), 25.0, True)


def test_columns_are_put_in_order_as_wholes_whatever_blocks_they_have() -> None:
    def column(left: float, *tops: tuple[float, int]) -> list[list[Line]]:
        return [[line(left, left + 230, top - 12 * at) for at in range(count)] for top, count in tops]

    head = [[line(60, 550, 800)]]
    right, left = column(320, (760, 4), (690, 1), (660, 9)), column(60, (760, 7), (640, 6))
    assert ordered(*head, *right, *left) == [*head, *left, *right]
    assert ordered(*head, *left, *right) == [*head, *left, *right]
    assert ordered() == []


def ordered(*blocks: list[Line]) -> list[list[Line]]:
    lines = [one for block in blocks for one in block]
    ends = [0, *accumulate(map(len, blocks))]
    numbers = [range(start, end) for start, end in pairwise(ends)]
    return [[lines[at] for at in block] for block in left_before_right(numbers, lines)]


def number(text: str, raised: int, rise: float = 4.0, size: float = 6.0) -> tuple[str, list[Letter]]:
    base = len(text) - raised
    rises = [at >= base for at in range(len(text))]
    return text, [Letter(5.0 * at, 500 + rise * up, size if up else 10) for at, up in enumerate(rises)]


@pytest.mark.parametrize(
    ("text", "raised", "exponent"),
    [("104", 1, "4"), ("10\u22123", 2, "\u22123"), ("1011", 2, "11"), ("1,0006", 1, "6"), ("202412,13", 5, "12,13")],
)
def test_a_smaller_and_higher_end_of_a_number_is_its_exponent(text: str, raised: int, exponent: str) -> None:
    assert text[exponent_in(*number(text, raised)) :] == exponent


@pytest.mark.parametrize(
    ("text", "raised", "rise", "size"),
    [
        ("104", 0, 4, 6),
        ("104", 1, 0, 6),
        ("104", 1, -3, 6),
        ("104", 1, 4, 10),
        ("10\u22123", 1, 4, 6),
        ("1,234", 4, 4, 6),
    ],
)
def test_what_is_not_both_smaller_and_higher_is_none(text: str, raised: int, rise: float, size: float) -> None:
    """Neither an index, nor figures of old style, nor a list of notes that begins with its comma."""
    assert exponent_in(*number(text, raised, rise, size)) == len(text)


needs_papers = pytest.mark.skipif(not PAPERS.is_dir(), reason="the shared papers are not here")


@needs_papers
def test_a_real_page_whose_right_column_is_drawn_first() -> None:
    document = read_pdf((PAPERS / "topographic.pdf").read_bytes())
    flat = " ".join(document.text.split())
    assert "the same kernel sizes and identical hyperparameter settings as All-TNNs" in flat
    page = document.pages[1]
    assert document.text.index("networks (CNNs), which have been") < page.start + 200


@needs_papers
def test_real_exponents_are_shown_and_sentences_end_with_their_blocks() -> None:
    document = read_pdf((PAPERS / "topographic.pdf").read_bytes())
    assert "2.186 \u00d7 10\u00b9\u00b9; 95% CI, (2.112 \u00d7 10\u00b9\u00b9," in document.shown
    assert "P < 1 \u00d7 10\u207b\u00b3" in document.shown
    assert "neural activities across multiple hierarchical levels21" in " ".join(document.shown.split())
    cut = next(one for one in sentences(document) if "2.112 \u00d7 1010; 95% CI" in one)
    assert cut.endswith("All-TNNs (\u03b1 = 1)")
