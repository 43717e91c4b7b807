"""Which routes may match a request, found without asking each of them.

Every item is filed under what its pattern says literally: its method, host and port, its path with a blank
for each segment that varies, and one query parameter. Which of these an item has is its *kind*, and a
request is looked up once for each kind in use: the cost follows the number of kinds, a handful, and not
the number of items. What a pattern says otherwise (a regex, a host wildcard, a header, a body) is not
filed, so items that differ only in that are asked one by one.

The index may offer an item that does not match; it never leaves out one that does. Knows patterns. Knows
nothing of replies, or of routes that are exhausted.
"""

from __future__ import annotations

import heapq
from bisect import bisect_left
from collections import Counter
from dataclasses import dataclass
from operator import attrgetter
from typing import TYPE_CHECKING, Generic, NamedTuple, TypeAlias, TypeVar

from .._matching.urls import path_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from .._http.request import Request
    from .._matching.request_pattern import RequestPattern

__all__ = ["Index"]

T = TypeVar("T")

# The path with its blanks, the method, the host and port, the query parameter; None for what is not filed.
Key: TypeAlias = "tuple[str | None, str | None, tuple[str, int] | None, tuple[str, str] | None]"


class Kind(NamedTuple):
    """Which parts of a request make up a key.

    `depth` is the number of path segments in it, those of `blanks` (positions, from 0) left open; None for
    a path that is taken whole. `is_open` if more may follow them. `has_path` is false for a regex.
    """

    has_path: bool
    depth: int | None
    blanks: tuple[int, ...]
    is_open: bool
    has_method: bool
    has_place: bool
    has_parameter: bool


@dataclass(frozen=True, slots=True)
class Entry(Generic[T]):
    """An item, and where it is filed."""

    order: int
    item: T
    kind: Kind
    keys: tuple[Key, ...]


ORDER = attrgetter("order")
ITEM = attrgetter("item")


class Index(Generic[T]):
    """Items by pattern: iterated in order of addition, found newest first.

    It may be read while another thread writes; those who write take turns.
    """

    __slots__ = ("_entries", "_kinds", "_shelves")

    def __init__(self) -> None:
        self._entries: dict[int, Entry[T]] = {}
        self._kinds: Counter[Kind] = Counter()
        # Each shelf is ascending, and replaced rather than changed: somebody may be looking through it.
        self._shelves: dict[Key, tuple[Entry[T], ...]] = {}

    def __len__(self) -> int:
        return len(self._entries)

    def __contains__(self, item: T) -> bool:
        return id(item) in self._entries

    def __iter__(self) -> Iterator[T]:
        return map(ITEM, sorted(self._entries.values(), key=ORDER))

    def add(self, item: T, pattern: RequestPattern, order: int) -> None:
        """File an item; of two items, the one with the greater `order` is newer."""
        kind, keys = self._file(pattern)
        entry = self._entries[id(item)] = Entry(order, item, kind, keys)
        self._kinds[kind] += 1
        for key in keys:
            shelf = self._shelves.get(key, ())
            # At the end, except for an item that was removed and comes back.
            place = bisect_left(shelf, order, key=ORDER)
            self._shelves[key] = (*shelf[:place], entry, *shelf[place:])

    def remove(self, item: T) -> None:
        """Take an item out again.

        Raises:
            KeyError: it is not there.
        """
        entry = self._entries.pop(id(item))
        for key in entry.keys:
            shelf = self._shelves[key]
            place = bisect_left(shelf, entry.order, key=ORDER)
            if len(shelf) > 1:
                self._shelves[key] = shelf[:place] + shelf[place + 1 :]
            else:
                del self._shelves[key]
        self._kinds[entry.kind] -= 1
        if not self._kinds[entry.kind]:
            del self._kinds[entry.kind]

    def candidates(self, request: Request) -> Iterator[T]:
        """The items that may match a request, newest first."""
        shelves = [shelf for key in self._keys(request) if (shelf := self._shelves.get(key))]
        if len(shelves) == 1:
            return map(ITEM, reversed(shelves[0]))
        return map(ITEM, heapq.merge(*map(reversed, shelves), key=ORDER, reverse=True))

    def _keys(self, request: Request) -> Iterable[Key]:
        """The keys under which an item that matches may be filed."""
        path = path_of(request)
        place = request.origin.place
        keys: list[Key] = []
        segments: list[str] | None = None
        parameters: Iterable[tuple[str, str]] | None = None
        for has_path, depth, blanks, is_open, has_method, has_place, has_parameter in list(self._kinds):
            form: str | None = path if has_path else None
            if depth is not None:
                if segments is None:
                    segments = path.split("/")
                if len(segments) < depth or (len(segments) > depth and not is_open):
                    continue
                form = form_of(segments[:depth], blanks, is_open)
            method = request.method if has_method else None
            if has_parameter:
                if parameters is None:
                    # Once each: a shelf must not be visited twice.
                    parameters = dict.fromkeys(request.query.items()) if "?" in request.target else ()
                keys += [(form, method, place if has_place else None, pair) for pair in parameters]
            else:
                keys.append((form, method, place if has_place else None, None))
        return keys

    def _file(self, pattern: RequestPattern) -> tuple[Kind, tuple[Key, ...]]:
        """The kind of a pattern, and its keys."""
        url = pattern.url
        path, origin = url.path, url.origin
        form: str | None = None
        depth: int | None = None
        blanks: tuple[int, ...] = ()
        if path is not None:
            form = path.literal
            if form is None:
                depth = len(path.segments)
                blanks = tuple(i for i, segment in enumerate(path.segments) if segment is None)
                form = form_of([segment or "" for segment in path.segments], blanks, path.is_open)
        places = origin.places if origin else ()
        stems = [
            (form, method, place) for method in pattern.methods or (None,) for place in places or (None,)
        ]
        # Of several parameters the rarest so far: `?page=1&sort=up` and its like are told apart by the page.
        pair = min(pattern.query_pairs, key=lambda pair: self._crowd((*stems[0], pair)), default=None)
        kind = Kind(
            has_path=path is not None,
            depth=depth,
            blanks=blanks,
            is_open=path is not None and path.is_open,
            has_method=bool(pattern.methods),
            has_place=bool(places),
            has_parameter=pair is not None,
        )
        return kind, tuple((*stem, pair) for stem in stems)

    def _crowd(self, key: Key) -> int:
        """How many items are filed under a key."""
        return len(self._shelves.get(key, ()))


def form_of(segments: list[str], blanks: tuple[int, ...], is_open: bool) -> str:
    """A path with `{}` in its blanks, and `/**` where more may follow."""
    for index in blanks:
        segments[index] = "{}"
    return "/".join(segments) + ("/**" if is_open else "")
