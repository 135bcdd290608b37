"""How records become values of the database, and come back the same.

Text is kept as TEXT, so that people can query it, or as a BLOB where SQLite cannot (sqlite_file.to_sql).
JSON is written the same way, with `ensure_ascii` off: escaped, two lone surrogates would come back as one
character and move every offset behind them.
"""

from __future__ import annotations

import json
import zlib
from collections.abc import Mapping
from typing import Any

from literature_review.models import STAGE_STATUSES, Document, StageResult
from literature_review.ports import StoredResult
from literature_review.sqlite_file import to_sql

# what a row that cannot be decoded raises: wrong JSON, bytes, compression, keys, shapes or depth
UNREADABLE = (ValueError, TypeError, KeyError, AttributeError, RecursionError, zlib.error)


def sql_literal(text: str) -> str:
    """The text as a person would type it in a query."""
    value = to_sql(text)
    return f"X'{value.hex()}'" if isinstance(value, bytes) else "'" + value.replace("'", "''") + "'"


def to_json(data: Any) -> str:
    """Compact JSON with its keys sorted: the same data is the same text."""
    return json.dumps(data, ensure_ascii=False, sort_keys=True, separators=(",", ":"))


def encode_result(paper: str, stage: str, stored: StoredResult) -> tuple[str, str]:
    """`made_from` and the result as JSON texts.

    Raises TypeError where the result is not plain JSON data, and ValueError for a status that is none: both
    name the stage, which may be a module of the user's own.
    """
    if stored.result.status not in STAGE_STATUSES:
        raise ValueError(f"stage {stage!r} gave {paper!r} the status {stored.result.status!r}; "
                         f"known are {', '.join(STAGE_STATUSES)}")  # fmt: skip
    try:
        result = json.dumps(stored.result.to_json(), ensure_ascii=False, separators=(",", ":"))
        return to_json(dict(stored.made_from)), result
    except (TypeError, ValueError, RecursionError) as error:
        raise TypeError(f"what stage {stage!r} left for {paper!r} is not plain JSON data: {error}") from error


def decode_result(made_from: str, result: str, error_type: str, finished_at: str) -> StoredResult:
    """The stored result again. Raises one of UNREADABLE where the texts are not what `encode_result` made."""
    digests = json.loads(made_from)
    if not isinstance(digests, Mapping):
        raise TypeError("made_from is no JSON object")
    return StoredResult(digests, StageResult.from_json(json.loads(result)), error_type, finished_at)


def encode_document(document: Document) -> bytes:
    """The document as zlib of JSON; about a third of its text's size."""
    text = json.dumps(document.to_json(), ensure_ascii=False, separators=(",", ":"))
    return zlib.compress(text.encode("utf-8", "surrogatepass"))


def decode_document(data: bytes) -> Document:
    """The document again. Raises one of UNREADABLE where the bytes are not what `encode_document` made."""
    return Document.from_json(json.loads(zlib.decompress(data).decode("utf-8", "surrogatepass")))
