"""CEL over objects: what Flux's expressions need, within limits, with errors that say why and show no values."""

from __future__ import annotations

from typing import Any

import pytest

from weir.objects.cel import MAX_LENGTH, MAX_NESTING, compile_check, evaluate, judge, result, text
from weir.spec.errors import SpecError

OBJ: dict[str, Any] = {
    "metadata": {"name": "x", "generation": 3, "labels": {"a.b/c": "1"}},
    "spec": {"replicas": 2, "ratio": 1.5, "nothing": None},
    "status": {
        "observedGeneration": 3,
        "phase": "Running",
        "conditions": [
            {"type": "Ready", "status": "True"},
            {"type": "Synced", "status": "False", "reason": "Error"},
        ],
    },
    "data": {"password": "CANARY", "n": "1"},
}


@pytest.mark.parametrize(
    ("expr", "want"),
    [
        ("status.conditions.filter(e, e.type == 'Ready').all(e, e.status == 'True')", True),
        ("status.conditions.exists(e, e.type == 'Synced' && e.status == 'True')", False),
        ("status.conditions.exists_one(e, e.status == 'True')", True),
        ("status.conditions.map(e, e.type) == ['Ready', 'Synced']", True),
        ("status.observedGeneration == metadata.generation", True),
        ("has(status.phase) && status.phase in ['Running', 'Bound']", True),
        ("!has(status.reason)", True),
        ("metadata.labels['a.b/c'] == '1'", True),
        ("size(status.conditions) == 2 && status.conditions.size() == 2", True),
        ("status.phase.startsWith('Run') && status.phase.matches('^R.*g$')", True),
        ("int(data.n) == 1 && data['n'] == '1'", True),
        ("spec.replicas == 2.0 && spec.replicas > 1.5 && spec.ratio < 2", True),
        ("spec.replicas in [1.0, 2.0]", True),
        ("spec.nothing == null", True),
        ("status.phase == 'Failed' ? true : false", False),
        ("status.phase.lowerAscii() == 'running' && 'a,b'.split(',').join('-') == 'a-b'", True),
        ("' x '.trim() == 'x' && 'abc'.substring(1) == 'bc' && 'abc'.indexOf('c') == 2", True),
        ("'aXa'.replace('X', 'b') == 'aba' && 'abc'.charAt(1) == 'b'", True),
        ("(status.phase + '/' + metadata.name).lowerAscii() == 'running/x'", True),
        ("('a' + '/b').split('/') == ['a', 'b'] && ('a' + 'b').contains('b')", True),
        ("('a' + 'b').replace('b', 'c') == 'ac' && ('a' + 'b').matches('^ab$')", True),
        ("(' a' + ' ').trim() == 'a' && {'ab': 1}['a' + 'b'] == 1", True),
        ("type('a' + 'b') == string && type(b'a' + b'b') == bytes && type([1] + [2]) == list", True),
        ("(['a'] + ['b']).join('-') == 'a-b' && [1] + [2] == [1, 2] && 2.0 in [1] + [2]", True),
        (
            "(spec.ratio + 0.5) * 2.0 == 4 && (spec.ratio - 0.5) * 2.0 == 2 && (spec.ratio * 2.0) / 3.0 == 1",
            True,
        ),
        ("timestamp('2026-01-02T00:00:00Z') - duration('24h') == timestamp('2026-01-01T00:00:00Z')", True),
        ("timestamp('2026-01-01T00:00:00Z') < timestamp('2026-01-02T00:00:00Z')", True),
        ("status.phase == 1 || spec.replicas == 'x' || [1] == ['a'] || spec.nothing == 0", False),
        ("status.phase in [1, 'Running'] && 1.0 in {1: 'x'} && !('x' in {1: 'x'})", True),
        ("[1, 2].map(n, n > 1, n * 2) == [4] && [1, 2].existsOne(n, n == 1)", True),
        ("[1, 2,] == [1, 2] && {'a': 1,} == {'a': 1.0} && .size([1]) == 1", True),
        ("type(spec.ratio) == double && type(null) == null_type && type(type(1)) == type", True),
        ("{'a': 1}.all(key, key == 'a') && [0, 1].exists(n, 1 / n == 1)", True),
        ("string(timestamp('2026-01-02T03:04:05.5+01:00')) == '2026-01-02T03:04:05.5+01:00'", True),
        ("string(true) == 'true' && string(1.0) == '1' && string(1e6) == '1e+06'", True),
        ("1.0 / 0.0 == -1.0 / -0.0 && 7 % -2 == 1 && -7 / 2 == -3", True),
        ("'\\?\\`\\x41\\u00e9\\U0001F600\\101\\'' == \"?`Aé😀A'\" && r'\\d' == '\\\\d'", True),
        ("'''a\n'b''' == 'a\\n\\'b' && b'\\xffé' != b'\\377' && size(b'\\xffé') == 3", True),
        ("br'\\x' == b'\\\\x' && 0x1F == 31 && 0x1fu == 31u && -0x1 == -1", True),
        ("has(status.phase.length) || has(spec.nothing.x)", False),
    ],
)
def test_an_expression_is_true_or_false(expr: str, want: bool) -> None:
    assert judge(expr, OBJ) is want
    assert evaluate(expr, OBJ) is want


def test_a_ready_expression_sees_self_and_dep() -> None:
    expr = "dep.status.version == self.metadata.labels.version"
    both: dict[str, Any] = {
        "self": {"metadata": {"labels": {"version": "2"}}},
        "dep": {"status": {"version": "2"}},
    }
    assert evaluate(expr, both)
    both["dep"]["status"]["version"] = "1"
    assert not evaluate(expr, both)


@pytest.mark.parametrize(
    "expr",
    [
        "status.nothing == 'x'",
        "status.nothing.deeper == 'x'",
        "missing.phase == 'x'",
        "spec.nothing.deeper == 'x'",
        "status.conditions[7].type == 'Ready'",
        "status.conditions.all(e, e.reason == 'Error')",
        "status.missing.exists(e, e == 1)",
        "status.conditions[-1].type == 'Ready'",
        "status.missing == 'x' ? true : false",
        "!has(status.missing.deeper)",
        "!has(missing.phase)",
        "status.?missing.value() == 'x'",
        "status.conditions.filter(e, e.type == 'x').first().value().status == 'True'",
        "value == 1",
    ],
)
def test_an_absent_field_means_not_yet(expr: str) -> None:
    assert judge(expr, OBJ) is None
    assert evaluate(expr, OBJ) is False


def test_an_absent_field_does_not_matter_where_the_answer_is_known() -> None:
    assert judge("status.phase == 'Running' || status.nothing == 'x'", OBJ) is True
    assert judge("status.nothing == 'x' && false", OBJ) is False


BROKEN = {
    "status.phase ==": "not readable",
    "x y": "not readable",
    "": "not readable",
    "status.phase": "type string, not a boolean",
    "fooBar(status)": "unknown function fooBar()",
    "status.phase.explode()": "unknown function explode()",
    "status.conditions.reduce(a, b, 0, a)": "unknown function reduce()",
    "status.phase.x == 1": "a field of something that is no map",
    "status.phase > 1": "> does not take string and int",
    "status.phase.?x": "type optional, not a boolean",
    "spec.replicas + spec.ratio == 1": "+ does not take int and double",
    "spec.replicas ? true : false": "a condition of type int, not a boolean",
    "status.phase && true": "a condition of type string, not a boolean",
    "status.conditions.filter(e, e.status) == []": "a condition of type string, not a boolean",
    "status.phase.exists(e, e == 'R')": "exists does not take string",
    "'abc'.substring(9) == 'x'": "substring cannot be evaluated (IndexError)",
    "status.conditions['x'] == 1": "an index of a list that is no whole number",
    "has(status['phase'])": "has() of something that is no field",
    "[1].all(e + 1, true)": "all() whose first argument is no name",
    "[1].all(true)": "all() with 1 arguments, not 2",
    "[1].map(a, b, c, d) == []": "map() with 4 arguments, not 2 or 3",
    "contains('ab', 'a')": "unknown function contains()",
    "int(true) == 1": "int does not take bool",
    "Pod{name: 'x'}.name == 'x'": "messages cannot be made",
    "{1.5: 2} == {}": "a key of type double in a map",
    "{'a': 1, 'a': 2} == {}": "a key twice in a map",
    "9223372036854775808 == 1": "a number that is out of range: 9223372036854775808",
    "1e999 == 1.0": "a number that is out of range: 1e999",
    "'a'.matches('\\d')": "an unknown escape \\d",
    "'\\ud800' == ''": "an unknown escape \\ud800",
    "b'\\u0041' == b'A'": "an escape \\u0041 in bytes",
    "9223372036854775807 + 1 == 1": "+ cannot be evaluated (ValueError)",
    "1 / 0 == 1": "ZeroDivisionError",
    "int(data.password) == 1": "ValueError",
    "timestamp(data.password) > timestamp('2026-01-01T00:00:00Z')": "cannot be evaluated",
    "'x'.matches('(')": "cannot be evaluated",
}


@pytest.mark.parametrize("expr", BROKEN)
def test_a_broken_expression_says_why_and_shows_no_value(expr: str) -> None:
    with pytest.raises(SpecError) as caught:
        evaluate(expr, OBJ)
    text = str(caught.value)
    assert BROKEN[expr] in text
    assert repr(expr) in text
    assert "CANARY" not in text


HUGE = {
    "long": "a" * (MAX_LENGTH + 1),
    "brackets": "(" * (MAX_NESTING + 1) + "true" + ")" * (MAX_NESTING + 1),
    "negations": "!" * 2000 + "true",
    "spaced negations": "! " * 2000 + "true",
    "nested loops": "[0,1,2,3,4,5,6,7,8,9].all(a, " * 6 + "true" + ")" * 6,
    "doubling text": "['aaaaaaaaaaaaaaaa']" + ".map(a, a + a)" * 60 + ".size() == 1",
    "doubling list": "[[1]]" + ".map(a, a + a)" * 60 + ".size() == 1",
    "repeated text": "'a' * 1000000000 == 'a'",
    "padded text": "'%1000000000d' % 1 == ''",
    "replaced text": "['aaaaaaaaaaaaaaaa']" + ".map(a, a.replace('a', a))" * 10 + ".size() == 1",
    "comparisons": "big.all(a, big.all(b, big == big))",
    "ternaries": "true ? " * 300 + "true" + " : true" * 300,
    "sets": "sets.equivalent(big, big)",
    "wide numbers": "'%.999999999f'.format([1.0]) == ''",
    "formatted text": "['aaaaaaaaaaaaaaaa']" + ".map(a, '%s%s%s'.format([a, a, a]))" * 20 + ".size() == 1",
}


@pytest.mark.parametrize("name", HUGE)
def test_a_catastrophic_expression_ends_in_an_error(name: str) -> None:
    with pytest.raises(SpecError):
        evaluate(HUGE[name], {"big": [{"a": "x" * 100}] * 500})


def test_a_catastrophic_pattern_is_none() -> None:
    assert judge("text.matches('(a+)+$')", {"text": "a" * 5000 + "b"}) is False


@pytest.mark.parametrize("kind", ["bool", "double", "duration", "int", "timestamp", "uint"])
@pytest.mark.parametrize("long", ["a" * 60 + "!", "1" * 300 + "!", "1h" * 150 + "!", "1" * 1_000_000])
def test_no_text_takes_long_to_convert(kind: str, long: str) -> None:
    with pytest.raises(SpecError, match="cannot be evaluated"):
        evaluate(f"{kind}(x) == {kind}(x)", {"x": long})


def test_an_ordinary_expression_over_a_large_object_is_within_the_limits() -> None:
    conditions = [{"type": f"C{index}", "status": "True"} for index in range(100)]
    assert evaluate("status.conditions.all(e, e.status == 'True')", {"status": {"conditions": conditions}})


def test_check_finds_unknown_variables() -> None:
    compile_check("dep.status.ready && self.spec.x.exists(y, y == 1)", ("self", "dep"))
    with pytest.raises(SpecError, match="found 'slef', expected one of the variables dep, self"):
        compile_check("slef.spec.x == 1", ("self", "dep"))


def test_check_knows_types_and_names_of_macros() -> None:
    compile_check("type(self.x) == string", ("self",))
    compile_check("self.?x.optMap(y, y + 1).orValue(0) == 1", ("self",))
    compile_check("[1].map(sets, sets.size()) == []", ())
    with pytest.raises(SpecError, match="found 'y'"):
        compile_check("self.?x.optMap(y, y + 1).orValue(y) == 1", ("self",))


NOT_IN_FLUX = (
    "math.greatest(1, 2) == 2",
    "lists.range(3) == [0, 1, 2]",
    "[1, 2].slice(0, 1) == [1]",
    "[1, [2]].flatten() == [1, 2]",
    "[2, 1].sort() == [1, 2]",
    "[1, 1].distinct() == [1]",
    "cel.bind(a, 1, a) == 1",
    "[1].transformList(i, v, v) == [1]",
    "[1].all(i, v, v == 1)",
    "sets.union([1], [2]) == []",
    "strings.split('a,b', ',') == []",
    "base64.contains('a')",
    "optional.some(1) == optional.of(1)",
    "'a'.find('a') == ''",
)
"""What cel-go has in libraries that Flux does not enable, and what nobody has."""


@pytest.mark.parametrize("expr", ["x ==", "f(x)", "(" * 99, "x.?", "[?]", "a ? b", *NOT_IN_FLUX])
def test_check_finds_what_can_be_found_without_an_object(expr: str) -> None:
    with pytest.raises(SpecError):
        compile_check(expr)


def test_a_text_is_the_value_and_nothing_else_is_a_text() -> None:
    assert text("metadata.name + '/' + status.phase", OBJ) == "x/Running"
    for expr, found in (("spec.replicas", "int"), ("metadata.nothing", "not there"), ("true", "bool")):
        with pytest.raises(SpecError, match=found):
            text(expr, OBJ)


@pytest.mark.parametrize(
    "expr", ["{'a': [spec.replicas, null]}", "b'a'", "[optional.of(1.5)]", "duration('1s')"]
)
def test_a_result_is_a_variable_of_other_expressions(expr: str) -> None:
    assert evaluate(f"x.y == {expr} && type(x.y) == type({expr})", {**OBJ, "x": {"y": result(expr, OBJ)}})
    with pytest.raises(SpecError, match="not there"):
        result("spec.missing", OBJ)
