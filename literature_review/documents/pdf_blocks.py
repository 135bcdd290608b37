"""The blocks of a page: where one ends, in which order two columns are read, and which digits are exponents.

    page's text -> lines, with place, size and direction of their first and last letters -> blocks
                -> a turned block that interrupts others, and a right column drawn before the left one, put behind these
                -> text with an empty line behind each block, and marks around raised digits

PDFium parts lines, not blocks: a paragraph that breaks off at the foot of a page is followed by whatever the file
draws next, such as the labels of a figure. A block ends where the size of the letters or their direction changes, or
where the next line is neither beneath nor at the head of a column to the right. What follows in small letters further
down in the same column, or in another size right beneath, is taken for the same block. Only a worker process imports
this module, for what `in_blocks` asks PDFium; the rest is pure.
"""

from __future__ import annotations

import math
import re
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator, Sequence
from itertools import pairwise
from operator import sub
from statistics import median
from typing import NamedTuple

from literature_review.documents import pdfium
from literature_review.documents.pdf_text import RAISED_END, RAISED_START
from literature_review.documents.pdfium import Placement

_SAME_SIZE = 1.04  # times; captions are often a tenth smaller than the text
_SAME_DIRECTION = 0.99  # cosine of the angle
_PLAIN_LEADING = 1.05  # times the page's usual distance of lines, at most
_PLAIN = 0.01  # points by which the heights of letters of one size may differ
_INDENT = 40.0  # points
_USUAL_LEADING = 1.9  # times the size of the letters, at most
_WIDER_LEADING = 1.5  # times the page's usual distance of lines
_FURTHER_RIGHT = 5.0  # sizes of letters, at least, between the beginnings of lines of two columns
_LOOKED_AT = range(1, 41, 8)  # letters from a line's end where sizes differ: an exponent is no other block
_LEAST_LINES = 5  # of a column that is put before another
_MOST_BLOCKS = 2_000  # of a page whose columns are looked at
_AS_WIDE = 1.5  # times, at most, of two columns
_POWER = re.compile("10[0-9\u2212\u2013-]*[0-9]")  # other bases are left: to look at every number would take much time
_EXPONENT_SIZE = 0.85  # of the base, at most
_LOWER = 0.95  # the height of another font's letters of the same size, at least
_EXPONENT_RISE = 0.15  # of the base's size, at least

Boxes = tuple[list[float], list[float], list[float]]
Mark = tuple[int, int, str]  # where it stands, whether it closes or opens a run, the mark
_CLOSES, _OPENS = 0, 1
Marked = tuple[int, int, str, str]  # start and end of a run, and the marks around it


class Letter(NamedTuple):
    """A letter's place on its line (`across`) and above the page's foot (`up`), both as its line runs, in points, and
    its size in points."""

    across: float
    up: float
    size: float


class Line(NamedTuple):
    """A line, in points as it runs: where its first letter stands and its `size`, where its last letter stands; its
    direction; whether it begins with a small letter."""

    left: float
    up: float
    size: float
    right: float
    end_up: float
    direction: tuple[float, float] = (1.0, 0.0)
    small: bool = False


def in_blocks(text_page: int, text: str, places: Sequence[int], hidden: Sequence[Marked] = ()) -> str:
    """The page's text as described above. `places`: PDFium's index for each character of it; `hidden`: runs with the
    marks to be set around them (where there are such, columns stay as they are drawn)."""
    lines = PageLines(text, Letters(text_page, places))
    if not lines.spans:
        return ""
    heads = lines.letters.boxes([start for start, _ in lines.spans])
    doubtful = _doubtful_ends(lines, heads)
    lines.look_at({at for end in doubtful for at in (end, end + 1)})
    ends = [at for at in doubtful if lines.part(at, at + 1)]
    if not hidden:
        ends = sorted([*ends, *(at + 1 for at in ends if lines.interrupted(at))])
    blocks = [range(one + 1, other + 1) for one, other in pairwise([-1, *ends, len(lines.spans) - 1])]
    if not hidden and len(blocks) > 1:
        blocks = _uninterrupted(blocks, lines)
        lefts, feet, _ = heads
        if any(feet[at + 1] > feet[at] and lefts[at + 1] < lefts[at] for at in ends):
            blocks = left_before_right(blocks, lines)
    raised = [(start, end, RAISED_START, RAISED_END) for start, end in _raised(text, lines.letters)]
    opening = ((start, _OPENS, mark) for start, _, mark, _ in (*raised, *hidden))
    closing = ((end, _CLOSES, mark) for _, end, _, mark in (*raised, *hidden))
    return _joined(lines, blocks, sorted([*opening, *closing]))


def _doubtful_ends(lines: PageLines, heads: Boxes) -> list[int]:
    """Which lines are not plainly followed by the next line of their block: by one right beneath, that begins about
    where they do, in letters as high. `heads`: the boxes of their first letters."""
    lefts, feet, heights = heads
    lines.top = feet.index(max(feet))
    downs = list(map(sub, feet, feet[1:]))
    lines.leading = median([down for down in downs if down > 0] or [0.0])
    most, least_indent, least_lower = _PLAIN_LEADING * lines.leading, -_INDENT, -_PLAIN
    indents, lowers = map(sub, lefts[1:], lefts), map(sub, heights, heights[1:])
    unlike = [
        at
        for at, down, indent, lower in zip(range(len(downs)), downs, indents, lowers, strict=True)
        if not (0 < down < most and least_indent < indent < _INDENT and least_lower < lower < _PLAIN)
    ]
    # a word broken at a line's end makes two lines one: then it is the last letter that counts
    _, last_feet, last_heights = lines.letters.boxes([lines.spans[at][1] - 1 for at in unlike])
    return [
        at
        for at, foot, height in zip(unlike, last_feet, last_heights, strict=True)
        if not (
            0 < foot - feet[at + 1] < most
            and least_indent < lefts[at + 1] - lefts[at] < _INDENT
            and least_lower < height - heights[at + 1] < _PLAIN
        )
    ]


def _uninterrupted(blocks: Sequence[range], lines: PageLines) -> list[range]:
    """The blocks, with each that runs in another direction than those around it (a word of a table turned sideways), or
    is a line drawn late (a formula higher up), put behind these where the second goes on with the first."""
    ordered = list(blocks)
    for at in range(1, len(ordered) - 1):
        before, between, behind = ordered[at - 1 : at + 2]
        turned = lines[between[0]].direction != lines[before[-1]].direction
        late = len(between) == 1 and behind[0] == between[0] + 1 and lines.interrupted(before[-1])
        if late or (turned and not lines.part(before[-1], behind[0])):
            ordered[at : at + 2] = behind, between
    return ordered


def _joined(lines: PageLines, blocks: Sequence[range], marks: Sequence[Mark]) -> str:
    """The blocks as text with the sorted marks, and with an empty line behind each that the next one does not go on."""
    pieces: list[str] = []
    for at, block in enumerate(blocks):
        if at:
            before = blocks[at - 1][-1]
            follows = before + 1 != block[0] and not lines.part(before, block[0])
            pieces.append("\n" if follows else "\n\n")
        pieces.append(lines.text_of(block, marks).rstrip())
    return "".join(pieces)


class Letters:
    """Where the characters of a page's text stand. `places`: PDFium's index for each of them."""

    def __init__(self, text_page: int, places: Sequence[int]) -> None:
        self._text_page, self._places = text_page, places
        self._moved = places != range(len(places))  # else the index of a character is its offset

    def _at(self, offsets: Sequence[int]) -> Sequence[int]:
        return [self._places[at] for at in offsets] if self._moved else offsets

    def boxes(self, offsets: Sequence[int]) -> Boxes:
        """Left edges, feet and heights, as high as their fonts."""
        return pdfium.loose_boxes(self._text_page, self._at(offsets))

    def placements(self, offsets: Sequence[int]) -> list[Placement]:
        return pdfium.char_placements(self._text_page, self._at(offsets))

    def origins(self, offsets: Sequence[int]) -> list[tuple[float, float]]:
        return pdfium.char_origins(self._text_page, self._at(offsets))


class PageLines:
    """The lines of a page that are not blank; each is looked at when it is asked for. `leading`: how far the page's
    lines usually are apart, in points; `top`: which of them is the uppermost."""

    def __init__(self, text: str, letters: Letters) -> None:
        self._text, self.letters = text, letters
        self._lines: dict[int, Line] = {}
        self.spans = _spans(text)
        self.leading, self.top = 0.0, 0

    def __getitem__(self, at: int) -> Line:
        if at not in self._lines:
            self.look_at([at])
        return self._lines[at]

    def of(self, block: range) -> list[Line]:
        """The lines of a block."""
        self.look_at(block)
        return [self._lines[at] for at in block]

    def look_at(self, wanted: Iterable[int]) -> None:
        """Looks at those of several lines that are new at once, which takes less time than one by one."""
        new = [at for at in wanted if at not in self._lines]
        if not new:
            return
        firsts = self.letters.placements([self.spans[at][0] for at in new])
        lasts = self.letters.origins([self.spans[at][1] - 1 for at in new])
        for at, first, last in zip(new, firsts, lasts, strict=True):
            self._lines[at] = line_between(first, last, self._text[self.spans[at][0]].islower())

    def text_of(self, block: range, marks: Sequence[Mark]) -> str:
        """The block's characters with the white space behind them, and with those of the sorted marks that are its."""
        start = self.spans[block[0]][0] if block[0] else 0
        end = self.spans[block[-1] + 1][0] if block[-1] + 1 < len(self.spans) else len(self._text)
        if not marks:
            return self._text[start:end]
        pieces: list[str] = []
        last = start
        first, behind = bisect_right(marks, (start, _CLOSES, "\uffff")), bisect_left(marks, (end, _OPENS, ""))
        for at, _, mark in marks[first:behind]:
            pieces += (self._text[last:at], mark)
            last = at
        return "".join([*pieces, self._text[last:end]])

    def part(self, at: int, following: int) -> bool:
        """Whether a block ends with one line where the other follows it. The first line of a page, and the uppermost,
        where they stand apart from the rest, go on nowhere."""
        line, after = self[at], self[following]
        if after.small and (following == 1 or at == self.top):
            after = after._replace(small=False)
        same_size = _alike(line.size, after.size)
        if not parts(line, after, self.leading, same_size):
            return False
        if same_size or parts(line, after, self.leading, True):
            return True
        return not _alike(*self._largest(at, following))

    def interrupted(self, at: int) -> bool:
        """Whether a single line, higher up in the same column, stands between one at its foot and the head of the next
        column, which goes on with that in small letters."""
        if at + 2 >= len(self.spans) or not self._text[self.spans[at + 2][0]].islower():
            return False
        foot, line, head = self[at], self[at + 1], self[at + 2]
        if not (line.direction == foot.direction and foot.up < line.up < head.up):
            return False
        return line.left < foot.right < head.left and not self.part(at, at + 2)

    def _largest(self, at: int, following: int) -> tuple[float, float]:
        """The size of the largest of some letters before the end of the one line, and behind the beginning of the
        other."""
        (start, end), (begin, close) = self.spans[at], self.spans[following]
        behind = self._inked(place for place in (end - step for step in _LOOKED_AT) if place >= start)
        before = self._inked(place for place in (begin + step - 1 for step in _LOOKED_AT) if place < close)
        sizes = [placement[2] for placement in self.letters.placements(behind + before)]
        return max(sizes[: len(behind)], default=0.0), max(sizes[len(behind) :], default=0.0)

    def _inked(self, places: Iterable[int]) -> list[int]:
        return [at for at in places if not self._text[at].isspace()]


def _spans(text: str) -> list[tuple[int, int]]:
    """Where each line that is not blank begins and ends, blanks around it left out."""
    spans = []
    start = 0
    for line in text.split("\n"):
        inked = line.strip()
        if inked:
            begin = start + line.find(inked[0])
            spans.append((begin, begin + len(inked)))
        start += len(line) + 1
    return spans


def line_between(first: Placement, last: tuple[float, float], small: bool) -> Line:
    """The line whose first and last letters stand there."""
    x, y, size, a, b = first
    if b == 0 and a > 0:
        return Line(x, y, size, last[0], last[1], (1.0, 0.0), small)
    length = math.hypot(a, b) or 1.0
    a, b = a / length, b / length
    right, end_up = a * last[0] + b * last[1], a * last[1] - b * last[0]
    return Line(a * x + b * y, a * y - b * x, size, right, end_up, (a, b), small)


def parts(line: Line, after: Line, leading: float, same_size: bool) -> bool:
    """Whether a block ends between these lines. `leading`: how far the page's lines usually are apart, in points."""
    one, other = line.direction, after.direction
    if one is not other and one[0] * other[0] + one[1] * other[1] < _SAME_DIRECTION:
        return True
    size = max(line.size, after.size)
    down = line.end_up - after.up
    near = -size < down < max(_USUAL_LEADING * size, _WIDER_LEADING * min(leading, 3 * size))
    if near and after.left < line.right + 2 * size:
        return not (same_size or after.small)
    if not same_size:
        return True
    further_right = after.left - line.left
    if down > 0:
        return not (after.small and abs(further_right) < _FURTHER_RIGHT * size)
    return further_right < _FURTHER_RIGHT * size


def _alike(one: float, other: float) -> bool:
    return one <= _SAME_SIZE * other and other <= _SAME_SIZE * one


def left_before_right(blocks: Sequence[range], lines: PageLines | Sequence[Line]) -> list[range]:
    """The blocks (the numbers of their lines) with each column that was drawn before the one to its left put behind it:
    both of several lines, of one size of letters, about as wide, and beside each other."""
    if len(blocks) > _MOST_BLOCKS:
        return list(blocks)
    ordered = list(blocks)
    edges = _Edges(lines)
    at = 1
    while at < len(ordered):
        before, behind = ordered[at - 1], ordered[at]
        if _goes_back(lines[before[-1]], lines[behind[0]]) and edges[behind][1] < edges[before][0]:
            gutter = (edges[before][0] + edges[behind][1]) / 2
            first, last = at - 1, at + 1
            while first > 0 and edges[ordered[first - 1]][0] > gutter:
                first -= 1
            while last < len(ordered) and edges[ordered[last]][1] < gutter:
                last += 1
            columns = [
                [lines[number] for block in part for number in block] for part in (ordered[at:last], ordered[first:at])
            ]
            if _beside(*columns):
                ordered[first:last] = [*ordered[at:last], *ordered[first:at]]
                at = last
        at += 1
    return ordered


class _Edges(dict[range, tuple[float, float]]):
    """How far to the left and to the right each block reaches; looked at when it is asked for."""

    def __init__(self, lines: PageLines | Sequence[Line]) -> None:
        self._lines = lines

    def __missing__(self, block: range) -> tuple[float, float]:
        lines = self._lines.of(block) if isinstance(self._lines, PageLines) else [self._lines[at] for at in block]
        self[block] = found = min(line.left for line in lines), max(line.right for line in lines)
        return found


def _goes_back(line: Line, after: Line) -> bool:
    """Whether the next line stands higher, and is of one kind with this."""
    return after.up > line.up and after.direction == line.direction and _alike(line.size, after.size)


def _beside(left: Sequence[Line], right: Sequence[Line]) -> bool:
    """Whether two columns stand beside each other."""
    if min(len(left), len(right)) < _LEAST_LINES:
        return False
    edges = [(min(line.left for line in column), max(line.right for line in column)) for column in (left, right)]
    widths = [end - start for start, end in edges]
    heights = [(column[-1].end_up, column[0].up) for column in (left, right)]
    shared = min(top for _, top in heights) - max(foot for foot, _ in heights)
    return max(widths) < _AS_WIDE * min(widths) and shared > min(top - foot for foot, top in heights) / 2


def _raised(text: str, letters: Letters) -> Iterator[tuple[int, int]]:
    """Where digits stand that are set smaller and higher right behind a 10: its exponents, and marks of notes behind a
    number. A minus sign before them belongs to them."""
    spans = list(_powers(text))
    if not spans:
        return
    _, _, heights = letters.boxes([at for start, end in spans for at in (start, end - 1)])
    for (start, end), first, last in zip(spans, heights[0::2], heights[1::2], strict=True):
        if last < _LOWER * first:
            number = [Letter(*_on_its_line(placement)) for placement in letters.placements(range(start, end))]
            begin = start + exponent_in(text[start:end], number)
            if begin < end:
                yield begin, end


def _powers(text: str) -> Iterator[tuple[int, int]]:
    """Where a 10 with digits behind it stands; to look for each 10 takes a tenth of the time of a pattern's search."""
    at = text.find("10")
    while at >= 0:
        found = _POWER.match(text, at)
        if found is not None:
            yield found.span()
        at = text.find("10", found.end() if found is not None else at + 1)


def _on_its_line(placement: Placement) -> tuple[float, float, float]:
    x, y, size, a, b = placement
    length = math.hypot(a, b) or 1.0
    return (a * x + b * y) / length, (a * y - b * x) / length, size


def exponent_in(number: str, letters: Sequence[Letter]) -> int:
    """Where in a number its exponent begins: what is smaller and higher than its first digit up to its end; the
    number's length where it has none."""
    base, begin = letters[0], len(number)
    while (
        begin > 1
        and letters[begin - 1].size <= _EXPONENT_SIZE * base.size
        and letters[begin - 1].up - base.up >= _EXPONENT_RISE * base.size
    ):
        begin -= 1
    return begin if number[begin - 1].isdigit() and not number[begin:].startswith(",") else len(number)
