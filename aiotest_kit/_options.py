"""Keyword options are checked against those there are.

Knows names only; what a value has to be is checked where it is used.
"""

from __future__ import annotations

from difflib import get_close_matches
from typing import TYPE_CHECKING

from ._messages.exceptions import UsageError
from ._messages.wording import join_names

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

__all__ = ["check_options"]


ALSO_CALLED = {
    "content": ("body",),
    "cookie": ("cookies",),
    "data": ("form", "body"),
    "params": ("query",),
    "payload": ("json",),
}
"""What else options are called, by aiohttp and others."""


SAYS_THE_STATUS = ("code", "status_code")


def check_options(options: Iterable[str], allowed: Collection[str], where: str) -> None:
    """Refuse an option that is not allowed; `where` is what has the options, such as `a route`.

    Raises:
        UsageError: with the options there are, and the one that was probably meant.
    """
    for option in options:
        if option not in allowed:
            names = sorted(allowed)
            near = [name for name in ALSO_CALLED.get(option, ()) if name in allowed] or get_close_matches(
                option, names, n=1
            )
            hint = f"; did you mean {' or '.join(map(repr, near))}?" if near else ""
            if option in SAYS_THE_STATUS and where == "a reply":
                hint = "; the status is the first argument, as in reply(404)"
            raise UsageError(f"unknown option {option!r} for {where}; options are: {join_names(names)}{hint}")
