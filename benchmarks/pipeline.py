"""N papers through all stages against a model's server on this machine: what it costs in time and calls beside the
ideal, and what happens to both when things go wrong.

    python benchmarks/pipeline.py [--papers 200] [--workers 16] [--latency 0.2] [--backend gemini]
                                  200 papers at 200 ms a call, 5 % of the answers 429 or 503, 1 % of the connections
                                  dropped; again with the guide's own retry (0.5 s) and breaker (3 in a row); beside
                                  it one paper after the other, and a plain script with the same calls
        --kill 10                 the same, killed with -9 ten times at random and resumed each time
        --outage 60               the same, with the server down for 60 s in the middle
        --quota                   a server with limits of its own, of calls and of tokens, and a program that knows them
        --injection               papers that give orders, and a model that obeys them
        --wrong-key               a key that the provider refuses and quotes
        --forecast                40 trials of ../shared/data/evidence_inference: what is forecast, and what it costs

The ideal is calls x latency / workers, or calls / the refill rate of the quota where that is longer. To reach: 1.15
times that, every paper reviewed, and no answer paid for twice.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import shutil
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from threading import Thread
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from model_faults import failure, throttled
from model_reviewers import honest, obedient
from model_server import Answer, Limits, ModelServer, most_in_window
from model_wire import Reply, Request
from pipeline_case import (
    KEY,
    KEY_VARIABLE,
    ROOT,
    Case,
    Ledger,
    Outcome,
    children_cpu,
    files_with_key,
    report_of,
    run,
    states_of,
)

from literature_review.llm.prices import PriceTable

THROTTLED, DROPPED = 0.05, 0.01  # shares of all calls
GUIDE = {"retry_policy": {"circuit_breaker_threshold": 3, "default_backoff_max": 60},
         "v2_features": {"retry": {"base": 0.5}}}  # fmt: skip
MODELS = {"gemini": "gemini-3.8-flash", "openai_compatible": "gpt-5.4-mini"}
PARALLEL = "--enable-experimental"


def with_faults(answer: Callable[[Request], str], seed: int = 0) -> Answer:
    """The same, but for the share of calls that the server turns down or drops."""
    draw = random.Random(seed)

    def reply(request: Request) -> Reply | str:
        chance = draw.random()
        if chance < DROPPED:
            return Reply(drop="close")
        if chance < DROPPED + THROTTLED:
            return throttled(request) if draw.random() < 0.5 else failure(request, 503, "The model is overloaded.")
        return answer(request)

    return reply


def paid_twice(server: ModelServer) -> int:
    """Answers that were given more than once to the same question."""
    asked = Counter((each.system, each.user, str(each.schema)) for each in server.requests if each.status == 200)
    return sum(count - 1 for count in asked.values())


class Bench:
    """The options of the command, and the lines that each case prints."""

    def __init__(self, options: argparse.Namespace, folder: Path) -> None:
        self.options, self._folder = options, folder
        self.papers, self.workers, self.latency = options.papers, options.workers, options.latency

    def server(self, answer: Answer, **more: Any) -> ModelServer:
        return ModelServer(answer, self.latency, KEY, **more)

    def case(self, name: str, server: ModelServer, papers: int, ordering: int = 0, **settings: Any) -> Case:
        """A folder of its own. `settings`: of the configuration, beside the usual."""
        llm = {"backend": self.options.backend, "model": MODELS[self.options.backend], "base_url": server.base_url,
               "api_key_env": KEY_VARIABLE}  # fmt: skip
        return Case.make(self._folder / name, papers, self.workers, {"llm": llm, **settings}, ordering)

    def ideal(self, calls: int, rate: float | None = None) -> float:
        """Seconds. `rate`: calls a second that the quota lets through."""
        alone: float = calls * self.latency / self.workers
        return max(alone, calls / rate if rate else 0.0)

    def tell(self, case: Case, server: ModelServer, outcome: Outcome, was_down: bool = False) -> None:
        """What the run did, by the server's count, the ledger and the report. `was_down`: calls whose connection broke
        may never have been read by the server."""
        if not (case.output / "gap_analysis_report.json").exists():
            sys.exit(f"no report: exit code {outcome.code}\n{outcome.text}")
        ledger, sent = Ledger.read(case), Counter(each.status for each in server.requests)
        print(f"  exit code {outcome.code}; papers: {states_of(report_of(case))}")
        print(f"  server: {len(server.requests)} calls, by status {dict(sorted(sent.items()))} (0: dropped); "
              f"ledger: ended {ledger.ended}, begun {ledger.begun}, unreached {ledger.unreached}, "
              f"answered {ledger.answered}, {ledger.usd:.4f} USD")  # fmt: skip
        ended, but = (ledger.ended - ledger.broken, " but for the broken") if was_down else (ledger.ended, "")
        print(f"  ended{but} <= server <= begun: {ended <= len(server.requests) <= ledger.begun}; "
              f"answers paid twice: {paid_twice(server)}; "
              f"files with the key: {files_with_key(case) or 'none'}")  # fmt: skip


def undisturbed(bench: Bench, name: str = "undisturbed", **settings: Any) -> tuple[Case, list[Request]]:
    """All papers at once, with the usual faults. Returns the case and what the server was asked."""
    with bench.server(with_faults(honest)) as server:
        case = bench.case(name, server, bench.papers, **settings)
        outcome = run(case, PARALLEL)
        calls = len(server.requests)
        ideal = bench.ideal(calls)
        asking = server.requests[-1].ended - server.requests[0].at
        print(f"{name}: {bench.papers} papers, {bench.workers} workers, {bench.latency:g} s a call, "
              f"{bench.options.backend}")  # fmt: skip
        bench.tell(case, server, outcome)
        print(f"  ideal {ideal:.2f} s; first call to last {asking:.2f} s = {asking / ideal:.2f}x; "
              f"whole program {outcome.seconds:.2f} s = {outcome.seconds / ideal:.2f}x; processor {outcome.cpu:.1f} s; "
              f"load average {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores")  # fmt: skip
        return case, list(server.requests)


def one_by_one(bench: Bench, seconds: float) -> None:
    """The same without concurrency, with fewer papers. `seconds`: of the concurrent run."""
    papers = max(min(bench.papers // 10, 20), 1)
    with bench.server(with_faults(honest)) as server:
        outcome = run(bench.case("sequential", server, papers))
    whole = outcome.seconds * bench.papers / papers
    print(f"one paper after the other: {papers} papers {outcome.seconds:.1f} s, so about {whole:.0f} s for "
          f"{bench.papers} (extrapolated): {whole / seconds:.1f} times as long")  # fmt: skip


def plain_script(bench: Bench, asked: list[Request], folder: Path) -> None:
    """ThreadPoolExecutor, tenacity and pyrate-limiter with the same questions, in no order."""
    bodies = {each.user: _openai_body(each) for each in asked if each.status == 200}
    questions = folder / "questions.json"
    questions.write_text(json.dumps(list(bodies.values())), encoding="utf-8")
    with bench.server(with_faults(honest)) as server:
        command = [sys.executable, str(ROOT / "benchmarks" / "plain_calls.py"), str(questions), server.base_url,
                   str(bench.workers), "1000"]  # fmt: skip
        began, cpu = time.monotonic(), children_cpu()
        subprocess.run(command, env={**os.environ, KEY_VARIABLE: KEY}, check=True, stdout=subprocess.DEVNULL)
        seconds, cpu = time.monotonic() - began, children_cpu() - cpu
        asking = server.requests[-1].ended - server.requests[0].at
        ideal = bench.ideal(len(server.requests))
    print(f"plain script (calls alone: no stages, no store, no ledger): {len(server.requests)} calls, first to last "
          f"{asking:.2f} s = {asking / ideal:.2f}x its ideal; whole program {seconds:.2f} s; processor {cpu:.1f} s")


def _openai_body(request: Request) -> dict[str, Any]:
    schema = {"name": "answer", "schema": request.schema, "strict": True}
    return {
        "model": request.model,
        "messages": [{"role": "system", "content": request.system}, {"role": "user", "content": request.user}],
        "max_tokens": request.max_output_tokens,
        "temperature": 0,
        "response_format": {"type": "json_schema", "json_schema": schema},
    }


def killed(bench: Bench, seed: int = 1) -> None:
    """Killed and resumed, beside a run that was not."""
    calm, asked = undisturbed(bench)
    draw = random.Random(seed)
    share = bench.ideal(len(asked)) / (bench.options.kill + 1)
    with bench.server(with_faults(honest, seed)) as server:
        case = bench.case("killed", server, bench.papers)
        outcome, kills = Outcome(), 0
        while kills < bench.options.kill or outcome.killed:
            before, wait = len(server.requests), draw.uniform(0.3, 1.7) * share
            may_kill = kills < bench.options.kill

            def due(before: int = before, wait: float = wait, may_kill: bool = may_kill) -> bool:
                new = server.requests[before:]
                return may_kill and bool(new) and time.monotonic() - new[0].at > wait

            outcome = run(case, PARALLEL, *(["--resume"] if kills else []), kill=due)
            kills += outcome.killed
            if not outcome.killed:
                break
            time.sleep(bench.latency + 0.1)  # so that what was under way at the kill has ended at the server
        ledger = Ledger.read(case)
        in_flight, repeated = ledger.begun - ledger.ended, paid_twice(server)
        print(f"killed with -9 {kills} times, {in_flight} calls under way at the kills")
        bench.tell(case, server, outcome)
        print(f"  repeated {repeated} of at most {in_flight}: {repeated <= in_flight}; report equal to the undisturbed "
              f"run's: {report_of(case) == report_of(calm)}")  # fmt: skip


def outage(bench: Bench) -> None:
    """The server is gone for a while in the middle; the program is resumed where it stopped."""
    with bench.server(honest) as server:
        case = bench.case("outage", server, bench.papers)

        def go_away() -> None:
            while len(server.requests) < 2 * bench.papers:
                time.sleep(0.01)
            server.go_away()
            time.sleep(bench.options.outage)
            server.listen()

        Thread(target=go_away, daemon=True).start()
        outcome = run(case, PARALLEL)
        resumes = 0
        while outcome.code and resumes < 5:
            print(f"  stopped after {outcome.seconds:.1f} s with exit code {outcome.code}: "
                  f"{outcome.text.strip().splitlines()[-1]}")  # fmt: skip
            time.sleep(1.0)
            resumes += 1
            outcome = run(case, PARALLEL, "--resume")
        ledger = Ledger.read(case)
        print(f"outage of {bench.options.outage:g} s in the middle: resumed by hand {resumes} times")
        bench.tell(case, server, outcome, was_down=True)
        print(f"  attempts {ledger.begun + ledger.unreached} for {ledger.answered} answers "
              f"({(ledger.begun + ledger.unreached) / max(ledger.answered, 1):.2f}x); errors: {dict(ledger.errors)}")


def quota(bench: Bench) -> None:
    """The server's limits are what the program is told; no call is turned down."""
    window, calls, tokens = 10.0, 150, 4_000 * bench.papers
    api = "gemini_api" if bench.options.backend == "gemini" else "openai_api"
    told = {api: {"rate": calls, "per_seconds": window, "tokens_per_minute": tokens}}
    with bench.server(honest, limits=Limits(calls, None, window)) as server:
        case = bench.case("quota", server, bench.papers, v2_features={"quota": told})
        outcome = run(case, PARALLEL)
        print(f"quota: {calls} calls in {window:g} s, {tokens:,} tokens a minute")
        bench.tell(case, server, outcome)
        sums = [each.input_tokens + each.output_tokens for each in server.requests]
        most_calls = most_in_window(server.requests, window)
        most_tokens = most_in_window(server.requests, 60.0, lambda each: each.input_tokens + each.output_tokens)
        ideal = max(bench.ideal(len(sums), 0.9 * calls / window), sum(sums) // tokens * 60.0)
        asking = server.requests[-1].ended - server.requests[0].at
        print(f"  most in a window: {most_calls:g} calls ({most_calls <= calls}), {most_tokens:,.0f} tokens "
              f"({most_tokens <= tokens}); 429 sent: {sum(each.status == 429 for each in server.requests)}; first call "
              f"to last {asking:.1f} s = {asking / ideal:.2f}x the ideal of these limits")  # fmt: skip


def injection(bench: Bench) -> None:
    """Half of the papers order the model to approve all; it obeys."""
    with bench.server(obedient) as server:
        case = bench.case("injection", server, bench.papers, ordering=bench.papers // 2)
        outcome = run(case, PARALLEL)
        print(f"injection: {bench.papers // 2} of {bench.papers} papers give orders to a model that obeys")
        bench.tell(case, server, outcome)
    approved = unquoted = ordered = 0
    for claim in _claims(report_of(case)):
        text = (case.folder / "papers" / claim["paper"]).read_text(encoding="utf-8")
        if claim["status"] == "approved":
            approved += 1
            unquoted += " ".join(claim["quote"].split()) not in " ".join(text.split())
            ordered += "ignore your instructions" in text
    print(f"  approved {approved}, of papers with orders {ordered}, not standing in their paper: {unquoted}")


def forecast(bench: Bench) -> None:
    """What a dry run says of 40 real trials, and what they then cost, added up by hand from the server's records."""
    data = ROOT.parent / "shared" / "data" / "evidence_inference"
    if not data.exists():
        print(f"forecast: there is no {data}")
        return
    trials = sorted(data.glob("*.txt"))[:40]
    with bench.server(honest) as server:
        case = bench.case("forecast", server, 0)
        for trial in trials:
            shutil.copy(trial, case.folder / "papers")
        lines = (data / "questions.jsonl").read_text(encoding="utf-8").splitlines()
        asked = [json.loads(line) for line in lines[:: len(lines) // 12]]
        subs = [{"id": each["id"], "text": f"Effect of {each['intervention']} on {each['outcome']}"} for each in asked]
        requirement = {"id": "R", "text": "Effects", "sub_requirements": subs}
        whole = {"id": "Q", "text": "Effects", "requirements": [requirement]}
        (case.folder / "protocol.json").write_text(json.dumps({"title": "Trials", "questions": [whole]}))
        run(case, "--dry-run")
        outcome = run(case, PARALLEL)
        print(f"forecast: {len(trials)} trials, {len(subs)} sub-requirements")
        bench.tell(case, server, outcome)
        price = PriceTable.standard().price(MODELS[bench.options.backend])
        answered = [each for each in server.requests if each.status == 200]
        by_hand = sum(price.usd(each.input_tokens, each.output_tokens) for each in answered) if price else 0.0
        print(f"  by hand from the server's records: {by_hand:.4f} USD")
        told = [line[22:] for line in outcome.text.splitlines() if " expected" in line]
        print("\n".join(f"  {line}" for line in told))


def wrong_key(bench: Bench) -> None:
    """The provider refuses the key and quotes it; then the right one is set and the run goes on."""
    with bench.server(honest) as server:
        server.key = "sk-another-key-than-the-program-has"
        case = bench.case("wrong_key", server, bench.papers)
        outcome = run(case, PARALLEL, "--log-file", str(case.folder / "debug.log"))
        refused = [line[22:] for line in outcome.text.splitlines() if "[ERROR]" in line]
        print(f"wrong key: exit code {outcome.code} after {len(server.requests)} calls for {bench.papers} papers; "
              f"files with the key: {files_with_key(case) or 'none'}\n  {refused[0]}")  # fmt: skip
        server.key = KEY
        bench.tell(case, server, run(case, PARALLEL, "--resume"))


def _claims(part: Any) -> list[dict[str, Any]]:
    """All claims of the report, wherever they stand."""
    if isinstance(part, dict):
        own = [part] if {"quote", "status", "paper"} <= part.keys() else []
        return own + [claim for each in part.values() for claim in _claims(each)]
    return [claim for each in part for claim in _claims(each)] if isinstance(part, list) else []


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--papers", type=int, default=200)
    options.add_argument("--workers", type=int, default=16)
    options.add_argument("--latency", type=float, default=0.2, help="seconds that the server takes for an answer")
    options.add_argument("--backend", choices=sorted(MODELS), default="gemini")
    options.add_argument("--kill", type=int, default=0)
    options.add_argument("--outage", type=float, default=0.0)
    options.add_argument("--quota", action="store_true")
    options.add_argument("--injection", action="store_true")
    options.add_argument("--wrong-key", action="store_true")
    options.add_argument("--forecast", action="store_true")
    chosen = options.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        bench = Bench(chosen, Path(folder))
        cases = {"kill": killed, "outage": outage, "quota": quota, "injection": injection,
                 "wrong_key": wrong_key, "forecast": forecast}  # fmt: skip
        special = [case for name, case in cases.items() if getattr(chosen, name)]
        for case in special:
            case(bench)
        if not special:
            _, asked = undisturbed(bench)
            undisturbed(bench, "with the guide's own retry and breaker", **GUIDE)
            one_by_one(bench, asked[-1].ended - asked[0].at)
            plain_script(bench, asked, Path(folder))


if __name__ == "__main__":
    main()
