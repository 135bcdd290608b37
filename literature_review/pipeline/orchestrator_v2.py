"""The kernel: error classification, rate limiting, retry, a durable checkpoint, and fan-out.

One file, standard library only; copied alone into an empty folder it works. Each class is usable without the others,
and is safe to use from any number of threads.

    ErrorType, ErrorClassifier     is an error worth another try?
    SimpleQuotaManager             at most so many calls in so many seconds, first come, first served
    RetryHelper                    waits, longer each time, and tries again
    CheckpointManagerV2            which paper is where; survives kill -9 and loss of power
    ParallelPipelineCoordinator    many papers at once, in threads, processes or an executor

The way of an update of the checkpoint:

    update_paper_status(...)        any thread
      |  the paper's new record is encoded once, as one line of JSON          [_mutex]
      v
    dirty lines, by paper           all updates that wait for the disk
      |  one thread leads, for all that wait: every dirty line, as one batch  [_io]
      v
    <file>.journal-<n>              append, fdatasync: all of the batch return
      |  about once a second, in a thread of its own                          [_folding]
      v
    <file>                          all lines joined, written beside, flushed, renamed

Locks, always taken in this order: `_WRITERS_LOCK` (who writes which file in this process), `_folding` (one fold at a
time), `_io` (the journal: one append or change of journal at a time), `_mutex` (the state in memory and the dirty
lines; held for microseconds, by a fold for milliseconds). The threads that wait for a flush queue behind a lock of
`_GroupCommit`, under which no other is taken.

What survives what: an update that returned survives kill -9 and loss of power. One under way may or may not; it never
damages another. A journal is dropped only after a JSON file that holds all of it has been flushed, renamed into place,
and the folder flushed. Each journal record holds the whole state of its paper, so replaying one twice changes nothing.
"""

from __future__ import annotations

import atexit
import errno
import gc
import json
import os
import re
import struct
import sys
import threading
import time
import zlib
from _thread import allocate_lock, get_ident, start_new_thread
from collections import Counter, deque
from enum import Enum
from functools import cache, lru_cache, partial
from itertools import islice

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from concurrent.futures import Executor
    from queue import SimpleQueue
    from types import FrameType
    from typing import Any, TypeVar

    T = TypeVar("T")
    Record = dict[str, Any]
    Verdict = tuple["ErrorType", bool]
    Snapshot = tuple[Record, str, list[str], dict[str, int]]

__all__ = [
    "CheckpointConflictError", "CheckpointDamagedError", "CheckpointError", "CheckpointLockedError",
    "CheckpointManagerV2", "CheckpointSupersededError", "CheckpointVersionError", "ErrorClassifier", "ErrorType",
    "ParallelPipelineCoordinator", "RetryHelper", "SimpleQuotaManager", "create_v2_config_defaults",
]


def create_v2_config_defaults() -> Record:
    """The `v2_features` block of the configuration with its defaults; a fresh copy each call."""
    return {
        "max_workers": 4,
        "enable_parallel": False,
        "checkpoint_file": "pipeline_checkpoint.json",
        "retry": {"attempts": 3, "base": 0.5, "factor": 2.0, "max_delay": 60.0, "enable_jitter": True},
        "quota": {"gemini_api": {"rate": 60, "per_seconds": 60}},
        "feature_flags": {
            "enable_parallel_processing": False, "enable_quota_management": True, "enable_smart_retry": True
        },
    }


class ErrorType(Enum):
    """TRANSIENT: may pass, try again. PERMANENT: will not pass. UNKNOWN: not tried again."""

    TRANSIENT = "transient"
    PERMANENT = "permanent"
    UNKNOWN = "unknown"


# A verdict: the type, and whether every other call would meet the same fault.
_TRANSIENT, _PERMANENT = (ErrorType.TRANSIENT, False), (ErrorType.PERMANENT, False)
_BARRED, _UNKNOWN = (ErrorType.PERMANENT, True), (ErrorType.UNKNOWN, False)
_BY_STATUS = {
    **dict.fromkeys((408, 425, 429, 500, 502, 503, 504, 529), _TRANSIENT),
    **dict.fromkeys((400, 404, 405, 413, 422), _PERMANENT), **dict.fromkeys((401, 403), _BARRED),
}
_PERMANENT_TYPES = (
    FileNotFoundError, NotADirectoryError, IsADirectoryError, PermissionError,
    SyntaxError, TypeError, NameError, AttributeError, ImportError,
)
_NETWORK_ERRNO = frozenset({
    errno.ECONNABORTED, errno.ECONNREFUSED, errno.ECONNRESET, errno.EHOSTUNREACH, errno.ENETDOWN, errno.ENETUNREACH,
    errno.EPIPE, errno.ETIMEDOUT,
})
_TRY_NAME_AGAIN = frozenset({-3, 2, 11002})  # EAI_AGAIN of Linux, BSD and macOS, Windows; its text may be translated
# Client libraries' own network errors, known by name: nothing of theirs is imported here.
_CLIENTS = frozenset({
    "aiohttp", "anthropic", "asyncio", "concurrent", "google", "http", "httpcore", "httpcore2", "httpx", "httpx2",
    "multiprocessing", "openai", "requests", "urllib3",
})
_CLIENT_NETWORK_ERRORS = frozenset({
    "APIConnectionError", "APITimeoutError", "ChunkedEncodingError", "ConnectError", "ConnectTimeout",
    "ConnectionError", "IncompleteRead", "NetworkError", "NewConnectionError", "PoolTimeout", "ProtocolError",
    "ReadError", "ReadTimeout", "RemoteProtocolError", "ServerConnectionError", "Timeout", "TimeoutError",
    "TimeoutException", "WriteError",
})
# A number is a status only where it stands as one: after a name for it; before a status's phrase, or words that
# providers put there; or alone after "error" or "server returned".
_STATUS_NAME = (
    r"""(?i)(?:\bhttp(?:/\d(?:\.\d)?)?(?: (?:status|error|response))?(?: code)?|\bhttp\w{0,9}(?:error|exception)"""
    r"""|\b(?:status|error|response)[ _-]?code|\bstatus|["']code)["']?\s*(?:[:=(]|is\b|of\b)?\s*["']?$"""
)
_STATUS_LEAD = r"""(?i)(?:^|[](\[{:;,"'\n-]\s*|\b(?:returned|got|received|with|error|failed|was|is|an?)\s+)$"""
_STATUS_PHRASE = (
    r"(?i)\s*[:,-]?\s*(?:client error|server error|bad request|unauthori[sz]ed|forbidden|not[ _]found|method not"
    r"|request time|payload|content too|request entity|unprocessable|too early|too many|internal|bad gateway|service un"
    r"|gateway time|overloaded|unavailable|resource[_ ](?:has been )?ex|invalid_arg|unauthenticated|permission_denied"
    r"|deadline|quota exc|you exceeded|rate limit|an internal|the (?:service|model|request)|upstream|(?:your )?api key"
    r"|method doesn|models/|user location)"
)
_STATUS_ANSWER = (
    r"(?i)\b(?:error\s*[:=#(]?|(?:got|received)(?: an?)? response"
    r"|(?:api|gateway|proxy|server|service|upstream) (?:returned|responded|replied|answered)(?: with)?)\s*$"
)
_QUOTA_ID = r"(?i)quota_?(?:id|limit)[\\\"'\s:=]+([\w./-]+)"
_BARRED_TEXT = (
    r"(?:\b|_)(?:insufficient_quota|credit balance is too low|unauthori[sz]ed|unauthenticated|permission_denied"
    r"|(?:authentication|permission)_error|api_key_invalid"
    r"|(?:invalid|incorrect|bad|missing|no|wrong|expired|revoked|passing|provide(?: an)?)[ _](?:x-|\(`)?api[ _-]?key"
    r"|api[ _-]?key(?: \S+)?(?: is| was)? (?:not valid|invalid|missing|not set|not found|required|expired"
    r"|reported as leaked))"
)
_PERMANENT_TEXT = (
    r"\b(?:no such file|(?:file|path)(?: \S+)? does not exist|file not found|filenotfounderror|missing file"
    r"|permission denied|permissionerror|access denied|forbidden|authentication (?:failed|error)|authenticationerror"
    r"|(?:bad|invalid) credentials|invalid_argument|invalid syntax"
    r"|(?<!-)(?:syntax|type|name|attribute|import) ?error\b(?!-)|modulenotfounderror|no module named|cannot import name"
    r"|has no attribute|is not defined)"
)
_TRANSIENT_TEXT = (
    r"\b(?:(?:read|connect|connection|request|gateway|api)?[ -]?time(?:d?[ -]|)?outs?(?:error)?\b"
    r"|deadline[ _]?(?:exceeded|expired)|connect(?:ion)? ?\w{0,7}error\b|disconnect/reset"
    r"|connection(?: to \S+)?(?: was| has been)?[ -](?:refused|reset|aborted|broken|dropped|lost|closed|error|timed)"
    r"|(?:refused|reset|dropped|closed|broke)(?: the)? connection|remote end closed|server disconnected|broken pipe"
    r"|response ended prematurely|incompleteread|socket hang up|socket closed|eof occurred in violation"
    r"|network (?:error|is unreachable|unreachable)|no route to host|host is unreachable"
    r"|temporary failure in name resolution|service ?(?:is )?(?:currently |temporarily )?unavailable"
    r"|temporarily unavailable|overloaded|resource[ _]?(?:has been )?exhausted|(?<!disk )quota exceeded"
    r"|exceeded your (?:current )?quota|rate[ _-]?limit(?:s|ed|_exceeded|_error|exceeded|error)?\b"
    r"|too[ _]?many[ _]?requests|bad gateway|internal server error|server_error|server had an error"
    r"|econn(?:reset|refused|aborted)|etimedout|eai_again)"
)
_TEXT_LIMIT = 16_000  # characters of a text that are looked at
_compiled = lru_cache(maxsize=None)(re.compile)  # at the first use: compiling takes longer than the rest of the import


def _judge(error: object, http_status: object = None) -> Verdict:
    """The verdict on an exception or a text."""
    verdict = None if http_status is None else _judge_status(_as_status(http_status), error)
    if verdict is None:
        verdict = _judge_exception(error, set()) if isinstance(error, BaseException) else _judge_text(_text_of(error))
    return verdict or _UNKNOWN


def _as_status(value: object) -> int | None:
    """An int, or a text of three digits, as a status; anything else is none."""
    if isinstance(value, str) and len(value) == 3 and value.isascii() and value.isdigit():
        return int(value)
    return value if isinstance(value, int) else None


def _judge_status(status: int | None, error: object) -> Verdict | None:
    """What a status says; None for nothing. A 429 may be a spent quota, and Gemini sends a bad key as 400."""
    if status == 429 and _quota_is_spent(_details_of(error)):
        return _BARRED
    if status == 400 and _compiled(_BARRED_TEXT).search(_text_of(error).lower()):
        return _BARRED
    return _BY_STATUS.get(status)  # type: ignore[arg-type]


def _judge_exception(error: object, seen: set[int]) -> Verdict | None:
    """The first of its parts that says something, in the order of their weight; None where none does."""
    if not isinstance(error, BaseException) or id(error) in seen or len(seen) > 50:
        return None
    seen.add(id(error))
    bare = _is_bare(error)
    return (
        (None if bare else _judge_status(_status_of(error), error))
        or _judge_type(type(error))  # type: ignore[arg-type]  # hashable, whatever the checker says
        or (_judge_errno(error) if isinstance(error, OSError) else None)
        or (None if bare else _judge_group(_attribute(error, "exceptions"), seen))
        or _judge_exception(error.__cause__ or (None if bare else _attribute(error, "reason")), seen)  # as in urllib
        or _judge_text(_text_of(error) if bare else _details_of(error))
        or (None if error.__suppress_context__ else _judge_exception(error.__context__, seen))
    )


@lru_cache(maxsize=512)
def _judge_type(kind: type[BaseException]) -> Verdict | None:
    if issubclass(kind, (TimeoutError, ConnectionError)):
        return _TRANSIENT
    if issubclass(kind, _PERMANENT_TYPES):
        return _PERMANENT
    by_name = (base.__name__ in _CLIENT_NETWORK_ERRORS and base.__module__.split(".")[0] in _CLIENTS
               for base in kind.__mro__)
    return _TRANSIENT if any(by_name) else None


def _judge_errno(error: OSError) -> Verdict | None:
    numbers = _TRY_NAME_AGAIN if type(error).__name__ == "gaierror" else _NETWORK_ERRNO
    return _TRANSIENT if error.errno in numbers else None


def _judge_group(members: object, seen: set[int]) -> Verdict | None:
    """Permanent if one member is, transient if all are, else UNKNOWN; None if no member says anything."""
    verdicts = [_judge_exception(member, seen) for member in members] if isinstance(members, (tuple, list)) else []
    if not any(verdicts):
        return None
    for verdict in (_BARRED, _PERMANENT):
        if verdict in verdicts:
            return verdict
    return _TRANSIENT if all(verdict == _TRANSIENT for verdict in verdicts) else _UNKNOWN


@lru_cache(maxsize=256)  # the same few texts come again and again
def _judge_text(text: str) -> Verdict | None:
    lowered = text.lower()
    if "quota" in lowered and _quota_is_spent(text):
        return _BARRED
    for number in _compiled(r"(?<!\d)[45]\d\d(?!\w)").finditer(text):
        before, after = text[max(number.start() - 40, 0) : number.start()], text[number.end() : number.end() + 40]
        verdict = _judge_status(int(number[0]), text) if _is_status(before, after) else None
        if verdict is not None:
            return verdict
    for pattern, verdict in ((_BARRED_TEXT, _BARRED), (_PERMANENT_TEXT, _PERMANENT), (_TRANSIENT_TEXT, _TRANSIENT)):
        if _compiled(pattern).search(lowered):
            return verdict
    return _TRANSIENT if "UNAVAILABLE" in text else None  # Gemini's status; in small letters a word like any other


def _is_status(before: str, after: str) -> bool:
    """Does a number stand as a status, between what is before and after it in a text?"""
    if _compiled(_STATUS_NAME).search(before) or not (before.strip() or after.strip()):
        return True
    if _compiled(_STATUS_PHRASE).match(after):
        return _compiled(_STATUS_LEAD).search(before) is not None
    as_answer = _compiled(_STATUS_ANSWER).search(before)
    return as_answer is not None and _compiled(r"\s*(?:[].,;:)}{]|$)").match(after) is not None


def _quota_is_spent(details: str) -> bool:
    """The machine-readable part of a 429 decides; "check your plan and billing" also comes with short throttles."""
    if "insufficient_quota" in details:
        return True
    return any("perday" in quota.lower() for quota in _compiled(_QUOTA_ID).findall(details))


def _is_bare(error: BaseException) -> bool:
    """A built-in exception without attributes of its own carries nothing but its type and text: no need to look."""
    return not error.__dict__ and _is_plain(type(error))  # type: ignore[arg-type]  # hashable, as above


@lru_cache(maxsize=512)
def _is_plain(kind: type[BaseException]) -> bool:
    return kind.__module__ == "builtins" and not hasattr(kind, "exceptions")


def _attribute(thing: object, name: str) -> Any:
    """An attribute of a foreign object; None if it has none, or raises."""
    try:
        return getattr(thing, name, None)
    except Exception:  # noqa: BLE001 - a property may raise anything
        return None


def _status_of(error: BaseException) -> int | None:
    """The status that an exception carries, if it is one that says something."""
    values = [_attribute(error, name) for name in ("status_code", "code", "status")]
    for value in (*values, _attribute(_attribute(error, "response"), "status_code")):
        status = _as_status(value)
        if status in _BY_STATUS:
            return status
    return None


def _details_of(error: object) -> str:
    """The text of an error with the machine-readable parts that client libraries attach to it."""
    text = _text_of(error)
    if not isinstance(error, BaseException) or _is_bare(error):
        return text
    parts = [_attribute(error, name) for name in ("code", "type", "status", "details", "body")]
    parts.append(_attribute(_attribute(error, "response"), "text"))
    return "\n".join([text, *(_text_of(part) for part in parts if isinstance(part, (str, dict, list)))])


def _text_of(error: object) -> str:
    """`str(error)`, cut in the middle if it is huge; an object that cannot be shown has no text."""
    try:
        text = str(error)
    except Exception:  # noqa: BLE001 - a foreign __str__ may raise anything (RecursionError for deep data)
        return ""
    return text if len(text) <= _TEXT_LIMIT else text[: _TEXT_LIMIT // 2] + "\n" + text[-_TEXT_LIMIT // 2 :]


class ErrorClassifier:
    """Tells errors worth another try from those that are not. Use the class or an instance; it holds no state.

    Evidence, strongest first: `http_status`; a status that the exception carries (`status_code`, `code`, `status`,
    `response.status_code`); its type; the members of an exception group (permanent if one is, transient if all are)
    and its cause chain; last its text.
    """

    @staticmethod
    def classify_error(error: object, http_status: int | str | None = None) -> ErrorType:
        """`error` is an exception or a text; what is not known for certain is UNKNOWN. Never raises."""
        return _judge(error, http_status)[0]

    @staticmethod
    def should_retry(error: object, http_status: int | str | None = None) -> bool:
        """True for TRANSIENT alone."""
        return _judge(error, http_status)[0] is ErrorType.TRANSIENT

    @staticmethod
    def is_shared_fault(error: object, http_status: int | str | None = None) -> bool:
        """Would every other call meet it too: 401, 403, a bad or missing key, a spent quota?"""
        return _judge(error, http_status)[1]


_NEVER = float("inf")
_SLACK = 1e-9  # tokens: what rounding may take from a bucket that is full enough


class _Place:
    """A place in the queue of a quota manager."""

    __slots__ = ("cancel", "due", "tokens", "wake")

    def __init__(self, tokens: float, cancel: threading.Event | None) -> None:
        self.tokens, self.cancel, self.wake = tokens, cancel, allocate_lock()
        self.due = 0.0  # it sleeps until then
        self.wake.acquire()


class SimpleQuotaManager:
    """A token bucket: in no window of w seconds are more than `burst + rate / per_seconds * w` tokens granted.

    Waiters are served first come, first served; each sleeps until its own turn, and only who moves up is woken. The
    bucket is full at the start and holds `burst` tokens, by default `max(rate, 1)`. Thread-safe.

    Attributes: `rate` (tokens), `per_seconds`, `allowance` (tokens left as of the last consume), `consumed_count`
    (tokens granted), `throttle_count` (calls that waited or were refused). `clock` (monotonic seconds) and `sleep`
    (seconds) can be replaced for tests.
    """

    def __init__(
        self, rate: float, per_seconds: float = 60, *, burst: float | None = None,
        clock: Callable[[], float] = time.monotonic, sleep: Callable[[float], object] | None = None,
    ) -> None:
        """ValueError unless rate, period and burst are positive and finite."""
        self._capacity = float(burst if burst is not None else max(rate, 1))
        for name, value in (("rate", rate), ("per_seconds", per_seconds), ("burst", self._capacity)):
            if not 0 < value < _NEVER:
                raise ValueError(f"{name} must be positive and finite, not {value!r}")
        self._fill = rate / per_seconds
        if not 0 < self._fill < _NEVER:
            raise ValueError(f"rate / per_seconds must be positive and finite, not {self._fill!r}")
        self.rate, self.per_seconds, self.allowance = rate, per_seconds, self._capacity
        self.consumed_count: float = 0
        self.throttle_count = 0
        self._clock, self._sleep, self._filled_at = clock, sleep, clock()
        self._lock = allocate_lock()  # guards everything that changes
        self._queue: deque[_Place] = deque()

    def consume(
        self, tokens: float = 1, wait: bool = True, timeout: float | None = None, cancel: threading.Event | None = None
    ) -> bool:
        """Take `tokens`; True when they are granted.

        `wait=False`: False at once where tokens lack or others wait. `timeout`: at most so many seconds; where the due
        time lies beyond it, False at once. `cancel`: an event that ends the wait with False. Who gives up leaves the
        tokens to those behind. ValueError for tokens that are not positive or above the capacity: such a wait would
        never end.
        """
        if not 0 < tokens <= self._capacity:
            raise ValueError(f"tokens must be above 0 and at most {self._capacity:g}, not {tokens!r}")
        turn: _Place | None = None
        try:
            with self._lock:
                now = self._clock()
                if now > self._filled_at:  # as _refill does, in the way of every grant: a call less
                    full = self.allowance + (now - self._filled_at) * self._fill
                    self.allowance = full if full < self._capacity else self._capacity
                    self._filled_at = now
                if not self._queue and self.allowance + _SLACK >= tokens:
                    self.allowance -= tokens
                    self.consumed_count += tokens
                    return True
                self.throttle_count += 1
                turn = _Place(tokens, cancel)
                self._queue.append(turn)
                delay = self._seconds_to(turn)
                if not wait or (timeout is not None and not delay <= timeout) or (cancel and cancel.is_set()):
                    self._queue.pop()
                    return False
            return self._wait_for(turn, _NEVER if timeout is None else now + timeout)
        except BaseException:  # an interrupt gives the turn up as well
            if turn is not None:
                with self._lock:
                    self._leave(turn, self._clock())
            raise

    def get_stats(self) -> dict[str, float]:
        """`rate`, `per_seconds`, `current_allowance` (tokens, as of now), `consumed_count`, `throttle_count`."""
        with self._lock:
            elapsed = max(self._clock() - self._filled_at, 0.0)
            allowance = max(min(self._capacity, self.allowance + elapsed * self._fill), 0.0)
            return {
                "rate": self.rate, "per_seconds": self.per_seconds, "current_allowance": allowance,
                "consumed_count": self.consumed_count, "throttle_count": self.throttle_count,
            }

    def _refill(self) -> float:
        """Add what time has brought; the time."""
        now = self._clock()
        if now > self._filled_at:
            self.allowance = min(self._capacity, self.allowance + (now - self._filled_at) * self._fill)
            self._filled_at = now
        return now

    def _seconds_to(self, turn: _Place) -> float:
        """Until there are tokens for the turn and all before it."""
        tokens = -self.allowance
        for other in self._queue:
            tokens += other.tokens
            if other is turn:
                break
        return tokens / self._fill

    def _wait_for(self, turn: _Place, deadline: float) -> bool:
        """Sleep until the turn comes, is cancelled, or comes too late."""
        pause = self._sleep or (partial(turn.wake.acquire, True) if turn.cancel is None else turn.cancel.wait)
        while True:
            with self._lock:
                now = self._refill()
                first = self._queue[0] is turn
                granted = first and self.allowance + _SLACK >= turn.tokens
                if granted:
                    self.allowance -= turn.tokens
                    self.consumed_count += turn.tokens
                if granted or now >= deadline or (turn.cancel and turn.cancel.is_set()):
                    self._leave(turn, now)
                    return granted
                seconds = max(self._seconds_to(turn), 1e-6 if first else 1e-3)  # one before it is a little late
                turn.due = now + seconds
            pause(min(seconds, max(deadline - now, 1e-6), threading.TIMEOUT_MAX))

    def _leave(self, turn: _Place, now: float) -> None:
        """Take a turn out of the queue; wake who is first now if it would sleep past its time, since somebody before
        it gave up. The lock is held."""
        if turn in self._queue:
            self._queue.remove(turn)
        head = self._queue[0] if self._queue else None
        if head is not None and head.due > now + self._seconds_to(head) + 1e-3 and head.wake.locked():
            head.wake.release()


_LONGEST_SLEEP = 1e8  # seconds; beyond it the clocks of some platforms overflow
_RETRY_DELAY = r"(?i)retry_?delay[\\\"'\s:={]+(?:seconds[\\\"'\s:=]+)?(\d{1,9}(?:\.\d{1,9})?)"


@cache
def _own_random() -> Callable[[], float]:
    from random import random  # slow to import

    return random


def _server_delay(error: BaseException, wall_clock: Callable[[], float]) -> float:
    """Seconds that the server asks to wait, from the error or one of its causes; 0 if it says nothing."""
    link: BaseException | None = error
    for _ in range(10):
        if link is None:
            break
        bare = _is_bare(link)
        if not bare:
            for told in (
                _retry_after(_attribute(link, "headers"), wall_clock),
                _retry_after(_attribute(_attribute(link, "response"), "headers"), wall_clock),
                _attribute(link, "retry_after"),
            ):
                if isinstance(told, (int, float)) and 0 <= told < _NEVER:
                    return float(told)
        text = _text_of(link) if bare else _details_of(link)
        match = _compiled(_RETRY_DELAY).search(text) if "etry" in text else None
        if match is not None:
            return float(match[1])
        link = link.__cause__
    return 0.0


def _retry_after(headers: Any, wall_clock: Callable[[], float]) -> float | None:
    """The Retry-After of a mapping of headers: seconds, or a date (RFC 9110, section 10.2.3); None without one."""
    if headers is None:
        return None
    try:
        value = str(headers.get("Retry-After") or headers.get("retry-after") or "").strip()
        if re.fullmatch(r"\d{1,9}(\.\d{1,9})?\s*s?", value):
            return float(value.rstrip("s"))
        if not value:
            return None
        from email.utils import parsedate_to_datetime  # slow to import, and rarely needed

        return max(parsedate_to_datetime(value).timestamp() - wall_clock(), 0.0)
    except Exception:  # noqa: BLE001 - no date, or foreign headers, which may raise anything: they say nothing
        return None


class RetryHelper:
    """Calls a function again after a failure, with waits that grow."""

    @staticmethod
    def retry_with_backoff(
        func: Callable[[], T], attempts: int = 3, base: float = 0.5, factor: float = 2.0, max_delay: float = 60.0,
        jitter: bool = True, error_classifier: Any = None, *, deadline: float | None = None,
        on_retry: Callable[[int, Exception, float], object] | None = None, cancel: threading.Event | None = None,
        max_server_delay: float = 300.0, sleep: Callable[[float], object] | None = None,
        random: Callable[[], float] | None = None, clock: Callable[[], float] = time.monotonic,
        wall_clock: Callable[[], float] = time.time,
    ) -> T:
        """`func()`'s result, after up to `attempts` attempts.

        Before attempt n+1 it waits `min(base * factor**(n-1), max_delay)` seconds, with jitter within 20 % of that and
        never above `max_delay`. A server's own word (Retry-After, Gemini's `retryDelay`) is honoured where it is
        longer, up to `max_server_delay` seconds.

        `error_classifier`: anything with `should_retry(error) -> bool`; without one every `Exception` is retried.
        `deadline`: seconds over all attempts and waits; no wait is begun that would reach it.
        `on_retry(attempt, error, delay)` is called before each wait; what it raises ends the retrying. `cancel` ends a
        wait at once. The last error is raised as it came; KeyboardInterrupt and SystemExit pass straight through.
        ValueError for `attempts < 1` and for times that are negative or not finite. Thread-safe; holds no state.
        """
        if not (
            attempts >= 1 and 0 <= base < _NEVER and 0 <= factor < _NEVER and 0 <= max_delay < _NEVER
            and 0 <= max_server_delay < _NEVER and (deadline is None or 0 <= deadline < _NEVER)
        ):
            raise ValueError(
                "attempts must be at least 1; base, factor, max_delay, max_server_delay and deadline finite and not "
                f"negative: {(attempts, base, factor, max_delay, max_server_delay, deadline)}"
            )
        end = _NEVER if deadline is None else clock() + deadline
        step, attempt = base, 1
        while True:
            try:
                return func()
            except Exception as error:
                if attempt >= attempts or not (error_classifier is None or error_classifier.should_retry(error)):
                    raise
                delay = min(step, max_delay)
                if jitter:
                    delay = min(delay * (0.8 + 0.4 * (random or _own_random())()), max_delay)
                delay = max(delay, min(_server_delay(error, wall_clock), max_server_delay))
                if (end < _NEVER and clock() + delay >= end) or (cancel and cancel.is_set()):
                    raise
                if on_retry is not None:
                    on_retry(attempt, error, delay)
                (sleep or (time.sleep if cancel is None else cancel.wait))(min(delay, _LONGEST_SLEEP))
                if cancel and cancel.is_set():
                    raise
            step *= factor  # floats run into infinity, where an exponent would overflow
            attempt += 1


class CheckpointError(RuntimeError):
    """Root of what a checkpoint can raise beside OSError (a full disk, no permission) and ValueError."""


class CheckpointLockedError(CheckpointError):
    """Another process writes this checkpoint; `pid` is its process id, or None if it could not be read."""

    def __init__(self, path: str, pid: int | None) -> None:
        super().__init__(f"{path} is being written by process {pid or '(unknown)'}; wait for it or stop it")
        self.pid = pid


class CheckpointSupersededError(CheckpointError):
    """A later manager in this process writes the file now."""


class CheckpointConflictError(CheckpointError):
    """The file has been changed by somebody else since it was loaded."""


class CheckpointVersionError(CheckpointError):
    """The file has a newer format than this program knows."""


class CheckpointDamagedError(CheckpointError):
    """A file is damaged in a way that no crash explains; `path` and `offset` (bytes) say where."""

    def __init__(self, path: str, offset: int, what: str) -> None:
        super().__init__(
            f"{path} is damaged at byte {offset}: {what}. Nothing has been changed. Put back a copy from a "
            "backup, or move this file away to go on with what the other files of the checkpoint hold."
        )
        self.path = path
        self.offset = offset


FORMAT_VERSION = "2.0.0"
STAGES = ("not_started", "in_progress", "completed", "failed")
_RESERVED = ("run_id", "version", "created_at", "last_updated", "papers", "stats")
_RECORD_KEYS = ("stage", "stages", "retries", "started_at", "completed_at", "last_error", "errors")
_NO_ERRORS: list[Record] = []
_ERRORS_KEPT = 10
_MESSAGE_LIMIT = 2_000  # characters of an error that are kept
_MOMENT = 1e-4  # seconds that a batch waits for those of the last one; about what a flush takes
_DEEPEST = 100  # levels of nesting that are written
_quoted = json.encoder.encode_basestring_ascii  # of a text alone, and quicker


def _encoder() -> Callable[[Any], str]:
    """JSON of a value, strict. Where `JSONEncoder.encode` makes its encoder in C anew at each call, this makes one."""
    plain, make = json.JSONEncoder(allow_nan=False), getattr(json.encoder, "c_make_encoder", None)
    if make is None:
        return plain.encode
    pieces = make(None, plain.default, _quoted, None, ": ", ", ", False, False, False)
    return lambda value: "".join(pieces(value, 0))


_encode = _encoder()


def _text(value: object) -> str:
    """`str(value)` as JSON gives it back: the two halves of a surrogate pair become one character."""
    text = str(value)
    return text if text.isascii() else text.encode("utf-16", "surrogatepass").decode("utf-16", "surrogatepass")


def _plain(value: Any, depth: int = 0) -> Any:
    """An own copy of JSON data, strict: NaN and infinities become null, tuples lists; else TypeError, ValueError."""
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, str):
        return _text(value)
    if isinstance(value, int):
        return int(str(value))  # ValueError here for numbers of more digits than Python reads back
    if isinstance(value, float):
        return float(value) if abs(value) < _NEVER else None
    if depth >= _DEEPEST:
        raise ValueError(f"data is nested deeper than {_DEEPEST} levels")
    if isinstance(value, dict):
        if not all(isinstance(key, str) for key in value):
            raise ValueError("keys must be text: 1 and '1' would become the same")
        return {_text(key): _plain(item, depth + 1) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(item, depth + 1) for item in value]
    raise TypeError(f"{type(value).__name__} is no JSON data")


class _State:
    """The run and its papers in memory. A paper is its record and its line of the JSON file, replaced together and
    never changed, so that an interrupt comes between no two things and copies may share them."""

    def __init__(self, now: str) -> None:
        self.run: Record = {"run_id": f"{now}_{os.urandom(3).hex()}", "version": FORMAT_VERSION, "created_at": now}
        self.last_updated = now
        self.papers: dict[str, tuple[Record, str]] = {}

    def incomplete(self) -> list[str]:
        return [paper for paper, (record, _) in self.papers.items() if record["stage"] not in ("completed", "failed")]

    def stats(self) -> dict[str, int]:
        """Derived from the papers each time, so that they cannot drift."""
        records = [record for record, _ in self.papers.values()]
        stages = Counter([record["stage"] for record in records])
        return {
            "total_papers": len(records), "completed_papers": stages["completed"], "failed_papers": stages["failed"],
            "retries": sum([record["retries"] for record in records]),
        }

    def snapshot(self) -> Snapshot:
        """All that a JSON file is made of. It holds no record, so that those replaced meanwhile are freed at once."""
        return self.run, self.last_updated, [line for _, line in self.papers.values()], self.stats()

    def take(self, records: dict[str, Record], text: str) -> None:
        """The papers of a file that was read, with its own lines; encoded anew for a file that others laid out."""
        start, end = text.find('\n  "papers": {\n    '), text.rfind('\n  },\n  "stats": ')
        lines = text[start + 19 : end].split(",\n    ") if 0 <= start < end else []
        starts = map("{}: {{".format, map(_quoted, records))
        if len(lines) != len(records) or not all(map(str.startswith, lines, starts)):
            lines = [f"{_quoted(paper_id)}: {_encode(_plain(record))}" for paper_id, record in records.items()]
        self.papers = dict(zip(records, zip(records.values(), lines, strict=True), strict=True))


def _json_pieces(run: Record, last_updated: str, lines: list[str], stats: dict[str, int]) -> Iterator[bytes]:
    """The JSON file of a snapshot, in pieces short enough to let other threads in between."""
    fields = [f"  {_encode(key)}: {_encode(value)}" for key, value in run.items()]
    head = [*fields[:3], f'  "last_updated": {_encode(last_updated)}', '  "papers": {']
    yield ("{\n" + ",\n".join(head)).encode()
    for at in range(0, len(lines), 2_000):
        yield ((",\n    " if at else "\n    ") + ",\n    ".join(lines[at : at + 2_000])).encode()
    tail = ["\n  }" if lines else "}", f'  "stats": {_encode(stats)}', *fields[3:]]
    yield (",\n".join(tail) + "\n}\n").encode()


def _advanced(old: Record, stage: str, names: tuple[str, ...], error: str | None, now: str) -> Record:
    """The record of a paper after an update, its keys in the order of the file format."""
    anew = stage == "not_started"
    had = old.get("stages", {})
    kept = {name: had[name] for name in names if name in had} if anew else had
    record: Record = {
        "stage": stage, "stages": {**kept, **{name: now for name in names if name not in had}},
        "retries": old.get("retries", 0),
    }
    started = None if anew else old.get("started_at") or (now if stage == "in_progress" else None)
    if started is not None:
        record["started_at"] = started
    if stage == "completed":
        record["completed_at"] = old.get("completed_at") or now
    errors = old.get("errors", [])
    if error is not None:
        record["last_error"] = error
        errors = [*errors, {"message": error, "at": now}][-_ERRORS_KEPT:]
    elif not anew and "last_error" in old:
        record["last_error"] = old["last_error"]
    if errors:
        record["errors"] = errors
    return record | {key: old[key] for key in old if key not in _RECORD_KEYS}  # somebody else's keys in the file


def _flush_folder(path: str) -> None:
    """Make the names in the folder of `path` durable, where the platform can."""
    if os.name == "nt":  # a folder cannot be opened there, and renames are journaled
        return
    descriptor = os.open(os.path.dirname(path), os.O_RDONLY)
    try:
        os.fsync(descriptor)
    except OSError as error:
        if error.errno not in (errno.EINVAL, errno.ENOTSUP):  # this file system has no such flush
            raise
    finally:
        os.close(descriptor)


def _open(path: str, flags: int) -> int:
    return os.open(path, flags | os.O_CREAT | getattr(os, "O_BINARY", 0), 0o666)


def _write_whole(descriptor: int, data: bytes) -> None:
    """Write all of `data`; a short write is followed by the rest or by the error that caused it."""
    view = memoryview(data)
    while view:
        written = os.write(descriptor, view)
        if written <= 0:
            raise OSError(errno.EIO, "nothing could be written")
        view = view[written:]


def _replace_file(path: str, pieces: Iterable[bytes]) -> None:
    """Write a whole file beside `path`, flush it, and rename it into place: readers see the old or the new."""
    beside = path + ".tmp"
    descriptor = _open(beside, os.O_WRONLY | os.O_TRUNC)
    try:
        try:
            for piece in pieces:
                _write_whole(descriptor, piece)
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
        os.replace(beside, path)
    except OSError:
        _remove(beside)
        raise
    _flush_folder(path)


def _remove(path: str) -> None:
    try:
        os.unlink(path)
    except FileNotFoundError:
        pass


def _read(path: str) -> bytes:
    """The contents of a file; empty if there is none."""
    try:
        with open(path, "rb") as file:
            return file.read()
    except FileNotFoundError:
        return b""


# A frame of the journal: magic, length of the payload, check of the length, check of the payload; the payload; an end
# mark. The payload is ASCII without zero bytes: a line with the time, then one line a paper (`"id": {...}`) or for the
# run (`{...}`). The first frame of a journal has the run as it was when the file was made.
_HEADER = struct.Struct("<4sIII")
_MAGIC, _END = b"\xf7CJ2", b"\xf6END"
_SECTOR = 512  # bytes that a disk writes whole or not at all
_FIRST_ROOM, _MORE_ROOM = 1 << 16, 1 << 20  # bytes


class _Journal:
    """An append-only file whose blocks are zero-filled ahead, so that a flush need not record a new size.

    Not thread-safe: the manager's `_io` guards it.
    """

    def __init__(self, path: str, first: bytes) -> None:
        """Create the file with one frame in it, all of it durable, its name too."""
        self.path = path
        self.trusted = True  # no flush has failed: after one, pages may be lost although the next succeeds
        self._end = self._reached = 0  # what is whole and flushed ends here; an append may have written up to here
        self._room = 0  # zero-filled up to here
        self._descriptor = _open(path, os.O_RDWR | os.O_TRUNC)
        try:
            self.append(first)
            _flush_folder(path)
        except BaseException:
            self.close()
            _remove(path)
            raise

    def append(self, payload: bytes) -> None:
        """Write and flush one frame. What an append before it left half done is cut off first."""
        length = len(payload)
        header = _HEADER.pack(_MAGIC, length, zlib.crc32(b"%d" % length), zlib.crc32(payload))
        frame = b"".join((header, payload, _END))
        if self._reached > self._end:
            os.ftruncate(self._descriptor, self._end)
            self._room = self._reached = self._end
        if self._end + len(frame) > self._room:
            self._make_room(len(frame))
        self._reached = self._end + len(frame)
        _write_whole(self._descriptor, frame)
        self._flush(getattr(os, "fdatasync", None) or os.fsync)  # looked up at each call
        self._end = self._reached

    def _make_room(self, needed: int) -> None:
        """Fill with zeros ahead and flush; on a nearly full disk as far as it goes, if that is enough."""
        target = self._end + needed + (_MORE_ROOM if self._room else _FIRST_ROOM)
        os.lseek(self._descriptor, self._room, os.SEEK_SET)
        try:
            while self._room < target:
                self._room += os.write(self._descriptor, bytes(min(target - self._room, _MORE_ROOM)))
        except OSError:
            if self._room < self._end + needed:
                raise
        self._flush(os.fsync)
        os.lseek(self._descriptor, self._end, os.SEEK_SET)

    def _flush(self, flush: Callable[[int], object]) -> None:
        try:
            flush(self._descriptor)
        except BaseException:
            self.trusted = False
            raise

    def close(self) -> None:
        """Give the descriptor back; the file stays."""
        descriptor, self._descriptor = self._descriptor, -1
        if descriptor >= 0:
            os.close(descriptor)


def _read_frames(path: str, data: bytes) -> tuple[list[bytes], bool]:
    """The payloads of a journal, and whether an unfinished last frame was dropped; CheckpointDamagedError."""
    payloads: list[bytes] = []
    at, used = 0, len(data.rstrip(b"\0"))
    while at < used:
        start, stop = at + _HEADER.size, 0
        magic, length, length_check, check = _HEADER.unpack(data[at:start].ljust(_HEADER.size, b"\0"))
        if magic == _MAGIC and zlib.crc32(b"%d" % length) == length_check:
            stop = start + length + len(_END)
            payload = data[start : start + length]
            if zlib.crc32(payload) == check and data[start + length : stop] == _END:
                payloads.append(payload)
                at = stop
                continue
        if _is_torn(data, at, stop, used):
            return payloads, True
        what = "a record or its end mark" if stop else "the length of a record"
        raise CheckpointDamagedError(path, at, what + " does not agree with its checksum")
    return payloads, False


def _is_torn(data: bytes, at: int, stop: int, used: int) -> bool:
    """Is the unsound frame at `at` what a crash leaves of an append: the last one, cut, or with sectors that are all
    zero? Whole bytes that were changed are damage instead. `stop`: where it ends, 0 if its header does not say."""
    extent = stop or at + _HEADER.size
    if used < extent:
        return True
    if 0 < stop < used:  # something was appended later: this frame had been acknowledged
        return False
    starts = [at, *range((at // _SECTOR + 1) * _SECTOR, extent, _SECTOR)]
    ends = [min((start // _SECTOR + 1) * _SECTOR, stop or len(data)) for start in starts]
    missing = any(not any(data[start:end]) for start, end in zip(starts, ends, strict=True))
    return missing and (stop > 0 or data.find(_MAGIC, at + 1) < 0)


def _identity(path: str) -> object:
    """What tells one JSON file from the next; None for a missing or empty one."""
    try:
        found = os.stat(path)
    except FileNotFoundError:
        return None
    return (found.st_ino, found.st_size, found.st_mtime_ns) if found.st_size else None


def _journals_of(path: str) -> list[str]:
    """The journals of a checkpoint, oldest first."""
    folder, name = os.path.split(path)
    prefix = name + ".journal-"
    try:
        names = os.listdir(folder)
    except FileNotFoundError:
        return []
    numbers = [int(n[len(prefix) :]) for n in names if n.startswith(prefix) and n[len(prefix) :].isdecimal()]
    return [f"{path}.journal-{number}" for number in sorted(numbers)]


def _read_files(path: str) -> tuple[bytes, dict[str, bytes], object]:
    """The JSON file, the journals by name, and what tells this state on disk from another; all of one moment."""
    for _ in range(1_000):
        names = _identity(path), _journals_of(path)
        newest_first = {name: _read(name) for name in reversed(names[1])}  # so that all before what is seen is seen
        journals, text = {name: newest_first[name] for name in names[1]}, _read(path)
        if names == (_identity(path), _journals_of(path)):  # else a fold came between
            return text, journals, (names, [zlib.crc32(data.rstrip(b"\0")) for data in journals.values()])
    raise CheckpointConflictError(f"{path} changes faster than it can be read; try again")


class _Disk:
    """What lies on disk for one checkpoint, read beside a writer if there is one. CheckpointError, OSError.

    `state`: what file and journals make together, None where there is no run; `legacy`: a file of format 1.x;
    `signature`: what tells this state on disk from another.
    """

    state: _State | None
    legacy: Record | None

    def __init__(self, path: str, now: str) -> None:
        self.path = path
        seen: object = None
        while True:
            text, self.journals, self.signature = _read_files(path)
            collecting = gc.isenabled()
            gc.disable()  # it would walk over all papers again and again while they are made
            try:
                self._combine(text, now)
                return
            except CheckpointDamagedError:
                if self.signature == seen:  # twice the same: no append was under way
                    raise
                seen = self.signature
                time.sleep(0.005)
            finally:
                if collecting:
                    gc.enable()

    def _combine(self, text: bytes, now: str) -> None:
        self.state = self.legacy = None
        if text.strip():
            self._take_json(text, now)
        torn_in: str | None = None
        for name, data in self.journals.items():
            payloads, torn = _read_frames(name, data)
            if torn_in is not None and len(payloads) > 1:  # only the last append of all can be unfinished
                raise CheckpointDamagedError(torn_in, 0, "its last record is unfinished, yet a later file goes on")
            torn_in = name if torn else torn_in
            if payloads and (self.state is not None or len(payloads) > 1):
                self._replay(name, payloads, now)

    def _take_json(self, data: bytes, now: str) -> None:
        odd: list[str] = []  # NaN and the like become null
        try:
            text = data.decode("utf-8-sig")
            document = json.loads(text, parse_constant=odd.append)
        except (ValueError, RecursionError) as error:
            at = getattr(error, "pos", getattr(error, "start", 0))
            raise CheckpointDamagedError(self.path, at, f"it is no JSON document ({error})") from error
        if not isinstance(document, dict) or not ("papers" in document or "stages" in document):
            raise CheckpointDamagedError(self.path, 0, "it is no checkpoint: neither papers nor stages are in it")
        if "papers" not in document:
            self.legacy = document
            return
        self._check(document)
        self.state = state = _State(now)
        run = {key: value for key, value in document.items() if key not in _RESERVED}
        state.run = {key: document.get(key, state.run[key]) for key in state.run} | run
        state.last_updated = document.get("last_updated", now)
        try:
            state.take(document["papers"], "" if odd else text)
        except ValueError as error:
            raise CheckpointDamagedError(self.path, 0, str(error)) from error

    def _check(self, document: Record) -> None:
        """The version must be known, and every paper's entry be one; what a hand-made entry lacks is filled in."""
        version = str(document.get("version", FORMAT_VERSION))
        match = re.match(r"(\d{1,9})\.(\d{1,9})", version)
        if match is None:
            raise CheckpointDamagedError(self.path, 0, f"its version {version!r} is none")
        if (int(match[1]), int(match[2])) > (2, 0):
            raise CheckpointVersionError(
                f"{self.path} has format {version}, and this program knows {FORMAT_VERSION}: use the newer program"
            )
        if not isinstance(document["papers"], dict):
            raise CheckpointDamagedError(self.path, 0, "its papers are no object")
        for paper_id, record in document["papers"].items():
            if not (
                type(record) is dict and record.get("stage") in STAGES and type(record.setdefault("stages", {})) is dict
                and type(record.setdefault("retries", 0)) is int and type(record.get("errors", _NO_ERRORS)) is list
            ):
                raise CheckpointDamagedError(self.path, 0, f"the entry of paper {paper_id[:200]!r} is none")

    def _replay(self, name: str, payloads: list[bytes], now: str) -> None:
        """Put a journal's records over the state. The run of a JSON file is newer than that of the first frame."""
        run = json.loads(payloads[0].partition(b"\n")[2])
        if self.state is None:
            self.state = _State(now)
            self.state.run = run
        elif self.state.run["run_id"] != run["run_id"]:
            raise CheckpointDamagedError(name, 0, f"it is of run {run['run_id']}, not of that in {self.path}")
        for payload in payloads[1:]:
            self.state.last_updated, *lines = payload.decode().split("\n")
            for line in lines:
                if line.startswith("{"):
                    self.state.run = json.loads(line)
                else:
                    ((paper_id, record),) = json.loads("{" + line + "}").items()
                    self.state.papers[paper_id] = record, line


def _set_aside(path: str, now: str) -> None:
    """Keep what a new run would replace: as one JSON file if it can be read, else the files as they are."""
    try:
        disk = _Disk(path, now)
    except CheckpointError:
        aside = _free_name(path, "previous", _is_finished)
        for name in (*_journals_of(path), path):
            if os.path.exists(name):
                os.rename(name, aside + name[len(path) :])
    else:
        if disk.legacy is not None:
            _keep_legacy(path)
        elif disk.state is not None:
            _replace_file(_free_name(path, "previous", _is_finished), _json_pieces(*disk.state.snapshot()))
        for name in (path, *disk.journals):
            _remove(name)
    _flush_folder(path)


def _free_name(path: str, kind: str, is_free: Callable[[str], bool]) -> str:
    """`<name>.<kind>.json`, with a number where a file has that name that may not be replaced."""
    stem, number = path.removesuffix(".json"), 1
    name = f"{stem}.{kind}.json"
    while os.path.exists(name) and not is_free(name):
        number += 1
        name = f"{stem}.{kind}.{number}.json"
    return name


def _is_finished(path: str) -> bool:
    """A run whose papers are all completed or failed?"""
    try:
        state = _Disk(path, "").state
    except CheckpointError:
        return False
    return state is not None and not state.incomplete()


def _keep_legacy(path: str) -> str:
    """Keep a file of format 1.x beside, once; its new name."""
    content = _read(path)
    kept = _free_name(path, "v1", lambda name: _read(name) == content)
    if not os.path.exists(kept):
        _replace_file(kept, [content])
    return kept


def _warn(message: str, *arguments: object) -> None:
    import logging  # slow to import, and rarely needed

    logging.getLogger(__name__).warning(message, *arguments)


try:
    fcntl: Any = __import__("fcntl")
except ImportError:  # not on every platform; a file with the holder's process id is then the lock
    fcntl = None


class _WriterLock:
    """One writer per checkpoint, across processes: `<file>.lock` with the holder's process id in it.

    With `fcntl` the system releases it when the holder dies. Without, a lock of a dead process is taken over. A forked
    child closes its copy of the descriptor, so it holds nothing.
    """

    def __init__(self, path: str) -> None:
        """CheckpointLockedError if somebody else holds it."""
        self.path, self._descriptor = path + ".lock", -1
        try:
            while not self._is_named():  # also where the former holder has removed the file meanwhile
                self.forget()
                self._open()
            os.ftruncate(self._descriptor, 0)
            os.write(self._descriptor, b"%d" % os.getpid())
        except BaseException as error:
            self.forget()
            if isinstance(error, (BlockingIOError, FileExistsError)):
                raise CheckpointLockedError(path, self._holder()) from None
            raise

    def _open(self) -> None:
        """Open and lock the file; BlockingIOError or FileExistsError where another holds it."""
        if fcntl is not None:
            self._descriptor = _open(self.path, os.O_RDWR)
            fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        else:
            if os.path.exists(self.path) and not _is_alive(self._holder(), self.path):
                _remove(self.path)
            self._descriptor = _open(self.path, os.O_RDWR | os.O_EXCL)

    def _is_named(self) -> bool:
        try:
            return self._descriptor >= 0 and os.path.samestat(os.fstat(self._descriptor), os.stat(self.path))
        except FileNotFoundError:
            return False

    def _holder(self) -> int | None:
        for _ in range(20):  # it writes its id right after it has the lock
            text = _read(self.path)
            if text.isdigit():
                return int(text)
            time.sleep(0.005)
        return None

    def release(self) -> None:
        """Remove the file, then let go: whoever locked it meanwhile sees that it has no name any more."""
        try:
            if os.name == "nt":  # an open file cannot be removed there
                self.forget()
                _remove(self.path)
            elif self._descriptor >= 0:
                _remove(self.path)
        finally:
            self.forget()

    def forget(self) -> None:
        """Close the descriptor without releasing what a parent process holds through it."""
        descriptor, self._descriptor = self._descriptor, -1
        if descriptor >= 0:
            os.close(descriptor)


def _is_alive(pid: int | None, lock_path: str) -> bool:
    """Another process, and alive? Asked only where there is no fcntl."""
    if pid is None or pid == os.getpid():
        return False
    try:
        if os.name == "nt":  # a signal would end the process; but the file of a living holder cannot be removed
            _remove(lock_path)
            return False
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except OSError:
        pass
    return True


class _Files:
    """The files of one checkpoint while this process writes them: the lock, the journals, the JSON file.

    The manager guards it: `_io` the journal in use, `_folding` the JSON file and the retired journals, `_WRITERS_LOCK`
    opening and closing.
    """

    def __init__(self, path: str) -> None:
        self.path = path
        self.journal: _Journal | None = None  # set while this process writes
        self.retired: list[_Journal] = []  # journals before it, until a JSON file holds what is in them
        self.based_on: object = None  # the signature of what is on disk, when the state was the same
        self._lock: _WriterLock | None = None

    def is_sound(self) -> bool:
        """Is there a journal, and has no flush failed since the last whole file?"""
        if self.journal is None or not self.journal.trusted:
            return False
        return not self.retired or all(journal.trusted for journal in self.retired)

    def open(self, state: _State, loaded: bool, now: str) -> None:
        """Get the lock, make the disk agree with the state, and begin a journal. Nothing is held if this raises.

        What a crash left in journals is folded, never appended to. A state that was not loaded begins a new run, and
        the old one is set aside.
        """
        os.makedirs(os.path.dirname(self.path), exist_ok=True)
        self._lock = _WriterLock(self.path)
        try:
            if loaded:
                self._check_unchanged(state, now)
            else:
                _set_aside(self.path, now)
            if _journals_of(self.path):
                self.write(state.snapshot())
            self.journal = self.next_journal(state)
        except BaseException:
            lock = self.forget()
            if lock is not None:
                lock.release()
            raise

    def _check_unchanged(self, state: _State, now: str) -> None:
        if _read_files(self.path)[2] != self.based_on:
            disk = _Disk(self.path, now)
            if disk.state is None or (disk.state.run, disk.state.papers) != (state.run, state.papers):
                raise CheckpointConflictError(f"{self.path} has changed since it was loaded; load it again")

    def next_journal(self, state: _State) -> _Journal:
        names = _journals_of(self.path)
        number = int(names[-1].rpartition("-")[2]) + 1 if names else 1
        return _Journal(f"{self.path}.journal-{number}", f"{state.last_updated}\n{_encode(state.run)}".encode())

    def write(self, snapshot: Snapshot | None) -> None:
        """Make the JSON file what the snapshot says (None: it is), then drop all journals but the one in use."""
        if snapshot is not None:
            _replace_file(self.path, _json_pieces(*snapshot))
        retired, self.retired = self.retired, []
        for journal in retired:
            journal.close()
        for name in _journals_of(self.path):
            if self.journal is None or name != self.journal.path:
                _remove(name)
        _flush_folder(self.path)

    def close(self) -> None:
        """Close what is open, note what is on disk, and release the lock; after an interrupt it can be called again."""
        self._close_journals()
        if self._lock is not None:
            try:
                self.based_on = _read_files(self.path)[2]
            except OSError:
                self.based_on = None
            self._lock.release()
            self._lock = None

    def forget(self) -> _WriterLock | None:
        """Close the journals, and leave the files as they are; the lock, which is the caller's now."""
        self._close_journals()
        lock, self._lock = self._lock, None
        return lock

    def _close_journals(self) -> None:
        journals, self.journal, self.retired = [*self.retired, self.journal], None, []
        for journal in journals:
            if journal is not None:
                journal.close()


class _Turn:
    """A thread that waits until its update is on disk, or until it is to lead."""

    __slots__ = ("failure", "leads", "next", "ticket", "wake")

    def __init__(self, ticket: int, leads: bool) -> None:
        self.ticket, self.leads, self.wake = ticket, leads, allocate_lock()
        self.failure: BaseException | None = None
        self.next: _Turn | None = None  # whom to wake after this one
        self.wake.acquire()


class _GroupCommit:
    """Threads that share a flush: one leads and writes for all, the others sleep, each on a lock of its own.

    Who was in the last batch is about to come again, so the leader waits a moment until as many are there: without
    that, half of them would always just miss the flush of the other half. Each wakes the next: woken all at once, they
    would only sleep again, for Python runs one at a time.
    """

    def __init__(self, make_durable: Callable[[int], object], durable: Callable[[], int]) -> None:
        """`make_durable(ticket)` has all updates up to one on disk; `durable()` tells up to which they are."""
        self._make_durable, self._durable = make_durable, durable
        self._lock = allocate_lock()  # guards what follows
        self._led = False
        self._waiting: list[_Turn] = []
        self._company = 0  # so many waited for the last batch, or came too late for it
        self._gathering = allocate_lock()  # released when as many are there

    def wait_for(self, ticket: int) -> None:
        """Return when the update is on disk; raise what went wrong with its batch."""
        with self._lock:
            if self._durable() >= ticket:
                return
            turn = _Turn(ticket, leads=not self._led)
            self._led = True
            if not turn.leads:
                self._waiting.append(turn)
                if len(self._waiting) == self._company and self._gathering.locked():
                    self._gathering.release()
        failure: BaseException | None = None
        try:
            if not turn.leads:
                turn.wake.acquire()
            if turn.failure is not None:
                raise turn.failure
            if turn.leads:
                self._gather()
                self._make_durable(ticket)
        except BaseException as error:
            failure = error
            raise
        finally:
            if turn.leads or failure is not None:
                self._hand_on(turn, failure)
            if turn.next is not None:
                turn.next.wake.release()

    def _gather(self) -> None:
        if len(self._waiting) < self._company:
            self._gathering.acquire(False)
            if len(self._waiting) < self._company:
                self._gathering.acquire(True, _MOMENT)

    def _hand_on(self, turn: _Turn, failure: BaseException | None) -> None:
        """Let those be woken whose updates are on disk, or failed with the leader's; the first of the others leads."""
        with self._lock:
            if not turn.leads:  # an interrupt of this thread alone
                self._waiting = [other for other in self._waiting if other is not turn]
                return
            failed = isinstance(failure, Exception)  # an interrupt is the leader's own
            done = _NEVER if failed else self._durable()
            woken = [other for other in self._waiting if other.ticket <= done]
            late = [other for other in self._waiting if other.ticket > done]
            self._company, self._led, self._waiting = len(self._waiting), bool(late), late[1:]
            for before, other in zip((turn, *woken), woken):  # noqa: B905 - the last wakes nobody
                before.next, other.failure = other, failure if failed else None
            for other in late[:1]:
                other.leads = True
                other.wake.release()


_WRITERS: dict[str, CheckpointManagerV2] = {}  # who writes which file in this process
_WRITERS_LOCK = threading.RLock()  # guards it, and who becomes or ceases to be a writer


class CheckpointManagerV2:
    """Which paper has come how far, durably; the file format is in the user's guide. Thread-safe, all of it.

    When an update returns, it survives kill -9 and loss of power: it is in an append-only journal beside the file,
    flushed. A thread of its own folds the journal into the JSON file, so that who reads only that is about a second
    behind, or as long as keeps folding under 5 % of the time. Updates of several threads share one flush.

    The first write takes a lock for this process; `close()`, exit and death release it. A manager that has not loaded
    an existing run begins a new one, and its first write sets the old state aside as `<name>.previous.json`.
    `dry_run=True` keeps all in memory and touches no file.

    Raises OSError for a full disk and the like: the update may show in memory and is on disk with the next one that
    succeeds; CheckpointError for another writer or a damaged file.

    `fold_after` (seconds) is how far the JSON file may lag; `clock` (monotonic seconds) and `wall_clock` (seconds since
    the epoch) can be replaced for tests.
    """

    def __init__(
        self, checkpoint_file: str | os.PathLike[str], dry_run: bool = False, *, fold_after: float = 0.9,
        clock: Callable[[], float] = time.monotonic, wall_clock: Callable[[], float] = time.time,
    ) -> None:
        """Touches nothing: neither file nor folder need exist."""
        self.checkpoint_file, self.dry_run = checkpoint_file, dry_run
        self._path = os.path.realpath(os.fspath(checkpoint_file))
        self._fold_after, self._clock, self._wall_clock = fold_after, clock, wall_clock
        self._second, self._stamp = -1, ""  # the time as it was last formatted
        self._state = _State(self._now())
        self._files = _Files(self._path)
        self._loaded = self._superseded = False  # the state goes on with what is on disk; another manager writes it
        self._ticket = self._durable = self._folded = 0  # updates made; on disk; in the JSON file
        self._dirty: dict[str | None, str] = {}  # lines not yet known to be on disk, by paper; None: the run's
        self._fold_due, self._fold_failed = float("-inf"), False
        self._make_locks()

    def _make_locks(self) -> None:
        self._folding = threading.RLock()  # one fold at a time
        self._io = allocate_lock()  # the journal, and which file it is
        self._mutex = allocate_lock()  # the state, the dirty lines, the counters
        self._group = _GroupCommit(self._make_durable, lambda: self._durable)
        self._fold_thread: threading.Thread | None = None
        self._closing = threading.Event()

    @property
    def data(self) -> Record:
        """The whole checkpoint as in its file: a plain dict of the caller's own, made at each reading."""
        with self._mutex:
            snapshot = self._state.snapshot()
        return dict(json.loads(b"".join(_json_pieces(*snapshot))))

    def get_paper_status(self, paper_id: str) -> Record | None:
        """A copy of the paper's record, or None for an unknown paper."""
        paper = self._state.papers.get(_text(paper_id))
        return None if paper is None else dict(json.loads(_encode(paper[0])))

    def get_incomplete_papers(self) -> list[str]:
        """The papers that are neither completed nor failed, in the order first seen."""
        with self._mutex:
            return self._state.incomplete()

    def stage_of(self, paper_id: str) -> str | None:
        """The paper's stage, or None for an unknown paper; cheaper than its record."""
        paper = self._state.papers.get(_text(paper_id))
        return None if paper is None else str(paper[0]["stage"])

    @property
    def retries(self) -> int:
        """Retries counted over all papers, as in `stats`."""
        with self._mutex:
            return self._state.stats()["retries"]

    def load(self) -> bool:
        """Take the run that is in the file and its journal; False if there is none.

        Takes no lock, and reads beside a writer. What a crash left unfinished at the journal's end is dropped;
        CheckpointDamagedError for any other damage, CheckpointVersionError for a newer format. A file of format 1.x is
        kept as `<name>.v1.json`, its stages told in a warning; False then.
        """
        with _WRITERS_LOCK:
            if self._files.journal is not None:  # the state in memory is the newer one
                return True
            disk = _Disk(self._path, self._now())
            if disk.legacy is not None:
                self._tell_legacy(disk.legacy)
            self._loaded, self._superseded = disk.state is not None, False
            self._files.based_on = disk.signature
            if disk.state is not None:
                with self._mutex:
                    self._state, self._dirty = disk.state, {}
                    self._durable = self._folded = self._ticket
            return self._loaded

    def _tell_legacy(self, document: Record) -> None:
        kept = "left as it is" if self.dry_run else f"kept as {os.path.basename(_keep_legacy(self._path))}"
        stages = document["stages"].items() if isinstance(document["stages"], dict) else ()
        told = [f"{name} {stage.get('status', '?') if isinstance(stage, dict) else stage}" for name, stage in stages]
        _warn(
            "%s has format 1.x, which knows no papers: it is %s, and a new run begins. Its stages: %s",
            self._path, kept, ", ".join(told) or "none",
        )

    def update_paper_status(
        self, paper_id: str, stage: str, stages_completed: Iterable[str] | None = None, error: object = None
    ) -> None:
        """Record where a paper stands; durable on return.

        `stage`: not_started, in_progress, completed or failed, else ValueError. `stages_completed` are added to the
        paper's `stages` with the time (one that is there keeps its time). "not_started" begins the paper anew: its
        stages are cut to those named, its times and last error cleared. `error` goes to `last_error` and to `errors`,
        of which the last 10 are kept.
        """
        self.note_paper_status(paper_id, stage, stages_completed, error)
        self.flush()

    def note_paper_status(
        self, paper_id: str, stage: str, stages_completed: Iterable[str] | None = None, error: object = None
    ) -> None:
        """As `update_paper_status`, but durable only with the next `flush`, update or fold."""
        if stage not in STAGES:
            raise ValueError(f"stage must be one of {', '.join(STAGES)}, not {stage!r}")
        if isinstance(stages_completed, str):
            raise TypeError("stages_completed is a list of names, not one text")
        names = tuple(map(_text, stages_completed)) if stages_completed else ()
        message = None if error is None else _text(error)
        if message is not None and len(message) > _MESSAGE_LIMIT:
            message = message[:_MESSAGE_LIMIT] + "…"
        self._change(_text(paper_id), lambda old: _advanced(old, stage, names, message, self._now()))

    def increment_retries(self, paper_id: str) -> int:
        """Count one more retry of a paper, durably; the new count. An unknown paper becomes known."""
        new: Record = {"stage": "not_started", "stages": {}, "retries": 0}
        record = self._change(_text(paper_id), lambda old: {**new, **old, "retries": old.get("retries", 0) + 1})
        self.flush()
        return int(record["retries"])

    def update_run(self, **fields: Any) -> None:
        """Set further top-level keys of the file to JSON data, durably; NaN and infinities become null.

        ValueError for a key of the format's own (papers, stats, version ...), for data nested too deep or with keys
        that are no text; TypeError for what is no JSON data.
        """
        reserved = fields.keys() & set(_RESERVED)
        if reserved:
            raise ValueError(f"{', '.join(sorted(reserved))}: the checkpoint's own, set by itself")
        fields = _plain(fields)
        self._begin()
        with self._mutex:
            self._state.run = self._state.run | fields
            self._dirty[None] = _encode(self._state.run)
            self._count()
        self.flush()

    def flush(self) -> None:
        """Return when every update made so far is on disk."""
        if self.dry_run:
            return
        if get_ident() == threading.main_thread().ident:  # an interrupt can strike here: nobody depends on it
            self._make_durable(self._ticket)
        else:
            self._group.wait_for(self._ticket)

    def save(self) -> None:
        """Bring the JSON file up to date now."""
        self._begin()
        if not self.dry_run:
            self._fold()

    def close(self) -> None:
        """Bring the JSON file up to date, remove the journal, release the lock.

        On OSError the journal stays, and with it all that was acknowledged; the lock is released. A later update opens
        the checkpoint again.
        """
        with _WRITERS_LOCK:
            if _WRITERS.get(self._path) is not self:
                return
            self._closing.set()
            thread = self._fold_thread
            if thread is not None and thread is not threading.current_thread():
                thread.join()
            try:
                self._fold(final=True)
            finally:  # last of all it is no writer any more: an interrupted close can be taken up again
                try:
                    with self._folding, self._io:  # if the fold was cut short, others are still appending
                        self._files.close()
                except OSError:
                    _WRITERS.pop(self._path, None)
                    raise
                atexit.unregister(self.close)
                _WRITERS.pop(self._path, None)

    def __enter__(self) -> CheckpointManagerV2:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _now(self) -> str:
        """The time as local ISO seconds."""
        second = int(self._wall_clock())
        if second != self._second:
            self._stamp, self._second = time.strftime("%Y-%m-%dT%H:%M:%S", time.localtime(second)), second
        return self._stamp

    def _change(self, paper_id: str, change: Callable[[Record], Record]) -> Record:
        """Replace a paper's record by what `change` makes of it (of an empty one for an unknown paper)."""
        self._begin()
        with self._mutex:
            record = change(self._state.papers[paper_id][0] if paper_id in self._state.papers else {})
            line = f"{_quoted(paper_id)}: {_encode(record)}"
            self._dirty[paper_id] = line
            self._state.papers[paper_id] = record, line
            self._count()
        return record

    def _count(self) -> None:
        """One more update, and somebody who folds it; `_mutex` is held."""
        self._ticket += 1
        self._state.last_updated = self._now()
        if self._fold_thread is None and not self.dry_run:
            thread = threading.Thread(target=self._keep_folding, name="checkpoint-fold", daemon=True)
            try:
                thread.start()
                self._fold_thread = thread
            except RuntimeError:  # the interpreter is shutting down: close() folds
                pass

    def _make_durable(self, ticket: int) -> None:
        """Have all updates up to `ticket` on disk, and with them whatever is dirty by then."""
        while True:
            with self._io:
                if self._durable >= ticket:
                    return
                journal = self._files.journal
                if journal is not None and self._files.is_sound():
                    self._append(journal)
                    return
            if journal is None:
                self._begin()
            else:
                self._fold(ticket)  # a flush failed: only a whole new file is to be trusted

    def _append(self, journal: _Journal) -> None:
        """Write all dirty lines as one batch; `_io` is held. They stay dirty until it is flushed."""
        with self._mutex:
            ticket, batch, stamp = self._ticket, dict(self._dirty), self._state.last_updated
        journal.append("\n".join((stamp, *batch.values())).encode())
        self._settle(ticket, batch)

    def _settle(self, ticket: int, batch: dict[str | None, str]) -> None:
        """What was written and flushed is dirty no more, unless it changed meanwhile."""
        with self._mutex:
            left: dict[str | None, str] = {}  # a new one: a dict that was large is slow to walk for ever
            for key, line in self._dirty.items():
                if batch.get(key) is not line:
                    left[key] = line
            self._dirty = left
            self._durable = max(self._durable, ticket)

    def _keep_folding(self) -> None:
        """The fold thread: fold when it is time; end when nothing is left to fold."""
        while not self._closing.wait(min(max(self._fold_due - self._clock(), 0.0), _LONGEST_SLEEP)):
            try:
                self._fold(self._folded + 1)
                self._fold_failed = False
            except (OSError, CheckpointError) as error:
                self._fold_due = self._clock() + self._fold_after
                if not self._fold_failed:
                    self._fold_failed = True
                    _warn("%s could not be brought up to date (%s); its journal holds everything", self._path, error)
            with self._mutex:
                if self._folded >= self._ticket or self._files.journal is None:
                    self._fold_thread = None  # here, so that the next update begins a new one
                    return
        self._fold_thread = None

    def _fold(self, ticket: int | None = None, final: bool = False) -> None:
        """Write the whole state as a new JSON file and drop the journals that it replaces.

        With `ticket` only if that update is not yet in it. `final`: no journal is begun after it.
        """
        files = self._files
        with self._folding:
            sound = files.is_sound()
            if files.journal is None or (ticket is not None and self._folded >= ticket and sound):
                return
            begun = self._clock()
            spare = files.next_journal(self._state) if not final and (not files.retired or not sound) else None
            with self._io, self._mutex:
                current = final and self._folded == self._ticket and sound and not files.retired
                covered, batch = self._ticket, dict(self._dirty)
                snapshot = None if current else self._state.snapshot()
                if spare is not None or final:
                    files.retired.append(files.journal)
                    files.journal = spare
            files.write(snapshot)
            self._folded = covered
            self._settle(covered, batch)
            took = self._clock() - begun
            self._fold_due = begun + took + max(self._fold_after - took, 19 * took)

    def _begin(self) -> None:
        """Become the writer of the file, if this manager is not yet; what may refuse it comes before any change."""
        if self._files.journal is not None or self.dry_run:
            return
        with _WRITERS_LOCK:
            former = _WRITERS.get(self._path)
            if self._superseded:
                raise CheckpointSupersededError(f"a later manager in this process writes {self._path} now")
            if former is self and former._files.journal is not None:  # another thread has been quicker
                return
            if former is not None:  # this manager itself, if its close was interrupted
                former.close()
            self._files.open(self._state, self._loaded, self._now())
            if former is not None and former is not self:
                former._superseded = True
            if not self._loaded:
                self._folded = -1  # no JSON file yet
            self._loaded = True
            self._closing.clear()
            _WRITERS[self._path] = self
            atexit.register(self.close)

    def _forget_parent(self) -> None:
        """In a forked child: hold nothing of the parent's; a write must first get the lock."""
        lock = self._files.forget()
        if lock is not None:
            lock.forget()
        self._files.based_on = None
        self._make_locks()


def _forget_parent() -> None:
    global _WRITERS_LOCK
    _WRITERS_LOCK = threading.RLock()
    for manager in list(_WRITERS.values()):
        manager._forget_parent()
    _WRITERS.clear()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget_parent)


def _attempt(process_func: Callable[[Any], Any], paper: Any, classifier: Any) -> tuple[Record, bool]:
    """One paper's result, and whether its failure is one that every other paper would meet."""
    try:
        result = process_func(paper)
        if not isinstance(result, dict):
            raise TypeError(f"{type(result).__name__} returned for a paper, not a dict")
        if "paper" not in result or "status" not in result:
            result = {"paper": paper, "status": "success", **result}
        fault = None if result["status"] == "success" else result.get("error")
    except KeyboardInterrupt:
        raise
    except BaseException as error:  # noqa: BLE001 - a paper's own fault, SystemExit among them, touches no other
        result, fault = _failure(paper, error, classifier), error
    is_shared = getattr(classifier, "is_shared_fault", ErrorClassifier.is_shared_fault)
    return result, fault is not None and bool(is_shared(fault))


def _failure(paper: Any, error: BaseException, classifier: Any) -> Record:
    kind = classifier.classify_error(error)
    text = _text_of(error) or type(error).__name__
    return {"paper": paper, "status": "error", "error": text, "error_type": getattr(kind, "value", str(kind))}


def _id_of(paper: Any) -> str | None:
    """The text under which the checkpoint knows a paper; None where `str` raises."""
    try:
        return str(paper)
    except Exception:  # noqa: BLE001 - a foreign __str__ may raise anything
        return None


def _names_of(stages: object) -> list[str]:
    """The names in a result's `stages_completed`, one text or a collection; one that cannot be shown is none."""
    if isinstance(stages, (set, frozenset)):
        stages = sorted(map(_text_of, stages))
    names = [stages] if isinstance(stages, str) else stages if isinstance(stages, (list, tuple)) else ()
    return [text for name in names if (text := _text_of(name))]


def _has_guard(source: bytes, script: str) -> bool:
    """Does the script's own code, not a comment or a text of it, name `__main__`?"""
    return "__main__" in compile(source, script, "exec", dont_inherit=True).co_consts


def _payload_of(process_func: Any, classifier: Any) -> bytes:
    """What a worker process is given at its start; TypeError, RuntimeError for what cannot run in processes."""
    import pickle

    main = sys.modules.get("__main__")
    script = getattr(main, "__file__", None) or ""
    in_package = str(getattr(getattr(main, "__spec__", None), "name", "")).endswith("__main__")  # no child runs it
    if os.path.isfile(script) and not in_package and not _has_guard(_read(script), script):
        raise RuntimeError(
            f'{script} starts worker processes without `if __name__ == "__main__":`, so each of them would run the '
            "script again; put the call under that guard, or use threads"
        )
    try:
        return pickle.dumps((process_func, classifier))
    except Exception as error:
        raise TypeError(
            f"{process_func!r} cannot be sent to a worker process ({error}): "
            "define it at the top level of a module, or use threads"
        ) from error


class _ProcessWorker:
    """A worker process of its own for one thread of a batch; it runs one paper at a time.

    So the paper that was under way when a process died is known. It is run once more in a new process, for something
    else may have killed the first; if that dies as well, the paper fails.
    """

    _starting = allocate_lock()  # multiprocessing's own books are not thread-safe

    def __init__(self, payload: bytes) -> None:
        self._payload, self._ended = payload, False
        self._process: Any = None

    def _start(self) -> None:
        import multiprocessing

        context = multiprocessing.get_context("spawn")
        self._pipe, theirs = context.Pipe()
        process = context.Process(target=_serve_papers, args=(theirs,))  # no daemon: those may start no processes
        with self._starting:
            process.start()
        atexit.register(self.end, at_once=True)  # before multiprocessing's own, which waits for all without end
        self._process = process
        if self._ended:  # meanwhile
            process.kill()
        theirs.close()
        try:
            self._pipe.send_bytes(self._payload)
            refusal = self._pipe.recv_bytes().decode()
        except (EOFError, OSError):
            refusal = f"it ended while starting, exit code {_exit_code(self._process)}"
        if refusal:
            raise RuntimeError(f"a worker process cannot be used: {refusal}")

    def attempt(self, paper: Any) -> tuple[Record, bool | None]:
        """Run a paper there; its result as `_attempt` gives it, None beside it where the batch is over."""
        import pickle

        try:
            data = pickle.dumps(paper)
        except Exception as error:  # noqa: BLE001 - whatever this paper's own pickling raises
            return _failure(paper, error, ErrorClassifier), False
        answer = self._ask(data) or self._ask(data)
        if answer is None and self._ended:
            return {"paper": paper, "status": "not_started", "reason": "interrupted"}, None
        if answer is None:
            died = RuntimeError(f"the worker process died (exit code {self._code}) while it ran this paper")
            return _failure(paper, died, ErrorClassifier), False
        return _unpickled(answer, paper)

    def _ask(self, data: bytes) -> bytes | None:
        """The answer; None if the process died, or the batch is over."""
        if self._ended:
            return None
        if self._process is None:
            self._start()
        try:
            self._pipe.send_bytes(data)
            return bytes(self._pipe.recv_bytes())
        except (EOFError, OSError):
            self._code, self._process = _exit_code(self._process), None
            self._pipe.close()
            return None

    def end(self, at_once: bool) -> None:
        """Let the process end; `at_once` without its paper."""
        self._ended, process = True, self._process
        atexit.unregister(self.end)
        if process is not None:
            if not at_once:
                self._pipe.close()
                process.join(2.0)
            process.kill()  # nothing to one that has ended
            process.join(2.0)


def _exit_code(process: Any) -> int | None:
    """How a process ended; None if it runs on. Whichever thread looks first reaps it (to start another is to look at
    all), and to the rest it has no code until that one has noted it."""
    process.join(1.0)
    for _ in range(100):
        if process.exitcode is not None:
            break
        time.sleep(0.01)
    return process.exitcode  # type: ignore[no-any-return]


def _serve_papers(pipe: Any) -> None:
    """A worker process: papers in, results out, until the parent closes the pipe or is gone."""
    import pickle

    _obey_parent_only()
    try:
        process_func, classifier = pickle.loads(pipe.recv_bytes())
    except Exception as error:  # noqa: BLE001 - told to the parent
        pipe.send_bytes(f"it cannot load the function ({error}): define it at the top level of a module".encode())
        return
    pipe.send_bytes(b"")
    while True:
        try:
            question = pipe.recv_bytes()
        except EOFError:
            return
        try:
            answer = _answer(process_func, question, classifier)
        except KeyboardInterrupt as error:  # of the paper's own: that of the keyboard is not heeded here
            answer = pickle.dumps((_failure(None, error, ErrorClassifier), False))
        pipe.send_bytes(answer)


def _answer(process_func: Any, question: bytes, classifier: Any) -> bytes:
    """In another process: `_attempt` of a pickled paper, pickled."""
    import pickle

    try:
        return pickle.dumps(_attempt(process_func, pickle.loads(question), classifier))
    except Exception as error:  # noqa: BLE001 - whatever the pickling of this paper or its result raises
        return pickle.dumps((_failure(None, error, ErrorClassifier), False))


def _unpickled(answer: bytes, paper: Any) -> tuple[Record, bool]:
    """An `_answer` in the parent; a result that does not unpickle is its paper's failure."""
    import pickle

    try:
        result, shared = pickle.loads(answer)
    except Exception as error:  # noqa: BLE001 - whatever this result's own unpickling raises
        return _failure(paper, error, ErrorClassifier), False
    return {**result, "paper": paper} if result["paper"] is None else result, shared


def _obey_parent_only() -> None:
    """Ctrl-C and SIGTERM go to the whole group, and the parent decides; but without it the process ends."""
    import multiprocessing
    import signal

    for signum in (signal.SIGINT, signal.SIGTERM):
        signal.signal(signum, lambda *_: None)  # not SIG_IGN, which programs started here would inherit
    parent = multiprocessing.parent_process()
    if parent is not None:
        threading.Thread(target=_end_with, args=(parent,), daemon=True).start()


def _end_with(parent: Any) -> None:
    parent.join()
    os._exit(1)


class _Interrupts:
    """Ctrl-C and SIGTERM while the main thread has batches open: one handler for all of them, in whatever order they
    begin and end. It sets their flags and wakes them; a second signal acts at once.

    Where no batch is left (one was collected in another thread, where no handler can be put back) the handler puts the
    former one back and lets that have the signal.
    """

    def __init__(self) -> None:
        self._batches: list[_Batch] = []
        self._former: dict[int, Any] = {}  # the handlers that ours stands for
        self._told = False  # the former handler has had the signal already, or it has been raised

    def watch(self, batch: _Batch) -> None:
        """From here on a signal ends this batch too; in another thread than the main one, none can."""
        if threading.current_thread() is threading.main_thread():
            import signal

            for signum in (signal.SIGINT, signal.SIGTERM):
                former = signal.getsignal(signum)
                if former not in (None, signal.SIG_IGN, self._handle):
                    self._former[signum] = former
                    signal.signal(signum, self._handle)
            self._batches.append(batch)

    def release(self, batch: _Batch) -> None:
        if batch in self._batches:
            self._batches.remove(batch)
        if not self._batches and threading.current_thread() is threading.main_thread():
            self._put_back()

    def _put_back(self) -> None:
        """The former handlers, where ours still stands."""
        import signal

        for signum, former in self._former.items():
            if signal.getsignal(signum) == self._handle:
                signal.signal(signum, former)

    def _handle(self, signum: int, frame: FrameType | None) -> None:
        if not self._batches:
            import signal

            self._put_back()
            signal.raise_signal(signum)
            return
        current = self._batches[-1]
        again, self._told = current.signum, False
        for batch in self._batches:
            batch.signum = signum
            batch.reason = batch.reason or "interrupted"
            batch.done.put((-1, {}, "wake"))  # a SimpleQueue may be interrupted by itself
        if again:
            self.raise_again(signum)
        start_new_thread(self._insist, (current, signum))  # takes no lock, unlike Thread.start
        if not current.inside and callable(self._former.get(signum)):
            self._told = True
            self._former[signum](signum, frame)

    def _insist(self, batch: _Batch, signum: int) -> None:
        """Interrupt a consumer, or a source of papers, that has not come back within the grace."""
        time.sleep(min(batch.owner.grace, _LONGEST_SLEEP))
        if batch in self._batches and not batch.ending:
            os.kill(os.getpid(), signum)

    def raise_again(self, signum: int) -> None:
        """What the signal would have done: the former handler first, KeyboardInterrupt if that returns."""
        former, told, self._told = self._former.get(signum), self._told, True
        if callable(former) and not told:
            former(signum, None)
        raise KeyboardInterrupt

    def send_again(self, signum: int) -> None:
        """For a consumer that has left, to which nothing can be raised: the signal comes again, in the code after."""
        if not self._batches and not self._told:
            self._told = True
            start_new_thread(_signal_soon, (signum,))


def _signal_soon(signum: int) -> None:
    time.sleep(0.05)  # an iterator that is collected is out of the way by then: in it, what is raised would be lost
    os.kill(os.getpid(), signum)


_INTERRUPTS = _Interrupts()


class _Batch:
    """One call of the coordinator:

        papers -> the caller's thread reads ahead -> tasks -> workers -> (committer) -> done -> the caller

    The committer waits for the checkpoint's flush on behalf of all results that have come meanwhile. `pending` (papers
    read and not yet handed out) is bounded by `window`. What goes through `done` is an index, a result, and how it
    counts; "fatal" carries an error of the batch, "wake" nothing.
    """

    def __init__(
        self, owner: ParallelPipelineCoordinator, papers: Iterable[Any], process_func: Any, use_threads: bool
    ) -> None:
        if isinstance(papers, (str, bytes)):
            raise TypeError("papers is a list of papers, not one text")
        from queue import SimpleQueue

        self.owner, self.source, self.process_func = owner, iter(papers), process_func
        self.checkpoint: Any = None if owner.dry_run else owner.checkpoint
        own = isinstance(self.checkpoint, CheckpointManagerV2) and (
            getattr(self.checkpoint.update_paper_status, "__func__", None) is CheckpointManagerV2.update_paper_status
        )  # how to record without waiting, and how to wait; another manager is told through its `update_paper_status`
        self.note: Any = getattr(self.checkpoint, "note_paper_status" if own else "update_paper_status", None)
        self.flush: Any = getattr(self.checkpoint, "flush", None) if own else lambda: None
        self.sized = hasattr(papers, "__len__")
        in_processes = not (use_threads or owner.executor or owner.dry_run)
        self.payload = _payload_of(process_func, owner.classifier) if in_processes else b""
        self.tasks: SimpleQueue[tuple[int, Any] | None] = SimpleQueue()
        self.done: SimpleQueue[tuple[int, Record, str]] = SimpleQueue()
        self.commits: SimpleQueue[tuple[int, Record, str] | None] = SimpleQueue()
        self.pending: dict[int, Any] = {}
        self.window = owner.max_workers  # papers that may be pending
        self.read = self.streak = 0  # papers; failures in a row that every paper would meet
        self.threads: list[threading.Thread] = []
        self.processes: list[_ProcessWorker] = []
        self.stop = threading.Event()
        self.reason: str | None = None  # why nothing new starts
        self.abandoned = False  # nobody waits for the workers any more
        self.grace_ends = _NEVER
        self.lock = allocate_lock()  # guards the streak and the reason
        self.signum = 0  # of the signal that ends the batch; 0: none came
        self.inside = True  # the main thread runs the batch's code, not its consumer's
        self.ending = False  # it has seen the signal, or ends for another reason

    def one_by_one(self) -> Iterator[Record]:
        """The results as they come, for a consumer whose own code runs in between."""
        for _, result in self.results():
            self.inside = False
            yield result
            self.inside = True

    def results(self) -> Iterator[tuple[int, Record]]:
        """Index and result of each paper as they come; ends the threads whatever happens."""
        interrupted = left = False
        try:
            _INTERRUPTS.watch(self)
            yield from self._results()
        except KeyboardInterrupt:
            interrupted = True
            raise
        except GeneratorExit:
            left = True
            raise
        finally:
            if not sys.is_finalizing():  # else its threads are frozen: there is nothing to wait for
                self._end(interrupted, left)

    def _end(self, interrupted: bool, left: bool) -> None:
        self.ending = self.inside = True
        try:
            self._wind_down("interrupted" if interrupted else "ended")
            if interrupted or self.signum:
                self._save()
            self._end_threads()
        finally:
            _INTERRUPTS.release(self)
            if self.signum:
                (_INTERRUPTS.send_again if left else _INTERRUPTS.raise_again)(self.signum)

    def _results(self) -> Iterator[tuple[int, Record]]:
        more = True
        while True:
            more = more and (self.reason is None or self.sized) and self._feed()
            if self.signum:
                raise KeyboardInterrupt
            if not self.pending:
                break
            index, result, kind = self._next_done()
            if kind == "fatal":
                self.pending.pop(index, None)  # nothing more comes of it: winding down must not wait for it
                raise result["error"]
            if self._counted(index, kind):
                if self.owner.on_result is not None:
                    self.owner.on_result(result)
                yield index, result

    def _feed(self) -> bool:
        """Read ahead until the window is full or a result is there to be handed out; False at the end of the papers."""
        workers, done = self.owner.max_workers, self.done
        if 2 * len(self.pending) > self.window and not done.empty():
            return True
        if self.tasks.empty():  # the workers are quicker than this thread: let it read further ahead
            self.window = min(2 * self.window, 32 * workers)
        else:
            self.window = max(self.window - 1, 2 * workers)
        for paper in islice(self.source, max(self.window - len(self.pending), 0)):
            self.pending[self.read] = paper
            self.tasks.put((self.read, paper))
            self.read += 1
            if len(self.threads) < workers:
                self._start_worker()
            if self.signum or not done.empty():
                return True
        return len(self.pending) >= self.window

    def _next_done(self) -> tuple[int, Record, str]:
        """The next result. After a cancel whose grace is over, papers under way count as not started: they stay
        incomplete in the checkpoint."""
        cancel = self.owner.cancel
        if cancel is None:
            return self.done.get()
        from queue import Empty

        while True:
            try:
                return self.done.get(timeout=0.0 if self.abandoned else 0.05)
            except Empty:
                if cancel.is_set():
                    self._stop("cancelled")
                    self.grace_ends = min(self.grace_ends, time.monotonic() + self.owner.grace)
                    if time.monotonic() >= self.grace_ends:
                        self.abandoned = True
                        index, paper = next(iter(self.pending.items()))
                        return index, self._not_started(paper), "not_started"

    def _counted(self, index: int, kind: str) -> bool:
        """Count a result; False for a mere "wake", and for the end of a paper that was given up as not started."""
        if index not in self.pending:
            return False
        del self.pending[index]
        if kind in self.owner._counts:
            self.owner._counts[kind] += 1
        return True

    def _wind_down(self, reason: str) -> None:
        """Start nothing new; give what is under way its grace, so that it gets into the checkpoint."""
        from queue import Empty

        self._stop(reason)
        deadline = time.monotonic() + self.owner.grace
        try:
            while self.pending and self.threads and not self.abandoned:
                index, _, kind = self.done.get(timeout=max(deadline - time.monotonic(), 0.0))
                self._counted(index, kind)
        except (Empty, KeyboardInterrupt):  # the grace is over, or somebody insists
            self.abandoned = True

    def _save(self) -> None:
        if self.checkpoint is not None:
            try:
                getattr(self.checkpoint, "save", self.flush)()
            except (OSError, CheckpointError) as error:  # the interrupt goes first; the journal holds everything
                _warn("the checkpoint could not be brought up to date: %s", error)

    def _end_threads(self) -> None:
        for process in self.processes:
            process.end(at_once=self.abandoned)
        for _ in self.threads:
            self.tasks.put(None)
        if not self.abandoned:
            for thread in self.threads:
                thread.join()
        self.commits.put(None)

    def _start_worker(self) -> None:
        if not self.threads and self.checkpoint is not None:
            threading.Thread(target=self._commit, daemon=True).start()
        thread = threading.Thread(target=self._work, daemon=True)
        thread.start()  # the system may refuse
        self.threads.append(thread)

    def _commit(self) -> None:
        """The committer's thread: hand results on once the checkpoint has them, as many at a time as have come."""
        while (item := self.commits.get()) is not None:
            items = [item]
            while not self.commits.empty() and (more := self.commits.get()) is not None:
                items.append(more)
            try:
                self.flush()
            except BaseException as error:  # noqa: BLE001 - raised in the caller's thread
                self._stop("a fault of the batch")
                items = [(index, {"error": error}, "fatal") for index, _, _ in items]
            for item in items:
                self.done.put(item)

    def _work(self) -> None:
        """A worker's thread: papers in, results out."""
        attempt, out = self._attempt_of(), self.done if self.checkpoint is None else self.commits
        while (task := self.tasks.get()) is not None:
            index, paper = task
            try:
                result, kind = self._run(paper, attempt)
            except BaseException as error:  # noqa: BLE001 - of a hook or the checkpoint: raised in the caller's thread
                self._stop("a fault of the batch")
                result, kind = {"error": error}, "fatal"
            out.put((index, result, kind))

    def _run(self, paper: Any, attempt: Callable[[Any], tuple[Record, bool | None]]) -> tuple[Record, str]:
        """One paper from start to checkpoint: its result and how it counts."""
        owner, checked = self.owner, self.checkpoint is not None
        if owner.dry_run:
            return {"paper": paper, "status": "success", "dry_run": True}, "successful"
        paper_id = _id_of(paper) if checked else ""
        if paper_id is None:
            return _failure(paper, TypeError("a paper whose text cannot be had has no id"), owner.classifier), "failed"
        if checked and self._stage_of(paper_id) == "completed":
            return {"paper": paper, "status": "skipped"}, "skipped"
        if owner.cancel is not None and owner.cancel.is_set():
            self._stop("cancelled")
        if self.reason is not None or not (owner.quota_manager is None or self._has_token(owner.quota_manager)):
            return self._not_started(paper), "not_started"
        if owner.on_start is not None:
            owner.on_start(paper)
        if checked:
            self.note(paper_id, "in_progress")
        result, shared = attempt(paper)
        if shared is None:
            return result, "not_started"
        failed = result["status"] != "success"
        self._count_faults(result, failed, shared)
        if checked and not self.abandoned:
            error = _text_of(result.get("error") or f"status {result['status']!r}") if failed else None
            self.note(paper_id, "failed" if failed else "completed", _names_of(result.get("stages_completed")), error)
        return result, "failed" if failed else "successful"

    def _has_token(self, quota: Any) -> bool:
        """A token is there, and nothing has stopped the batch while it was waited for."""
        waiting = {"cancel": self.stop} if isinstance(quota, SimpleQuotaManager) else {"wait": True}
        granted = quota.consume(tokens=1, **waiting) is not False
        if self.owner.cancel is not None and self.owner.cancel.is_set():
            self._stop("cancelled")
        return granted and self.reason is None

    def _not_started(self, paper: Any) -> Record:
        paper_id = None if self.checkpoint is None else _id_of(paper)
        if paper_id is not None and self._stage_of(paper_id) is None:
            self.note(paper_id, "not_started")
        return {"paper": paper, "status": "not_started", "reason": self.reason or "no token"}

    def _stop(self, reason: str) -> None:
        with self.lock:
            self.reason = self.reason or reason
        self.stop.set()

    def _count_faults(self, result: Record, failed: bool, shared: bool) -> None:
        """Stop the batch after some failures in a row that every paper would meet; a success begins anew."""
        with self.lock:
            self.streak = 0 if not failed else self.streak + shared
            many = shared and self.owner.stop_after is not None and self.streak >= self.owner.stop_after
        if many:
            self._stop(f"stopped after {self.streak} failures that every paper would meet: {result.get('error')}")

    def _stage_of(self, paper_id: str) -> Any:
        if isinstance(self.checkpoint, CheckpointManagerV2):
            return self.checkpoint.stage_of(paper_id)
        ask = getattr(self.checkpoint, "get_paper_status", None)  # the guide does not name it
        record = None if ask is None else ask(paper_id)
        return record and record.get("stage")

    def _attempt_of(self) -> Callable[[Any], tuple[Record, bool | None]]:
        """How this thread runs a paper: here, in a process of its own, or in the executor."""
        if self.owner.executor is not None:
            return partial(self._in_executor, self.owner.executor)
        if self.payload:
            self.processes.append(_ProcessWorker(self.payload))
            return self.processes[-1].attempt
        return partial(_attempt, self.process_func, classifier=self.owner.classifier)

    def _in_executor(self, executor: Executor, paper: Any) -> tuple[Record, bool | None]:
        import pickle
        from concurrent.futures import BrokenExecutor

        classifier = self.owner.classifier
        pools = getattr(sys.modules.get("concurrent.futures.process"), "ProcessPoolExecutor", ())
        future: Any = None
        try:
            if isinstance(executor, pools):  # a result that does not unpickle would break it
                future = executor.submit(_answer, self.process_func, pickle.dumps(paper), classifier)
                return _unpickled(future.result(), paper)
            future = executor.submit(_attempt, self.process_func, paper, classifier)
            return future.result()  # type: ignore[no-any-return]
        except Exception as error:  # noqa: BLE001 - a paper or result that cannot be sent may raise anything
            refused = future is None and isinstance(error, RuntimeError)  # it was shut down
            if refused or isinstance(error, BrokenExecutor):  # which does not say whose fault it was
                self._stop(f"the executor runs no more: {error}")
                return self._not_started(paper), None
            return _failure(paper, error, classifier), False


class ParallelPipelineCoordinator:
    """Runs a function over many papers, `max_workers` at a time; one paper's failure touches no other.

    `checkpoint_manager` has every paper's progress before its result is handed out; papers that it holds as completed
    are skipped. One token per paper is taken from `quota_manager`. Dry run: nothing is called and nothing recorded.

    Keyword options: `executor` (any `concurrent.futures.Executor`, instead of own threads or processes); `classifier`
    (default ErrorClassifier); `grace` (seconds that papers under way get after Ctrl-C, SIGTERM or `cancel`);
    `stop_after` (failures that every paper would meet, in a row, that stop a batch; None: never); `cancel` (an Event
    that stops a batch as an interrupt would, without raising: the rest come back as "not_started"); `on_start(paper)`,
    called in a worker's thread; `on_result(result)`, called in the caller's thread.

    Attributes: `max_workers`, `quota_manager`, `checkpoint`, `dry_run`, `stats`.
    """

    def __init__(
        self, max_workers: int = 4, quota_manager: Any = None, checkpoint_manager: Any = None, dry_run: bool = False,
        *, executor: Executor | None = None, classifier: Any = ErrorClassifier, grace: float = 5.0,
        stop_after: int | None = 3, cancel: threading.Event | None = None,
        on_start: Callable[[Any], object] | None = None, on_result: Callable[[Record], object] | None = None,
    ) -> None:
        """ValueError for `max_workers` or `stop_after` below 1."""
        if max_workers < 1 or (stop_after is not None and stop_after < 1):
            raise ValueError("max_workers and stop_after must be at least 1")
        self.max_workers, self.quota_manager, self.checkpoint = max_workers, quota_manager, checkpoint_manager
        self.dry_run, self.executor, self.classifier = dry_run, executor, classifier
        self.grace, self.stop_after, self.cancel = grace, stop_after, cancel
        self.on_start, self.on_result = on_start, on_result
        self._counts = {"successful": 0, "failed": 0, "skipped": 0}

    @property
    def stats(self) -> dict[str, int]:
        """Of all batches: `total_processed`, `successful`, `failed`, `skipped`; `retries` as the checkpoint counts."""
        counts, checkpoint = dict(self._counts), self.checkpoint
        try:
            own = isinstance(checkpoint, CheckpointManagerV2)
            retries = checkpoint.retries if own else int(checkpoint.data["stats"]["retries"])
        except (AttributeError, LookupError, TypeError):  # none, or somebody else's that does not tell
            retries = 0
        return {"total_processed": counts["successful"] + counts["failed"], **counts, "retries": retries}

    def get_stats(self) -> dict[str, int]:
        """See `stats`."""
        return self.stats

    def process_papers_parallel(
        self, papers: Iterable[Any], process_func: Callable[[Any], Any], use_threads: bool = True
    ) -> list[Record]:
        """The results in the order of `papers`, any iterable; it is read here, a little ahead of the work.

        A result is the dict that `process_func(paper)` returned (its `stages_completed` goes to the checkpoint), or
        `{"paper", "status": "error", "error", "error_type"}`; "skipped" for a paper that was completed before;
        "not_started" with a `reason` after a fault that every paper would meet has stopped the batch.
        `use_threads=False` runs in processes: `process_func` must be a function at the top level of a module, and the
        script needs its `__main__` guard.

        Ctrl-C and SIGTERM (in the main thread): nothing new starts, papers under way get `grace` seconds, the
        checkpoint is brought up to date, and the interrupt is raised again.
        """
        results = dict(_Batch(self, papers, process_func, use_threads).results())
        return [results[index] for index in range(len(results))]

    def iter_papers_parallel(
        self, papers: Iterable[Any], process_func: Callable[[Any], Any], use_threads: bool = True
    ) -> Iterator[Record]:
        """The same results as they come, in memory that does not grow with their number.

        Each is in the checkpoint before it is yielded; closing the iterator ends the batch.

        Ctrl-C and SIGTERM are handled from the first `next()` until the iterator ends, is closed or collected. One that
        comes while the consumer's own code runs starts nothing new either, and the batch ends with it at the next
        `next()`; a handler that the program has is called at once, so Ctrl-C raises KeyboardInterrupt there as ever.
        SIGTERM is raised in the consumer's code as a KeyboardInterrupt if it does not come back within `grace` seconds,
        or at a second one. To a consumer that leaves the iterator first, the signal comes again as if there had been no
        batch.
        """
        return _Batch(self, papers, process_func, use_threads).one_by_one()
