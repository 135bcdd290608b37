"""Reads a PDF with PDFium. Only a worker process imports this module: PDFium is not thread-safe, and a hostile
file can crash it, hang it or eat its memory.

    bytes -> open -> each page: raw text, hidden runs marked -> cleaned text -> sections -> Document
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from itertools import chain, groupby, pairwise

import pypdfium2 as pdfium2

from literature_review.documents import pdf_hidden, pdfium
from literature_review.documents.identify import find_doi, year_in
from literature_review.documents.legible import refuse_illegible
from literature_review.documents.outline import outline_sections
from literature_review.documents.pdf_blocks import in_blocks
from literature_review.documents.pdf_order import in_reading_order, wrong_turn
from literature_review.documents.pdf_outline import read_outline
from literature_review.documents.pdf_text import HIDDEN_END, HIDDEN_START, MARKS, clean_pages, letter_of
from literature_review.documents.pdfium import Box
from literature_review.documents.quick_check import NEEDS_PASSWORD
from literature_review.errors import UnreadablePaperError
from literature_review.models import Document

MAX_PAGES = 20_000
MAX_CHARACTERS = 40_000_000
_FEW_CHARACTERS = 20  # a page with fewer may be a picture of its text
_SCANNED_SHARE = 0.5
# High bytes of UTF-16 that call for a second look at a page: right-to-left scripts and their forms.
_RIGHT_TO_LEFT_BYTES = b"\x05\x06\x07\x08\xfb\xfc\xfd\xfe"
_ORDINARY_BYTES = bytes(byte for byte in range(256) if byte not in _RIGHT_TO_LEFT_BYTES)
_INFO_KEYS = {
    "Title": "title", "Author": "author", "Subject": "subject", "Keywords": "keywords", "Creator": "creator",
    "Producer": "producer", "CreationDate": "created",
}  # fmt: skip
_LEGIBLE = re.compile(r"\w")


@dataclass
class _Reading:
    """What is gathered over the pages of one file."""

    pages: list[str] = field(default_factory=list)
    ocr: list[int] = field(default_factory=list)
    scanned: list[int] = field(default_factory=list)
    broken: list[int] = field(default_factory=list)
    characters: int = 0


def read_pdf(data: bytes) -> Document:
    """The document in a PDF file's bytes.

    `metadata`: what the file's own fields say (title, author, subject, keywords, creator, producer, created,
    year), the `doi` in these, `reader`, and lists of page numbers where they apply:
    `ocr_layer` (text that OCR laid under a scan: it is not hidden), `pages_without_text`, `broken_pages`.
    Raises UnreadablePaperError: encrypted, damaged, not_a_pdf, no_text, too_large.
    """
    with closing(_opened(data)) as pdf:
        count = len(pdf)
        if count > MAX_PAGES:
            raise UnreadablePaperError(
                "too_large", f"The PDF has {count} pages, the limit is {MAX_PAGES}: split the file."
            )
        reading = _Reading()
        document = pdfium.address(pdf.raw)
        for index in range(count):
            _read_page(document, index, reading)
        _refuse_unreadable(reading, count)
        text, pages, hidden, raised = clean_pages(reading.pages)
        refuse_illegible(text)
        sections = outline_sections(read_outline(document), text, pages)
        metadata = _metadata(pdf, reading)
    return Document(text, pages, sections, metadata, hidden, raised)


def _opened(data: bytes) -> pdfium2.PdfDocument:
    try:
        pdf = pdfium2.PdfDocument(data)
    except pdfium2.PdfiumError as error:
        raise _not_opened(data, str(error)) from error
    if len(pdf) == 0:
        pdf.close()
        raise UnreadablePaperError("damaged", "The PDF has no pages: fetch the file again.")
    return pdf


def _not_opened(data: bytes, error: str) -> UnreadablePaperError:
    if "password" in error.lower() or "security" in error.lower():
        return UnreadablePaperError("encrypted", NEEDS_PASSWORD)
    if b"%PDF-" not in data[:1024]:
        return UnreadablePaperError("not_a_pdf", "The file is not a PDF: fetch the paper again.")
    return UnreadablePaperError("damaged", "The PDF is damaged or cut off: fetch the file again.")


def _read_page(document: int, index: int, reading: _Reading) -> None:
    """Adds the page's text to `reading`; a page that cannot be loaded is noted, and is empty."""
    page = pdfium.load_page(document, index)
    text_page = None
    try:
        if page:
            box = pdfium.page_box(page)
            look = pdf_hidden.look_at(page, box)
            turn = wrong_turn(look.quads, pdfium.rotation(page))
            if turn is not None:
                pdfium.turn(page, turn)
            text_page = pdfium.load_text(page)
        if text_page:
            reading.pages.append(_page_text(page, box, look, text_page, index + 1, reading))
        else:
            reading.broken.append(index + 1)
            reading.pages.append("")
    finally:
        if text_page:
            pdfium.close_text(text_page)
        if page:
            pdfium.close_page(page)


def _page_text(
    page: int, box: Box, look: pdf_hidden.PageLook, text_page: int, number: int, reading: _Reading
) -> str:
    count = max(pdfium.count_characters(text_page), 0)
    reading.characters += count
    if reading.characters > MAX_CHARACTERS:
        raise UnreadablePaperError(
            "too_large", f"The PDF has more than {MAX_CHARACTERS} characters of text: split the file."
        )
    text, places, unusual = _characters(text_page, count)
    if look.hidden:
        return _marked(text, places, count, text_page, look, number, reading)
    if count < _FEW_CHARACTERS and pdf_hidden.picture_share(page, box) >= _SCANNED_SHARE:
        reading.scanned.append(number)
    return in_reading_order(text_page, places, text, look.middle, unusual)


def _characters(text_page: int, count: int) -> tuple[str, Sequence[int], bool]:
    """The page's text, PDFium's index of each of its characters, and whether some may be of a right-to-left script.

    PDFium's text leaves out what lies beyond the first plane of Unicode, such as the letters of formulas: where it is
    short of characters, they are asked for one by one."""
    units = pdfium.text_units(text_page, count)
    unusual = units[1::2].translate(None, _ORDINARY_BYTES)
    text = units.decode("utf-16-le", "surrogatepass")
    if len(text) == count and b"\xfd" not in unusual:
        return text, range(count), bool(unusual)
    codes = pdfium.char_codes(text_page, count)
    left_out = [at for at, code in enumerate(codes) if code > 0xFFFF]
    if len(text) + len(left_out) == count and b"\xfd" not in unusual:
        starts = [at - before for before, at in enumerate(left_out)]
        parts = (text[start:end] for start, end in pairwise([0, *starts, len(text)]))
        letters = chain((letter_of(codes[at]) for at in left_out), ("",))
        return "".join(chain.from_iterable(zip(parts, letters, strict=True))), range(count), bool(unusual)
    kept = [at for at, code in enumerate(codes) if code and code not in MARKS and pdfium.text_index(text_page, at) >= 0]
    return "".join(letter_of(codes[at]) for at in kept), kept, bool(unusual)


def _marked(
    text: str,
    places: Sequence[int],
    count: int,
    text_page: int,
    look: pdf_hidden.PageLook,
    number: int,
    reading: _Reading,
) -> str:
    """The page's text with marks around what is hidden; without any where that is an OCR layer."""
    reasons = pdf_hidden.hidden_characters(text_page, count, look)
    visible = count - sum(map(bool, reasons))
    if pdf_hidden.is_ocr_layer(reasons, visible, look):
        (reading.scanned if count < _FEW_CHARACTERS else reading.ocr).append(number)
        return in_blocks(text_page, text, places)
    if visible < _FEW_CHARACTERS and look.pictures >= _SCANNED_SHARE:
        reading.scanned.append(number)
    return in_blocks(text_page, text, places, list(_runs([reasons[at] for at in places])))


def _runs(reasons: list[str]) -> Iterator[tuple[int, int, str, str]]:
    """Start and end of each run that is hidden for one reason, with the marks around it."""
    at = 0
    for reason, alike in groupby(reasons):
        length = sum(1 for _ in alike)
        if reason:
            yield at, at + length, HIDDEN_START[reason], HIDDEN_END
        at += length


def _refuse_unreadable(reading: _Reading, count: int) -> None:
    if len(reading.broken) == count:
        raise UnreadablePaperError("damaged", "None of the PDF's pages can be opened: fetch the file again.")
    scanned = len(reading.scanned)
    if scanned > _SCANNED_SHARE * count:
        raise UnreadablePaperError(
            "no_text", f"{scanned} of {count} pages are scans without text: run OCR over the file."
        )
    if not any(_LEGIBLE.search(page) for page in reading.pages):
        raise UnreadablePaperError("no_text", "The PDF holds no text: run OCR over it, or fetch another copy.")


def _metadata(pdf: pdfium2.PdfDocument, reading: _Reading) -> dict[str, str]:
    metadata = {"reader": reader_name()}
    for key, name in _INFO_KEYS.items():
        value = " ".join(pdf.get_metadata_value(key).replace("\0", " ").split())
        if value:
            metadata[name] = value[:2000]
    year = year_in(metadata.get("created", "").removeprefix("D:")[:4])
    doi = find_doi(metadata.get("subject", ""), metadata.get("title", ""))
    lists = {"ocr_layer": reading.ocr, "pages_without_text": reading.scanned, "broken_pages": reading.broken}
    found = {"year": str(year or ""), "doi": doi, **{key: _ranges(pages) for key, pages in lists.items()}}
    return metadata | {key: value for key, value in found.items() if value}


def _ranges(numbers: list[int]) -> str:
    """Page numbers in short: `1-3, 7`."""
    runs: list[list[int]] = []
    for number in numbers:
        if runs and runs[-1][1] + 1 == number:
            runs[-1][1] = number
        else:
            runs.append([number, number])
    return ", ".join(f"{first}-{last}" if last > first else str(first) for first, last in runs)


def reader_name() -> str:
    return f"pypdfium2 {pdfium2.PYPDFIUM_INFO.version} (pdfium {pdfium2.PDFIUM_INFO.build})"
