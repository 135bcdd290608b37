"""Near quotes: what scanning does to letters is forgiven, what changes a meaning never is."""

from __future__ import annotations

import random
import re
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from literature_review.text.near_quotes import find_near
from literature_review.text.quotes import QuoteIndex, QuoteMatch, quotes_equal

TEXT = (
    "We studied 1,204 outpatients of an eye clinic between 2017 and 2019. The hea1th of the treated group improved "
    "signi cantly ofpatients without reminders there was no improvement at all (p < 0.001). The pattem of missed "
    "appointments did not differ between the two arms; 12.3% were missed with reminders and 20.1% without them. "
    "Dosing was increased by 5 mg/kg in the first month and decreased afterwards, which affected the outcome. "
    "Staff indudcd nurses. Adverse events were uncommon, and none was serious or related to the intervention. "
    "Mortality was lower (\u22125.2 points, 95% CI \u22127.9 to \u22122.5) with early than with late treatment. "
    "The intervention was not effective in older adults, although younger adults may benefit from further contact. "
)


def shared_texts(most: int) -> list[str]:
    folder = Path(__file__).resolve().parents[2].parent / "shared" / "data" / "evidence_inference"
    return [path.read_text(encoding="utf-8") for path in sorted(folder.glob("*.txt"))[:most]]


def near(quote: str, text: str = TEXT) -> QuoteMatch | None:
    return find_near(QuoteIndex(text), quote)


@pytest.mark.parametrize(
    ("quote", "stands"),
    [
        ("The health of the treated group improved", "The hea1th of the treated group improved"),
        ("of the treated group improved significantly", "of the treated group improved\nsigni cantly"),
        ("The pattern of missed appointments did not differ", "The pattem of missed appointments did not differ"),
        ("of the treated group improved with outpatient care", "of the treated group improved with outpatientcare"),
        ("The environment of the patients was examined", "The environrnent of the patients was examined"),
        ("All participants were included in the analysis", "All participants were inclucled in the analysis"),
        ("scientific evidence on specific treatments", "scientic evidence on speci c treatments"),
        ("the follow-up examinations were all completed", "the follow-up exarninations were all cornpleted"),
        ("they answered following the instructions", "they ansvvered follovving the instructions"),
        ("a mean difference of 5 points, p < 0.05, was seen", "a mean di erence of 5 points, p < 0.05, was seen"),
        ("the difference 5 minutes was significant for all", "the di erence 5 minutes was signi cant for all"),
        ("nine difficult patients received no treatment", "nine dicult patients received no treatment"),
    ],
)  # fmt: skip
def test_signs_of_scanning_are_forgiven_and_the_place_is_the_texts_own(quote: str, stands: str) -> None:
    text = f"Something stood here before. {stands}. Something stands here behind."
    match = near(quote, text)
    assert match is not None
    assert text[match.start : match.end] == stands
    assert not quotes_equal(quote, stands)


@pytest.mark.parametrize(
    "quote",
    [
        "The health of the treated group decreased",
        "The health of the untreated group improved",
        "The pattern of missed appointments did now differ between the two arms",
        "The pattern of missed appointments did differ between the two arms",
        "The pattern of missed appointments did not differ between the three arms",
        "Dosing was decreased by 5 mg/kg in the first month",
        "Dosing was increased by 5 g/kg in the first month and decreased afterwards",
        "Dosing was increased by 5 mg/kg in the first month and decreased afterwards, which effected the outcome",
        "Adverse events were common, and none was serious or related to the intervention.",
        "Mortality was lower (5.2 points, 95% CI \u22127.9 to \u22122.5) with early treatment",
        "Mortality was lower (\u22125.2 points, 95% CI \u22127.9 to 2.5) with early than with late",
        "missed appointments did not differ between the two arms; 12.8% were missed with reminders",
        "missed appointments did not differ between the two arms; l2.3% were missed with reminders",
        "without reminders there was no improvement at all (p > 0.001)",
        "without reminders there was no improvement at all (p \u2264 0.001)",
        "without reminders there was an improvement at all (p < 0.001)",
        "The intervention was noteffective in older adults, although younger adults",
        "The intervention was effective in older adults, although younger adults may benefit",
        "than with late treatment. 12.3% were missed with reminders and 20.1% without them.",
        "Mortality was lower with early than with late treatment.",
        "The health of the pattern",
        "",
    ],
)
def test_a_changed_meaning_is_never_near(quote: str) -> None:
    assert near(quote) is None


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("the new treatment was not able to help anybody", "the new treatment was notable to help anybody"),
        ("the new treatment was in effective use everywhere", "the new treatment was ineffective use everywhere"),
        ("the patients were in patients of the clinic here", "the patients were inpatients of the clinic here"),
        ("a pain less severe than it was at the baseline", "a painless severe than it was at the baseline"),
        ("the eyes were closed with a patch for a month", "the eyes were dosed with a patch for a month"),
        ("the modern approach was used in all the clinics", "the modem approach was used in all the clinics"),
        ("all corners were examined with the new equipment", "all comers were examined with the new equipment"),
        ("the treatment did fail in all of the patients", "the treatment did fall in all of the patients"),
        ("no causal relation was found with the exposure", "no casual relation was found with the exposure"),
        ("patients had hypotension before the operation", "patients had hypertension before the operation"),
        ("the group receiving interleukin1 had an effect", "the group receiving interleukinl had an effect"),
        ("the fireplace was examined by two inspectors", "the replace was examined by two inspectors"),
        ("the mother was failing in her daily activities", "the mother was falling in her daily activities"),
        ("the protocol specifies how to handle each case", "the protocol species how to handle each case"),
        ("it was effective in the treatment of patients", "it was affective in the treatment of patients"),
    ],
)
def test_two_real_words_are_never_taken_for_each_other(one: str, other: str) -> None:
    for text, quote in ((one, other), (other, one)):
        assert near(quote, f"It was said that {text}, as was shown.") is None


def test_no_two_words_of_real_papers_are_taken_for_each_other() -> None:
    """Where the papers are there: of all their words, in a sentence, no one is near to another."""
    texts = shared_texts(200)
    if len(texts) < 50:
        pytest.skip("the papers are not on this machine")
    words = set(re.findall(r"\b[a-z]{6,}\b", " ".join(texts).lower()))
    changes = {"rn": "m", "m": "rn", "cl": "d", "d": "cl", "vv": "w", "w": "vv", "fi": "", "fl": "", "ff": ""}
    pairs = {
        (word, other)
        for word in words
        for letters, instead in changes.items()
        for at in range(len(word))
        if word.startswith(letters, at) and (other := word[:at] + instead + word[at + len(letters) :]) in words
    }
    assert pairs
    for word, other in pairs:
        assert near(f"and then they spoke of {word} as it was", f"and then they spoke of {other} as it was.") is None


LETTERS, INSIDE = "abcdefghijklmnopqrstuvwxyz", r"(?<=\w)[a-z](?=\w)"
SWAPS = {
    "increased": "decreased", "decreased": "increased", "higher": "lower", "lower": "higher", "more": "fewer",
    "with": "without", "without": "with", "before": "after", "after": "before", "no": "some", "not": "now",
    "significant": "insignificant", "effect": "affect", "all": "few", "and": "or", "or": "and", "improved":
    "worsened", "reduced": "induced", "early": "late", "were": "was", "was": "were", "in": "on", "patients":
    "parents", "may": "must", "both": "either", "men": "women", "women": "men", "treatment": "placebo",
    "control": "treated", "the": "a", "between": "within", "than": "then", "from": "form", "these": "those",
    "group": "groups", "study": "studies",
}  # fmt: skip


def sentences() -> list[str]:
    texts = [TEXT, *shared_texts(2)]
    pattern = re.compile(r"(?:^|(?<=\. ))[A-Z][^\n]{60,400}?[a-z)]\.(?= [A-Z]|$)")
    return [sentence for text in texts for sentence in pattern.findall(text)]


def change(sentence: str, other: str, kind: str, draw: random.Random) -> str:
    """The sentence with one thing changed that changes what it says; as it is where it holds no such thing."""
    if kind == "number":
        return _one_put(sentence, r"\d", lambda digit: draw.choice("0123456789".replace(digit, "")), draw)
    if kind == "negation" and re.search(r"\b(?:not|no|without|never|none)\b", sentence):
        return _one_put(sentence, r"\b(?:not|no|without|never|none)\b ?", lambda _: "", draw)
    if kind == "negation":
        return _one_put(sentence, r"\b(?:was|were|had|have|did|does|may|can)\b", lambda verb: f"{verb} not", draw)
    if kind == "letter":
        return _one_put(sentence, INSIDE, lambda old: draw.choice(LETTERS.replace(old, "")), draw)
    if kind == "letter more or less":
        return _one_put(sentence, INSIDE, lambda old: draw.choice(["", old + draw.choice(LETTERS)]), draw)
    if kind == "word":
        return _one_put(sentence, rf"\b(?:{'|'.join(SWAPS)})\b", SWAPS.__getitem__, draw)
    cut, behind = sentence.find(" ", draw.randint(30, 60)), other.find(" ", draw.randint(0, 30))
    return sentence[:cut] + other[behind:]


def _one_put(sentence: str, pattern: str, new: Callable[[str], str], draw: random.Random) -> str:
    found = list(re.finditer(pattern, sentence))
    if not found:
        return sentence
    one = draw.choice(found)
    return sentence[: one.start()] + new(one.group()) + sentence[one.end() :]


def test_of_ten_thousand_changed_quotes_none_is_accepted() -> None:
    """A number, a negation, a word or a letter changed, or two sentences spliced: all are refused, nearly too."""
    known, draw = sentences(), random.Random(20_251_114)
    index = QuoteIndex(" ".join(known))
    for kind in ("number", "negation", "word", "letter", "letter more or less", "splice"):
        tried = 0
        while tried < 1_750:
            sentence, other = draw.choice(known), draw.choice(known)
            changed = change(sentence, other, kind, draw)
            if sentence in (changed, other if kind == "splice" else ""):
                continue
            tried += 1
            found = index.find(changed) or find_near(index, changed)
            assert found is None, f"{kind}: {changed!r} stands at {index.text[slice(*found)]!r}"


def _scanned(sentence: str, draw: random.Random) -> str:
    """The sentence as a scanner may read it: one long word with one confusion."""
    confusions = {"m": "rn", "rn": "m", "d": "cl", "w": "vv", "l": "1", "o": "0", "fi": " ", "ff": ""}
    words = [
        found
        for found in re.finditer(r"(?<![\w-])[a-z]{9,}(?![\w-])", sentence)
        if any(letters in found.group()[1:-1] for letters in confusions)
    ]
    if not words:
        return sentence
    word = draw.choice(words)
    letters = draw.choice([letters for letters in confusions if letters in word.group()[1:-1]])
    at = word.start() + word.group().index(letters, 1)
    return sentence[:at] + confusions[letters] + sentence[at + len(letters) :]


def test_a_confusion_in_a_long_word_of_a_long_sentence_is_mostly_forgiven() -> None:
    """What is forgiven is worth having: nine of ten sentences that a scanner read are found, each at its place."""
    draw, found, tried = random.Random(7), 0, 0
    for sentence in sentences()[:400]:
        scanned = _scanned(sentence, draw)
        if len(sentence) < 80 or scanned == sentence:
            continue
        index = QuoteIndex(f"Before. {scanned} Behind.")
        if index.find(sentence) is None:
            tried += 1
            match = find_near(index, sentence)
            found += match is not None and index.text[slice(*match)] == scanned
    assert found >= 0.9 * tried > 0


@settings(max_examples=60, deadline=None)
@given(st.text(max_size=200), st.text(max_size=80), st.none() | st.integers(-5, 300))
def test_no_text_breaks_the_near_check(text: str, quote: str, hint: int | None) -> None:
    for wanted in (quote, text[10:90], f"{text[:60]} 1 {text[60:120]}"):
        match = find_near(QuoteIndex(text), wanted, hint)
        assert match is None or 0 <= match.start < match.end <= len(text)


@pytest.mark.parametrize(
    ("text", "quote"),
    [
        ("a" * 300_000, "a" * 1_000 + "b" + "a" * 900),
        ("ab " * 100_000, "ab " * 600 + "a" + " ab" * 30),
        ("the pattem of it all. " * 15_000, "the pattern of it all. " * 80),
        ("rn" * 150_000, "m" * 900),
    ],
)
def test_hostile_texts_take_bounded_time(text: str, quote: str) -> None:
    began = time.process_time()
    find_near(QuoteIndex(text), quote)
    assert time.process_time() - began < 10.0


def test_without_the_package_nothing_is_near(monkeypatch: pytest.MonkeyPatch) -> None:
    quote = "The pattern of missed appointments did not differ"
    assert near(quote) is not None
    monkeypatch.setitem(sys.modules, "rapidfuzz.distance", None)
    assert near(quote) is None


def test_of_several_places_the_nearest_to_the_hint_is_taken() -> None:
    text = "The pattem of missed appointments did not differ. " * 3
    for number in range(3):
        match = find_near(QuoteIndex(text), "The pattern of missed appointments did not differ.", 50 * number)
        assert match is not None
        assert match.start == 50 * number
