"""A paper in excerpts: nothing that can be seen is lost, nothing is too long, and it is the same every time."""

from __future__ import annotations

import re
import time
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from literature_review.llm.excerpts import LEFT_OUT, excerpts_of, visible_text
from literature_review.models import Document, HiddenText, Page, Section
from literature_review.text.token_estimate import QUARTERS, quarters_before, tokens_of
from tests.prompt_samples import trials

SENTENCE = "Reminders reduced missed appointments from 20.1% to 12.3% in the clinic. "


def paper(*sections: tuple[str, str, str], pages: int = 0) -> Document:
    """A document of (title, kind, text) sections, cut into so many pages of equal length."""
    text, found = "", []
    for title, kind, body in sections:
        start = len(text)
        text += f"{title}\n\n{body}\n\n"
        found.append(Section(title, kind, start, len(text)))
    step = max(len(text) // pages, 1) if pages else 0
    bounds = [*range(0, step * pages, step), len(text)] if pages else []
    return Document(text, tuple(Page(number, *turn) for number, turn in enumerate(pairwise(bounds), 1)), tuple(found))


def covered(document: Document, budget: int) -> str:
    """The characters that stand in some excerpt, in order; each excerpt checked against the budget on the way."""
    pieces, last = [], 0
    for excerpt in excerpts_of(document, budget):
        assert tokens_of(excerpt.text) <= budget
        for start, end in excerpt.spans:
            assert last <= start < end
            pieces.append(visible_text(document)[start:end])
            last = end
    return "".join("".join(pieces).split())


def test_a_short_paper_is_one_excerpt() -> None:
    document = paper(("Abstract", "abstract", SENTENCE), ("Results", "results", SENTENCE * 3))
    (excerpt,) = excerpts_of(document, 8_000)
    assert excerpt.text == document.text.strip()
    assert (excerpt.number, excerpt.of) == (1, 1)


def test_a_long_paper_is_cut_between_sections() -> None:
    document = paper(*((f"Part {number}", "other", SENTENCE * 40) for number in range(6)))
    excerpts = excerpts_of(document, 1_000)
    starts = {section.start for section in document.sections}
    assert len(excerpts) == 6
    assert all(excerpt.start in starts for excerpt in excerpts)


def test_a_section_longer_than_the_budget_is_cut_at_paragraphs_then_sentences() -> None:
    by_paragraph = Document("\n\n".join([SENTENCE * 8] * 30))
    assert all(excerpt.text.count(SENTENCE.strip()) % 8 == 0 for excerpt in excerpts_of(by_paragraph, 500))
    by_sentence = Document(SENTENCE * 300)
    assert all(excerpt.text.startswith("Reminders") for excerpt in excerpts_of(by_sentence, 500))
    assert all(excerpt.text.endswith("clinic.") for excerpt in excerpts_of(by_sentence, 500))


def test_page_numbers_are_kept_and_stand_where_the_page_begins() -> None:
    document = paper(("Results", "results", SENTENCE * 100), pages=5)
    excerpts = excerpts_of(document, 700)
    assert excerpts[0].text.startswith("[page 1]\n")
    for excerpt in excerpts:
        first = re.match(r"\[page (\d)\]\n", excerpt.text)
        assert first is not None
        assert int(first.group(1)) == document.page_at(excerpt.start)
    for page in document.pages:
        shown = document.text[page.start : page.start + 20].strip()
        assert any(f"[page {page.number}]\n{shown}" in re.sub(r"\n ?", "\n", e.text) for e in excerpts)


def test_a_page_that_ends_with_a_sentence_is_a_bound_and_one_that_breaks_it_is_none() -> None:
    text = SENTENCE * 10 + "\n" + SENTENCE * 10
    turn = len(SENTENCE) * 10 + 1
    whole = Document(text, (Page(1, 0, turn), Page(2, turn, len(text))))
    assert [excerpt.start for excerpt in excerpts_of(whole, 250)] == [0, turn]
    broken = Document(text, (Page(1, 0, turn - 20), Page(2, turn - 20, len(text))))
    assert all(excerpt.start != turn - 20 for excerpt in excerpts_of(broken, 250))


def test_references_are_left_out_and_said_so() -> None:
    document = paper(
        ("Results", "results", SENTENCE * 5),
        ("References", "references", "1. Smith J. Mice. 2001.\n" * 4),
        ("Appendix", "appendix", SENTENCE),
    )
    (excerpt,) = excerpts_of(document, 8_000)
    assert "Smith" not in excerpt.text
    assert LEFT_OUT in excerpt.text
    assert "Appendix" in excerpt.text


def test_what_is_most_of_a_text_is_no_list_of_references() -> None:
    document = paper(("Title", "other", SENTENCE), ("References", "references", SENTENCE * 50))
    assert covered(document, 500) == "".join(document.text.split())


def test_hidden_text_and_what_no_request_can_carry_are_blank() -> None:
    text = "Seen words. Hidden orders. More words.\x00\ud800 End."
    (excerpt,) = excerpts_of(Document(text, hidden=(HiddenText(12, 26, "white"),)), 500)
    assert "orders" not in excerpt.text
    assert excerpt.text.encode("utf-8")
    assert excerpts_of(Document(text, hidden=(HiddenText(0, len(text), "white"),)), 500) == []
    assert excerpts_of(Document(" \n\f "), 500) == []


@settings(max_examples=150, deadline=None)
@given(st.data())
def test_every_visible_character_is_in_an_excerpt_and_none_is_too_long(data: st.DataObject) -> None:
    pieces = ["word ", "x" * 90, ". ", "\n\n", "\n", "\u60a3\u8005", "\u3002", " ", "\u0644\u0645 ", "\ud800"]
    alphabet = st.sampled_from(pieces)
    text = "".join(data.draw(st.lists(alphabet, max_size=400)))
    cuts = sorted(data.draw(st.lists(st.integers(0, len(text)), max_size=12)))
    bounds = [0, *cuts, len(text)]
    pages = tuple(Page(number, *turn) for number, turn in enumerate(pairwise(bounds), 1))
    kinds = st.sampled_from(["results", "references", "other"])
    sections = tuple(Section("t", data.draw(kinds), *turn) for turn in pairwise(cuts))
    document = Document(text, pages, sections, {}, (HiddenText(3, 9, "tiny"),) if len(text) > 9 else ())
    shown = visible_text(document)
    references = [section for section in sections if section.kind == "references"]
    if sum(section.end - section.start for section in references) <= len(text) / 2:
        for section in reversed(references):
            shown = shown[: section.start] + shown[section.end :]
    budget = data.draw(st.integers(60, 400))
    assert covered(document, budget) == "".join(shown.split())
    assert excerpts_of(document, budget) == excerpts_of(document, budget)


@pytest.mark.parametrize(
    "text",
    [
        "a" * 500_000,
        "\u60a3\u8005\u306f\u6539\u5584\u3057\u305f" * 62_500,
        "\u0644\u0645 \u062a\u0643\u0646 \u0647\u0646\u0627\u0643 \u0641\u0631\u0648\u0642 " * 22_500,
        "word " * 100_000,
        "\n" * 500_000,
        ". " * 250_000,
    ],
    ids=["no spaces", "Japanese", "Arabic", "no sentences", "empty lines", "full stops"],
)
def test_a_text_of_half_a_million_characters_is_cut_in_linear_time(text: str) -> None:
    began = time.process_time()
    excerpts = excerpts_of(Document(text), 8_000)
    assert time.process_time() - began < 5.0  # quadratic would be minutes
    assert sum(end - start for excerpt in excerpts for start, end in excerpt.spans) == len(text) or not text.strip()
    assert all(tokens_of(excerpt.text) <= 8_000 for excerpt in excerpts)


def test_thousands_of_pages_of_a_word_keep_to_the_budget() -> None:
    text = "word " * 4_000
    pages = tuple(Page(number, 5 * number - 5, 5 * number) for number in range(1, 4_001))
    assert all(tokens_of(excerpt.text) <= 500 for excerpt in excerpts_of(Document(text, pages), 500))


@given(st.text(max_size=200), st.integers(0, 200))
def test_the_tokens_of_a_text_are_those_of_its_pieces(text: str, at: int) -> None:
    sums = quarters_before(text)
    assert len(sums) == len(text) + 1
    assert tokens_of(text) == -(-sums[-1] // QUARTERS)
    assert tokens_of(text[:at]) + tokens_of(text[at:]) >= tokens_of(text)


def test_tokens_are_counted_by_script() -> None:
    assert tokens_of("a" * 400) == 100
    assert tokens_of("\u0436" * 400) == 200
    assert tokens_of("\u60a3" * 400) == 400
    assert tokens_of("") == 0


def test_real_papers_fill_their_excerpts() -> None:
    """Where the papers are there: excerpts are few, so that a paper costs little more than its length."""
    papers = trials(40)
    if not papers:
        pytest.skip("the papers are not on this machine")
    made = sum(len(excerpts_of(paper, 2_000)) for paper in papers)
    assert made <= 1.5 * sum(tokens_of(paper.text) for paper in papers) / 2_000 + len(papers)
