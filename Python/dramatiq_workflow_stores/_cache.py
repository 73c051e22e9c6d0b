"""What is kept in memory."""

from __future__ import annotations

import collections
import threading
import time
from collections.abc import Callable

from ._parsed import Content


class Cache:
    """Contents that were read, the latest ones. Several threads that want the same one load it once."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._kept: collections.OrderedDict[str, Content] = collections.OrderedDict()
        self._size = 0
        self._lock = threading.Lock()
        self._loading = [threading.Lock() for _ in range(64)]

    def get(self, name: str) -> Content | None:
        with self._lock:
            content = self._kept.get(name)
            if content is not None:
                self._kept.move_to_end(name)
            return content

    def load(self, name: str, load: Callable[[str], bytes]) -> Content:
        content = self.get(name)
        if content is None:
            with self._loading[hash(name) % len(self._loading)]:
                content = self.get(name)
                if content is None:
                    content = self.add(Content(name, load(name)))
        return content

    def add(self, content: Content) -> Content:
        with self._lock:
            if content.name not in self._kept:
                self._kept[content.name] = content
                self._size += content.size
            # The last one always stays: the next step of its workflow needs it.
            while self._size > self._limit and len(self._kept) > 1:
                self._size -= self._kept.popitem(last=False)[1].size
        return content


class Renewals:
    """Says when a content is due to be kept for longer, so that not every message does it."""

    #: In seconds; short beside the time for which unused contents are kept, which is days.
    INTERVAL = 15 * 60
    MAX_COUNT = 10_000

    def __init__(self) -> None:
        self._last: dict[str, float] = {}
        self._lock = threading.Lock()

    def is_due(self, name: str) -> bool:
        now = time.monotonic()
        with self._lock:
            if name in self._last and now - self._last[name] < self.INTERVAL:
                return False
            # Forgetting costs a request each and nothing else.
            if len(self._last) >= self.MAX_COUNT:
                self._last.clear()
            self._last[name] = now
            return True

    def forget(self, name: str) -> None:
        with self._lock:
            self._last.pop(name, None)
