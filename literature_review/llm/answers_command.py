"""`python -m literature_review answers size|clear|export`: the answers that were paid for, in an output folder."""

from __future__ import annotations

import argparse
import errno
import json
import os
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, closing
from typing import BinaryIO

from literature_review.config import load_config
from literature_review.errors import UsageError
from literature_review.files import written_atomically
from literature_review.llm.paid_book import FILE_NAME, PaidBook

Write = Callable[[str], None]
_SQLITE = b"SQLite format 3\0"  # how every file of SQLite begins


def arguments(parser: argparse.ArgumentParser) -> None:
    """What the verb takes."""
    actions = parser.add_subparsers(dest="action", required=True, metavar="size|clear|export")
    size = actions.add_parser("size", help="how many answers, bytes, calls and tokens, and what they cost")
    clear = actions.add_parser("clear", help="remove all answers; the ledger of what they cost stays")
    export = actions.add_parser("export", help="all answers with their questions as JSON, one object a line")
    clear.add_argument("--yes", action="store_true", help="do it: what is asked again will be paid for again")
    export.add_argument("--to", metavar="FILE", help="write to this file instead of standard output")
    for action in (size, clear, export):
        action.add_argument("--config", metavar="FILE", help="configuration (default: pipeline_config.json here)")
        action.add_argument("--output-dir", metavar="DIR", help="the output folder, instead of the configuration's")


def run(arguments: argparse.Namespace, write: Write) -> int:
    """Do what `arguments.action` says; returns the exit code."""
    folder = arguments.output_dir or load_config(arguments.config).output_dir
    with closing(PaidBook(os.path.join(folder, FILE_NAME))) as book:
        if arguments.action == "size":
            for line in _size(book):
                write(line)
        elif arguments.action == "clear":
            write(_clear(book, arguments.yes))
        elif arguments.to is None:
            for answer in _lines(book):
                write(answer)
        else:
            write(f"{_export(book, arguments.to):,} answers are in {arguments.to}")
    return 0


def _size(book: PaidBook) -> Iterator[str]:
    answers, size = book.size()
    if not size:
        yield f"no answers: there is no {book.path}"
        return
    counts = book.counts()
    unknown = f", and {counts.unpriced:,} whose cost is not known" if counts.unpriced else ""
    yield f"answers: {answers:,} in {size:,} bytes ({book.path})"
    yield f"calls: {counts.begun:,} begun, {counts.ended:,} ended, {counts.answers:,} answered"
    yield f"tokens: {counts.input_tokens:,} in, {counts.output_tokens:,} out"
    yield f"cost: {counts.usd:.4f} USD{unknown}"


def _clear(book: PaidBook, confirmed: bool) -> str:
    answers, _ = book.size()
    if answers and not confirmed:
        raise UsageError(
            f"{answers:,} answers in {book.path} were paid for, and what is asked again would be paid for again: to "
            f"remove them all the same, say answers clear --yes"
        )
    return f"{book.clear():,} answers removed; the ledger of what they cost stays"


def _lines(book: PaidBook) -> Iterator[str]:
    for answer in book.answers():
        yield json.dumps(answer)


def _export(book: PaidBook, path: str) -> int:
    """Write the answers to a file of their own, whole or not at all; returns how many. No database is written over."""
    _refuse_databases(book, path)
    written = 0
    try:
        with _opened(path) as file:
            for line in _lines(book):
                file.write(f"{line}\n".encode("ascii"))
                written += 1
    except OSError as error:
        if error.filename == book.path:
            raise  # it is the book that cannot be read
        raise UsageError(f"--to: {path} cannot be written ({error.strerror}); name another file") from error
    return written


def _opened(path: str) -> AbstractContextManager[BinaryIO]:
    """The file, written beside the old one until it is whole; a pipe or a terminal as it is."""
    if os.path.exists(path) and not os.path.isfile(path):
        return open(path, "wb")
    if not os.path.isdir(os.path.dirname(os.path.realpath(path))):
        raise FileNotFoundError(errno.ENOENT, "there is no such folder", path)
    return written_atomically(path)


def _refuse_databases(book: PaidBook, path: str) -> None:
    own = os.path.realpath(book.path)
    is_database = os.path.realpath(path) in (own, f"{own}-wal", f"{own}-shm", f"{own}-journal")
    if os.path.isfile(path) and not is_database:
        with open(path, "rb") as file:
            is_database = file.read(len(_SQLITE)) == _SQLITE
    if is_database:
        raise UsageError(f"--to: {path} is a database, or part of the one that holds the answers; name another file")
