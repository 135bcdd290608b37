"""The one list of section names that documents and the offline engine read."""

from __future__ import annotations

import pytest

from literature_review.llm.offline.sections import heading_kind
from literature_review.text.section_names import KINDS, PARTS
from literature_review.text.sections import kind_of

SAME = ("abstract", "introduction", "methods", "results", "discussion", "conclusion", "references")


def test_every_name_has_one_kind() -> None:
    assert not KINDS.keys() & PARTS.keys()


@pytest.mark.parametrize("name", [name for name, kind in KINDS.items() if kind in SAME])
def test_documents_and_engine_read_a_heading_alike(name: str) -> None:
    found = heading_kind(name.title())
    assert found is not None
    assert found.section == kind_of(name.title()) == KINDS[name]


def test_an_appendix_may_hold_results_and_is_not_shut_out() -> None:
    assert heading_kind("Appendix") is None
