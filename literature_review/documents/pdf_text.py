"""From the raw text of PDF pages to a document's text. Pure: no PDF library is needed here.

    raw pages (hidden runs marked) -> blanks, ligatures, line ends -> hyphenation undone -> text, pages, hidden

The text that comes out is the one that all offsets count in. Blanks of every width become a space, ligatures
their letters, a line end one `\\n`; pages are parted by one `\\n`. A word broken at a line end is whole again,
and ends its line.
"""

from __future__ import annotations

import re
import sys
import unicodedata
from collections.abc import Iterator, Sequence
from itertools import pairwise

from literature_review.models import HiddenText, Page

# Noncharacters mark where a hidden run begins (one per reason) and where it ends, while the text is cleaned.
HIDDEN_START = {"invisible": "\ufdd0", "white": "\ufdd1", "off_page": "\ufdd2", "tiny": "\ufdd3"}
HIDDEN_END = "\ufdd4"
RAISED_START, RAISED_END = "\ufdd5", "\ufdd6"  # around digits that are set as an exponent
HYPHEN = "\ufffe"  # what PDFium puts in place of a hyphen and a line end
_REASONS = {mark: reason for reason, mark in HIDDEN_START.items()}
MARKS = range(0xFDD0, 0xFDD7)
"""Codes of the characters that stand for marks here: a page's own are taken out of its raw text."""

_MARKS = re.compile("[\ufdd0-\ufdd6]")

_BLANKS = "\xa0\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a\u202f\u205f\u3000\t"
_LIGATURES = {
    "\ufb00": "ff", "\ufb01": "fi", "\ufb02": "fl", "\ufb03": "ffi", "\ufb04": "ffl", "\ufb05": "st",
    "\ufb06": "st",
}  # fmt: skip
_CONTROLS = re.compile("[\x00-\x08\x0b\x0e-\x1f\x7f\u200b\u2060\ufeff\uffff\ud800-\udfff]")
_MATHEMATICAL = range(0x1D400, 0x1D800)
_LONE_STOP = re.compile(r"\n(?=[.,;:)](?:\s|$))")
_LINE_END_HYPHEN = re.compile("-\n(?=[^\\W_])")
_NO_SECOND_HALF = frozenset(("and", "or", "to", "und", "oder", "et", "ou", "y", "o", "e"))
_FOOT = re.compile(r"[^\w\n]*\d{1,5}(?:\W[^\n]*)?|[^\n]*\W\d{1,5}[^\w\n]*")
_WORD = re.compile(r"\n?([^\W_]*)")
_LONGEST_WORD = 60
_PLAIN_DASHES = {"\xad": "-", "\u2010": "-", "\u2011": "-"}


Runs = tuple[tuple[int, int], ...]


def clean_pages(raw_pages: Sequence[str]) -> tuple[str, tuple[Page, ...], tuple[HiddenText, ...], Runs]:
    """The document's text, its pages, its hidden runs and its raised digits, from each page's text as the PDF library
    gave it, with marks."""
    text = clean("\f".join(page.replace("\f", " ") for page in raw_pages))
    text, hidden, raised = _take_marks("\f".join(_with_heads_apart(text.split("\f"))))
    pages, start = [], 0
    for number, page in enumerate(text.split("\f"), 1):
        end = start + len(page) + (number < len(raw_pages))  # the line end between two pages is the first one's
        pages.append(Page(number, start, end))
        start = end
    return text.replace("\f", "\n"), tuple(pages), hidden, raised


def _with_heads_apart(pages: Sequence[str]) -> Iterator[str]:
    """The pages, with an empty line at the end of one whose last line, or the next one's first, is a running head or
    foot: a line apart from the rest, that begins no sentence's second half, or holds the page's number. Else what
    stands at a page's foot would go on with it."""
    for page, following in zip(pages, [*pages[1:], ""], strict=True):
        head, blank, _ = following.partition("\n\n")
        begins = bool(blank) and "\n" not in head and not head[:1].islower()
        _, blank, foot = page.rpartition("\n\n")
        ends = bool(blank) and _FOOT.fullmatch(foot) is not None
        yield f"{page}\n" if following and (begins or ends) else page


def clean(text: str) -> str:
    """One text with its blanks, ligatures, line ends and broken words put right; form feeds and marks stay."""
    text = text.replace("\r\n", "\n").replace("\r", "\n").replace("\x02", HYPHEN)
    for blank in _BLANKS:
        text = text.replace(blank, " ")
    for ligature, letters in _LIGATURES.items():
        text = text.replace(ligature, letters)
    text = _CONTROLS.sub("", text)
    *lines, last = text.split("\n")
    text = "\n".join([*(line.rstrip(" ") for line in lines), last])
    text = _LONE_STOP.sub("", text)
    for dash, plain in _PLAIN_DASHES.items():
        text = text.replace(dash, plain)
    if "-\n" in text:
        text = _LINE_END_HYPHEN.sub(_hyphen_or_dash, text)
    return _join_broken_words(text) if HYPHEN in text or "- " in text else text


def _hyphen_or_dash(match: re.Match[str]) -> str:
    """A hyphen at a line's end breaks a word, or a range, right behind a letter or digit; else it is a dash."""
    before = match.string[match.start() - 1 : match.start()]
    return HYPHEN if before.isalnum() else match.group()


def letter_of(code: int) -> str:
    """The character with this code; of a mathematical letter or digit the one that it is set for."""
    if code <= 0xFFFF:
        return chr(code)
    return unicodedata.normalize("NFKC", chr(code)) if code in _MATHEMATICAL else chr(min(code, sys.maxunicode))


def _join_broken_words(text: str) -> str:
    """Undoes hyphenation: `pre` HYPHEN `fix` is prefix, pre-fix where the hyphen is the word's own.

    The text itself decides: the way the word is written elsewhere; else a capital or a digit beside the
    hyphen, or two parts that both are words of this text, speak for keeping it."""
    words = set(text.split())
    parts = _mark_halves(text, words).split(HYPHEN)
    whole = [parts[0]]
    for before, after in pairwise(parts):
        first, second = _last_word(before[-_LONGEST_WORD:]), _first_word(after[:_LONGEST_WORD])
        if _keeps_hyphen(first, second, words):
            whole.append("-")
        whole.append(_line_end_behind_word(after) if second else after)
    return "".join(whole)


def _line_end_behind_word(after: str) -> str:
    """What follows a broken word's first half, with the line's end behind the word in place of within it: lines stay
    as long as they are."""
    whole = after[1:] if after[:1] == "\n" else after
    end = whole.find(" ", 1, _LONGEST_WORD + 1)
    return f"{whole[:end]}\n{whole[end + 1 :]}" if end > 0 and whole[:end].split() == [whole[:end]] else whole


def _mark_halves(text: str, words: set[str]) -> str:
    """The text with a hyphen and a blank between two halves of a word marked as a broken word (lines that are
    turned sideways end so), where the whole word stands elsewhere in the text: "par- ticipants"."""
    parts = text.split("- ")
    marks = []
    for before, after in pairwise(parts):
        first, second = _last_word(before[-_LONGEST_WORD:]), _first_word(after[:_LONGEST_WORD])
        halves = len(first) > 1 and len(second) > 1 and second.islower() and second not in _NO_SECOND_HALF
        is_word = halves and any(f"{first}{second}{stop}" in words for stop in ("", ",", ".", ";", ")"))
        marks.append(HYPHEN if is_word else "- ")
    return "".join(part + mark for part, mark in zip(parts, [*marks, ""], strict=True))


def _first_word(text: str) -> str:
    match = _WORD.match(text)
    return match.group(1) if match else ""


def _last_word(text: str) -> str:
    word = text.rpartition(" ")[2]
    return word if word.isalnum() else _first_word(word[::-1].removeprefix("\n"))[::-1]


def _keeps_hyphen(before: str, after: str, words: set[str]) -> bool:
    """True where the hyphen between these parts is the word's own. `words`: as they stand in the text."""
    if not before or not after:
        return True
    left, right = before.lower(), after.lower()
    if before + after in words or left + right in words:
        return False
    if f"{before}-{after}" in words or f"{left}-{right}" in words or not before.isalpha() or not after.islower():
        return True
    if before.isupper() and len(before) > 1:
        return True
    return len(left) > 2 and len(right) > 3 and left in words and right in words


def _take_marks(text: str) -> tuple[str, tuple[HiddenText, ...], Runs]:
    """The text without its marks, and the hidden runs and raised digits that they stood around."""
    parts: list[str] = []
    hidden: list[HiddenText] = []
    raised: list[tuple[int, int]] = []
    length, begun, rises_at, last = 0, (0, ""), 0, 0
    for mark in _MARKS.finditer(text):
        parts.append(text[last : mark.start()])
        length, last = length + mark.start() - last, mark.end()
        kind = mark.group()
        if kind in _REASONS:
            begun = (length, _REASONS[kind])
        elif kind == RAISED_START:
            rises_at = length
        elif kind == RAISED_END:
            raised.append((rises_at, length))
        elif length > begun[0]:
            hidden.append(HiddenText(begun[0], length, begun[1]))
    parts.append(text[last:])
    return "".join(parts), tuple(hidden), tuple(raised)
