"""Reads RIS and BibTeX files into entries. A damaged entry is left out and told; the others are kept.

    bytes -> encoding found -> rispy: one record at a time       -> ReferenceEntry, problems
                            -> bibtexparser: blocks, TeX undone  -> ReferenceEntry, problems

The two libraries (the extra `references`) are imported only when such a file is there.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from typing import Any

from literature_review.documents.identify import find_doi, year_in
from literature_review.documents.plain_text import decode
from literature_review.documents.tex import plain_from_tex, tex_names
from literature_review.errors import UnreadablePaperError

PACKAGES = {"RIS": "rispy", "BibTeX": "bibtexparser"}
MAX_BYTES = 32 * 1024 * 1024
MAX_ENTRIES = 100_000
_MAX_FIELD, _MAX_AUTHORS = 1_000, 200

_RIS_TAG = re.compile(r"^[ \t]*([A-Z][A-Z0-9]) {1,3}-(?: |$)", re.M)
_RIS_TITLES, _RIS_YEARS, _RIS_FILES = ("TI", "T1", "CT", "BT"), ("PY", "Y1", "DA"), ("L1", "L2", "L4", "LK")
_RIS_LISTS = ("AU", "A1", "UR", "L1", "L2", "L4", "LK", "M3")
_RIS_MAPPING = {tag: tag for tag in ("TY", "ER", "UK", "DO", *_RIS_TITLES, *_RIS_YEARS, *_RIS_LISTS)}
_BIBTEX_FILES = ("file", "pdf", "localfile", "local-url")
_UNESCAPED_PART = re.compile(r"(?:[^\\:;]|\\.)+")
_SUFFIX = re.compile(r"^(?:jr|sr|ii|iii|iv)\.?$", re.I)
_MARKS = re.compile(r"</?(?:i|b|u|em|strong|sub|sup|sc|scp|span|p|title)(?: [^<>]{0,100})?/?>", re.I)
_ENTITY = re.compile(r"&#?\w{1,31};")
_CONTROLS = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\ufdd0-\ufdd4\ufffe\uffff]+")


@dataclass(frozen=True)
class ReferenceEntry:
    """One entry. `kind`: RIS or BibTeX; `file`: name of the file it stands in; `place`: where in it; `papers`: what
    it names as the paper's file, as written; `key`: by what BibTeX cites it. Fields that the entry lacks, or that make
    no sense, are empty."""

    kind: str
    file: str
    place: str
    title: str = ""
    authors: tuple[str, ...] = ()
    year: int | None = None
    doi: str = ""
    papers: tuple[str, ...] = ()
    key: str = ""

    @property
    def source(self) -> str:
        """Where its fields come from, as `Bibliography.sources` says it: `RIS (library.ris)`."""
        return f"{self.kind} ({self.file})"


def kind_of_references(name: str) -> str:
    """`RIS` or `BibTeX`, by the ending."""
    return "RIS" if name.lower().endswith(".ris") else "BibTeX"


def missing_package(name: str) -> str:
    """The package that this file needs and that is not installed, or an empty text. Imports nothing."""
    package = PACKAGES[kind_of_references(name)]
    return "" if find_spec(package) is not None else package


def read_references(path: str, name: str) -> tuple[list[ReferenceEntry], list[str]]:
    """The entries of the file, and one line per problem. `name`: what the file is called in these.

    Needs the package that `missing_package` names. Never raises for what stands in the file."""
    try:
        with open(path, "rb") as file:
            data = file.read(MAX_BYTES + 1)
    except OSError as error:
        return [], [f"{name} is not used: it cannot be opened ({error.strerror}); allow this user to read it"]
    if len(data) > MAX_BYTES:
        return [], [f"{name} is not used: it has more than {MAX_BYTES >> 20} MiB; split it"]
    try:
        text = decode(data)[0].replace("\r\n", "\n").replace("\r", "\n")
    except UnreadablePaperError:
        return [], [f"{name} is not used: it is binary, not text; export it again as UTF-8"]
    kind = kind_of_references(name)
    found = _ris(text, name) if kind == "RIS" else _bibtex(text, name)
    entries: list[ReferenceEntry] = []
    problems: list[str] = []
    for one in found:
        if isinstance(one, str):
            problems.append(f"{name} {one}")
        elif len(entries) < MAX_ENTRIES:
            entries.append(one)
        else:
            problems.append(f"{name}: the entries beyond the first {MAX_ENTRIES:,} are left out; split it")
            break
    if not entries and not problems:
        problems.append(f"{name} is not used: no {kind} entry stands in it")
    return entries, problems


def _ris(text: str, name: str) -> Iterator[ReferenceEntry | str]:
    """Entry after entry, a line for each that cannot be read. A record that breaks off keeps what it has."""
    from importlib import import_module

    text = _RIS_TAG.sub(lambda tag: f"{tag.group(1)}  - ", text)
    head, *records = re.split(r"^(?=TY  - )", text, flags=re.M)
    line = 1 + head.count("\n")
    for record in records:
        place, line = f"line {line}", line + record.count("\n")
        try:
            found = import_module("rispy").loads(
                record.rstrip() + "\nER  - \n",
                mapping=_RIS_MAPPING,
                list_tags=list(_RIS_LISTS),
                delimiter_tags_mapping={},
                skip_unknown_tags=True,
            )
            yield _from_ris(found[0], name, place)
        except (KeyError, IndexError, ValueError, AttributeError, TypeError) as error:
            yield f"{place}: the entry cannot be read ({type(error).__name__}) and is left out"


def _from_ris(record: Mapping[str, Any], name: str, place: str) -> ReferenceEntry:
    lists = {tag: [str(value) for value in record.get(tag) or ()] for tag in _RIS_LISTS}
    dates = [str(record.get(tag) or "") for tag in _RIS_YEARS]
    return ReferenceEntry(
        "RIS",
        name,
        place,
        title=_title(next((str(record[tag]) for tag in _RIS_TITLES if record.get(tag)), "")),
        authors=_names(lists["AU"] or lists["A1"]),
        year=next((year for date in dates if (year := year_in(date))), None),
        doi=find_doi(str(record.get("DO") or ""), *lists["M3"], *lists["UR"], *lists["LK"]),
        papers=tuple(value[:_MAX_FIELD] for tag in _RIS_FILES for value in lists[tag])[:20],
    )


def _bibtex(text: str, name: str) -> Iterator[ReferenceEntry | str]:
    import logging

    from bibtexparser.entrypoint import parse_string
    from bibtexparser.model import Entry

    logging.getLogger("bibtexparser").setLevel(logging.CRITICAL)  # what it cannot read is told by us, in a line
    library = parse_string(text.removeprefix("\ufeff"))
    for block in library.blocks:
        entry = block if isinstance(block, Entry) else getattr(block, "ignore_error_block", None)
        place = f"line {(block.start_line or 0) + 1}"
        if isinstance(entry, Entry):
            yield _from_bibtex(entry, name, f"{place} ({_plain(entry.key)[:60]})")
        elif hasattr(block, "ignore_error_block"):
            why = _plain(str(getattr(block, "error", "")))[:120]
            yield f"{place}: the entry cannot be read ({why or 'no BibTeX'}) and is left out"


def _from_bibtex(entry: Any, name: str, place: str) -> ReferenceEntry:
    fields: dict[str, str] = {}
    for field in entry.fields:
        fields.setdefault(str(field.key).lower(), str(field.value))
    links = (fields.get(key, "") for key in ("url", "howpublished", "note", "eprint"))
    dates = (fields.get("year", ""), fields.get("date", ""))
    return ReferenceEntry(
        "BibTeX",
        name,
        place,
        title=_title(plain_from_tex(fields.get("title", "")[: 4 * _MAX_FIELD])),
        authors=_names(tex_names(fields.get("author", ""))),
        year=next((year for date in dates if (year := year_in(date))), None),
        doi=find_doi(plain_from_tex(fields.get("doi", "")[:_MAX_FIELD]), *links),
        papers=tuple(path for key in _BIBTEX_FILES for path in _bibtex_files(fields.get(key, "")))[:20],
        key=_plain(entry.key)[:200],
    )


def _bibtex_files(value: str) -> list[str]:
    """The paths in a field such as `Full Text:files/12/a.pdf:application/pdf;Notes:b.txt:text/plain`: each part
    between colons may be one."""
    value = value[: 4 * _MAX_FIELD]
    parts = [re.sub(r"\\([\\:;_&%#$ ])", r"\1", part) for part in _UNESCAPED_PART.findall(value)]
    return [part.strip() for part in (*parts, value) if "." in part]


def _names(names: Sequence[str]) -> tuple[str, ...]:
    """Names as they are spoken: "Byron, Ada" is Ada Byron."""
    spoken = (_spoken(_plain(name)[:200]) for name in names[:_MAX_AUTHORS])
    return tuple(name for name in spoken if any(char.isalpha() for char in name) and name.lower() != "others")


def _spoken(name: str) -> str:
    parts = [part.strip() for part in name.split(",")]
    if len(parts) == 3 and _SUFFIX.match(parts[1]):
        parts = [f"{parts[0]} {parts[1]}", parts[2]]
    if len(parts) == 3 and _SUFFIX.match(parts[2]):
        parts = [f"{parts[0]} {parts[2]}", parts[1]]
    return f"{parts[1]} {parts[0]}".strip() if len(parts) == 2 else name.strip(" ,")


def _title(text: str) -> str:
    """A title without the marks that programs put into it: <i>, <sub>, &amp;."""
    if "&" in text:
        from html import unescape

        text = _ENTITY.sub(lambda found: unescape(found[0]), text)
    return _plain(_MARKS.sub("", text))


def _plain(text: str) -> str:
    """One line without control characters, at most 1,000 characters."""
    return " ".join(_CONTROLS.sub(" ", text).split())[:_MAX_FIELD].strip()
