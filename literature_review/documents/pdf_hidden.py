"""Finds the text of a PDF page that a reader of the page cannot see, and why.

    objects of the page -> suspects by a field each (mode, colour, box) -> certain? -> characters of the text
                                                                 white -> what is painted beneath?

Invisible: render mode 3, or all but transparent. White: white on white, where no darker shape or picture lies
beneath. Off the page: wholly outside its visible box. Tiny: under 1.5 points on a page of usual size.
Not looked for: text under a later picture or shape, in a layer that is switched off, or clipped away.

A scanned page whose text OCR laid under it, invisible, is not hostile: where pictures cover four fifths of the
page and at least four fifths of its text are invisible, that text is what the picture shows. It is not hidden,
and the page is named as an OCR layer.
"""

from __future__ import annotations

import math
import sys
from array import array
from bisect import bisect_right
from collections.abc import Container, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate, compress
from operator import sub
from typing import Any, NamedTuple

from literature_review.documents import pdfium
from literature_review.documents.pdfium import Box, Colour, Matrix

TINY_POINTS = 1.5
_USUAL_PAGE = 600.0  # points; smaller pages are shown larger
_MOST_HEIGHT = 1.3  # of a line's letters, in parts of the font's size
_WHITE = 245  # a channel from here on reads as white
_TRANSPARENT = 12  # of 255
_DARK, _VISIBLE = bytes(range(_WHITE)), bytes(range(_TRANSPARENT + 1, 256))
_LOW_BYTE = 0 if sys.byteorder == "little" else 3  # of an unsigned number of four
_INVISIBLE_MODE = 3
_STROKE_ONLY = (1, 5)
_ORDINARY_MODES = bytes((0, 2))
_NO_TEXT = bytes((pdfium.NO_TEXT,))
_IS_OTHER = bytes(mode == pdfium.NO_TEXT for mode in range(256))
_IS_TEXT = bytes(mode != pdfium.NO_TEXT for mode in range(256))
_OCR_SHARE = 0.8
_MAX_DEPTH = 8  # of forms within forms
_MOST_LOOKS = 1_000_000  # at what lies beneath a page's white texts; those left are taken to stand on white
_SAME: Matrix = (1.0, 0.0, 0.0, 1.0, 0.0, 0.0)


@dataclass(frozen=True)
class PageLook:
    """What the objects of a page tell: hidden text objects with the reason and their boxes, the pictures' share
    of it where something is hidden, the middle of its own text from left to right (0 where that was not looked
    for), and the corners of its own texts (as `pdfium.quads` gives them)."""

    hidden: Mapping[int, str]
    boxes: Mapping[int, Box]
    pictures: float = 0.0
    middle: float = 0.0
    quads: Sequence[float] = ()


@dataclass
class _Group:
    """The text objects of a page or a form, the same as PDFium's arguments, their render modes, the forms that they lie
    in, the outermost first, and how these are put on the page; once looked at, the corners of the texts and the middle
    of these, which of them could be hidden, and which of those for their letters are low."""

    texts: list[int]
    arguments: list[Any]
    modes: bytes
    forms: tuple[int, ...]
    matrix: Matrix
    scale: float
    middle: float = 0.0
    quads: Sequence[float] = ()
    suspects: Sequence[int] = ()
    low: Container[int] = ()


class _Painted(NamedTuple):
    """An object in page space, in the order of painting. `matrix`: how a form that was not opened is put there."""

    address: int
    kind: int
    box: Box
    scale: float
    matrix: Matrix = _SAME


def look_at(page: int, page_box: Box) -> PageLook:
    """Which text objects of the page nobody sees. `page_box`: what is shown of it, in page space."""
    groups = _groups(page)
    suspects = [group for group in groups if _is_suspect(group, page_box)]
    middle = groups[0].middle if groups else 0.0
    quads = groups[0].quads if groups and not groups[0].forms else ()
    if not suspects:
        return PageLook({}, {}, 0.0, middle, quads)
    reasons: dict[int, str] = {}
    boxes: dict[int, Box] = {}
    for text, box, reason in _hidden(suspects, page_box, _Beneath(page, groups)):
        reasons[text], boxes[text] = reason, box
    return PageLook(reasons, boxes, picture_share(page, page_box) if reasons else 0.0, middle, quads)


def picture_share(page: int, page_box: Box) -> float:
    """The share of the page that pictures cover, from 0 to 1."""
    painted = _flatten(pdfium.page_objects(page), _SAME, 1.0)
    pictures = sum(_shared_area(one.box, page_box) for one in painted if one.kind == pdfium.IMAGE)
    return min(pictures / max(_area(page_box), 1e-9), 1.0)


def _groups(page: int) -> list[_Group]:
    """The texts of the page, and those of each form on it, forms within forms last. A figure may be thousands of
    forms, so that all of one depth are looked at together."""
    groups: list[_Group] = []
    objects = pdfium.page_objects(page)
    holders: list[tuple[int, ...]] = [()]  # the forms that each part of `objects` lies in, and its length
    counts = [len(objects)]
    for _ in range(_MAX_DEPTH + 1):
        arguments = pdfium.arguments(objects)
        modes = pdfium.render_modes(arguments)
        groups += _with_texts(objects, arguments, modes, holders, counts)
        others = list(compress(range(len(modes)), modes.translate(_IS_OTHER)))
        held = pdfium.form_counts([arguments[at] for at in others])
        if max(held, default=0) <= 0:
            break
        ends = list(accumulate(counts))
        inside = [(at, count) for at, count in zip(others, held, strict=True) if count > 0]
        holders = [(*holders[bisect_right(ends, at)], objects[at]) for at, _ in inside]
        counts = [count for _, count in inside]
        objects = pdfium.forms_contents([forms[-1] for forms in holders], counts)
    return groups


def _with_texts(
    objects: list[int], arguments: list[Any], modes: bytes, holders: list[tuple[int, ...]], counts: list[int]
) -> Iterator[_Group]:
    end = 0
    for forms, count in zip(holders, counts, strict=True):
        start, end = end, end + count
        own = modes[start:end]
        found = own.translate(None, _NO_TEXT)
        if not found:
            continue
        texts, passed = objects[start:end], arguments[start:end]
        if len(found) < count:
            is_text = own.translate(_IS_TEXT)
            texts, passed = list(compress(texts, is_text)), list(compress(passed, is_text))
        yield _Group(texts, passed, found, forms, *_placement(forms))


def _placement(forms: tuple[int, ...]) -> tuple[Matrix, float]:
    """How the innermost of these forms, the outer ones first, is put on the page: its matrix and scale."""
    matrix, scale = _SAME, 1.0
    for form in forms:
        inner = pdfium.matrix(form)
        matrix, scale = _product(inner, matrix), scale * _scale(inner)
    return matrix, scale


def _is_suspect(group: _Group, page_box: Box) -> bool:
    """A quick look over many text objects at once: could any be hidden? Then `suspects` are those, and what is blank in
    their colours: that is hidden with what stands around it."""
    group.quads = quad = pdfium.quads(group.arguments)
    lefts, bottoms, rights, tops = quad[0::8], quad[1::8], quad[4::8], quad[5::8]
    upright = quad[6::8].tobytes() == lefts.tobytes()
    xs, ys = (lefts, bottoms) if upright else (lefts + rights, bottoms + tops)
    extent = min(xs), min(ys), max(rights if upright else xs), max(tops if upright else ys)
    group.middle = (extent[0] + extent[2]) / 2
    limit = _MOST_HEIGHT * TINY_POINTS / max(group.scale, 1e-6)
    low = _low(quad, upright, limit)
    sizes = pdfium.text_sizes([group.arguments[at] for at in low])
    group.low = {at for at, size in zip(low, sizes, strict=True) if size < limit}
    found = set(group.low)
    if group.modes.translate(None, _ORDINARY_MODES):
        found.update(at for at, mode in enumerate(group.modes) if mode not in _ORDINARY_MODES)
    if not _is_within(_moved(extent, group.matrix), page_box):
        boxes = _boxes(group.texts, group.matrix)
        found.update(at for at, box in enumerate(boxes) if _is_outside(box, page_box))
    unseen = _unseen(pdfium.fill_channels(group.arguments))
    if found or any(rights[at] != lefts[at] for at in unseen):  # a blank has no width
        found.update(unseen)
    group.suspects = sorted(found)
    return bool(found)


def _unseen(channels: array[int]) -> Sequence[int]:
    """Which of these colours are white or all but transparent."""
    low = channels.tobytes()[_LOW_BYTE::4]  # of each channel: none is above 255, and what is low has a low byte
    if not low[3::4].translate(None, _VISIBLE) and not all(low[at::4].translate(None, _DARK) for at in range(3)):
        return ()
    each = iter(channels)
    return [
        at
        for at, colour in enumerate(zip(each, each, each, each, strict=True))
        if colour[3] <= _TRANSPARENT or min(colour[:3]) >= _WHITE
    ]


def _low(quad: array[float], upright: bool, limit: float) -> Sequence[int]:
    """Which texts have letters lower than `limit`, upside down or not; blanks have no height."""
    heights = list(map(sub, quad[7::8], quad[1::8]))
    if not upright:
        heights = list(map(math.hypot, heights, map(sub, quad[6::8], quad[0::8])))
    if min(filter(None, heights), default=limit) >= limit:
        return ()
    return [at for at, height in enumerate(heights) if height and -limit < height < limit]


def _flatten(
    objects: Iterable[int], matrix: Matrix, scale: float, opened: Container[int] | None = None, depth: int = 0
) -> Iterator[_Painted]:
    """All objects in the order of painting with their boxes in page space, those inside forms too; of forms only
    the `opened` ones where these are given, the others stand for what is in them."""
    listed = list(objects)
    for one, box in zip(listed, _boxes(listed, matrix), strict=True):
        kind = pdfium.object_type(one)
        if kind != pdfium.FORM or depth >= _MAX_DEPTH:
            yield _Painted(one, kind, box, scale)
            continue
        inner = pdfium.matrix(one)
        within, grown = _product(inner, matrix), scale * _scale(inner)
        if opened is None or one in opened:
            yield from _flatten(pdfium.form_objects(one), within, grown, opened, depth + 1)
        else:
            yield _Painted(one, kind, box, grown, within)


def _boxes(objects: Sequence[int], matrix: Matrix) -> Iterator[Box]:
    """The objects' boxes in page space; `matrix`: how their container is put there."""
    each = iter(pdfium.boxes(objects))
    boxes = zip(each, each, each, each, strict=True)
    return boxes if matrix == _SAME else (_moved(box, matrix) for box in boxes)


def _hidden(groups: Iterable[_Group], page_box: Box, beneath: _Beneath) -> Iterator[tuple[int, Box, str]]:
    """Address, box in page space and reason of each of their suspects that nobody sees."""
    page_size = max(page_box[2] - page_box[0], page_box[3] - page_box[1])
    tiny = TINY_POINTS * min(1.0, page_size / _USUAL_PAGE)
    for group in groups:
        texts = [group.texts[at] for at in group.suspects]
        for at, text, box in zip(group.suspects, texts, _boxes(texts, group.matrix), strict=True):
            painted = _Painted(text, pdfium.TEXT, box, group.scale)
            reason = _reason(painted, page_box, tiny if at in group.low else 0.0, beneath)
            if reason:
                yield text, box, reason


def _reason(text: _Painted, page_box: Box, tiny: float, beneath: _Beneath) -> str:
    """Why nobody sees this text; `tiny`: what is below so many points is too small."""
    mode = pdfium.render_mode(text.address)
    painter = pdfium.stroke_colour if mode in _STROKE_ONLY else pdfium.fill_colour
    colour = painter(text.address)
    if mode == _INVISIBLE_MODE or colour[3] <= _TRANSPARENT:
        return "invisible"
    if _is_outside(text.box, page_box):
        return "off_page"
    if tiny and pdfium.text_sizes(pdfium.arguments([text.address]))[0] * text.scale < tiny:
        return "tiny"
    return "white" if min(colour[:3]) >= _WHITE and beneath.is_white(text) else ""


class _Beneath:
    """What is painted on a page beneath its texts; found out when it is first asked for."""

    def __init__(self, page: int, groups: Iterable[_Group]) -> None:
        self._page, self._groups = page, groups
        self._covers: list[_Painted] = []  # all but the texts
        self._below: dict[int, int] = {}  # text -> how many of these are painted before it
        self._inside: dict[int, list[_Painted]] = {}  # form that was not opened -> what is in it
        self._looks_left = _MOST_LOOKS

    def is_white(self, text: _Painted) -> bool:
        """True where what lies under the middle of this text is white: the paper, or a white shape."""
        if not self._below:
            self._find_covers()
        left, bottom, right, top = text.box
        covers = self._covers, self._below[text.address]
        found = self._is_white_at(*covers, (left + right) / 2, (bottom + top) / 2, top - bottom)
        return found is None or found

    def _find_covers(self) -> None:
        opened = {form for group in self._groups for form in group.forms}
        for one in _flatten(pdfium.page_objects(self._page), _SAME, 1.0, opened):
            if one.kind == pdfium.TEXT:
                self._below[one.address] = len(self._covers)
            else:
                self._covers.append(one)

    def _is_white_at(self, covers: Sequence[_Painted], below: int, x: float, y: float, height: float) -> bool | None:
        """Whether the uppermost of the first `below` covers at this place is white; None where there is nothing."""
        for at in range(below - 1, -1, -1):
            self._looks_left -= 1
            if self._looks_left < 0:
                return None
            cover = covers[at]
            box = cover.box
            if not (box[0] <= x <= box[2] and box[1] <= y <= box[3]):
                continue
            found: bool | None = False
            if cover.kind == pdfium.FORM:
                inner = self._opened(cover)
                found = self._is_white_at(inner, len(inner), x, y, height)
            elif cover.kind == pdfium.PATH:
                colour = _covering_colour(cover, height)
                found = None if colour is None or colour[3] <= _TRANSPARENT else min(colour[:3]) >= _WHITE
            if found is not None:
                return found
        return None

    def _opened(self, form: _Painted) -> list[_Painted]:
        if form.address not in self._inside:
            contents = _flatten(pdfium.form_objects(form.address), form.matrix, form.scale, None, 1)
            self._inside[form.address] = [one for one in contents if one.kind != pdfium.TEXT]
        return self._inside[form.address]


def _covering_colour(path: _Painted, height: float) -> Colour | None:
    """The colour with which a path covers a text of that height: its fill, or a line as thick as the text (so
    are some table heads drawn); None for an outline."""
    filled, stroked = pdfium.draw_modes(path.address)
    if filled:
        return pdfium.fill_colour(path.address)
    if stroked and pdfium.stroke_width(path.address) * path.scale >= height:
        return pdfium.stroke_colour(path.address)
    return None


def _is_within(box: Box, page_box: Box) -> bool:
    return page_box[0] < box[0] and page_box[1] < box[1] and box[2] < page_box[2] and box[3] < page_box[3]


def _is_outside(box: Box, page_box: Box) -> bool:
    """True for a box wholly outside. A text of blanks alone has no box and hides nothing."""
    if box[0] == box[2]:
        return False
    return box[2] <= page_box[0] or box[0] >= page_box[2] or box[3] <= page_box[1] or box[1] >= page_box[3]


def _scale(matrix: Matrix) -> float:
    return math.sqrt(abs(matrix[0] * matrix[3] - matrix[1] * matrix[2]))


def _product(first: Matrix, then: Matrix) -> Matrix:
    """The matrix that does `first`, then `then` (PDF 32000-1, 8.3.4)."""
    a, b, c, d, e, f = first
    g, h, i, j, k, m = then
    return a * g + b * i, a * h + b * j, c * g + d * i, c * h + d * j, e * g + f * i + k, e * h + f * j + m


def _moved(box: Box, matrix: Matrix) -> Box:
    if matrix == _SAME:
        return box
    a, b, c, d, e, f = matrix
    corners = [(x, y) for x in (box[0], box[2]) for y in (box[1], box[3])]
    xs = [a * x + c * y + e for x, y in corners]
    ys = [b * x + d * y + f for x, y in corners]
    return min(xs), min(ys), max(xs), max(ys)


def _area(box: Box) -> float:
    return max(box[2] - box[0], 0.0) * max(box[3] - box[1], 0.0)


def _shared_area(one: Box, other: Box) -> float:
    return _area((max(one[0], other[0]), max(one[1], other[1]), min(one[2], other[2]), min(one[3], other[3])))


def hidden_characters(text_page: int, count: int, look: PageLook) -> list[str]:
    """Per character of the page the reason why it is hidden, or an empty text.

    Blanks and line ends that PDFium made up between two characters hidden alike are hidden with them."""
    reasons, made_up = _char_reasons(text_page, count, look)
    at = 0
    while at < len(made_up):
        start = made_up[at]
        end = start + 1
        at += 1
        while at < len(made_up) and made_up[at] == end:
            end, at = end + 1, at + 1
        if start and end < count and reasons[start - 1] and reasons[start - 1] == reasons[end]:
            reasons[start:end] = [reasons[end]] * (end - start)
    return reasons


def _char_reasons(text_page: int, count: int, look: PageLook) -> tuple[list[str], list[int]]:
    """Per character the reason, and which characters PDFium made up."""
    owners = pdfium.char_objects(text_page, count)
    if owners is not None:
        made_up = [at for at, owner in enumerate(owners) if owner is None]
        return [look.hidden.get(owner or 0, "") for owner in owners], made_up
    places = [(look.boxes[address], reason) for address, reason in look.hidden.items()]
    boxes = pdfium.char_boxes(text_page, range(count))
    return [_reason_at(box, places) for box in boxes], [at for at, box in enumerate(boxes) if box[0] == box[2]]


def _reason_at(box: Box, places: Iterable[tuple[Box, str]]) -> str:
    if box[0] == box[2]:
        return ""
    x, y = (box[0] + box[2]) / 2, (box[1] + box[3]) / 2
    return next((why for (left, foot, right, top), why in places if left <= x <= right and foot <= y <= top), "")


def is_ocr_layer(reasons: list[str], visible: int, look: PageLook) -> bool:
    """True for a scanned page with the text that OCR found laid under its picture."""
    invisible = sum(reason == "invisible" for reason in reasons)
    return look.pictures >= _OCR_SHARE and invisible >= _OCR_SHARE * (invisible + visible)
