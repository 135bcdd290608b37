"""A result store in memory: for a dry run, which changes nothing, and for tests."""

from __future__ import annotations

import threading

from literature_review.models import Document
from literature_review.ports import StoredResult
from literature_review.storage.encoding import decode_document, decode_result, encode_document, encode_result


class MemoryStore:
    """Keeps ports.ResultStore in memory. Thread-safe; nothing outlives the process.

    Refuses what the database refuses (TypeError, ValueError), and hands out records of their own, as the
    database does: both go through the same encoding.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()  # guards both dictionaries
        self._results: dict[tuple[str, str], tuple[str, str, str, str]] = {}
        self._documents: dict[tuple[str, str], bytes] = {}

    def get_result(self, paper: str, stage: str) -> StoredResult | None:
        with self._lock:
            row = self._results.get((paper, stage))
        return None if row is None else decode_result(*row)

    def put_result(self, paper: str, stage: str, result: StoredResult) -> None:
        made_from, text = encode_result(paper, stage, result)
        with self._lock:
            self._results[paper, stage] = (made_from, text, result.error_type, result.finished_at)

    def get_document(self, sha256: str, reader: str) -> Document | None:
        with self._lock:
            data = self._documents.get((sha256, reader))
        return None if data is None else decode_document(data)

    def put_document(self, sha256: str, reader: str, document: Document) -> None:
        data = encode_document(document)
        with self._lock:
            self._documents[sha256, reader] = data
