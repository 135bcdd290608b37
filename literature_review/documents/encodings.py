"""Which of the older encodings a text is in, where it is no UTF-8: by the shape of its bytes. Pure, linear time.

    runs of high bytes, all of even length -> pairs: which rows they come from -> Japanese, Chinese, Korean
    runs of any length, most letters high  -> letters as frequent as in Russian -> Cyrillic
    few high bytes among ASCII letters, alone -> Western

Rows of JIS X 0208, GB 2312, KS X 1001 and Big5 are told by what every text of the language is full of: kana, the 2,350
syllables of Korean, the frequent characters of Chinese.
"""

from __future__ import annotations

import re
from collections import Counter
from itertools import pairwise

_SAMPLE_BYTES = 64 * 1024
_HIGH_RUN = re.compile(rb"[\x80-\xff]+")
_LETTERS = re.compile(rb"[A-Za-z\x80-\xff]")
_WESTERN_SHARE = 0.3  # of high bytes among the letters, at most
_LONG_RUN = 4  # high bytes in a row, as two characters of a Chinese sentence among English ones are
_OFTEN = 0.15  # of the pairs: kana in Japanese
_NEARLY_ALL = 0.97
_RUSSIAN = frozenset("оеаинтсрвл")
_RUSSIAN_SHARE = 0.5  # of these ten among the letters of any text in Russian, and near it in its neighbours
_PAIRED = re.compile(rb"[\x81-\xfe][\x30-\x39\x40-\xfe]")


def legacy_encoding(data: bytes) -> str:
    """The encoding's name in Python; windows-1252 where nothing speaks for another."""
    sample = data[:_SAMPLE_BYTES]
    runs = list(map(len, _HIGH_RUN.findall(sample)))
    few = sum(runs) <= _WESTERN_SHARE * len(_LETTERS.findall(sample))
    if few and sum(run for run in runs if run >= _LONG_RUN) <= sum(runs) / 2:
        return "cp1252"
    for name in (_of_pairs(sample), _cyrillic(sample)):
        if name and _decodes(data, name):
            return name
    return "cp1252"


def _decodes(data: bytes, name: str) -> bool:
    try:
        data.decode(name)
    except UnicodeDecodeError:
        return False
    return True


def _of_pairs(sample: bytes) -> str:
    """The encoding of two bytes a character, or an empty text."""
    leads = Counter(pair[0] for pair in _PAIRED.findall(sample))
    pairs = sum(leads.values())
    if (leads[0x82] + leads[0x83]) >= _OFTEN * pairs and _decodes_nearly(sample, "cp932"):
        return "cp932"
    runs = [run for run in _HIGH_RUN.findall(sample) if len(run) % 2]
    if not runs:  # each character is two high bytes
        rows = Counter(run[at] for run in _HIGH_RUN.findall(sample) for at in range(0, len(run), 2))
        pairs = sum(rows.values())
        if rows[0xA4] + rows[0xA5] >= _OFTEN * pairs:
            return "euc_jp"
        if sum(count for row, count in rows.items() if 0xB0 <= row <= 0xC8) >= _NEARLY_ALL * pairs:
            return "euc_kr"
        return "gb18030"
    traditional = sum(count for row, count in leads.items() if 0xA4 <= row <= 0xC6)
    low_trails = sum(0x40 <= pair[1] <= 0x7E for pair in _PAIRED.findall(sample))
    if traditional >= 0.8 * pairs and low_trails >= 0.2 * pairs and _decodes_nearly(sample, "big5"):
        return "big5"
    return "gb18030" if _simplified(sample) else ""


def _simplified(sample: bytes) -> bool:
    """Whether the bytes make pairs of which nearly all are characters of GB 2312, with a few others between."""
    text = sample.decode("gb18030", "replace")
    high = [character for character in text if character > "\x7f"]
    common = sum(
        "\u4e00" <= character <= "\u9fff" or character in "\u3002\uff0c\u3001\uff1b\uff1a" for character in high
    )
    plain = len([one for one in high if _decodes(one.encode("gb18030", "replace"), "gb2312")])
    return bool(high) and common >= 0.9 * len(high) and plain >= 0.9 * len(high)


def _decodes_nearly(sample: bytes, name: str) -> bool:
    """Whether the sample decodes but for a character that it may cut at its end."""
    text = sample.decode(name, "replace")
    return "\ufffd" not in text[:-1]


def _cyrillic(sample: bytes) -> str:
    """windows-1251 or KOI8-R where the letters are as frequent as those of Russian; else an empty text."""
    for name in ("cp1251", "koi8-r"):
        text = sample.decode(name, "replace")
        letters = [character for character in text if "\u0400" <= character <= "\u04ff"]
        small = sum(map(str.islower, letters))
        turned = sum(one.islower() and after.isupper() for one, after in pairwise(letters))
        frequent = sum(letter.lower() in _RUSSIAN for letter in letters)
        if letters and frequent >= _RUSSIAN_SHARE * len(letters) and small >= 0.6 * len(letters) and turned < small:
            return name
    return ""
