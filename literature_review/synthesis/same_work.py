"""Whether two papers are the same work, by what they say they are: DOI, title, authors, year. Pure."""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache

from literature_review.models import PaperReview
from literature_review.synthesis.author_names import same_authors

SHORTEST_TITLE = 12
"""Letters; what is shorter ("Editorial", "Introduction") names no work."""

_SUPPLEMENT = re.compile(
    r"\b(?:supplement(?:s|ary|al)?|supporting information|online resource|additional file|appendix|appendices)\b",
    re.IGNORECASE,
)
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
_SUPPLEMENT_FILE = re.compile(
    r"(?:^|[\W_])(?:suppl?|supplement\w*|esm|moesm\d*)(?:$|[\W_\d])"
    r"|(?:^|[\W_])(?:supporting\w*|appendix|si)[\W_]?\d*$",
    re.IGNORECASE,
)
SUPPLEMENT_DOI = re.compile(r"\.(?:s|sup|suppl)\d*$")
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
    if is_preprint(one) != is_preprint(other):
        return False, "preprint" if is_preprint(other) else "published version"
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
        or SUPPLEMENT_DOI.search(folded_doi(review.bibliography.doi))
    )


def is_preprint(review: PaperReview) -> bool:
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
