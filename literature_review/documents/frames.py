"""How the program and its PDF workers talk: frames of a mark, a length and so many bytes of JSON.

    program --- request frame ---> worker's standard input
    program <--- answer frame ---- worker's standard output

Bytes that are no frame, or a frame cut short, end the conversation: the other side is not to be trusted.
"""

from __future__ import annotations

import json
import struct
from collections.abc import Mapping
from typing import Any, BinaryIO

_HEAD = struct.Struct(">4sI")
_MARK = b"LRW1"
MAX_FRAME_BYTES = 512 * 1024 * 1024


def write_frame(stream: BinaryIO, message: Mapping[str, Any]) -> None:
    """Writes one message and flushes. Raises OSError where nobody reads any more."""
    payload = json.dumps(message, ensure_ascii=True, separators=(",", ":")).encode("ascii")
    stream.write(_HEAD.pack(_MARK, len(payload)) + payload)
    stream.flush()


def read_frame(stream: BinaryIO) -> bytes | None:
    """The next frame's bytes; None at the end of the stream, and for anything that is no whole frame."""
    head = _exactly(stream, _HEAD.size)
    if head is None:
        return None
    mark, length = _HEAD.unpack(head)
    if mark != _MARK or length > MAX_FRAME_BYTES:
        return None
    return _exactly(stream, length)


def _exactly(stream: BinaryIO, count: int) -> bytes | None:
    """`count` bytes, read as they come, so that a length that lies takes no memory."""
    parts: list[bytes] = []
    while count:
        part = stream.read(min(count, 1 << 20))
        if not part:
            return None
        parts.append(part)
        count -= len(part)
    return b"".join(parts)
