"""Laws of variable substitution."""

from __future__ import annotations

import fnmatch
import re
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from tests.property.strategies import OBJECTS, PLAIN_TEXTS, VARIABLES
from weir.render.emit import to_json, to_yaml
from weir.render.expressions import ExpressionError, expand
from weir.render.globs import cut_end, cut_start
from weir.render.substitute import Variable, substitute
from weir.spec.documents import Document, load_yaml

pytestmark = pytest.mark.property
TEXTS = st.text(st.sampled_from("ab${}:=-#%/^,\\x1 \n"), max_size=40)


@given(PLAIN_TEXTS)
def test_a_text_with_every_dollar_doubled_comes_back_as_it_was(text: str) -> None:
    assert expand(text.replace("$", "$$"), {"a": "b"}.get) == text


@given(PLAIN_TEXTS, VARIABLES, PLAIN_TEXTS)
def test_a_variable_is_replaced_by_exactly_its_value(before: str, name: str, value: str) -> None:
    quoted = before.replace("$", "$$")
    assert expand(f"{quoted}${{{name}}}|", {name: value}.get) == f"{before}{value}|"


@given(TEXTS)
@example("${a:=${a:=${a:=")
@example("$${${")
def test_any_text_gives_a_text_or_an_error_of_one_line(text: str) -> None:
    message = ""
    try:
        assert isinstance(expand(text, {"a": "1", "x": "ab"}.get), str)
    except ExpressionError as err:
        message = str(err)
    assert "\n" not in message


@given(OBJECTS)
def test_an_object_survives_the_way_through_yaml_text(data: dict[str, Any]) -> None:
    assert load_yaml(to_yaml(data), "x", old_booleans=True).values == (_as_kubernetes(data),)


@given(OBJECTS)
def test_json_reads_the_same_as_yaml(data: dict[str, Any]) -> None:
    assert load_yaml(to_json(data), "x").values == (_as_kubernetes(data),)


@given(OBJECTS, st.dictionaries(VARIABLES, PLAIN_TEXTS, min_size=1, max_size=3))
def test_objects_without_expressions_do_not_change(data: dict[str, Any], values: dict[str, str]) -> None:
    if b"$$" in to_json(data) or b"${" in to_json(data):
        return
    variables = {name: Variable(value=value, secret=True, origin="x") for name, value in values.items()}
    result = substitute([Document("f", 0, data)], variables)
    assert result.documents[0].data is data
    assert not result.secret


@given(st.text("ab/.", max_size=12), st.text("ab*?.", min_size=1, max_size=6))
def test_patterns_cut_what_the_standard_library_matches(text: str, pattern: str) -> None:
    rule = re.compile(fnmatch.translate(pattern))
    ends = [end for end in range(1, len(text) + 1) if rule.fullmatch(text[:end])]
    assert cut_start(text, pattern, longest=False) == (text[ends[0] :] if ends else text)
    assert cut_start(text, pattern, longest=True) == (text[ends[-1] :] if ends else text)
    starts = [start for start in range(len(text)) if rule.fullmatch(text[start:])]
    assert cut_end(text, pattern, longest=False) == (text[: starts[-1]] if starts else text)
    assert cut_end(text, pattern, longest=True) == (text[: starts[0]] if starts else text)


def _as_kubernetes(value: Any) -> Any:
    """A float without a fraction is a whole number in what a cluster gets."""
    if isinstance(value, dict):
        return {key: _as_kubernetes(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_as_kubernetes(item) for item in value]
    if isinstance(value, float) and value.is_integer():
        whole = int(Decimal(repr(value)))
        return whole if -(2**63) <= whole < 2**64 else value
    return value
