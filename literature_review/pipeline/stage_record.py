"""The `stages` block of the checkpoint: what became of each stage, and when."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

from literature_review.pipeline.orchestrator_v2 import CheckpointManagerV2


class StageRecord:
    """Keeps `stages` in the checkpoint: per stage `status` (pending, running, completed, failed, skipped,
    interrupted), `started_at`, `completed_at`, `duration_seconds`, `attempts`, and `reason` where there is one.
    Thread-safe; each change is durable when the call returns."""

    def __init__(
        self, checkpoint: CheckpointManagerV2, names: Iterable[str], earlier: Mapping[str, Any] | None = None
    ) -> None:
        self._checkpoint = checkpoint
        self._lock = threading.Lock()  # guards the entries
        self._began: dict[str, float] = {}
        self.entries: dict[str, dict[str, Any]] = {}
        for name in names:
            entry = (earlier or {}).get(name)
            self.entries[name] = dict(entry) if isinstance(entry, dict) else {"status": "pending", "attempts": 0}

    def begin(self, names: Iterable[str]) -> None:
        """These stages are running from now on: one attempt more for each."""
        with self._lock:
            for name in names:
                self._began[name] = time.monotonic()
                entry = self.entries[name]
                self.entries[name] = {
                    "status": "running",
                    "started_at": datetime.now().isoformat(timespec="seconds"),
                    "attempts": int(entry.get("attempts", 0)) + 1,
                }
        self._save()

    def end(self, names: Iterable[str], status: str, reason: str = "", retries: int = 0) -> None:
        """These stages ended as `status` says; `retries`: attempts beyond the one that `begin` counted."""
        with self._lock:
            for name in names:
                entry = self.entries[name]
                entry["status"] = status
                entry["completed_at"] = datetime.now().isoformat(timespec="seconds")
                entry["duration_seconds"] = round(time.monotonic() - self._began.get(name, time.monotonic()), 3)
                entry["attempts"] = int(entry.get("attempts", 0)) + retries
                if reason:
                    entry["reason"] = reason
        self._save()

    def skip(self, name: str, reason: str) -> None:
        with self._lock:
            self.entries[name] = {"status": "skipped", "attempts": 0, "reason": reason}
        self._save()

    def _save(self) -> None:
        with self._lock:
            entries = {name: dict(entry) for name, entry in self.entries.items()}
        self._checkpoint.update_run(stages=entries)
