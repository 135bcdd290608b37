"""Words of a text, folded so that a question and a paper meet: case, ligatures, British and American
spelling, endings. Chinese, Japanese and Korean runs become pairs of characters, which need no dictionary.

Pure functions; the stem table is a cache shared by all threads (each look-up and store is one atomic step).
"""

from __future__ import annotations

import codecs
import re
import unicodedata
from collections.abc import Iterable

_WORD = re.compile(r"[^\W_]+")
_CJK = re.compile(r"[\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uac00-\ud7af\uf900-\ufaff]+")
_BROKEN = re.compile(r"(?<=\w)-\s*\n\s*(?=[a-z])")
_LONGEST_WORD = 64
_CACHE_LIMIT = 200_000

STOP_WORDS = frozenset(
    [
        "a",
        "about",
        "above",
        "after",
        "again",
        "against",
        "all",
        "also",
        "am",
        "among",
        "an",
        "and",
        "any",
        "are",
        "as",
        "at",
        "be",
        "because",
        "been",
        "before",
        "being",
        "below",
        "between",
        "both",
        "but",
        "by",
        "can",
        "could",
        "did",
        "do",
        "does",
        "doing",
        "done",
        "down",
        "during",
        "each",
        "either",
        "et",
        "etc",
        "few",
        "for",
        "from",
        "further",
        "had",
        "has",
        "have",
        "having",
        "he",
        "her",
        "here",
        "hers",
        "him",
        "his",
        "how",
        "i",
        "if",
        "in",
        "into",
        "is",
        "it",
        "its",
        "itself",
        "just",
        "may",
        "me",
        "might",
        "more",
        "most",
        "must",
        "my",
        "neither",
        "no",
        "nor",
        "not",
        "of",
        "off",
        "on",
        "once",
        "one",
        "only",
        "or",
        "other",
        "our",
        "ours",
        "out",
        "over",
        "own",
        "per",
        "same",
        "shall",
        "she",
        "should",
        "since",
        "so",
        "some",
        "such",
        "than",
        "that",
        "the",
        "their",
        "theirs",
        "them",
        "then",
        "there",
        "these",
        "they",
        "this",
        "those",
        "through",
        "to",
        "too",
        "two",
        "under",
        "until",
        "up",
        "upon",
        "us",
        "using",
        "used",
        "use",
        "very",
        "via",
        "vs",
        "versus",
        "was",
        "we",
        "were",
        "what",
        "when",
        "where",
        "whether",
        "which",
        "while",
        "who",
        "whom",
        "whose",
        "why",
        "will",
        "with",
        "within",
        "without",
        "would",
        "yet",
        "you",
        "your",
        "yours",
        "compared",
        "comparison",
        "effect",
        "effects",
        "affect",
        "affects",
        "due",
        "amp",
        "gt",
        "lt",
        "following",
        "based",
        "given",
    ]
)

# Endings, longest first: (ending, what stays, letters that must stand before it).
_ENDINGS = (
    ("izational", "iz", 3), ("ization", "iz", 3), ("isation", "iz", 3), ("fulness", "", 3), ("iveness", "", 3),
    ("ational", "", 4), ("ically", "", 3), ("ations", "", 4), ("ation", "", 4), ("ative", "", 4),
    ("uction", "uc", 3), ("ement", "", 4), ("ences", "", 4), ("ances", "", 4), ("osure", "os", 2), ("ssion", "ss", 3),
    ("ption", "pt", 3), ("ence", "", 4), ("ance", "", 4), ("ency", "", 4), ("ancy", "", 4), ("able", "", 4),
    ("ible", "", 4), ("tion", "t", 3), ("sion", "s", 4), ("ment", "", 4), ("ness", "", 4), ("ical", "", 4),
    ("ally", "", 4), ("ious", "", 4), ("ator", "", 4), ("izer", "iz", 3), ("ity", "", 4), ("ive", "", 4),
    ("ous", "", 4), ("ant", "", 4), ("ent", "", 4), ("ise", "iz", 3), ("ize", "iz", 3), ("ate", "", 4),
    ("ism", "", 4), ("ist", "", 4), ("al", "", 4), ("ic", "", 4), ("ly", "", 4),
)  # fmt: skip
_VOWELS = frozenset("aeiouy")


def _without_plural(word: str) -> str:
    if word.endswith("ies") and len(word) > 4:
        return word[:-3] + "y"
    if word.endswith(("sses", "xes", "ches", "shes")):
        return word[:-2]
    if word.endswith("s") and not word.endswith(("ss", "us", "is")):
        return word[:-1]
    return word


def _without_verb_ending(word: str) -> str:
    for ending in ("ing", "ed"):
        if word.endswith(ending):
            rest = word[: -len(ending)]
            if len(rest) < 3 or not _VOWELS.intersection(rest):
                return word
            if rest[-1] == rest[-2] and rest[-1] not in "lsz":
                return rest[:-1]
            return rest + "e" if rest.endswith(("iz", "is", "at")) else rest
    return word


_IRREGULAR = {
    form: base
    for base, forms in {
        "take": "took taken", "fall": "fell fallen", "rise": "rose risen", "give": "gave given", "find": "found",
        "show": "shown", "lose": "lost", "keep": "kept", "grow": "grew grown", "begin": "began begun", "feel": "felt",
        "sleep": "slept", "drink": "drank drunk", "eat": "ate eaten", "die": "died death", "leave": "left",
        "child": "children", "woman": "women", "man": "men", "foot": "feet", "tooth": "teeth", "choose": "chose chosen",
        "write": "wrote written", "speak": "spoke spoken", "break": "broke broken", "bear": "borne born",
        "think": "thought", "teach": "taught", "seek": "sought", "bring": "brought", "tell": "told", "hold": "held",
    }.items()
    for form in forms.split()
}  # fmt: skip


def stem(word: str) -> str:
    """The part of a lower-case word that its forms share; words with digits and short words stay as they are."""
    if len(word) < 4 or not word.isalpha():
        return word
    word = word.replace("ae", "e").replace("oe", "e").replace("our", "or")
    word = _without_verb_ending(_without_plural(word))
    for ending, stays, before in _ENDINGS:
        if word.endswith(ending) and len(word) - len(ending) >= before:
            word = word[: -len(ending)] + stays
            break
    if word.endswith("e") and len(word) > 3:
        return word[:-1]
    return word[:-1] + "i" if word.endswith("y") and len(word) > 3 else word


class _Stems(dict[str, str]):
    """word -> stem, filled as words are met; emptied when full, so that hostile texts cannot grow it."""

    def __missing__(self, word: str) -> str:
        if len(self) >= _CACHE_LIMIT:
            self.clear()
        found = stem(_IRREGULAR.get(word, word[:_LONGEST_WORD]))
        self[word] = found
        return found


_ASCII_WORDS = "".join(chr(code).lower() if chr(code).isalnum() else " " for code in range(128))
"""For `str.translate`: lower case, all but letters and digits a space; several times as fast as a pattern."""

_SIGNS = re.compile("[\xa0\xae\xb0\xb1\xb7\xd7\u2000-\u200a\u2010-\u2019\u201c\u201d\u2022\u2212\u2264\u2265]")
"""Signs and blanks beyond ASCII that only part words: most texts are ASCII but for these."""

_PLAIN = "".join(map(chr, range(128))) + "".join(filter(_SIGNS.match, map(chr, range(128, 0x2300))))
_PLAIN_BYTES = codecs.charmap_build(_PLAIN.ljust(256, "\ufffe"))
"""ASCII and `_SIGNS`, each a byte: one step of the codec, where a pattern looks at every character."""
_PLAIN_WORDS = f"{_ASCII_WORDS[: ord('?')]}\n{_ASCII_WORDS[ord('?') + 1 :]}".encode() + b" " * 128
"""As `_ASCII_WORDS`, for `bytes.translate`; a line break stands for what is not plain: the codec gives a "?" for it."""

_BREAK = re.compile(r"-(?=\s*\n)")
_NOT_PLAIN = "\uffff"

_stem_of = _Stems().__getitem__


def _pairs(run: str) -> Iterable[str]:
    return (run[i : i + 2] for i in range(max(1, len(run) - 1)))


def _split_cjk(words: list[str]) -> list[str]:
    out: list[str] = []
    for word in words:
        last = 0
        for run in _CJK.finditer(word):
            if run.start() > last:
                out.append(word[last : run.start()])
            out.extend(_pairs(run.group()))
            last = run.end()
        if last < len(word):
            out.append(word[last:])
    return out


def stems(text: str) -> list[str]:
    """The stems of all words of `text`, in order, stop words among them."""
    if "-" in text and "\n" in text:
        text = _BROKEN.sub("", text)
    if not text.isascii():
        text = _SIGNS.sub(" ", text)
    if text.isascii():
        return list(map(_stem_of, text.translate(_ASCII_WORDS).split()))
    folded = unicodedata.normalize("NFKC", text.replace("\xad", "")).lower()
    words = _WORD.findall(folded)
    if _CJK.search(folded):
        words = _split_cjk(words)
    return list(map(_stem_of, words))


class StemmedText:
    """The stems of any part of one text, faster than `stems` of each part: what is plain is folded once, as a whole."""

    def __init__(self, text: str) -> None:
        self._text = text
        plain = _BREAK.sub(_NOT_PLAIN, text.replace("?", " "))  # a word may be broken there
        self._folded = codecs.charmap_encode(plain, "replace", _PLAIN_BYTES)[0].translate(_PLAIN_WORDS).decode("ascii")

    def of(self, start: int, end: int) -> list[str]:
        """What `stems` gives for the characters `start` to `end`."""
        piece = self._folded[start:end]
        if "\n" in piece:  # a word that is broken, or in other letters
            return stems(self._text[start:end])
        return list(map(_stem_of, piece.split()))


def stem_set(words: str) -> frozenset[str]:
    """The stems of a list of words written as one text."""
    return frozenset(stems(words))


STOP_STEMS = frozenset(map(_stem_of, STOP_WORDS))


def content(found: Iterable[str]) -> list[str]:
    """`found` without stop words and single Latin letters, each once, in order of first sight."""
    return [
        word
        for word in dict.fromkeys(found)
        if word not in STOP_STEMS and (len(word) > 1 or not word.isascii() or word.isdigit())
    ]
