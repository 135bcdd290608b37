"""Texts in older encodings are read as what they are, or refused in a line; never as letters of another script."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from literature_review.documents.encodings import legacy_encoding
from literature_review.documents.plain_text import decode, read_text
from literature_review.errors import UnreadablePaperError

JAPANESE = (
    "本研究では、短信による催促が受診率を上げるかどうかを調べた。"
)
CHINESE = "本研究调查了短信提醒是否能够提高患者的就诊率，差异显著。"
TRADITIONAL = "本研究調查了短信提醒是否能夠提高患者的就診率。"
KOREAN = "이 연구는 문자 알림이 방문률을 높이는지 조사하였다. "
RUSSIAN = "Первичный исход испытания был достигнут. "
FRENCH = "L’étude a été menée à l’hôpital – les résultats sont très élevés (p < 0,05). "
ENGLISH = "The trial was done in two offices, and nobody knew of it. "


@pytest.mark.parametrize(
    ("text", "encoding"),
    [
        (JAPANESE, "shift_jis"), (JAPANESE, "euc_jp"), (JAPANESE, "utf-16-le"), (JAPANESE, "utf-16-be"),
        (CHINESE, "gb18030"), (CHINESE, "gbk"), (CHINESE, "utf-16-le"), (TRADITIONAL, "big5"), (KOREAN, "euc_kr"),
        (RUSSIAN, "cp1251"), (RUSSIAN, "koi8-r"), (FRENCH, "cp1252"), (FRENCH, "utf-16-be"), (ENGLISH, "ascii"),
    ],
)  # fmt: skip
@pytest.mark.parametrize("around", ["", ENGLISH + "\n"])
def test_each_encoding_is_read_as_itself_alone_and_among_english(text: str, encoding: str, around: str) -> None:
    whole = (around + text * 6 + "\r\n") * 3
    assert decode(whole.encode(encoding))[0] == whole


def test_zero_bytes_that_went_astray_make_no_chinese_of_a_text() -> None:
    text = "The trial was good\0 and long enough to be read by all. " * 5
    assert read_text(text.encode()).text == text


def test_a_file_of_all_bytes_is_refused() -> None:
    with pytest.raises(UnreadablePaperError):
        decode(bytes(range(256)) * 40)


@given(st.binary(max_size=400))
def test_any_bytes_have_an_encoding_that_decodes_them_or_are_left_to_windows_1252(data: bytes) -> None:
    name = legacy_encoding(data)
    assert name == "cp1252" or data.decode(name) is not None
