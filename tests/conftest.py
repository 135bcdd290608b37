"""How much is tried: `pytest --hypothesis-profile=thorough` makes many times the examples."""

from __future__ import annotations

import gc

from hypothesis import settings

# No deadline for one example: on a busy machine it would tell of the machine.
settings.register_profile("quick", max_examples=30, deadline=None)
settings.register_profile("thorough", max_examples=1000, deadline=None)
settings.load_profile("quick")


def pytest_collection_finish() -> None:
    """What was imported stays: the collector need not look at it again in every test."""
    gc.collect()
    gc.freeze()
