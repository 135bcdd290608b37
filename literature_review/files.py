"""Writing a file whole or not at all, and telling one by its digest. Standard library only; the wings share it.

    data -> hidden file in the same folder -> flushed to disk -> renamed over the old one -> folder flushed
"""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import BinaryIO

_BLOCK_BYTES = 1024 * 1024
_CANNOT_FLUSH_FOLDERS = {errno.EINVAL, errno.ENOTSUP, errno.EBADF}


def write_atomically(path: str | os.PathLike[str], data: bytes) -> None:
    """Make `path` hold exactly `data`. Missing parent folders are made; a symbolic link is followed.

    A reader, at any time, sees the old file or the new one. When this returns, the new one survives
    `kill -9` and loss of power; when it raises OSError (no room, no permission, a folder of that name,
    a failed flush), no temporary file is left and the old file is whole: only where flushing the folder
    failed is the new one in its place already. `kill -9` in between can leave a hidden `.<name>.<digits>.tmp`.
    A new file gets the usual permissions (0666 less the umask), an old one keeps its own. Threads and
    processes may write the same path at once: the last rename wins, whole.
    """
    with written_atomically(path) as file:
        file.write(data)


@contextmanager
def written_atomically(path: str | os.PathLike[str]) -> Iterator[BinaryIO]:
    """A file to write piece by piece, for what is too large for one: it takes the place of `path` at the end of the
    `with`, on the terms of `write_atomically`; whatever is raised in between leaves the old file as it was."""
    target = os.path.realpath(os.fspath(path))
    folder, name = os.path.split(target)
    make_folder(folder)
    temporary = os.path.join(folder, f".{name[:40]}.{os.urandom(8).hex()}.tmp")
    try:
        permissions = _permissions(target)
        with _new_file(temporary) as file:
            if permissions is not None and hasattr(os, "fchmod"):
                os.fchmod(file.fileno(), permissions)
            yield file
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, target)
    except BaseException:
        _remove(temporary)
        raise
    flush_folder(folder)


def make_folder(folder: str) -> None:
    """Make `folder` and its parents where they are missing, each made durable. Raises OSError."""
    if not folder or os.path.isdir(folder):
        return
    parent = os.path.dirname(os.path.abspath(folder))
    if parent != folder:  # a drive that is not there is its own parent
        make_folder(parent)
    os.makedirs(folder, exist_ok=True)
    flush_folder(parent)


def flush_folder(folder: str) -> None:
    """Flush a folder, so that a rename or a new name in it survives loss of power. Raises OSError.

    Does nothing where the system cannot: Windows opens no folders, some file systems flush none.
    """
    if os.name == "nt":
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    except OSError as error:
        if error.errno not in _CANNOT_FLUSH_FOLDERS:
            raise
    finally:
        os.close(descriptor)


def sha256_of(path: str) -> tuple[str, int]:
    """The SHA-256 of a file's bytes in hexadecimal digits, and their number; read in blocks. Raises OSError."""
    import hashlib  # nobody else here needs it

    digest, size = hashlib.sha256(), 0
    # Opened without waiting: a pipe put in the file's place meanwhile must not hold the program up.
    with open(path, "rb", opener=_open_at_once) as file:
        while block := file.read(_BLOCK_BYTES):
            digest.update(block)
            size += len(block)
    return digest.hexdigest(), size


def _open_at_once(path: str, flags: int) -> int:
    return os.open(path, flags | getattr(os, "O_NONBLOCK", 0))


def _permissions(target: str) -> int | None:
    """The permissions that a file there has, or None where there is none."""
    try:
        return os.stat(target).st_mode & 0o777
    except FileNotFoundError:
        return None


def _new_file(path: str) -> BinaryIO:
    """A file that is not there yet; its buffer deals with short writes."""
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0)
    return os.fdopen(os.open(path, flags, 0o666), "wb")


def _remove(path: str) -> None:
    try:
        os.unlink(path)
    except OSError:
        pass  # it was never made, or renamed already; the error on its way says more
