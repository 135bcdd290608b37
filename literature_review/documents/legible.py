"""Tells a text from what only looks like one: noise of an OCR, or a PDF's signs that stand for no letters. Pure."""

from __future__ import annotations

import re

from literature_review.errors import UnreadablePaperError

LEAST_SHARE = 0.25
"""Letters and digits among the signs of a text; papers have about 0.95, tables of numbers 0.6."""

_LEAST_SIGNS = 200  # fewer say nothing
_SAMPLED_CHARACTERS = 6_000
_SAMPLES = 4
_BLANKS = re.compile(r"\s+")
_NO_WORD = re.compile(r"[\W_]+")


def refuse_illegible(text: str) -> None:
    """Raises UnreadablePaperError (no_text) where hardly any sign of the text is a letter or digit: characters from
    a few places of it are looked at."""
    step = max(len(text) // _SAMPLES, 1)
    size = _SAMPLED_CHARACTERS // _SAMPLES
    sample = "".join(text[at : at + size] for at in range(0, len(text), step)[:_SAMPLES])
    signs = _BLANKS.sub("", sample)
    letters = _NO_WORD.sub("", signs)
    if len(signs) >= _LEAST_SIGNS and len(letters) < LEAST_SHARE * len(signs):
        share = round(100 * len(letters) / len(signs))
        raise UnreadablePaperError(
            "no_text",
            f"Hardly any words can be made out ({share}% of the signs are letters or digits): run OCR over it again, "
            "or fetch another copy.",
        )
