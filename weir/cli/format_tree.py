"""Trees as `flux tree` draws them, and as plain values."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from weir.cli.format import plain
from weir.flow.object_tree import Node


def format_tree(node: Node) -> str:
    """One line for each object, `Kind/namespace/name`, below what owns it."""
    return "\n".join([plain(str(node.id)), *_below(node, "")]) + "\n"


def _below(node: Node, indent: str) -> Iterator[str]:
    for child in node.children:
        last = child is node.children[-1]
        yield f"{indent}{'└──' if last else '├──'} {plain(str(child.id))}"
        yield from _below(child, indent + ("    " if last else "│   "))


def tree_as_data(node: Node) -> dict[str, Any]:
    """`kind`, `group`, `namespace`, `name` (empty where there is none) and `resources`, left out below leaves."""
    item = node.id
    data: dict[str, Any] = {
        "kind": item.kind,
        "group": item.group,
        "namespace": item.namespace,
        "name": item.name,
    }
    return data | ({"resources": [tree_as_data(child) for child in node.children]} if node.children else {})
