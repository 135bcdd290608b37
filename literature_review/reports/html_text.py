"""Text from papers, answers and configuration, made safe for a page. Everything on the page goes through here."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable
from typing import Any

from literature_review.text.visible import UNSEEN, code_point, visible

_WORD_END = re.compile(r"\s+\S*$")
_WORD_START = re.compile(r"^\S*\s+")


def shown(value: Any, limit: int = 600) -> str:
    """HTML for a value's text: escaped, unseen characters as marked code points, cut after `limit` characters."""
    from html import escape

    text = escape(cut("" if value is None else str(value), limit))
    return UNSEEN.sub(lambda found: f'<span class="esc">{code_point(found)}</span>', text)


def attribute(value: Any, limit: int = 200) -> str:
    """The text for an attribute in double quotes: escaped, unseen characters as code points, cut."""
    from html import escape

    return escape(visible(cut("" if value is None else str(value), limit)), quote=True)


def cut(text: str, limit: int) -> str:
    """The text, or its first `limit` characters and an ellipsis."""
    return text if len(text) <= limit else text[:limit].rstrip() + "…"


def words_before(text: str, limit: int) -> str:
    """The last `limit` characters, from the beginning of a word, with an ellipsis where something is left out."""
    return text if len(text) <= limit else "… " + _WORD_START.sub("", text[-limit:], count=1)


def words_after(text: str, limit: int) -> str:
    """The first `limit` characters, to the end of a word, with an ellipsis where something is left out."""
    return text if len(text) <= limit else _WORD_END.sub("", text[:limit], count=1) + " …"


def count(number: Any, one: str, many: str = "") -> str:
    """`1 paper`, `2,400 papers`: plain text for a number that is ours."""
    whole = int(number or 0)
    return f"{whole:,} {one if whole == 1 else many or one + 's'}"


def decimal(value: Any) -> str:
    """A score with two digits, or a dash where there is none."""
    if isinstance(value, (int, float)) and math.isfinite(value):
        return f"{value:.2f}"
    return "–"


def duration(seconds: Any) -> str:
    """`45 s`, `3 min 5 s`, `2 h 10 min`."""
    if not isinstance(seconds, (int, float)) or not math.isfinite(seconds):
        return "unknown"
    whole = round(seconds)
    if whole < 60:
        return f"{seconds:.1f} s" if whole < 10 else f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s"
    return f"{whole // 3600:,} h {whole % 3600 // 60} min"


def listed(parts: Iterable[str]) -> str:
    """`a, b and c`, of parts that are HTML already."""
    *first, last = list(parts) or [""]
    return f"{', '.join(first)} and {last}" if first else last
