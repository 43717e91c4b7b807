"""Attributes of one object that stand in for those of its class, until that is undone. Knows nothing else."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from contextlib import ExitStack

__all__ = ["replace_own"]


def replace_own(owner: object, values: Mapping[str, object], undo: ExitStack) -> None:
    """Set attributes of `owner` itself; closing `undo` puts back what it had, and takes away the others."""
    own = vars(owner)
    undo.callback(put_back, owner, list(values), {name: own[name] for name in values if name in own})
    for name, value in values.items():
        setattr(owner, name, value)


def put_back(owner: object, names: Iterable[str], before: Mapping[str, object]) -> None:
    """Give attributes the values that they had before, or none."""
    for name in names:
        if name in before:
            setattr(owner, name, before[name])
        else:
            delattr(owner, name)
