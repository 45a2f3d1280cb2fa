"""Laws of what verbs print: one line stays one line, colour changes no letter, and no secret value is shown."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from weir.cli._show import as_data, painted
from weir.cli.format_build import masked
from weir.cli.format_logs import format_entry, read_entry
from weir.cli.format_status import format_units
from weir.cli.format_tree import format_tree
from weir.flow.object_tree import Node
from weir.spec.identity import ObjectId, UnitId
from weir.spec.record import Condition, UnitRecord

pytestmark = pytest.mark.property

TEXT = st.text(max_size=40)
SECRET = "hunter2-correct-horse"
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | TEXT | st.just(SECRET),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3),
    max_leaves=8,
)
NODES = st.recursive(
    st.builds(Node, st.builds(ObjectId, TEXT, TEXT, TEXT, TEXT)),
    lambda inner: st.builds(
        Node, st.builds(ObjectId, TEXT, TEXT, TEXT, TEXT), st.lists(inner, max_size=3).map(tuple)
    ),
    max_leaves=8,
)


def count(node: Node) -> int:
    return 1 + sum(map(count, node.children))


@given(NODES)
def test_a_tree_has_one_line_for_each_node_and_nothing_that_moves_the_cursor(node: Node) -> None:
    lines = format_tree(node).split("\n")
    assert len(lines) == count(node) + 1
    assert all(line.isprintable() for line in lines)


@given(TEXT, TEXT, TEXT)
def test_colour_changes_no_letter_of_a_table(name: str, message: str, revision: str) -> None:
    ready = Condition(status="False", reason="x", message=message)
    unit = UnitRecord(id=UnitId("a", "b", name), stack="s", revision=revision, ready=ready, suspended=True)
    table = format_units([unit], all_namespaces=True)
    shown = painted(table)
    assert shown != table
    assert re.sub(r"\x1b\[[0-9]+m", "", shown) == table
    assert table.count("\n") == 2


@given(st.dictionaries(st.sampled_from(["ts", "level", "unit", "msg", "error", "other"]), JSON))
def test_an_entry_of_a_log_is_one_line_whatever_it_holds(entry: dict[str, Any]) -> None:
    assert read_entry(json.dumps(entry)) == entry
    line = format_entry(entry)
    assert line.endswith("\n")
    assert line[:-1].isprintable()


@given(st.text())
def test_any_line_is_an_entry_or_none(line: str) -> None:
    assert read_entry(line) is None or isinstance(read_entry(line), dict)


@given(
    st.dictionaries(st.sampled_from(["data", "stringData"]), st.dictionaries(TEXT, JSON, max_size=3)), JSON
)
def test_no_value_of_a_secret_is_shown(data: dict[str, Any], spec: Any) -> None:
    meta = {"name": "a", "namespace": "b"}
    secret = {"apiVersion": "v1", "kind": "Secret", "metadata": meta, **data}
    assert SECRET not in as_data([masked(secret, ())], "yaml")
    holder = {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {**meta, "labels": {"a": SECRET}},
        "spec": spec,
    }
    assert SECRET not in as_data([masked(holder, {ObjectId.of(holder)})], "json")
