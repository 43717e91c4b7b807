"""Attributes of one object that stand in for those of its class, until that is undone. Knows nothing else."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from contextlib import ExitStack

__all__ = ["replace_own"]


def replace_own(owner: object, name: str, value: object, undo: ExitStack) -> None:
    """Set an attribute of `owner` itself; closing `undo` puts back what it had, or takes it away again."""
    own = vars(owner)
    if name in own:
        undo.callback(setattr, owner, name, own[name])
    else:
        undo.callback(delattr, owner, name)
    setattr(owner, name, value)
