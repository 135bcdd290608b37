"""The estimate of tokens that is made before every call."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from literature_review.text.token_estimate import QUARTERS, quarters_before, tokens_of

pytestmark = pytest.mark.unit

SPACES = " \t\n\r\x0b\x0c\x1c\x1d\x1e\x1f\x85\xa0\u1680\u2003\u2028\u2029\u202f\u205f\u3000"


ODD = SPACES + "a\u024f\u0250\u2e7f\u2e80\u4e2d\ud800"


@given(st.text(st.characters(exclude_categories=[])) | st.text(st.sampled_from(ODD)))
def test_the_fast_estimate_is_the_same_as_the_sum_over_characters(text: str) -> None:
    assert tokens_of(text) == -(-quarters_before(text)[-1] // QUARTERS)
