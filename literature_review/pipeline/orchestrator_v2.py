"""The kernel: error classification, rate limiting, retry, a durable checkpoint, and fan-out.

One file, standard library only; copied alone into an empty folder it works.  Each class is usable
without the others, and is safe to use from any number of threads::

    ErrorType, ErrorClassifier     is an error worth another try?
    SimpleQuotaManager             at most so many calls in so many seconds, first come, first served
    RetryHelper                    waits, longer each time, and tries again
    CheckpointManagerV2            which paper is where; survives kill -9 and loss of power
    ParallelPipelineCoordinator    many papers at once, in threads, processes or an executor

The way of an update of the checkpoint::

    update_paper_status(...)                     any thread
      |  the paper's new record is encoded once, as one line of JSON          [_mutex]
      v
    dirty lines, by paper                        all updates that wait for the disk
      |  one thread leads: it takes every dirty line as one batch             [_io]
      v
    <file>.journal-<n>                           append, fdatasync: all of the batch return
      |  about once a second, in a thread of its own                          [_folding]
      v
    <file>                                       all lines joined, written beside, flushed, renamed

Locks, always taken in this order: ``_WRITERS_LOCK`` (who writes which file in this process),
``_folding`` (one fold at a time), ``_io`` (the journal: one append or change of journal at a time),
``_mutex`` (the state in memory, the dirty lines, the queue of waiters; held for microseconds).

What survives what: an update that returned survives kill -9 and loss of power.  One under way may
or may not; it never damages another.  A journal is dropped only after a JSON file that holds all
of it has been flushed, renamed into place, and the folder flushed.  Each journal record holds the
whole state of its paper, so replaying one twice changes nothing.
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
from _thread import allocate_lock, get_ident
from collections import Counter, deque
from enum import Enum
from functools import lru_cache
from itertools import islice, repeat
from operator import itemgetter

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from concurrent.futures import Executor
    from queue import SimpleQueue
    from types import FrameType
    from typing import Any, TypeVar

    T = TypeVar("T")
    Record = dict[str, Any]

__all__ = [
    "CheckpointConflictError",
    "CheckpointDamagedError",
    "CheckpointError",
    "CheckpointLockedError",
    "CheckpointManagerV2",
    "CheckpointSupersededError",
    "CheckpointVersionError",
    "ErrorClassifier",
    "ErrorType",
    "ParallelPipelineCoordinator",
    "RetryHelper",
    "SimpleQuotaManager",
    "create_v2_config_defaults",
]


def create_v2_config_defaults() -> Record:
    """The ``v2_features`` block of the configuration with its defaults; a fresh copy each call."""
    return {
        "max_workers": 4,
        "enable_parallel": False,
        "checkpoint_file": "pipeline_checkpoint.json",
        "retry": {"attempts": 3, "base": 0.5, "factor": 2.0, "max_delay": 60.0, "enable_jitter": True},
        "quota": {"gemini_api": {"rate": 60, "per_seconds": 60}},
        "feature_flags": {
            "enable_parallel_processing": False,
            "enable_quota_management": True,
            "enable_smart_retry": True,
        },
    }


# --- Error classification ------------------------------------------------------------------------


class ErrorType(Enum):
    """TRANSIENT: may pass, try again.  PERMANENT: will not pass.  UNKNOWN: not tried again."""

    TRANSIENT = "transient"
    PERMANENT = "permanent"
    UNKNOWN = "unknown"


# A verdict: the type, and whether every other call would meet the same fault (a bad key, a spent quota).
_TRANSIENT = (ErrorType.TRANSIENT, False)
_PERMANENT = (ErrorType.PERMANENT, False)
_BARRED = (ErrorType.PERMANENT, True)
_UNKNOWN = (ErrorType.UNKNOWN, False)

_TRANSIENT_STATUS = frozenset({408, 425, 429, 500, 502, 503, 504, 529})
_PERMANENT_STATUS = frozenset({400, 401, 403, 404, 405, 413, 422})
_TRANSIENT_TYPES = (TimeoutError, ConnectionError)
_PERMANENT_TYPES = (
    FileNotFoundError, NotADirectoryError, IsADirectoryError, PermissionError,
    SyntaxError, TypeError, NameError, AttributeError, ImportError,
)  # fmt: skip
_NETWORK_ERRNO = frozenset({errno.ENETUNREACH, errno.EHOSTUNREACH, errno.ENETDOWN})
# Client libraries' own network errors, known by name: nothing of theirs is imported here.
_CLIENTS = frozenset({
    "aiohttp", "anthropic", "asyncio", "concurrent", "google", "http", "httpcore", "httpx", "openai",
    "requests", "urllib3",
})  # fmt: skip
_CLIENT_NETWORK_ERRORS = frozenset({
    "APIConnectionError", "APITimeoutError", "ChunkedEncodingError", "ConnectError", "ConnectTimeout",
    "ConnectionError", "IncompleteRead", "NetworkError", "NewConnectionError", "PoolTimeout",
    "ProtocolError", "ReadError", "ReadTimeout", "RemoteProtocolError", "ServerConnectionError",
    "Timeout", "TimeoutError", "TimeoutException", "WriteError",
})  # fmt: skip

_THREE_DIGITS = re.compile(r"(?<!\d)[45]\d\d(?!\d)")
# A number is a status only where it stands as one.
_STATUS_IN_TEXT = re.compile(
    r"""^\s*(\d{3})\s*$
    | (?:\bhttp(?:/\d(?:\.\d)?)?(?:\ (?:status|error|response))?(?:\ code)?
        | \b(?:status|error|response)[ _-]?code | \bstatus | ["']code)
      ["']?\s*(?:[:=(]|is\b|of\b)?\s*["']?(\d{3})(?!\w)
    | \berror\s*[:=\#]?\s*(\d{3})(?=\s*(?:[].,;:)}]|$))
    | (?:^|[](\[{:;,"'\n-]\s*|\b(?:returned|got|received|with|error|failed|was|is|an?)\s+)
      (\d{3})\s*[:,-]?\s*(?:client\ error|server\ error|bad\ request|unauthori[sz]ed|forbidden|not[ _]found
        |method\ not|request\ time|payload|content\ too|request\ entity|unprocessable|too\ early|too\ many
        |internal|bad\ gateway|service\ un|gateway\ time|overloaded|unavailable|resource_ex|invalid_arg
        |unauthenticated|permission_denied|deadline_ex)""",
    re.VERBOSE | re.IGNORECASE,
)
_QUOTA_ID = re.compile(r"quota_?id[\\\"'\s:=]+([\w./-]+)", re.IGNORECASE)
_BARRED_TEXT = re.compile(
    r"\b(?:insufficient_quota|unauthori[sz]ed|unauthenticated|permission_denied|api_key_invalid"
    r"|(?:invalid|incorrect|bad|missing|no|wrong|expired|revoked)[ _]api[ _-]?key"
    r"|api[ _-]?key(?: \S+)?(?: is| was)? (?:not valid|invalid|missing|not set|not found|required|expired))"
)
_PERMANENT_TEXT = re.compile(
    r"\b(?:no such file|file not found|filenotfounderror|permission denied|permissionerror|access denied"
    r"|forbidden|authentication (?:failed|error)|authenticationerror|invalid credentials|invalid_argument"
    r"|invalid syntax|syntax ?error|type ?error\b|name ?error\b|attribute ?error\b|import ?error\b"
    r"|modulenotfounderror|no module named|cannot import name|has no attribute|is not defined)"
)
_TRANSIENT_TEXT = re.compile(
    r"\b(?:(?:read|connect|connection|request|gateway|api)?[ -]?time(?:d?[ -]|)?outs?(?:error)?\b|deadline[ _]exceeded"
    r"|connection[ -](?:refused|reset|aborted|dropped|lost|closed|error|timed)|connection ?\w{0,7}error\b"
    r"|(?:refused|reset|dropped|closed|broke) the connection|remote end closed|server disconnected|broken pipe"
    r"|network (?:error|is unreachable|unreachable)|no route to host|host is unreachable"
    r"|temporary failure in name resolution|temporarily unavailable|service unavailable|overloaded"
    r"|resource_exhausted|resource has been exhausted|rate[ _-]?limit(?:s|ed|_exceeded|_error|exceeded|error)?\b"
    r"|too many requests|bad gateway|internal server error|econn(?:reset|refused|aborted)|etimedout|eai_again)"
)
_UNAVAILABLE = re.compile(r"\bUNAVAILABLE\b")
_TEXT_LIMIT = 16_000


class ErrorClassifier:
    """Tells errors worth another try from those that are not.  Use the class or an instance; it holds no state.

    Evidence, strongest first: ``http_status``; a status that the exception carries (``status_code``,
    ``code``, ``status``, ``response.status_code``); its type; its cause chain and the members of an
    exception group (permanent if one is, transient if all are); last its text.
    """

    @staticmethod
    def classify_error(error: object, http_status: int | str | None = None) -> ErrorType:
        """``error`` is an exception or a text; what is not known for certain is UNKNOWN.  Never raises."""
        return _judge(error, http_status)[0]

    @staticmethod
    def should_retry(error: object, http_status: int | str | None = None) -> bool:
        """True for TRANSIENT alone."""
        return _judge(error, http_status)[0] is ErrorType.TRANSIENT

    @staticmethod
    def is_shared_fault(error: object, http_status: int | str | None = None) -> bool:
        """Would every other call meet it too: 401, 403, a bad or missing key, a spent quota?"""
        return _judge(error, http_status)[1]


def _judge(error: object, http_status: int | str | None = None) -> tuple[ErrorType, bool]:
    """The verdict on an error: its type, and whether every other call would meet it."""
    if http_status is not None:
        verdict = _judge_status(_as_status(http_status), error)
        if verdict is not None:
            return verdict
    if isinstance(error, BaseException):
        return _judge_exception(error, set()) or _UNKNOWN
    return _judge_text(_text_of(error)) or _UNKNOWN


def _as_status(value: object) -> int | None:
    """An int, or a text of three digits, as a status; anything else is none."""
    if isinstance(value, int):
        return int(value)
    if isinstance(value, str) and len(value) == 3 and value.isascii() and value.isdigit():
        return int(value)
    return None


def _judge_status(status: int | None, error: object) -> tuple[ErrorType, bool] | None:
    """What a status says; None for one that says nothing.  A 429 may be a quota that is spent for today."""
    if status == 429:
        return _BARRED if _quota_is_spent(_details_of(error)) else _TRANSIENT
    if status in _TRANSIENT_STATUS:
        return _TRANSIENT
    if status in (401, 403):
        return _BARRED
    if status in _PERMANENT_STATUS:  # Gemini sends a bad key as 400
        return _BARRED if status == 400 and _BARRED_TEXT.search(_text_of(error).lower()) else _PERMANENT
    return None


def _judge_exception(error: BaseException, seen: set[int]) -> tuple[ErrorType, bool] | None:
    """Status, type, causes, text, and last what it was raised from in passing; None where nothing speaks."""
    if id(error) in seen or len(seen) > 50:
        return None
    seen.add(id(error))
    verdict = _judge_status(_status_of(error), error) or _judge_type(type(error))  # type: ignore[arg-type]
    if verdict is not None:
        return verdict
    if isinstance(error, OSError) and error.errno in _NETWORK_ERRNO:
        return _TRANSIENT
    members = getattr(error, "exceptions", None)
    if isinstance(members, (tuple, list)):
        verdict = _judge_group(members, seen)
    cause = error.__cause__ or getattr(error, "reason", None)  # urllib puts the cause into `reason`
    if verdict is None and isinstance(cause, BaseException):
        verdict = _judge_exception(cause, seen)
    if verdict is None:
        verdict = _judge_text(_details_of(error))
    if verdict is None and error.__context__ is not None and not error.__suppress_context__:
        verdict = _judge_exception(error.__context__, seen)
    return verdict


def _judge_group(members: Iterable[object], seen: set[int]) -> tuple[ErrorType, bool] | None:
    """Permanent if one member is, transient if all are, else UNKNOWN; None if no member says anything."""
    verdicts = [_judge_exception(member, seen) for member in members if isinstance(member, BaseException)]
    if not any(verdicts):
        return None
    for verdict in (_BARRED, _PERMANENT):
        if verdict in verdicts:
            return verdict
    return _TRANSIENT if all(verdict == _TRANSIENT for verdict in verdicts) else _UNKNOWN


@lru_cache(maxsize=512)
def _judge_type(kind: type[BaseException]) -> tuple[ErrorType, bool] | None:
    if issubclass(kind, _TRANSIENT_TYPES):
        return _TRANSIENT
    if issubclass(kind, _PERMANENT_TYPES):
        return _PERMANENT
    for base in kind.__mro__:
        if base.__name__ in _CLIENT_NETWORK_ERRORS and base.__module__.partition(".")[0] in _CLIENTS:
            return _TRANSIENT
    return None


def _judge_text(text: str) -> tuple[ErrorType, bool] | None:
    lowered = text.lower()
    if "quota" in lowered and _quota_is_spent(text):
        return _BARRED
    if _THREE_DIGITS.search(text):
        for match in _STATUS_IN_TEXT.finditer(text):
            verdict = _judge_status(int(next(filter(None, match.groups()))), text)
            if verdict is not None:
                return verdict
    if _BARRED_TEXT.search(lowered):
        return _BARRED
    if _PERMANENT_TEXT.search(lowered):
        return _PERMANENT
    if _TRANSIENT_TEXT.search(lowered) or _UNAVAILABLE.search(text):
        return _TRANSIENT
    return None


def _quota_is_spent(details: str) -> bool:
    """The machine-readable part of a 429 decides; "check your plan and billing" also comes with short throttles."""
    if "insufficient_quota" in details:
        return True
    return any("perday" in quota.lower() for quota in _QUOTA_ID.findall(details))


def _status_of(error: BaseException) -> int | None:
    """The status that an exception carries, if it is one that says something."""
    try:
        response = getattr(error, "response", None)
        for value in (
            getattr(error, "status_code", None), getattr(error, "code", None), getattr(error, "status", None),
            None if response is None else getattr(response, "status_code", None),
        ):  # fmt: skip
            status = None if value is None else _as_status(value)
            if status in _TRANSIENT_STATUS or status in _PERMANENT_STATUS:
                return status
    except Exception:  # noqa: BLE001 - a foreign exception's property may raise anything; then it carries none
        return None
    return None


def _details_of(error: object) -> str:
    """The text of an error with the machine-readable parts that client libraries attach to it."""
    text = _text_of(error)
    if not isinstance(error, BaseException):
        return text
    for name in ("code", "type", "status", "details", "body"):
        try:
            value = getattr(error, name, None)
        except Exception:  # noqa: BLE001 - as above
            continue
        if isinstance(value, (str, dict, list)):
            text += "\n" + _text_of(value)
    response_text = getattr(getattr(error, "response", None), "text", None)
    return text + "\n" + response_text[:_TEXT_LIMIT] if isinstance(response_text, str) else text


def _text_of(error: object) -> str:
    """``str(error)``, cut in the middle if it is huge; an object that cannot be shown has no text."""
    try:
        text = str(error)
    except Exception:  # noqa: BLE001 - a foreign __str__ may raise anything (RecursionError for deep data)
        return ""
    return text if len(text) <= _TEXT_LIMIT else text[: _TEXT_LIMIT // 2] + "\n" + text[-_TEXT_LIMIT // 2 :]


# --- Rate limiting -------------------------------------------------------------------------------

_SLACK = 1e-9  # tokens: what rounding may take from a bucket that is full enough


class _Turn:
    """A place in the queue of a quota manager."""

    __slots__ = ("cancel", "due", "granted", "tokens", "wake")

    def __init__(self, tokens: float, due: float, cancel: threading.Event | None) -> None:
        self.tokens = tokens
        self.due = due
        self.cancel = cancel
        self.granted = False
        self.wake = allocate_lock()
        self.wake.acquire()


class SimpleQuotaManager:
    """A token bucket: in no window of w seconds are more than ``burst + rate / per_seconds * w`` tokens granted.

    Thread-safe.  Waiters are served first come, first served; each sleeps until its own turn and is
    woken alone.  The bucket is full at the start and holds ``burst`` tokens, by default ``max(rate, 1)``.

    Attributes: ``rate`` (tokens), ``per_seconds``, ``allowance`` (tokens left as of the last consume),
    ``consumed_count`` (tokens granted), ``throttle_count`` (calls that waited or were refused).
    ``clock`` (monotonic seconds) and ``sleep`` (seconds) can be replaced for tests.
    """

    def __init__(
        self,
        rate: float,
        per_seconds: float = 60,
        *,
        burst: float | None = None,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], object] | None = None,
    ) -> None:
        """ValueError unless rate, period and burst are positive and finite."""
        capacity = burst if burst is not None else max(rate, 1)
        for name, value in (("rate", rate), ("per_seconds", per_seconds), ("burst", capacity)):
            if not 0 < value < float("inf"):
                raise ValueError(f"{name} must be positive and finite, not {value!r}")
        if not 0 < rate / per_seconds < float("inf"):
            raise ValueError(f"rate / per_seconds must be positive and finite, not {rate / per_seconds!r}")
        self.rate = rate
        self.per_seconds = per_seconds
        self.allowance = float(capacity)
        self.consumed_count: float = 0
        self.throttle_count = 0
        self._capacity = float(capacity)
        self._fill = rate / per_seconds
        self._clock = clock
        self._sleep = sleep
        self._filled_at = clock()
        self._lock = allocate_lock()  # guards everything that changes
        self._queue: deque[_Turn] = deque()
        self._booked = 0.0  # tokens that the queue asks for

    def consume(
        self,
        tokens: float = 1,
        wait: bool = True,
        timeout: float | None = None,
        cancel: threading.Event | None = None,
    ) -> bool:
        """Take ``tokens``; True when they are granted.

        ``wait=False``: False at once where tokens lack or others wait.  ``timeout``: at most so many
        seconds; where the due time lies beyond it, False at once.  ``cancel``: an event that ends the
        wait with False.  Who gives up leaves his tokens to those behind.  ValueError for tokens that
        are not positive or above the capacity: such a wait would never end.
        """
        with self._lock:
            if not 0 < tokens <= self._capacity:
                raise ValueError(f"tokens must be above 0 and at most {self._capacity:g}, not {tokens!r}")
            now = self._clock()
            if now > self._filled_at:
                self.allowance = min(self._capacity, self.allowance + (now - self._filled_at) * self._fill)
                self._filled_at = now
            if not self._queue and self.allowance + _SLACK >= tokens:
                self.allowance -= tokens
                self.consumed_count += tokens
                return True
            self.throttle_count += 1
            delay = (self._booked + tokens - self.allowance) / self._fill
            if not wait or (timeout is not None and not delay <= timeout) or (cancel and cancel.is_set()):
                return False
            turn = _Turn(tokens, now + delay, cancel)
            self._queue.append(turn)
            self._booked += tokens
        return self._wait_for(turn, None if timeout is None else now + timeout)

    def get_stats(self) -> dict[str, float]:
        """``rate``, ``per_seconds``, ``current_allowance`` (tokens, as of now), ``consumed_count``,
        ``throttle_count``."""
        with self._lock:
            elapsed = max(self._clock() - self._filled_at, 0.0)
            return {
                "rate": self.rate,
                "per_seconds": self.per_seconds,
                "current_allowance": max(min(self._capacity, self.allowance + elapsed * self._fill), 0.0),
                "consumed_count": self.consumed_count,
                "throttle_count": self.throttle_count,
            }

    def _wait_for(self, turn: _Turn, deadline: float | None) -> bool:
        """Sleep until the turn is due; serve whoever is due by then, this turn among them."""
        try:
            while True:
                until = turn.due if deadline is None else min(turn.due, deadline)
                self._pause(turn, max(until - self._clock(), 1e-6))
                with self._lock:
                    now = self._clock()
                    self._serve(now, turn)
                    if turn.granted:
                        return True
                    if (turn.cancel and turn.cancel.is_set()) or (deadline is not None and now >= deadline):
                        self._give_up(now, turn)
                        return False
                    turn.due = now + (self._ahead_of(turn) + turn.tokens - self.allowance) / self._fill
        except BaseException:  # an interrupt gives the turn up as well
            with self._lock:
                if not turn.granted:
                    self._give_up(self._clock(), turn)
            raise

    def _pause(self, turn: _Turn, seconds: float) -> None:
        if self._sleep is not None:
            self._sleep(seconds)
        elif turn.cancel is not None:
            turn.cancel.wait(min(seconds, threading.TIMEOUT_MAX))
        else:
            turn.wake.acquire(timeout=min(seconds, threading.TIMEOUT_MAX))

    def _serve(self, now: float, mine: _Turn | None) -> None:
        """Grant, in order, what the bucket holds; the lock is held.

        A turn that waits on a cancel event takes its tokens itself: nobody can wake it, so tokens
        granted for it now would be used later, together with those of a later window.
        """
        if now > self._filled_at:
            self.allowance = min(self._capacity, self.allowance + (now - self._filled_at) * self._fill)
            self._filled_at = now
        queue = self._queue
        while queue and self.allowance + _SLACK >= queue[0].tokens:
            turn = queue[0]
            if turn is not mine and (turn.cancel is not None or self._sleep is not None):
                return
            queue.popleft()
            self.allowance -= turn.tokens
            self.consumed_count += turn.tokens
            self._booked = self._booked - turn.tokens if queue else 0.0
            turn.granted = True
            if turn is not mine and turn.wake.locked():
                turn.wake.release()
        if queue and queue[0] is not mine:
            self._move_up(now, queue[0])

    def _move_up(self, now: float, head: _Turn) -> None:
        """Wake the first waiter if somebody ahead gave up and it would sleep past its new time."""
        due = now + (head.tokens - self.allowance) / self._fill
        if head.due > due + 0.001 and head.wake.locked():
            head.due = due
            head.wake.release()

    def _give_up(self, now: float, turn: _Turn) -> None:
        self._queue.remove(turn)
        self._booked = self._booked - turn.tokens if self._queue else 0.0
        self._serve(now, None)

    def _ahead_of(self, turn: _Turn) -> float:
        tokens = 0.0
        for other in self._queue:
            if other is turn:
                break
            tokens += other.tokens
        return tokens


# --- Retry ---------------------------------------------------------------------------------------

_LONGEST_SLEEP = 1e8  # seconds; beyond it the clocks of some platforms overflow
_NUMBER = re.compile(r"\s*(\d{1,9}(?:\.\d{1,9})?)\s*s?\s*\Z")
_RETRY_DELAY = re.compile(r"retry_?delay[\\\"'\s:={]+(?:seconds[\\\"'\s:=]+)?(\d{1,9}(?:\.\d{1,9})?)", re.IGNORECASE)


class RetryHelper:
    """Calls a function again after a failure, with waits that grow."""

    @staticmethod
    def retry_with_backoff(
        func: Callable[[], T],
        attempts: int = 3,
        base: float = 0.5,
        factor: float = 2.0,
        max_delay: float = 60.0,
        jitter: bool = True,
        error_classifier: Any = None,
        *,
        deadline: float | None = None,
        on_retry: Callable[[int, Exception, float], object] | None = None,
        cancel: threading.Event | None = None,
        max_server_delay: float = 300.0,
        sleep: Callable[[float], object] | None = None,
        random: Callable[[], float] | None = None,
        clock: Callable[[], float] = time.monotonic,
        wall_clock: Callable[[], float] = time.time,
    ) -> T:
        """``func()``'s result, after up to ``attempts`` attempts.

        Before attempt n+1 it waits ``min(base * factor**(n-1), max_delay)`` seconds, with jitter
        within 20 % of that and never above ``max_delay``.  A server's own word (Retry-After, Gemini's
        ``retryDelay``) is honoured where it is longer, up to ``max_server_delay`` seconds.

        ``error_classifier``: anything with ``should_retry(error) -> bool``; without one every
        ``Exception`` is retried.  ``deadline``: seconds over all attempts and waits; no wait is begun
        that would reach it.  ``on_retry(attempt, error, delay)`` is called before each wait; what it
        raises ends the retrying.  ``cancel`` ends a wait at once.  The last error is raised as it
        came; KeyboardInterrupt and SystemExit pass straight through.  ValueError for ``attempts < 1``
        and for times that are negative or not finite.  Thread-safe; holds no state.
        """
        end = float("inf")
        if attempts < 1:
            raise ValueError(f"attempts must be at least 1, not {attempts!r}")
        if not (0 <= base < end and 0 <= factor < end and 0 <= max_delay < end and 0 <= max_server_delay < end):
            raise ValueError("base, factor, max_delay and max_server_delay must be finite and not negative")
        if deadline is not None:
            if not 0 <= deadline < end:
                raise ValueError(f"deadline must be finite and not negative, not {deadline!r}")
            end = clock() + deadline
        step = float(base)
        attempt = 1
        while True:
            try:
                return func()
            except Exception as error:
                if attempt >= attempts or not (error_classifier is None or error_classifier.should_retry(error)):
                    raise
                delay = _jittered(step, max_delay, random) if jitter else min(step, max_delay)
                told = _server_delay(error, wall_clock)
                if told is not None:
                    delay = max(delay, min(told, max_server_delay))
                if (deadline is not None and clock() + delay >= end) or (cancel is not None and cancel.is_set()):
                    raise
                if on_retry is not None:
                    on_retry(attempt, error, delay)
                if not _slept(min(delay, _LONGEST_SLEEP), sleep, cancel):
                    raise
            step *= factor  # floats run into infinity, where an exponent would overflow
            attempt += 1


def _jittered(step: float, max_delay: float, random: Callable[[], float] | None) -> float:
    if random is None:
        from random import random as drawn
    else:
        drawn = random
    return min(min(step, max_delay) * (0.8 + 0.4 * drawn()), max_delay)


def _slept(seconds: float, sleep: Callable[[float], object] | None, cancel: threading.Event | None) -> bool:
    """Wait; False if cancelled meanwhile."""
    if sleep is not None:
        sleep(seconds)
    elif cancel is not None:
        cancel.wait(seconds)
    else:
        time.sleep(seconds)
    return cancel is None or not cancel.is_set()


def _server_delay(error: BaseException, wall_clock: Callable[[], float]) -> float | None:
    """Seconds that the server asks to wait, from the error or one of its causes; None if it says nothing."""
    link: BaseException | None = error
    for _ in range(10):
        if link is None:
            break
        try:
            for holder in (link, getattr(link, "response", None)):
                headers = getattr(holder, "headers", None)
                told = _retry_after(headers, wall_clock) if headers is not None else None
                if told is not None:
                    return told
            told = getattr(link, "retry_after", None)
        except Exception:  # noqa: BLE001 - a foreign exception's property may raise anything; then it says nothing
            told = None
        if isinstance(told, (int, float)) and 0 <= told < float("inf"):
            return float(told)
        text = _details_of(link)
        if "etry" in text:
            match = _RETRY_DELAY.search(text)
            if match is not None:
                return float(match[1])
        link = link.__cause__
    return None


def _retry_after(headers: Any, wall_clock: Callable[[], float]) -> float | None:
    """The Retry-After of a mapping of headers: seconds, or a date (RFC 9110, section 10.2.3)."""
    value = headers.get("Retry-After") or headers.get("retry-after")
    if value is None:
        return None
    match = _NUMBER.match(str(value))
    if match is not None:
        return float(match[1])
    from email.utils import parsedate_to_datetime  # slow to import, and rarely needed

    try:
        return max(parsedate_to_datetime(str(value)).timestamp() - wall_clock(), 0.0)
    except (TypeError, ValueError, OverflowError):
        return None


# --- The durable checkpoint ----------------------------------------------------------------------

FORMAT_VERSION = "2.0.0"
STAGES = ("not_started", "in_progress", "completed", "failed")
_RESERVED = frozenset({"run_id", "version", "created_at", "last_updated", "papers", "stats"})
_RECORD_KEYS = frozenset(
    {"stage", "stages", "retries", "started_at", "completed_at", "last_error", "errors"}
)
_ERRORS_KEPT = 10
_MESSAGE_LIMIT = 2_000  # characters of an error that are kept
_DEEPEST = 100  # levels of nesting that are written
_NEW: Record = {}  # a paper that nothing is known of
_encode = json.JSONEncoder(allow_nan=False).encode


class CheckpointError(RuntimeError):
    """Root of what a checkpoint can raise beside OSError (a full disk, no permission) and ValueError."""


class CheckpointLockedError(CheckpointError):
    """Another process writes this checkpoint; ``pid`` is its process id, or None if it could not be read."""

    def __init__(self, path: str, pid: int | None) -> None:
        super().__init__(
            f"{path} is being written by process {pid or '(unknown)'}; wait for it or stop it, then try again"
        )
        self.pid = pid


class CheckpointSupersededError(CheckpointError):
    """A later manager in this process writes the file now."""


class CheckpointConflictError(CheckpointError):
    """The file has been changed by somebody else since it was loaded."""


class CheckpointVersionError(CheckpointError):
    """The file has a newer format than this program knows."""


class CheckpointDamagedError(CheckpointError):
    """A file is damaged in a way that no crash explains; ``path`` and ``offset`` (bytes) say where."""

    def __init__(self, path: str, offset: int, what: str) -> None:
        super().__init__(
            f"{path} is damaged at byte {offset}: {what}. Nothing has been changed. Put back a copy from a "
            "backup, or move this file away to go on with what the other files of the checkpoint hold."
        )
        self.path = path
        self.offset = offset


def _text(value: object) -> str:
    """``str(value)`` as JSON gives it back: the two halves of a surrogate pair become one character."""
    text = str(value)
    return text if text.isascii() else text.encode("utf-16", "surrogatepass").decode("utf-16", "surrogatepass")


def _plain(value: Any, depth: int = 0) -> Any:
    """An own copy of JSON data, strict: NaN and infinities become null, tuples lists; else TypeError, ValueError."""
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, str):
        return _text(value)
    if isinstance(value, int):
        str(value)  # ValueError here for numbers of more digits than Python reads back
        return int(value)
    if isinstance(value, float):
        return float(value) if abs(value) < float("inf") else None
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
    """The run and its papers in memory.  Records are replaced, never changed, so that copies may share them."""

    def __init__(self, now: str) -> None:
        self.run: Record = {
            "run_id": f"{now}_{os.urandom(3).hex()}", "version": FORMAT_VERSION, "created_at": now
        }  # fmt: skip
        self.last_updated = now
        self.papers: dict[str, Record] = {}
        self.lines: dict[str, str] = {}  # each paper as its line of the JSON file
        self.text: str | None = None  # the file that was read, until its lines are needed
        self._in_stage: dict[str, int] = dict.fromkeys(STAGES, 0)
        self._retries = 0
        self._exact = True

    def put(self, paper_id: str, record: Record, line: str) -> None:
        """Replace a paper's record; the counts follow.  An interrupt in between has them counted anew."""
        self._exact, exact = False, self._exact
        old = self.papers.get(paper_id)
        self.lines[paper_id] = line
        self.papers[paper_id] = record
        if old is not None:
            self._in_stage[old["stage"]] -= 1
            self._retries -= old["retries"]
        self._in_stage[record["stage"]] += 1
        self._retries += record["retries"]
        self._exact = exact

    def cut_lines(self) -> None:
        """Make ``lines`` what the file that was read has; before the first change."""
        if self.text is not None:
            self.lines, self.text = _kept_lines(self.text, self.papers), None

    def count(self) -> None:
        """Derive the counts from the papers."""
        self._in_stage, self._retries = _tally(self.papers)
        self._exact = True

    def stats(self) -> dict[str, int]:
        if not self._exact:
            self.count()
        return {
            "total_papers": len(self.papers),
            "completed_papers": self._in_stage["completed"],
            "failed_papers": self._in_stage["failed"],
            "retries": self._retries,
        }

    def frame(self) -> tuple[str, str]:
        """The JSON file before and after the papers' lines."""
        run = [f"  {_encode(key)}: {_encode(value)}" for key, value in self.run.items()]
        head = [*run[:3], f'  "last_updated": {_encode(self.last_updated)}', '  "papers": {']
        tail = [f'  "stats": {_encode(self.stats())}', *run[3:]]
        return "{\n" + ",\n".join(head), "  },\n" + ",\n".join(tail) + "\n}\n"


def _advanced(old: Record, stage: str, names: tuple[str, ...], error: str | None, now: str) -> Record:
    """The record of a paper after an update, its keys in the order of the file format."""
    had = old.get("stages", {})
    anew = stage == "not_started"
    if anew:
        stages = {name: had.get(name, now) for name in names}
    else:
        stages = {**had, **{name: now for name in names if name not in had}} if names else had
    record: Record = {"stage": stage, "stages": stages, "retries": old.get("retries", 0)}
    started = None if anew else old.get("started_at") or (now if stage == "in_progress" else None)
    if started is not None:
        record["started_at"] = started
    if stage == "completed":
        record["completed_at"] = old.get("completed_at") or now
    errors = old.get("errors")
    if error is not None:
        record["last_error"] = error
        errors = [*(errors or ()), {"message": error, "at": now}][-_ERRORS_KEPT:]
    elif not anew and "last_error" in old:
        record["last_error"] = old["last_error"]
    if errors:
        record["errors"] = errors
    for key in old:
        if key not in _RECORD_KEYS:  # somebody else's key in the file
            record[key] = old[key]
    return record


def _message(error: object) -> str:
    """The text of an error, bounded."""
    text = _text(error)
    return text if len(text) <= _MESSAGE_LIMIT else text[:_MESSAGE_LIMIT] + "…"


def _flush_data(descriptor: int) -> None:
    (getattr(os, "fdatasync", None) or os.fsync)(descriptor)  # looked up at each call


def _flush_folder(path: str) -> None:
    """Make the names in the folder of ``path`` durable, where the platform can."""
    try:
        descriptor = os.open(os.path.dirname(path), os.O_RDONLY)
    except OSError:
        if os.name == "nt":  # a folder cannot be opened there, and renames are journaled
            return
        raise
    try:
        os.fsync(descriptor)
    except OSError as error:
        if error.errno not in (errno.EINVAL, errno.ENOTSUP):  # this file system has no such flush
            raise
    finally:
        os.close(descriptor)


def _write_whole(descriptor: int, data: bytes) -> None:
    """Write all of ``data``; a short write is followed by the rest or by the error that caused it."""
    view = memoryview(data)
    while view:
        written = os.write(descriptor, view)
        if written <= 0:
            raise OSError(errno.EIO, "nothing could be written")
        view = view[written:]


def _replace_file(path: str, pieces: Iterable[bytes]) -> None:
    """Write a whole file beside ``path``, flush it, and rename it into place: readers see the old or the new."""
    beside = path + ".tmp"
    descriptor = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | getattr(os, "O_BINARY", 0), 0o666)
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


# A frame of the journal: magic, length of the payload, check of the length, check of the payload;
# the payload; an end mark.  The payload is ASCII without zero bytes: a line with the time, then one
# line a paper (`"id": {...}`) or for the run (`{...}`).
_HEADER = struct.Struct("<4sIII")
_MAGIC = b"\xf7CJ2"
_END = b"\xf6END"
_SECTOR = 512  # bytes that a disk writes whole or not at all
_FIRST_ROOM, _MORE_ROOM = 1 << 16, 1 << 20


def _framed(payload: bytes) -> bytes:
    length = len(payload)
    return b"".join(
        (_HEADER.pack(_MAGIC, length, zlib.crc32(b"%d" % length), zlib.crc32(payload)), payload, _END)
    )


class _Journal:
    """An append-only file whose blocks are zero-filled ahead, so that a flush need not record a new size.

    Not thread-safe: the manager's ``_io`` guards it.
    """

    def __init__(self, path: str, first: bytes) -> None:
        """Create the file with one frame in it, all of it durable, its name too."""
        self.path = path
        self._end = 0  # what is whole and flushed ends here
        self._reached = 0  # an append may have written up to here
        self._room = 0  # zero-filled up to here
        self.trusted = True  # no flush has failed: after one, pages may be lost although the next succeeds
        self._descriptor = os.open(
            path, os.O_RDWR | os.O_CREAT | os.O_TRUNC | getattr(os, "O_BINARY", 0), 0o666
        )
        try:
            self.append(first)
            _flush_folder(path)
        except BaseException:
            self.close()
            _remove(path)
            raise

    def append(self, payload: bytes) -> None:
        """Write and flush one frame.  What an append before it left half done is cut off first."""
        frame = _framed(payload)
        if self._reached > self._end:
            os.ftruncate(self._descriptor, self._end)
            self._room = self._reached = self._end
        if self._end + len(frame) > self._room:
            self._make_room(len(frame))
        self._reached = self._end + len(frame)
        _write_whole(self._descriptor, frame)
        self._flush(_flush_data)
        self._end = self._reached

    def _make_room(self, needed: int) -> None:
        """Fill with zeros ahead and flush; on a nearly full disk as far as it goes, if that is enough."""
        target = self._end + needed + (_MORE_ROOM if self._room else _FIRST_ROOM)
        os.lseek(self._descriptor, self._room, os.SEEK_SET)
        try:
            while self._room < target:
                zeros = bytes(min(target - self._room, _MORE_ROOM))
                self._room += os.write(self._descriptor, zeros)
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
    used = len(data.rstrip(b"\0"))
    at = 0
    while at < used:
        end = _frame_end(data, at)
        if end is not None and end <= len(data) and _is_whole(data, at, end):
            payloads.append(data[at + _HEADER.size : end - len(_END)])
            at = end
        elif _is_torn(data, at, end, used):
            return payloads, True
        else:
            what = "the length of a record" if end is None else "a record or its end mark"
            raise CheckpointDamagedError(path, at, what + " does not agree with its checksum")
    return payloads, False


def _frame_end(data: bytes, at: int) -> int | None:
    """Where the frame at ``at`` ends by its header; None if the header is not sound."""
    if len(data) - at < _HEADER.size:
        return None
    magic, length, length_check, _ = _HEADER.unpack_from(data, at)
    if magic != _MAGIC or zlib.crc32(b"%d" % length) != length_check:
        return None
    return int(at + _HEADER.size + length + len(_END))


def _is_whole(data: bytes, at: int, end: int) -> bool:
    payload_check = _HEADER.unpack_from(data, at)[3]
    view = memoryview(data)[at + _HEADER.size : end - len(_END)]
    return data[end - len(_END) : end] == _END and zlib.crc32(view) == payload_check


def _is_torn(data: bytes, at: int, end: int | None, used: int) -> bool:
    """Is the unsound frame at ``at`` what a crash leaves of an append: the last one, short, or with
    sectors that are all zero?  Whole bytes that were changed are damage instead."""
    if end is None:  # the header itself is missing or cut
        if used - at < _HEADER.size:
            return True
        edge = (at // _SECTOR + 1) * _SECTOR
        torn = not any(data[at:edge]) or (edge - at < _HEADER.size and not any(data[edge : edge + _SECTOR]))
        return torn and not _has_frame_after(data, at)
    if end > len(data):
        return True
    if used > end:  # something was appended later: this frame had been acknowledged
        return False
    starts = [at, *range((at // _SECTOR + 1) * _SECTOR, end, _SECTOR)]
    sectors = zip(starts, [*starts[1:], end], strict=True)
    return data[end - 1] == 0 or any(not any(data[start:stop]) for start, stop in sectors)


def _has_frame_after(data: bytes, at: int) -> bool:
    while (at := data.find(_MAGIC, at + 1)) >= 0:
        end = _frame_end(data, at)
        if end is not None and end <= len(data) and _is_whole(data, at, end):
            return True
    return False


class _Disk:
    """What lies on disk for one checkpoint: the JSON file, its journals, and the state that they make together.

    ``state`` is None where there is no run; ``legacy`` is the text of a file of format 1.x.
    """

    def __init__(self, path: str, now: str) -> None:
        """Read beside a writer: again if it folded meanwhile, or was appending.  CheckpointError, OSError."""
        self.path = path
        self.state: _State | None
        seen: object = None
        for _ in range(1_000):
            file, self.journals = _identity(path), _journals_of(path)
            self._journal_data = [_read(name) for name in self.journals]
            self._json = _read(path)
            self.signature = _signature(file, self.journals, self._journal_data)
            if (file, self.journals) != (_identity(path), _journals_of(path)):
                continue
            collecting = gc.isenabled()
            gc.disable()  # it would walk over all papers again and again while they are made
            try:
                self._combine(now)
                return
            except CheckpointDamagedError:
                if self.signature == seen:  # twice the same: no append was under way
                    raise
                seen = self.signature
                time.sleep(0.005)
            finally:
                if collecting:
                    gc.enable()
        raise CheckpointConflictError(f"{path} changes faster than it can be read; try again")

    def _combine(self, now: str) -> None:
        self.legacy: Record | None = None
        self.state = self._read_json(now) if self._json.strip() else None
        torn_in: str | None = None
        for name, data in zip(self.journals, self._journal_data, strict=True):
            payloads, torn = _read_frames(name, data)
            if torn_in is not None and len(payloads) > 1:  # only the last append of all can be unfinished
                raise CheckpointDamagedError(torn_in, 0, "its last record is unfinished, yet a later file goes on")
            torn_in = name if torn else torn_in
            if payloads and (self.state is not None or len(payloads) > 1):
                self._replay(name, payloads, now)

    def _read_json(self, now: str) -> _State | None:
        try:
            text = self._json.decode("utf-8-sig")
            document = json.loads(text, parse_constant=lambda _: None)
        except (ValueError, RecursionError) as error:
            at = getattr(error, "pos", getattr(error, "start", 0))
            raise CheckpointDamagedError(self.path, at, f"it is no JSON document ({error})") from error
        if not isinstance(document, dict) or not ("papers" in document or "stages" in document):
            raise CheckpointDamagedError(self.path, 0, "it is no checkpoint: neither papers nor stages are in it")
        if "papers" not in document:
            self.legacy = document
            return None
        _check_version(self.path, document.get("version", FORMAT_VERSION))
        papers = document["papers"]
        _check_papers(self.path, papers)
        state = _State(now)
        run = {key: value for key, value in document.items() if key not in _RESERVED}
        state.run = {key: document.get(key, state.run[key]) for key in state.run} | run
        state.last_updated = document.get("last_updated", now)
        state.papers = papers
        state.text = text
        state.count()
        return state

    def _replay(self, name: str, payloads: list[bytes], now: str) -> None:
        """Put a journal's records over the state; each holds the whole state of its paper or of the run.

        The first tells which run it is, as the run was when the file was made: the JSON file is newer.
        """
        run = json.loads(payloads[0].partition(b"\n")[2])
        if self.state is None:
            self.state = _State(now)
            self.state.run = run
        elif self.state.run["run_id"] != run["run_id"]:
            raise CheckpointDamagedError(name, 0, f"it is of run {run['run_id']}, not of that in {self.path}")
        self.state.cut_lines()
        for payload in payloads[1:]:
            self.state.last_updated, *lines = payload.decode("utf-8").split("\n")
            for line in lines:
                if line.startswith("{"):
                    self.state.run = json.loads(line)
                else:
                    ((paper_id, record),) = json.loads("{" + line + "}").items()
                    self.state.papers[paper_id] = record
                    self.state.lines[paper_id] = line
        self.state.count()


def _identity(path: str) -> object:
    """What tells one JSON file from the next; None for a missing or empty one."""
    try:
        found = os.stat(path)
    except FileNotFoundError:
        return None
    return (found.st_ino, found.st_size, found.st_mtime_ns) if found.st_size else None


def _signature(file: object, journals: list[str], contents: list[bytes]) -> object:
    """What tells one state on disk from another."""
    return file, tuple(zip(journals, (zlib.crc32(data.rstrip(b"\0")) for data in contents), strict=True))


def _signature_of(path: str) -> object:
    journals = _journals_of(path)
    return _signature(_identity(path), journals, [_read(name) for name in journals])


def _read(path: str) -> bytes:
    """The contents of a file; empty if there is none."""
    try:
        with open(path, "rb") as file:
            return file.read()
    except FileNotFoundError:
        return b""


def _journals_of(path: str) -> list[str]:
    """The journals of a checkpoint, oldest first."""
    folder, name = os.path.split(path)
    prefix = name + ".journal-"
    try:
        names = os.listdir(folder)
    except FileNotFoundError:
        return []
    numbers = [int(n[len(prefix) :]) for n in names if n.startswith(prefix) and n[len(prefix) :].isdecimal()]
    return [os.path.join(folder, f"{prefix}{number}") for number in sorted(numbers)]


def _check_version(path: str, version: object) -> None:
    match = re.match(r"(\d{1,9})\.(\d{1,9})", str(version))
    if match is None:
        raise CheckpointDamagedError(path, 0, f"its version {version!r} is none")
    if (int(match[1]), int(match[2])) > (2, 0):
        raise CheckpointVersionError(
            f"{path} has format {version}, and this program knows {FORMAT_VERSION}: use the newer program"
        )


def _tally(papers: dict[str, Record]) -> tuple[dict[str, int], int]:
    """Papers by stage, and the sum of their retries; each thing in one pass of C, for there may be 100,000."""
    in_stage = Counter(map(itemgetter("stage"), papers.values()))
    return dict.fromkeys(STAGES, 0) | in_stage, sum(map(itemgetter("retries"), papers.values()))


def _check_papers(path: str, papers: Any) -> None:
    """Every paper's entry must be one; what a hand-made entry lacks is filled in."""
    if type(papers) is not dict:
        raise CheckpointDamagedError(path, 0, "its papers are no object")
    records = papers.values()
    try:
        kinds = set(map(type, map(itemgetter("stages"), records))) | {dict}
        counts = set(map(type, map(itemgetter("retries"), records))) | {int}
        errors = set(map(type, map(dict.get, records, repeat("errors")))) | {list, type(None)}
        stages = {*STAGES, *map(itemgetter("stage"), records)}
        if len(kinds) == len(counts) == 1 and len(errors) == 2 and len(stages) == len(STAGES):
            return
    except (KeyError, TypeError):  # look closer
        pass
    for paper_id, record in papers.items():
        if not (
            isinstance(record, dict)
            and record.get("stage") in STAGES
            and isinstance(record.setdefault("stages", {}), dict)
            and type(record.setdefault("retries", 0)) is int
            and isinstance(record.get("errors", []), list)
        ):
            raise CheckpointDamagedError(path, 0, f"the entry of paper {paper_id[:200]!r} is none")


def _kept_lines(text: str, papers: dict[str, Record]) -> dict[str, str]:
    """The line of each paper, out of a file in our layout; encoded anew for a file edited by others."""
    start = text.find('\n  "papers": {\n    ')
    end = text.rfind('\n  },\n  "stats": ')
    if 0 <= start < end:
        lines = text[start + 19 : end].split(",\n    ")
        if len(lines) == len(papers) and (
            all(map(str.startswith, lines, map('"{}": {{'.format, papers)))
            or all(map(str.startswith, lines, map("{}: {{".format, map(_encode, papers))))
        ):
            return dict(zip(papers, lines, strict=True))
    return {paper_id: f"{_encode(paper_id)}: {_encode(_plain(record))}" for paper_id, record in papers.items()}


def _json_pieces(head: str, lines: list[str], tail: str) -> Iterator[bytes]:
    """The JSON file from its lines, in pieces short enough to let other threads in between."""
    yield (head + ("\n" if lines else "")).encode()
    for at in range(0, len(lines), 2_000):
        last = at + 2_000 >= len(lines)
        yield ("    " + ",\n    ".join(lines[at : at + 2_000]) + ("\n" if last else ",\n")).encode()
    yield (tail if lines else tail.lstrip(" ")).encode()


try:
    import fcntl as _fcntl
except ImportError:  # not on every platform; a file with the holder's process id is then the lock
    fcntl: Any = None
else:
    fcntl = _fcntl


class _WriterLock:
    """One writer per checkpoint, across processes: ``<file>.lock`` with the holder's process id in it.

    With ``fcntl`` the system releases it when the holder dies.  Without, a lock of a dead process is
    taken over.  A forked child closes its copy of the descriptor, so it holds nothing.
    """

    def __init__(self, path: str) -> None:
        """CheckpointLockedError if somebody else holds it."""
        self.path = path + ".lock"
        while True:
            descriptor = self._open(path)
            try:
                if self._still_named(descriptor):  # the former holder may have removed it meanwhile
                    os.ftruncate(descriptor, 0)
                    os.write(descriptor, b"%d" % os.getpid())
                    self._descriptor = descriptor
                    return
            except BaseException:
                os.close(descriptor)
                raise
            os.close(descriptor)

    def _open(self, path: str) -> int:
        if fcntl is None:
            return self._open_without_flock(path)
        descriptor = os.open(self.path, os.O_RDWR | os.O_CREAT, 0o666)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BaseException as error:
            os.close(descriptor)
            if isinstance(error, BlockingIOError):
                raise CheckpointLockedError(path, self._holder()) from None
            raise
        return descriptor

    def _open_without_flock(self, path: str) -> int:
        if os.path.exists(self.path):
            pid = self._holder()
            if pid is not None and pid != os.getpid() and _is_alive(pid, self.path):
                raise CheckpointLockedError(path, pid)
            _remove(self.path)
        try:
            return os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o666)
        except FileExistsError:
            raise CheckpointLockedError(path, self._holder()) from None

    def _still_named(self, descriptor: int) -> bool:
        try:
            return os.path.samestat(os.fstat(descriptor), os.stat(self.path))
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
        if os.name == "nt":  # an open file cannot be removed there
            self.forget()
            _remove(self.path)
        else:
            _remove(self.path)
            self.forget()

    def forget(self) -> None:
        """Close the descriptor without releasing what a parent process holds through it."""
        descriptor, self._descriptor = self._descriptor, -1
        if descriptor >= 0:
            os.close(descriptor)


def _is_alive(pid: int, lock_path: str) -> bool:
    """Only where there is no fcntl."""
    if os.name == "nt":  # a signal would end the process; but the file of a living holder cannot be removed
        try:
            _remove(lock_path)
            return False
        except OSError:
            return True
    try:
        os.kill(pid, 0)
        return True
    except ProcessLookupError:
        return False
    except PermissionError:
        return True


class _Writer:
    """The files of one checkpoint while this process writes them: the lock, the journals, the JSON file.

    Guarded by the manager's ``_io`` (which journal, and appending), ``_folding`` (the JSON file, the
    retired journals) and by ``_WRITERS_LOCK`` (opening and letting go).
    """

    def __init__(self, path: str) -> None:
        self.path = path
        self.journal: _Journal | None = None  # set while this process writes
        self.retired: list[_Journal] = []  # journals before it, until a JSON file holds what is in them
        self.lock: _WriterLock | None = None
        self.based_on: object = None  # the signature of what is on disk, when the state was the same
        self._number = 0  # of the newest journal

    def is_sound(self) -> bool:
        """Is there a journal, and has no flush failed since the last whole file?"""
        return self.journal is not None and all(journal.trusted for journal in [self.journal, *self.retired])

    def next_journal(self, state: _State) -> _Journal:
        self._number += 1
        first = f"{state.last_updated}\n{_encode(state.run)}"
        return _Journal(f"{self.path}.journal-{self._number}", first.encode())

    def open(self, state: _State, loaded: bool, now: str) -> None:
        """Make the disk agree with the state, and begin a journal; the lock is held.

        What a crash left in journals is folded, never appended to.  A state that was not loaded begins
        a new run, and the old one is set aside.
        """
        state.cut_lines()
        journals = self.check_unchanged(state, now) if loaded else self._set_old_run_aside(now)
        self._number = max([0, *(int(name.rpartition("-")[2]) for name in journals)])
        journal = self.next_journal(state)
        if journals:
            try:
                _write_state(self.path, state)
                for name in journals:
                    _remove(name)
                _flush_folder(self.path)
            except BaseException:
                journal.close()
                _remove(journal.path)
                raise
        self.journal = journal

    def check_unchanged(self, state: _State, now: str) -> list[str]:
        """The journals of the loaded run; CheckpointConflictError if somebody wrote since."""
        if _signature_of(self.path) == self.based_on:
            return _journals_of(self.path)
        disk = _Disk(self.path, now)
        if disk.state is None or (disk.state.run, disk.state.papers) != (state.run, state.papers):
            raise CheckpointConflictError(f"{self.path} has changed since it was loaded; load it again")
        return disk.journals

    def _set_old_run_aside(self, now: str) -> list[str]:
        """Keep what a new run would replace: folded if it can be read, else the files as they are."""
        try:
            disk = _Disk(self.path, now)
        except CheckpointError:
            aside = _free_name(self.path, "previous")
            for name in _journals_of(self.path):
                os.rename(name, aside + name[len(self.path) :])
            if os.path.exists(self.path):
                os.rename(self.path, aside)
        else:
            if disk.legacy is not None:
                _keep_legacy(self.path)
                _remove(self.path)
            elif disk.state is not None:
                if disk.journals:
                    _write_state(self.path, disk.state)
                aside = _free_name(self.path, "previous")
                os.replace(self.path, aside)
                for name in _journals_of(aside):
                    _remove(name)
            for name in disk.journals:
                _remove(name)
        _flush_folder(self.path)
        return []

    def drop_retired(self) -> None:
        """A JSON file holds all that is in them, and in any that an interrupt left behind."""
        for journal in self.retired:
            journal.close()
            _remove(journal.path)
        for name in _journals_of(self.path) if self.journal is None else ():
            _remove(name)
        _flush_folder(self.path)
        self.retired = []

    def close_files(self) -> None:
        journals = [journal for journal in [*self.retired, self.journal] if journal is not None]
        self.journal, self.retired = None, []
        for journal in journals:
            journal.close()

    def let_go(self) -> None:
        """Close what is open and release the lock; the files stay as they are."""
        self.close_files()
        if self.lock is not None:
            lock, self.lock = self.lock, None
            self.based_on = _signature_of(self.path)
            lock.release()

    def forget(self) -> None:
        """In a forked child: hold nothing of the parent's; a write must first get the lock."""
        if self.lock is not None:
            self.lock.forget()
        self.close_files()
        self.lock = self.based_on = None


def _write_state(path: str, state: _State) -> None:
    state.cut_lines()
    head, tail = state.frame()
    _replace_file(path, _json_pieces(head, list(state.lines.values()), tail))


def _free_name(path: str, kind: str, content: bytes | None = None) -> str:
    """``<name>.<kind>.json``, with a number where that is taken; by a file of this ``content`` it is not, nor,
    without ``content``, by a run whose papers are all completed or failed."""
    stem = path.removesuffix(".json")
    number = 1
    while True:
        name = f"{stem}.{kind}.json" if number == 1 else f"{stem}.{kind}.{number}.json"
        if not os.path.exists(name) or (_read(name) == content if content is not None else _is_finished(name)):
            return name
        number += 1


def _is_finished(path: str) -> bool:
    try:
        state = _Disk(path, "").state
    except CheckpointError:
        return False
    return state is not None and all(r["stage"] in ("completed", "failed") for r in state.papers.values())


def _keep_legacy(path: str) -> str:
    """Keep a file of format 1.x beside, once; its new name."""
    content = _read(path)
    kept = _free_name(path, "v1", content)
    if not os.path.exists(kept):
        _replace_file(kept, [content])
    return kept


def _warn(message: str, *arguments: object) -> None:
    import logging  # slow to import, and rarely needed

    logging.getLogger(__name__).warning(message, *arguments)


class _Waiter:
    """An update that waits for another thread's flush, or to be made the leader of the next."""

    __slots__ = ("done", "error", "lock")

    def __init__(self) -> None:
        self.done = False
        self.error: BaseException | None = None
        self.lock = allocate_lock()
        self.lock.acquire()


class CheckpointManagerV2:
    """Which paper has come how far, durably; the file format is in the user's guide.

    When an update returns, it survives kill -9 and loss of power: it is in an append-only journal
    beside the file, flushed.  A thread of its own folds the journal into the JSON file, so that who
    reads only that is about a second behind, or as long as keeps folding under 5 % of the time.
    Updates of several threads share one flush.  Thread-safe, all of it.

    The first write takes a lock for this process; ``close()``, exit and death release it.  A manager
    that has not loaded an existing run begins a new one, and its first write sets the old state aside
    as ``<name>.previous.json``.  ``dry_run=True`` keeps all in memory and touches no file.

    Raises OSError for a full disk and the like: the update may show in memory and is on disk with the
    next one that succeeds; CheckpointError for another writer or a damaged file.

    ``fold_after`` (seconds) is how far the JSON file may lag; ``clock`` (monotonic seconds) and
    ``wall_clock`` (seconds since the epoch) can be replaced for tests.
    """

    def __init__(
        self,
        checkpoint_file: str | os.PathLike[str],
        dry_run: bool = False,
        *,
        fold_after: float = 0.9,
        clock: Callable[[], float] = time.monotonic,
        wall_clock: Callable[[], float] = time.time,
    ) -> None:
        """Touches nothing: neither file nor folder need exist."""
        self.checkpoint_file = checkpoint_file
        self.dry_run = dry_run
        self._path = os.path.realpath(os.fspath(checkpoint_file))
        self._fold_after = fold_after
        self._clock = clock
        self._wall_clock = wall_clock
        self._second, self._stamp = -1, ""
        self._state = _State(self._now())
        self._writer = _Writer(self._path)
        self._loaded = False  # the state goes on with what is on disk
        self._superseded = False
        self._ticket = self._durable = self._folded = 0  # updates made; on disk; in the JSON file
        self._dirty: dict[str, str] = {}  # lines not yet known to be on disk, by paper
        self._run_dirty = False
        self._fold_due, self._fold_failed = float("-inf"), False
        self._make_locks()

    def _make_locks(self) -> None:
        self._folding = threading.RLock()  # one fold at a time
        self._io = allocate_lock()  # the journal, and which file it is
        self._mutex = allocate_lock()  # the state, the dirty lines, the counters, the waiters
        self._waiters: list[_Waiter] = []
        self._led = False  # a thread is writing a batch, or has been chosen to
        self._fold_thread: threading.Thread | None = None
        self._closing = threading.Event()

    # Reading

    @property
    def data(self) -> Record:
        """The whole checkpoint as in its file: a plain dict of the caller's own, made at each reading."""
        with self._mutex:
            run, papers = dict(self._state.run), dict(self._state.papers)
            stats, updated = self._state.stats(), self._state.last_updated
        snapshot = {key: run.pop(key) for key in ("run_id", "version", "created_at")}
        snapshot |= {"last_updated": updated, "papers": _plain(papers), "stats": stats}
        return snapshot | {key: _plain(value) for key, value in run.items()}

    def get_paper_status(self, paper_id: str) -> Record | None:
        """A copy of the paper's record, or None for an unknown paper."""
        record = self._state.papers.get(_text(paper_id))
        return None if record is None else dict(_plain(record))

    def get_incomplete_papers(self) -> list[str]:
        """The papers that are neither completed nor failed, in the order first seen."""
        with self._mutex:
            papers = list(self._state.papers.items())
        return [paper_id for paper_id, record in papers if record["stage"] not in ("completed", "failed")]

    def stage_of(self, paper_id: str) -> str | None:
        """The paper's stage, or None for an unknown paper; cheaper than its record."""
        record = self._state.papers.get(_text(paper_id))
        return None if record is None else str(record["stage"])

    @property
    def retries(self) -> int:
        """Retries counted over all papers, as in ``stats``."""
        with self._mutex:
            return self._state.stats()["retries"]

    def load(self) -> bool:
        """Take the run that is in the file and its journal; False if there is none.

        Takes no lock, and reads beside a writer.  What a crash left unfinished at the journal's end is
        dropped; CheckpointDamagedError for any other damage, CheckpointVersionError for a newer format.
        A file of format 1.x is kept as ``<name>.v1.json``, its stages told in a warning; False then.
        """
        with _WRITERS_LOCK:
            if self._writer.journal is not None:  # the state in memory is the newer one
                return True
            disk = _Disk(self._path, self._now())
            if disk.legacy is not None:
                self._tell_legacy(disk.legacy)
            self._loaded = disk.state is not None
            self._superseded = False
            self._writer.based_on = disk.signature
            if disk.state is None:
                return False
            with self._mutex:
                self._state = disk.state
                self._dirty, self._run_dirty = {}, False
                self._durable = self._folded = self._ticket
            return True

    def _tell_legacy(self, document: Record) -> None:
        kept = "left as it is" if self.dry_run else f"kept as {os.path.basename(_keep_legacy(self._path))}"
        stages = document["stages"]
        told = ", ".join(
            f"{name} {stage.get('status', '?') if isinstance(stage, dict) else stage}"
            for name, stage in (stages.items() if isinstance(stages, dict) else ())
        )
        _warn(
            "%s has format 1.x, which knows no papers: it is %s, and a new run begins. Its stages: %s",
            self._path, kept, told or "none",
        )  # fmt: skip

    # Updating

    def update_paper_status(
        self, paper_id: str, stage: str, stages_completed: Iterable[str] | None = None, error: object = None
    ) -> None:
        """Record where a paper stands; durable on return.

        ``stage``: not_started, in_progress, completed or failed, else ValueError.  ``stages_completed``
        are added to the paper's ``stages`` with the time (one that is there keeps its time).
        "not_started" begins the paper anew: its stages are cut to those named, its times and last
        error cleared.  ``error`` goes to ``last_error`` and to ``errors``, of which the last 10 are kept.
        """
        self._record(paper_id, stage, stages_completed, error)
        self.flush()

    def note_paper_status(
        self, paper_id: str, stage: str, stages_completed: Iterable[str] | None = None, error: object = None
    ) -> None:
        """As ``update_paper_status``, but durable only with the next ``flush``, update or fold."""
        self._record(paper_id, stage, stages_completed, error)

    def increment_retries(self, paper_id: str) -> int:
        """Count one more retry of a paper, durably; the new count.  An unknown paper becomes known."""
        paper_id = _text(paper_id)
        self._begin()
        with self._mutex:
            old = self._state.papers.get(paper_id) or {"stage": "not_started", "stages": {}, "retries": 0}
            retries = int(old["retries"]) + 1
            self._put(paper_id, old | {"retries": retries})
        self.flush()
        return retries

    def update_run(self, **fields: Any) -> None:
        """Set further top-level keys of the file to JSON data, durably; NaN and infinities become null.

        ValueError for a key of the format's own (papers, stats, version ...), for data nested too deep
        or with keys that are no text; TypeError for what is no JSON data.
        """
        reserved = _RESERVED.intersection(fields)
        if reserved:
            raise ValueError(f"{', '.join(sorted(reserved))}: the checkpoint's own, set by itself")
        fields = _plain(fields)
        self._begin()
        with self._mutex:
            self._run_dirty = True
            self._state.run = self._state.run | fields
            self._counted()
        self.flush()

    def flush(self) -> None:
        """Return when every update made so far is on disk."""
        if self.dry_run:
            return
        ticket = self._ticket
        if get_ident() == threading.main_thread().ident:  # an interrupt can strike here: nobody depends on it
            self._make_durable(ticket, None)
            return
        waiter = None
        with self._mutex:
            if self._durable >= ticket:
                return
            if self._led:
                waiter = _Waiter()
                self._waiters.append(waiter)
            self._led = True
        if waiter is not None:
            waiter.lock.acquire()
            if waiter.error is not None:
                raise waiter.error
            if waiter.done:
                return
        self._lead(ticket)

    def save(self) -> None:
        """Bring the JSON file up to date now."""
        self._begin()
        if not self.dry_run:
            self._fold()

    def close(self) -> None:
        """Bring the JSON file up to date, remove the journal, release the lock.

        On OSError the journal stays, and with it all that was acknowledged; the lock is released.  A
        later update opens the checkpoint again.
        """
        with _WRITERS_LOCK:
            if self._writer.journal is None:
                return
            self._closing.set()
            thread = self._fold_thread
            if thread is not None and thread is not threading.current_thread():
                thread.join()
            try:
                self._fold(final=True)
            finally:
                _WRITERS.pop(self._path, None)
                self._writer.let_go()

    def __enter__(self) -> CheckpointManagerV2:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    # The way of an update

    def _record(self, paper_id: str, stage: str, names: Iterable[str] | None, error: object) -> None:
        if stage not in STAGES:
            raise ValueError(f"stage must be one of {', '.join(STAGES)}, not {stage!r}")
        if isinstance(names, str):
            raise TypeError("stages_completed is a list of names, not one text")
        stages = tuple(map(_text, names)) if names else ()
        message = None if error is None else _message(error)
        paper_id = _text(paper_id)
        self._begin()
        with self._mutex:
            old = self._state.papers.get(paper_id) or _NEW
            self._put(paper_id, _advanced(old, stage, stages, message, self._now()))

    def _put(self, paper_id: str, record: Record) -> None:
        """Replace a record; ``_mutex`` is held."""
        line = f"{_encode(paper_id)}: {_encode(record)}"
        self._dirty[paper_id] = line
        self._state.put(paper_id, record, line)
        self._counted()

    def _counted(self) -> None:
        self._ticket += 1
        self._state.last_updated = self._now()
        if self._fold_thread is None and not self.dry_run:
            self._start_folding()

    def _now(self) -> str:
        """The time as local ISO seconds."""
        second = int(self._wall_clock())
        if second != self._second:
            self._stamp = time.strftime("%Y-%m-%dT%H:%M:%S", time.localtime(second))
            self._second = second
        return self._stamp

    def _lead(self, ticket: int) -> None:
        """Write a batch for all that wait, wake them, and choose who leads the next."""
        followers: list[_Waiter] = []
        failure: BaseException | None = None
        try:
            self._make_durable(ticket, followers)
        except BaseException as error:
            failure = error
            raise
        finally:
            with self._mutex:
                successor = self._waiters.pop(0) if self._waiters else None
                self._led = successor is not None
            if successor is not None:
                successor.lock.release()
            for follower in followers:
                follower.error = failure
                follower.done = True
                follower.lock.release()

    def _make_durable(self, ticket: int, followers: list[_Waiter] | None) -> None:
        """Have all updates up to ``ticket`` on disk; a leader takes those who wait for the same batch along."""
        while True:
            with self._io:
                if followers is not None:
                    with self._mutex:
                        followers += self._waiters
                        self._waiters = []
                        ticket = self._ticket
                if self._durable >= ticket:
                    return
                journal = self._writer.journal
                if journal is not None and self._writer.is_sound():
                    self._append(journal)
                    return
            if journal is None:
                self._begin()
            else:
                self._fold(ticket)  # a flush failed: only a whole new file is to be trusted

    def _append(self, journal: _Journal) -> None:
        """Write all dirty lines as one batch; ``_io`` is held.  They stay dirty until it is flushed."""
        with self._mutex:
            ticket, batch, run_dirty = self._ticket, dict(self._dirty), self._run_dirty
            head = [_encode(self._state.run)] if run_dirty else []
            stamp = self._state.last_updated
        journal.append("\n".join((stamp, *head, *batch.values())).encode())
        self._settle(ticket, batch)

    def _settle(self, ticket: int, batch: dict[str, str]) -> None:
        """What was written and flushed is dirty no more, unless it changed meanwhile."""
        with self._mutex:
            if ticket == self._ticket:
                self._dirty, self._run_dirty = {}, False
            else:
                dirty = self._dirty
                for paper_id, line in batch.items():
                    if dirty.get(paper_id) is line:
                        del dirty[paper_id]
            self._durable = max(self._durable, ticket)

    # Folding

    def _start_folding(self) -> None:
        thread = threading.Thread(target=self._keep_folding, name="checkpoint-fold", daemon=True)
        try:
            thread.start()
        except RuntimeError:  # the interpreter is shutting down: close() folds
            return
        self._fold_thread = thread

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
                if self._folded >= self._ticket or self._writer.journal is None:
                    self._fold_thread = None
                    return
        self._fold_thread = None

    def _fold(self, ticket: int | None = None, final: bool = False) -> None:
        """Write the whole state as a new JSON file and drop the journals that it replaces.

        With ``ticket`` only if that update is not yet in it.  ``final``: no journal is begun after it.
        """
        writer = self._writer
        with self._folding:
            sound = writer.is_sound()
            if writer.journal is None or (ticket is not None and self._folded >= ticket and sound):
                return
            begun = self._clock()
            current = final and self._folded == self._ticket and sound and not writer.retired
            spare = writer.next_journal(self._state) if not final and (not writer.retired or not sound) else None
            with self._io, self._mutex:
                lines = list(self._state.lines.values())
                head, tail = self._state.frame()
                covered, batch = self._ticket, dict(self._dirty)
                if spare is not None or final:
                    writer.retired.append(writer.journal)
                    writer.journal = spare
            if not current:
                _replace_file(self._path, _json_pieces(head, lines, tail))
            writer.drop_retired()
            self._folded = covered
            self._settle(covered, batch)
            took = self._clock() - begun
            self._fold_due = begun + took + max(self._fold_after - took, 19 * took)

    # Becoming and ceasing to be the writer

    def _begin(self) -> None:
        """Become the writer of the file, if this manager is not yet; what may refuse it comes before any change."""
        if self._writer.journal is not None or self.dry_run:
            return
        with _WRITERS_LOCK:
            if self._superseded:
                raise CheckpointSupersededError(f"a later manager in this process writes {self._path} now")
            former = _WRITERS.get(self._path)
            if former is self:
                return
            os.makedirs(os.path.dirname(self._path), exist_ok=True)
            if former is None:
                self._writer.lock = _WriterLock(self._path)
            else:
                self._take_over(former)
            try:
                self._writer.open(self._state, self._loaded, self._now())
            except BaseException:
                self._writer.let_go()
                if former is not None:
                    former._superseded = False
                raise
            if not self._loaded:
                self._folded = -1  # no JSON file yet
            self._loaded = True
            self._closing.clear()
            _WRITERS[self._path] = self

    def _take_over(self, former: CheckpointManagerV2) -> None:
        """Replace an earlier manager of this process; it goes on if this one is refused."""
        try:
            former.flush()
        except OSError:  # it has told its own callers
            pass
        with former._folding, former._io:
            if self._loaded:
                self._writer.check_unchanged(self._state, self._now())
            former._superseded = True
            self._writer.lock, former._writer.lock = former._writer.lock, None
            former._writer.close_files()
            del _WRITERS[self._path]

    def _forget_parent(self) -> None:
        """In a forked child: hold nothing of the parent's."""
        self._writer.forget()
        self._make_locks()


_WRITERS: dict[str, CheckpointManagerV2] = {}  # who writes which file in this process
_WRITERS_LOCK = threading.RLock()  # guards it, and who becomes or ceases to be a writer


def _close_all() -> None:
    for manager in list(_WRITERS.values()):
        manager.close()


def _forget_parent() -> None:
    global _WRITERS_LOCK
    _WRITERS_LOCK = threading.RLock()
    for manager in list(_WRITERS.values()):
        manager._forget_parent()
    _WRITERS.clear()


atexit.register(_close_all)
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget_parent)


# --- Fan-out -------------------------------------------------------------------------------------


def _attempt(process_func: Callable[[Any], Any], paper: Any, classifier: Any) -> tuple[Record, bool]:
    """One paper's result, and whether its failure is one that every other paper would meet."""
    try:
        result = process_func(paper)
        if not isinstance(result, dict):
            raise TypeError(f"{type(result).__name__} returned for a paper, not a dict")
        if "paper" not in result or "status" not in result:
            result = {"paper": paper, "status": "success"} | result
        if result["status"] == "success":
            return result, False
        return result, _is_shared(classifier, result.get("error"))
    except KeyboardInterrupt:
        raise
    except BaseException as error:  # noqa: BLE001 - a paper's own fault, SystemExit among them, touches no other
        return _failure(paper, error, classifier), _is_shared(classifier, error)


def _failure(paper: Any, error: BaseException, classifier: Any) -> Record:
    kind = classifier.classify_error(error)
    text = _text_of(error) or type(error).__name__
    return {"paper": paper, "status": "error", "error": text, "error_type": getattr(kind, "value", str(kind))}


def _is_shared(classifier: Any, error: object) -> bool:
    judge = getattr(classifier, "is_shared_fault", ErrorClassifier.is_shared_fault)
    return error is not None and bool(judge(error))


class ParallelPipelineCoordinator:
    """Runs a function over many papers, ``max_workers`` at a time; one paper's failure touches no other.

    ``checkpoint_manager`` has every paper's progress before its result is handed out; papers that it
    holds as completed are skipped.  One token per paper is taken from ``quota_manager``.  Dry run:
    nothing is called and nothing recorded.

    Keyword options: ``executor`` (any ``concurrent.futures.Executor``, instead of own threads or
    processes); ``classifier`` (default ErrorClassifier); ``grace`` (seconds that papers under way get
    after Ctrl-C, SIGTERM or ``cancel``); ``stop_after`` (failures that every paper would meet, in a
    row, that stop a batch; None: never); ``cancel`` (an Event that stops a batch as an interrupt
    would, without raising: the rest come back as "not_started"); ``on_start(paper)``, called in a
    worker's thread; ``on_result(result)``, called in the caller's thread.

    Attributes: ``max_workers``, ``quota_manager``, ``checkpoint``, ``dry_run``, ``stats``.
    """

    def __init__(
        self,
        max_workers: int = 4,
        quota_manager: Any = None,
        checkpoint_manager: Any = None,
        dry_run: bool = False,
        *,
        executor: Executor | None = None,
        classifier: Any = ErrorClassifier,
        grace: float = 5.0,
        stop_after: int | None = 3,
        cancel: threading.Event | None = None,
        on_start: Callable[[Any], object] | None = None,
        on_result: Callable[[Record], object] | None = None,
    ) -> None:
        """ValueError for ``max_workers`` or ``stop_after`` below 1."""
        if max_workers < 1 or (stop_after is not None and stop_after < 1):
            raise ValueError("max_workers and stop_after must be at least 1")
        self.max_workers = max_workers
        self.quota_manager = quota_manager
        self.checkpoint = checkpoint_manager
        self.dry_run = dry_run
        self.executor = executor
        self.classifier = classifier
        self.grace = grace
        self.stop_after = stop_after
        self.cancel = cancel
        self.on_start = on_start
        self.on_result = on_result
        self._counts = {"successful": 0, "failed": 0, "skipped": 0}

    @property
    def stats(self) -> dict[str, int]:
        """``total_processed``, ``successful``, ``failed``, ``retries`` (as the checkpoint counts), ``skipped``."""
        counts = dict(self._counts)
        retries = 0
        if isinstance(self.checkpoint, CheckpointManagerV2):
            retries = self.checkpoint.retries
        elif self.checkpoint is not None:
            retries = self.checkpoint.data["stats"]["retries"]
        return {"total_processed": counts["successful"] + counts["failed"]} | counts | {"retries": retries}

    def get_stats(self) -> dict[str, int]:
        """The counts over all batches of this coordinator; see ``stats``."""
        return self.stats

    def process_papers_parallel(
        self, papers: Iterable[Any], process_func: Callable[[Any], Any], use_threads: bool = True
    ) -> list[Record]:
        """The results in the order of ``papers``, any iterable; it is read here, a little ahead of the work.

        A result is the dict that ``process_func(paper)`` returned (its ``stages_completed`` goes to the
        checkpoint), or ``{"paper", "status": "error", "error", "error_type"}``; "skipped" for a paper
        that was completed before; "not_started" with a ``reason`` after a fault that every paper would
        meet has stopped the batch.  ``use_threads=False`` runs in processes: ``process_func`` must be a
        function at the top level of a module, and the script needs its ``__main__`` guard.

        Ctrl-C and SIGTERM (in the main thread): nothing new starts, papers under way get ``grace``
        seconds, the checkpoint is brought up to date, and the interrupt is raised again.
        """
        batch = _Batch(self, papers, process_func, use_threads)
        results: list[Record] = []
        early: dict[int, Record] = {}
        for index, result in batch.results():
            early[index] = result
            while len(results) in early:
                results.append(early.pop(len(results)))
        return results

    def iter_papers_parallel(
        self, papers: Iterable[Any], process_func: Callable[[Any], Any], use_threads: bool = True
    ) -> Iterator[Record]:
        """The same results as they come, in memory that does not grow with their number.

        Each is in the checkpoint before it is yielded; closing the iterator ends the batch.

        Ctrl-C and SIGTERM are handled from the first ``next()`` until the iterator ends, is closed or
        collected.  One that comes while the consumer's own code runs starts nothing new either, and the
        batch ends with it at the next ``next()``, or when the iterator is closed; a handler that the
        program has is called at once, so Ctrl-C raises KeyboardInterrupt there as ever.  SIGTERM is
        raised in the consumer's code as a KeyboardInterrupt if it does not come back within ``grace``
        seconds, or at a second one.
        """
        return _Batch(self, papers, process_func, use_threads).one_by_one()


class _Batch:
    """One call of the coordinator::

        papers -> the caller's thread reads ahead -> tasks -> workers -> (committer) -> done -> the caller

    The committer waits for the checkpoint's flush on behalf of all results that have come meanwhile.
    ``pending`` (papers read and not yet handed out) is bounded by ``window``, which grows while the
    work is so quick that changes of thread would dominate.  What goes through ``done`` is an index, a
    result, and how it counts; "fatal" carries an error of the batch, "wake" nothing.
    """

    def __init__(
        self, owner: ParallelPipelineCoordinator, papers: Iterable[Any], process_func: Any, use_threads: bool
    ) -> None:
        if isinstance(papers, (str, bytes)):
            raise TypeError("papers is a list of papers, not one text")
        from queue import SimpleQueue

        self.owner = owner
        self.sized = hasattr(papers, "__len__")
        self.source = iter(papers)
        self.exhausted = False
        self.process_func = process_func
        self.tasks: SimpleQueue[tuple[int, Any] | None] = SimpleQueue()
        self.done: SimpleQueue[tuple[int, Record, str]] = SimpleQueue()
        self.commits: SimpleQueue[tuple[int, Record, str] | None] = SimpleQueue()
        self.pending: dict[int, Any] = {}
        self.read = 0
        self.smallest = self.window = 2 * owner.max_workers
        self.adapted, self.adapt_at = time.monotonic(), self.window  # when, and after how many papers
        self.threads: list[threading.Thread] = []
        self.workers: list[_ProcessWorker] = []
        self.stop = threading.Event()
        self.reason: str | None = None  # why nothing new starts
        self.abandoned = False  # nobody waits for the workers any more
        self.streak = 0
        self.lock = allocate_lock()  # guards the streak and the reason
        self.signum = 0  # of the signal that ends the batch; 0: none came
        self.inside = True  # the main thread runs the batch's code, not its consumer's
        self.ending = False  # it has seen the signal, or ends for another reason
        self.interrupted = False  # by a signal or another KeyboardInterrupt
        self.checkpoint = None if owner.dry_run else owner.checkpoint
        self.note, self.flush = _notes_of(self.checkpoint)
        self.payload = b""
        if not (use_threads or owner.executor or owner.dry_run):
            self.payload = _payload_of(process_func, owner.classifier)

    # In the caller's thread

    def one_by_one(self) -> Iterator[Record]:
        """The results as they come, for a consumer whose own code runs in between."""
        for _, result in self.results():
            self.inside = False
            yield result
            self.inside = True

    def results(self) -> Iterator[tuple[int, Record]]:
        """Index and result of each paper as they come; ends the threads whatever happens."""
        try:
            _INTERRUPTS.watch(self)
            yield from self._results()
        except KeyboardInterrupt:
            self.ending = self.interrupted = True
            self._wind_down("interrupted")
            raise
        finally:
            self.ending = self.inside = True
            try:
                self._wind_down("ended")
                if self.interrupted or self.signum:
                    self._save()
                self._end_threads()
            finally:
                _INTERRUPTS.release(self)
                if self.interrupted and self.signum:
                    _INTERRUPTS.raise_again(self.signum)

    def _results(self) -> Iterator[tuple[int, Record]]:
        done, pending = self.done, self.pending
        while True:
            if self.reason is None and not self.exhausted:
                self._feed()
            if self.signum:
                raise KeyboardInterrupt
            if not pending:
                break
            index, result, kind = done.get() if not done.empty() else self._wait()
            if pending.pop(index, self) is not self and self.read - len(pending) >= self.adapt_at:
                self._adapt(time.monotonic())
            if kind == "fatal":
                raise result["error"]
            if kind != "wake":
                yield index, self._counted(result, kind)
            elif self._is_over():
                yield from self._abandon()
        if self.reason is not None and self.sized:
            yield from self._rest()

    def _feed(self) -> None:
        """Read ahead until the window is full or a result is there to be handed out."""
        pending, tasks, done = self.pending, self.tasks, self.done
        while len(pending) < self.window:
            try:
                paper = next(self.source)
            except StopIteration:
                self.exhausted = True
                return
            pending[self.read] = paper
            tasks.put((self.read, paper))
            self.read += 1
            if len(self.threads) < self.owner.max_workers:
                self._start_worker()
            if self.signum or not done.empty():
                return

    def _adapt(self, now: float) -> None:
        """A window's worth has been handed out: a larger one if that took under 0.1 ms a paper, a smaller one
        if it took long."""
        took, self.adapted = (now - self.adapted) / self.window, now
        if took < 0.0001:
            self.window = min(self.window * 2, 64 * self.smallest)
        elif took > 0.0005:
            self.window = max(self.window // 2, self.smallest)
        self.adapt_at = self.read - len(self.pending) + self.window

    def _wait(self) -> tuple[int, Record, str]:
        """The next result; a wake-up after a signal, or from time to time where there is a cancel event."""
        from queue import Empty

        if self.owner.cancel is None:
            return self.done.get()
        try:
            return self.done.get(timeout=0.05)
        except Empty:
            return -1, {}, "wake"

    def _is_over(self) -> bool:
        """Has the batch been cancelled, and is the grace over?"""
        cancel = self.owner.cancel
        if cancel is None or not cancel.is_set():
            return False
        if self.reason is None:
            self.deadline = time.monotonic() + self.owner.grace
            self._stop("cancelled")
        return self.reason == "cancelled" and time.monotonic() >= self.deadline

    def _counted(self, result: Record, kind: str) -> Record:
        if kind != "not_started":
            self.owner._counts[kind] += 1
        if self.owner.on_result is not None:
            self.owner.on_result(result)
        return result

    def _abandon(self) -> Iterator[tuple[int, Record]]:
        """Papers that are still under way when the grace is over: incomplete in the checkpoint."""
        self.abandoned = True
        while self.pending:
            index, paper = self.pending.popitem()
            yield index, self._counted(self._not_started(paper), "not_started")

    def _rest(self) -> Iterator[tuple[int, Record]]:
        """What was never read of a sequence after a stop."""
        while papers := list(islice(self.source, 1_000)):
            results = [self._not_started(paper) for paper in papers]
            self.flush()
            for result in results:
                self.read += 1
                yield self.read - 1, self._counted(result, "not_started")

    def _wind_down(self, reason: str) -> None:
        """Start nothing new; give what is under way its grace, so that it gets into the checkpoint."""
        from queue import Empty

        self._stop(reason)
        deadline = time.monotonic() + self.owner.grace
        try:
            while self.pending and not self.abandoned:
                index, _, kind = self.done.get(timeout=max(deadline - time.monotonic(), 0.0))
                if self.pending.pop(index, None) is not None and kind in self.owner._counts:
                    self.owner._counts[kind] += 1
        except (Empty, KeyboardInterrupt):  # the grace is over, or somebody insists
            self.abandoned = True

    def _save(self) -> None:
        if self.checkpoint is not None:
            try:
                self.checkpoint.save()
            except (OSError, CheckpointError) as error:  # the interrupt goes first; the journal holds everything
                _warn("the checkpoint could not be brought up to date: %s", error)

    def _end_threads(self) -> None:
        under_way = self.abandoned or bool(self.pending)
        for worker in self.workers:
            worker.end(at_once=under_way)
        for _ in self.threads:
            self.tasks.put(None)
        if not under_way:
            for thread in self.threads:
                thread.join()
        self.commits.put(None)

    # In the workers' threads

    def _start_worker(self) -> None:
        if not self.threads and self.checkpoint is not None:
            threading.Thread(target=self._guarded, args=(self._commit,), daemon=True).start()
        thread = threading.Thread(target=self._guarded, args=(self._work,), daemon=True)
        thread.start()
        self.threads.append(thread)

    def _guarded(self, body: Callable[[], None]) -> None:
        """A fault of the batch as a whole (no disk, no worker process) ends it and is raised to the caller."""
        try:
            body()
        except BaseException as error:  # noqa: BLE001 - raised again in the caller's thread
            self.abandoned = True
            self.done.put((-1, {"error": error}, "fatal"))

    def _work(self) -> None:
        attempt = self._attempt_of()
        tasks, out = self.tasks, self.done if self.checkpoint is None else self.commits
        while (task := tasks.get()) is not None:
            index, paper = task
            try:
                result, kind = self._run(paper, attempt)
            except BaseException as error:  # noqa: BLE001 - of a hook or the checkpoint: raised in the caller's thread
                self._stop("a fault of the batch")
                self.done.put((index, {"error": error}, "fatal"))
                continue
            out.put((index, result, kind))

    def _commit(self) -> None:
        """Hand results on once the checkpoint has them, as many at a time as have come."""
        while (item := self.commits.get()) is not None:
            items = [item]
            while not self.commits.empty() and (more := self.commits.get()) is not None:
                items.append(more)
            self.flush()
            for item in items:
                self.done.put(item)

    def _run(self, paper: Any, attempt: Callable[[Any], tuple[Record, bool | None]]) -> tuple[Record, str]:
        """One paper from start to checkpoint: its result and how it counts."""
        owner, recorded = self.owner, self.checkpoint is not None
        if owner.dry_run:
            return {"paper": paper, "status": "success", "dry_run": True}, "successful"
        if recorded and self._stage_of(paper) == "completed":
            return {"paper": paper, "status": "skipped"}, "skipped"
        if self.reason is not None or self._is_cancelled() or not self._has_token():
            return self._not_started(paper), "not_started"
        if owner.on_start is not None:
            owner.on_start(paper)
        if recorded:
            self.note(str(paper), "in_progress")
        result, shared = attempt(paper)
        if shared is None:
            return result, "not_started"
        failed = result["status"] != "success"
        if not failed:
            self.streak = 0
        elif shared:
            self._count_fault(result)
        if recorded and not self.abandoned:
            self._note_result(paper, result, failed)
        return result, "failed" if failed else "successful"

    def _is_cancelled(self) -> bool:
        return self.owner.cancel is not None and self.owner.cancel.is_set()

    def _has_token(self) -> bool:
        quota = self.owner.quota_manager
        if quota is None:
            return True
        if isinstance(quota, SimpleQuotaManager):
            return quota.consume(1, cancel=self.stop)
        return quota.consume(tokens=1, wait=True) is not False

    def _not_started(self, paper: Any) -> Record:
        if self.checkpoint is not None and self._stage_of(paper) is None:
            self.note(str(paper), "not_started")
        reason = self.reason or ("cancelled" if self._is_cancelled() else "no token")
        return {"paper": paper, "status": "not_started", "reason": reason}

    def _stop(self, reason: str) -> None:
        with self.lock:
            self.reason = self.reason or reason
        self.stop.set()

    def _count_fault(self, result: Record) -> None:
        with self.lock:
            self.streak += 1
            many = self.owner.stop_after is not None and self.streak >= self.owner.stop_after
        if many:
            self._stop(f"stopped after {self.streak} failures that every paper would meet: {result.get('error')}")

    def _note_result(self, paper: Any, result: Record, failed: bool) -> None:
        stages = result.get("stages_completed") or ()
        names = [stages] if isinstance(stages, str) else list(stages) if isinstance(stages, (list, tuple)) else []
        error = result.get("error") or f"status {result.get('status')!r}"
        self.note(str(paper), "failed" if failed else "completed", names, error if failed else None)

    def _stage_of(self, paper: Any) -> Any:
        if isinstance(self.checkpoint, CheckpointManagerV2):
            return self.checkpoint.stage_of(str(paper))
        record = self.checkpoint.get_paper_status(str(paper)) if self.checkpoint else None
        return record and record.get("stage")

    def _attempt_of(self) -> Callable[[Any], tuple[Record, bool | None]]:
        """How this thread runs a paper: here, in a process of its own, or in the executor."""
        function, classifier, executor = self.process_func, self.owner.classifier, self.owner.executor
        if executor is not None:
            return lambda paper: self._in_executor(executor, paper)
        if self.payload:
            worker = _ProcessWorker(self.payload)
            self.workers.append(worker)
            return worker.attempt
        return lambda paper: _attempt(function, paper, classifier)

    def _in_executor(self, executor: Executor, paper: Any) -> tuple[Record, bool | None]:
        from concurrent.futures import BrokenExecutor

        try:
            return executor.submit(_attempt, self.process_func, paper, self.owner.classifier).result()
        except BrokenExecutor as error:  # it will run nothing more, and does not say whose fault it was
            self._stop(f"the executor broke: {error}")
            return self._not_started(paper), None
        except Exception as error:  # noqa: BLE001 - the paper or its result cannot be sent: its own fault
            return _failure(paper, error, self.owner.classifier), False


def _notes_of(checkpoint: Any) -> tuple[Callable[..., object], Callable[[], object]]:
    """How to record without waiting, and how to wait; a manager whose ``update_paper_status`` is not our own
    is told through that."""
    if isinstance(checkpoint, CheckpointManagerV2):
        update = getattr(checkpoint.update_paper_status, "__func__", None)
        if update is CheckpointManagerV2.update_paper_status:
            return checkpoint.note_paper_status, checkpoint.flush
    return getattr(checkpoint, "update_paper_status", _attempt), lambda: None


class _Interrupts:
    """Ctrl-C and SIGTERM while the main thread has batches open: one handler for all of them, in whatever
    order they begin and end.  It sets their flags and wakes them; a second signal acts at once.

    Where no batch is left (one was collected in another thread, where no handler can be put back) the
    handler puts the former one back and lets that have the signal.
    """

    def __init__(self) -> None:
        self._batches: list[_Batch] = []
        self._former: dict[int, Any] = {}  # the handlers that ours stands for
        self._told = False  # the former handler has had the signal already

    def watch(self, batch: _Batch) -> None:
        if threading.current_thread() is not threading.main_thread():
            return
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
        import signal

        if not self._batches:
            self._put_back()
            signal.raise_signal(signum)
            return
        again = self._batches[-1].signum
        for batch in self._batches:
            batch.signum = signum
            batch.reason = batch.reason or "interrupted"
            batch.done.put((-1, {}, "wake"))  # a SimpleQueue may be interrupted by itself
        self._told = False
        if again:
            self.raise_again(signum)
        from _thread import start_new_thread

        start_new_thread(self._insist, (self._batches[-1], signum))  # which, unlike Thread.start, takes no lock
        if not self._batches[-1].inside and callable(self._former.get(signum)):
            self._told = True
            self._former[signum](signum, frame)

    def _insist(self, batch: _Batch, signum: int) -> None:
        """Interrupt a consumer, or a source of papers, that has not come back within the grace."""
        time.sleep(min(batch.owner.grace, _LONGEST_SLEEP))
        if batch in self._batches and not batch.ending:
            os.kill(os.getpid(), signum)

    def raise_again(self, signum: int) -> None:
        """What the signal would have done: the former handler first, KeyboardInterrupt if that returns."""
        former = self._former.get(signum)
        if callable(former) and not self._told:
            former(signum, None)
        raise KeyboardInterrupt


_INTERRUPTS = _Interrupts()


def _payload_of(process_func: Any, classifier: Any) -> bytes:
    """What a worker process is given at its start; TypeError, RuntimeError for what cannot run in processes."""
    import pickle

    _check_main_guard()
    try:
        return pickle.dumps((process_func, classifier))
    except Exception as error:
        raise TypeError(
            f"{process_func!r} cannot be sent to a worker process ({error}): "
            "define it at the top level of a module, or use threads"
        ) from error


def _check_main_guard() -> None:
    """RuntimeError where the script starts processes outside its ``__main__`` guard: each would run it again."""
    main = sys.modules.get("__main__")
    path = getattr(main, "__file__", None)
    frame = sys._current_frames().get(threading.main_thread().ident or 0)
    while frame is not None and not (frame.f_code.co_name == "<module>" and frame.f_globals is vars(main)):
        frame = frame.f_back
    if frame is None or path is None:
        return
    import ast

    try:
        with open(path, "rb") as file:
            tree = ast.parse(file.read())
    except (OSError, SyntaxError, ValueError):  # no source, no check
        return
    for guard in (node for node in ast.walk(tree) if isinstance(node, ast.If)):
        around = guard.lineno <= frame.f_lineno <= (guard.end_lineno or 0)
        if around and any(getattr(part, "id", "") == "__name__" for part in ast.walk(guard.test)):
            return
    raise RuntimeError(
        f'{path} starts worker processes outside `if __name__ == "__main__":`, so each of them would run '
        "the script again; put the call under that guard, or use threads"
    )


class _ProcessWorker:
    """A worker process of its own for one thread of a batch; it runs one paper at a time.

    So the paper that was under way when a process died is known.  It is run once more in a new
    process, for something else may have killed the first; if that dies as well, the paper fails.
    """

    _starting = allocate_lock()  # multiprocessing's own books are not thread-safe

    def __init__(self, payload: bytes) -> None:
        self._payload = payload
        self._ended = False
        self._start()

    def _start(self) -> None:
        import multiprocessing

        context = multiprocessing.get_context("spawn")
        self._pipe, theirs = context.Pipe()
        self._process = context.Process(target=_serve_papers, args=(theirs,), daemon=True)
        with self._starting:
            self._process.start()
        theirs.close()
        try:
            self._pipe.send_bytes(self._payload)
            refusal = self._pipe.recv_bytes().decode()
        except (EOFError, OSError):
            self._process.join()
            refusal = f"it ended while starting, exit code {self._process.exitcode}"
        if refusal:
            raise RuntimeError(f"a worker process cannot be used: {refusal}")

    def attempt(self, paper: Any) -> tuple[Record, bool | None]:
        """Run a paper there; its result as ``_attempt`` gives it, None beside it where the batch is over."""
        import pickle

        try:
            data = pickle.dumps(paper)
        except Exception as error:  # noqa: BLE001 - whatever this paper's own pickling raises
            return _failure(paper, error, ErrorClassifier), False
        answer = self._ask(data) or self._ask(data)
        if self._ended:
            return {"paper": paper, "status": "not_started", "reason": "interrupted"}, None
        if answer is None:
            died = RuntimeError(f"the worker process died (exit code {self._code}) while it ran this paper")
            return _failure(paper, died, ErrorClassifier), False
        try:
            result, shared = pickle.loads(answer)
        except Exception as error:  # noqa: BLE001 - whatever this result's own unpickling raises
            return _failure(paper, error, ErrorClassifier), False
        return {**result, "paper": paper} if result["paper"] is None else result, shared

    def _ask(self, data: bytes) -> bytes | None:
        """The answer; None if the process died, with a new one in its place."""
        if self._ended:
            return None
        try:
            self._pipe.send_bytes(data)
            return bytes(self._pipe.recv_bytes())
        except (EOFError, OSError):
            self._process.join(1.0)
            self._code = self._process.exitcode
            if not self._ended:
                self._pipe.close()
                self._start()
            return None

    def end(self, at_once: bool) -> None:
        """Let the process end; ``at_once`` without its paper."""
        self._ended = True
        if at_once:
            self._process.kill()
        else:
            self._pipe.close()
        self._process.join(2.0)
        if self._process.exitcode is None:
            self._process.kill()


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
            answer = pickle.dumps(_attempt(process_func, pickle.loads(question), classifier))
        except Exception as error:  # noqa: BLE001 - whatever the pickling of this paper or its result raises
            answer = pickle.dumps((_failure(None, error, ErrorClassifier), False))
        pipe.send_bytes(answer)


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
