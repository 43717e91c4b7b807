"""What the source of the kit says, for tests of where names come from."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from scripts.structure import tree_of


def names_defined_in(module: str) -> Iterator[str]:
    """What the module binds: functions, classes, variables, slots, attributes of `self` and `cls`."""
    for node in ast.walk(tree_of(module)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            yield node.name
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            yield node.id
        elif isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store):
            if isinstance(node.value, ast.Name) and node.value.id in {"self", "cls"}:
                yield node.attr
        elif isinstance(node, ast.Assign) and [dotted_name(target) for target in node.targets] == [
            "__slots__"
        ]:
            yield from (str(part.value) for part in ast.walk(node.value) if isinstance(part, ast.Constant))


def dotted_name(node: ast.expr) -> str:
    """`a.b.c` as text; empty for any other expression."""
    if isinstance(node, ast.Subscript):
        return dotted_name(node.value)
    if isinstance(node, ast.Attribute):
        start = dotted_name(node.value)
        return f"{start}.{node.attr}" if start else ""
    return node.id if isinstance(node, ast.Name) else ""
