"""The few functions of PDFium that are called once per page or per object of one, bound for speed.

pypdfium2's own bindings build Python objects and give the interpreter lock up at each call; a page has hundreds
of objects. These take and return plain addresses and keep the lock, but for those that parse (a page, its text, the
outline): none of the others does more than read a field, or the page's characters once.
Only a worker process imports this module, and only one thread of it calls them: a few buffers are shared.
"""

from __future__ import annotations

import ctypes
from array import array
from collections import deque
from collections.abc import Callable, Sequence
from ctypes import CFUNCTYPE, PYFUNCTYPE, c_double, c_float, c_int, c_ubyte, c_uint, c_ulong, c_void_p
from itertools import chain, repeat
from math import hypot
from operator import mul, sub
from typing import Any

import pypdfium2.raw as raw

TEXT, PATH, IMAGE, SHADING, FORM = 1, 2, 3, 4, 5
NO_TEXT = 255  # the low byte of -1

Box = tuple[float, float, float, float]  # left, bottom, right, top in points
Matrix = tuple[float, float, float, float, float, float]
Placement = tuple[float, float, float, float, float]
Colour = tuple[int, int, int, int]  # red, green, blue, alpha, each 0..255


def _address_of(name: str) -> int:
    address = ctypes.cast(getattr(raw, name), c_void_p).value
    if address is None:
        raise ImportError(f"PDFium has no {name}")
    return address


def _bound(name: str, result: Any, *arguments: Any) -> Callable[..., Any]:
    return PYFUNCTYPE(result, *arguments)(_address_of(name))


def _released(name: str, result: Any, *arguments: Any) -> Callable[..., Any]:
    """The function, called without the interpreter lock: for what may take long."""
    return CFUNCTYPE(result, *arguments)(_address_of(name))


def _unchecked(name: str, result: Any) -> Callable[..., Any]:
    """The function without types for its arguments: twice as fast, for calls that are made for each object. A pointer
    has to be what `_argument` makes of an address; a bare number is passed as a C int."""
    function = ctypes.pythonapi._FuncPtr(_address_of(name))
    function.restype = result
    return function


_argument: Callable[[int], Any] = c_void_p.from_param
_V = c_void_p
load_page = _released("FPDF_LoadPage", _V, _V, c_int)  # of a document; None for one that cannot be loaded
close_page = _bound("FPDF_ClosePage", None, _V)
load_text = _released("FPDFText_LoadPage", _V, _V)  # of a page; None where that fails
close_text = _bound("FPDFText_ClosePage", None, _V)
rotation = _bound("FPDFPage_GetRotation", c_int, _V)  # of a page, in quarter turns
turn = _bound("FPDFPage_SetRotation", None, _V, c_int)
count_characters = _bound("FPDFText_CountChars", c_int, _V)  # of a page's text; -1 where that fails
_bounding_box = _bound("FPDF_GetPageBoundingBox", c_int, _V, _V)
first_bookmark = _released("FPDFBookmark_GetFirstChild", _V, _V, _V)  # the second: None for the root
next_bookmark = _released("FPDFBookmark_GetNextSibling", _V, _V, _V)
bookmark_target = _released("FPDFBookmark_GetDest", _V, _V, _V)
target_page = _bound("FPDFDest_GetDestPageIndex", c_int, _V, _V)  # from 0; -1 where there is none
_bookmark_title = _bound("FPDFBookmark_GetTitle", c_ulong, _V, _V, c_ulong)
_get_text = _bound("FPDFText_GetText", c_int, _V, c_int, c_int, _V)
_count = _bound("FPDFPage_CountObjects", c_int, _V)
_get = _unchecked("FPDFPage_GetObject", _V)
_form_count = _unchecked("FPDFFormObj_CountObjects", c_int)
_form_get = _unchecked("FPDFFormObj_GetObject", _V)
object_type = _bound("FPDFPageObj_GetType", c_int, _V)
render_mode = _bound("FPDFTextObj_GetTextRenderMode", c_int, _V)  # -1 for what is no text
_each_mode = _unchecked("FPDFTextObj_GetTextRenderMode", c_ubyte)  # the low byte of it
_each_fill = _unchecked("FPDFPageObj_GetFillColor", c_int)
_each_quad = _unchecked("FPDFPageObj_GetRotatedBounds", c_int)
_fill = _bound("FPDFPageObj_GetFillColor", c_int, _V, _V, _V, _V, _V)
_stroke = _bound("FPDFPageObj_GetStrokeColor", c_int, _V, _V, _V, _V, _V)
_bounds = _bound("FPDFPageObj_GetBounds", c_int, _V, _V, _V, _V, _V)
_matrix = _bound("FPDFPageObj_GetMatrix", c_int, _V, _V)
_each_font_size = _unchecked("FPDFTextObj_GetFontSize", c_int)
_each_matrix = _unchecked("FPDFPageObj_GetMatrix", c_int)
_stroke_width = _bound("FPDFPageObj_GetStrokeWidth", c_int, _V, _V)
_draw_mode = _bound("FPDFPath_GetDrawMode", c_int, _V, _V, _V)
# Releases before pypdfium2 5 do not have the function.
_char_object = _unchecked("FPDFText_GetTextObject", _V) if hasattr(raw, "FPDFText_GetTextObject") else None
text_index = _bound("FPDFText_GetTextIndexFromCharIndex", c_int, _V, c_int)
_char_code = _unchecked("FPDFText_GetUnicode", c_uint)
_char_box = _unchecked("FPDFText_GetCharBox", c_int)
_loose_box = _unchecked("FPDFText_GetLooseCharBox", c_int)
_char_origin = _unchecked("FPDFText_GetCharOrigin", c_int)
_char_matrix = _unchecked("FPDFText_GetMatrix", c_int)
_char_font_size = _unchecked("FPDFText_GetFontSize", c_double)
char_at = _bound(
    "FPDFText_GetCharIndexAtPos", c_int, _V, c_double, c_double, c_double, c_double
)


def address(handle: Any) -> int:
    """Where what one of pypdfium2's handles stands for lies."""
    return ctypes.cast(handle, _V).value or 0


def page_objects(page: int) -> list[int]:
    """Addresses of the page's own objects in the order in which they are painted."""
    count = _count(page)
    return list(map(_get, repeat(_argument(page), count), range(count)))


def form_counts(each: Sequence[Any]) -> list[int]:
    """How many objects are inside each of these `arguments`; -1 for what is no form."""
    return list(map(_form_count, each))


def form_objects(form: int) -> list[int]:
    """Addresses of the objects inside a form, in the order in which they are painted."""
    return forms_contents([form], form_counts(arguments([form])))


def forms_contents(forms: Sequence[int], counts: Sequence[int]) -> list[int]:
    """The objects inside these forms, one form after the other. `counts`: how many each form has."""
    holders = chain.from_iterable(map(repeat, map(_argument, forms), counts))
    return list(map(_form_get, holders, chain.from_iterable(map(range, counts))))


def arguments(objects: Sequence[int]) -> list[Any]:
    """The objects as `render_modes`, `fill_channels` and `quads` take them: made once, used by each."""
    return list(map(_argument, objects))


def render_modes(each: Sequence[Any]) -> bytes:
    """How each is painted, a byte each; NO_TEXT for what is no text."""
    return bytes(map(_each_mode, each))


_MOST = 4096  # objects whose answers are taken at a time
_BLACK = memoryview(array("I", [0, 0, 0, 255]) * _MOST)
_NOWHERE = memoryview(array("f", bytes(32 * _MOST)))
_colours, _corners = array("I", _BLACK), array("f", _NOWHERE)
_colour_places = [
    [_argument(_colours.buffer_info()[0] + 16 * at + channel) for at in range(_MOST)] for channel in (0, 4, 8, 12)
]
_corner_places = [_argument(_corners.buffer_info()[0] + 32 * at) for at in range(_MOST)]
_all_colours, _all_corners = memoryview(_colours), memoryview(_corners)


def fill_channels(each: Sequence[Any]) -> array[int]:
    """Red, green, blue, alpha of what these `arguments` are filled with, one after the other; black where one has
    none."""
    found = array("I")
    for start in range(0, len(each), _MOST):
        part = each[start : start + _MOST]
        size = 4 * len(part)
        _all_colours[:size] = _BLACK[:size]
        deque(map(_each_fill, part, *_colour_places), 0)
        found += _colours[:size]
    return found


def fill_colour(object_: int) -> Colour:
    red, green, blue, alpha = _four_each(_fill, [object_], array("I", [0, 0, 0, 255]))
    return red, green, blue, alpha


def stroke_colour(object_: int) -> Colour:
    red, green, blue, alpha = _four_each(_stroke, [object_], array("I", [0, 0, 0, 255]))
    return red, green, blue, alpha


def boxes(objects: Sequence[int]) -> array[float]:
    """Left, bottom, right, top of each object, one after the other, in its container's space."""
    return _four_each(_bounds, objects, array("f", bytes(16 * len(objects))))


def quads(each: Sequence[Any]) -> array[float]:
    """The corners x, y of each of these `arguments`, bottom left first and against the clock, one after the other."""
    found = array("f")
    for start in range(0, len(each), _MOST):
        part = each[start : start + _MOST]
        size = 8 * len(part)
        _all_corners[:size] = _NOWHERE[:size]
        deque(map(_each_quad, part, _corner_places), 0)
        found += _corners[:size]
    return found


def _four_each(function: Callable[..., Any], objects: Sequence[int], out: array[Any]) -> array[Any]:
    """Calls `function(object, out, out, out, out)` for each object; every out is four bytes wide."""
    base = out.buffer_info()[0]
    end = base + 16 * len(objects)
    places = (range(base + shift, end + shift, 16) for shift in (0, 4, 8, 12))
    deque(map(function, objects, *places), 0)
    return out


_six = (c_float * 6)()
_six_at = ctypes.addressof(_six)
_units = ctypes.create_string_buffer(1 << 18)
_title = ctypes.create_string_buffer(2_000)


def page_box(page: int) -> Box:
    """What is shown of the page; everything where that is not said."""
    if not _bounding_box(page, _six_at):
        return -1e9, -1e9, 1e9, 1e9
    left, top, right, bottom = _six[:4]
    return left, bottom, right, top


def bookmark_title(bookmark: int) -> str:
    """The bookmark's title; empty where it is longer than a title may be."""
    size = _bookmark_title(bookmark, ctypes.addressof(_title), len(_title))  # written where there is room for it
    if not 2 < size <= len(_title):
        return ""
    return ctypes.string_at(_title, size - 2).decode("utf-16-le", "ignore")


def text_units(text_page: int, count: int) -> bytes:
    """The page's text in UTF-16, little endian. `count`: how many characters it has."""
    if not count:
        return b""
    size = 4 * count + 2
    buffer = _units if size <= len(_units) else ctypes.create_string_buffer(size)
    written = _get_text(text_page, 0, count, ctypes.addressof(buffer))
    return ctypes.string_at(buffer, 2 * max(written - 1, 0))

_one = c_float(0.0)
_one_at = ctypes.addressof(_one)


def matrix(object_: int) -> Matrix:
    """The object's own matrix a, b, c, d, e, f; that of no change where it has none."""
    if not _matrix(object_, _six_at):
        return 1.0, 0.0, 0.0, 1.0, 0.0, 0.0
    a, b, c, d, e, f = _six
    return a, b, c, d, e, f


def draw_modes(path: int) -> tuple[bool, bool]:
    """Is the path filled, is its line drawn?"""
    fill, stroke = c_int(0), c_int(0)
    _draw_mode(path, ctypes.addressof(fill), ctypes.addressof(stroke))
    return fill.value != 0, stroke.value != 0


def stroke_width(path: int) -> float:
    """Width of the path's line before the matrix of its form."""
    return float(_one.value) if _stroke_width(path, _one_at) else 0.0


_MOST_CHARACTERS = 512  # whose places are taken at a time
_origins, _matrices = (c_double * (2 * _MOST_CHARACTERS))(), (c_float * (6 * _MOST_CHARACTERS))()
_origin_places = [
    [_argument(ctypes.addressof(_origins) + 16 * at + shift) for at in range(_MOST_CHARACTERS)] for shift in (0, 8)
]
_tight = array("d", bytes(32 * _MOST_CHARACTERS))
_all_tight, _NO_BOXES = memoryview(_tight), memoryview(array("d", _tight))
_tight_places = [  # in the order of the arguments: left, right, bottom, top
    [_argument(_tight.buffer_info()[0] + 32 * at + shift) for at in range(_MOST_CHARACTERS)] for shift in (0, 16, 8, 24)
]
_matrix_places = [_argument(ctypes.addressof(_matrices) + 24 * at) for at in range(_MOST_CHARACTERS)]


def char_placements(text_page: int, characters: Sequence[int]) -> list[Placement]:
    """Where each character stands: x and y of its origin in page space, the size of its font in points, and the
    direction of its line as a vector of any length."""
    page = _argument(text_page)
    found: list[Placement] = []
    for start in range(0, len(characters), _MOST_CHARACTERS):
        part = characters[start : start + _MOST_CHARACTERS]
        deque(map(_char_origin, repeat(page, len(part)), part, *_origin_places), 0)
        deque(map(_char_matrix, repeat(page, len(part)), part, _matrix_places), 0)
        fonts = map(_char_font_size, repeat(page, len(part)), part)
        places, own = _origins[: 2 * len(part)], _matrices[: 6 * len(part)]
        sizes = map(mul, fonts, map(hypot, own[2::6], own[3::6]))
        found += zip(places[0::2], places[1::2], sizes, own[0::6], own[1::6], strict=True)
    return found


def char_origins(text_page: int, characters: Sequence[int]) -> list[tuple[float, float]]:
    """Where each character's origin stands in page space."""
    page = _argument(text_page)
    found: list[tuple[float, float]] = []
    for start in range(0, len(characters), _MOST_CHARACTERS):
        part = characters[start : start + _MOST_CHARACTERS]
        deque(map(_char_origin, repeat(page, len(part)), part, *_origin_places), 0)
        places = _origins[: 2 * len(part)]
        found += zip(places[0::2], places[1::2], strict=True)
    return found


def char_objects(text_page: int, count: int) -> list[int | None] | None:
    """The text object of each of the page's characters, None for one that PDFium made up; None where this release of
    PDFium does not tell."""
    if _char_object is None:
        return None
    return list(map(_char_object, repeat(_argument(text_page), count), range(count)))


def char_codes(text_page: int, count: int) -> list[int]:
    """The code of each of the page's characters in Unicode; 0 where it has none."""
    return list(map(_char_code, repeat(_argument(text_page), count), range(count)))


_sizes = array("f", bytes(4 * _MOST_CHARACTERS))
_NO_SIZES = array("f", _sizes)
_size_places = [_argument(_sizes.buffer_info()[0] + 4 * at) for at in range(_MOST_CHARACTERS)]
_loose = array("f", bytes(16 * _MOST_CHARACTERS))  # left, top, right, bottom
_loose_places = [_argument(_loose.buffer_info()[0] + 16 * at) for at in range(_MOST_CHARACTERS)]


def text_sizes(each: Sequence[Any]) -> list[float]:
    """Sizes in points at which these `arguments` are set, their own matrices included; the smaller of both
    directions."""
    found: list[float] = []
    for start in range(0, len(each), _MOST_CHARACTERS):
        part = each[start : start + _MOST_CHARACTERS]
        count = len(part)
        memoryview(_sizes)[:count] = _NO_SIZES[:count]
        deque(map(_each_font_size, part, _size_places), 0)
        deque(map(_each_matrix, part, _matrix_places), 0)
        own = _matrices[: 6 * count]
        scales = map(min, map(hypot, own[0::6], own[1::6]), map(hypot, own[2::6], own[3::6]))
        found += map(mul, map(abs, _sizes[:count]), scales)
    return found


def loose_boxes(text_page: int, characters: Sequence[int]) -> tuple[list[float], list[float], list[float]]:
    """Of each character in page space its left edge, its foot and its height, as high as its font and as wide as it
    takes up."""
    page = _argument(text_page)
    found = array("f")
    for start in range(0, len(characters), _MOST_CHARACTERS):
        part = characters[start : start + _MOST_CHARACTERS]
        deque(map(_loose_box, repeat(page, len(part)), part, _loose_places), 0)
        found += _loose[: 4 * len(part)]
    feet = found[3::4].tolist()
    return found[0::4].tolist(), feet, list(map(sub, found[1::4], feet))


def char_boxes(text_page: int, characters: Sequence[int]) -> list[Box]:
    """Left, bottom, right, top of each character in page space; zeros where it has no box."""
    page = _argument(text_page)
    found: list[Box] = []
    for start in range(0, len(characters), _MOST_CHARACTERS):
        part = characters[start : start + _MOST_CHARACTERS]
        size = 4 * len(part)
        _all_tight[:size] = _NO_BOXES[:size]
        deque(map(_char_box, repeat(page, len(part)), part, *_tight_places), 0)
        own = _tight[:size]
        found += zip(own[0::4], own[1::4], own[2::4], own[3::4], strict=True)
    return found
