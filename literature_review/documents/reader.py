"""Reads papers: text and Markdown here, PDFs in worker processes that can be killed.

path -> regular, not empty? -> kind by first bytes and ending -> text: decoded here
                                                             -> PDF: pool of workers -> Document
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from literature_review.documents import plain_text
from literature_review.documents.quick_check import (
    check_file,
    kind_of_file,
    look_at_file,
    not_permitted,
    refuse_other_formats,
)
from literature_review.errors import UnreadablePaperError

if TYPE_CHECKING:
    from literature_review.documents.worker_pool import WorkerPool
    from literature_review.models import Bibliography, Document, PaperFile
    from literature_review.ports import Deadline

DEFAULT_TIMEOUT_SECONDS = 120.0
PDF_READER_VERSION = "7"
_NO_READER = "PDFs need the package pypdfium2, which is not installed: pip install pypdfium2"


class PaperReader:
    """Keeps the promise of ports.DocumentReader. Thread-safe.

    `workers`: at most so many PDFs are read at a time, by default the number of cores; a worker process is
    started with the first PDF and kept until `close()`, the end of the program or its death. `timeout`: seconds
    that one file may take. `worker_command` replaces the worker's command line in tests. Nothing on disk is
    changed, so that there is nothing to survive a crash.
    """

    def __init__(
        self,
        workers: int | None = None,
        timeout: float = DEFAULT_TIMEOUT_SECONDS,
        worker_command: Callable[[], Sequence[str]] | None = None,
    ) -> None:
        if workers is not None and workers < 1:
            raise ValueError(f"workers must be at least 1, not {workers}")
        _refuse_timeout(timeout)
        self._workers = workers or os.cpu_count() or 1
        self._timeout = timeout
        self._worker_command = worker_command
        self._lock = threading.Lock()  # guards the making of the pool
        self._pool: WorkerPool | None = None

    def fingerprint(self, path: str) -> str:
        """Names reader and version for this kind of file, by its ending. Reads nothing of the file."""
        if kind_of_file(path, b"") != "pdf":
            return f"text {plain_text.READER_VERSION}"
        return f"pdf {PDF_READER_VERSION}, pypdfium2 {_pypdfium2_version()}"

    def read(self, path: str, deadline: Deadline) -> Document:
        """The paper's text with pages, sections, metadata and hidden runs.

        Raises UnreadablePaperError with a reason and what to do (permanent; `timed_out` where the file took
        longer than this reader's own `timeout`), and StageTimeoutError where `deadline` passes or is cancelled:
        noticed within 0.2 seconds, and the worker is killed.
        """
        return self.read_within(path, self._timeout, deadline)

    def read_within(self, path: str, timeout: float, deadline: Deadline) -> Document:
        """As `read`, with a time for this one file in seconds in place of the reader's own."""
        deadline.check("reading a paper")
        path = os.path.abspath(path)
        look_at_file(path)
        try:
            with open(path, "rb") as file:
                head = file.read(1024)
                kind = kind_of_file(path, head)
                data = b"" if kind == "pdf" else head + file.read(plain_text.MAX_TEXT_BYTES)
        except OSError as error:
            raise not_permitted(error) from error
        if kind != "pdf":
            return plain_text.read_text(data, markdown=kind == "markdown")
        refuse_other_formats(head)
        return self._read_pdf(path, timeout, deadline)

    def identify(self, paper: PaperFile, document: Document) -> Bibliography:
        """Title, authors, year, DOI and language with their sources, from the file's fields and first page."""
        from literature_review.documents.identify import identify_document

        return identify_document(document)

    def check(self, path: str) -> str:
        """ "" where the file looks readable, else one line why not; milliseconds, nothing parsed."""
        problem = check_file(path)
        if not problem and kind_of_file(path, b"") == "pdf" and not _has_pypdfium2():
            return _NO_READER
        return problem

    def close(self) -> None:
        """Ends the worker processes. May be called again; the reader cannot read PDFs afterwards."""
        with self._lock:
            pool = self._pool
        if pool is not None:
            pool.close()

    def worker_ids(self) -> list[int]:
        """Process ids of the workers that run."""
        return self._pool.process_ids() if self._pool is not None else []

    def __enter__(self) -> PaperReader:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _read_pdf(self, path: str, timeout: float, deadline: Deadline) -> Document:
        from literature_review.documents.worker_pool import WorkerDiedError, WorkerTimeoutError
        from literature_review.models import Document

        if self._worker_command is None and not _has_pypdfium2():
            raise UnreadablePaperError("no_reader", _NO_READER)
        try:
            answer = self._workers_pool().ask(path, timeout, deadline)
        except WorkerTimeoutError:
            raise UnreadablePaperError(
                "timed_out",
                f"The PDF took longer than {timeout:g} seconds and was given up: "
                "allow it more, print it to a new PDF, or split it.",
            ) from None
        except WorkerDiedError:
            raise UnreadablePaperError(
                "crashed", "The PDF crashes the parser: print it to a new PDF, or fetch another copy."
            ) from None
        if "document" not in answer:
            raise UnreadablePaperError(str(answer.get("reason", "damaged")), str(answer.get("message", "")))
        return Document.from_json(answer["document"])

    def _workers_pool(self) -> WorkerPool:
        from literature_review.documents.worker_pool import WorkerPool, worker_command

        with self._lock:
            if self._pool is None:
                self._pool = WorkerPool(self._workers, self._worker_command or worker_command)
            return self._pool


def read_document(path: str | os.PathLike[str], timeout: float = DEFAULT_TIMEOUT_SECONDS) -> Document:
    """The text of one paper with pages, sections, metadata and hidden runs. Thread-safe.

    `timeout` in seconds, waiting for others that read at the same time not counted. Raises
    UnreadablePaperError with a `reason` and a line that says what to do. PDFs are
    read by workers that are kept for the next call and end with the program.
    """
    _refuse_timeout(timeout)
    from literature_review.ports import Deadline

    return _shared_reader().read_within(os.fspath(path), timeout, Deadline())


def _refuse_timeout(timeout: float) -> None:
    if not timeout > 0:
        raise ValueError(f"timeout must be above 0 seconds, not {timeout}")


_shared: PaperReader | None = None
_shared_lock = threading.Lock()


def _shared_reader() -> PaperReader:
    global _shared
    with _shared_lock:
        if _shared is None:
            _shared = PaperReader()
        return _shared


def _has_pypdfium2() -> bool:
    from importlib.util import find_spec

    return find_spec("pypdfium2") is not None


def _pypdfium2_version() -> str:
    """Versions of pypdfium2 and of the PDFium in it, from the files beside them: nothing is imported."""
    return " ".join(_version_of(package) for package in ("pypdfium2", "pypdfium2_raw"))


def _version_of(package: str) -> str:
    import json
    from importlib.util import find_spec

    spec = find_spec(package)
    if spec is None or not spec.origin:
        return "missing"
    try:
        with open(os.path.join(os.path.dirname(spec.origin), "version.json"), "rb") as file:
            version = json.load(file)
        return ".".join(str(version[part]) for part in ("major", "minor", "build", "patch") if part in version)
    except (OSError, ValueError, TypeError):
        return "unknown"
