"""What a test owes its mock: every request answered, every route called, no error in a handler.

Decides and words it; pytest carries it out. Knows the router. Knows nothing of hooks.
"""

from __future__ import annotations

import traceback
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from ._errors import UsageError, join_names
from ._explain import explain_unused
from ._verify import timeline

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from ._router import Router

__all__ = ["Policy", "Watched"]


@dataclass(frozen=True)
class Policy:
    """What is made of a request that no route answers, and of a route that is never called."""

    unmatched: str = "error"
    unused: str = "error"

    def updated(self, settings: Mapping[str, object], source: str) -> Policy:
        """The policy with other settings; `source` says where they stand.

        Raises:
            UsageError: a setting or its value is unknown.
        """
        for name, value in settings.items():
            choices = CHOICES.get(name)
            if choices is None:
                raise UsageError(f"unknown option {name!r} of {source}; options are: {join_names(CHOICES)}")
            if value not in choices:
                raise UsageError(f"{name}={value!r} of {source}; it may be: {join_names(choices)}")
        return replace(self, **settings)


CHOICES = {"unmatched": ("error", "allow", "passthrough"), "unused": ("error", "allow")}


@dataclass(frozen=True)
class Watched:
    """A router whose test is held to a policy."""

    router: Router
    policy: Policy

    def handler_error(self) -> BaseException | None:
        """The first error that escaped from a handler."""
        errors = self.router.handler_errors
        return errors[0].exception if errors else None

    def complaint(self) -> str | None:
        """What the test left undone, if anything."""
        parts = []
        if self.policy.unmatched == "error":
            parts += [miss.explain() for miss in self.router.misses]
        never_called = self.router.never_called
        if never_called and self.policy.unused == "error":
            parts.append(explain_unused(never_called, [call.request for call in self.router.calls]))
        return "\n".join(parts) if parts else None

    def sections(self) -> Iterator[tuple[str, str]]:
        """What helps to understand a failure of the test: titles and texts."""
        for error in self.router.handler_errors:
            text = "".join(traceback.format_exception(error.exception))
            yield "error in a handler", f"while answering {error.request.method} {error.request.url}\n{text}"
        if self.router.calls:
            yield "aiohttp calls", timeline(self.router.calls)
