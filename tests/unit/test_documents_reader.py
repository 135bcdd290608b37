"""The reader's choice of what reads a file, its quick look for the dry run, and what it does not load."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from literature_review.documents import PaperReader, quick_check, read_document, reader
from literature_review.documents.pdf_password import opens_without_password, rc4
from literature_review.documents.quick_check import check_file
from literature_review.errors import UnreadablePaperError
from literature_review.ports import Deadline
from tests.pdf_factory import make_pdf

ROOT = Path(__file__).resolve().parents[2]
SHARED = ROOT.parent / "shared"
GOOD = make_pdf(["Some text."])


@pytest.mark.parametrize(
    ("name", "content", "says"),
    [
        ("a.pdf", GOOD, ""),
        ("a.PDF", b"\n\n junk before " + GOOD, ""),
        ("a.pdf", make_pdf(["x"], locked=True), ""),
        ("a.pdf", make_pdf(["x"], encrypted=True), "needs a password"),
        ("a.pdf", GOOD[:400], "cut off"),
        ("a.pdf", b"", "empty (0 bytes)"),
        ("a.pdf", b"<!DOCTYPE html><html>log in</html>", "web page"),
        ("a.pdf", b"PK\x03\x04" + bytes(99), "office document"),
        ("a.pdf", bytes(5000), "zero bytes"),
        ("a.pdf", b"Just a text.", "something else"),
        ("a.txt", "Käse".encode("cp1252"), ""),
        ("a.txt", ("é" * 40_000).encode(), ""),
        ("a.txt", ("xé" * 40_000).encode("utf-16"), ""),
        ("a.md", bytes(range(256)) * 5, "binary"),
        ("a.txt", GOOD, ""),
    ],
)
def test_check_says_in_one_line_what_is_wrong(tmp_path: Path, name: str, content: bytes, says: str) -> None:
    path = tmp_path / name
    path.write_bytes(content)
    said = check_file(str(path))
    assert says in said
    assert bool(said) == bool(says)
    assert "\n" not in said


def test_check_of_what_is_no_file(tmp_path: Path) -> None:
    assert "not there" in check_file(str(tmp_path / "gone.pdf"))
    assert "no regular file" in check_file(str(tmp_path))
    assert check_file("a\0b.txt") != ""


@pytest.mark.skipif(os.name == "nt", reason="POSIX pipes")
def test_a_pipe_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "a.pdf")
    assert "no regular file" in check_file(str(tmp_path / "a.pdf"))
    with pytest.raises(UnreadablePaperError):
        read_document(tmp_path / "a.pdf")


def test_check_names_a_missing_pdf_library(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "a.pdf").write_bytes(GOOD)
    (tmp_path / "a.txt").write_bytes(b"text")
    monkeypatch.setattr(reader, "_has_pypdfium2", lambda: False)
    papers = PaperReader()
    assert "pip install pypdfium2" in papers.check(str(tmp_path / "a.pdf"))
    assert papers.check(str(tmp_path / "a.txt")) == ""
    with pytest.raises(UnreadablePaperError) as caught:
        papers.read(str(tmp_path / "a.pdf"), Deadline())
    assert caught.value.reason == "no_reader"
    assert papers.read(str(tmp_path / "a.txt"), Deadline()).text == "text"


@pytest.mark.parametrize(
    ("name", "content", "reason"),
    [
        ("a.pdf", b"", "empty"),
        ("a.pdf", b"<html>", "not_a_pdf"),
        ("a.txt", b"", "empty"),
        ("a.md", b"\x7fELF" + bytes(999), "damaged"),
    ],
)
def test_reading_fails_with_a_reason_before_a_worker_is_started(
    tmp_path: Path, name: str, content: bytes, reason: str
) -> None:
    (tmp_path / name).write_bytes(content)
    with PaperReader() as papers:
        with pytest.raises(UnreadablePaperError) as caught:
            papers.read(str(tmp_path / name), Deadline())
        assert papers.worker_ids() == []
    assert caught.value.reason == reason


def test_the_content_stands_above_the_ending(tmp_path: Path) -> None:
    """A PDF that was saved as .txt is read as what it is."""
    pytest.importorskip("pypdfium2")
    (tmp_path / "a.txt").write_bytes(GOOD)
    assert read_document(tmp_path / "a.txt").text == "Some text."


def test_markdown_is_read_character_for_character(tmp_path: Path) -> None:
    (tmp_path / "a.markdown").write_bytes("\ufeff# Títle\r\n\r\nText *x*.\r\n".encode())
    document = read_document(str(tmp_path / "a.markdown"))
    assert document.text == "# Títle\n\nText *x*.\n"
    assert document.section_at(10) == "" or document.sections[0].title == "Títle"


@pytest.mark.skipif(os.name == "nt", reason="POSIX names")
def test_names_that_no_shell_would_like_are_read(tmp_path: Path) -> None:
    """The name travels to the worker as data, undecodable bytes too."""
    pytest.importorskip("pypdfium2")
    for name in ("-rf.pdf", "a\n\"b' $(x).pdf", "\udcff\udc80.pdf"):
        path = tmp_path / name
        path.write_bytes(GOOD)
        assert read_document(path).text == "Some text."


def test_a_relative_path_is_read_from_the_current_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also after the folder was changed: the worker was started in another."""
    pytest.importorskip("pypdfium2")
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "a.pdf").write_bytes(make_pdf([f"Text {name}."]))
        monkeypatch.chdir(tmp_path / name)
        assert read_document("a.pdf").text == f"Text {name}."


@pytest.mark.parametrize("options", [{"workers": 0}, {"workers": -1}, {"timeout": 0.0}, {"timeout": float("nan")}])
def test_options_out_of_range_are_refused(options: dict[str, float]) -> None:
    with pytest.raises(ValueError, match="must be"):
        PaperReader(**options)  # type: ignore[arg-type]


def test_fingerprints_name_the_reader_of_each_kind() -> None:
    papers = PaperReader()
    assert papers.fingerprint("a.txt") == papers.fingerprint("b.md") != papers.fingerprint("a.PDF")
    assert "pypdfium2" in papers.fingerprint("a.pdf")


def test_importing_and_checking_load_no_pdf_library_and_start_nothing(tmp_path: Path) -> None:
    """The dry run starts fast: what it needs is found without importing it."""
    (tmp_path / "a.pdf").write_bytes(GOOD)
    code = (
        "import sys\nfrom literature_review.documents import PaperReader\n"
        f"reader = PaperReader()\nassert reader.check({str(tmp_path / 'a.pdf')!r}) == ''\n"
        "reader.fingerprint('a.pdf')\n"
        "heavy = {'pypdfium2', 'subprocess', 'multiprocessing', 'concurrent.futures', 'importlib.metadata', 'ctypes'}\n"
        "sys.exit(','.join(heavy & set(sys.modules)) or 0)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, timeout=60)
    assert done.returncode == 0, done.stderr


def test_a_script_without_a_main_guard_may_read(tmp_path: Path) -> None:
    """Workers are not copies of the program: nothing of the script is run again."""
    pytest.importorskip("pypdfium2")
    (tmp_path / "a.pdf").write_bytes(GOOD)
    script = tmp_path / "script.py"
    script.write_text(
        f"import sys; sys.path.insert(0, {str(ROOT)!r})\n\nwith open('ran', 'a') as file: file.write('x')\n"
        "from literature_review.documents import read_document\nassert read_document('a.pdf').text == 'Some text.'\n"
    )
    done = subprocess.run([sys.executable, "-W", "error", str(script)], cwd=tmp_path, capture_output=True, timeout=60)
    assert (done.returncode, done.stderr) == (0, b"")
    assert (tmp_path / "ran").read_text() == "x"


def test_rc4_gives_the_published_answers() -> None:
    """RFC 6229 and the cipher's first published vectors."""
    assert rc4(b"Key", b"Plaintext").hex() == "bbf316e8d940af0ad3"
    assert rc4(b"Wiki", b"pedia").hex() == "1021bf0420"


@pytest.mark.parametrize(
    "noise",
    [
        b"",
        b"/Encrypt",
        b"/Encrypt 9 0 R",
        b"/Encrypt 9 0 R 9 0 obj <</R 3/P x>>",
        b"/Encrypt 1 0 R 1 0 obj" + b"(" * 5000,
    ],
)
def test_a_lock_that_cannot_be_read_is_not_taken_for_a_password(noise: bytes) -> None:
    assert opens_without_password(noise) is not False


@pytest.mark.skipif(not SHARED.is_dir(), reason="the shared papers are not here")
def test_real_papers_pass_the_check_and_the_locked_one_does_not() -> None:
    said = {path.name: quick_check.check_file(str(path)) for path in (SHARED / "papers").rglob("*.pdf")}
    assert [name for name, problem in said.items() if problem] == ["libreoffice-writer-password.pdf"]
