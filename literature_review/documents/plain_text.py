"""Reads text and Markdown: bytes -> encoding found -> text, character for character -> pages and sections."""

from __future__ import annotations

import codecs
import re
from collections.abc import Iterator
from typing import TYPE_CHECKING

from literature_review.documents.encodings import legacy_encoding
from literature_review.documents.legible import refuse_illegible
from literature_review.errors import UnreadablePaperError

if TYPE_CHECKING:
    from literature_review.models import Document, Page

TEXT_ENDINGS = (".txt", ".text")
MARKDOWN_ENDINGS = (".md", ".markdown")
MAX_TEXT_BYTES = 64 * 1024 * 1024
READER_VERSION = "5"

_BOMS = (
    (codecs.BOM_UTF32_LE, "utf-32-le"),
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
_COMMON_SIGNS = frozenset(map(chr, [*range(0x21, 0x7F), *range(0x2010, 0x2070)]))
_SAMPLE_BYTES = 64 * 1024
_BINARY = re.compile("[\x00-\x08\x0e-\x1a\x1c-\x1f\x7f]")
_STRAY_ZEROS = 0.05  # of the bytes, at most; Latin text in UTF-16 has half
_NEARLY_ALL = 0.9
_EAST_ASIAN = re.compile("[\u3000-\u30ff\u4e00-\u9fff\uac00-\ud7a3\uff00-\uff65]")
_BINARY_SHARE = 0.002
_FRONT_MATTER = r"---[ \t]*\n(.{0,20000}?)\n(?:---|\.\.\.)[ \t]*(?:\n|$)"
_FRONT_MATTER_KEYS = {
    "title": "title", "author": "author", "authors": "author", "date": "date", "year": "date", "doi": "doi",
}  # fmt: skip


def read_text(data: bytes, markdown: bool = False) -> Document:
    """The document in a text file's bytes.

    `text` is the decoded file with newlines as `\\n` and without a byte order mark; nothing else is changed.
    A form feed ends a page and is its last character. `metadata` names `encoding` and, for Markdown with front
    matter, its title, author, date and DOI. Raises UnreadablePaperError: empty, too_large,
    damaged (binary), no_text (hardly any words).
    """
    from literature_review.models import Document, Section
    from literature_review.text.sections import find_sections

    if len(data) > MAX_TEXT_BYTES:
        limit = MAX_TEXT_BYTES >> 20  # how much more there is, nobody has read
        raise UnreadablePaperError("too_large", f"The text has more than {limit} MiB: split the file.")
    text, encoding = decode(data)
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    if not text.strip():
        raise UnreadablePaperError("empty", "The file holds no text: put the paper's text into it, or remove it.")
    refuse_illegible(text)
    metadata = {"reader": "text", "encoding": encoding}
    if markdown:
        metadata.update(_front_matter(text))
    sections = tuple(Section(s.title, s.kind, s.start, s.end) for s in find_sections(text))
    return Document(text, tuple(_pages(text)), sections, metadata)


def decode(data: bytes) -> tuple[str, str]:
    """The text in `data` and the name of its encoding.

    A byte order mark decides; else UTF-8, else UTF-16 or UTF-32 where zero bytes or letters lie as in one of them,
    else an encoding of Japanese, Chinese, Korean or Russian by the shape of its bytes, else Windows-1252, else
    Latin-1. Single bytes that are broken in a UTF-8 text become U+FFFD. Raises UnreadablePaperError (damaged) for
    what is no text.
    """
    for bom, encoding in _BOMS:
        if data.startswith(bom) and not (encoding == "utf-32-le" and len(data) % 4):
            return _text_only(data[len(bom) :].decode(encoding, "replace")), encoding
    zeros = data.count(b"\0", 0, _SAMPLE_BYTES)
    if zeros > _STRAY_ZEROS * min(len(data), _SAMPLE_BYTES):
        return _without_mark(data)
    try:
        return _text_only(data.decode("utf-8"), zeros), "utf-8"
    except UnicodeDecodeError:
        return _without_mark(data) if zeros else _legacy(data)


def _without_mark(data: bytes) -> tuple[str, str]:
    """UTF-16 or UTF-32 without a mark: the one whose first characters read most like text."""
    sample = data[: _SAMPLE_BYTES // 4 * 4]
    names = ("utf-32-le", "utf-32-be", "utf-16-le", "utf-16-be")
    score, encoding = max((_plausibility(sample, name), name) for name in names)
    if score < 0.9:
        raise _binary()
    return _text_only(data.decode(encoding, "replace")), encoding


def _plausibility(sample: bytes, encoding: str) -> float:
    """Share of characters that are letters, digits, blanks or common signs; 0 where it does not decode.

    Bytes read in the wrong order make letters of rare scripts, and hardly ever a blank: a text has blanks."""
    unit = 4 if encoding.startswith("utf-32") else 2
    try:
        text = sample[: len(sample) // unit * unit].decode(encoding)
    except UnicodeDecodeError:
        return 0.0
    if not text or (len(text) > 40 and not any(char in " \n\u3000" for char in text[:4000])):
        return 0.0
    good = sum(char.isalnum() or char.isspace() or char in _COMMON_SIGNS for char in text)
    common = sum(char < "\u0530" for char in text)
    return good / len(text) + common / len(text) / 100


def _legacy(data: bytes) -> tuple[str, str]:
    """Eight-bit text, or UTF-8 with a few broken bytes."""
    mended = data.decode("utf-8", "replace")
    broken = mended.count("\ufffd")
    whole = sum(char > "\x7f" for char in mended) - broken
    if broken <= 1 + whole // 20 and whole > broken:
        return _text_only(mended), "utf-8"
    encoding = legacy_encoding(data)
    if encoding != "cp1252":
        return _text_only(data.decode(encoding)), encoding
    wide = max(("utf-16-le", "utf-16-be"), key=lambda name: _letters_of_east_asia(data, name))
    if _letters_of_east_asia(data, wide) > _NEARLY_ALL:
        return _text_only(data.decode(wide, "replace")), wide
    try:
        return _text_only(data.decode("cp1252")), "windows-1252"
    except UnicodeDecodeError:
        text = data.decode("latin-1")
    if sum("\x80" <= char < "\xa0" for char in text) > 0.01 * len(text):
        raise _binary()
    return _text_only(text), "latin-1"


def _letters_of_east_asia(data: bytes, encoding: str) -> float:
    """Share of the usual letters and marks of Chinese, Japanese and Korean; 0 where it does not decode. A text in
    UTF-16 without a mark has no zero byte where nothing in it is ASCII."""
    try:
        text = data[: min(_SAMPLE_BYTES, len(data)) // 2 * 2].decode(encoding)
    except UnicodeDecodeError:
        return 0.0
    return len(_EAST_ASIAN.findall(text)) / max(len(text), 1)


def _text_only(text: str, stray: int = 0) -> str:
    """`text`, unless its control characters, `stray` ones apart, say that the file is no text."""
    if len(_BINARY.findall(text, 0, _SAMPLE_BYTES)) - stray > 1 + _BINARY_SHARE * min(len(text), _SAMPLE_BYTES):
        raise _binary()
    return text


def _binary() -> UnreadablePaperError:
    return UnreadablePaperError(
        "damaged", "The file is binary, not text: save the paper as PDF or as plain text in UTF-8."
    )


def _pages(text: str) -> Iterator[Page]:
    from literature_review.models import Page

    whole = len(text.rstrip())  # what is blank behind the last page is no page more
    start, number = 0, 1
    while (end := text.find("\f", start, whole)) >= 0:
        yield Page(number, start, end + 1)
        start, number = end + 1, number + 1
    yield Page(number, start, len(text))


def _front_matter(text: str) -> dict[str, str]:
    """The few fields of a Markdown file's front matter that are single lines, or a list of lines with dashes; no YAML
    is interpreted."""
    block = re.match(_FRONT_MATTER, text, re.S)
    fields: dict[str, str] = {}
    name = None
    for line in block.group(1).split("\n") if block else ():
        if line.lstrip().startswith("- ") and name:
            item = line.lstrip()[2:].removeprefix("name:").strip().strip("\"'")
            fields[name] = f"{fields[name]}; {item}" if fields.get(name) else item
            continue
        key, colon, value = line.partition(":")
        name = _FRONT_MATTER_KEYS.get(key.strip().lower()) if colon else None
        if name and value.strip():
            fields[name] = value.strip().strip("\"'[]")
    return fields
