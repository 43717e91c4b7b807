"""Keys of an app that have another value for a time. Knows apps. Knows nothing of servers or of stubs."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from aiohttp import web

from .._aiohttp.app_state import state_of
from .._messages.exceptions import UsageError
from .._messages.wording import one_line

if TYPE_CHECKING:
    from types import TracebackType

__all__ = ["Override", "Overrides", "checked_key"]


T = TypeVar("T")
MISSING: Any = object()


class Override(Generic[T]):
    """A key of an app that has another value, until the block ends or the client is closed."""

    def __init__(self, app: web.Application, key: web.AppKey[T] | str, value: T) -> None:
        self.app = app
        self.key = key
        self.value = value
        self._overrides: Overrides | None = None
        self._is_over = False

    def __repr__(self) -> str:
        return f"<Override of {self.key!r}: {one_line(self.value, 60)}>"

    def __enter__(self) -> T:
        return self.value

    def __exit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.undo()

    def put(self, overrides: Overrides) -> None:
        """Let it have effect, unless it has ended."""
        if not self._is_over:
            self._overrides = overrides
            overrides.add(self)

    def undo(self) -> None:
        """Give the key back the value that it would have had."""
        self._is_over = True
        if self._overrides is not None:
            self._overrides.remove(self)
            self._overrides = None


class Overrides:
    """The keys of an app and its sub-apps that are overridden; of several values of a key, the last holds."""

    def __init__(self) -> None:
        self._of_key: defaultdict[tuple[web.Application, Any], list[Override[Any]]] = defaultdict(list)
        self._own: dict[tuple[web.Application, Any], Any] = {}

    def add(self, override: Override[Any]) -> None:
        """Put one on top."""
        place = override.app, override.key
        if place not in self._of_key:
            self._own[place] = state_of(override.app).get(override.key, MISSING)
        self._of_key[place].append(override)
        self._set(place, override.value)

    def remove(self, override: Override[Any]) -> None:
        """Take one away, wherever it is."""
        place = override.app, override.key
        left = self._of_key[place]
        left.remove(override)
        if left:
            self._set(place, left[-1].value)
        else:
            del self._of_key[place]
            self._set(place, self._own.pop(place))

    def prevail(self) -> None:
        """Take what the startup has set for the app's own, and put the overrides on top again."""
        for place, overrides in self._of_key.items():
            app, key = place
            value = state_of(app).get(key, MISSING)
            if value is not overrides[-1].value:
                self._own[place] = value
                self._set(place, overrides[-1].value)

    def _set(self, place: tuple[web.Application, Any], value: object) -> None:
        app, key = place
        if value is MISSING:
            state_of(app).pop(key, None)
        else:
            state_of(app)[key] = value


def checked_key(key: object) -> None:
    """Refuse what an app cannot have for a key."""
    if not isinstance(key, (str, web.AppKey)):
        raise UsageError(f"a key of an app is a web.AppKey or a str; got {one_line(key)}")
