"""Sections of a PDF: from its outline where that is right, else from the headings in the text. Pure.

An outline is right where most of its titles stand at the start of a line on the page that they point to.
Headings with a known name that the outline leaves out (an abstract, the references) are added from the text.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from literature_review.documents.pdf_text import clean
from literature_review.models import Page, Section
from literature_review.text.sections import Heading, find_headings, kind_of, sections_from

_RIGHT_SHARE = 0.6
_SEARCHED_CHARACTERS = 40_000  # of a page: a hostile one may hold millions
_MAX_TITLE = 300
_MOST_PLACES = 50


class OutlineEntry(NamedTuple):
    """An entry of a PDF's outline: level from 1, title, page from 1, or 0 where it points nowhere."""

    level: int
    title: str
    page: int


def outline_sections(entries: Sequence[OutlineEntry], text: str, pages: Sequence[Page]) -> tuple[Section, ...]:
    """The sections of a text with these pages, whose file has this outline."""
    headings = find_headings(text)
    matched = _matched(entries, text, pages)
    if matched:
        headings = _merged(matched, headings)
    return tuple(Section(s.title, s.kind, s.start, s.end) for s in sections_from(headings, len(text)))


def _matched(entries: Sequence[OutlineEntry], text: str, pages: Sequence[Page]) -> list[Heading]:
    """The outline's entries where they stand in the text, in order; empty where the outline is not right."""
    placed: dict[int, Heading] = {}
    shown: dict[int, str] = {}
    wanted = [entry for entry in entries if entry.title.strip() and len(entry.title) <= _MAX_TITLE]
    for level, title, number in wanted:
        name = " ".join(clean(title).split())
        start = _place(name, shown, text, pages, number) if 1 <= number <= len(pages) else -1
        if start >= 0:
            placed.setdefault(start, Heading(start, name, level, kind_of(name), "outline"))
    if len(placed) < max(_RIGHT_SHARE * len(wanted), 1):
        return []
    return [placed[start] for start in sorted(placed)]


def _place(name: str, shown: dict[int, str], text: str, pages: Sequence[Page], number: int) -> int:
    """Where on its page, or the one after it, the title stands as a line of its own or opens one; -1: nowhere.

    `shown` keeps the pages that were looked at, in small letters and with their line ends as blanks."""
    opened = -1
    for page in pages[number - 1 : number + 1]:
        if page.number not in shown:
            shown[page.number] = _flat(text[page.start : min(page.end, page.start + _SEARCHED_CHARACTERS)])
        for at in _line_starts(_flat(name), shown[page.number], text, page):
            if text[at + len(name) : at + len(name) + 1] in ("", "\n"):
                return at
            if opened < 0 and not text[at + len(name)].isalnum():
                opened = at
    return opened


def _flat(text: str) -> str:
    """In small letters, line ends as blanks; as long as `text`, so that places stay."""
    small = text.lower()
    return (small if len(small) == len(text) else text).replace("\n", " ")


def _line_starts(name: str, shown: str, text: str, page: Page) -> Iterator[int]:
    """Where the title stands at the start of a line, however its own lines are broken; at most a few places."""
    at = shown.find(name)
    for _ in range(_MOST_PLACES):
        if at < 0:
            return
        if at == 0 or text[page.start + at - 1] == "\n":
            yield page.start + at
        at = shown.find(name, at + 1)


def _merged(matched: list[Heading], headings: list[Heading]) -> list[Heading]:
    """The outline's headings and those of the text that have a known name and stand elsewhere."""
    level = min((heading.level for heading in matched if heading.kind), default=1)
    starts = {heading.start for heading in matched}
    known = [heading._replace(level=level) for heading in headings if heading.kind and heading.start not in starts]
    return sorted([*matched, *known])
