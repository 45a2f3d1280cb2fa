"""The line reader against the full parser: the same values, or no answer."""

from __future__ import annotations

from typing import Any

import pytest
import yaml
from hypothesis import example, given, settings
from hypothesis import strategies as st

from weir.spec.block_yaml import read_block
from weir.spec.documents import load_yaml

pytestmark = pytest.mark.property

MANIFEST = """\
# a comment
apiVersion: apps/v1
kind: Deployment
metadata:
  name: web
  labels: {}
  annotations:
    note: 'it is # quoted'
    text: |
      first line
        indented: deeper

      last
    stripped: |-
      one
spec:
  replicas: 3
  ratio: 0.5
  paused: false
  template:
    spec:
      containers:
      - name: web
        image: registry.example:5000/web:1.0
        args:
        - --port=8080
        - "-v"
        - :9090
        command: []
        env:
          - name: A
            value: "1"
          - name: B
            value:
      nodeSelector:
        kubernetes.io/os: linux
---
apiVersion: v1
kind: List
items:
- kind: ConfigMap
  data:
    a: ~
    b: 0x10
---
"""

texts = st.text(alphabet="ab1 :#-'\"{}[]|>~.,&*!%@`\\\n?=", max_size=8)
scalars = st.none() | st.booleans() | st.integers(-(2**40), 2**40) | st.floats(allow_nan=False) | texts
keys = st.sampled_from(["a", "b", "app.kubernetes.io/name", "on", "true", "1", "e3", "_x", "A-B", "<<"])
values = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(keys, inner, max_size=3),
    max_leaves=12,
)
bodies = [
    "a: 1",
    "b: x",
    "c:",
    "- d",
    "- e: f",
    "- g:",
    "-",
    "- - h",
    "---",
    "...",
    "# i",
    "",
    "j: |",
    "k: |-",
    "l: >",
]
bodies += [
    "text",
    "m: 'n'",
    'o: "p"',
    "q: {}",
    "r: []",
    "s: t: u",
    "? v",
    "w: &x y",
    "z: *x",
    "1: 2",
    "a: 2001-01-01",
]
bodies += [
    "true: 1",
    "aa:  b",
    "bb: c # d",
    "cc: d#e",
    "dd: - e",
    "ee: 'f",
    "ff: g ",
    "- |",
    "gg: ---",
    "a: \\n",
    "- {}",
]
lines = st.tuples(st.sampled_from(["", "  ", "    ", "      ", " "]), st.sampled_from(bodies)).map("".join)


def types(value: Any) -> Any:
    """The value with the type of every scalar and the order of every key."""
    if type(value) is dict:
        return [(key, types(item)) for key, item in value.items()]
    if type(value) is list:
        return [types(item) for item in value]
    return type(value), repr(value)


def agree(text: str) -> bool:
    """Whether the line reader gave an answer; it must be the full parser's, which a non-ASCII comment calls in."""
    found = read_block(text)
    if found is None:
        return False
    judge = load_yaml(f"{text}# \u00e9\n", "judge.yaml")
    assert types(found) == types(list(judge.values))
    assert judge.odd == ""
    return True


def test_a_manifest_is_read_line_by_line() -> None:
    assert agree(MANIFEST)


@pytest.mark.parametrize(
    "line", ["a: &x 1", "a: [1]", "a: {b: 1}", 'a: "\\n"', "a: >", "? a", "a: é", "a:\tb", "a: 'b"]
)
def test_other_styles_are_left_to_the_full_parser(line: str) -> None:
    assert read_block(f"{line}\n") is None


@given(st.lists(values, min_size=1, max_size=3), st.sampled_from([None, "'", '"', "|"]), st.booleans())
def test_what_pyyaml_writes(documents: list[Any], style: str | None, indented: bool) -> None:
    text = yaml.safe_dump_all(
        documents, default_style=style, default_flow_style=False, indent=2 + 2 * indented
    )
    agree(text)


@settings(max_examples=600)
@given(st.lists(lines, max_size=10))
@example(["a:", "- b", "c: 1"])
@example(["a: |", "    text", "  less", "b: 1"])
@example(["j: |", "", "  text", ""])
@example(["j: |", "- d", "  a: 1"])
def test_lines_in_any_order(soup: list[str]) -> None:
    text = "\n".join([*soup, ""])
    agree(text)


@settings(max_examples=600)
@given(st.data())
def test_a_manifest_with_a_slip_of_the_pen(data: st.DataObject) -> None:
    text = MANIFEST
    for _ in range(data.draw(st.integers(1, 3))):
        at = data.draw(st.integers(0, len(text) - 1))
        gone = data.draw(st.integers(0, 3))
        text = text[:at] + data.draw(texts) + text[at + gone :]
    agree(text)
