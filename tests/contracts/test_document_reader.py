"""The promises of ports.DocumentReader, held by the reader that ships and by a small one that a test would use."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from literature_review.documents import PaperReader
from literature_review.errors import StageTimeoutError, UnreadablePaperError
from literature_review.models import Bibliography, Document, Page, PaperFile
from literature_review.ports import Deadline, DocumentReader
from tests.pdf_factory import make_pdf

pytestmark = pytest.mark.contract


class PlainReader:
    """The smallest reader that keeps the promise: UTF-8 text on one page."""

    def fingerprint(self, path: str) -> str:
        return "plain 1"

    def read(self, path: str, deadline: Deadline) -> Document:
        deadline.check("reading")
        try:
            text = Path(path).read_text(encoding="utf-8")
        except FileNotFoundError:
            raise UnreadablePaperError("missing", "The file is not there: put it back.") from None
        except UnicodeDecodeError:
            raise UnreadablePaperError("damaged", "The file is no text: save it as UTF-8.") from None
        if not text.strip():
            raise UnreadablePaperError("empty", "The file is empty: fetch it again.")
        return Document(text, (Page(1, 0, len(text)),))

    def identify(self, paper: PaperFile, document: Document) -> Bibliography:
        return Bibliography(title=document.text.split("\n")[0])

    def check(self, path: str) -> str:
        try:
            self.read(path, Deadline())
        except UnreadablePaperError as error:
            return str(error)
        return ""

    def close(self) -> None:
        """Holds nothing."""


@pytest.fixture(params=["PaperReader", "PlainReader"])
def reader(request: pytest.FixtureRequest) -> Iterator[DocumentReader]:
    if request.param == "PlainReader":
        yield PlainReader()
        return
    with PaperReader(workers=1) as paper_reader:
        yield paper_reader


@pytest.fixture
def put(tmp_path: Path) -> Callable[[str, bytes], str]:
    def write(name: str, content: bytes) -> str:
        path = tmp_path / name
        path.write_bytes(content)
        return str(path)

    return write


Put = Callable[[str, bytes], str]


def test_reads_the_text_and_places_it_on_pages(reader: DocumentReader, put: Put) -> None:
    document = reader.read(put("a.txt", "Äpfel helfen.\nSehr.".encode()), Deadline())
    assert document.text == "Äpfel helfen.\nSehr."
    assert [document.text[page.start : page.end] for page in document.pages] == [document.text]


def test_a_document_survives_the_way_through_json(reader: DocumentReader, put: Put) -> None:
    document = reader.read(put("a.txt", b"One.\n\nTwo."), Deadline())
    assert Document.from_json(document.to_json()) == document


@pytest.mark.parametrize(
    ("content", "reasons"),
    [(None, {"missing"}), (b"", {"empty"}), (b"  \n", {"empty"}), (bytes(range(256)) * 9, {"damaged"})],
)
def test_what_cannot_be_read_names_a_reason_and_what_to_do(
    reader: DocumentReader, put: Put, tmp_path: Path, content: bytes | None, reasons: set[str]
) -> None:
    path = str(tmp_path / "gone.txt") if content is None else put("a.txt", content)
    with pytest.raises(UnreadablePaperError) as caught:
        reader.read(path, Deadline())
    assert caught.value.reason in reasons
    assert ":" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_passed_deadline_is_transient(reader: DocumentReader, put: Put) -> None:
    with pytest.raises(StageTimeoutError):
        reader.read(put("a.txt", b"text"), Deadline(0.0))


def test_a_cancelled_deadline_is_transient(reader: DocumentReader, put: Put) -> None:
    cancelled = threading.Event()
    cancelled.set()
    with pytest.raises(StageTimeoutError):
        reader.read(put("a.txt", b"text"), Deadline(None, cancelled))


def test_the_fingerprint_stays_the_same_and_does_not_need_the_file(reader: DocumentReader) -> None:
    assert reader.fingerprint("/nowhere/a.txt") == reader.fingerprint("/nowhere/b.txt") != ""


def test_identify_never_raises_for_odd_text(reader: DocumentReader) -> None:
    paper = PaperFile("a.txt", "/a.txt", "0" * 64, 1)
    for text in ("", "\0", "\ud800", "(" * 5000, "a" * 50_000, "1\n" * 5000, "\u202e\u0000\n--"):
        found = reader.identify(paper, Document(text, (Page(1, 0, len(text)),)))
        assert isinstance(found, Bibliography)


def test_check_is_empty_for_a_good_file_and_one_line_for_a_bad_one(reader: DocumentReader, put: Put) -> None:
    assert reader.check(put("a.txt", b"A good text.")) == ""
    said = reader.check(put("b.txt", b""))
    assert said
    assert "\n" not in said


def test_many_threads_may_read_at_once(reader: DocumentReader, put: Put) -> None:
    paths = [put(f"{at}.txt", f"text {at}".encode()) for at in range(20)]
    with ThreadPoolExecutor(8) as pool:
        documents = list(pool.map(lambda path: reader.read(path, Deadline()), paths))
    assert [document.text for document in documents] == [f"text {at}" for at in range(20)]


def test_the_shipped_reader_reads_pdfs_of_many_threads(put: Put) -> None:
    """More threads than workers: each gets its own paper's text."""
    pytest.importorskip("pypdfium2")
    paths = [put(f"{at}.pdf", make_pdf([f"This is paper number {at}."])) for at in range(12)]
    with PaperReader(workers=2) as reader, ThreadPoolExecutor(6) as pool:
        documents = list(pool.map(lambda path: reader.read(path, Deadline()), paths))
        assert len(reader.worker_ids()) <= 2
    assert [document.text for document in documents] == [f"This is paper number {at}." for at in range(12)]
