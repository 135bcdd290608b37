"""Finds the authors' names: in a list as files name them, and below the title on a first page. Pure."""

from __future__ import annotations

import re
from collections.abc import Sequence

from literature_review.text.sections import kind_of

MOST_AUTHORS = 200
_LINES_BELOW = 12  # of the title, in which the names are looked for
# What programs, publishers and computers put where a file names its author.
_BAD_AUTHOR = re.compile(
    r"^(?:authors?|(?:windows |authori[sz]ed |valued )?(?:user|customer)|preferred customer|owner|admin(?:istrator)?|"
    r"unknown|anonymous|your name|root|guest|microsoft.*|adobe.*|acrobat.*|pscript.*|ghostscript.*|.*latex.*|"
    r"pdftex.*|.*\bdistiller.*|.*\.(?:dll|exe|docx?)|elsevier.*|springer.*|wiley.*|ieee|mdpi|plos|lenovo.*|dell|toshiba|"
    r"hewlett.*|[a-z]+\d+|\W*)$",
    re.I,
)
# Words of affiliations, of kinds of articles and of headings: a line with one of them names no people.
_NO_NAMES = re.compile(
    r"\b(?:universit\w*|department|hospital|institut\w*|school|college|faculty|centre|center|clinic|laborator\w*|"
    r"division|ministry|academy|society|foundation|journal|volume|research|article|report|review|letter|editorial|"
    r"communication|protocol|study|trial|summary|abstract|introduction|keywords|contents|access|copyright|"
    r"correspondence|email|version|draft|figure|table|chapter|appendix|supplement\w*|interests?|agreement|policy|number|general|guide\w*)\b",
    re.I,
)
_SMALL = "de|da|do|dos|del|della|di|du|van|von|zu|zur|der|den|ter|ten|la|le|bin|ibn|al|el|y|e|af|av|und"
_WORD = r"[^\W\d_a-z][\w.'’-]*"
_NAME = rf"{_WORD}(?:[ -](?:{_WORD}|{_SMALL})){{1,5}}"
_AUTHOR_LINE = re.compile(rf"^{_NAME}(?:\s*(?:,|;|·|&|\band\b)\s*(?:and |& )?{_NAME})*$")
_SURNAME_FIRST = rf"(?:(?:{_SMALL}) ){{0,2}}{_WORD}(?:[ -]{_WORD}){{0,2}}, {_WORD}(?:[ -]{_WORD}){{0,2}}"
_SURNAMES_FIRST_LINE = re.compile(rf"^{_SURNAME_FIRST}(?:; {_SURNAME_FIRST})+$")
_CHINESE_LINE = re.compile(r"^[\u4e00-\u9fff]{2,4}(?:[，、,;；\s]+[\u4e00-\u9fff]{2,4})*$")
_TITLE_LABEL = re.compile(r"^title\W{0,2}:[\s*_]*(?=\w)", re.I)
_LABEL = re.compile(r"^(?:authors?\s*[:.]|by\b|written by\b)\s*", re.I)
_DEGREE = re.compile(
    r",\s*(?:M\.?D|Ph\.?D|D\.?Phil|Dr\.?PH|Pharm\.?D|M\.?P\.?H|M\.?Sc|B\.?Sc|M\.?S|M\.?A|M\.?B\.?A|R\.?N|MBBS|MBChB|FRCP|FRCS"
    r"|FACP)\.?(?=\s*(?:[,;]|$|and\b|&))"
)
_DATED = re.compile(r"(?<!\d)(?:19|20)\d\d(?!\d)")
_YEAR_BEHIND = re.compile(r"(?:\s*\((?:19|20)\d\d[a-z]?\)|,\s*(?:19|20)\d\d)[.\s]*$")
_SIGNS = "†‡§¶#⁰-⁹¹²³∗☯✉¤"  # of footnotes, beside those that Markdown uses too
_AUTHOR_MARKS = re.compile(
    rf"(?<=[^\W\d_])[\d{_SIGNS}]+(?:\s*,\s*[\d{_SIGNS}]+)*|[*_{_SIGNS}]|(?<=[\s.])\d+(?:,\d+)*"
    rf"|(?<=\w)\s[a-h](?:\s*,\s*[a-h\d*{_SIGNS}]+)*(?=\s*(?:[,;&]|$|and\b))"  # letters: Ada Byron a,*, Bo Li b
)
_BETWEEN_MARKS = re.compile(rf"(?<=[^\W\d_])[\d*{_SIGNS}]+\s+(?=[^\W\d_])")  # where marks alone part the names
_TITLES_BEHIND = re.compile(r"(?:,| (?:Ph\.?D|M\.?D|M\.?Sc|B\.?Sc|MPH|MBBS|RN|BA|MA|MS)(?![a-z])).*$")
_BETWEEN = re.compile(r"(?:doi\b|https?:|©|reprints|vol\b|\d{4}, vol)", re.I)  # a title and its authors
_MEMBERS = re.compile(r",\s*(?:(?:Graduate )?Student |Senior |Life )?(?:Member|Fellow),\s*IEEE\b")
_GROUP_BEHIND = re.compile(r",? ?\b(?:for|on behalf of) the\b.*$")
_AUTHOR_SPLIT = re.compile(r"\s*(?:;|·|\band\b|&|,(?!\s*(?:jr|sr|ii|iii|md|phd)\b))\s*", re.I)


def split_authors(text: str) -> tuple[str, ...]:
    """Names in a list such as "A. Byron, B. Curie and C. Noether" or "Byron, A.; Curie, B."."""
    if ";" in text:
        parts = text.split(";")
    elif re.fullmatch(r"\s*[^\W\d_][\w'’-]+,\s*[^,]{1,30}", text):
        parts = [text]
    else:
        parts = _AUTHOR_SPLIT.split(text)
    names = [" ".join(part.split()).strip(" ,.*") for part in parts]
    return tuple(name for name in names if len(name) > 2 and not _BAD_AUTHOR.match(name))[:MOST_AUTHORS]


def authors_in(page: str, title: str) -> tuple[str, ...]:
    """The authors on a first page: the lines of names that follow the title, blank lines and what is no name (the
    kind of the article) passed over. A blank line or another line ends them."""
    lines = page.split("\n")
    after = _line_after(lines, title) if title else len(lines)
    names: tuple[str, ...] = ()
    joined = ""
    for line in lines[after : after + _LINES_BELOW]:
        line = _YEAR_BEHIND.sub("", line)
        bare = _bare(line)
        is_no_name = _BETWEEN.match(line) or (_NO_NAMES.search(bare) and len(bare) < 60 and not kind_of(bare))
        if not joined and (not bare or is_no_name):
            continue
        if joined and bare.isupper() and not joined.isupper():
            break
        joined += f"{', ' if _begins_a_name(joined, bare) else ' '}{bare}" if joined else bare
        if not bare or _DATED.search(line) or kind_of(bare) or _NO_NAMES.search(bare) or len(joined) > 2000:
            break
        if _CHINESE_LINE.match(joined):
            return tuple(re.split(r"[，、,;；\s]+", joined))[:MOST_AUTHORS]
        if not (_AUTHOR_LINE.match(joined.removesuffix(" and").strip(" ·,;&")) or _SURNAMES_FIRST_LINE.match(joined)):
            break
        names = split_authors(joined)
    return tuple(name for name in names if " " in name)


def _begins_a_name(joined: str, line: str) -> bool:
    """Whether the names above the line end with a whole one, and it begins with a whole one: each on a line."""
    above, below = ("".join(names) for names in (split_authors(joined)[-1:], split_authors(line)[:1]))
    is_whole = joined[-1].isalnum() and not joined.endswith(" and")
    return is_whole and line[:1].isupper() and " " in above and " " in below


def _bare(line: str) -> str:
    """The line without marks of footnotes and of Markdown, and without a label such as `Authors:`."""
    line = _GROUP_BEHIND.sub("", _MEMBERS.sub("", line))
    if "|" in line:
        line = ", ".join(_TITLES_BEHIND.sub("", name).strip() for name in line.split("|"))
    if "," not in line and ";" not in line:
        line = _BETWEEN_MARKS.sub(", ", line)
    bare = _DEGREE.sub("", " ".join(_AUTHOR_MARKS.sub("", line).split()))
    return _LABEL.sub("", re.sub(r" (?=,)|,(?=,)", "", bare)).strip()


def without_label(line: str) -> str:
    """The line without `Title:` before it."""
    return _TITLE_LABEL.sub("", line)


def _line_after(lines: Sequence[str], title: str) -> int:
    """Number of the first line after the title's."""
    wanted = "".join(title.lower().split())
    for at in range(min(len(lines), 30)):
        seen = ""
        for to in range(at, min(at + 6, len(lines))):
            seen += "".join(without_label(lines[to].strip("#*_= \t")).lower().split())
            if wanted and seen == wanted:
                return to + 1
            if len(seen) > len(wanted):
                break
    return len(lines)
