"""The functions of Flux's CEL environment, by the examples of cel-go's documentation."""

from __future__ import annotations

import pytest

from weir.objects.cel import compile_check, judge
from weir.spec.errors import SpecError

OBJ = {
    "obj": {"field": {"sub": 1}, "other": 2, "zero": 0, "null": None},
    "list": ["a", "b"],
    "map": {"key": "v"},
}

OPTIONALS = (
    "obj.?field.sub == optional.of(1)",
    "obj.?field.sub == obj.?field.?sub",
    "obj.?field['sub'] == optional.of(1) && obj.?field[?'x'] == optional.none()",
    "obj.?missing.sub.deeper == optional.none()",
    "!obj.?missing.hasValue() && obj.?other.hasValue()",
    "obj.?null.hasValue() && obj.?null.value() == null",
    "obj.other.?x == optional.none()",
    "has(obj.?field.sub) && !has(obj.?missing.sub)",
    "list[?0] == optional.of('a') && list[?2] == optional.none() && list[?-1] == optional.none()",
    "map[?'key'].orValue('none') == 'v' && map[?'x'].orValue('none') == 'none'",
    "{?'a': obj.?field.sub, ?'b': obj.?missing} == {'a': 1}",
    "[1, ?obj.?other, ?obj.?missing] == [1, 2]",
    "optional.of(10).value() == 10",
    "optional.ofNonZeroValue([1, 2, 3]).hasValue()",
    "!optional.ofNonZeroValue([]).hasValue()",
    "!optional.ofNonZeroValue(0).hasValue() && !optional.ofNonZeroValue(0.0).hasValue()",
    "!optional.ofNonZeroValue('').hasValue() && !optional.ofNonZeroValue(b'').hasValue()",
    "!optional.ofNonZeroValue({}).hasValue() && !optional.ofNonZeroValue(false).hasValue()",
    "!optional.ofNonZeroValue(null).hasValue() && optional.of(null).hasValue()",
    "!optional.ofNonZeroValue(duration('0s')).hasValue()",
    "optional.of(b'hello').value() == b'hello'",
    "obj.?missing.or(map[?'key']) == optional.of('v')",
    "list[?9].or(obj.?missing.sub).or(obj.?other) == optional.of(2)",
    "obj.?other.or(optional.of(1 / 0)).orValue(1 / 0) == 2",
    "list.first().optMap(e, e.size()).orValue(0) == 1",
    "obj.?missing.optMap(e, e + 1) == optional.none() && obj.?other.optMap(e, e + 1).value() == 3",
    "optional.of(list).optFlatMap(e, e[?0]) == optional.of('a')",
    "obj.?zero.optFlatMap(e, optional.ofNonZeroValue(e)) == optional.none()",
    "[1, 2, 3].first().value() == 1 && [1, 2, 3].last().value() == 3",
    "[].first() == optional.none() && [].last() == optional.none()",
    "optional.unwrap([optional.of(42), optional.none()]) == [42]",
    "[optional.of(42), optional.none()].unwrapOpt() == [42]",
    "optional.of(1) == optional.of(1.0) && optional.of(1) != optional.none() && optional.of(1) != 1",
    "type(optional.none()) == optional_type",
)
SETS = (
    "sets.contains([], []) && !sets.contains([], [1]) && sets.contains([1, 2, 3, 4], [2, 3])",
    "sets.contains([1, 2.0, 3u], [1.0, 2u, 3]) && sets.contains(list, ['b'])",
    "sets.equivalent([], []) && sets.equivalent([1], [1, 1]) && sets.equivalent([1], [1u, 1.0])",
    "sets.equivalent([1, 2, 3], [3u, 2.0, 1]) && !sets.equivalent([1], [1, 2])",
    "!sets.intersects([1], []) && !sets.intersects([], [1]) && sets.intersects([1], [1, 2])",
    "sets.intersects([[1], [2, 3]], [[1, 2], [2, 3.0]])",
)
ENCODERS = (
    "base64.decode('aGVsbG8=') == b'hello' && base64.decode('aGVsbG8') == b'hello'",
    "base64.encode(b'hello') == 'aGVsbG8=' && string(base64.decode('w6k=')) == 'é'",
)
STRINGS = (
    "'hello'.charAt(4) == 'o' && 'hello'.charAt(5) == ''",
    "'hello mellow'.indexOf('') == 0 && 'hello mellow'.indexOf('ello') == 1",
    "'hello mellow'.indexOf('jello') == -1 && 'hello mellow'.indexOf('', 2) == 2",
    "'hello mellow'.indexOf('ello', 2) == 7 && 'hello mellow'.indexOf('ello', 20) == -1",
    "['hello', 'mellow'].join() == 'hellomellow' && ['hello', 'mellow'].join(' ') == 'hello mellow'",
    "[].join() == '' && [].join('/') == ''",
    "'hello mellow'.lastIndexOf('') == 12 && 'hello mellow'.lastIndexOf('ello') == 7",
    "'hello mellow'.lastIndexOf('jello') == -1 && 'hello mellow'.lastIndexOf('ello', 6) == 1",
    "'hello mellow'.lastIndexOf('ello', 20) == -1",
    "'TacoCÆt Xii'.lowerAscii() == 'tacocÆt xii' && 'TacoCÆt Xii'.upperAscii() == 'TACOCÆT XII'",
    "'hello hello'.replace('he', 'we') == 'wello wello' && 'hello hello'.replace('he', 'we', 1) == 'wello hello'",
    "'hello hello'.replace('he', 'we', -1) == 'wello wello' && 'ab'.replace('', '_') == '_a_b_'",
    "'a a a'.split(' ') == ['a', 'a', 'a'] && 'a a a'.split(' ', 0) == [] && 'a a a'.split(' ', 1) == ['a a a']",
    "'a a a'.split(' ', 2) == ['a', 'a a'] && 'a a a'.split(' ', -1) == ['a', 'a', 'a']",
    "'abc'.split('') == ['a', 'b', 'c'] && 'abc'.split('', 2) == ['a', 'bc'] && 'ab'.split('', 5) == ['a', 'b']",
    "'tacocat'.substring(4) == 'cat' && 'tacocat'.substring(0, 4) == 'taco'",
    "'  \\ttrim\\n    '.trim() == 'trim' && '\\u00a0a\\u200b'.trim() == 'a\\u200b'",
    "'gums'.reverse() == 'smug' && 'John Smith'.reverse() == 'htimS nhoJ'",
    """strings.quote('single-quote with "double quote"') == '"single-quote with \\\\"double quote\\\\""'""",
    """strings.quote("two escape sequences \\a\\n") == '"two escape sequences \\\\a\\\\n"'""",
)
FORMATS = (
    (
        "'this is a string: %s\\nand an integer: %d'.format(['str', 42])",
        "this is a string: str\nand an integer: 42",
    ),
    ("'%%s: %s'.format([64.2])", "%s: 64.2"),
    ("'%s'.format([type('test')])", "string"),
    ("'%s'.format([timestamp('2023-02-03T23:31:20+00:00')])", "2023-02-03T23:31:20Z"),
    ("'%s'.format([timestamp('2023-02-03T23:31:20.120-01:00')])", "2023-02-04T00:31:20.12Z"),
    ("'%s'.format([duration('1h45m47s')])", "6347s"),
    ("'%s'.format([duration('-1.5s')])", "-1.5s"),
    ("'%f'.format([3.14])", "3.140000"),
    ("'%.2f'.format([2.71828])", "2.72"),
    ("'%e'.format([2.71828])", "2.718280e+00"),
    ("'%.3e'.format([1052.032911275])", "1.052e+03"),
    ("'%b %b %b'.format([5, -5, true])", "101 -101 1"),
    ("'%x %X %x %X'.format([26, 30, 'hello', b'k'])", "1a 1E 68656c6c6f 6B"),
    ("'%o'.format([30])", "36"),
    ("'%d %d %d'.format([1u, 2.5, 2.0])", "1 2.5 2"),
    ("'%s'.format([[1, 'a', 3.5, null, {'b': true, 'a': [b'x']}]])", "[1, a, 3.5, null, {a: [x], b: true}]"),
    ("'%s %s %f'.format([double('NaN'), 1.0 / 0.0, -1.0 / 0.0])", "NaN Infinity -Infinity"),
    ("'%s %s'.format([1e21, 0.00001])", "1000000000000000000000 0.00001"),
    ("'none'.format([1])", "none"),
)
ERRORS = (
    "optional.none().value() == 1 || false",
    "optional.ofNonZeroValue({}).value() == 1 || false",
    "obj.other.orValue(1) == 2",
    "obj.other.hasValue()",
    "obj.other.optMap(x, x) == optional.none()",
    "list.orValue('a') == 'a'",
    "optional.of(1).or() == optional.of(1)",
    "[?1] == [1]",
    "{?'a': 1} == {'a': 1}",
    "list[?'a'] == optional.none()",
    "'ab'.first() == optional.of('a')",
    "[1].unwrapOpt() == [1]",
    "optional.none(1) == optional.none()",
    "sets.contains(1, [1])",
    "sets.contains([1], 1)",
    "sets.intersects('a', [])",
    "base64.decode('aGVsbG8=x') == b''",
    "base64.decode('aGVsbG9=8') == b''",
    "base64.decode('a') == b''",
    "base64.decode('a b=') == b''",
    "base64.encode('hello') == 'aGVsbG8='",
    "'hello'.charAt(-1) == ''",
    "'hello'.charAt(6) == ''",
    "'hello mellow'.indexOf('ello', -1) == 0",
    "'hello mellow'.lastIndexOf('ello', -1) == 0",
    "'tacocat'.substring(-1) == ''",
    "'tacocat'.substring(2, 1) == ''",
    "'a'.replace('a', 1) == ''",
    "[1].join() == '1'",
    "strings.quote(1) == '1'",
    "'%d'.format(['a']) == 'a'",
    "'%x'.format([1.5]) == ''",
    "'%f'.format(['NaN']) == ''",
    "'%s'.format([optional.of(1)]) == ''",
    "'%s %s'.format([1]) == '1'",
    "'%z'.format([1]) == '1'",
    "'%'.format([1]) == '1'",
    "'%s'.format('a') == 'a'",
)


@pytest.mark.parametrize("expr", [*OPTIONALS, *SETS, *ENCODERS, *STRINGS])
def test_what_the_documentation_says_is_true(expr: str) -> None:
    compile_check(expr, OBJ)
    assert judge(expr, OBJ) is True


@pytest.mark.parametrize(("expr", "want"), FORMATS)
def test_a_text_is_formatted(expr: str, want: str) -> None:
    assert judge(f"{expr} == want", {"want": want}) is True


@pytest.mark.parametrize("expr", ERRORS)
def test_what_the_documentation_calls_an_error_is_one(expr: str) -> None:
    compile_check(expr, OBJ)
    assert failed(expr)
    assert judge(f"{expr} || true", OBJ) is True


def failed(expr: str) -> bool:
    """Whether an expression has no value, for good or until a field is there."""
    try:
        return judge(expr, OBJ) is None
    except SpecError:
        return True
