"""A paper in excerpts that fit into a question, with its page numbers kept.

    Document -> visible text -> sections, references left out -> packed in order up to the budget -> Excerpt
                                    `-- longer than the budget: paragraphs -> sentences -> words -> characters

Every visible character is in exactly one excerpt, but for the list of references. The same paper and budget give the
same excerpts, so that an answer once paid for is found again.
"""

from __future__ import annotations

import re
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import pairwise

from literature_review.models import Document
from literature_review.text.hidden import blank_out
from literature_review.text.token_estimate import QUARTERS, quarters_before

PAGE_MARK = re.compile(r"\[page \d{1,9}\]")
LEFT_OUT = "[the list of references is left out]"

_MARK_TOKENS, _GAP_TOKENS = 6, 10
_MOST_OF_REFERENCES = 0.5  # share of a text; where "references" would be more, they are not recognised as such
_UNSENDABLE = re.compile("[\x00-\x08\x0b\x0e-\x1f\x7f\ud800-\udfff\ufffe\uffff]")
_WIDE_SPACE = re.compile(r"[^\S\n]{3,}")
_EMPTY_LINES = re.compile(r"\n\s*\n\s*\n")
_PARAGRAPH_END = re.compile(r"\n[^\S\n]*\n\s*")
_SENTENCE_END = re.compile(r"[.!?][\"'\u201d\u2019)\]]{0,2}\s+|[\u3002\uff01\uff1f\u0964\u06d4][\"\u201d\u300d]?")
_ENDS_SENTENCE = re.compile(r"[.!?:\u3002\uff01\uff1f\u0964\u06d4][\"'\u201d\u2019)\]\u300d]{0,2}\s*\Z")
_WORD_END = re.compile(r"\s+")
_LOOK_BACK = 80  # characters in which the end of a sentence is looked for before a page break


@dataclass(frozen=True)
class Excerpt:
    """A part of a paper. `spans`: its characters of `Document.text`, in order; `text`: those characters as they are
    sent, with a line such as `[page 3]` where a page begins; it is number `number` of `of`."""

    number: int
    of: int
    spans: tuple[tuple[int, int], ...]
    text: str

    @property
    def start(self) -> int:
        return self.spans[0][0]


def visible_text(document: Document, plain: bool = False) -> str:
    """The text as it is shown (`plain`: as it is), with what a reader cannot see, and what no request can carry,
    blanked: all offsets stay."""
    text = blank_out(document.text if plain else document.shown, ((span.start, span.end) for span in document.hidden))
    return _UNSENDABLE.sub(" ", text)


def excerpts_of(document: Document, budget: int) -> list[Excerpt]:
    """The paper in excerpts of at most `budget` estimated tokens each, page marks included; none of an empty paper.

    Linear time in the length of the text. `budget` is at least 50."""
    return _Splitter(document, budget).excerpts()


class _Splitter:
    def __init__(self, document: Document, budget: int) -> None:
        self._text = visible_text(document)
        self._room = (max(budget, 50) - _MARK_TOKENS) * QUARTERS  # an excerpt begins with a mark
        self._sums = quarters_before(self._text)
        pages = document.pages if len(document.pages) > 1 else ()
        self._pages = [(page.start, page.number) for page in pages if page.start < len(self._text)]
        self._page_starts = [start for start, _ in self._pages]
        self._ranges = self._sections(document)

    def excerpts(self) -> list[Excerpt]:
        """Pieces in their order, put together as long as there is room; what holds no word is left out."""
        groups: list[list[tuple[int, int]]] = []
        room = 0
        for start, end in self._atoms():
            follows = bool(groups) and groups[-1][-1][1] == start
            cost = self._cost(start, end) + (0 if follows else _GAP_TOKENS * QUARTERS)
            if not groups or cost > room:
                groups.append([(start, end)])
                room = self._room - self._cost(start, end)
                continue
            if follows:
                groups[-1][-1] = (groups[-1][-1][0], end)
            else:
                groups[-1].append((start, end))
            room -= cost
        shown = [spans for spans in groups if any(self._text[start:end].strip() for start, end in spans)]
        return [
            Excerpt(number, len(shown), tuple(spans), self._rendered(spans)) for number, spans in enumerate(shown, 1)
        ]

    def _sections(self, document: Document) -> list[tuple[int, int]]:
        """The ranges between headings in order, without the references where these are surely no more than that."""
        size = len(self._text)
        references = [(part.start, min(part.end, size)) for part in document.sections if part.kind == "references"]
        if sum(end - start for start, end in references) > _MOST_OF_REFERENCES * size:
            references = []
        bounds = {0, size, *(at for start, end in references for at in (start, end))}
        bounds.update(part.start for part in document.sections)
        cuts = sorted(at for at in bounds if 0 <= at <= size)
        ranges = pairwise(cuts)
        return [piece for piece in ranges if not any(start <= piece[0] < end for start, end in references)]

    def _cost(self, start: int, end: int) -> int:
        """Quarters of tokens of a piece with its page marks."""
        marks = bisect_left(self._page_starts, end) - bisect_left(self._page_starts, start)
        return self._sums[end] - self._sums[start] + marks * _MARK_TOKENS * QUARTERS

    def _fits(self, start: int, end: int) -> bool:
        return self._cost(start, end) <= self._room

    def _atoms(self) -> Iterator[tuple[int, int]]:
        levels = (self._paragraph_ends, self._ends_of(_SENTENCE_END), self._ends_of(_WORD_END), self._character_ends)
        for start, end in self._ranges:
            yield from self._cut(start, end, levels)

    def _cut(
        self, start: int, end: int, levels: tuple[Callable[[int, int], Iterator[int]], ...]
    ) -> Iterator[tuple[int, int]]:
        """The piece whole where it fits, else cut at the bounds of the next level."""
        if self._fits(start, end) or not levels:
            yield start, end
            return
        at = start
        for bound in (*levels[0](start, end), end):
            if at < bound:
                yield from self._cut(at, bound, levels[1:])
                at = bound

    def _paragraph_ends(self, start: int, end: int) -> Iterator[int]:
        """Ends of paragraphs, and of pages at which a sentence ends."""
        pages = self._page_starts[bisect_right(self._page_starts, start) : bisect_left(self._page_starts, end)]
        whole = (at for at in pages if _ENDS_SENTENCE.search(self._text[max(at - _LOOK_BACK, start) : at]))
        yield from sorted({*whole, *self._ends_of(_PARAGRAPH_END)(start, end)})

    def _ends_of(self, pattern: re.Pattern[str]) -> Callable[[int, int], Iterator[int]]:
        def ends(start: int, end: int) -> Iterator[int]:
            for found in pattern.finditer(self._text, start, end):
                yield found.end()

        return ends

    def _character_ends(self, start: int, end: int) -> Iterator[int]:
        """As many characters as fit, again and again."""
        while not self._fits(start, end):
            low, high = start + 1, end
            while low < high:
                middle = (low + high + 1) // 2
                low, high = (middle, high) if self._fits(start, middle) else (low, middle - 1)
            yield low
            start = low

    def _rendered(self, spans: list[tuple[int, int]]) -> str:
        pieces: list[str] = []
        for number, (start, end) in enumerate(spans):
            if number:
                pieces.append(f"\n{LEFT_OUT}\n")
            pieces += self._with_marks(start, end, first=not number)
        text = _WIDE_SPACE.sub("  ", "".join(pieces))
        return _EMPTY_LINES.sub("\n\n", text).strip()

    def _with_marks(self, start: int, end: int, first: bool) -> Iterator[str]:
        at = bisect_left(self._page_starts, start)
        if first and at > 0 and (at == len(self._pages) or self._pages[at][0] > start):
            yield f"[page {self._pages[at - 1][1]}]\n"
        while at < len(self._pages) and self._pages[at][0] < end:
            turn, number = self._pages[at]
            yield f"{self._text[start:turn]}\n[page {number}]\n"
            start, at = turn, at + 1
        yield self._text[start:end]
