"""Says whether two papers are the same work, or near to each other without being the same. Pure."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping

from literature_review.models import Bibliography

SAME, SUPPLEMENT, PREPRINT = "same", "supplement", "preprint"

_SUPPLEMENT = re.compile(
    r"\b(?:supplement(?:ary|al)?|supporting information|additional file|online appendix|appendices|appendix)\b",
    re.I,
)
_SUPPLEMENT_WORDS = re.compile(
    r"\b(?:supplement(?:ary|al)?|supporting|additional|online|appendix|appendices|information|materials?|methods|data|"
    r"files?|figures?|tables?|to|for|of|the|[a-z]?\d+)\b",
    re.I,
)
_SUPPLEMENT_DOI = re.compile(r"[./](?:supp(?:l|lement)?[-_.]?\d*|s\d{3}|sm\d*)$")
_PREPRINT_DOIS = (
    "10.1101/",
    "10.48550/",
    "10.21203/",
    "10.31234/",
    "10.20944/",
    "10.26434/",
    "10.2139/",
    "10.36227/",
)
_VERSION = re.compile(r"(?:/v|v|\.v)\d{1,2}$")
_YEARS_TO_PRINT = 3
_MOST_NAMES = 50  # of a paper that are compared
_MOST_ALIKE = 200  # of papers under one title ("Editorial"): more are not compared


def relation(one: Bibliography, other: Bibliography) -> str:
    """`same`, `supplement`, `preprint`, or an empty text where nothing connects them.

    The same work: the same DOI; or the same title, authors and year, where not both name a DOI. A supplement
    shares title or DOI and calls itself one. A preprint shares title and first author, and comes from a
    preprint server or up to three years earlier under another DOI. Symmetric. Unknown fields prove nothing.
    """
    if _is_supplement(one) != _is_supplement(other):
        connected = _same_doi(one, other) or _same_core_title(one, other)
        return SUPPLEMENT if connected else ""
    if _same_doi(one, other):
        return SAME
    if not _same_title(one, other) or not _share_author(one, other):
        return ""
    if one.doi and other.doi:
        return PREPRINT if _is_preprint(one) != _is_preprint(other) and _near_in_time(one, other) else ""
    if one.authors and _same_authors(one, other) and one.year is not None and one.year == other.year:
        return SAME
    return PREPRINT if _is_preprint(one) != _is_preprint(other) and _near_in_time(one, other) else ""


def same_work(one: Bibliography, other: Bibliography) -> bool:
    """True where both are the same work; a supplement and a preprint are none."""
    return relation(one, other) == SAME


def find_related(papers: Mapping[str, Bibliography]) -> dict[str, dict[str, str]]:
    """For each paper (by id) the papers that it is related to, with the relation. Compares only papers that
    share a DOI or a title, so that the time does not grow with the square of their number."""
    groups: dict[str, list[str]] = {}
    for id_, paper in papers.items():
        for key in {f"doi:{_plain_doi(paper.doi)}" if paper.doi else "", _core_title(paper.title)} - {""}:
            groups.setdefault(key, []).append(id_)
    related: dict[str, dict[str, str]] = {}
    for ids in groups.values():
        for at, first in enumerate(ids[:_MOST_ALIKE]):
            for second in ids[at + 1 : _MOST_ALIKE]:
                kind = relation(papers[first], papers[second])
                if kind:
                    related.setdefault(first, {})[second] = kind
                    related.setdefault(second, {})[first] = kind
    return related


def _plain_doi(doi: str) -> str:
    plain = re.sub(r"^(?:https?://(?:dx\.)?doi\.org/|doi:\s*)", "", doi.strip().lower())
    return _VERSION.sub("", plain) if plain.startswith(_PREPRINT_DOIS) else _SUPPLEMENT_DOI.sub("", plain)


def _same_doi(one: Bibliography, other: Bibliography) -> bool:
    return bool(one.doi) and _plain_doi(one.doi) == _plain_doi(other.doi)


def _folded(text: str) -> str:
    """Letters and digits alone, without accents, in small letters, parted by single spaces."""
    plain = unicodedata.normalize("NFKD", text.casefold())
    plain = "".join(char for char in plain if not unicodedata.combining(char))
    return " ".join(re.findall(r"\w+", plain))


def _same_title(one: Bibliography, other: Bibliography) -> bool:
    title = _folded(one.title)
    return len(title) >= 10 and title == _folded(other.title)


def _core_title(title: str) -> str:
    """The title without the words that make it a supplement's."""
    folded = _folded(title)
    return " ".join(_SUPPLEMENT_WORDS.sub(" ", folded).split())


def _same_core_title(one: Bibliography, other: Bibliography) -> bool:
    core = _core_title(one.title)
    return len(core) >= 10 and core == _core_title(other.title)


def _name(author: str) -> tuple[str, str]:
    """Surname and first initial of "Byron, Ada", "Ada Byron", "A. Byron" and "Byron A" alike."""
    author = author.strip()
    if "," in author:
        last, _, first = author.partition(",")
    elif re.search(r"\s(?:[A-Z]\.?){1,3}$", author):
        last, _, first = author.rpartition(" ")
    else:
        first, _, last = author.rpartition(" ")
    surname = _folded(last).split()
    return (surname[-1] if surname else ""), _folded(first)[:1]


def _names(paper: Bibliography) -> list[tuple[str, str]]:
    return [name for name in map(_name, paper.authors) if name[0]]


def _alike(one: tuple[str, str], other: tuple[str, str]) -> bool:
    return one[0] == other[0] and (one[1] == other[1] or not one[1] or not other[1])


def _same_authors(one: Bibliography, other: Bibliography) -> bool:
    """The same names in order, or the shorter list is how the longer begins (files name the first alone)."""
    pairs = list(zip(_names(one), _names(other), strict=False))
    return bool(pairs) and all(_alike(first, second) for first, second in pairs)


def _share_author(one: Bibliography, other: Bibliography) -> bool:
    return any(_alike(first, second) for first in _names(one)[:_MOST_NAMES] for second in _names(other)[:_MOST_NAMES])


def _near_in_time(one: Bibliography, other: Bibliography) -> bool:
    return one.year is None or other.year is None or abs(one.year - other.year) <= _YEARS_TO_PRINT


def _is_preprint(paper: Bibliography) -> bool:
    return paper.doi.lower().startswith(_PREPRINT_DOIS)


def _is_supplement(paper: Bibliography) -> bool:
    return bool(_SUPPLEMENT.match(paper.title.strip()) or _SUPPLEMENT_DOI.search(paper.doi.lower())) or bool(
        re.search(r"[:(\[–—-]\s*(?:supplement|supporting information|online appendix)", paper.title, re.I)
    )
