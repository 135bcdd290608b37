"""Undoes the TeX in a BibTeX field: accents, letters, braces, dashes. Unknown commands are dropped. Pure, linear."""

from __future__ import annotations

import re
import unicodedata

_ACCENTS = {
    "`": "\u0300", "'": "\u0301", "^": "\u0302", "~": "\u0303", '"': "\u0308", "=": "\u0304", ".": "\u0307",
    "u": "\u0306", "v": "\u030c", "H": "\u030b", "c": "\u0327", "k": "\u0328", "r": "\u030a", "d": "\u0323",
    "b": "\u0331",
}  # fmt: skip
_LETTERS = {
    "ss": "ß", "o": "ø", "O": "Ø", "l": "ł", "L": "Ł", "ae": "æ", "AE": "Æ", "oe": "œ", "OE": "Œ", "aa": "å",
    "AA": "Å", "i": "ı", "j": "ȷ", "dh": "ð", "DH": "Ð", "th": "þ", "TH": "Þ", "alpha": "α", "beta": "β",
    "gamma": "γ", "delta": "δ", "kappa": "κ", "lambda": "λ", "mu": "μ", "textendash": "–", "textemdash": "—",
    "textquoteright": "’", "textquoteleft": "‘", "ldots": "…", "dots": "…", "times": "×", "pm": "±", "geq": "≥",
    "leq": "≤", "textregistered": "®", "textasciitilde": "~", "textbackslash": " ", "TeX": "TeX",
    "LaTeX": "LaTeX",
}  # fmt: skip
_ACCENT = re.compile(
    r"""\\(?:([`'^~"=.])[ ]*|([uvHckrdb])(?:[ ]+|(?=\{|\\)))(?:\{[ ]*(\\?[^\W\d_])[ ]*\}|(\\?[^\W\d_]))"""
)
_LETTER = re.compile(r"\\([A-Za-z]+)(?:[ ]+|\{\}|(?![A-Za-z]))")
_FORMULA = re.compile(r"\$([^$]{0,200})\$")  # CO$_2$
_ESCAPED = re.compile(r"\\([&%$#_{}\\ ])")


def plain_from_tex(text: str) -> str:
    """`text` without its TeX: `M{\\"u}ller \\& {S}{\\o}n` is Müller & Søn."""
    text = _FORMULA.sub(lambda found: re.sub("[_^]", "", found[1]), text)
    if "\\" in text:
        text = _ACCENT.sub(_accented, text)
        text = _ESCAPED.sub(lambda found: {"{": "\ue000", "}": "\ue001", "\\": " "}.get(found[1], found[1]), text)
        text = _LETTER.sub(lambda found: _LETTERS.get(found.group(1), ""), text)
    text = text.replace("{", "").replace("}", "").replace("$", "").replace("\ue000", "{").replace("\ue001", "}")
    text = text.replace("---", "—").replace("--", "–").replace("``", "“").replace("''", "”").replace("~", " ")
    return unicodedata.normalize("NFC", text)


def _accented(found: re.Match[str]) -> str:
    mark = _ACCENTS[found.group(1) or found.group(2)]
    letter = (found.group(3) or found.group(4)).removeprefix("\\")
    return letter + mark


def tex_names(text: str) -> list[str]:
    """The names in an author field, parted by `and` outside of braces; `others` ends a list that is cut short.
    A name that stands in braces as a whole (a body's) keeps its commas apart from a person's."""
    text = " ".join(text[:200_000].split())
    names, depth, start = [], 0, 0
    for found in re.finditer(r"(?<!\\)[{}]|\s+and\s+", text, re.I):
        if found.group() == "{":
            depth += 1
        elif found.group() == "}":
            depth = max(depth - 1, 0)
        elif depth == 0:
            names.append(text[start : found.start()])
            start = found.end()
    names.append(text[start:])
    return [_one_name(name) for name in names if name.strip()]


def _one_name(name: str) -> str:
    name = name.strip()
    is_body = name.startswith("{") and name.find("}") == len(name) - 1
    plain = plain_from_tex(name)
    return plain.replace(",", " ") if is_body else plain
