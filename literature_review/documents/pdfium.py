"""The few functions of PDFium that are called once per object of a page, bound for speed.

pypdfium2's own bindings build Python objects and give the interpreter lock up at each call; a page has hundreds
of objects. These take and return plain addresses and keep the lock: none of them does more than read a field.
Only a worker process imports this module, and only one thread of it calls them: a few buffers are shared.
"""

from __future__ import annotations

import ctypes
from array import array
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from ctypes import PYFUNCTYPE, c_float, c_int, c_void_p
from itertools import repeat
from typing import Any

import pypdfium2.raw as raw

TEXT, PATH, IMAGE, SHADING, FORM = 1, 2, 3, 4, 5

Box = tuple[float, float, float, float]  # left, bottom, right, top in points
Matrix = tuple[float, float, float, float, float, float]
Colour = tuple[int, int, int, int]  # red, green, blue, alpha, each 0..255


def _bound(name: str, result: Any, *arguments: Any) -> Callable[..., Any]:
    address = ctypes.cast(getattr(raw, name), c_void_p).value
    if address is None:
        raise ImportError(f"PDFium has no {name}")
    return PYFUNCTYPE(result, *arguments)(address)


_V = c_void_p
_count = _bound("FPDFPage_CountObjects", c_int, _V)
_get = _bound("FPDFPage_GetObject", _V, _V, c_int)
_form_count = _bound("FPDFFormObj_CountObjects", c_int, _V)
_form_get = _bound("FPDFFormObj_GetObject", _V, _V, c_int)
object_type = _bound("FPDFPageObj_GetType", c_int, _V)
render_mode = _bound("FPDFTextObj_GetTextRenderMode", c_int, _V)  # -1 for what is no text
_fill = _bound("FPDFPageObj_GetFillColor", c_int, _V, _V, _V, _V, _V)
_stroke = _bound("FPDFPageObj_GetStrokeColor", c_int, _V, _V, _V, _V, _V)
_bounds = _bound("FPDFPageObj_GetBounds", c_int, _V, _V, _V, _V, _V)
_rotated_bounds = _bound("FPDFPageObj_GetRotatedBounds", c_int, _V, _V)
_matrix = _bound("FPDFPageObj_GetMatrix", c_int, _V, _V)
_font_size = _bound("FPDFTextObj_GetFontSize", c_int, _V, _V)
_stroke_width = _bound("FPDFPageObj_GetStrokeWidth", c_int, _V, _V)
_draw_mode = _bound("FPDFPath_GetDrawMode", c_int, _V, _V, _V)
# None for a character that PDFium made up; releases before pypdfium2 5 do not have the function.
char_object = _bound("FPDFText_GetTextObject", _V, _V, c_int) if hasattr(raw, "FPDFText_GetTextObject") else None
text_index = _bound("FPDFText_GetTextIndexFromCharIndex", c_int, _V, c_int)
_char_box = _bound("FPDFText_GetCharBox", c_int, _V, c_int, _V, _V, _V, _V)
char_at = _bound(
    "FPDFText_GetCharIndexAtPos", c_int, _V, ctypes.c_double, ctypes.c_double, ctypes.c_double, ctypes.c_double
)


def page_objects(page: int) -> list[int]:
    """Addresses of the page's own objects in the order in which they are painted."""
    count = _count(page)
    return list(map(_get, repeat(page, count), range(count)))


def form_objects(form: int) -> list[int]:
    """Addresses of the objects inside a form, in the order in which they are painted."""
    count = _form_count(form)
    return list(map(_form_get, repeat(form, count), range(count)))


def fill_colours(objects: Sequence[int]) -> set[Colour]:
    """All colours that these objects are filled with; black where one has none."""
    channels = iter(_four_each(_fill, objects, array("I", [0, 0, 0, 255]) * len(objects)))
    return set(zip(channels, channels, channels, channels, strict=True))


def fill_colour(object_: int) -> Colour:
    red, green, blue, alpha = _four_each(_fill, [object_], array("I", [0, 0, 0, 255]))
    return red, green, blue, alpha


def stroke_colour(object_: int) -> Colour:
    red, green, blue, alpha = _four_each(_stroke, [object_], array("I", [0, 0, 0, 255]))
    return red, green, blue, alpha


def boxes(objects: Sequence[int]) -> array[float]:
    """Left, bottom, right, top of each object, one after the other, in its container's space."""
    return _four_each(_bounds, objects, array("f", bytes(16 * len(objects))))


def quads(objects: Sequence[int]) -> array[float]:
    """The corners x, y of each text, bottom left first and against the clock, one text after the other."""
    out = array("f", bytes(32 * len(objects)))
    base = out.buffer_info()[0]
    deque(map(_rotated_bounds, objects, range(base, base + 32 * len(objects), 32)), 0)
    return out


def _four_each(function: Callable[..., Any], objects: Sequence[int], out: array[Any]) -> array[Any]:
    """Calls `function(object, out, out, out, out)` for each object; every out is four bytes wide."""
    base = out.buffer_info()[0]
    end = base + 16 * len(objects)
    places = (range(base + shift, end + shift, 16) for shift in (0, 4, 8, 12))
    deque(map(function, objects, *places), 0)
    return out


_six = (c_float * 6)()
_six_at = ctypes.addressof(_six)
_one = c_float(0.0)
_one_at = ctypes.addressof(_one)


def matrix(object_: int) -> Matrix:
    """The object's own matrix a, b, c, d, e, f; that of no change where it has none."""
    if not _matrix(object_, _six_at):
        return 1.0, 0.0, 0.0, 1.0, 0.0, 0.0
    a, b, c, d, e, f = _six
    return a, b, c, d, e, f


def font_size(text: int) -> float:
    """The font's size before the matrix."""
    return float(_one.value) if _font_size(text, _one_at) else 0.0


def draw_modes(path: int) -> tuple[bool, bool]:
    """Is the path filled, is its line drawn?"""
    fill, stroke = c_int(0), c_int(0)
    _draw_mode(path, ctypes.addressof(fill), ctypes.addressof(stroke))
    return fill.value != 0, stroke.value != 0


def stroke_width(path: int) -> float:
    """Width of the path's line before the matrix of its form."""
    return float(_one.value) if _stroke_width(path, _one_at) else 0.0


def char_boxes(text_page: int, characters: Sequence[int]) -> Iterator[Box]:
    """Left, bottom, right, top of each character in page space; zeros where it has no box."""
    out = (ctypes.c_double * 4)()
    left, right, bottom, top = (ctypes.addressof(out) + 8 * at for at in range(4))
    for character in characters:
        out[0] = out[1] = out[2] = out[3] = 0.0
        _char_box(text_page, character, left, right, bottom, top)
        yield out[0], out[2], out[1], out[3]
