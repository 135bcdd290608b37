"""The disk fails while a file is written."""

from __future__ import annotations

import errno
import os
import stat
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from literature_review.files import flush_folder, write_atomically

pytestmark = pytest.mark.fault


def failing_fsync(fails: Callable[[int], bool], code: int) -> Callable[[int], None]:
    real = os.fsync

    def fsync(descriptor: int) -> None:
        if fails(os.fstat(descriptor).st_mode):
            raise OSError(code, os.strerror(code))
        real(descriptor)

    return fsync


def test_a_failed_flush_of_the_file_keeps_the_old_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What could not be flushed never takes the place of what was."""
    write_atomically(tmp_path / "a", b"old")
    monkeypatch.setattr(os, "fsync", failing_fsync(stat.S_ISREG, errno.EIO))
    with pytest.raises(OSError) as raised:
        write_atomically(tmp_path / "a", b"new")
    assert raised.value.errno == errno.EIO
    assert [path.name for path in tmp_path.iterdir()] == ["a"]
    assert (tmp_path / "a").read_bytes() == b"old"


def test_a_failed_flush_of_the_folder_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The rename may be lost with the power: the caller must know. The file itself is whole."""
    monkeypatch.setattr(os, "fsync", failing_fsync(stat.S_ISDIR, errno.EIO))
    with pytest.raises(OSError):
        write_atomically(tmp_path / "a", b"new")
    assert [path.name for path in tmp_path.iterdir()] == ["a"]
    assert (tmp_path / "a").read_bytes() == b"new"


def test_a_file_system_that_flushes_no_folders_is_no_failure(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Some network file systems answer EINVAL: there is nothing to flush there."""
    monkeypatch.setattr(os, "fsync", failing_fsync(stat.S_ISDIR, errno.EINVAL))
    write_atomically(tmp_path / "a", b"new")
    flush_folder(str(tmp_path))
    assert (tmp_path / "a").read_bytes() == b"new"


def test_no_room_for_a_temporary_file_keeps_the_old_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The error is the disk's own, not that of tidying up."""

    def full(path: str, flags: int, mode: int = 0o777) -> int:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), path)

    write_atomically(tmp_path / "a", b"old")
    with monkeypatch.context() as patch:
        patch.setattr(os, "open", full)
        with pytest.raises(OSError) as raised:
            write_atomically(tmp_path / "a", b"new")
    assert raised.value.errno == errno.ENOSPC
    assert (tmp_path / "a").read_bytes() == b"old"


FULL_DISK = """
import resource, signal, sys
from literature_review.files import write_atomically
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (10_000, 10_000))
try:
    write_atomically(sys.argv[1], b"x" * 100_000)
except OSError as error:
    sys.exit(7)
"""


def test_no_room_keeps_the_old_file_and_leaves_no_other(tmp_path: Path) -> None:
    """A write that is cut short by the system is an OSError; the old file stays as it was."""
    pytest.importorskip("resource")
    write_atomically(tmp_path / "a", b"old")
    root = Path(__file__).resolve().parents[2]
    ended = subprocess.run([sys.executable, "-c", FULL_DISK, str(tmp_path / "a")], timeout=60, cwd=root)
    assert ended.returncode == 7
    assert [path.name for path in tmp_path.iterdir()] == ["a"]
    assert (tmp_path / "a").read_bytes() == b"old"
