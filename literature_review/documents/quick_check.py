"""The dry run's quick look at a paper's file: milliseconds, nothing parsed, no process, no PDF library."""

from __future__ import annotations

import os
import stat

from literature_review.documents.plain_text import MARKDOWN_ENDINGS, decode
from literature_review.errors import UnreadablePaperError

_HEAD_BYTES = 1024
_TAIL_BYTES = 4096
_SEARCHED_BYTES = 32 * 1024 * 1024
NEEDS_PASSWORD = "The PDF is encrypted and needs a password: put a copy without one in its place."
_TEXT_SAMPLE_BYTES = 64 * 1024


def kind_of_file(path: str, head: bytes) -> str:
    """`pdf`, `markdown` or `text`: by the first bytes where they say PDF, else by the ending."""
    ending = os.path.splitext(path)[1].lower()
    if b"%PDF-" in head[:_HEAD_BYTES] or ending == ".pdf":
        return "pdf"
    return "markdown" if ending in MARKDOWN_ENDINGS else "text"


def look_at_file(path: str) -> os.stat_result:
    """The file's state. Raises UnreadablePaperError: missing, not_permitted, empty, or damaged (no file)."""
    try:
        state = os.stat(path)
    except (FileNotFoundError, NotADirectoryError):
        raise UnreadablePaperError("missing", "The file is not there: put it back.") from None
    except (OSError, ValueError) as error:
        raise not_permitted(error) from error
    if not stat.S_ISREG(state.st_mode):
        raise UnreadablePaperError("damaged", "This is no regular file: put the paper itself here.")
    if state.st_size == 0:
        raise UnreadablePaperError("empty", "The file is empty (0 bytes): fetch the paper again.")
    return state


def not_permitted(error: Exception) -> UnreadablePaperError:
    said = getattr(error, "strerror", None) or str(error)
    return UnreadablePaperError("not_permitted", f"The file cannot be opened ({said}): allow reading it.")


def refuse_other_formats(head: bytes) -> None:
    """Raises UnreadablePaperError (not_a_pdf) where a file named .pdf has no PDF header, and says what it is."""
    if b"%PDF-" in head[:_HEAD_BYTES]:
        return
    start = head.lstrip()[:256].lower()
    if start.startswith((b"<!doctype html", b"<html", b"<head")):
        found = "a web page, often a log-in page saved in the paper's place"
    elif head.startswith(b"PK\x03\x04"):
        found = "a ZIP or an office document"
    elif not head.strip(b"\0"):
        found = "nothing but zero bytes"
    else:
        found = "something else"
    raise UnreadablePaperError("not_a_pdf", f"The file is named PDF but is {found}: fetch the paper again.")


def check_file(path: str) -> str:
    """ "" where the file looks readable, else one line why not. Reads a text's first 64 KiB, and a PDF's bytes
    up to 32 MiB to see whether it is locked; parses nothing.

    What only a parser can find (a damaged page, a scan without text) passes here and fails when it is read."""
    try:
        _check(path)
    except UnreadablePaperError as error:
        return str(error)
    return ""


def _check(path: str) -> None:
    size = look_at_file(path).st_size
    try:
        with open(path, "rb") as file:
            head = file.read(_HEAD_BYTES)
            if kind_of_file(path, head) != "pdf":
                decode(_whole_characters(head + file.read(_TEXT_SAMPLE_BYTES - _HEAD_BYTES), size))
                return
            file.seek(max(size - _TAIL_BYTES, 0))
            tail = file.read(_TAIL_BYTES)
    except OSError as error:
        raise not_permitted(error) from error
    refuse_other_formats(head)
    if b"%%EOF" not in tail and b"startxref" not in tail:
        raise UnreadablePaperError("damaged", "The PDF seems cut off (its end is missing): fetch the file again.")
    if size <= _SEARCHED_BYTES:
        _refuse_locked(path)


def _refuse_locked(path: str) -> None:
    """Raises UnreadablePaperError (encrypted) where the PDF cannot be opened without a password."""
    with open(path, "rb") as file:
        data = file.read(_SEARCHED_BYTES)
    if b"/Encrypt" not in data:
        return
    from literature_review.documents.pdf_password import opens_without_password

    if opens_without_password(data) is False:
        raise UnreadablePaperError("encrypted", NEEDS_PASSWORD)


def _whole_characters(sample: bytes, size: int) -> bytes:
    """The sample without a character that its end may have cut in two."""
    if len(sample) == size:
        return sample
    sample = sample[: len(sample) // 4 * 4]
    for cut in range(1, 4):
        if sample[-cut] >= 0xC0:
            return sample[:-cut] if b"\0" not in sample else sample
    return sample
