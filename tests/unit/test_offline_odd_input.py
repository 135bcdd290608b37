"""What the ranking makes of odd questions and odd papers: a sensible answer, in bounded time, and never side matter."""

from __future__ import annotations

import random
import time
import tracemalloc
from collections.abc import Sequence

import pytest

from literature_review.llm.offline import EvidenceIndex, rank_evidence

RESULT = "Systolic blood pressure was significantly lower with green tea than with water (p = 0.003)."
TITLE = "Green tea and blood pressure: a randomised trial"
PAPER = f"""{TITLE}
A. Okafor, B. Wu
Department of Medicine, University of Tea, Leaf Street 3, blood pressure unit, green tea group
Received: 3 May 2019; Accepted: 4 June 2020. Correspondence: okafor@tea.example

Contents
Systolic blood pressure and green tea .......... 3
Discussion of blood pressure and green tea .......... 9

Abstract
Methods: We randomised 120 adults to green tea or water. Results: {RESULT}

1. Introduction
Hypertension is common. Tea is drunk all over the world.

2. Methods
Blood pressure was measured with a cuff. Adults drank green tea twice a day.

3. Results
Systolic blood pressure fell by 7 mmHg in the green tea group and by 1 mmHg in the water group (p = 0.002).
Sleep did not differ (p = 0.61). Weight was the same in both groups. Two adults had headache.

4. Discussion
Green tea lowered blood pressure in our trial. Longer trials are needed.

Acknowledgements
We thank the nurses who measured blood pressure and poured the green tea. Funded by the Green Tea Board.

References
1. Smith J, Jones K. Green tea and systolic blood pressure in adults (p = 0.01). J Tea Res. 2005;12(3):33-40.
2. Wu L. Systolic blood pressure and green tea: a randomised trial. Hypertension. 2011;57:101-9.
"""
QUESTION = "What is the effect of green tea compared with water on systolic blood pressure?"
KEYWORDS = ("systolic blood pressure",)


def found(text: str, question: str = QUESTION, keywords: Sequence[str] = KEYWORDS, k: int = 3) -> list[str]:
    return [" ".join(text[span.start : span.end].split()) for span in rank_evidence(text, question, keywords, k)]


def is_result(sentence: str) -> bool:
    return "p = 0.00" in sentence


def test_a_question_of_one_word_finds_the_sentences_that_have_it() -> None:
    assert found(PAPER, "headache", ()) == ["Two adults had headache."]


def test_two_thousand_other_words_do_not_hide_what_the_keywords_say() -> None:
    filler = " ".join(f"word{number}" for number in range(2_000))
    assert is_result(found(PAPER, filler, KEYWORDS)[0])


def test_stop_words_alone_ask_for_nothing() -> None:
    assert found(PAPER, "is it of the and what", ()) == []


@pytest.mark.parametrize("dress", ['"{}"', "NEAR({} , 5)", "{} *", "body : {}", "-{}", "({}) OR NOT ^", "{}; DROP"])
def test_the_syntax_of_a_search_engine_is_nothing_but_signs(dress: str) -> None:
    assert is_result(found(PAPER, dress.format("systolic blood pressure green tea"), ())[0])


def test_keywords_that_occur_nowhere_leave_the_order_to_the_question() -> None:
    assert is_result(found(PAPER, QUESTION, ("zebrafish larvae",))[0])


@pytest.mark.parametrize("seed", range(6))
def test_the_order_of_the_words_and_of_the_keywords_does_not_matter(seed: int) -> None:
    parts, keywords = ["green tea", "water", "systolic blood pressure"], ["blood pressure", "tea"]
    random.Random(seed).shuffle(parts)
    random.Random(seed).shuffle(keywords)
    ordered = found(PAPER, "green tea; water; systolic blood pressure", ["tea", "blood pressure"], 9)
    assert sorted(found(PAPER, "; ".join(parts), keywords, 9)) == sorted(ordered)


@pytest.mark.parametrize(
    "never",
    ["J Tea Res", "trial. Hypertension", "nurses", "Tea Board", "....", "Department", "Okafor", "Received"],
)
def test_what_stands_beside_the_paper_s_own_text_is_never_evidence(never: str) -> None:
    assert not any(never in sentence for sentence in found(PAPER, k=100))


def test_running_heads_are_never_evidence() -> None:
    pages = [
        f"Okafor et al. Green tea and systolic blood pressure {number}\n{PAPER[300 * number : 300 * number + 300]}\n"
        for number in range(6)
    ]
    assert not any("Okafor et al." in sentence for sentence in found("".join(pages), k=100))


def test_a_sentence_that_is_said_three_times_is_no_running_head() -> None:
    assert found("\n".join(f"{RESULT}\nOther words stand here for the {n}th time, and more of them." for n in "456"))


def test_a_paper_of_references_alone_answers_nothing() -> None:
    lines = [
        f"{n}. Smith J, Wu L. Green tea and systolic blood pressure in adults. J Tea Res. 20{n:02};{n}(3):{n}-40."
        for n in range(10, 80)
    ]
    assert found("References\n" + "\n".join(lines), k=100) == []


def test_a_paper_of_one_sentence_answers() -> None:
    assert found(RESULT) == [RESULT]


def test_a_paper_without_sentences_gives_pieces_and_not_a_page() -> None:
    text = "systolic blood pressure green tea water lower " * 500
    assert all(len(piece) <= 1_000 for piece in found(text))
    assert found(text)


def test_capitals_only_change_nothing_but_their_own_look() -> None:
    assert "P = 0.00" in found(PAPER.upper())[0]


def test_noise_of_scanning_leaves_the_result_among_the_first() -> None:
    rng = random.Random(0)
    noisy = "".join(rng.choice("~^'`|") if letter.isalpha() and rng.random() < 0.02 else letter for letter in PAPER)
    assert any("0.00" in sentence for sentence in found(noisy))


@pytest.mark.parametrize(
    ("text", "question", "best"),
    [
        ("我们招募了一百名患者。治疗组的血压显著降低。睡眠质量相似。", "血压", "治疗组的血压显著降低。"),
        ("شارك مئة مريض. انخفض ضغط الدم كثيرا. لم يتغير النوم.", "ضغط الدم", "انخفض ضغط الدم كثيرا."),
    ],
)
def test_other_scripts_are_searched(text: str, question: str, best: str) -> None:
    assert found(text, question, ())[0] == best


def test_a_million_characters_take_seconds_and_no_more_memory_than_a_hundred_times_their_size() -> None:
    filler = "\n".join(f"The reading of device {number} was {number % 97} on that day." for number in range(22_500))
    text = PAPER.replace("4. Discussion", f"{filler}\n4. Discussion")
    tracemalloc.start()
    begun = time.process_time()
    index = EvidenceIndex(text)
    spans = index.rank(QUESTION, KEYWORDS, 10)
    spent, peak = time.process_time() - begun, tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert len(text) > 1_000_000
    assert is_result(text[spans[0].start : spans[0].end])
    assert spent < 30  # tracing alone makes it several times as slow; a quadratic step takes minutes
    assert peak < 100 * len(text)
