"""The calls that were made, by method and URL, and what can be asserted of them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from aiohttp import hdrs

from ._bodies import copied
from .compat import merge_params, normalize_url

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from yarl import URL

__all__ = ["CallAsserts", "RequestCall"]

ABSENT = object()


class RequestCall(NamedTuple):
    """One call: what the session's method was given beside method and URL."""

    args: tuple[Any, ...]
    kwargs: dict[str, Any]

    @classmethod
    def of(cls, method: str, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> RequestCall:
        """A call as it is kept: with the keywords that `session.get` and `session.post` always add."""
        kept: dict[str, Any] = {name: copied(value) for name, value in kwargs.items()}
        kept.setdefault("allow_redirects", True)
        if method == hdrs.METH_POST:
            kept.setdefault("data", None)
        return cls(args, kept)


class CallAsserts:
    """`requests`, each call by its method and URL with the query sorted, and the assertions on them."""

    requests: dict[tuple[str, URL], list[RequestCall]]

    def assert_not_called(self) -> None:
        """Fail if there was any call."""
        if self.requests:
            raise AssertionError(
                f"Expected {self._name!r} to not have been called. Called {self._call_count} times."
            )

    def assert_called(self) -> None:
        """Fail if there was no call."""
        if not self.requests:
            raise AssertionError(f"Expected {self._name!r} to have been called.")

    def assert_called_once(self) -> None:
        """Fail unless there was one call, to whatever URL."""
        if self._call_count != 1:
            raise AssertionError(
                f"Expected {self._name!r} to have been called once. Called {self._call_count} times."
            )

    def assert_called_with(
        self,
        url: URL | str,
        method: str = hdrs.METH_GET,
        args_to_match: Sequence[str] | None = None,
        *args: Any,
        **kwargs: Any,
    ) -> None:
        """Fail unless the last call for `method` and `url`, with `params` in it, had these keywords.

        All that the call had are compared, or those that `args_to_match` names.
        """
        calls = self._calls(url, method, kwargs)
        if not calls:
            raise AssertionError(f"{self._worded(url, method, args, kwargs)} call not found")
        actual, expected = calls[-1], RequestCall.of(method.upper(), args, kwargs)
        if args_to_match is None:
            differs = expected != actual
        else:
            differs = any(
                name not in actual.kwargs or expected.kwargs.get(name, ABSENT) != actual.kwargs[name]
                for name in args_to_match
            )
        if differs:
            raise AssertionError(f"{self._name}({actual!r}) != {self._name}({expected!r})")

    def assert_any_call(self, url: URL | str, method: str = hdrs.METH_GET, *args: Any, **kwargs: Any) -> None:
        """Fail unless there was a call for `method` and `url`, with `params` in it, whatever its keywords."""
        if self._calls(url, method, kwargs) is None:
            raise AssertionError(f"{self._worded(url, method, args, kwargs)} call not found")

    def assert_called_once_with(self, *args: Any, **kwargs: Any) -> None:
        """Fail unless there was one call, and it was this; see `assert_called_with`."""
        self.assert_called_once()
        self.assert_called_with(*args, **kwargs)

    @property
    def _name(self) -> str:
        return type(self).__name__

    @property
    def _call_count(self) -> int:
        return sum(len(calls) for calls in self.requests.values())

    def _calls(self, url: URL | str, method: str, kwargs: Mapping[str, Any]) -> list[RequestCall] | None:
        key = method.upper(), normalize_url(merge_params(url, kwargs.get("params")))
        return self.requests.get(key)

    def _worded(self, url: URL | str, method: str, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> str:
        words = [repr(url), f"method={method!r}", *map(repr, args)]
        words += [f"{name}={value!r}" for name, value in kwargs.items()]
        return f"{self._name}({', '.join(words)})"
