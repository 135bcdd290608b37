"""What RIS and BibTeX files beside the papers say of them: it stands above a file's fields and its first page.

    entries -> by the file they name | by DOI | by title and year -> the paper's entry -> Bibliography completed

An entry names a file in a field of its own; without one, by the key that BibTeX cites it by, or as the only entry of
a reference file that is called as the paper is (`smith2020.ris` beside `smith2020.pdf`). Nothing that an entry names
is opened: its file is compared with the papers' ids as text.
"""

from __future__ import annotations

import hashlib
import json
import re
import threading
import unicodedata
from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from urllib.parse import unquote

from literature_review.documents.identify import FILE, identify_front
from literature_review.documents.reference_files import ReferenceEntry, missing_package, read_references
from literature_review.models import Bibliography, Document, PaperFile

_EXTRA = "pip install 'literature-review-pipeline[references]'"
_SHORTEST_TITLE = 12  # letters and digits; what is shorter names no work
_OPENING = 30  # so many of a title at least, where it is looked for on the page itself
_HEAD_CHARACTERS = 2_000
# A supplement or a correction gives the DOI and the title of its article, and is none.
_BELONGS = re.compile(
    r"\W*(?:online |electronic )?(?:supplement(?:s|ary|al)?|supporting|additional (?:file|material)s?|appendix|"
    r"(?:author |publisher )?correction|corrigendum|erratum|retraction|comment|reply|response)\b",
    re.I,
)
_MOST_PROBLEMS = 20  # lines per file

Path = tuple[str, ...]
"""The parts of a path, as `_path` folds them."""


class ReferenceLibrary:
    """Keeps the promise of ports.References. Thread-safe; reads its files when it is made, and never again.

    `used`: file -> how many entries were read from it; `problems`: a line for each file or entry that was not;
    of one paper's entries the first counts: by file before DOI before title, then as they stand in the files.
    """

    def __init__(self, files: Sequence[tuple[str, str]], papers: Iterable[PaperFile]) -> None:
        """`files`: name below the papers folder, and path. An entry that names a copy speaks of the first."""
        self.problems: list[str] = []
        self.used: dict[str, int] = {}
        self._entries: list[ReferenceEntry] = []
        self._read(files)
        titles = [_letters(entry.title) for entry in self._entries]
        self._by_doi = _places(entry.doi for entry in self._entries)
        self._by_title = _places(title if len(title) >= _SHORTEST_TITLE else "" for title in titles)
        self._by_opening = _places(title[:_OPENING] if len(title) >= _OPENING else "" for title in titles)
        self._by_file = self._match_files(papers)
        self._lock = threading.Lock()  # guards the two below
        self._found: dict[PaperFile, tuple[int, ...]] = {}
        self._doubled: dict[str, str] = {}

    @property
    def unused(self) -> tuple[str, ...]:
        """The files from which nothing could be taken."""
        return tuple(name for name, count in self.used.items() if not count)

    def digest(self, paper: PaperFile, known: Callable[[], Document | None]) -> str:
        """16 hexadecimal digits of what is said of the paper; "" where nothing is, or the paper was never read."""
        with self._lock:
            found = self._found.get(paper)
        if found is None and paper.id in self._by_file:
            found = self._look_for(paper, None, "")
        if found is None:
            document = known()
            if document is None:
                return ""
            found = self._look_for(paper, identify_front(document), document.text)
        if not found:
            return ""
        entry = self._entries[found[0]]
        said = [entry.title, entry.authors, entry.year, entry.doi, entry.source]
        return hashlib.sha256(json.dumps(said).encode("ascii")).hexdigest()[:16]

    def completed(self, paper: PaperFile, document: Document, own: Bibliography) -> Bibliography:
        """`own` with what the paper's entry says in its place, each field with the file that it came from."""
        found = self._look_for(paper, own, document.text)
        if not found:
            return own
        entry = self._entries[found[0]]
        said = {"title": entry.title, "authors": entry.authors, "year": entry.year, "doi": entry.doi}
        sources = {name: entry.source for name, value in said.items() if value}
        return replace(
            own,
            title=entry.title or own.title,
            authors=entry.authors or own.authors,
            year=entry.year or own.year,
            doi=entry.doi or own.doi,
            sources={**own.sources, **sources},
        )

    def without_paper(self) -> list[str]:
        """A line for each work without a paper, as far as papers were asked about; where several entries name it
        (an export of a library in two formats), for the first."""
        with self._lock:
            matched = {at for found in (*self._found.values(), *self._by_file.values()) for at in found}
        lone = _works(entry for at, entry in enumerate(self._entries) if at not in matched)
        return [f"{_place(entry)}: no paper is the one that it names: {_called(entry)}" for entry in lone]

    def doubled(self) -> list[str]:
        """A line for each paper with several entries that differ, as far as papers were asked about."""
        with self._lock:
            return [self._doubled[paper] for paper in sorted(self._doubled)]

    def _read(self, files: Sequence[tuple[str, str]]) -> None:
        missing = {name: package for name, _ in files if (package := missing_package(name))}
        if missing:
            packages = sorted(set(missing.values()))
            named = f"package{'s' if len(packages) > 1 else ''} {' and '.join(packages)}"
            self.problems.append(f"{', '.join(missing)}: not used without the {named}: {_EXTRA}")
        for name, path in files:
            entries, problems = ([], []) if name in missing else read_references(path, name)
            self.used[name] = len(entries)
            self._entries += entries
            self.problems += problems[:_MOST_PROBLEMS]
            if len(problems) > _MOST_PROBLEMS:
                self.problems.append(f"{name}: {len(problems) - _MOST_PROBLEMS} further entries cannot be read")

    def _match_files(self, papers: Iterable[PaperFile]) -> dict[str, tuple[int, ...]]:
        """Paper id -> the entries that name its file; of several files of an entry the first that is a paper."""
        by_name: dict[str, list[str]] = {}
        by_stem: dict[str, list[str]] = {}
        first: dict[str, str] = {}
        for paper in papers:
            by_name.setdefault(_path(paper.id)[-1], []).append(paper.id)
            by_stem.setdefault(_stem(paper.id)[-1], []).append(paper.id)
            first[paper.id] = paper.duplicate_of or paper.id
        found: dict[str, tuple[int, ...]] = {}
        for at, entry in enumerate(self._entries):
            folder = _path(entry.file)[:-1]
            named = (_named(_path(path), folder, by_name, _path) for path in entry.papers)
            called = (_named(stem, folder, by_stem, _stem) for stem in self._stems(entry))
            match = next(filter(None, (*named, *called)), "")
            if match:
                found[first[match]] = (*found.get(first[match], ()), at)
        return found

    def _stems(self, entry: ReferenceEntry) -> Iterator[tuple[str, ...]]:
        """What the paper's file may be called, without its ending, where the entry names none."""
        if self.used[entry.file] == 1:
            yield _stem(entry.file)
        if entry.key:
            yield _path(entry.key)[-1:]

    def _look_for(self, paper: PaperFile, own: Bibliography | None, text: str) -> tuple[int, ...]:
        """The paper's entries, the one that counts first, with all that say the same of themselves as that one."""
        candidates = list(self._by_file.get(paper.id, ()))
        if own is not None:
            named = [*self._by_doi.get(own.doi, ()), *self._titled(own, text)]
            belongs = _BELONGS.match(own.title or text[:_HEAD_CHARACTERS].strip())
            candidates += [at for at in named if not belongs or _BELONGS.match(self._entries[at].title)]
        if candidates:
            chosen = self._entries[candidates[0]]
            candidates += self._by_doi.get(chosen.doi, ())
            candidates += self._titled(Bibliography(chosen.title, year=chosen.year, doi=chosen.doi), "")
        found = tuple(dict.fromkeys(candidates))
        with self._lock:
            self._found[paper] = found
            if len({_said(self._entries[at]) for at in found}) > 1:
                places = "; ".join(_place(self._entries[at]) for at in found[:5])
                self._doubled[paper.id] = f"{paper.id}: {len(found)} entries differ, the first is used: {places}"
        return found

    def _titled(self, own: Bibliography, text: str) -> list[int]:
        """The entries with this title, or one that stands at the head of the text, of the same year or nearly."""
        found = list(self._by_title.get(_letters(own.title), ()))
        head = _letters(text[:_HEAD_CHARACTERS]) if not found and self._by_opening else ""
        for start in range(len(head) - _OPENING + 1):
            for at in self._by_opening.get(head[start : start + _OPENING], ()):
                if head.startswith(_letters(self._entries[at].title), start):
                    found.append(at)
        fitting = [at for at in dict.fromkeys(found) if _may_be(self._entries[at], own)]
        return sorted(fitting, key=lambda at: (self._entries[at].year != own.year, at))


def _works(entries: Iterable[ReferenceEntry]) -> list[ReferenceEntry]:
    """The first entry of each work: the same DOI is one work, and so is the same title where not both have a DOI."""
    dois: set[str] = set()
    titles: dict[str, set[str]] = {}  # title -> the DOIs of its works, "" for one without
    works = []
    for entry in entries:
        title = _letters(entry.title)
        of_title = titles.get(title, set()) if len(title) >= _SHORTEST_TITLE else set()
        if entry.doi in dois or (of_title and ("" in of_title or not entry.doi)):
            continue
        dois.update({entry.doi} - {""})
        titles.setdefault(title, set()).add(entry.doi)
        works.append(entry)
    return works


def _may_be(entry: ReferenceEntry, own: Bibliography) -> bool:
    """False for another work of the same title: of another DOI, or of years that lie apart. A year that is only
    the date at which the PDF was made says little."""
    if entry.doi and own.doi:
        return entry.doi == own.doi
    if entry.year is None or own.year is None or own.sources.get("year") == FILE:
        return True
    return abs(entry.year - own.year) <= 1


def _named(
    wanted: Path, folder: Path, by_name: Mapping[str, Sequence[str]], parts_of: Callable[[str], Path]
) -> str:
    """The paper that an entry of a file in `folder` names: the one whose path ends most like `wanted`. "" for none,
    and where two are as near. `by_name`: last part of a path -> ids of papers; `parts_of`: id -> its path's parts."""
    ranked: dict[int, list[str]] = {}
    for paper in by_name.get(wanted[-1], ()):
        parts = parts_of(paper)
        shared = next((n for n, (a, b) in enumerate(zip(wanted[::-1], parts[::-1], strict=False)) if a != b), 10**6)
        ranked.setdefault(10**9 if parts == (*folder, *wanted) else shared, []).append(paper)
    best = ranked[max(ranked)] if ranked else []
    return best[0] if len(best) == 1 else ""


def _stem(path: str) -> Path:
    """The parts of a path, the last without its ending."""
    *folder, name = _path(path)
    return (*folder, name.rpartition(".")[0] or name)


def _path(path: str) -> Path:
    """The parts of a path or a file's address, in small letters of one form."""
    plain = unicodedata.normalize("NFC", unquote(path.replace("\\", "/"))).casefold()
    parts = tuple(part for part in plain.removeprefix("file:").split("/") if part not in ("", "."))
    return parts or ("",)


def _places(keys: Iterable[str]) -> dict[str, tuple[int, ...]]:
    """Key -> where it stands; empty keys are left out."""
    found: dict[str, list[int]] = {}
    for at, key in enumerate(keys):
        if key:
            found.setdefault(key, []).append(at)
    return {key: tuple(places) for key, places in found.items()}


def _letters(text: str) -> str:
    """Letters and digits alone, in small letters without accents, as titles are compared."""
    return "".join(char for char in unicodedata.normalize("NFKD", text).casefold() if char.isalnum())


def _said(entry: ReferenceEntry) -> Hashable:
    return _letters(entry.title), tuple(map(_letters, entry.authors)), entry.year, entry.doi


def _place(entry: ReferenceEntry) -> str:
    return f"{entry.file} {entry.place}"


def _called(entry: ReferenceEntry) -> str:
    if entry.title:
        return f'"{entry.title[:100]}"'
    return entry.doi or "it has neither title nor DOI"
