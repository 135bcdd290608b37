"""The run's log: `[2025-11-14 03:16:29] [INFO] text` on a stream, and everything in the log file as well.

Lines pass one lock, so threads do not mix theirs. A secret that was named is never written. Neither a closed
pipe nor a full disk under the log file stops a run: the line is lost, the review is not.
"""

from __future__ import annotations

import sys
import threading
from collections.abc import Iterable
from datetime import datetime
from typing import IO, Protocol

LEVELS = {"DEBUG": 10, "INFO": 20, "SUCCESS": 20, "WARNING": 30, "ERROR": 40}


class StatusLine(Protocol):
    """A line at the foot of a terminal that steps aside for log lines."""

    def hide(self) -> None: ...

    def show(self) -> None: ...


class RunLog:
    """Keeps ports.Log. `level`: the lowest that is shown (DEBUG, INFO, WARNING, ERROR); the file gets all.

    `secrets`: texts that are replaced by *** wherever they would appear. Raises OSError where the log file
    cannot be opened.
    """

    def __init__(
        self,
        stream: IO[str] | None = None,
        level: str = "INFO",
        file: str | None = None,
        secrets: Iterable[str] = (),
    ) -> None:
        self._stream: IO[str] | None = stream if stream is not None else sys.stdout
        self._lowest = LEVELS[level]
        self._secrets = tuple(secret for secret in secrets if len(secret) >= 4)
        self._lock = threading.RLock()  # guards both streams; again from a signal in the same thread
        self._file = (
            open(file, "a", encoding="utf-8", errors="backslashreplace") if file else None  # noqa: SIM115, see close()
        )
        self.status_line: StatusLine | None = None

    @property
    def is_detailed(self) -> bool:
        """True where debug lines are seen at all: what costs time to say need not be said elsewhere."""
        return self._file is not None or self._lowest <= LEVELS["DEBUG"]

    def hide_secrets(self, secrets: Iterable[str]) -> None:
        """Further texts that are never to be written."""
        self._secrets += tuple(secret for secret in secrets if len(secret) >= 4)

    def redact(self, text: str) -> str:
        """The text without secrets, as it may be written anywhere."""
        for secret in self._secrets:
            text = text.replace(secret, "***")
        return text

    def debug(self, text: str) -> None:
        self._write("DEBUG", text)

    def info(self, text: str) -> None:
        self._write("INFO", text)

    def success(self, text: str) -> None:
        self._write("SUCCESS", text)

    def warning(self, text: str) -> None:
        self._write("WARNING", text)

    def error(self, text: str) -> None:
        self._write("ERROR", text)

    def close(self) -> None:
        file, self._file = self._file, None
        if file is not None:
            try:
                file.close()
            except OSError:
                pass  # what could not be written stays lost, and the file is closed all the same

    def _write(self, level: str, text: str) -> None:
        texts = text.rstrip("\n").split("\n") if level == "DEBUG" else [text]  # a traceback has several lines
        head = f"[{datetime.now():%Y-%m-%d %H:%M:%S}] [{level}] "
        line = "".join(f"{head}{one_line(self.redact(each))}\n" for each in texts)
        with self._lock:
            if LEVELS[level] >= self._lowest:
                if self.status_line is not None:
                    self.status_line.hide()
                _put(self._stream, line)
                if self.status_line is not None:
                    self.status_line.show()
            if self._file is not None:
                _put(self._file, line)


def one_line(text: str) -> str:
    """The text with every control character and line end written out, so that data cannot forge a log line."""
    if text.isprintable():
        return text
    return "".join(char if char.isprintable() else char.encode("unicode_escape").decode("ascii") for char in text)


def _put(stream: IO[str] | None, line: str) -> None:
    """Write and flush; a stream that cannot take the characters gets them escaped, a broken one nothing. There is
    none where standard output was closed before the start (`>&-`, some schedulers)."""
    if stream is None:
        return
    try:
        try:
            stream.write(line)
        except UnicodeEncodeError:
            encoding = getattr(stream, "encoding", None) or "ascii"
            stream.write(line.encode(encoding, "backslashreplace").decode(encoding))
        stream.flush()
    except (OSError, ValueError):
        pass  # a closed pipe or a full disk: the run matters more than its log
