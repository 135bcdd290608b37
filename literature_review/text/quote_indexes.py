"""Quote indexes that were made just now: the stages of a paper, and the parts of a stage, look into one text."""

from __future__ import annotations

import threading
from collections import OrderedDict

from literature_review.text.quotes import QuoteIndex

MOST_CHARACTERS = 2_000_000  # of all texts kept, at about ten bytes each; a longer text is not kept

_lock = threading.Lock()  # guards the indexes
_indexes: OrderedDict[tuple[str, str], QuoteIndex] = OrderedDict()  # the one that was asked for last at the end


def index_of(text: str, shown: str = "") -> QuoteIndex:
    """QuoteIndex(text, shown), or the one that was made for equal texts not long ago. Thread-safe."""
    asked = (text, shown if shown != text else "")
    with _lock:
        known = _indexes.get(asked)
        if known is not None:
            _indexes.move_to_end(asked)
            return known
    made = QuoteIndex(*asked)
    if len(text) <= MOST_CHARACTERS:
        with _lock:
            _indexes[asked] = made
            while sum(len(kept) for kept, _ in _indexes) > MOST_CHARACTERS:
                _indexes.popitem(last=False)
    return made
