"""The proof after every edit: a file that would mean something else is refused, not written."""

from __future__ import annotations

import pytest

from weir.edit.nodes import Node, read_text
from weir.edit.splice import Edit, splice, written
from weir.spec.errors import SpecError


def entries(text: str) -> list[Node]:
    (root,) = read_text(text.encode(), "f.yaml").roots
    return [node for entry in root.entries for node in entry]


def test_an_edit_that_makes_two_keys_one_is_refused() -> None:
    text = "a: 1\nb: 2\n"
    with pytest.raises(SpecError, match=r"f\.yaml: line 2, .*duplicate key 'a'"):
        splice(read_text(text.encode(), "f.yaml"), [Edit(entries(text)[2], ("b",), "a")])


def test_two_edits_of_one_scalar_are_refused() -> None:
    text = "a: x\nb: y\n"
    node = entries(text)[3]
    with pytest.raises(SpecError, match=r"f\.yaml: line 2: found 'a text that would mean something else"):
        splice(read_text(text.encode(), "f.yaml"), [Edit(node, ("b",), "p"), Edit(node, ("b",), "q")])


@pytest.mark.parametrize(
    ("value", "scalar"), [("app:30", "app:30"), ("12:30", '"12:30"'), ("12:70", "12:70")]
)
def test_what_yaml_1_1_takes_for_a_number_of_base_60_gets_quotes(value: str, scalar: str) -> None:
    assert written(value) == scalar
