"""Stores that fail on command and disks that forget: what the tests put under the kernel, at the calls of `os`.

`FailingStore` makes the n-th call fail, once or from there on. `ForgetfulDisk` lets every call through, keeps a
journal of its own of what was written, flushed, named and removed, and then says every state in which a loss of
power at any instant could have left the folder:

- of a file, what was written since its last flush may be there in any combination, or there in part, or its space
  be there filled with zeros (a sector is written whole or not at all); after a flush that failed the pages are lost
  for good, whatever later flushes say;
- of the folder, every name made, moved or removed since its last flush may be as before or as after, each alone; a
  move is whole or not at all.
"""

from __future__ import annotations

import errno
import itertools
import os
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

SECTOR = 512  # bytes that a disk writes whole or not at all
CALLS = ("open", "write", "lseek", "ftruncate", "fsync", "fdatasync", "replace", "rename", "unlink", "mkdir", "listdir")


class FailingStore:
    """Counts the kernel's calls below a folder; the one numbered `fails` and, if `for_good`, all after it raise."""

    def __init__(self, patch: pytest.MonkeyPatch, code: int = errno.EIO) -> None:
        self.calls = 0
        self.fails = -1
        self.for_good = False
        self.code = code
        for name in CALLS:
            patch.setattr(os, name, self._counted(getattr(os, name)))

    def _counted(self, real: Callable[..., Any]) -> Callable[..., Any]:
        def called(*arguments: Any, **options: Any) -> Any:
            number, self.calls = self.calls, self.calls + 1
            if 0 <= self.fails <= number and (self.for_good or number == self.fails):
                raise OSError(self.code, os.strerror(self.code))
            return real(*arguments, **options)

        return called


@dataclass
class _File:
    """A file's content on the disk, and the writes since: (position, bytes), or None for a cut, each in order."""

    durable: bytes = b""
    pending: list[tuple[int, bytes | None]] = field(default_factory=list)

    def after(self, writes: list[tuple[int, bytes | None]]) -> bytes:
        content = bytearray(self.durable)
        for at, data in writes:
            if data is None:
                del content[at:]
                content.extend(bytes(at - len(content)))
            else:
                content.extend(bytes(max(at - len(content), 0)))
                content[at : at + len(data)] = data
        return bytes(content)

    def states(self) -> set[bytes]:
        """What may be there after the power went: see the module."""
        writes = self.pending
        whole = self.after(writes)
        if len(writes) <= 4:
            kept = [list(some) for count in range(len(writes) + 1) for some in itertools.combinations(writes, count)]
        else:  # all up to one, and all but one
            kept = [writes[:count] for count in range(len(writes) + 1)]
            kept += [writes[:count] + writes[count + 1 :] for count in range(len(writes))]
        found = {self.after(some) for some in kept}
        found.add(self.durable + bytes(max(len(whole) - len(self.durable), 0)))
        for number, (at, data) in enumerate(writes):
            if data is not None:
                edges = [0, *range(SECTOR - at % SECTOR, len(data), SECTOR), len(data)]
                for cut in {1, len(data) // 2, len(data) - 1, *edges[-4:]}:
                    found.add(self.after([*writes[:number], (at, data[:cut])]))
                for start, stop in [*itertools.pairwise(edges)][:4]:  # a sector of it, or all but one
                    found.add(self.after([*writes[:number], (at + start, data[start:stop])]))
                    gap = self.after(writes[:number])[at + start : at + stop].ljust(stop - start, b"\0")
                    found.add(self.after([*writes[: number + 1], (at + start, gap)]))
        return found


@dataclass
class _Descriptor:
    file: _File | None  # None: a folder
    position: int = 0


class ForgetfulDisk:
    """Follows one folder; `crash_states` after any call says what a loss of power may leave of it."""

    def __init__(self, patch: pytest.MonkeyPatch, folder: Path, leave_out: tuple[str, ...] = (".lock",)) -> None:
        self.folder = os.path.realpath(folder)
        self.leave_out = leave_out
        self.names: dict[str, _File] = {}  # as the folder is now
        self.durable: dict[str, _File] = {}  # as it was flushed last
        self.changes: list[dict[str, _File | None]] = []  # since then: names and what they came to mean
        self.open: dict[int, _Descriptor] = {}
        self.on_call: Callable[[], None] = lambda: None  # after each call that changes something
        self.failing_flush = 0  # the flush so many calls from now fails; 0: none
        for path in sorted(folder.iterdir()):
            self.names[path.name] = self.durable[path.name] = _File(path.read_bytes())
        self.one_at_a_time = threading.RLock()  # a call and what is noted of it are one
        self.real = {name: getattr(os, name) for name in (*CALLS, "close", "remove")}
        for name in self.real:
            if hasattr(self, "_" + name):
                patch.setattr(os, name, self._alone(getattr(self, "_" + name)))

    def _alone(self, call: Callable[..., Any]) -> Callable[..., Any]:
        def called(*arguments: Any, **options: Any) -> Any:
            with self.one_at_a_time:
                return call(*arguments, **options)

        return called

    # The calls

    def _name(self, path: Any) -> str | None:
        """The name in our folder, or None for what is elsewhere or left out."""
        if not isinstance(path, (str, bytes, os.PathLike)):
            return None
        folder, name = os.path.split(os.path.realpath(os.fsdecode(path)))
        return name if folder == self.folder and not name.endswith(self.leave_out) else None

    def _open(self, path: Any, flags: int, *arguments: Any, **options: Any) -> int:
        descriptor: int = self.real["open"](path, flags, *arguments, **options)
        name = self._name(path)
        if os.path.realpath(os.fsdecode(path)) == self.folder:
            self.open[descriptor] = _Descriptor(None)
        elif name is not None and flags & (os.O_WRONLY | os.O_RDWR):
            if name not in self.names:
                self._named({name: _File()})
            file = self.names[name]
            if flags & os.O_TRUNC:
                file.pending.append((0, None))
            self.open[descriptor] = _Descriptor(file)
            self.on_call()
        return descriptor

    def _close(self, descriptor: int) -> None:
        self.open.pop(descriptor, None)
        self.real["close"](descriptor)

    def _write(self, descriptor: int, data: Any) -> int:
        written: int = self.real["write"](descriptor, data)
        known = self.open.get(descriptor)
        if known is not None and known.file is not None:
            known.file.pending.append((known.position, bytes(data[:written])))
            known.position += written
            self.on_call()
        return written

    def _lseek(self, descriptor: int, position: int, how: int) -> int:
        reached: int = self.real["lseek"](descriptor, position, how)
        if descriptor in self.open:
            self.open[descriptor].position = reached
        return reached

    def _ftruncate(self, descriptor: int, length: int) -> None:
        self.real["ftruncate"](descriptor, length)
        known = self.open.get(descriptor)
        if known is not None and known.file is not None:
            known.file.pending.append((length, None))
            self.on_call()

    def _fsync(self, descriptor: int) -> None:
        known = self.open.get(descriptor)
        if known is None:
            self.real["fsync"](descriptor)
            return
        self.failing_flush -= self.failing_flush > 0
        if self.failing_flush == 0 and self.flush_fails:
            self.flush_fails = False
            if known.file is not None:  # the pages are dropped, and the next flush will not see them
                known.file.pending = []
            raise OSError(errno.EIO, "flush failed on command")
        self._flushed(known.file)
        self.on_call()

    _fdatasync = _fsync
    flush_fails = False

    def fail_flush(self, number: int) -> None:
        """Let the flush that is `number` calls away fail, and lose what it was to flush."""
        self.failing_flush, self.flush_fails = number, True

    def _flushed(self, file: _File | None) -> None:
        if file is None:
            self.durable, self.changes = dict(self.names), []
        else:
            file.durable, file.pending = file.after(file.pending), []

    def _replace(self, source: Any, target: Any, **options: Any) -> None:
        self.real["replace"](source, target, **options)
        old, new = self._name(source), self._name(target)
        file = None if old is None else self.names[old]
        moved = {new: file, old: None}  # both or neither
        self._named({name: meant for name, meant in moved.items() if name is not None})
        self.on_call()

    _rename = _replace

    def _unlink(self, path: Any, **options: Any) -> None:
        self.real["unlink"](path, **options)
        name = self._name(path)
        if name is not None:
            self._named({name: None})
            self.on_call()

    _remove = _unlink

    def _named(self, change: dict[str, _File | None]) -> None:
        self.changes.append(change)
        self._apply(self.names, change)

    # What a loss of power leaves

    def content(self) -> dict[str, bytes]:
        """The folder as a reader sees it now: must agree with the real one, else a call was overlooked."""
        return {name: file.after(file.pending) for name, file in self.names.items()}

    def crash_states(self) -> Iterator[dict[str, bytes]]:
        """Every folder that a loss of power may leave now, by name and content."""
        changes = self.changes[-6:]
        base = dict(self.durable)
        for change in self.changes[: len(self.changes) - len(changes)]:
            self._apply(base, change)
        seen: set[tuple[tuple[str, int], ...]] = set()
        for keeps in itertools.product((True, False), repeat=len(changes)):
            names = dict(base)
            for keep, change in zip(keeps, changes, strict=True):
                if keep:
                    self._apply(names, change)
            key = tuple(sorted((name, id(file)) for name, file in names.items()))
            if key not in seen:
                seen.add(key)
                options = [[(name, content) for content in file.states()] for name, file in names.items()]
                for chosen in itertools.product(*options):
                    yield dict(chosen)

    @staticmethod
    def _apply(names: dict[str, _File], change: dict[str, _File | None]) -> None:
        for name, file in change.items():
            if file is None:
                names.pop(name, None)
            else:
                names[name] = file
