"""The process in which PDFs are read: whatever a hostile file does happens here, and this can be killed.

    standard input: {"id", "path": its bytes in hexadecimal} ... -> standard output: {"ready"}, then {"id",
    "document"} or
    {"id", "reason", "message"} for each, in order

It ends when its input ends, also in the middle of a file, ignores Ctrl-C, has a limit of memory where the
system knows one, writes no core file, and what a library prints goes nowhere.
"""

from __future__ import annotations

import gc
import os
import queue
import signal
import sys
import threading
from collections.abc import Callable
from typing import Any, BinaryIO

from literature_review.documents.frames import read_frame, write_frame
from literature_review.errors import UnreadablePaperError
from literature_review.models import Document

MEMORY_LIMIT_BYTES = 4 * 1024**3
MAX_PDF_BYTES = 1024**3
_FILES_PER_COLLECTION = 50


def main() -> None:
    """Serves until the input ends."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    answers = _private_output()
    limit_memory(MEMORY_LIMIT_BYTES)
    try:
        from literature_review.documents.pdf import read_pdf
    except ImportError as error:
        write_frame(answers, {"ready": False, "message": f"{type(error).__name__}: {error}"})
        return
    write_frame(answers, {"ready": True})
    serve(sys.stdin.buffer, answers, read_pdf)


def serve(requests: BinaryIO, answers: BinaryIO, read: Callable[[bytes], Document]) -> None:
    """Answers each request in order. A thread of its own watches the input, so that a file that hangs the
    parser does not outlive the program."""
    waiting: queue.SimpleQueue[bytes | None] = queue.SimpleQueue()

    def watch() -> None:
        while (frame := read_frame(requests)) is not None:
            waiting.put(frame)
        os._exit(0)

    threading.Thread(target=watch, daemon=True).start()
    # The collector would run many times over the many small records of a file, and find nothing.
    gc.freeze()
    gc.disable()
    served = 0
    while (frame := waiting.get()) is not None:
        write_frame(answers, answer(frame, read))
        served += 1
        if served % _FILES_PER_COLLECTION == 0:
            gc.collect()


def answer(frame: bytes, read: Callable[[bytes], Document]) -> dict[str, Any]:
    """The answer to one request: the document, or why the file cannot be read."""
    import json

    request = json.loads(frame)
    try:
        with open(bytes.fromhex(request["path"]), "rb") as file:
            data = file.read(MAX_PDF_BYTES + 1)
        if len(data) > MAX_PDF_BYTES:
            raise UnreadablePaperError("too_large", f"The PDF is larger than {MAX_PDF_BYTES >> 30} GiB: split it.")
        return {"id": request["id"], "document": read(data).to_json()}
    except UnreadablePaperError as error:
        reason, message = error.reason, str(error)
    except FileNotFoundError:
        reason, message = "missing", "The file is gone: put it back, or run again without it."
    except OSError as error:
        reason, message = "not_permitted", f"The file cannot be read: {error.strerror}."
    except MemoryError:
        reason, message = "too_large", "The PDF needs more memory than a reader is given: split the file."
    except Exception as error:  # noqa: BLE001 - a parser's own error fails this file, never the next one
        reason, message = "damaged", f"The PDF cannot be parsed ({type(error).__name__}): fetch the file again."
    return {"id": request["id"], "reason": reason, "message": message}


def _private_output() -> BinaryIO:
    """The pipe for answers; whatever else writes to standard output from now on goes nowhere."""
    private = os.dup(1)
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 1)
    os.close(nowhere)
    return os.fdopen(private, "wb")


def limit_memory(limit: int) -> None:
    """Limits the address space in bytes and forbids core files, where the system knows such limits."""
    try:
        import resource
    except ImportError:  # Windows
        return
    for kind, most in ((resource.RLIMIT_CORE, 0), (resource.RLIMIT_AS, limit)):
        try:
            resource.setrlimit(kind, (most, most))
        except (OSError, ValueError):  # macOS refuses RLIMIT_AS; a lower limit may stand already
            continue


if __name__ == "__main__":
    main()
