"""Finds the sections of a paper by its headings. Pure; time grows with the length of the text alone.

    line -> candidate (Markdown mark | known word | number | capitals) -> plausible in its place? -> section

A line is a candidate by its look. A numbered one must go on with the numbering before it, so that affiliations,
lists and references make no sections; one in capitals that comes back on page after page is a running head.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from literature_review.text.section_names import KINDS

MAX_HEADING_CHARACTERS = 100
MAX_HEADING_WORDS = 14
_RUNNING_HEAD_REPEATS = 3

_PARTED_CAPITAL = re.compile(r"\b([A-Z]):(?=[A-Z])")  # `I:NTRODUCTION`, from small capitals
_PART = re.compile(r"\.(?=\S)")  # `body.results`; a full stop with a blank behind it ends a sentence
_BOLD_LABEL = re.compile(
    r"^[ \t]*(\*\*\*?|__)(?:abstract|summary|background|introduction|context|objectives?|aims?|purpose|importance)"
    r"(?:[.:]?\1|\1[ \t]*[.:—–-])[ \t]*\S",
    re.I | re.M,
)
_OPENING = re.compile(r"[\s*_]*([^\W\d_]+)")
_OPENINGS = frozenset(name.split()[0].split("-")[0] for name in KINDS) | {"body"}
_OPENS_APPENDIX = re.compile(r"(?:appendix|annex|supplementary|supporting information|extended data)\b", re.I)

_MARKDOWN = re.compile(r" {0,3}(#{1,6})[ \t]+([^ \t].*)")
_UNDERLINE = re.compile(r" {0,3}(?:={3,}|-{3,})[ \t]*$")
_NUMBERED = re.compile(r"(?:section +)?(\d{1,2}(?:\.\d{1,2}){0,4})[.)]?[ \t]+(\S.*)$", re.I)
_OPENS_NUMBER = frozenset("SsIVX")
_ROMAN = re.compile(r"([IVX]{1,5})\.[ \t]+(\S.*)$")
_RUN_IN_ABSTRACT = re.compile(r"(abstract)[ \t]*(?:[:.—–]|-(?=[A-Z]))[ \t]*\S", re.I)
# A numbered heading that a PDF library gives behind the last sentence of the section before it; no "Fig. 4  ...".
_BEHIND_A_SENTENCE = re.compile(r"(?<=[a-z]{4})[.!?] (\d{1,2}(?:\.\d{1,2}){0,3}  [A-Z][^.!?]{2,80})$")
_BAD_END = (",", ";", ".", "?", "!", "-", "(", "=", "+")
_LETTER_RUN = re.compile(r"[^\W\d_]{2,}")


class TextSection(NamedTuple):
    """A section from its heading to the next heading of any level; `end` is exclusive; `level` from 1."""

    title: str
    kind: str
    start: int
    end: int
    level: int


class Heading(NamedTuple):
    """A heading that was found: where its line starts, its title, its level from 1, its kind or an empty text.

    `mark` says by what it was recognised: markdown, word, number or capitals; `number` its numbering."""

    start: int
    title: str
    level: int
    kind: str
    mark: str
    number: tuple[int, ...] = ()


def find_sections(text: str) -> tuple[TextSection, ...]:
    """The sections of `text` in order; what stands before the first heading belongs to none.

    Offsets count characters of `text`. Subsections without a known name take the kind of the section above."""
    return sections_from(find_headings(text), len(text))


def sections_from(headings: Iterable[Heading], length: int) -> tuple[TextSection, ...]:
    """Sections from headings in order of their start, in a text of `length` characters."""
    found = list(headings)
    above: list[tuple[int, str]] = []
    sections = []
    for at, heading in enumerate(found):
        end = found[at + 1].start if at + 1 < len(found) else length
        while above and above[-1][0] >= heading.level:
            above.pop()
        kind = heading.kind or (above[-1][1] if above else "other")
        above.append((heading.level, kind))
        sections.append(TextSection(heading.title, kind, heading.start, end, heading.level))
    return tuple(sections)


def find_headings(text: str) -> list[Heading]:
    """Headings in order of their start. Only marks of Markdown count where at least two are there.

    An abstract without a heading whose paragraphs have bold labels (`**Background:** ...`) is one all the same."""
    candidates = list(_candidates(text))
    marked = [heading for heading in candidates if heading.mark == "markdown"]
    return _with_labelled_abstract(text, marked if len(marked) >= 2 else _plausible(candidates))


def _with_labelled_abstract(text: str, headings: list[Heading]) -> list[Heading]:
    """The headings with one for an abstract of bold labels, where it stands before every heading but a title."""
    title = headings[:1] if headings and not headings[0].kind else []
    rest = headings[len(title) :]
    label = _BOLD_LABEL.search(text, 0, rest[0].start if rest else len(text))
    if label is None:
        return headings
    level = title[0].level + 1 if title else 1
    return [*title, Heading(label.start(), "Abstract", level, "abstract", "word"), *rest]


def kind_of(title: str) -> str:
    """The kind of a section with this title, by the known words; an empty text where none fits."""
    title = _without_number(title)
    if ":" in title:
        title = _PARTED_CAPITAL.sub(r"\1", title)
    opening = _OPENING.match(title)
    if opening is None or opening.group(1).lower() not in _OPENINGS:
        return ""
    name = " ".join(title.replace("’", "'").replace("&", "and").lower().split()).strip(" .:;—–-*_")
    known = KINDS.get(name)
    if known is None and "." in name:
        parts = [part.strip() for part in _PART.split(name)]
        known = next((KINDS[part] for part in parts if part in KINDS), None)
    if known is None and _OPENS_APPENDIX.match(name) and len(name.split()) <= 8:
        known = "appendix"
    return known or ""


def _without_number(title: str) -> str:
    title = title.strip()
    if title[:1] not in _OPENS_NUMBER and not title[:1].isdigit():
        return title
    match = _NUMBERED.match(title) or _ROMAN.match(title)
    return match.group(2) if match else title


def _candidates(text: str) -> Iterator[Heading]:
    """Every line that looks like a heading."""
    start = 0
    lines = text.split("\n")
    for at, line in enumerate(lines):
        if line[:1].islower() and line[:8] not in ("abstract", "section "):
            pass
        elif 3 <= len(line) <= MAX_HEADING_CHARACTERS or line.startswith("#"):
            heading = _candidate(line, start, lines[at + 1] if at + 1 < len(lines) else "")
            if heading is not None:
                yield heading
        elif line[:8].lower() == "abstract" and _RUN_IN_ABSTRACT.match(line):
            yield Heading(start, "Abstract", 1, "abstract", "word")
        if "  " in line and (behind := _BEHIND_A_SENTENCE.search(line)) is not None:
            heading = _numbered(behind.group(1), start + behind.start(1))
            if heading is not None:
                yield heading
        start += len(line) + 1


def _candidate(line: str, start: int, following: str) -> Heading | None:
    """The heading that this line is by its look alone, or None. `start`: offset of the line."""
    title = line.strip(" \t\f\r")
    first = title[:1]
    if first == "#":
        return _marked(line, start)
    if first.isdigit() or first == "S" or first == "s":
        numbered = _numbered(title, start)
        if numbered is not None:
            return numbered
    if not (first.isupper() or first in "_*" or first.isdigit()):
        return None
    if following[:3] in ("===", "---") and _UNDERLINE.match(following):
        return Heading(start, title, 1 if following[0] == "=" else 2, kind_of(title), "markdown")
    return _by_word(title, start) or _by_capitals(title, start)


def _marked(line: str, start: int) -> Heading | None:
    mark = _MARKDOWN.match(line)
    title = mark.group(2).rstrip(" \t#") if mark else ""
    return Heading(start, title, len(mark.group(1)), kind_of(title), "markdown") if mark and title else None


def _by_word(title: str, start: int) -> Heading | None:
    """A line with a known name, one that opens the abstract, or a Roman number before capitals."""
    if title[:8].lower() == "abstract" and _RUN_IN_ABSTRACT.match(title):
        return Heading(start, "Abstract", 1, "abstract", "word")
    if len(title) > 60:
        return None
    kind = kind_of(title)
    if kind:
        return Heading(start, title.strip("*_ ").rstrip(":"), 1, kind, "word")
    roman = _ROMAN.match(title) if title[:1] in _OPENS_NUMBER else None
    if roman and roman.group(2).isupper() and _reads_as_title(roman.group(2)):
        return Heading(start, title, 1, "", "capitals")
    return None


def _numbered(title: str, start: int) -> Heading | None:
    match = _NUMBERED.match(title)
    if match is None or not _reads_as_title(match.group(2)):
        return None
    number = tuple(int(part) for part in match.group(1).split("."))
    return Heading(start, title, len(number), kind_of(match.group(2)), "number", number)


def _by_capitals(title: str, start: int) -> Heading | None:
    """A line in capitals, or one such as `BODY.RESULTS:`."""
    if not title.isupper() or len(title) > 80 or not _reads_as_title(title.rstrip(":")):
        return None
    letters = sum(len(run) for run in _LETTER_RUN.findall(title))
    if letters < 4 or letters < 0.6 * len(title):
        return None
    mark = "word" if title.endswith(":") else "capitals"
    return Heading(start, title.rstrip(":"), 2, "", mark)


def _reads_as_title(title: str) -> bool:
    """True for a short line of words that starts large and ends without a stop."""
    if not title[:1].isupper() or title.endswith(_BAD_END) or len(title.split()) > MAX_HEADING_WORDS:
        return False
    letters = sum(char.isalpha() or char == " " for char in title)
    return letters >= 0.75 * len(title) and len(title) >= 3


def _plausible(candidates: list[Heading]) -> list[Heading]:
    """The candidates that make sense together."""
    repeats = Counter(heading.title for heading in candidates if heading.mark == "capitals")
    chain = _Numbering(candidates)
    kept: list[Heading] = []
    in_references = False
    for heading in candidates:
        if heading.mark == "number":
            good = chain.accepts(heading, in_references)
        else:
            good = repeats[heading.title] < _RUNNING_HEAD_REPEATS and (not in_references or bool(heading.kind))
        if good:
            kept.append(heading)
            in_references = heading.kind == "references"
    return kept


class _Numbering:
    """Follows the numbering of headings: 1, 1.1, 1.2, 2 ... with at most one number left out."""

    def __init__(self, candidates: list[Heading]) -> None:
        numbered = [heading for heading in candidates if heading.mark == "number"]
        known = [heading for heading in numbered if heading.kind and heading.number in ((1,), (2,))]
        first = known or [heading for heading in numbered if heading.number == (1,)]
        self._starts_at = first[0].start if first else -1
        self._last: tuple[int, ...] = (first[0].number[0] - 1,) if first else (0,)

    def accepts(self, heading: Heading, in_references: bool) -> bool:
        if heading.start < self._starts_at or (in_references and not heading.kind):
            return False
        number = heading.number
        if not self._follows(number):
            return False
        self._last = number
        return True

    def _follows(self, number: tuple[int, ...]) -> bool:
        depth = len(number)
        last = self._last + (0,) * (depth - len(self._last))
        above_same = number[:-1] == last[: depth - 1]
        return above_same and last[depth - 1] < number[-1] <= last[depth - 1] + 2
