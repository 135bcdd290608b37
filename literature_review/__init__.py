"""A literature review that loses nothing: a folder of papers in, an evidence report out.

The parts are imported where they are needed; this file imports none of them, so that the command starts fast.
"""

import sys

__version__ = "2.0.0"

if sys.argv[:1] == ["-m"] and any(word.startswith(__name__) for word in sys.orig_argv):
    # `python -m` of a module of ours: this is the first of it that is imported.
    from literature_review.early_signals import end_quietly

    end_quietly()
