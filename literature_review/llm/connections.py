"""The connections of a paid model's HTTP client."""

from __future__ import annotations

import asyncio
from typing import Any
from urllib.request import getproxies


def client_options(http: Any, most: int, trust_env: bool) -> dict[str, Any]:
    """What an AsyncClient of `http`, which is httpx or httpx2, is to be made with: at most so many connections, all
    kept, and no time-outs (TimedCalls has them). A request beyond them waits for the first that is free, ready to be
    sent.

    `trust_env`: the environment's proxies and certificates are heeded. `verify` of what is returned is the SSL context
    with the certificates, read once: each part of a provider's client would do so.
    """
    certificates = http.create_ssl_context(trust_env=trust_env)
    common = {"timeout": None, "trust_env": trust_env, "verify": certificates}
    if trust_env and getproxies():  # heeded by a client's own transport alone
        return {**common, "limits": http.Limits(max_connections=most, max_keepalive_connections=most)}
    return {**common, "transport": SeparateConnections(http, most, certificates)}


class SeparateConnections:
    """A transport of httpx or httpx2 with a pool for each connection. One pool of many looks at all of its connections
    at every request and every answer: with 16 of them that was a sixth of what a run computes while it asks.

    For one event loop. The one that was used last is taken first, so that as few as possible are opened.
    """

    def __init__(self, http: Any, most: int, certificates: Any) -> None:
        one = http.Limits(max_connections=1, max_keepalive_connections=1)
        self._http = http
        self._all = [
            http.AsyncHTTPTransport(verify=certificates, trust_env=False, limits=one) for _ in range(most)
        ]  # fmt: skip
        self._free = list(self._all)
        self._places = asyncio.Semaphore(most)

    async def handle_async_request(self, request: Any) -> Any:
        """The response with its whole body. Raises what the transports of the library raise."""
        async with self._places:
            transport = self._free.pop()
            try:
                heard = await transport.handle_async_request(request)
                try:
                    body = b"".join([part async for part in heard.stream])
                finally:
                    await heard.aclose()
            finally:
                self._free.append(transport)
        stream = self._http.ByteStream(body)
        return self._http.Response(heard.status_code, headers=heard.headers, stream=stream, extensions=heard.extensions)

    async def aclose(self) -> None:
        """Close all connections."""
        for transport in self._all:
            await transport.aclose()
