"""The stubs of one `aioresponses`, in order of addition, and which of them answers a call.

Sessions of several threads may ask at once. Knows nothing of calls beyond their method and URL.
"""

from __future__ import annotations

import threading
from collections import defaultdict, deque
from itertools import count, takewhile
from re import Pattern
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from yarl import URL

    from ._stubs import RequestMatch

__all__ = ["Stubs"]


class Stubs:
    """Stubs by keys that count up. Thousands of them cost what one costs, but for those with a regex.

    `matches` is the dict that suites look at, and sometimes change.
    """

    def __init__(self) -> None:
        self.matches: dict[str, RequestMatch] = {}
        self._lock = threading.Lock()
        self._numbers = count(1)
        # What has been filed, in order, and where. Keys of stubs that are gone are dropped when they are met.
        self._places: dict[str, int] = {}
        self._exact: defaultdict[tuple[str, URL], deque[str]] = defaultdict(deque)
        self._patterns: deque[str] = deque()

    def add(self, stub: RequestMatch) -> None:
        """Put a stub behind the others."""
        with self._lock:
            self.matches[str(next(self._numbers))] = stub

    def clear(self) -> None:
        """Forget the stubs."""
        with self._lock:
            for kept in (self.matches, self._places, self._exact, self._patterns):
                kept.clear()

    def has(self, method: str, url: URL) -> bool:
        """Whether a stub answers a method and a URL whose query is sorted."""
        with self._lock:
            return self._find(method, url) is not None

    def take(self, method: str, url: URL) -> tuple[str, RequestMatch] | None:
        """The first stub that answers a method and a URL, used once, and its key; None if there is none."""
        with self._lock:
            key = self._find(method, url)
            if key is None:
                return None
            self.matches[key].take()
            return key, self.matches[key]

    def remove(self, key: str) -> None:
        """Forget a stub that is used up."""
        with self._lock:
            self.matches.pop(key, None)

    def _find(self, method: str, url: URL) -> str | None:
        """The key of the first stub that answers."""
        matches = self.matches
        if not matches:
            return None
        if next(reversed(matches)) not in self._places:
            self._file_new_ones()
        exact = self._first(self._exact.get((method.lower(), url)), method, url)
        pattern = self._first(self._patterns, method, url)
        if exact is None or pattern is None:
            return exact or pattern
        return min(exact, pattern, key=self._places.__getitem__)

    def _first(self, keys: deque[str] | None, method: str, url: URL) -> str | None:
        """The first of some stubs that answers."""
        if not keys:
            return None
        matches = self.matches
        while keys and keys[0] not in matches:
            keys.popleft()
        for key in keys:
            if key in matches and matches[key].match(method, url):
                return key
        return None

    def _file_new_ones(self) -> None:
        """File the stubs that were added since this was last done, by a suite maybe."""
        new = list(takewhile(lambda key: key not in self._places, reversed(self.matches)))
        for key in reversed(new):
            self._places[key] = len(self._places)
            stub = self.matches[key]
            url = stub.url_or_pattern
            filed = self._patterns if isinstance(url, Pattern) else self._exact[stub.method, url]
            filed.append(key)
