"""What may stand in a cell of a CSV file that a person opens in a spreadsheet.

A spreadsheet takes a text that begins with = + - or @ for a formula, so a paper could make it compute, or call,
something. Such a text gets an apostrophe before it (white space before the sign or not, in full width too); so does
one of these signs right behind a semicolon, which some spreadsheets take for the separator.
"""

from __future__ import annotations

import csv
import io
import math
import re
from collections.abc import Iterable, Sequence
from typing import Any

from literature_review.text.visible import visible

LONGEST_CELL = 32_000
"""Characters. Excel takes 32,767 and lets the rest run over into the next row, which shifts all columns."""

_BREAKS = re.compile(r"[\t\r\n]+")
_FORMULA = re.compile(r"(^(?=\s*[=+\-@＝＋－＠])|;(?=[=+\-@＝＋－＠]))")


def cell(value: Any) -> str | int | float:
    """What stands in the cell: finite numbers as they are, texts made visible and harmless and no longer
    than LONGEST_CELL, the rest (None, NaN) as nothing."""
    if isinstance(value, float):
        return value if math.isfinite(value) else ""
    if value is None or type(value) is int:
        return "" if value is None else value
    text = _FORMULA.sub(r"\1'", visible(_BREAKS.sub(" ", str(value))))
    return text if len(text) <= LONGEST_CELL else text[: LONGEST_CELL - 1] + "…"


def csv_bytes(columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> bytes:
    """A CSV file that spreadsheets open as it is meant: UTF-8 with a byte order mark, comma, CRLF (RFC 4180)."""
    table = io.StringIO()
    writer = csv.writer(table, lineterminator="\r\n")
    writer.writerow(columns)
    for row in rows:
        writer.writerow([cell(value) for value in row])
    return table.getvalue().encode("utf-8-sig")
