"""Characters that a reader cannot see, made visible.

A paper may hold control characters, marks that turn the direction of writing, invisible tags and halves of
surrogate pairs. In a report each is shown as `[U+202E]`, so that it can neither hide nor reorder anything.
"""

from __future__ import annotations

import re

# Left as they are, because plain text needs them: tab, line feed, carriage return, the joiners of Persian,
# the Indic scripts and emoji (U+200C, U+200D), soft hyphens and variation selectors.
UNSEEN = re.compile(
    r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u061c\u180e\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f"
    r"\ud800-\udfff\ufdd0-\ufdef\ufeff\ufff9-\ufffb\ufffe\uffff\U000e0000-\U000e007f]"
)


def code_point(match: re.Match[str]) -> str:
    """The matched character as `[U+202E]`."""
    return f"[U+{ord(match[0]):04X}]"


def visible(text: str) -> str:
    """The text with every unseen character written as its code point; valid as UTF-8. Not escaped for HTML."""
    return UNSEEN.sub(code_point, text)
