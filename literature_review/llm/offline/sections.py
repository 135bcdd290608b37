"""Which part of a paper each sentence stands in, by the headings and labels before it.

    sentences -> headings (names of `text.section_names`, numbering) and labels ("Results:") -> part of each sentence
              -> what is never evidence by its own looks: references, contents, affiliations, thanks

Where a paper has neither headings nor labels, its sentences stand in an unknown part.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections import Counter
from collections.abc import Iterator, Sequence
from string import ascii_lowercase
from typing import NamedTuple

from literature_review.text.section_names import KINDS, PARTS

from .sentences import Span

UNKNOWN, FRONT, ABSTRACT, INTRODUCTION = "unknown", "front matter", "abstract", "introduction"
METHODS, RESULTS, DISCUSSION, CONCLUSION = "methods", "results", "discussion", "conclusion"
THANKS, REFERENCES, CONTENTS, HEADING, RUNNING = (
    "acknowledgements", "references", "contents", "heading", "running head",
)  # fmt: skip

NEVER_EVIDENCE = frozenset({FRONT, THANKS, REFERENCES, CONTENTS, HEADING, RUNNING})
"""Kinds of section that are never ranked."""


class Part(NamedTuple):
    """Where a sentence stands: the kind of section, and its role (an abstract has roles of its own)."""

    section: str
    role: str


_ROLES = {
    "abstract": ABSTRACT, "introduction": INTRODUCTION, "related_work": INTRODUCTION, "methods": METHODS,
    "results": RESULTS, "discussion": DISCUSSION, "conclusion": CONCLUSION, "references": REFERENCES,
    "acknowledgements": THANKS, "funding": THANKS, "declarations": THANKS, "appendix": THANKS, "other": THANKS,
    "contents": CONTENTS, "front_matter": FRONT,
}  # fmt: skip
_OTHERWISE = {
    "contents": CONTENTS, "table of contents": CONTENTS, "title": FRONT, "highlights": ABSTRACT,
    "ethics statement": METHODS,
}  # fmt: skip
_MAY_HOLD_RESULTS = frozenset(("appendix", "appendices", "annex", "extended data", "supplement"))
_KIND = {
    name.replace("'", "").replace("-", " "): _OTHERWISE.get(name, _ROLES[kind])
    for name, kind in (*PARTS.items(), *KINDS.items())
    if name not in _MAY_HOLD_RESULTS
}
_NUMBERING = re.compile(r"^(?:(?:section|chapter|part)\s+)?(?:\d{1,2}(?:\.\d{1,2}){0,3}|[ivxIVX]{1,5}|[A-H])[.)]?\s+")
_PREFIX = re.compile(r"^(TITLE|ABSTRACT|BODY)\b[.:]?\s*")
_LETTERS = bytes(code if chr(code) in ascii_lowercase else ord(" ") for code in range(256))
_INLINE = re.compile(
    r"[*_]{0,3}(abstract|background|introduction|objectives?|aims?|purpose|design|setting|(?:materials and "
    r"|patients and )?methods"
    r"|results|findings|conclusions?|discussion|interpretation|trial registration|funding|keywords|key words)"
    r"(?::|\.|\s?[\u2014\u2013-]\s)[*_]{0,3}\s?(?=\S)",
    re.IGNORECASE,
)
_WORDY_KIND = (
    (" reference", REFERENCES), (" acknowledg", THANKS), (" competing", THANKS), (" contributions", THANKS),
    (" conflict", THANKS), (" supplement", THANKS), (" additional file", THANKS), (" discussion", DISCUSSION),
    (" limitation", DISCUSSION), (" conclusion", CONCLUSION), (" result", RESULTS), (" findings", RESULTS),
    (" statistic", METHODS), (" methods", METHODS), (" procedure", METHODS), (" introduction", INTRODUCTION),
)  # fmt: skip
_WORDY = re.compile(f" (?:{'|'.join(word[1:] for word, _ in _WORDY_KIND)})")
_LONGEST_HEADING = 90
_CITED_WORK = (
    re.compile(r"19\d\d[;,:]\s?\d{1,4}\s?(?:\(|:|,\s?\d)"),
    re.compile(r"20\d\d[;,:]\s?\d{1,4}\s?(?:\(|:|,\s?\d)"),
    re.compile(r"\(\d{1,3}\)\s?:\s?\w?\d"),
    re.compile(r"et al\.,? [A-Z][^.]{5,200}\. [A-Z][\w ]{2,40}[.,] (?:19|20)\d\d"),
)
_DOTS = re.compile(r"\.{5,}|(?:\. ){4,}|\u2026{2,}\s*\d+$")
_ADDRESS = re.compile(
    r"\w@[\w-]{1,60}\.\w|\b(?:Department|Faculty|School|Institute|Division|University|Hospital"
    r"|Universit\u00e9) (?:of|de)\b"
    r".{0,200},|\u00a9|\bCopyright\b|\b(?:Received|Accepted|Published):? \d|ISSN|\bCorrespondence\b"
    r"|https?://(?:dx\.)?doi",
)
_ADDRESS_WORDS = (
    "@", "Department", "Faculty", "School", "Institute", "Division", "University", "Hospital", "Universit\u00e9",
    "\u00a9", "Copyright", "Received", "Accepted", "Published", "ISSN", "Correspondence", "doi",
)  # fmt: skip
"""One of them stands in whatever `_ADDRESS` finds."""
_GRATITUDE = re.compile(
    r"\b(?:[Ww]e (?:would like to |also |gratefully |wish to |sincerely )*(?:thank|acknowledge)\b|(?:was"
    r"|were) (?:supported|funded) "
    r"by\b|declare (?:that )?(?:they have )?no (?:conflict|competing)|[Tt]he authors? (?:are|is) grateful"
    r"|conceived (?:and|of) )"
)
_CITING = {
    "doi": re.compile(r"doi\s?:|doi\.org/"),
    "PMID": re.compile(r"PMID"),
    "pp.": re.compile(r"pp\.\s?\d+\s?[-\u2013]\s?\d"),
    "arXiv:": re.compile(r"arXiv:\d"),
}
_THANKING = dict.fromkeys(
    ("thank", "acknowledge", "supported by", "funded by", "no competing", "no conflict", "grateful", "conceived"),
    _GRATITUDE,
)
"""Words that are looked for first, with the pattern that then decides: a plain search costs next to nothing."""


def _heading_name(line: str) -> str:
    """A heading without numbering, marks and case: what the lexicon knows it by."""
    return _bare_name(_PREFIX.sub("", line))


def _bare_name(rest: str) -> str:
    number = _NUMBERING.match(rest)
    rest = (rest[number.end() :] if number else rest).replace(":", "", 1).replace("'", "").replace("\u2019", "")
    letters = rest.lower().encode("ascii", "replace").translate(_LETTERS).decode("ascii")
    return " ".join(letters.split()).removesuffix(" continued")


def heading_kind(line: str) -> Part | None:
    """What a heading line announces, or None where the line is no heading that says so."""
    prefix = _PREFIX.match(line)
    name = _bare_name(line[prefix.end() :] if prefix else line)
    role = _KIND.get(name)
    if role is None and (prefix or name.count(" ") < 5) and _WORDY.search(words := f" {name}"):
        role = next(kind for word, kind in _WORDY_KIND if word in words)
    if prefix is None:
        return Part(role, role) if role else None
    if prefix.group(1) == "TITLE":
        return Part(FRONT, FRONT)
    if prefix.group(1) == "ABSTRACT":
        return Part(THANKS, THANKS) if role == THANKS else Part(ABSTRACT, role or UNKNOWN)
    return Part(role or UNKNOWN, role or UNKNOWN)


def _is_heading_line(text: str, start: int, end: int) -> bool:
    """Whether a span is a short line of its own that is shaped like a heading."""
    if end - start > _LONGEST_HEADING or (start and "\n" not in text[max(0, start - 3) : start]):
        return False
    if end < len(text) and text[end] != "\n" and "\n" not in text[end : end + 3]:
        return False
    return text[end - 1] not in ".;,?!" or end - start < 30


_FIRM = {
    "method",
    "methods",
    "materials and methods",
    "patients and methods",
    "methodology",
    "result",
    "results",
    "findings",
}


def _settled(found: Part, before: Part, firm: bool) -> Part:
    """The part that begins at a heading, in the light of the part before it.

    "Participants" or "Safety" may stand in methods and in results alike: such a heading does not move a text
    back to methods, nor forward to results.
    """
    if found.role == UNKNOWN:
        leaves = before.section == ABSTRACT and found.section != ABSTRACT
        return found if leaves or before.section in NEVER_EVIDENCE else before
    if firm or found.section in (ABSTRACT, THANKS, REFERENCES, CONTENTS, FRONT) or before.role == UNKNOWN:
        return found
    if found.role == METHODS and before.role in (RESULTS, DISCUSSION, CONCLUSION):
        return before
    if found.role == RESULTS and before.role == METHODS:
        return before
    return found


def _in_abstract(found: Part, kinds_ahead: Counter[str], abstract_open: bool) -> Part:
    """A heading "Methods" within an abstract that the body repeats later is the abstract's own."""
    if (
        abstract_open
        and found.section in (INTRODUCTION, METHODS, RESULTS, CONCLUSION)
        and kinds_ahead[found.section] > 0
    ):
        return Part(ABSTRACT, found.role)
    return found


def _headings(text: str, spans: Sequence[Span]) -> dict[int, Part]:
    """Index of each sentence that is a heading -> what it announces."""
    found = {}
    for i, (start, end) in enumerate(spans):
        if end - start <= _LONGEST_HEADING and _is_heading_line(text, start, end):
            kind = heading_kind(text[start:end])
            if kind is not None:
                found[i] = kind

    return found


_REACH = {FRONT: 400, THANKS: 2_500, CONTENTS: 20_000}
"""Characters behind its heading that a side matter can fill: the next part may have no heading of its own."""


def _is_paper(headings: dict[int, Part]) -> bool:
    """Whether headings show a paper: elsewhere "Disclosure" or "Definitions" head what matters."""
    return len({kind.role for kind in headings.values()} & {INTRODUCTION, METHODS, RESULTS, DISCUSSION, REFERENCES}) > 1


def _inline_part(text: str, start: int, current: Part) -> Part:
    """The part that words such as "Results:" at the start of a sentence open in an abstract."""
    found = _INLINE.match(text, start)
    role = _KIND.get(found.group(1).lower()) if found else None
    if role is None:
        return current
    return Part(role if role in (THANKS, FRONT) else ABSTRACT, role)


def parts_of(text: str, spans: Sequence[Span]) -> list[Part]:
    """The part of each sentence of `spans`, as its headings tell; UNKNOWN before the first of them."""
    headings = _headings(text, spans)
    if not _is_paper(headings):
        headings = {i: kind for i, kind in headings.items() if kind.role != THANKS}
    ahead = Counter(kind.section for kind in headings.values())
    unknown = current = Part(UNKNOWN, UNKNOWN)
    out, opened = [], 0
    for i, (start, end) in enumerate(spans):
        found = headings.get(i)
        if found is not None:
            ahead[found.section] -= 1
            name = _heading_name(text[start:end])
            found = _in_abstract(found, ahead, current.section == ABSTRACT and start - opened < 4_000)
            if found.section != ABSTRACT or current.section != ABSTRACT:
                opened = start
            current = _settled(found, current, name in _FIRM)
            out.append(Part(HEADING, HEADING))
            continue
        if end - opened > _REACH.get(current.section, len(text)):
            current = unknown
        if current.section in (ABSTRACT, UNKNOWN):
            current = _inline_part(text, start, current)
        out.append(current)
    return out


def _is_title(text: str, start: int, end: int) -> bool:
    """Whether the first sentence is a line of its own that does not end as a sentence does."""
    return end - start < 300 and text[end - 1] not in ".!:;?\u3002" and "\n" in text[end : end + 3]


def _side_matter(text: str) -> Iterator[tuple[int, str]]:
    """Where a mark of what is no evidence stands, and of what kind: each pattern scans the text once."""
    for pattern in _CITED_WORK:
        for found in pattern.finditer(text):
            yield found.start(), REFERENCES
    if "....." in text or ". . . ." in text or "\u2026" in text:
        for found in _DOTS.finditer(text):
            yield found.start(), CONTENTS
    front = text[: int(0.08 * len(text))]
    if any(word in front for word in _ADDRESS_WORDS):
        for found in _ADDRESS.finditer(front):
            yield found.start(), FRONT
    for words, kind, first in ((_CITING, REFERENCES, 0), (_THANKING, THANKS, len(text) // 2)):
        for word, pattern in words.items():
            at = text.find(word, first)
            while at >= 0:
                if pattern.search(text, max(0, at - 60), at + 60):
                    yield at, kind
                at = text.find(word, at + 60)


def mark_excluded(text: str, spans: Sequence[Span], parts: list[Part]) -> None:
    """Give what is no evidence by its own looks the part that says so, in place."""
    starts = [start for start, _ in spans]
    for at, kind in _side_matter(text):
        i = bisect_right(starts, at) - 1
        if i >= 0 and parts[i].section not in NEVER_EVIDENCE:
            parts[i] = Part(kind, kind)
    if len(spans) > 8 and parts[0].section == UNKNOWN and _is_title(text, *spans[0]):
        parts[0] = Part(FRONT, FRONT)
