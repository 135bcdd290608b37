"""Running heads and feet: lines that come back all over a text, where its pages turn."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from itertools import pairwise

_PAGE_MARKS = "0123456789 .,:;|/()[]\t\u2013\u2014-"
_FIGURES = re.compile(r"[0-9]{1,18}")
_SHORTEST, _LONGEST = 12, 120  # characters of a running head
_FEW_LETTERS = 8
_NUMBER_ALONE = re.compile(r"[\s|\u2013\u2014-]*([0-9]{1,5})[\s|\u2013\u2014-]*")
_CAPTION = re.compile(r"(?:Supplementary |Extended Data )?(?:Fig|Table|Box|Scheme|Chart|Plate)", re.IGNORECASE)
_ENDS_SENTENCE = frozenset(".!?:;\u3002\uff01\uff1f")
_LONGEST_NUMBER = 12  # characters of a line that is a page's number alone


def without_running_heads(text: str) -> str:
    """`text` with line breaks in place of lines that come back all over it, page numbers aside; all offsets stay.

    Such a line ends no statement, and the sentence before it none of its own: it would run on over the page.
    """
    seen: dict[str, list[int]] = {}
    for start, line in _short_lines(text):
        if line[-1] not in ".;!?":
            seen.setdefault(line.strip(_PAGE_MARKS), []).append(start)
    heads = {line for line, starts in seen.items() if len(line) > _FEW_LETTERS and _is_spread(starts, text)}
    if not heads:
        return text
    return "\n".join("\n" * len(line) if line.strip(_PAGE_MARKS) in heads else line for line in text.split("\n"))


def joined_over_heads(text: str) -> str:
    """`text` with blanks in place of running heads, and of page numbers beside them, that interrupt a sentence: they
    stand apart, the line before ends no sentence and is no caption's, and the line behind goes on in small letters.
    All offsets stay; linear time."""
    lines = text.split("\n")
    heads, numbers = _counting_heads(text), _page_numbers(lines)
    if not heads and not numbers:
        return text
    joined = list(lines)
    before, between, is_head, block = "", [], False, ""
    for at, line in enumerate(lines):
        bare = _without_figures(line) if len(line) <= _LONGEST else line
        if bare in heads or (not bare and len(line) <= _LONGEST_NUMBER):
            between.append(at)
            is_head = is_head or bool(bare) or at in numbers
            continue
        apart = any(not lines[head].strip() for head in between) or "\f" in line
        goes_on = line.lstrip("\f")[:1].islower() and before[-1:] not in _ENDS_SENTENCE
        if is_head and apart and goes_on and not _CAPTION.match(block):
            for head in between:
                joined[head] = " " * len(lines[head])
        if apart:
            block = line
        before, between, is_head = line.rstrip(), [], False
    return "\n".join(joined)


def _counting_heads(text: str) -> set[str]:
    """The lines that come back all over the text, without their numbers: these are the same each time, but for one that
    grows as a page's does. A row of a table does not count so."""
    seen: dict[str, list[tuple[int, tuple[int, ...]]]] = {}
    for start, line in _short_lines(text):
        numbers = tuple(int(figures) for figures in _FIGURES.findall(line))
        seen.setdefault(_without_figures(line), []).append((start, numbers))
    return {
        form
        for form, found in seen.items()
        if len(form) > _FEW_LETTERS
        and _is_spread([start for start, _ in found], text)
        and _counts([numbers for _, numbers in found])
    }


def _page_numbers(lines: Sequence[str]) -> set[int]:
    """The lines that are a page's number alone: apart from the rest, and the only one with that number as the next
    one is with the next number."""
    standing: dict[int, list[int]] = {}
    for at, line in enumerate(lines):
        number = _NUMBER_ALONE.fullmatch(line) if 0 < len(line) <= _LONGEST_NUMBER else None
        if number and 0 < at < len(lines) - 1 and not lines[at - 1].strip() and not lines[at + 1].strip():
            standing.setdefault(int(number.group(1)), []).append(at)
    once = {number: places[0] for number, places in standing.items() if len(places) == 1}
    before = {at for number, at in once.items() if once.get(number + 1, 0) > at}
    return before | {at for number, at in once.items() if once.get(number - 1, len(lines)) < at}


def _counts(numbers: Sequence[tuple[int, ...]]) -> bool:
    if len(set(map(len, numbers))) > 1:
        return False
    columns = [column for column in zip(*numbers, strict=True) if len(set(column)) > 1]
    return len(columns) <= 1 and all(one < other for column in columns for one, other in pairwise(column))


def _short_lines(text: str) -> Iterator[tuple[int, str]]:
    """Where each line that may be a running head begins, and the line."""
    start = 0
    for line in text.split("\n"):
        if _SHORTEST <= len(line) <= _LONGEST:
            yield start, line
        start += len(line) + 1


def _is_spread(starts: Sequence[int], text: str) -> bool:
    return len(starts) >= 3 and starts[-1] - starts[0] > 0.4 * len(text)


def _without_figures(line: str) -> str:
    """A line without its numbers: a page's own may stand in the middle."""
    return _FIGURES.sub("", line).strip(_PAGE_MARKS)
