"""A model's server on this machine that speaks the wire formats of Gemini and of OpenAI, for tests and benchmarks.

    with ModelServer(answer) as server:            answer(request) -> a text, or a Reply that says how to misbehave
        GeminiModel("any", "key", server.base_url) / OpenAICompatibleModel("any", None, server.base_url)
    server.requests                                every request in the order of arrival, to be looked at afterwards

    python benchmarks/model_server.py --port 8080  a server to try the program against, with a reviewer that quotes

One thread with an event loop holds any number of connections, kept alive. The formats are those of
`POST /v1beta/models/{model}:generateContent` (ai.google.dev/api/generate-content, google.rpc.Status for errors) and of
`POST /v1/chat/completions` (platform.openai.com/docs/api-reference/chat); `/v1` may be left out. Replies that
misbehave are made in model_faults.py, reviewers in model_reviewers.py.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import Any

from model_faults import failure, refused_key, success, throttled
from model_wire import Reply, Request, read_request

Answer = Callable[[Request], "Reply | str"]
REASONS = {200: "OK", 400: "Bad Request", 401: "Unauthorized", 403: "Forbidden", 404: "Not Found",
           429: "Too Many Requests", 500: "Internal Server Error", 503: "Service Unavailable"}  # fmt: skip


@dataclass
class Limits:
    """What the server allows in any window of `seconds`; beyond it answers 429 and says how long to wait."""

    requests: int | None = None
    tokens: int | None = None
    seconds: float = 60.0
    _taken: deque[Request] = field(default_factory=deque)

    def wait_needed(self, request: Request) -> float:
        """Seconds until the request would be let in; 0 lets it in and counts it."""
        while self._taken and self._taken[0].at <= request.at - self.seconds:
            self._taken.popleft()
        tokens = sum(taken.input_tokens + taken.output_tokens for taken in self._taken) + request.input_tokens
        if (self.requests is None or len(self._taken) < self.requests) and (
            self.tokens is None or tokens <= self.tokens or not self._taken
        ):
            self._taken.append(request)
            return 0.0
        return self._taken[0].at + self.seconds - request.at


class ModelServer:
    """The server, from `with` on. Thread-safe; `answer` and `latency` may be changed while it runs.

    `answer(request)` gives the text of a good answer, or a Reply; it runs in the server's one thread, so it must not
    wait. `latency`: seconds before each answer. `key`: the only key that is let in; None lets everyone in.
    """

    def __init__(
        self,
        answer: Answer = lambda request: "{}",
        latency: float = 0.0,
        key: str | None = None,
        limits: Limits | None = None,
        port: int = 0,
    ) -> None:
        self.answer, self.latency, self.key, self.limits = answer, latency, key, limits
        self.requests: list[Request] = []
        self.connections = 0  # that were ever opened
        self._port = port
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._turn, name="model server", daemon=True)
        self._listener: asyncio.AbstractServer | None = None
        self._talks: set[asyncio.Task[None]] = set()

    @property
    def base_url(self) -> str:
        """For either client."""
        return f"http://127.0.0.1:{self._port}"

    def __enter__(self) -> ModelServer:
        self._thread.start()
        self.listen()
        return self

    def __exit__(self, *_: object) -> None:
        self.go_away()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()

    def _turn(self) -> None:
        self._loop.run_forever()
        self._loop.run_until_complete(self._go_away())
        self._loop.close()

    def listen(self) -> None:
        """Take connections, on the same port as before."""
        self._run(self._listen())

    def go_away(self) -> None:
        """An outage: all connections break, and new ones are refused, until `listen`."""
        self._run(self._go_away())

    def _run(self, work: Any) -> None:
        future: Future[None] = asyncio.run_coroutine_threadsafe(work, self._loop)
        future.result(10.0)

    async def _listen(self) -> None:
        listener = await asyncio.start_server(self._talk, "127.0.0.1", self._port, limit=1 << 24, backlog=1024)
        self._port = listener.sockets[0].getsockname()[1]
        self._listener = listener

    async def _go_away(self) -> None:
        if self._listener is not None:
            self._listener.close()
            self._listener = None
        for talk in self._talks:
            talk.cancel()
        # all tasks, since clients' finalizers leave theirs in whatever loop is running
        await asyncio.gather(*(asyncio.all_tasks() - {asyncio.current_task()}), return_exceptions=True)

    async def _talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection, request after request, until either side ends it."""
        talk = asyncio.current_task()
        assert talk is not None
        self._talks.add(talk)
        self.connections += 1
        try:
            while await self._serve(reader, writer):
                pass
        except (asyncio.IncompleteReadError, ConnectionError, asyncio.CancelledError):
            pass  # the client has gone, or the server is told to
        finally:
            self._talks.discard(talk)
            writer.transport.abort()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        """Read one request and answer it; False ends the connection."""
        head = await reader.readuntil(b"\r\n\r\n")
        length = next((line[15:] for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:")), b"0")
        body = await reader.readexactly(int(length))
        request = read_request(len(self.requests) + 1, time.monotonic(), head, body, self.key)
        self.requests.append(request)
        reply = self._reply(request)
        request.output_tokens = reply.output_tokens
        try:
            await asyncio.sleep(self.latency + reply.delay)
        finally:
            request.ended = time.monotonic()  # before the client can know of it
        return await self._send(request, reply, writer)

    def _reply(self, request: Request) -> Reply:
        if not request.key_right:
            return refused_key(request)
        wait = self.limits.wait_needed(request) if self.limits is not None else 0.0
        if wait > 0:
            return throttled(request, wait)
        try:
            answer = self.answer(request)
        except Exception as error:  # noqa: BLE001, the script's own mistake must not look like a dropped connection
            return failure(request, 500, f"the server's script failed: {error!r}")
        return success(request, answer) if isinstance(answer, str) else answer

    async def _send(self, request: Request, reply: Reply, writer: asyncio.StreamWriter) -> bool:
        if reply.drop == "reset":
            writer.transport.abort()
        if reply.drop:
            return False
        request.status = reply.status
        body = reply.body.encode("utf-8") if isinstance(reply.body, str) else reply.body
        announced = len(body) + (1_000_000 if reply.drip else 0)
        headers = {"Content-Type": reply.content_type, "Content-Length": str(announced), **reply.headers}
        lines = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
        head = f"HTTP/1.1 {reply.status} {REASONS.get(reply.status, 'Unknown')}\r\n{lines}\r\n".encode("latin-1")
        writer.write(head + body[: reply.cut_at])
        await writer.drain()
        while reply.drip:
            await asyncio.sleep(reply.drip)
            writer.write(b" ")
            await writer.drain()
        return reply.cut_at is None


def most_in_window(requests: list[Request], seconds: float, weigh: Callable[[Request], float] = lambda _: 1) -> float:
    """The largest sum of `weigh` over the requests that arrived in any window of `seconds`."""
    window: deque[Request] = deque()
    total = most = 0.0
    for request in sorted(requests, key=lambda request: request.at):
        window.append(request)
        total += weigh(request)
        while window[0].at <= request.at - seconds:
            total -= weigh(window.popleft())
        most = max(most, total)
    return most


def main() -> None:
    from model_reviewers import REVIEWERS

    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--port", type=int, default=8080)
    options.add_argument("--latency", type=float, default=0.0, help="seconds before each answer")
    options.add_argument("--reviewer", choices=sorted(REVIEWERS), default="honest")
    chosen = options.parse_args()
    reviewers: Mapping[str, Answer] = REVIEWERS
    with ModelServer(reviewers[chosen.reviewer], chosen.latency, port=chosen.port) as server:
        print(f"base_url: {json.dumps(server.base_url)} (Ctrl-C ends it)", flush=True)
        try:
            threading.Event().wait()
        except KeyboardInterrupt:
            print(f"{len(server.requests)} requests")


if __name__ == "__main__":
    main()
