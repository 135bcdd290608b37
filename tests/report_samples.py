"""Reports for the tests of the report writers: empty, realistic, huge and hostile. All papers are made up."""

from __future__ import annotations

import hashlib
from typing import Any

HOSTILE = (
    "<script>document.title='ran'</script>",
    "\"><img src=x onerror=\"document.title='ran'\">",
    "'><svg onload=document.title='ran'>",
    "javascript:document.title='ran'",
    "</style></script></title><h1>broken out</h1>",
    "<!-- comment --><![CDATA[ x ]]> &lt;b&gt; &#x202E;",
    "right\u202eto left\u2066 and \u200fback",
    "nul\x00 bell\x07 escape\x1b[31m next\x85line delete\x7f",
    "lone \ud800 high, low \udfff",
    "=HYPERLINK(\"http://127.0.0.1/\",\"x\")",
    "{{7*7}} ${7*7} %s {0}",
    "tag \U000e0041\U000e0042 \ufeffend\uffff",
)

_REQUIREMENTS = {
    "R1": "Effect on taking the medicine", "R2": "Effect on blood pressure",
    "R3": "Groups of participants", "R4": "Costs and harms",
}  # fmt: skip
_SUBS = {  # text, keywords, status
    "S1.1": ("Share of doses taken, measured by electronic pill bottle", ("doses", "electronic"), "covered"),
    "S1.2": ("Self-reported adherence at six months or later", ("self-reported", "adherence"), "covered"),
    "S1.3": ("Adherence after the messages have stopped", ("after", "stopped", "sustained"), "gap"),
    "S2.1": ("Change of systolic blood pressure against usual care", ("systolic", "usual care"), "covered"),
    "S2.2": ("Share of participants who reach their target", ("target", "controlled"), "partial"),
    "S2.3": ("Blood pressure over 24 hours, outside the clinic", ("ambulatory", "24-hour"), "gap"),
    "S3.1": ("Results for people over 75", ("75", "older"), "partial"),
    "S3.2": ("Results for people without a smartphone", ("smartphone", "text message"), "covered"),
    "S3.3": ("Results by first language", ("language", "translated"), "gap"),
    "S4.1": ("Cost per participant and year", ("cost", "per participant"), "partial"),
    "S4.2": ("Complaints, worry and unwanted effects of the messages", ("complaints",), "covered"),
}
_SUBJECTS = tuple(
    (question, text, tuple(
        (name, _REQUIREMENTS[name], tuple((sub, *_SUBS[sub]) for sub in _SUBS if sub[1] == name[1]))
        for name in names
    ))
    for question, text, names in (
        ("Q1", "Do reminder messages help adults with high blood pressure?", ("R1", "R2")),
        ("Q2", "For whom do they work, and at what price?", ("R3", "R4")),
    )
)  # fmt: skip

_QUOTES = {
    "S1.1": ("Participants in the message group took 86 % of their doses, against 74 % in the control group "
             "(difference 12 percentage points, 95 % CI 7 to 17, p < 0.001).", "increase"),
    "S1.2": ("At nine months, self-reported adherence did not differ between the groups (7.1 against 6.9 points, "
             "p = 0.41).", "no difference"),
    "S1.3": ("The messages were sent for twelve weeks; participants were not contacted again.", "unknown"),
    "S2.1": ("Systolic blood pressure fell by 6.2 mmHg in the message group and by 2.1 mmHg under usual care "
             "(adjusted difference -4.1 mmHg, 95 % CI -6.8 to -1.4).", "decrease"),
    "S2.2": ("Of those who completed the study, 58 % were below 140/90 mmHg at the last visit.", "increase"),
    "S2.3": ("Blood pressure was taken twice in the clinic, after five minutes of rest.", "unknown"),
    "S3.1": ("The effect was smaller in the 61 participants who were older than 75 years, but the interval "
             "was wide.", "increase"),
    "S3.2": ("Plain text messages reached the 34 % of participants who did not own a smartphone, and their "
             "adherence rose as much as that of the others.", "increase"),
    "S3.3": ("People who could not read the messages in the national language were not eligible.", "unknown"),
    "S4.1": ("Sending the messages cost 11 euros per participant; staff time was not counted.", "unknown"),
    "S4.2": ("Nine participants (3 %) found the messages intrusive and asked for them to be stopped; no serious "
             "event was attributed to them.", "unknown"),
}  # fmt: skip
_REASONS = {
    "covered": "{n} approved claims from {n} papers answer it directly.",
    "partial": "One approved claim answers a part; no paper reports the comparison with a control group.",
    "gap": "No approved claim: the nearest passages name the subject but report no result for it.",
}
_BEFORE = "The analysis followed the plan that was registered before the first participant was enrolled. "
_AFTER = " Missing values were imputed, and the result held when only complete cases were counted."
_NAMES = ("Okafor", "Lindqvist", "Tanaka", "Moreau", "Ilves", "Haddad", "Novák", "Ferreira", "Osei", "Brandt",
          "Kaya", "Sundaram", "Whitlock", "Zielińska", "Abebe", "Castellanos", "Duarte", "Eriksen", "Fontaine",
          "Gupta", "Halloran", "Iwu")  # fmt: skip
_TITLES = ("Text message reminders and doses taken in adults with hypertension: a randomised trial",
           "A pragmatic trial of daily reminders in eleven general practices",
           "Messages or a call? Adherence to antihypertensive medicine in two regions",
           "Reminders for people without smartphones: a cluster-randomised study",
           "Costs of a reminder service in primary care")  # fmt: skip


def digest(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def empty_report() -> dict[str, Any]:
    """No papers, nothing asked for."""
    return {
        "schema_version": 1,
        "run": _run([]),
        "protocol": {"title": "Nothing yet", "questions": [], "screening": {}, "sha256": digest("")},
        "papers": [],
        "questions": [],
        "totals": _totals([], []),
    }


def sample_report() -> dict[str, Any]:
    """A review of 22 papers as one would come out of a run: every state, every kind of cell."""
    return build(22, _SUBJECTS, claims_per_row=5)


def huge_report(papers: int = 195, rows: int = 60, claims_per_row: int = 25) -> dict[str, Any]:
    """`rows` sub-requirements, ten to a requirement."""
    kinds = ("covered", "partial", "gap")
    subs = tuple(
        (f"S{number}", f"Matter number {number} that the review asks about, in a sentence of usual length",
         ("matter", str(number)), kinds[number % 3])
        for number in range(1, rows + 1)
    )  # fmt: skip
    requirements = tuple(
        (f"R{first // 10 + 1}", "A group of ten matters that belong together", subs[first : first + 10])
        for first in range(0, rows, 10)
    )
    return build(papers, (("Q1", "A question with very many parts", requirements),), claims_per_row)


def hostile_report() -> dict[str, Any]:
    """The sample with every text from outside replaced by one that tries to break the page or the table."""
    texts = iter(range(10**9))

    def spoiled(value: Any, key: str = "") -> Any:
        if isinstance(value, dict):
            return {name: spoiled(item, name) for name, item in value.items()}
        if isinstance(value, list):
            return [spoiled(item, key) for item in value]
        if isinstance(value, str) and key not in _KEPT:
            return f"{HOSTILE[next(texts) % len(HOSTILE)]} {value}"
        return value

    return _with_hostile_ids(spoiled(sample_report()))  # type: ignore[no-any-return]


_KEPT = ("id", "paper", "state", "status", "coverage", "not_assessed", "duplicate_of", "sub_requirement",
         "worked", "reused", "criterion", "error_type")  # fmt: skip


def _with_hostile_ids(report: Any) -> Any:
    """Every id gets a hostile text before it, the same one wherever it stands."""
    names = [paper["id"] for paper in report["papers"]] + ["Q1", "Q2", *_REQUIREMENTS, *_SUBS, "E1", "E2", "I1"]
    names += [claim["id"] for sub in _all_subs(report["questions"]) for claim in sub["claims"]]
    ids = {name: f"{HOSTILE[at % len(HOSTILE)]}/{name}" for at, name in enumerate(dict.fromkeys(names))}

    def renamed(value: Any) -> Any:
        if isinstance(value, dict):
            return {renamed(name): renamed(item) for name, item in value.items()}
        if isinstance(value, list):
            return [renamed(item) for item in value]
        return ids.get(value, value) if isinstance(value, str) else value

    return renamed(report)


def build(papers: int, subjects: Any, claims_per_row: int) -> dict[str, Any]:
    """A report over `papers` papers: of every ten, one excluded and one of the other states in turn."""
    records = [_paper(number) for number in range(papers)]
    questions = [
        {"id": qid, "text": text, "requirements": [
            {"id": rid, "text": about, "sub_requirements": [
                _sub_requirement(name, asked, words, status, records, claims_per_row)
                for name, asked, words, status in subs
            ]} for rid, about, subs in requirements
        ]} for qid, text, requirements in subjects
    ]  # fmt: skip
    _count_claims(records, questions)
    protocol = {
        "title": "Reminder messages for adults with high blood pressure",
        "questions": [],
        "screening": {
            "include": [{"id": "I1", "text": "Adults treated for high blood pressure", "keywords": []}],
            "exclude": [{"id": "E1", "text": "Study of children or adolescents", "keywords": ["children"]},
                        {"id": "E2", "text": "Review without data of its own", "keywords": ["review"]}],
            "years": [2008, 2025], "languages": ["en"],
        },
        "sha256": digest("protocol"),
    }  # fmt: skip
    return {
        "schema_version": 1, "run": _run(records), "protocol": protocol, "papers": records,
        "questions": questions, "totals": _totals(records, questions),
    }  # fmt: skip


def _paper(number: int) -> dict[str, Any]:
    state = "reviewed"
    if number % 10 == 3:
        state = "excluded"
    elif number % 10 == 8:
        state = ("unreadable", "failed", "duplicate", "not_assessed")[number // 10 % 4]
    elif number == 20:
        state = "duplicate"
    name = _NAMES[number % len(_NAMES)]
    year = 2009 + number * 7 % 16
    identified = state not in ("unreadable", "not_assessed")
    excluded = {
        "included": False, "criterion": ("E1", "E2")[number // 10 % 2], "page": 1,
        "reason": "the passage names the group that the criterion excludes",
        "quote": ("We enrolled children aged 8 to 15 years with high blood pressure.",
                  "This review collects what earlier trials have found.")[number // 10 % 2],
    }  # fmt: skip
    return {
        "id": f"{'trials' if number % 2 else 'cohorts'}/{name.lower()}_{year}_{number:03}.pdf",
        "sha256": digest(str(number)), "state": state,
        "title": _TITLES[number % len(_TITLES)] if identified else "",
        "authors": [f"{name}, A.", "Reyes, M.", "Holm, T."] if identified else [],
        "year": year if identified else None,
        "doi": f"10.5555/example.{number}" if identified else "",
        "language": "en" if identified else "",
        "sources": {"title": "first page", "year": "file metadata"} if identified else {},
        "pages": 9 + number % 7 if identified else 0, "characters": 41000 + 13 * number if identified else 0,
        "error": _ERRORS.get(state, ""),
        "error_type": {"unreadable": "permanent", "failed": "transient"}.get(state, ""),
        "duplicate_of": "cohorts/okafor_2009_000.pdf" if state == "duplicate" else "",
        "duplicate_by": "same DOI" if state == "duplicate" else "",
        "related": {"cohorts/okafor_2009_000.pdf": "supplement"} if number == 5 else {},
        "hidden": ["page 3: white text, 120 characters"] if number == 6 else [],
        "screening": excluded if state == "excluded" else {
            "included": True, "criterion": "", "reason": "", "quote": "", "page": 0},
        "claims": {"approved": 0, "rejected": 0, "pending": 0},
    }  # fmt: skip


_ERRORS = {
    "unreadable": "encrypted: the file asks for a password; save a copy without one and run again",
    "failed": "the back end timed out three times (HTTP 503)",
}


def _sub_requirement(
    name: str, text: str, keywords: Any, status: str, papers: list[dict[str, Any]], claims_per_row: int
) -> dict[str, Any]:
    able = [paper["id"] for paper in papers if paper["state"] == "reviewed"]
    shift = sum(map(ord, name)) % max(len(able), 1)
    able = able[shift:] + able[:shift]
    approved = {"covered": claims_per_row - 1, "partial": 1, "gap": 0}[status]
    claims = [_claim(name, paper, "approved", status, at) for at, paper in enumerate(able[:approved])]
    claims += [_claim(name, paper, "rejected", status, 0) for paper in able[approved : approved + 1]]
    if status == "covered" and len(able) > approved + 1:
        claims.append(_claim(name, able[approved + 1], "pending", status, 9))
    passages = able[approved + 2 : approved + 5] if status != "covered" else []
    unseen = [p["id"] for p in papers if p["state"] in ("unreadable", "failed", "not_assessed")]
    return {
        "id": name, "text": text, "keywords": list(keywords), "status": status,
        "reason": _REASONS[status].format(n=approved), "claims": claims,
        "nearest": [_passage(name, paper, at) for at, paper in enumerate(passages)],
        "cells": [_cell(name, paper, claims, passages) for paper in papers if paper["state"] != "duplicate"],
        "not_assessed": unseen,
    }  # fmt: skip


def _quote(name: str) -> tuple[str, str]:
    return _QUOTES.get(name, ("The groups differed in this matter (p = 0.03), as had been expected.", "increase"))


def _claim(name: str, paper: str, status: str, coverage: str, at: int) -> dict[str, Any]:
    quote, direction = _quote(name)
    reasons = {
        "approved": "the sentence reports the outcome with its comparison",
        "rejected": "the sentence describes the method; no result is reported",
        "pending": "not judged: the run ended before the judge's turn",
    }
    return {
        "id": digest(name + paper)[:16], "paper": paper, "sub_requirement": name, "quote": quote,
        "page": 4 + at, "section": "Results", "start": 18000 + at, "end": 18000 + at + len(quote),
        "score": round(0.93 - 0.06 * at, 3) if status != "rejected" else 0.31, "status": status,
        "reason": reasons[status], "backend": "offline", "model": "evidence-1",
        "last_page": 5 + at if at == 1 else 4 + at, "coverage": "partial" if coverage == "partial" else "covered",
        "scores": {"outcome_words": 0.9, "result_signs": 0.8, "place": 0.7}, "direction": direction,
        "appeal_of": "0123456789abcdef" if at == 2 else "", "context": {"before": _BEFORE, "after": _AFTER},
    }  # fmt: skip


def _passage(name: str, paper: str, at: int) -> dict[str, Any]:
    return {
        "paper": paper, "sub_requirement": name, "quote": _quote(name)[0], "page": 3, "section": "Methods",
        "start": 9000, "end": 9100, "score": round(0.38 - 0.05 * at, 3),
        "reason": "names the subject, but reports no result for it",
        "context": {"before": _BEFORE, "after": _AFTER},
    }  # fmt: skip


def _cell(name: str, paper: dict[str, Any], claims: list[dict[str, Any]], passages: list[str]) -> dict[str, Any]:
    state = {"excluded": "excluded", "unreadable": "unreadable"}.get(paper["state"], "not_assessed")
    score = 0.0
    if paper["state"] == "reviewed":
        state, score = "not_found", 0.04
        if paper["id"] in passages:
            score = 0.34
        for claim in claims:
            if claim["paper"] == paper["id"] and claim["status"] != "pending":
                state = claim["coverage"] if claim["status"] == "approved" else "rejected"
                score = claim["score"]
    cell = {"paper": paper["id"], "state": state, "score": score}
    if state == "not_found":
        cell["nearest"] = [_passage_of_cell(name, paper["id"])]
    return cell


def _passage_of_cell(name: str, paper: str) -> dict[str, Any]:
    passage = _passage(name, paper, 0)
    return {key: passage[key] for key in ("quote", "page", "section", "start", "end", "score", "reason")}


def _all_subs(questions: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [s for q in questions for r in q["requirements"] for s in r["sub_requirements"]]


def _count_claims(papers: list[dict[str, Any]], questions: list[dict[str, Any]]) -> None:
    by_id = {paper["id"]: paper for paper in papers}
    for sub in _all_subs(questions):
        for claim in sub["claims"]:
            by_id[claim["paper"]]["claims"][claim["status"]] += 1


def _totals(papers: list[dict[str, Any]], questions: list[dict[str, Any]]) -> dict[str, Any]:
    states = [paper["state"] for paper in papers]
    subs = _all_subs(questions)
    claims = [claim["status"] for sub in subs for claim in sub["claims"]]
    excluded = [paper["screening"]["criterion"] for paper in papers if paper["state"] == "excluded"]
    wanted = ("reviewed", "excluded", "unreadable", "failed", "duplicate", "not_assessed")
    return {
        "papers": len(papers), **{state: states.count(state) for state in wanted}, "claims": len(claims),
        **{status: claims.count(status) for status in ("approved", "rejected", "pending")},
        "sub_requirements": len(subs),
        "covered": sum(sub["status"] == "covered" for sub in subs),
        "partial": sum(sub["status"] == "partial" for sub in subs),
        "gaps": sum(sub["status"] == "gap" for sub in subs),
        "excluded_by": {name: excluded.count(name) for name in sorted(set(excluded))},
    }  # fmt: skip


def _run(papers: list[dict[str, Any]]) -> dict[str, Any]:
    reviewed = [paper["id"] for paper in papers if paper["state"] == "reviewed"]
    return {
        "run_id": "2025-11-14T03:16:29_abc123", "started_at": "2025-11-14T03:16:29",
        "finished_at": "2025-11-14T03:20:45", "duration_seconds": 256.4, "host": "reading-room",
        "version": "2.0.0", "backend": "offline", "model": "evidence-1", "retries": 3,
        "attempts": {"journal_reviewer": 1, "judge": 2}, "quota": {"consumed": 44, "throttled": 2},
        "cost_usd": 0.0, "worked": reviewed[2:], "reused": reviewed[:2],
        "ignored_files": ["notes.docx", "figures/flow.png"],
    }  # fmt: skip
