"""A literature review that loses nothing: a folder of papers in, an evidence report out.

The parts are imported where they are needed; this file stays empty so that the command starts fast.
"""

__version__ = "2.0.0"
