"""The report as JSON: everything it holds, for programs.

Strict JSON (a number that is not finite becomes null), UTF-8, an indent of one (a cell of the map, of which there
may be very many, on a line), and one order of keys whatever order the report was put together in: two runs over the
same input differ in `run` alone.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping
from itertools import islice
from typing import Any

from literature_review.files import written_atomically

# Known keys come in this order, all others behind them by name.
KEY_ORDER = (
    "schema_version", "run", "protocol", "papers", "questions", "totals", "run_id", "id", "paper",
    "sub_requirement", "sha256", "state", "title", "text", "keywords", "authors", "year", "doi", "language",
    "sources", "requirements", "sub_requirements", "started_at", "finished_at", "duration_seconds", "host",
    "version", "backend", "model", "quote", "page", "last_page", "section", "start", "end", "status",
    "score", "scores", "coverage", "direction", "reason", "appeal_of", "claims", "context", "before",
    "after", "nearest", "cells", "not_assessed",
)  # fmt: skip
_LINE = json.JSONEncoder(ensure_ascii=False, allow_nan=False)
_LEAVES = (str, int, type(None))
_RANK = {key: rank for rank, key in enumerate(KEY_ORDER)}


class JsonReport:
    """Writes `<name>.json`. Thread-safe; holds no state."""

    suffix = ".json"

    def write(self, report: Mapping[str, Any], path: str) -> None:
        """Write the report to `path`, whole or not at all.

        Raises TypeError for what is no plain JSON data (naming its place), and OSError.
        """
        with written_atomically(path) as file:
            for piece in _pieces(report):
                file.write(piece)


def encode(report: Mapping[str, Any]) -> bytes:
    """The report as UTF-8 JSON with a line feed at the end. Raises TypeError for what is no JSON data."""
    return b"".join(_pieces(report))


def _pieces(report: Mapping[str, Any]) -> Iterator[bytes]:
    """The encoded report, bit by bit: in one text it takes ten times the file's size."""
    words = _laid_out(_plain(report, "report"), "\n")
    while some := "".join(islice(words, 10_000)):
        # A lone surrogate stands inside a string, where the handler's escape is JSON's own.
        yield some.encode("utf-8", "backslashreplace")
    yield b"\n"


def _laid_out(value: Any, margin: str, name: str = "") -> Iterator[str]:
    """JSON text of plain data. `margin`: a line feed and what the closing bracket stands behind; `name`: its key."""
    inner = margin + " "
    if isinstance(value, list) and value:
        for at, item in enumerate(value):
            yield f",{inner}" if at else f"[{inner}"
            yield from (_LINE.encode(item),) if name == "cells" else _laid_out(item, inner)
        yield f"{margin}]"
    elif isinstance(value, dict) and value:
        for at, (key, item) in enumerate(value.items()):
            yield f"{',' if at else '{'}{inner}{_LINE.encode(key)}: "
            yield from _laid_out(item, inner, key)
        yield f"{margin}}}"
    else:
        yield _LINE.encode(value)


def _plain(value: Any, place: str) -> Any:
    if isinstance(value, _LEAVES):
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, Mapping):
        return {
            key: item if isinstance(item := value[key], _LEAVES) else _plain(item, f"{place}.{key}")
            for key in _ordered(value, place)
        }
    if isinstance(value, (list, tuple)):
        return [_plain(item, f"{place}[{number}]") for number, item in enumerate(value)]
    raise TypeError(f"{place}: {type(value).__name__} is no JSON data")


def _ordered(record: Mapping[Any, Any], place: str) -> list[str]:
    for key in record:
        if not isinstance(key, str):
            raise TypeError(f"{place}: the key {key!r} is no text")
    return sorted(record, key=lambda key: (_RANK.get(key, len(_RANK)), key))
