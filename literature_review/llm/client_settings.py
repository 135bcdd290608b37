"""What both clients of paid models do alike before the first request."""

from __future__ import annotations

import gc
import re
import sys
from importlib import import_module
from typing import Any

from literature_review.errors import MissingExtraError, UsageError

MOST_CONNECTIONS = 64
"""Of a client that is not told how many questions are asked at a time."""


def client_library(name: str) -> Any:
    """A provider's client, imported. The first import makes some 100,000 objects that stay: without this, the garbage
    collector looks through them while they are made, again and again in the run, and once more at its end."""
    if name in sys.modules:
        return sys.modules[name]
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        library = import_module(name)
        gc.freeze()
    finally:
        if was_enabled:
            gc.enable()
    return library


def http_library() -> Any:
    """httpx, or its successor httpx2, whichever the provider's client brought."""
    for name in ("httpx", "httpx2"):
        try:
            return import_module(name)
        except ModuleNotFoundError:
            continue
    raise MissingExtraError("neither httpx nor httpx2 is installed: pip install 'literature-review-pipeline[gemini]'")


def checked_key(key: str | None) -> str | None:
    """The key without blanks around it; None for none. Raises UsageError for one that no HTTP header can carry, such
    as two lines: the client would quote it in its error."""
    key = key.strip() if key else None
    if key and not re.fullmatch(r"[\x21-\x7e]+", key):
        raise UsageError("the API key holds blanks, line breaks or letters beyond ASCII, which no key has; look at the "
                         "environment variable that llm.api_key_env names")  # fmt: skip
    return key or None


def checked_url(base_url: str) -> str:
    """The base URL without a slash at its end. Raises UsageError for one that is no http(s) URL."""
    if not re.match(r"https?://[^/\s]+", base_url):
        raise UsageError(f"llm.base_url: {base_url!r} is no URL; write it as http://host:port or https://host/path")
    return base_url.rstrip("/")


def sendable(text: str) -> str:
    """The text without lone surrogates, which UTF-8 cannot carry."""
    return text.encode("utf-8", "replace").decode("utf-8")
