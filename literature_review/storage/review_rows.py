"""A review as rows of the database: which tables there are, and what stands in them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from typing import Any

from literature_review.models import PaperReview, Passage, ReviewProtocol
from literature_review.sqlite_file import to_sql
from literature_review.storage.encoding import to_json

Row = tuple[Any, ...]


@dataclass(frozen=True)
class Table:
    """A table of the review; the first `key` of its columns are its primary key."""

    name: str
    key: int
    columns: tuple[str, ...]

    @cached_property
    def upsert(self) -> str:
        """SQL that inserts a row, or updates the one of that key where anything in it differs."""
        names = [f'"{column}"' for column in self.columns]
        key, rest = names[: self.key], names[self.key :]
        old, new = (", ".join(f"{side}.{name}" for name in rest) for side in (self.name, "excluded"))
        return (
            f"INSERT INTO {self.name} ({', '.join(names)}) VALUES ({', '.join('?' * len(names))}) "
            f"ON CONFLICT ({', '.join(key)}) DO UPDATE SET "
            + ", ".join(f"{name} = excluded.{name}" for name in rest)
            + f" WHERE ({old}) IS NOT ({new})"
        )

    @cached_property
    def select_keys(self) -> str:
        return f"SELECT {', '.join(self.columns[: self.key])} FROM {self.name}"

    @cached_property
    def delete(self) -> str:
        return f"DELETE FROM {self.name} WHERE " + " AND ".join(
            f"{column} = ?" for column in self.columns[: self.key]
        )


_PLACE = ("quote", "page", "section", "start", "end", "score")

QUESTIONS = Table("questions", 1, ("id", "position", "text"))
REQUIREMENTS = Table("requirements", 1, ("id", "question", "position", "text"))
SUB_REQUIREMENTS = Table("sub_requirements", 1, ("id", "requirement", "position", "text", "keywords"))
PAPERS = Table("papers", 1, (
    "id", "sha256", "size", "state", "title", "authors", "year", "doi", "language", "sources", "pages",
    "characters", "hidden", "error", "error_type", "duplicate_of", "included", "screening_criterion",
    "screening_reason", "screening_quote", "screening_page", "duplicate_by", "suspicious",
))  # fmt: skip
RELATED_PAPERS = Table("related_papers", 2, ("paper", "related", "relation"))
CLAIMS = Table("claims", 1, (
    "id", "paper", "sub_requirement", *_PLACE, "status", "reason", "backend", "model", "last_page", "coverage",
    "scores", "direction", "appeal_of", "match",
))  # fmt: skip
PASSAGES = Table("passages", 3, ("paper", "sub_requirement", "position", *_PLACE, "reason"))
COVERAGE = Table("coverage", 2, ("paper", "sub_requirement", "score"))


def tables_of(protocol: ReviewProtocol, reviews: Sequence[PaperReview]) -> list[tuple[Table, Iterator[Row]]]:
    """Every table of the review with its rows, made one at a time; texts as the database takes them."""
    rows: list[tuple[Table, Iterable[Row]]] = [
        (QUESTIONS, _questions(protocol)),
        (REQUIREMENTS, _requirements(protocol)),
        (SUB_REQUIREMENTS, _sub_requirements(protocol)),
        (PAPERS, (_paper(review) for review in reviews)),
        (RELATED_PAPERS, ((r.paper.id, *pair) for r in reviews for pair in r.related.items())),
        (CLAIMS, _claims(reviews)),
        (PASSAGES, (row for review in reviews for row in _passages(review.passages))),
        (COVERAGE, ((r.paper.id, *pair) for r in reviews for pair in r.coverage.items())),
    ]
    return [(table, map(_bound, lines)) for table, lines in rows]


def screening_json(protocol: ReviewProtocol) -> str:
    """The protocol's screening criteria, years and languages as JSON."""
    return to_json(asdict(protocol.screening))


def _bound(row: Row) -> Row:
    return tuple([to_sql(value) if isinstance(value, str) else value for value in row])


def _questions(protocol: ReviewProtocol) -> Iterator[Row]:
    for position, question in enumerate(protocol.questions, 1):
        yield question.id, position, question.text


def _requirements(protocol: ReviewProtocol) -> Iterator[Row]:
    for question in protocol.questions:
        for position, requirement in enumerate(question.requirements, 1):
            yield requirement.id, question.id, position, requirement.text


def _sub_requirements(protocol: ReviewProtocol) -> Iterator[Row]:
    for question in protocol.questions:
        for requirement in question.requirements:
            for position, sub in enumerate(requirement.sub_requirements, 1):
                yield sub.id, requirement.id, position, sub.text, to_json(sub.keywords)


def _paper(review: PaperReview) -> Row:
    paper, known, screening = review.paper, review.bibliography, review.screening
    return (
        paper.id, paper.sha256, paper.size, review.state, known.title, to_json(known.authors), known.year,
        known.doi, known.language, to_json(dict(known.sources)), review.pages, review.characters,
        to_json(review.hidden), review.error, review.error_type, review.duplicate_of or None,
        screening.included, screening.criterion, screening.reason, screening.quote, screening.page,
        review.duplicate_by, to_json(review.suspicious),
    )  # fmt: skip


def _claims(reviews: Sequence[PaperReview]) -> Iterator[Row]:
    for review in reviews:
        for claim in review.claims:
            fields = {**claim.__dict__, "scores": to_json(dict(claim.scores))}
            yield tuple([fields[column] for column in CLAIMS.columns])


def _passages(passages: Sequence[Passage]) -> Iterator[Row]:
    """A paper's passages, numbered from 1 within their sub-requirement in the order given: nearest first."""
    counts: dict[str, int] = {}
    for passage in passages:
        position = counts[passage.sub_requirement] = counts.get(passage.sub_requirement, 0) + 1
        fields = passage.__dict__
        place = [fields[column] for column in _PLACE]
        yield passage.paper, passage.sub_requirement, position, *place, passage.reason
