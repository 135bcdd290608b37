"""Which papers are the same work, and which are only near to one another. Pure; time linear in the papers.

    same DOI | same title, authors and year             -> the same work: counted once, under the first
    two different DOIs                                  -> two works, whatever else is the same
    supplement, preprint, correction, another edition   -> related: both stay

Files with the same bytes were recognised before anything was read; here, texts that differ are compared by what
they say they are.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any

from literature_review.models import Bibliography, PaperReview

SHORTEST_TITLE = 12
"""Letters; what is shorter ("Editorial", "Introduction") names no work."""

MOST_COMPARED = 20
"""First papers of one title that a paper is compared with; a title of hundreds is that of a form, not of a work."""

_SUPPLEMENT = re.compile(
    r"\b(?:supplement(?:s|ary|al)?|supporting information|online resource|additional file|appendix|appendices)\b",
    re.IGNORECASE,
)
_SUPPLEMENT_FILE = re.compile(
    r"(?:^|[\W_])(?:suppl?|supplement\w*|esm|moesm\d*)(?:$|[\W_\d])"
    r"|(?:^|[\W_])(?:supporting\w*|appendix|si)[\W_]?\d*$",
    re.IGNORECASE,
)
_SUPPLEMENT_DOI = re.compile(r"\.(?:s|sup|suppl)\d*$")
_CORRECTION = re.compile(
    r"^(?:(?:author |publisher )?correction|corrigendum|erratum|retraction|expression of concern|comment|reply"
    r"|response)\b",
    re.IGNORECASE,
)
_VERSION = re.compile(r"[./]?v\d{1,2}$")
_PREPRINT_DOIS = (
    "10.1101/", "10.48550/", "10.21203/", "10.31234/", "10.31219/", "10.20944/", "10.26434/", "10.2139/ssrn",
    "10.22541/", "10.36227/",
)  # fmt: skip


@dataclass(frozen=True)
class SameWork:
    """What was found. `first`: paper id -> the paper it repeats; `why`: paper id -> by what they were found the
    same; `related`: paper id -> other paper -> what it is to the other."""

    first: Mapping[str, str]
    why: Mapping[str, str]
    related: Mapping[str, Mapping[str, str]]

    def to_json(self) -> dict[str, Any]:
        return {
            "duplicates": dict(self.first),
            "why": dict(self.why),
            "related": {paper: dict(others) for paper, others in self.related.items()},
        }


def find_same_works(reviews: Iterable[PaperReview]) -> SameWork:
    """Compares the papers that were identified. Of the same work the first that was reviewed counts (by id);
    where none was, the first."""
    known = [review for review in sorted(reviews, key=_rank) if review.state != "duplicate"]
    found = _Finding()
    for group in _groups(known):
        found.compare_all(group)
    return SameWork(found.first, found.why, found.related)


class _Finding:
    """What has been found so far, group after group. A paper is compared with first papers alone: what is the same
    as a copy, but not as its first, is another work."""

    def __init__(self) -> None:
        self.first: dict[str, str] = {}
        self.why: dict[str, str] = {}
        self.related: dict[str, dict[str, str]] = {}
        self._dois: dict[str, str] = {}  # first paper -> the DOI of its work, its own or that of a copy

    def compare_all(self, group: Sequence[PaperReview]) -> None:
        firsts: list[PaperReview] = []
        for review in group:
            near = firsts[-MOST_COMPARED:]
            if review.paper.id not in self.first and not any(self._is_same(one, review) for one in near):
                self._relate(review, near)
                firsts.append(review)

    def _is_same(self, one: PaperReview, review: PaperReview) -> bool:
        same, why = compare(one, review)
        doi, other = self._doi(one), folded_doi(review.bibliography.doi)
        if not same or (doi and other and doi != other):
            return False
        self.first[review.paper.id], self.why[review.paper.id] = one.paper.id, why
        self._dois[one.paper.id] = doi or other
        return True

    def _doi(self, review: PaperReview) -> str:
        return self._dois.get(review.paper.id) or folded_doi(review.bibliography.doi)

    def _relate(self, review: PaperReview, others: Sequence[PaperReview]) -> None:
        for other in others:
            relation = compare(other, review)[1]
            if relation:
                self.related.setdefault(review.paper.id, {})[other.paper.id] = relation
                self.related.setdefault(other.paper.id, {})[review.paper.id] = compare(review, other)[1]


def _rank(review: PaperReview) -> tuple[bool, str]:
    return review.state != "reviewed", review.paper.id


def _groups(reviews: Sequence[PaperReview]) -> list[list[PaperReview]]:
    """Papers that share a DOI (a supplement's counts as its paper's) or a title; one paper may be in two."""
    by_key: dict[str, list[PaperReview]] = {}
    for review in reviews:
        for key in _keys(review.bibliography):
            by_key.setdefault(key, []).append(review)
    return [group for group in by_key.values() if len(group) > 1]


def _keys(bibliography: Bibliography) -> list[str]:
    doi, title = folded_doi(bibliography.doi), folded_title(bibliography.title)
    return [key for key in (doi and f"doi {_SUPPLEMENT_DOI.sub('', doi)}", title and f"title {title}") if key]


def compare(one: PaperReview, other: PaperReview) -> tuple[bool, str]:
    """Whether two papers are the same work, and by what; or (False, what the second is to the first)."""
    a, b = one.bibliography, other.bibliography
    doi, other_doi = folded_doi(a.doi), folded_doi(b.doi)
    same_doi = bool(doi) and doi == other_doi
    same_title = bool(folded_title(a.title)) and folded_title(a.title) == folded_title(b.title)
    if _is_supplement(one) != _is_supplement(other):
        return False, "supplement" if _is_supplement(other) else "main article"
    if bool(_CORRECTION.match(a.title)) != bool(_CORRECTION.match(b.title)):
        return False, "correction or comment" if _CORRECTION.match(b.title) else "corrected article"
    if same_doi:
        return True, "same DOI"
    if not same_title or not same_authors(a.authors, b.authors):
        return False, ""
    if _is_preprint(doi) != _is_preprint(other_doi) and doi and other_doi:
        return False, "preprint" if _is_preprint(other_doi) else "published version"
    if a.year is None or a.year != b.year:
        return False, "the same title, of another or unknown year"
    if doi and other_doi:
        return False, "same title, authors and year, another DOI"
    return True, "same title, authors and year"


def _is_supplement(review: PaperReview) -> bool:
    name = review.paper.id.rpartition("/")[2]
    return bool(
        _SUPPLEMENT.search(review.bibliography.title)
        or _SUPPLEMENT_FILE.search(name.rpartition(".")[0] or name)
        or _SUPPLEMENT_DOI.search(folded_doi(review.bibliography.doi))
    )


def _is_preprint(doi: str) -> bool:
    return doi.startswith(_PREPRINT_DOIS)


@lru_cache(maxsize=8192)
def folded_doi(doi: str) -> str:
    """A DOI in lower case, without the address that it is written as and a preprint's version; empty for none."""
    found = re.search(r"10\.\d{4,9}/\S+", doi.lower())
    plain = found.group().rstrip(".,;)") if found else ""
    return _VERSION.sub("", plain) if plain.startswith(_PREPRINT_DOIS) else plain


@lru_cache(maxsize=8192)
def folded_title(title: str) -> str:
    """A title by its words alone, without the mark of a supplement; empty where too short to name a work."""
    plain = unicodedata.normalize("NFKD", _SUPPLEMENT_MARK.sub("", title)).casefold()
    words = "".join(c if c.isalnum() else " " for c in plain if not unicodedata.combining(c)).split()
    joined = " ".join(words)
    return joined if len(joined) >= SHORTEST_TITLE else ""


_SUPPLEMENT_MARK = re.compile(
    r"^(?:online )?(?:supplement(?:s|ary|al)?|supporting|additional)\b"
    r"(?: (?:information|materials?|data|file|appendix))?\s*(?:\d+\s*)?(?:for|to|of)?\s*[:.\u2013-]?\s*",
    re.IGNORECASE,
)


def same_authors(one: Sequence[str], other: Sequence[str]) -> bool:
    """Whether two lists name the same people by surname. One may break off ("et al.", or a file that names its
    first author alone)."""
    a, b = [surname(name) for name in one], [surname(name) for name in other]
    a, b = [name for name in a if name], [name for name in b if name]
    if not a or not b:
        return False
    shorter, longer = sorted((a, b), key=len)
    if len(shorter) == len(longer):
        return sorted(a) == sorted(b)
    broken_off = len(shorter) == 1 or any("et al" in name.casefold() for name in (*one, *other))
    return broken_off and longer[: len(shorter)] == shorter


@lru_cache(maxsize=8192)
def surname(name: str) -> str:
    """`Smith` of "Smith, John", "John Smith", "J. Smith", "Smith JA" and "Smith et al.", in plain letters."""
    name = re.sub(r"\bet al\b\.?", "", name)
    last = name.partition(",")[0] if "," in name else ""
    if not last:
        words = [word for word in name.replace(".", ". ").split() if not word.endswith(".")]
        words = [word for word in words if not (word.isupper() and len(word) <= 3)] or words
        last = words[-1] if words else ""
    plain = unicodedata.normalize("NFKD", last).casefold()
    return "".join(character for character in plain if character.isalnum())


def mark(reviews: Iterable[PaperReview], found: Mapping[str, Any]) -> tuple[PaperReview, ...]:
    """The reviews with what `SameWork.to_json` says: a duplicate has its first paper named and nothing to count;
    content duplicates of a duplicate are led to the same first paper."""
    first, related = found.get("duplicates", {}), found.get("related", {})
    marked = []
    for review in reviews:
        paper = review.paper.id
        if paper in first:
            nothing: dict[str, Any] = {"claims": (), "passages": (), "coverage": {}}
            review = replace(review, state="duplicate", duplicate_of=first[paper], **nothing)
        elif review.duplicate_of in first:
            review = replace(review, duplicate_of=first[review.duplicate_of])
        if paper in related:
            review = replace(review, related={**review.related, **related[paper]})
        marked.append(review)
    return tuple(marked)
