"""Laws of CEL expressions."""

from __future__ import annotations

import base64
from typing import Any, Final

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.property import object_strategies as some
from weir.objects.cel import evaluate, judge
from weir.spec.errors import SpecError

pytestmark = pytest.mark.property
CANARY: Final = "c4n4ry-value"
DATA: Final = {"a": {"b": [1, "x", None, {"c": True}]}, "x": CANARY, "n": 7, "d": 1.5, "e": {}}
law = settings(deadline=None)

ATOMS: Final = (
    "a", "a.b", "a.c", "missing", "x", "n", "d", "e", "1", "-1", "2u", "1.0", "''", "'1h'", "b'x'", "true", "null",
    "[]", "[1, 2]", "{'b': 1}", "{1: 'x'}", "optional.none()", "optional.of(1)", "timestamp('2026-01-02T03:04:05Z')",
    "duration('90s')", "string", "'%s %d'",
)  # fmt: skip
UNARY: Final = (
    "({})", "!{}", "-{}", "{}.b", "{}.?b", "[?{}]", "{{?'k': {}}}", "has({}.b)", "type({})", "size({})", "string({})",
    "int({})", "double({})", "bool({})", "bytes({})", "duration({})", "timestamp({})", "optional.of({})",
    "optional.ofNonZeroValue({})", "{}.value()", "{}.hasValue()", "{}.first()", "{}.unwrapOpt()", "{}.reverse()",
    "{}.trim()", "{}.join()", "{}.getHours()", "{}.getFullYear('x')", "strings.quote({})", "base64.encode({})",
    "base64.decode({})", "{}.all(v, v)", "{}.map(v, v)",
)  # fmt: skip
BINARY: Final = (
    "{} == {}", "{} < {}", "{} in {}", "{} + {}", "{} - {}", "{} * {}", "{} / {}", "{} % {}", "{} && {}", "{} || {}",
    "{}[{}]", "{}[?{}]", "[{}, {}]", "{{{}: {}}}", "{}.or({})", "{}.orValue({})", "{}.format([{}])", "{}.split({})",
    "{}.contains({})", "{}.matches({})", "{}.substring({})", "{}.indexOf({})", "{}.charAt({})", "sets.contains({}, {})",
    "sets.equivalent({}, {})", "sets.intersects({}, {})", "{}.exists(v, {})", "{}.exists_one(v, {})",
    "{}.optMap(v, {})", "{}.optFlatMap(v, {})", "{}.filter(v, {})",
)  # fmt: skip


def composed(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    one = st.builds(str.format, st.sampled_from(UNARY), inner)
    return one | st.builds(str.format, st.sampled_from(BINARY), inner, inner)


expressions = st.recursive(st.sampled_from(ATOMS), composed, max_leaves=6)


def shown(expr: str) -> str:
    """What a person would be shown; only a SpecError is an error that we know."""
    try:
        return str(judge(expr, DATA))
    except SpecError as err:
        return str(err)


class TestNoSurprise:
    """Input from Git ends in an answer or in a SpecError, which shows no value."""

    @law
    @given(st.text("ab.()[]{}!&|=<>'\"+-*/%?: 01xtrue", max_size=40) | expressions)
    def test_any_text_as_an_expression(self, text: str) -> None:
        assert CANARY not in shown(text)

    @law
    @given(expressions, expressions)
    def test_and_and_or_have_no_sides(self, left: str, right: str) -> None:
        for operator in ("&&", "||"):
            answers = [
                shown(f"({one}) {operator} ({other})") for one, other in ((left, right), (right, left))
            ]
            decided = [answer in ("True", "False") for answer in answers]
            assert answers[0] == answers[1] if any(decided) else not all(decided)


class TestOptionals:
    """ "If a field is set, return optional.of(obj.field), else optional.none()"."""

    @law
    @given(st.dictionaries(some.keys, some.atoms), some.keys, some.atoms)
    def test_a_value_or_another(self, fields: dict[str, Any], key: str, other: Any) -> None:
        known = {"m": fields, "key": key, "other": other, "want": fields.get(key, other)}
        assert evaluate("m[?key].orValue(other) == want", known)
        assert evaluate(
            "m[?key].optMap(v, [v]) == (key in m ? optional.of([m[key]]) : optional.none())", known
        )
        assert evaluate("{?key: m[?key]}.size() == [?m[?key]].size()", known)

    @law
    @given(st.lists(some.atoms, max_size=4), st.integers(-5, 5))
    def test_an_element_or_none(self, items: list[Any], index: int) -> None:
        known = {"l": items, "i": index, "want": items[index : index + 1] if index >= 0 else []}
        assert evaluate("[?l[?i]] == want && l[?0] == l.first() && l[?l.size() - 1] == l.last()", known)
        assert evaluate("optional.unwrap(l.map(v, optional.of(v))) == l", known)


class TestLibrary:
    """What functions of Flux's environment give, by what Python gives."""

    @law
    @given(st.lists(st.integers(-3, 3), max_size=4), st.lists(st.integers(-3, 3), max_size=4))
    def test_lists_as_sets(self, left: list[int], right: list[int]) -> None:
        one, other = set(left), set(right)
        known: dict[str, Any] = {"l": left, "r": right}
        assert judge("sets.contains(l, r)", known) is (one >= other)
        assert judge("sets.equivalent(l, r)", known) is (one == other)
        assert judge("sets.intersects(l, r)", known) is bool(one & other)

    @law
    @given(st.text())
    def test_texts_come_back(self, text: str) -> None:
        known = {"t": text, "b64": base64.b64encode(text.encode()).decode()}
        assert evaluate("base64.encode(bytes(t)) == b64 && string(base64.decode(b64)) == t", known)
        assert evaluate(
            "t.reverse().reverse() == t && t.split('').join() == t && '%s'.format([t]) == t", known
        )

    @law
    @given(some.atoms, some.atoms)
    def test_equality_is_that_of_json(self, left: Any, right: Any) -> None:
        def typed(value: Any) -> Any:
            if isinstance(value, dict):
                return {key: typed(part) for key, part in value.items()}
            return [typed(part) for part in value] if isinstance(value, list) else (type(value), value)

        known = {"l": left, "r": right}
        assert judge("l == r", known) is (typed(left) == typed(right))
        assert judge("l in [r] || l != r", known) is True

    @law
    @given(st.integers(-(2**63), 2**63 - 1))
    def test_numbers_are_written_and_read(self, number: int) -> None:
        assert evaluate(
            "int(string(n)) == n && '%d'.format([n]) == string(n) && '%s'.format([n]) == string(n)",
            {"n": number},
        )

    @law
    @given(st.floats(allow_nan=False))
    def test_doubles_are_written_and_read(self, number: float) -> None:
        assert evaluate("double(string(d)) == d", {"d": number})
