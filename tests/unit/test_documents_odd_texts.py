"""Texts that are hardly papers: each gives a sensible document and bibliography, or one clear line."""

from __future__ import annotations

import random
import time

import pytest

from literature_review.documents.identify import identify_document
from literature_review.documents.pdf import read_pdf
from literature_review.documents.plain_text import read_text
from literature_review.errors import UnreadablePaperError
from literature_review.models import Bibliography, Document
from tests.pdf_factory import make_pdf

pytestmark = pytest.mark.unit
SENTENCE = "Evening tea shortened sleep duration by ten minutes (p = 0.01)."
PAPER = (
    f"Evening tea and sleep: a trial\n\nAda Byron, Bo Li\n\nAbstract\n\n{SENTENCE}\n\nMethods\n\nWe asked 90 adults.\n"
)
CHINESE = (
    "晚间饮茶对睡眠时间的影响：一项随机试验\n\n王伟，李娜，欧阳明\n\n摘要\n"
    + "本研究评估晚间饮茶对成人睡眠时间的影响。结果显示，饮茶组的睡眠时间明显短于饮水组（平均差10分钟）。" * 20
)
ARABIC = "تأثير الشاي المسائي على مدة النوم\n\nملخص\n" + "كانت مدة النوم أقصر مع الشاي من الماء في هذه الدراسة. " * 30
CITED = "{0}. Byron A, Curie M. Effect of tea on sleep in adults. J Tea 2001;{0}:1-9. doi:10.5555/t.{0}\n"


def read(text: str) -> tuple[Document, Bibliography]:
    document = read_text(text.encode())
    return document, identify_document(document)


def refused(text: str) -> UnreadablePaperError:
    with pytest.raises(UnreadablePaperError) as caught:
        read_text(text.encode())
    return caught.value


def test_a_paper_of_one_sentence_is_its_text_and_has_no_title() -> None:
    document, known = read(SENTENCE)
    assert (document.text, len(document.pages), document.sections) == (SENTENCE, 1, ())
    assert (known.title, known.authors, known.year, known.doi) == ("", (), None, "")


def test_two_million_characters_are_read_in_a_moment() -> None:
    text = PAPER + "\n\n".join(f"Sleep lasted {at} minutes with tea, and so it did with water." for at in range(33_000))
    start = time.process_time()
    document, known = read(text)
    assert time.process_time() - start < 5.0
    assert len(document.text) > 1_900_000
    assert (known.title, known.authors) == ("Evening tea and sleep: a trial", ("Ada Byron", "Bo Li"))


@pytest.mark.parametrize("text", ["tea sleep water adults effect " * 20_000, "teasleep" * 60_000, "tea\n" * 60_000])
def test_a_text_without_sentences_has_no_title_and_takes_no_time(text: str) -> None:
    start = time.process_time()
    document, known = read(text)
    assert time.process_time() - start < 3.0
    assert document.text == text
    assert (known.title, known.authors, known.doi) == ("", (), "")


def test_a_chinese_paper_names_its_title_authors_and_language() -> None:
    _, known = read(CHINESE)
    assert known.title == "晚间饮茶对睡眠时间的影响：一项随机试验"
    assert (known.authors, known.language) == (("王伟", "李娜", "欧阳明"), "zh")


def test_an_arabic_paper_names_its_title_and_language() -> None:
    _, known = read(ARABIC)
    assert (known.title, known.language) == ("تأثير الشاي المسائي على مدة النوم", "ar")


def test_a_paper_in_capitals_has_its_title_authors_and_sections() -> None:
    document, known = read(PAPER.upper())
    assert (known.title, known.authors) == ("EVENING TEA AND SLEEP: A TRIAL", ("ADA BYRON", "BO LI"))
    assert {"abstract", "methods"} <= {section.kind for section in document.sections}


def test_noise_of_an_ocr_among_words_is_read_as_it_is() -> None:
    dice = random.Random(3)
    noisy = "".join(dice.choice("|!~^*.;:{}") if dice.random() < 0.12 else char for char in PAPER * 4)
    document, _ = read(noisy)
    assert document.text == noisy


@pytest.mark.parametrize(
    "noise", ["|!~ ^*.;\n:{}/\\-_" * 400, "\ue001\ue002\ue003 \ue004" * 400, "\ufffd\ufffd \ufffd" * 400]
)
def test_noise_alone_is_one_clear_line(noise: str) -> None:
    error = refused(noise)
    assert error.reason == "no_text"
    assert "run OCR over it again, or fetch another copy" in str(error)
    assert "\n" not in str(error)


def test_a_pdf_of_noise_is_one_clear_line() -> None:
    with pytest.raises(UnreadablePaperError) as caught:
        read_pdf(make_pdf(["|!~ ^*.;:{}/ -_ " * 60]))
    assert caught.value.reason == "no_text"


@pytest.mark.parametrize(
    "text",
    [
        "Group | n | mean\n" + "A | 12 | 3.4 (1.2) [0.9; 5.6]\n" * 200,
        "E = mc^2; " * 100,
        "* * *\n\n---\n\nShort.",
        "1. 2. 3.",
    ],
)
def test_tables_formulas_and_short_texts_are_no_noise(text: str) -> None:
    assert read(text)[0].text == text


def test_a_list_of_references_has_no_doi_of_its_own() -> None:
    """Else two lists that begin with the same work were the same paper."""
    plain = "".join(map(CITED.format, range(1, 200)))
    bare = "".join(line.split(" ", 1)[1] + "\n" for line in plain.strip().split("\n"))
    for text in (plain, f"Evening tea and sleep\n\nReferences\n{plain}", bare, bare.replace(". J Tea", ".\nJ Tea")):
        assert read(text)[1].doi == ""


def test_a_paper_with_few_references_on_its_first_page_keeps_its_own_doi() -> None:
    references = "".join(map(CITED.format, range(1, 9)))
    text = "Evening tea and sleep: a trial\n\nAda Byron\nhttps://doi.org/10.5555/own.1\n\nAbstract\nShort.\n\nReferences\n"
    assert read(text + references)[1].doi == "10.5555/own.1"
    assert read(f"{PAPER}\nReferences\n{references}")[1].doi == ""
