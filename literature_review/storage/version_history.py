"""The version history file: what each run knew of each paper, one version for each time that changed.

    {"version": "2.0.0",
     "papers": {"a.pdf": [{"version": 1, "run_id": ..., "recorded_at": ..., "state": "reviewed",
                           "error": "", "error_type": "", "made_from": {...},
                           "review": {"claims": {claim id: {...}}, "screening": {...}, ...},
                           "changes": {"added": [claim ids], "removed": [...], "changed": [...]}}, ...]}}

One version a line, so that two states of the file can be compared line by line.
"""

from __future__ import annotations

import json
import os
import re
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from literature_review.errors import StoreError
from literature_review.files import make_folder, write_atomically

if TYPE_CHECKING:  # a dry run looks at the file, and no review is in it
    from literature_review.models import PaperReview

FORMAT = "2.0.0"
_NEWEST = (2, 0)
_SUMMARY = ("sub_requirement", "quote", "page", "status", "score", "coverage", "reason")

Versions = dict[str, list[dict[str, Any]]]


def _local_time() -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%S")


class HistoryFile:
    """Keeps ports.VersionHistory in a JSON file, `path`; its folder is made at the first write.

    Thread-safe; processes that record at once come one after the other (where the system has file locks), each
    adding to what the one before wrote. The file is replaced as a whole and flushed: after `kill -9` or loss of
    power it is the old one or the new one.

    A file that is torn, foreign or of a newer format is a StoreError that names it, and is never read as empty,
    never overwritten. A file of format 1 is set aside as `<name>.v1.json`, told to `warn`, and a new history
    begins. `now` gives the time of a version; `busy_seconds` is how long to wait for another process.
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        *,
        warn: Callable[[str], None] = lambda text: None,
        now: Callable[[], str] = _local_time,
        busy_seconds: float = 30.0,
    ) -> None:
        self.path = os.path.abspath(os.fspath(path))
        self._warn = warn
        self._now = now
        self._busy_seconds = busy_seconds
        self._lock = threading.Lock()  # guards reading, adding and writing back as one step

    def versions(self, paper: str) -> list[dict[str, Any]]:
        """The versions of a paper, oldest first; empty where it has none. Raises StoreError, OSError."""
        papers: Versions = self._load()[0]["papers"]
        return papers.get(paper, [])

    def check(self) -> None:
        """Raise what using the file would raise, before it is used. Changes nothing."""
        self._load()

    def record(
        self, reviews: Sequence[PaperReview], run_id: str, made_from: Mapping[str, Mapping[str, str]]
    ) -> int:
        """Add a version for each paper whose review is another than in its last version; returns how many.

        What counts is what was found: state, claims and verdicts, screening, bibliography, kind of error; not
        run, time, digests, or the words of an error. Where nothing changed, the file is not touched. Papers
        that the review no longer has keep their versions. Raises StoreError, OSError (the old file stays
        whole), and ValueError for a score that is no number.
        """
        entries = {review.paper.id: _entry(review, made_from) for review in reviews}
        if not entries:
            return 0
        with self._lock, _one_process(self.path, self._busy_seconds):
            data, outdated = self._load()
            added = self._add(data["papers"], entries, run_id)
            if added:
                text = _dump(data)
                if outdated:
                    self._set_aside()
                write_atomically(self.path, text)
            return added

    def _add(self, papers: Versions, entries: Mapping[str, dict[str, Any]], run_id: str) -> int:
        added = 0
        for paper, entry in entries.items():
            versions = papers.setdefault(paper, [])
            last = versions[-1] if versions else {}
            if versions and _found(last) == _found(entry):
                continue
            head = {"version": len(versions) + 1, "run_id": run_id, "recorded_at": self._now()}
            versions.append({**head, **entry, "changes": _changes(last, entry)})
            added += 1
        return added

    def _load(self) -> tuple[dict[str, Any], bool]:
        """The file's data, checked, or an empty history; and whether a file of format 1 is in its place."""
        empty: dict[str, Any] = {"version": FORMAT, "papers": {}}
        try:
            with open(self.path, "rb") as file:
                data = json.loads(file.read())
        except FileNotFoundError:
            return empty, False
        except (ValueError, RecursionError) as error:
            raise self._damaged(f"it is not one whole JSON document ({error})") from error
        if _is_format_1(data):
            return empty, True
        self._check(data)
        return data, False

    def _check(self, data: Any) -> None:
        if not isinstance(data, dict) or not isinstance(data.get("papers"), dict):
            raise self._damaged("it is not a version history")
        version = _numbers(data.get("version"))
        if version is None:
            raise self._damaged("it does not name its format, or not in numbers")
        if version > _NEWEST:
            raise StoreError(
                f"{self.path} is a version history of format {data['version']}, and this program knows up to "
                f"{FORMAT}; it was left as it is: use the newer program, or name another version_history_path"
            )
        for paper, versions in data["papers"].items():
            if not isinstance(versions, list) or not all(map(_is_version, versions)):
                raise self._damaged(f"what it says of paper {paper!r} is not a list of versions")

    def _damaged(self, why: str) -> StoreError:
        return StoreError(
            f"{self.path} cannot be used: {why}. It was left as it is: put a copy of it back, or move it away to "
            f"begin a new history"
        )

    def _set_aside(self) -> None:
        """Keep a file of format 1 beside the new one, over no earlier one."""
        stem = self.path[: -len(".json")] if self.path.endswith(".json") else self.path
        aside, number = f"{stem}.v1.json", 2
        while os.path.lexists(aside):
            aside, number = f"{stem}.v1.{number}.json", number + 1
        os.rename(self.path, aside)
        self._warn(f"{self.path} was of format 1; it is kept as {aside}, and a new history begins")


def _is_format_1(data: Any) -> bool:
    """True for what the program's first version wrote: a list of versions, or paper -> list of versions, without
    a format; or a format below 2."""
    if isinstance(data, dict) and "version" in data:
        version = _numbers(data["version"])
        return version is not None and version < (2, 0)
    if isinstance(data, dict) and "papers" in data:
        return False
    lists = data.values() if isinstance(data, dict) else [data]
    return all(isinstance(one, list) and all(isinstance(version, dict) for version in one) for one in lists)


def _numbers(version: Any) -> tuple[int, int] | None:
    """Major and minor number of a format; None where it is none."""
    found = re.fullmatch(r"(\d{1,9})(?:\.(\d{1,9}))?(?:\.\d{1,9})*", version) if isinstance(version, str) else None
    return (int(found[1]), int(found[2] or 0)) if found else None


def _is_version(data: Any) -> bool:
    review = data.get("review") if isinstance(data, dict) else None
    claims = review.get("claims") if isinstance(review, dict) else None
    return isinstance(claims, dict) and all(isinstance(claim, dict) for claim in claims.values())


def _entry(review: PaperReview, made_from: Mapping[str, Mapping[str, str]]) -> dict[str, Any]:
    """A version but for its number and run, as it will come back from the file (so that both compare equal)."""
    known, screening = review.bibliography, review.screening
    entry = {
        "state": review.state,
        "error": review.error,
        "error_type": review.error_type,
        "made_from": dict(made_from.get(review.paper.id, {})),
        "review": {
            "title": known.title,
            "authors": known.authors,
            "year": known.year,
            "doi": known.doi,
            "language": known.language,
            "duplicate_of": review.duplicate_of,
            "screening": {"included": screening.included, "criterion": screening.criterion,
                          "reason": screening.reason},
            "claims": {claim.id: {name: getattr(claim, name) for name in _SUMMARY} for claim in review.claims},
        },
    }  # fmt: skip
    try:
        same: dict[str, Any] = json.loads(json.dumps(entry, allow_nan=False))
    except ValueError as error:
        raise ValueError(f"the review of {review.paper.id!r} cannot be kept: {error}") from error
    return same


def _found(version: Mapping[str, Any]) -> tuple[Any, ...]:
    """What makes two versions differ."""
    return version.get("state"), version.get("error_type"), version["review"]


def _changes(old: Mapping[str, Any], new: Mapping[str, Any]) -> dict[str, list[str]]:
    """Ids of the claims that came, went, and say something else."""
    before: dict[str, Any] = old["review"]["claims"] if old else {}
    after: dict[str, Any] = new["review"]["claims"]
    return {
        "added": [claim for claim in after if claim not in before],
        "removed": [claim for claim in before if claim not in after],
        "changed": [claim for claim in after if claim in before and after[claim] != before[claim]],
    }


def _dump(data: Mapping[str, Any]) -> bytes:
    """The whole file, one version a line; keys that we do not know are kept."""
    head = [f"{_json(key)}: {_json(value)}" for key, value in data.items() if key != "papers"]
    papers = ",\n".join(
        f"  {_json(paper)}: [\n   " + ",\n   ".join(map(_json, versions)) + "\n  ]"
        for paper, versions in data["papers"].items()
    )
    return ("{\n " + ",\n ".join([*head, f'"papers": {{\n{papers}\n }}']) + "\n}\n").encode()


def _json(data: Any) -> str:
    """JSON that people can read; escaped where it holds lone surrogates, which no UTF-8 file can."""
    text = json.dumps(data, ensure_ascii=False)
    try:
        text.encode()
    except UnicodeEncodeError:
        return json.dumps(data)
    return text


@contextmanager
def _one_process(path: str, busy_seconds: float) -> Iterator[None]:
    """Holds other processes off the file while it is read and replaced, by a lock on its folder, which leaves
    no lock file behind. Where the system has no such locks (Windows, some network file systems), it holds none.
    """
    folder = os.path.dirname(path)
    make_folder(folder)
    try:
        import fcntl
    except ImportError:
        yield
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        _take(fcntl, descriptor, path, busy_seconds)
        yield
    finally:
        os.close(descriptor)


def _take(fcntl: Any, descriptor: int, path: str, busy_seconds: float) -> None:
    give_up = time.monotonic() + busy_seconds
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return
        except BlockingIOError:
            if time.monotonic() >= give_up:
                raise StoreError(f"{path} is being written by another process, which did not finish within "
                                 f"{busy_seconds:g} s: wait for it to end, then run again") from None  # fmt: skip
        except OSError:
            return  # no such locks here
        time.sleep(0.01)
