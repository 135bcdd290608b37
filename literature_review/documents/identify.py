"""Says what a paper is, from its file's own fields and its first page: title, authors, year, DOI, language. Pure.

metadata of the file, where it is sensible -> else the first page -> Bibliography with the source of each field
"""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from urllib.parse import unquote

from literature_review.documents.names import authors_in, split_authors, without_label
from literature_review.models import Bibliography, Document
from literature_review.text.language import language_of
from literature_review.text.sections import find_headings, kind_of

FILE = "file metadata"
FIRST_PAGE = "first page"
TEXT = "text"

_FIRST_PAGE_CHARACTERS = 6_000
_YEARS = (1800, 2100)
_OF_DOI = r"10\.\d{4,9}/[^\s\"<>{}|\\^\[\]`“”‘’„«»…，、。；\u200b-\u200f\u2060\ufeff]+"
_DOI = re.compile(rf"\b{_OF_DOI}", re.I)
_DOI_MARK = re.compile(rf"(?:doi\.org/|doi[:\s]\s*)({_OF_DOI})", re.I)
_BEHIND_DOI = re.compile(r"[?#].*|/(?:full|abstract|e?pdf|meta)$")  # of the address of a page about the work
_CITED = re.compile(r"\s*(?:\[\d{1,3}\]|\d{1,3}\.)\s.*\b10\.\d{4,9}/")
_OF_A_PART = re.compile(  # PLOS, PeerJ and eLife register a DOI for each figure and table: the work's is its beginning
    r"^(10\.1371/journal\.p[a-z]+\.\d{7}(?=\.[gtse]\d{3})|10\.7717/peerj(?:-cs)?\.\d+(?=/(?:fig|table|supp)-\d)"
    r"|10\.7554/elife\.\d{5}(?=\.\d{3})).*"
)
_MANY_DOIS = 5  # are those of other works
_ARXIV_STAMP = re.compile(r"arXiv:(\d{4}\.\d{4,5})(?:v\d{1,2})?\s{0,3}\[[a-z-]{2,10}(?:\.[A-Za-z-]{2,10})?\]")
_PUBLISHED = re.compile(
    r"(?:(?:©|\(c\)|\b(?:copyright|published|publication date|first online|vol(?:ume|\.)?\b))[^\n]{0,60}?"
    r"|\b(?:accepted|received)\b[^\n]{0,16}?)(?<!\d)(1[89]\d\d|20\d\d)(?!\d)",
    re.I,
)
_DATE = re.compile(
    r"\b(?:jan(?:uary)?|feb(?:ruary)?|mar(?:ch)?|apr(?:il)?|may|june?|july?|aug(?:ust)?|sept?(?:ember)?|oct(?:ober)?"
    r"|nov(?:ember)?|dec(?:ember)?)\b[^\n]{0,20}?"
    r"(?<!\d)(1[89]\d\d|20\d\d)(?!\d)|\((1[89]\d\d|20\d\d)\)"
    r"|\b(?:year|date)\b\W{0,2}:[^\n]{0,16}?(?<!\d)(1[89]\d\d|20\d\d)(?!\d)",
    re.I,
)
_YEAR = r"((?:1[89]|20)\d\d)"
# A year that stands alone or ends a line, a date, an issue of a journal (2020;12): told of the head of a page alone.
_YEAR_OF_HEAD = re.compile(
    rf"^\W*{_YEAR}\W*$|(?<!\d){_YEAR}-\d\d(?:-\d\d)?(?!\d)|(?<!\d){_YEAR}\s?;\s?\d|[^\W\d][,.]\s{_YEAR}\W*$", re.M
)
_HEAD_CHARACTERS = 1_500
_LONGEST_TITLE = 400
_OWN_WORDS = 0.75  # of a title's words, that stand on the page where it is the paper's own
_CHINESE = re.compile("[^\n]{0,40}[\u3040-\u30ff\u4e00-\u9fff\uac00-\ud7a3]{5}")
_BAD_TITLE = re.compile(
    r"^(?:untitled.*|microsoft word.*|.*\.(?:docx?|pdf|tex|dvi|indd|qxd|rtf|odt|pptx?|ps)|title|document\d*|paper|"
    r"manuscript|\W*|slide \d+|powerpoint presentation|[\w./-]*\d{4,}[\w./-]*|doi:.*|10\.\d{4,9}/.*|pii:.*|.*\d\.\.\d+"
    r"|latex with .*|acrobat .*|.*\bdistiller|layout \d+|full page photo|no job name|.*,? \d+ ?\(\d+\)|"
    r"(?:original |full |short )?(?:research|review|case) ?(?:article|paper|report))$",
    re.I,
)
_NO_TITLE_LINE = re.compile(
    r"^(?:https?:|www\.|doi\b|vol\b|volume\b|issn\b|article\b|research article|"
    r"original (?:article|research|paper)|review(?: article)?$|open access|contents\b|title:?$|"
    r"received\b|accepted\b|published\b|©|copyright|"
    r"page \d|arxiv:|preprint\b|available online|journal homepage|abstract\b|body\.|rapid communication|"
    r"full terms|to (?:cite|link to) this|hal id|submitted on\b|cochrane (?:library|database)|edited by|reviewed by|"
    r"\W?\d?\s?(?:\w+ ){0,2}(?:university|institute|hospital|college|department|faculty)\b[^:\n]{0,60}, [a-z]+\W?$|"
    r"the new engl ?and|contents lists available|(?:the |an )?(?:[a-z]+ ){0,3}journal of [a-z &]{3,60}$|"
    r"(?:proceedings|annals|archives|ieee transactions) (?:of|on) [a-z &]{3,60}$|"
    r"case report$|brief communication|letter$|editorial$|supplementary (?:information|material)s?$|vol\.:)",
    re.I,
)
_BODY = re.compile(r"\b(?:UNIVERSITY|ORGANI[SZ]ATION|INSTITUTE|MINISTRY|DEPARTMENT|AGENCY|COMMISSION)\b")
_SENTENCE_END = re.compile(r"[a-z]{3}[.!] [A-Z]")

_BYLINE = re.compile(r"by [A-Z]\S* \S*[A-Z]")
_MID_PHRASE = frozenset({"of", "the", "a", "an", "and", "in", "for", "on", "to", "with", "by", "from", "or"})


def identify_document(document: Document) -> Bibliography:
    """Title, authors, year, DOI and language of a document, as far as it tells, each with its source.

    Unsure fields stay empty. `language` is an ISO 639-1 code. Never raises for odd text."""
    front = identify_front(document)
    language = language_of(document.text)
    sources = {**front.sources, "language": TEXT} if language else front.sources
    return replace(front, language=language, sources=sources)


def identify_front(document: Document) -> Bibliography:
    """As `identify_document`, without the language: what the file's fields and its first page say."""
    metadata = document.metadata
    page = document.text[: min(document.pages[0].end if document.pages else 10**9, _FIRST_PAGE_CHARACTERS)]
    page = page if page.strip() else document.text[:_FIRST_PAGE_CHARACTERS]
    title, source_of_title = _title(metadata, page)
    found = {
        "title": (title, source_of_title),
        "doi": _first((find_doi(metadata.get("doi", "")), FILE), (_own_doi(page), FIRST_PAGE)),
        "year": _first(*_years(metadata, page, title)),
    }
    authors, source = _authors(metadata, page, title)
    sources = {name: where for name, (value, where) in found.items() if value}
    return Bibliography(
        title=title,
        authors=authors,
        year=int(found["year"][0]) if found["year"][0] else None,
        doi=str(found["doi"][0] or ""),
        sources=sources | ({"authors": source} if authors else {}),
    )


def _title(metadata: Mapping[str, str], page: str) -> tuple[str, str]:
    given, seen = good_title(metadata.get("title", "")), title_in(page)
    is_own = given and (_is_by_hand(metadata) or not seen or _stands_on(page, given))
    return (given, FILE) if is_own else (seen, FIRST_PAGE)


def _is_by_hand(metadata: Mapping[str, str]) -> bool:
    """Whether the fields are front matter, which somebody wrote for this text: no fields of a PDF."""
    return metadata.get("reader", "text") == "text"


def _stands_on(page: str, title: str) -> bool:
    """Whether most words of a title stand on the page, outside of its running heads. A PDF's field may hold what
    another paper, a template or the journal is called."""
    lines = (line for line in page.split("\n") if not _is_running_head(line))
    letters = "".join(filter(str.isalnum, unicodedata.normalize("NFKC", " ".join(lines)).casefold()))
    words = re.findall(r"[^\W_]+", unicodedata.normalize("NFKC", title).casefold())
    words = [word for word in words if len(word) > 3] or words
    return sum(word in letters for word in words) >= _OWN_WORDS * len(words)


def _first(*offers: tuple[str | int | None, str]) -> tuple[str | int | None, str]:
    return next((offer for offer in offers if offer[0]), (None, ""))


def _years(metadata: Mapping[str, str], page: str, title: str) -> list[tuple[str | int | None, str]]:
    """Front matter first; a PDF's date of creation last, for it may be that of a later copy."""
    return [
        (year_in(metadata.get("date", "")), FILE),
        (year_on(page, title), FIRST_PAGE),
        (year_in(metadata.get("year", "")), FILE),
    ]


def find_doi(*texts: str) -> str:
    """The first DOI in the texts, in small letters and without what follows it; one that is marked as a DOI
    goes before one that is not. The stamp of an arXiv preprint gives the DOI that arXiv registers for it."""
    for pattern in (_DOI_MARK, _DOI):
        for text in texts:
            match = pattern.search(text)
            if match:
                return _trimmed_doi(match.group(match.lastindex or 0))
    stamp = next(filter(None, map(_ARXIV_STAMP.search, texts)), None)
    return f"10.48550/arxiv.{stamp.group(1)}" if stamp else ""


def _own_doi(page: str) -> str:
    """The DOI that the first page gives as its own: none of the works that it cites, whose list may begin there."""
    cited = next((found.start for found in find_headings(page) if found.kind == "references"), len(page))
    kept = "\n".join(line for line in page[:cited].split("\n") if not _CITED.match(line))
    if _names_many(kept):
        kept = _head(kept)
    return "" if _names_many(kept) else find_doi(kept)


def _names_many(text: str) -> bool:
    return len(set(map(_trimmed_doi, _DOI.findall(text)))) >= _MANY_DOIS


def _trimmed_doi(doi: str) -> str:
    doi = _BEHIND_DOI.sub("", unquote(doi).lower().rstrip(".,;:'\"*"))
    while doi.endswith(")") and doi.count("(") < doi.count(")"):
        doi = doi[:-1].rstrip(".,;:")
    return _OF_A_PART.sub(r"\1", doi)


def year_in(text: str) -> int | None:
    """The first year of four digits in a text that stands on its own, between 1800 and 2100."""
    match = re.search(r"(?<!\d)(\d{4})(?!\d)", text)
    year = int(match.group(1)) if match else 0
    return year if _YEARS[0] <= year <= _YEARS[1] else None


def year_on(page: str, title: str = "") -> int | None:
    """The year of publication that the first page names: the commonest near a word such as "published" or a
    copyright sign, or in a date or brackets above the abstract; the later where two are as common. Below it, dates
    and brackets are those of the study and of what it cites. Where there is none, a year that stands alone above the
    abstract, outside of the title."""
    page = page[:_FIRST_PAGE_CHARACTERS]
    found: list[str | tuple[str, ...]]
    found = [year for pattern, text in ((_PUBLISHED, page), (_DATE, _head(page))) for year in pattern.findall(text)]
    if not found:
        head = "\n".join(line for line in _head(page).split("\n") if not title or line.strip(" #*_\t") not in title)
        found = list(_YEAR_OF_HEAD.findall(head))
    years = Counter(int(year if isinstance(year, str) else next(filter(None, year))) for year in found)
    return max(years, key=lambda year: (years[year], year)) if years else None


def _head(page: str) -> str:
    """What stands above the abstract, or above the first section of another name or the first two sentences."""
    ends = [found.start for found in find_headings(page) if found.kind and found.kind != "other"]
    sentence = _SENTENCE_END.search(page)
    return page[: min([*ends, sentence.start() if sentence else len(page), _HEAD_CHARACTERS])]


def good_title(title: str) -> str:
    """`title` where it reads like one; file names and the like give an empty text."""
    title = " ".join(title.split())
    is_words = " " in title or _CHINESE.search(title)
    return title if len(title) >= 8 and is_words and not _BAD_TITLE.match(title) else ""


def title_in(page: str) -> str:
    """The title on a first page: the first lines that read like one, up to three where they belong together. A
    page that begins with a paragraph names none."""
    given = page.split("\n")
    lines = [without_label(line.strip(" #*_\t")) for line in given]
    for at, line in enumerate(lines[:30]):
        if _NO_TITLE_LINE.match(line) or "@" in line or find_doi(line) or _is_a_body(lines[at : at + 2]):
            continue
        is_named = given[at].startswith("# ") or line != given[at].strip(" #*_\t")  # as a title, by its writer
        shortest = 5 if is_named and not kind_of(line) else 15
        if not _CHINESE.match(line) and (len(line) < shortest or " " not in line):
            continue
        if sum(char.isalpha() for char in line) < 0.6 * len(line) or _is_running_head(line):
            continue
        title = [line]
        for following in lines[at + 1 : at + 4]:
            is_over = not following or title[-1].endswith((".", "?", "!")) or _NO_TITLE_LINE.match(following)
            if is_over or not _goes_on(title[-1], following):
                break
            title.append(following)
        found = " ".join(title)
        is_paragraph = len(title) > 3 or len(found) > _LONGEST_TITLE or _SENTENCE_END.search(found)
        is_all = found.endswith(".") and not any(lines[at + len(title) :])
        return "" if is_paragraph or is_all else found
    return ""


def _is_a_body(lines: Sequence[str]) -> bool:
    """Whether the first of two lines is in capitals the name of a university or an office, and no title in capitals."""
    return lines[0].isupper() and bool(_BODY.search(lines[0])) and not "".join(lines[1:]).isupper()


def _is_running_head(line: str) -> bool:
    """True for a line that names journal, volume and pages."""
    return "|" in line or len(re.findall(r"\d+", line)) >= 3


def _goes_on(line: str, following: str) -> bool:
    """True where `following` is the rest of a title: it starts small (and names no authors), or the line before ends
    in mid-phrase."""
    last = line.rsplit(None, 1)[-1].lower()
    return (following[:1].islower() and not _BYLINE.match(following)) or last in _MID_PHRASE


def _authors(metadata: Mapping[str, str], page: str, title: str) -> tuple[tuple[str, ...], str]:
    """Authors and their source. A file names only the first author often: the first page's longer list wins
    where it holds that name, and where the file names an account or a firm in a single word, or a PDF people of whom
    the page knows nothing (who typed it, whose template it was)."""
    given = split_authors(metadata.get("author", ""))
    on_page = authors_in(page, title)
    is_account = len(given) == 1 and " " not in given[0]
    is_unknown = not (_is_by_hand(metadata) or any(_surname(name) in page.lower() for name in given))
    is_shorter = len(on_page) > len(given) and bool(given) and _surname(given[0]) in map(_surname, on_page)
    if given and not (on_page and (is_account or is_unknown or is_shorter)):
        return given, FILE
    return (on_page, FIRST_PAGE) if on_page else ((), "")


def _surname(name: str) -> str:
    return name.split(",")[0].split()[-1].lower() if name.strip(" ,") else ""
