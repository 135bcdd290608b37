"""Files are written whole or not at all."""

from __future__ import annotations

import os
import stat
import threading
from pathlib import Path

import pytest

from literature_review.files import make_folder, write_atomically

pytestmark = pytest.mark.unit


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


@pytest.mark.parametrize("data", [b"", b"new", b"\x00\xff" * 3_000_000])
def test_the_file_holds_exactly_what_was_given(tmp_path: Path, data: bytes) -> None:
    """Empty, small and large: the file is the data, and nothing lies beside it."""
    write_atomically(tmp_path / "a.json", b"old")
    write_atomically(tmp_path / "a.json", data)
    assert (tmp_path / "a.json").read_bytes() == data
    assert names(tmp_path) == ["a.json"]


def test_missing_parents_are_made(tmp_path: Path) -> None:
    """A path in folders that are not there yet is written all the same."""
    write_atomically(str(tmp_path / "a" / "b" / "c.txt"), b"x")
    assert (tmp_path / "a" / "b" / "c.txt").read_bytes() == b"x"


def test_a_name_alone_is_a_file_in_the_current_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A relative path is from the current folder."""
    monkeypatch.chdir(tmp_path)
    write_atomically("alone.txt", b"x")
    make_folder("below")
    assert names(tmp_path) == ["alone.txt", "below"]


def test_a_name_as_long_as_the_file_system_takes(tmp_path: Path) -> None:
    """The temporary name is never longer than the file's own could be."""
    name = "é" * 120 + ".txt"
    write_atomically(tmp_path / name, b"x")
    assert names(tmp_path) == [name]


def test_permissions_of_a_new_file_follow_the_umask(tmp_path: Path) -> None:
    """0666 less the umask, as for any file that a program makes."""
    before = os.umask(0o027)
    try:
        write_atomically(tmp_path / "a", b"x")
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "a").stat().st_mode) == 0o640


def test_permissions_of_an_old_file_stay(tmp_path: Path) -> None:
    """A file that its owner made private stays private."""
    (tmp_path / "a").write_bytes(b"old")
    (tmp_path / "a").chmod(0o600)
    write_atomically(tmp_path / "a", b"new")
    assert stat.S_IMODE((tmp_path / "a").stat().st_mode) == 0o600


def test_a_symbolic_link_is_followed(tmp_path: Path) -> None:
    """The link stays a link; the file behind it is the one written."""
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "real" / "a")
    write_atomically(tmp_path / "link", b"x")
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "real" / "a").read_bytes() == b"x"


def test_a_folder_of_that_name_is_an_error_and_leaves_nothing(tmp_path: Path) -> None:
    """A folder is never replaced, and no temporary file stays."""
    (tmp_path / "a").mkdir()
    with pytest.raises(OSError):
        write_atomically(tmp_path / "a", b"x")
    assert names(tmp_path) == ["a"]


def test_a_file_in_the_place_of_a_parent_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"x")
    with pytest.raises(OSError):
        write_atomically(tmp_path / "a" / "b", b"x")


def test_an_interrupt_leaves_the_old_file_and_no_other(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ctrl-C while flushing: the old file is whole, the temporary one is gone."""

    def interrupted(descriptor: int) -> None:
        raise KeyboardInterrupt

    write_atomically(tmp_path / "a", b"old")
    monkeypatch.setattr(os, "fsync", interrupted)
    with pytest.raises(KeyboardInterrupt):
        write_atomically(tmp_path / "a", b"new")
    assert (tmp_path / "a").read_bytes() == b"old"
    assert names(tmp_path) == ["a"]


def test_threads_that_write_one_path_leave_one_whole_file(tmp_path: Path) -> None:
    """Eight writers at once: whoever comes last, the file is whole and alone."""
    texts = [bytes([digit]) * 100_000 for digit in range(8)]
    threads = [threading.Thread(target=write_atomically, args=(tmp_path / "a", text)) for text in texts]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (tmp_path / "a").read_bytes() in texts
    assert names(tmp_path) == ["a"]
