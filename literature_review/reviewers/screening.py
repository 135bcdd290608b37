"""Whether a paper is taken into the review: years, languages, then criteria, without a model, so that an excluded
paper costs nothing.

    include: its words stand somewhere in the paper (outside the references)         else excluded
    exclude: its words stand where a paper says what it is: title, abstract, methods  then excluded

A criterion's keywords are alternatives. Without keywords an exclusion is met by a sentence that holds most of the
content words of its text, an inclusion by half of them in one sentence, or in title, abstract and methods together (in
Chinese, Japanese and Korean: pairs of signs). British and American spelling, singular and plural are one. One that
names nothing to look for decides nothing, and the record says so. What does not meet an exclusion: a sentence that
cites or speaks of other work ("unlike earlier meta-analyses"), or of whom the paper left out; what was approved or
published ("the study protocol was approved"); the name of a body (University for Women). What is unknown (a year, a
language) excludes nobody.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from literature_review.models import Bibliography, Criterion, Document, Screening, ScreeningDecision
from literature_review.reviewers.criterion_words import WORD, content_words, parts_of, phrase, stems_of
from literature_review.reviewers.passages import sentence_around
from literature_review.text.hidden import blank_out
from literature_review.text.quotes import readable

FRONT_CHARACTERS = 3_000
"""Where a text names no abstract or methods, its beginning stands for them."""

SHARE_TO_INCLUDE, SHARE_TO_EXCLUDE = 0.5, 0.75

_FRONT_KINDS = frozenset(("abstract", "methods"))
_HEAD_KINDS = frozenset(("abstract", "other"))
_OF_OTHERS = re.compile(
    r"\b(?:no|not|nor|never|unlike|without|except|previous\w*|earlier|prior|recent|other|others|existing|past)\b",
    re.IGNORECASE,
)
# Tells of all whom its sentence names.
_LEFT_OUT = re.compile(r"\b(?:exclu(?:des?|ded|ding|sions?)|ineligib\w*)\b", re.IGNORECASE)
_NAME = re.compile(
    r"[A-Z][^\W_]*(?:['\u2019-]\w+)*(?:\s(?:(?:of|for|and|the|de|&)\s){0,2}[A-Z][^\W_]*(?:['\u2019-]\w+)*)*"
)
_BODY = re.compile(
    r"\b(?:Universit|Hospital|Institut|Foundation|Journal|Archives|Annals"
    r"|(?:Department|Faculty|School|College|Centre|Center|Clinic|Academy|Society|Ministry|Division)\s(?:of|for)\b)"
)
# What was approved or published is a thing that the sentence tells of, not what the paper is.
_APPROVED = re.compile(r"[^.!?]{0,60}\b(?:approved|published)\b|\s+forms?\b", re.IGNORECASE)
_APPROVES = re.compile(r"\bapprov(?:ed|al|es)\b[^.!?]*$", re.IGNORECASE)
_CITES = re.compile(
    r"\[\d{1,3}(?:[,\u2013-]\s?\d{1,3}){0,20}\]|\bet al\b|\bstud(?:y|ies) (?:have|has)\b"
    r"|\([A-Z]\w+(?:,| et al\.?,?| (?:and|&) [A-Z]\w+,?) (?:19|20)\d\d"
)
_NEAR = 40  # characters before a word within which another word tells of whom it speaks
_SENTENCE = re.compile(r"[^.!?\n。！？]+(?:\n(?![ \t]*\n)[^.!?\n。！？]+)*")

Range = tuple[int, int]


def screen(document: Document, bibliography: Bibliography, screening: Screening) -> ScreeningDecision:
    """The decision, with the criterion and the passage that decided where the paper is not taken in."""
    excluded = _by_year(document, bibliography, screening) or _by_language(document, bibliography, screening)
    if excluded is not None:
        return excluded
    for criterion in screening.exclude:
        found = _find(document, criterion, front_only=True)
        if found is not None:
            return _excluded(document, criterion.id, f"meets the exclusion criterion: {criterion.text}", found)
    met: list[str] = []
    for criterion in screening.include:
        if _names_nothing(criterion):
            continue
        if _find(document, criterion, front_only=False) is None and not _is_met_by_the_front(document, criterion):
            return _not_met(document, criterion)
        met.append(criterion.id)
    return ScreeningDecision(included=True, reason=_why_included(bibliography, screening, met))


def _names_nothing(criterion: Criterion) -> bool:
    """True where neither keywords nor text hold a word that could be looked for."""
    return not any(map(parts_of, criterion.keywords)) and not content_words(criterion.text)


def _why_included(bibliography: Bibliography, screening: Screening, met: Sequence[str]) -> str:
    notes = [f"meets {', '.join(met)}"] if met else []
    empty = [one.id for one in (*screening.include, *screening.exclude) if _names_nothing(one)]
    if empty:
        notes.append(f"{', '.join(empty)} names nothing to look for")
    if screening.years and bibliography.year is None:
        notes.append("its year is not known")
    if screening.languages and not bibliography.language:
        notes.append("its language is not known")
    return "; ".join(notes)


def _by_year(document: Document, bibliography: Bibliography, screening: Screening) -> ScreeningDecision | None:
    year, years = bibliography.year, screening.years
    if years is None or year is None or years[0] <= year <= years[1]:
        return None
    stands = re.compile(rf"(?<!\d){year}(?!\d)").search(document.text, 0, 2 * FRONT_CHARACTERS)  # further down: cited
    source = f" according to {bibliography.sources['year']}" if not stands and "year" in bibliography.sources else ""
    reason = f"published in {year}{source}, not in {years[0]} to {years[1]}"
    found = sentence_around(document.text, *stands.span()) if stands else None
    return _excluded(document, "years", reason, found)


def _by_language(document: Document, bibliography: Bibliography, screening: Screening) -> ScreeningDecision | None:
    language = bibliography.language.lower().partition("-")[0]
    if not screening.languages or not language or language in {known.lower() for known in screening.languages}:
        return None
    reason = f"written in the language {language!r}, not in {', '.join(screening.languages)}"
    first = WORD.search(document.text, min(len(document.text) // 2, 2_000))
    found = sentence_around(document.text, *first.span()) if first else None
    return _excluded(document, "languages", reason, found)


def _not_met(document: Document, criterion: Criterion) -> ScreeningDecision:
    words = ", ".join(criterion.keywords) or criterion.text
    found = _nearest(document, criterion)
    reason = f"does not meet the inclusion criterion: {criterion.text} (looked for: {words})"
    if found is None:
        reason += "; none of these words stands in it: quoted is what it says it is"
        found = _first_sentence(document)
    return _excluded(document, criterion.id, reason, found)


def _excluded(document: Document, criterion: str, reason: str, found: Range | None) -> ScreeningDecision:
    if found is None or document.is_hidden(*found):
        return ScreeningDecision(False, criterion, reason)
    return ScreeningDecision(False, criterion, reason, readable(document.shown, *found), document.page_at(found[0]))


def _find(document: Document, criterion: Criterion, front_only: bool) -> Range | None:
    """The sentence that meets the criterion, or None."""
    for low, high in _ranges(document, front_only):
        if any(map(parts_of, criterion.keywords)):
            found = _keyword_sentence(document, criterion.keywords, low, high, front_only)
        else:
            share = SHARE_TO_EXCLUDE if front_only else SHARE_TO_INCLUDE
            found = _best_sentence(document, criterion.text, low, high, share, front_only)
        if found is not None:
            return found
    return None


def _is_met_by_the_front(document: Document, criterion: Criterion) -> bool:
    """Whether title, abstract and methods together hold enough of the words of a criterion without keywords: a trial
    may be called randomised in one sentence, and its control group be told of in another."""
    wanted = set() if any(map(parts_of, criterion.keywords)) else stems_of(content_words(criterion.text))
    seen = blank_out(document.text, [(span.start, span.end) for span in document.hidden])
    words = (content_words(seen[low:high]) for low, high in _ranges(document, front_only=True))
    return bool(wanted) and len(wanted & stems_of(set().union(*words))) >= SHARE_TO_INCLUDE * len(wanted)


def _ranges(document: Document, front_only: bool) -> list[Range]:
    """The parts of the text that count: all but the references, or only where a paper says what it is."""
    size = len(document.text)
    if front_only:
        front = [(s.start, s.end) for s in document.sections if s.kind in _FRONT_KINDS]
        # A title may be a heading, and so begin a section; its abstract may stand under it without one of its own.
        first = next((s.start for s in document.sections if s.kind not in _HEAD_KINDS), size)
        ranges = [(0, min(first, FRONT_CHARACTERS))] + front if front else [(0, min(size, FRONT_CHARACTERS))]
        return [part for part in ranges if part[0] < part[1]]
    ranges, at = [], 0
    for section in document.sections:
        if section.kind == "references":
            ranges.append((at, section.start))
            at = section.end
    return [part for part in [*ranges, (at, size)] if part[0] < part[1]]


def _keyword_sentence(
    document: Document, keywords: Sequence[str], low: int, high: int, about_itself: bool
) -> Range | None:
    patterns = [phrase(keyword) for keyword in keywords if parts_of(keyword)]
    hits = [next(_sentences_with(document, pattern, low, high, about_itself), None) for pattern in patterns]
    found = [hit for hit in hits if hit is not None]
    return min(found) if found else None


def _sentences_with(
    document: Document, pattern: re.Pattern[str], low: int, high: int, about_itself: bool
) -> Iterator[Range]:
    for found in pattern.finditer(document.text, low, high):
        sentence = sentence_around(document.text, *found.span())
        start, end = max(sentence[0], low), min(sentence[1], high)
        if document.is_hidden(*found.span()):
            continue
        if not (about_itself and _is_of_others(found, start, end)):
            yield start, end


def _is_of_others(found: re.Match[str], start: int, end: int) -> bool:
    """Whether what was found, in the sentence from `start` to `end`, does not say what the paper is."""
    text, at = found.string, found.start()
    before = text[max(start, at - _NEAR) : at]
    return bool(
        _LEFT_OUT.search(text, start, end)
        or _CITES.search(text, start, end)
        or _OF_OTHERS.search(before)
        or _APPROVES.search(before)
        or _APPROVED.match(text, found.end(), end)
        or _is_in_a_name(found, start, end)
    )


def _is_in_a_name(found: re.Match[str], start: int, end: int) -> bool:
    """Whether what was found is a part of the name of a body, and names none itself: Asian University for Women."""
    names = () if _BODY.search(found.group()) else _NAME.finditer(found.string, start, end)
    return any(name.start() <= found.start() < name.end() and _BODY.search(name.group()) for name in names)


def _best_sentence(
    document: Document, wanted_text: str, low: int, high: int, share: float, about_itself: bool
) -> Range | None:
    """The sentence with the largest share of the wanted words, if that share is reached."""
    wanted = content_words(wanted_text) if about_itself else stems_of(content_words(wanted_text))
    drop_bodies = about_itself and not _BODY.search(wanted_text)
    best, best_range = 0.0, None
    for found in _SENTENCE.finditer(document.text, low, high):
        words = content_words(_without_bodies(found.group()) if drop_bodies else found.group())
        words = words if about_itself else stems_of(words)
        if not wanted or document.is_hidden(*found.span()):
            continue
        reached = len(wanted & words) / len(wanted)
        if reached > best and not (about_itself and _tells_of_others(found.group(), wanted_text)):
            best, best_range = reached, found.span()
    if best_range is None or best < share:
        return None
    at = best_range[0] + len(document.text[slice(*best_range)]) - len(document.text[slice(*best_range)].lstrip())
    return sentence_around(document.text, at, at + 1)


def _without_bodies(sentence: str) -> str:
    return _NAME.sub(lambda name: " " if _BODY.search(name[0]) else name[0], sentence)


def _tells_of_others(sentence: str, wanted_text: str) -> bool:
    """Whether it has a word that says so, which the criterion ("no control group") does not have itself."""
    known = {word.lower() for pattern in (_OF_OTHERS, _LEFT_OUT) for word in pattern.findall(wanted_text)}
    return bool(_CITES.search(sentence)) or any(
        word.lower() not in known for each in (_OF_OTHERS, _LEFT_OUT) for word in each.findall(sentence)
    )


def _first_sentence(document: Document) -> Range | None:
    """Of the abstract, below its heading; else of the text."""
    abstract = next((one for one in document.sections if one.kind == "abstract"), None)
    start = document.text.find("\n", abstract.start, abstract.end) if abstract else 0
    words = WORD.search(document.text, max(start, 0))
    return sentence_around(document.text, *words.span()) if words else None


def _nearest(document: Document, criterion: Criterion) -> Range | None:
    """The sentence that comes nearest to a criterion that is not met, or None where none has any of its words."""
    words = " ".join((criterion.text, *criterion.keywords))
    candidates = [
        found
        for low, high in _ranges(document, front_only=False)
        if (found := _best_sentence(document, words, low, high, 0.01, False)) is not None
    ]
    return candidates[0] if candidates else None
