"""The same calls as a plain script makes them: ThreadPoolExecutor, tenacity and pyrate-limiter around OpenAI's client.

    python benchmarks/plain_calls.py QUESTIONS.json BASE_URL WORKERS CALLS_PER_SECOND

It keeps nothing: no answer is stored, no call is booked, no answer is validated. benchmarks/pipeline.py starts it.
"""

from __future__ import annotations

import json
import os
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import openai
from pipeline_case import FIRST_WAIT, KEY_VARIABLE
from pyrate_limiter import Duration, Limiter, Rate
from tenacity import retry, retry_if_exception_type, stop_after_attempt, wait_exponential_jitter

WORTH_REPEATING = (openai.APIConnectionError, openai.RateLimitError, openai.InternalServerError)


def main() -> None:
    path, base_url, workers, rate = sys.argv[1:]
    with open(path, encoding="utf-8") as file:
        questions: list[dict[str, Any]] = json.load(file)
    client = openai.OpenAI(api_key=os.environ[KEY_VARIABLE], base_url=base_url, max_retries=0, timeout=60)
    limiter = Limiter(Rate(int(float(rate)), Duration.SECOND))

    @retry(retry=retry_if_exception_type(WORTH_REPEATING), stop=stop_after_attempt(6),
           wait=wait_exponential_jitter(initial=FIRST_WAIT, max=60))  # fmt: skip
    def ask(body: dict[str, Any]) -> str:
        limiter.try_acquire("calls")
        return str(client.chat.completions.create(**body).choices[0].message.content)

    began = time.monotonic()
    with ThreadPoolExecutor(int(workers)) as pool:
        answers = list(pool.map(ask, questions))
    print(json.dumps({"answers": len(answers), "seconds": time.monotonic() - began}))


if __name__ == "__main__":
    main()
