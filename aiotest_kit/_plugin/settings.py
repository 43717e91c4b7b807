"""The settings of a test: its markers, nearest first, over the ini options of the project."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, TypeAlias

import pytest

from .._messages.exceptions import UsageError
from .._messages.wording import join_names

if TYPE_CHECKING:
    from collections.abc import Mapping


__all__ = ["Policy", "log_bounds", "policy_of"]


Unmatched: TypeAlias = Literal["error", "allow", "passthrough"]
Unused: TypeAlias = Literal["error", "allow"]
ServedBy: TypeAlias = Literal["auto", "thread"]
Leaks: TypeAlias = Literal["off", "warn", "error"]
CHOICES: dict[str, tuple[object, ...]] = {
    "unmatched": ("error", "allow", "passthrough"),
    "unused": ("error", "allow"),
    "upstream": ("auto", "thread"),
    "allow_server_errors": (False, True),
    "leaks": ("off", "warn", "error"),
}
OF_THE_PROJECT = ("unmatched", "unused", "upstream", "leaks")
"""Options that the ini file has too."""


@dataclass(frozen=True)
class Policy:
    """What is made of a request that no route answers, and of a route that is never called.

    `upstream` says what serves an upstream: `thread`, or the loop of the test if it has one.
    `allow_server_errors` says that what escapes from an app is no failure.
    """

    unmatched: Unmatched = "error"
    unused: Unused = "error"
    upstream: ServedBy = "auto"
    allow_server_errors: bool = False
    leaks: Leaks = "off"

    @classmethod
    def of_project(cls, config: pytest.Config) -> Policy:
        """What the ini options say; read once in a run.

        Raises:
            UsageError: a value is unknown.
        """
        policy = config.stash.get(OF_PROJECT, None)
        if policy is None:
            policy = cls()
            for name in OF_THE_PROJECT:
                ini = f"aiotest_kit_{name}"
                policy = policy.updated({name: config.getini(ini)}, f"the ini option {ini}")
            config.stash[OF_PROJECT] = policy
        return policy

    @classmethod
    def of(cls, item: pytest.Item, settings: Mapping[str, str], source: str) -> Policy:
        """What the markers of a test, the nearest first, other settings, and the ini options say.

        Raises:
            UsageError: an option or its value is unknown.
        """
        policy = cls.of_project(item.config)
        if settings:
            policy = policy.updated(settings, source)
        for node, marker in reversed(list(item.iter_markers_with_node("aiotest"))):
            source = f"@pytest.mark.aiotest on {node.nodeid}"
            if marker.args:
                value = marker.args[0]
                raise UsageError(f"{value!r} of {source} has no name; options are: {join_names(CHOICES)}")
            policy = policy.updated(marker.kwargs, source)
        return policy

    def updated(self, settings: Mapping[str, Any], source: str) -> Policy:
        """The policy with other settings; `source` says where they stand.

        Raises:
            UsageError: a setting or its value is unknown.
        """
        for name, value in settings.items():
            choices = CHOICES.get(name)
            if choices is None:
                raise UsageError(f"unknown option {name!r} of {source}; options are: {join_names(CHOICES)}")
            if value not in choices:
                raise UsageError(f"unknown {name} {value!r} of {source}; it may be: {join_names(choices)}")
        return Policy(**{**vars(self), **settings})


OF_PROJECT: pytest.StashKey[Policy] = pytest.StashKey()
BOUNDS: pytest.StashKey[LogBounds] = pytest.StashKey()
NONE: Mapping[str, str] = {}


class LogBounds(NamedTuple):
    """How much the logs of fixtures keep: calls, and bytes of a body."""

    keep: int
    keep_body: int


def log_bounds(config: pytest.Config) -> LogBounds:
    """How much the ini options say is kept; where they are wrong, that fails the test."""
    bounds = config.stash.get(BOUNDS, None)
    if bounds is None:
        bounds = config.stash[BOUNDS] = LogBounds(number_of(config, "keep"), number_of(config, "keep_body"))
    return bounds


def number_of(config: pytest.Config, name: str) -> int:
    """The number that an ini option gives."""
    text = str(config.getini(f"aiotest_kit_{name}")).strip()
    if not text.isdecimal():
        said = f"the ini option aiotest_kit_{name} is a number; got {text!r}"
        raise pytest.fail.Exception(said, pytrace=False)
    return int(text)


def policy_of(item: pytest.Item, settings: Mapping[str, str] = NONE, source: str = "") -> Policy:
    """What the settings say for a test; where they are wrong, that fails the test.

    `settings`, which stand at `source`, go over those of the project, and the markers over both.
    """
    try:
        return Policy.of(item, settings, source)
    except UsageError as error:
        raise pytest.fail.Exception(str(error), pytrace=False) from None
