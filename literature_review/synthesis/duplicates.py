"""Which papers are the same work, and which are only near to one another. Pure; time linear in the papers.

    same DOI | same title, authors and year             -> the same work: counted once, under the first
    the same work as a copy                             -> the same work
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

from literature_review.models import PaperReview

_SAME_CONTENT = "same content"

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
_PREPRINT_FILE = re.compile(
    r"(?:^|[\W_])(?:preprint|arxiv|biorxiv|medrxiv|ssrn)|^\d{4}\.\d{5}(?:v\d{1,2})?\.", re.IGNORECASE
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
    found = _Finding(known)
    for group in _groups(known):
        found.compare_all(group)
    return found.told()


@dataclass
class _Work:
    """Papers that were found to be one work, by their place in the order of rank; `first`: the one that counts;
    `doi`: the one that any names."""

    papers: list[int]
    first: int
    doi: str


class _Finding:
    """What has been found so far, group after group. What is the same as a copy is the same work, however many
    copies lie between; but no work has two DOIs, so a copy that names none cannot make one of two."""

    def __init__(self, reviews: Sequence[PaperReview]) -> None:
        self._ids = [review.paper.id for review in reviews]
        self._rank = {paper: rank for rank, paper in enumerate(self._ids)}
        self._works = [_Work([rank], rank, folded_doi(one.bibliography.doi)) for rank, one in enumerate(reviews)]
        self._same_as: dict[int, list[tuple[int, str]]] = {}  # paper -> papers that it was found the same as, by what
        self._near: dict[tuple[int, int], str] = {}  # paper, other paper -> what it is to the other

    def compare_all(self, group: Sequence[PaperReview]) -> None:
        apart: list[PaperReview] = []
        for review in sorted(group, key=_telling):
            near = apart[-MOST_COMPARED:]
            if not any(self._is_same(one, review) for one in near):
                self._relate(review, near)
                apart.append(review)

    def told(self) -> SameWork:
        """The finding by the papers' ids; a relation of a copy is that of its first paper."""
        first = {paper: self._works[rank].first for rank, paper in enumerate(self._ids)}
        related: dict[str, dict[str, str]] = {}
        for (one, other), relation in self._near.items():
            a, b = (first[self._ids[rank]] for rank in (one, other))
            if a != b:
                related.setdefault(self._ids[a], {}).setdefault(self._ids[b], relation)
        copies = {paper: rank for paper, rank in first.items() if self._ids[rank] != paper}
        return SameWork(
            {paper: self._ids[rank] for paper, rank in sorted(copies.items())},
            {paper: self._reason(paper, rank) for paper, rank in sorted(copies.items())},
            related,
        )

    def _reason(self, paper: str, first: int) -> str:
        links = self._same_as[self._rank[paper]]
        other, why = next((link for link in links if link[0] == first), links[0])
        return why if other == first else f"{why} as {self._ids[other]}"

    def _is_same(self, one: PaperReview, review: PaperReview) -> bool:
        a, b = self._rank[one.paper.id], self._rank[review.paper.id]
        work, other = self._works[a], self._works[b]
        if work is other:
            return True
        same, why = compare(one, review)
        if not same or (work.doi and other.doi and work.doi != other.doi):
            return False
        self._same_as.setdefault(a, []).append((b, why))
        self._same_as.setdefault(b, []).append((a, why))
        work.papers += other.papers
        work.first = min(work.first, other.first)
        work.doi = work.doi or other.doi
        for rank in other.papers:
            self._works[rank] = work
        return True

    def _relate(self, review: PaperReview, others: Sequence[PaperReview]) -> None:
        for other in others:
            relation = compare(other, review)[1]
            if relation:
                a, b = self._rank[review.paper.id], self._rank[other.paper.id]
                self._near.setdefault((a, b), relation)
                self._near.setdefault((b, a), compare(review, other)[1])


def _rank(review: PaperReview) -> tuple[bool, str]:
    return review.state != "reviewed", review.paper.id


def _telling(review: PaperReview) -> tuple[bool, bool, int]:
    """Puts before the others what says most of itself: a DOI, of no preprint, and all authors. What says less is
    then counted with the one that it fits best."""
    return not review.bibliography.doi, _is_preprint(review), -len(review.bibliography.authors)


def _groups(reviews: Sequence[PaperReview]) -> list[list[PaperReview]]:
    """Papers that share a DOI (a supplement's counts as its paper's), then those that share a title; one paper may
    be in two."""
    by_doi: dict[str, list[PaperReview]] = {}
    by_title: dict[str, list[PaperReview]] = {}
    for review in reviews:
        doi, title = folded_doi(review.bibliography.doi), folded_title(review.bibliography.title)
        if doi:
            by_doi.setdefault(_SUPPLEMENT_DOI.sub("", doi), []).append(review)
        if title:
            by_title.setdefault(title, []).append(review)
    return [group for group in (*by_doi.values(), *by_title.values()) if len(group) > 1]


def compare(one: PaperReview, other: PaperReview) -> tuple[bool, str]:
    """Whether two papers are the same work, and by what; or (False, what the second is to the first)."""
    a, b = one.bibliography, other.bibliography
    doi, other_doi = folded_doi(a.doi), folded_doi(b.doi)
    same_doi = bool(doi) and doi == other_doi
    same_title = bool(folded_title(a.title)) and folded_title(a.title) == folded_title(b.title)
    is_correction, of_one = bool(_CORRECTION.match(b.title)), bool(_CORRECTION.match(a.title))
    if _is_supplement(one) != _is_supplement(other):
        to_article = "supplement" if _is_supplement(other) else "main article"
        return False, to_article if is_correction == of_one else ""
    if is_correction != of_one:
        return False, "correction or comment" if is_correction else "corrected article"
    if same_doi:
        return True, "same DOI"
    if not same_title or not same_authors(a.authors, b.authors):
        return False, ""
    if _is_preprint(one) != _is_preprint(other):
        return False, "preprint" if _is_preprint(other) else "published version"
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


def _is_preprint(review: PaperReview) -> bool:
    """By its DOI, or by the name of its file."""
    by_doi = folded_doi(review.bibliography.doi).startswith(_PREPRINT_DOIS)
    return by_doi or bool(_PREPRINT_FILE.search(review.paper.id.rpartition("/")[2]))


@lru_cache(maxsize=8192)
def folded_doi(doi: str) -> str:
    """A DOI in lower case, without the address that it is written as and a preprint's version; empty for none."""
    found = re.search(r"10\.\d{4,9}/\S+", doi.lower())
    plain = found.group().rstrip(".,;)") if found else ""
    return _VERSION.sub("", plain) if plain.startswith(_PREPRINT_DOIS) else plain


@lru_cache(maxsize=8192)
def folded_title(title: str) -> str:
    """A title by its words alone, without the mark of a supplement or correction; empty where too short to name a
    work."""
    plain = unicodedata.normalize("NFKD", _CORRECTION_MARK.sub("", _SUPPLEMENT_MARK.sub("", title))).casefold()
    words = "".join(c if c.isalnum() else " " for c in plain if not unicodedata.combining(c)).split()
    joined = " ".join(words)
    return joined if len(joined) >= SHORTEST_TITLE else ""


_SUPPLEMENT_MARK = re.compile(
    r"^(?:online )?(?:supplement(?:s|ary|al)?|supporting|additional)\b"
    r"(?: (?:information|materials?|data|file|appendix))?\s*(?:\d+\s*)?(?:for|to|of)?\s*[:.\u2013-]?\s*",
    re.IGNORECASE,
)
_CORRECTION_MARK = re.compile(
    r"^(?:author |publisher )?(?:correction|corrigendum|erratum|retraction(?: note)?|expression of concern)"
    r"(?: to| for| on)?\s*[:.\u2013-]?\s*",
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
    """The reviews with what `SameWork.to_json` says: a duplicate has its first paper named, by what it is one, and
    nothing to count; content duplicates of a duplicate are led to the same first paper."""
    first, related, why = (found.get(name, {}) for name in ("duplicates", "related", "why"))
    marked = []
    for review in reviews:
        paper = review.paper.id
        if paper in first:
            nothing: dict[str, Any] = {"claims": (), "passages": (), "coverage": {}}
            by = why.get(paper, "")
            review = replace(review, state="duplicate", duplicate_of=first[paper], duplicate_by=by, **nothing)
        elif review.duplicate_of:
            original = first.get(review.duplicate_of, review.duplicate_of)
            review = replace(review, duplicate_of=original, duplicate_by=_SAME_CONTENT)
        if paper in related:
            review = replace(review, related={**review.related, **related[paper]})
        marked.append(review)
    return tuple(marked)
