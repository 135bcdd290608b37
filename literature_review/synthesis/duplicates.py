"""Which papers are the same work, and which are only near to one another. Pure; time linear in the papers.

    same DOI | same title, authors and year             -> the same work: counted once, under the first
    the same work as a copy                             -> the same work
    two different DOIs                                  -> two works, whatever else is the same
    supplement, preprint, correction, another edition   -> related: both stay

Files with the same bytes were recognised before anything was read; here, texts that differ are compared by what
they say they are.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from literature_review.models import PaperReview
from literature_review.synthesis.same_work import SUPPLEMENT_DOI, compare, folded_doi, folded_title, is_preprint

_SAME_CONTENT = "same content"

MOST_COMPARED = 20
"""First papers of one title that a paper is compared with; a title of hundreds is that of a form, not of a work."""


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
    return not review.bibliography.doi, is_preprint(review), -len(review.bibliography.authors)


def _groups(reviews: Sequence[PaperReview]) -> list[list[PaperReview]]:
    """Papers that share a DOI (a supplement's counts as its paper's), then those that share a title; one paper may
    be in two."""
    by_doi: dict[str, list[PaperReview]] = {}
    by_title: dict[str, list[PaperReview]] = {}
    for review in reviews:
        doi, title = folded_doi(review.bibliography.doi), folded_title(review.bibliography.title)
        if doi:
            by_doi.setdefault(SUPPLEMENT_DOI.sub("", doi), []).append(review)
        if title:
            by_title.setdefault(title, []).append(review)
    return [group for group in (*by_doi.values(), *by_title.values()) if len(group) > 1]


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
