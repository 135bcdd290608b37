"""Which language a text is in: by its script, or by a vote of stop words. Pure."""

from __future__ import annotations

import re
from collections import Counter

_LANGUAGE_CHARACTERS = 40_000
_STOP_WORDS = {
    "en": "the of and to in that is was for with were by this from are as which have be not",
    "de": "der die und in den von zu das mit sich des auf für ist im dem nicht ein eine als wurde werden",
    "fr": "le la les de des et en un une du dans est que pour qui sur par au avec ont cette",
    "es": "el la los las de y en un una que del se por con para es su como más fueron",
    "it": "il la di e che in un una per con del della dei delle nel sono è gli più alla",
    "pt": "o a os as de e em um uma que do da dos das para com não foram por no na",
    "nl": "de het een en van in is dat op te zijn met voor niet aan er werd door bij ook",
    "sv": "och i att en som är av för på med det till den har de inte om ett var",
    "da": "og i at en som er af for på med det til den har de ikke om et var blev",
    "pl": "i w na z do się nie że jest o po przez dla od oraz był są to jak",
    "tr": "ve bir bu için ile olarak da de olan çok daha gibi ise en kadar sonra",
    "fi": "ja on ei se että oli ovat joka mutta myös kuin tai sekä sen ole",
    "cs": "a v na se je že s z do o pro byl jako jsou které nebo by",
    "ru": "и в на не что с по для как из при это к от или были был их",
    "uk": "і в на не що з та для як до при це від або були його які",
    "id": "yang dan di untuk dengan pada ini dari dalam adalah tidak oleh sebagai",
}
_SCRIPTS = (
    ("ja", re.compile("[\u3040-\u30ff]")),
    ("ko", re.compile("[\uac00-\ud7a3]")),
    ("zh", re.compile("[\u4e00-\u9fff]")),
    ("ar", re.compile("[\u0600-\u06ff]")),
    ("he", re.compile("[\u0590-\u05ff]")),
    ("el", re.compile("[\u0370-\u03ff]")),
    ("th", re.compile("[\u0e00-\u0e7f]")),
    ("hi", re.compile("[\u0900-\u097f]")),
)
_SCRIPT_SHARE = 0.3
_KANA_SHARE = 0.05


def language_of(text: str) -> str:
    """The text's language as an ISO 639-1 code, by its script or by a vote of stop words; "" where unsure."""
    sample = text[:_LANGUAGE_CHARACTERS]
    letters = sum(map(str.isalpha, sample))
    if letters < 40:
        return ""
    for code, script in _SCRIPTS:
        share = len(script.findall(sample)) / letters
        if share >= (_KANA_SHARE if code == "ja" else _SCRIPT_SHARE):
            return code
    words = Counter(re.findall(r"[^\W\d_]+", sample.lower()))
    votes = {code: sum(words[word] for word in stops.split()) for code, stops in _STOP_WORDS.items()}
    (best, most), (_, second) = Counter(votes).most_common(2)
    total = sum(words.values())
    if sum(word in words for word in _STOP_WORDS[best].split() if len(word) > 2) < 2:
        return ""  # single letters and pairs stand in noise and in tables too
    return best if most >= max(3, 0.08 * total) and most > 1.2 * second else ""
