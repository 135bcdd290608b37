"""Text and Markdown: the decoded file, character for character."""

from __future__ import annotations

import codecs

import pytest
from hypothesis import given
from hypothesis import strategies as st

from literature_review.documents import plain_text
from literature_review.documents.plain_text import decode, read_text
from literature_review.errors import UnreadablePaperError

SAMPLE = "Köln – “naïve” café, 37 °C ± 0.5.\nΑλφα 中文 text with words.\n" * 3
LATIN = "Résumé of a naïve trial: 37 °C, £5, the patients improved.\n" * 3


@pytest.mark.parametrize(
    ("encoding", "mark"),
    [
        ("utf-8", b""),
        ("utf-8", codecs.BOM_UTF8),
        ("utf-16-le", codecs.BOM_UTF16_LE),
        ("utf-16-be", codecs.BOM_UTF16_BE),
        ("utf-16-le", b""),
        ("utf-16-be", b""),
        ("utf-32-le", codecs.BOM_UTF32_LE),
        ("utf-32-be", codecs.BOM_UTF32_BE),
        ("utf-32-le", b""),
        ("utf-32-be", b""),
    ],
)
def test_unicode_encodings_are_found_with_and_without_a_mark(encoding: str, mark: bytes) -> None:
    document = read_text(mark + SAMPLE.encode(encoding))
    assert document.text == SAMPLE
    assert document.metadata["encoding"] == encoding


@pytest.mark.parametrize("text", ["纯文本 没有 标记。" * 20, "Это просто текст. " * 9, "一二三四五六七八九十\n" * 9])
@pytest.mark.parametrize("encoding", ["utf-16-le", "utf-16-be"])
def test_utf_16_of_other_scripts_is_found_without_a_mark(text: str, encoding: str) -> None:
    """Blanks and line ends tell the order of the bytes, where no Latin letter does."""
    assert decode(text.encode(encoding)) == (text, encoding)


@pytest.mark.parametrize(("codec", "name"), [("cp1252", "windows-1252"), ("latin-1", "windows-1252")])
def test_western_eight_bit_text_is_windows_1252(codec: str, name: str) -> None:
    document = read_text(LATIN.encode(codec))
    assert (document.text, document.metadata["encoding"]) == (LATIN, name)


def test_what_windows_1252_lacks_is_latin_1() -> None:
    text = LATIN * 9 + "\x81"
    assert decode(text.encode("latin-1")) == (text, "latin-1")


def test_utf_8_with_a_broken_byte_stays_utf_8() -> None:
    """One bad byte must not turn every accent of the paper into two characters."""
    data = ("é" * 50).encode() + b"\xff" + b" end"
    assert decode(data) == ("é" * 50 + "\ufffd end", "utf-8")


def test_newlines_become_one_sign_and_nothing_else_changes() -> None:
    assert read_text(b"a\r\nb\rc\n\n d\t e \n").text == "a\nb\nc\n\n d\t e \n"


@pytest.mark.parametrize(
    "data", [bytes(range(256)) * 4, b"\x7fELF" + bytes(4000), b"\x01\x02\x03" * 50, b"a\0" + b"\xff\xd8" * 99]
)
def test_binary_data_is_no_text(data: bytes) -> None:
    with pytest.raises(UnreadablePaperError) as caught:
        read_text(data)
    assert caught.value.reason == "damaged"


@pytest.mark.parametrize("data", [b"", b" \n\t\f\r\n", codecs.BOM_UTF8])
def test_a_text_without_words_is_empty(data: bytes) -> None:
    with pytest.raises(UnreadablePaperError) as caught:
        read_text(data)
    assert caught.value.reason == "empty"


def test_a_huge_text_is_refused_with_the_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(plain_text, "MAX_TEXT_BYTES", 1 << 20)
    with pytest.raises(UnreadablePaperError) as caught:
        read_text(b"a" * ((1 << 20) + 1))  # as it comes here: no more than this is read of a larger one
    assert caught.value.reason == "too_large"
    assert "more than 1 MiB:" in str(caught.value)


def test_form_feeds_part_pages_and_stay_in_the_text() -> None:
    document = read_text(b"one\ntwo\fthree\f")
    assert document.text == "one\ntwo\fthree\f"
    assert [(page.number, document.text[page.start : page.end]) for page in document.pages] == [
        (1, "one\ntwo\f"),
        (2, "three\f"),
    ]
    assert document.page_at(document.text.index("three")) == 2


def test_front_matter_may_list_its_authors_and_give_a_year_alone() -> None:
    source = "---\nauthors:\n  - Ada Byron\n  - name: Bo Li\nyear: 2021\ntags:\n  - x\n---\n# Results\nSome words.\n"
    metadata = read_text(source.encode(), markdown=True).metadata
    assert (metadata["author"], metadata["date"]) == ("Ada Byron; Bo Li", "2021")


def test_front_matter_of_markdown_gives_its_fields_and_stays_text() -> None:
    source = '---\ntitle: "A trial"\nauthors: [Ada Byron, Bo Li]\ndate: 2021-05-01\nevil: !!python\n---\n# Results\nx\n'
    document = read_text(source.encode(), markdown=True)
    assert document.text == source
    assert {key: document.metadata.get(key) for key in ("title", "author", "date", "evil")} == {
        "title": "A trial",
        "author": "Ada Byron, Bo Li",
        "date": "2021-05-01",
        "evil": None,
    }


def test_text_without_markdown_has_no_front_matter() -> None:
    assert "title" not in read_text(b"---\ntitle: x y\n---\ntext").metadata


@given(st.text(alphabet=st.characters(codec="utf-8", exclude_categories=("Cc", "Cs")), min_size=1, max_size=199))
def test_any_utf_8_text_comes_back_whole(text: str) -> None:
    data = text.encode()
    if text.strip() and not text.startswith("\ufeff"):
        assert read_text(data).text == text


@given(st.binary(max_size=300))
def test_any_bytes_are_read_or_refused(data: bytes) -> None:
    """Nothing but UnreadablePaperError comes out; pages cover only text that is there."""
    reason = ""
    try:
        document = read_text(data, markdown=True)
    except UnreadablePaperError as error:
        reason = error.reason
    if reason:
        assert reason in {"empty", "damaged"}
    else:
        assert document.pages
        assert all(0 <= page.start <= page.end <= len(document.text) for page in document.pages)
