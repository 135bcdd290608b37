"""The quote check: faithful quotes stand however they are set; a changed word, digit or sign never does."""

from __future__ import annotations

import re
import time
import unicodedata
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from literature_review.text.quotes import QuoteIndex, find_quote, quotes_equal, readable

TEXT = (
    "We enrolled 1,204 adults. Scores were signi\ufb01cantly lower with treat-\nment (\u22125.2 vs. 3.1; p"
    " < 0.05) in the "
    "long-term arm. No difference in re\u00ad\nadmission was found. \u201cQuality of life\u201d rose by"
    " 10\u2075 units, "
    "at 5\u201310 mg/m\u00b2 and 3.5% CO\u2082.\fPatients with COVID-\n19 didn\u2019t improve \u2014 na\u00efve or not."
)


@pytest.mark.parametrize(
    "quote",
    [
        "Scores were significantly lower with treatment",
        "Scores  were\nsignificantly lower with treat-ment",
        "lower with treatment (-5.2 vs. 3.1; p<0.05)",
        "in the long-\nterm arm. No difference",
        "in the long\u2013term arm. No difference",
        "No difference in readmission was found.",
        '"Quality of life" rose by 10\u2075 units',
        "at 5-10 mg/m2 and 3.5% CO2.",
        "Patients with COVID-19 didn't improve",
        "and 3.5% CO2. Patients with COVID-19",
        "didn\u2019t improve\u2014nai\u0308ve or not.",
    ],
)
def test_a_faithful_quote_is_found_at_its_place(quote: str) -> None:
    match = find_quote(TEXT, quote)
    assert match is not None
    assert quotes_equal(TEXT[match.start : match.end], quote)
    assert TEXT[match.start] in (quote[0], "\u201c")


@pytest.mark.parametrize(
    "quote",
    [
        "Scores were significantly higher with treatment",
        "scores were significantly lower with treatment",
        "Scores were not significantly lower with treatment",
        "lower with treatment (5.2 vs. 3.1; p < 0.05)",
        "lower with treatment (-5.2 vs. -3.1; p < 0.05)",
        "lower with treatment (-5.2 vs. 3.1; p > 0.05)",
        "lower with treatment (-5.2 vs. 3.1; p = 0.05)",
        "lower with treatment (-5,2 vs. 3.1; p < 0.05)",
        "lower with treatment (-52 vs. 3.1; p < 0.05)",
        "We enrolled 1.204 adults.",
        "We enrolled 1204 adults.",
        "We enrolled 1 204 adults.",
        "A difference in readmission was found.",
        "difference in readmission was found.",
        "Quality of life rose by 10\u2075 units",
        '"Quality of life" rose by 105 units',
        '"Quality of life" rose by 10 5 units',
        "at 5-10 g/m2 and 3.5% CO2.",
        "at 510 mg/m2 and 3.5% CO2.",
        "Patients with COVID19 didn't improve",
        "Patients with COVID-19 did improve",
        "Scores were significantly lower ... in the long-term arm",
        "We enrolled 1,204 adults. No difference in readmission was found.",
    ],
)
def test_a_changed_quote_is_refused_with_a_reason(quote: str) -> None:
    assert find_quote(TEXT, quote) is None
    assert QuoteIndex(TEXT).refusal(quote)


@pytest.mark.parametrize(
    ("one", "other", "equal"),
    [
        ("10\u2075", "105", False),
        ("10\u2075", "10 5", False),
        ("\u22125", "-5", True),
        ("\u2212 5", "-5", True),
        ("5", "-5", False),
        ("2 -5", "2-5", False),
        ("5 \u2013 10", "5-10", True),
        ("a \u2264 b", "a < b", False),
        ("a \u2264 b", "a \u2265 b", False),
        ("1,000", "1.000", False),
        ("1, 000", "1,000", False),
        ("0.5", "0 .5", False),
        ("5 mg", "5 g", False),
        ("5%", "5", False),
        ("\u00bd", "12", False),
        ("1\u00bd", "11/2", False),
        ("x\u00b2", "x2", False),
        ("10\u00b2 m", "102 m", False),
        ("cm\u00b3", "cm3", True),
        ("H\u2082O", "H2O", True),
        ("10\u2082", "102", False),
        ("\ufb03cient", "fficient", True),
        ("\U0001d45d < 0.05", "p < 0.05", True),
        ("\uff10\uff0e\uff15", "0.5", True),
        ("e\u0301", "\u00e9", True),
        ("\u2260", "=\u0338", True),
        ("not able", "notable", False),
        ("Read", "read", False),
        ("5'", '5"', False),
        ("treat\ufffement", "treatment", True),
        ("treat\x02\r\nment", "treatment", True),
        ("zero\u200bwidth", "zerowidth", True),
        ("5\u00ad10", "510", False),
        ("", " \n", True),
    ],
)
def test_what_counts_as_the_same(one: str, other: str, equal: bool) -> None:
    assert quotes_equal(one, other) is equal
    assert quotes_equal(other, one) is equal


@pytest.mark.parametrize(
    "quote", ["", " \n ", "\u2014 ... !? \u201c\u201d " * 9, "short quote", "a" * 10_001, "\x00" * 60]
)
def test_what_is_no_quote_by_its_length_never_matches(quote: str) -> None:
    assert find_quote(f"before {quote} after", quote) is None


@pytest.mark.parametrize(
    "quote",
    ["nrolled 1,204 adults. Scores", "enrolled 1,204 adults. Scor", "204 adults. Scores were significantly",
     "5.2 vs. 3.1; p < 0.05) in the long-term", "0.05) in the long-term arm", "term arm. No difference in",
     "(\u22125.2 vs. 3.1; p < 0.0", "at 5\u201310 mg/m\u00b2 and 3.5"],
)  # fmt: skip
def test_a_quote_cuts_no_word_number_sign_or_comparison(quote: str) -> None:
    assert find_quote(TEXT, quote) is None


def test_a_cell_of_a_table_that_says_no_governs_nothing() -> None:
    text = "Blinded:\nNo\nPatients were told which arm they were in."
    assert find_quote(text, "Patients were told which arm") is not None


def test_of_several_places_the_one_nearest_to_the_hint_is_found() -> None:
    text = "The result was the same again. " * 9
    places = [found.start() for found in re.finditer("The", text)]
    index = QuoteIndex(text)
    assert index.find("The result was the same again.") == (0, 30)
    for place in places:
        for hint in (place, place - 10, place + 10):
            match = index.find("The result was the same again.", hint)
            assert match is not None
            assert abs(match.start - hint) == min(abs(other - hint) for other in places)
    assert index.find("The result was the same again.", -5) == (0, 30)
    assert index.find("The result was the same again.", 10**9) == (places[-1], places[-1] + 30)


def test_scripts_without_spaces_are_quoted_too() -> None:
    text = (
        "\u60a3\u8005\u306f\u6539\u5584\u3057\u305f\u3002\u526f\u4f5c\n"
        "\u7528\u306f\u8a8d\u3081\u3089\u308c\u306a\u304b\u3063\u305f\u3002"
    )
    assert find_quote(text, "\u526f\u4f5c\u7528\u306f\u8a8d\u3081\u3089\u308c\u306a\u304b\u3063\u305f") is not None
    arabic = (
        "\u0644\u0645 \u062a\u0643\u0646 \u0647\u0646\u0627\u0643 "
        "\u0641\u0631\u0648\u0642 \u0630\u0627\u062a \u062f\u0644\u0627\u0644\u0629"
    )
    assert find_quote(arabic, arabic[3:]) is not None


WORDS = st.lists(st.text("abcdefghij", min_size=2, max_size=9), min_size=8, max_size=30)


@given(WORDS, st.data())
def test_any_run_of_whole_words_is_found_however_its_lines_break(words: list[str], data: st.DataObject) -> None:
    text = " ".join(words)
    low = data.draw(st.integers(0, len(words) - 8))
    quote = data.draw(st.sampled_from([" ", "\n", "  \n", "\f", "\u00a0"])).join(words[low : low + 8])
    match = find_quote(text, quote, hint=len(" ".join(words[:low])))
    assert match is not None
    assert text[match.start : match.end] == " ".join(words[low : low + 8])


@given(WORDS, st.data())
def test_a_digit_put_in_takes_a_quote_away(words: list[str], data: st.DataObject) -> None:
    quote = " ".join(words)
    at = data.draw(st.integers(0, len(quote)))
    assert find_quote(" ".join(words), quote[:at] + data.draw(st.sampled_from("0159")) + quote[at:]) is None


@given(st.text(max_size=300), st.text(max_size=60), st.none() | st.integers(-5, 400))
def test_no_text_breaks_the_check_and_what_it_finds_equals_the_quote(text: str, quote: str, hint: int | None) -> None:
    for wanted in (quote, text[20:80], f"quoted words {quote}"):
        match = find_quote(text, wanted, hint)
        if match is not None:
            assert 0 <= match.start < match.end <= len(text)
            assert quotes_equal(text[match.start : match.end], wanted)


@given(st.text(max_size=200))
def test_every_unicode_form_of_a_text_is_the_same_text(text: str) -> None:
    assert quotes_equal(text, unicodedata.normalize("NFC", text))


@pytest.mark.parametrize(
    ("text", "quote"),
    [
        ("a" * 400_000, "a" * 5_000),
        ("ab " * 150_000, "ab " * 1_500 + "a"),
        ("a\u0301" * 1_000 + "\u0301" * 200_000, "some words that are not there"),
        ("a real quote of many letters" + "\u200b" * 300_000, "a real quote of many letters"),
        ("- " * 200_000, "words between dashes - - -"),
        ("\n" * 400_000, "words between lines"),
    ],
)
def test_hostile_texts_take_linear_time(text: str, quote: str) -> None:
    began = time.process_time()
    find_quote(text, quote, len(text) // 2)
    assert time.process_time() - began < 10.0  # quadratic would be minutes


def test_a_quote_is_shown_on_one_line_with_broken_words_joined() -> None:
    text = "a well-known treat-\nment of well-\nknown pa\u00ad\ntients\u200b with anti\x02\nbodies"
    assert readable(text, 0, len(text)) == "a well-known treatment of well-known patients with antibodies"


@given(st.text("ab-\n \u00ad\ufb01.", min_size=1, max_size=60))
def test_the_shown_form_still_equals_the_text(text: str) -> None:
    assert quotes_equal(readable(text, 0, len(text)), text)


def test_the_evidence_that_doctors_marked_is_found_word_for_word() -> None:
    """Real papers, where they are there: every marked span that begins and ends at whole words stands."""
    folder = Path(__file__).resolve().parents[2].parent / "shared" / "data" / "evidence_inference"
    papers = sorted(folder.glob("*.txt"))[:25]
    if not papers:
        pytest.skip("the papers are not on this machine")
    for path in papers:
        text = path.read_text(encoding="utf-8")
        index = QuoteIndex(text)
        for sentence in re.finditer(r"(?<=\. )[A-Z][^.\n]{60,200}\.(?= [A-Z])", text):
            match = index.find(sentence.group().replace(" ", "\n"), sentence.start())
            assert match == sentence.span()


PLAIN = "We drew n = 1 \u00d7 104 permutations and P < 1 \u00d7 10\u22123 in all of the tests."
SHOWN = "We drew n = 1 \u00d7 10\u2074 permutations and P < 1 \u00d7 10\u207b\u00b3 in all of the tests."


@pytest.mark.parametrize(
    "quote",
    [
        "n = 1 \u00d7 10\u2074 permutations and P < 1 \u00d7 10\u207b\u00b3 in",
        "n = 1 \u00d7 104 permutations and P < 1 \u00d7 10\u22123 in",
        "n = 1 \u00d7 10^4 permutations and P < 1 \u00d7 10^-3 in",
        "n = 1 \u00d7 10**4 permutations and P < 1 \u00d7 10^{\u22123} in",
        "permutations and P < 1 \u00d7 10\u207b\u00b3",
    ],
)
def test_an_exponent_of_a_pdf_is_found_in_either_form(quote: str) -> None:
    match = QuoteIndex(PLAIN, SHOWN).find(quote)
    assert match is not None
    assert quotes_equal(SHOWN[match.start : match.end], quote) or quotes_equal(PLAIN[match.start : match.end], quote)


@pytest.mark.parametrize(
    "quote",
    [
        "n = 1 \u00d7 10\u2075 permutations and",
        "n = 1 \u00d7 105 permutations and",
        "n = 1 \u00d7 10^5 permutations and",
        "We drew n = 1 \u00d7 10",
        "permutations and P < 1 \u00d7 10",
        "permutations and P < 1 \u00d7 10\u00b3 in all",
        "permutations and P < 1 \u00d7 10\u207b\u00b2 in all",
        "permutations and P < 1 \u00d7 10^3 in all",
    ],
)
def test_another_exponent_or_half_of_one_is_never_found(quote: str) -> None:
    assert QuoteIndex(PLAIN, SHOWN).find(quote) is None


def test_a_plain_number_is_not_found_as_a_power() -> None:
    """104 patients are not 10⁴, and in a text that writes 10⁵ itself it is not 105."""
    assert find_quote(PLAIN, "n = 1 \u00d7 10\u2074 permutations and") is None
    assert find_quote(SHOWN, "n = 1 \u00d7 104 permutations and") is None
    assert find_quote("n = 10^4 permutations in all", "n = 10\u2074 permutations in all") is not None
    assert find_quote("n = 10^4 permutations in all", "n = 104 permutations in all") is None


@pytest.mark.parametrize(
    "before", ["of 40 not", "a line with \u2018no", "the State of ____ without", "(not", "didn\u2019t", "\u2014 never"]
)
def test_a_quote_does_not_begin_behind_a_negation_whatever_stands_before_that(before: str) -> None:
    text = f"There were men {before} treated for discomfort in the control group."
    assert find_quote(text, "treated for discomfort in the control group.") is None
    assert find_quote(text.replace(before, "knot"), "treated for discomfort in the control group.") is not None
