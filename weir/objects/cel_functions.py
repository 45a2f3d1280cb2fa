"""The functions that CEL expressions may call, by name and by how they are called.

Rule: cel-go's standard library, `OptionalTypes`, `ext.Strings`, `ext.Sets` and `ext.Encoders` in their latest versions,
as fluxcd/pkg runtime/cel enables them. `ext.Lists`, `ext.Math` and `ext.Bindings` are not enabled there.
"""

from __future__ import annotations

import base64
from collections.abc import Callable, Mapping
from importlib import import_module
from typing import Final, NoReturn

from celpy import celtypes
from celpy.evaluation import base_functions

from weir.objects.cel_conversions import CONVERSIONS
from weir.objects.cel_format import formatted
from weir.objects.cel_values import MAX_TEXT, NONE, Failure, LimitError, OptionalType, Value, holds, type_of

Function = Callable[..., Value]
_LOWER: Final = {code: code + 32 for code in range(ord("A"), ord("Z") + 1)}
_UPPER: Final = {code: code - 32 for code in range(ord("a"), ord("z") + 1)}
_SPACES: Final = (
    *range(9, 14),
    0x20,
    0x85,
    0xA0,
    0x1680,
    *range(0x2000, 0x200B),
    0x2028,
    0x2029,
    0x202F,
    0x205F,
    0x3000,
)
_SPACE: Final = "".join(map(chr, _SPACES))
"""What Go's strings.TrimSpace removes."""
_QUOTED: Final = {
    ord(char): f"\\{name}" for char, name in zip('\a\b\f\n\r\t\v\\"', 'abfnrtv\\"', strict=True)
}


def _refuse() -> NoReturn:
    raise TypeError


def _text(value: Value) -> str:
    return str(value) if isinstance(value, celtypes.StringType) else _refuse()


def _whole(value: Value) -> int:
    return int(value) if isinstance(value, celtypes.IntType) else _refuse()


def _list(value: Value) -> list[Value]:
    return value if isinstance(value, celtypes.ListType) else _refuse()


def _optional(value: Value) -> OptionalType:
    return value if isinstance(value, OptionalType) else _refuse()


def _limited(length: int) -> None:
    if length > MAX_TEXT:
        raise LimitError(f"a value of more than {MAX_TEXT} parts")


def _size(value: Value) -> int:
    sized = celtypes.StringType | celtypes.BytesType | celtypes.ListType | celtypes.MapType
    return len(value) if isinstance(value, sized) else _refuse()


def _matches(text: Value, pattern: Value) -> bool:
    """Whether a part of the text matches; RE2 as in Flux, so time is linear whatever the pattern."""
    re2 = import_module("re2")
    options = re2.Options()
    options.log_errors = False
    try:
        return re2.search(_text(pattern), _text(text), options) is not None
    except re2.error:
        raise ValueError from None


def _index_of(text: Value, part: Value, *start: Value) -> int:
    whole, wanted = _text(text), _text(part)
    first = _whole(*start) if start else 0
    if not wanted:
        return first
    if first < 0:
        raise IndexError
    return whole.find(wanted, first)


def _last_index_of(text: Value, part: Value, *start: Value) -> int:
    whole, wanted = _text(text), _text(part)
    last = _whole(*start) if start else len(whole)
    if not wanted:
        return last
    if last < 0:
        raise IndexError
    return -1 if start and last >= len(whole) else whole.rfind(wanted, 0, last + len(wanted))


def _replace(text: Value, old: Value, new: Value, *count: Value) -> str:
    whole, gone, put = _text(text), _text(old), _text(new)
    _limited((whole.count(gone) + 1) * len(put) + len(whole))
    return whole.replace(gone, put, _whole(*count) if count else -1)


def _split(text: Value, by: Value, *count: Value) -> list[str]:
    whole, separator = _text(text), _text(by)
    limit = _whole(*count) if count else -1
    if limit == 0:
        return []
    if separator:
        return whole.split(separator, limit - 1 if limit > 0 else -1)
    return list(whole) if not 0 < limit < len(whole) else [*whole[: limit - 1], whole[limit - 1 :]]


def _join(parts: Value, *by: Value) -> str:
    texts, separator = [_text(part) for part in _list(parts)], _text(*by) if by else ""
    _limited(sum(map(len, texts)) + len(texts) * len(separator))
    return separator.join(texts)


def _substring(text: Value, start: Value, *end: Value) -> str:
    whole, first = _text(text), _whole(start)
    last = _whole(*end) if end else len(whole)
    if not 0 <= first <= last <= len(whole):
        raise IndexError
    return whole[first:last]


def _char_at(text: Value, at: Value) -> str:
    if not 0 <= _whole(at) <= len(_text(text)):
        raise IndexError
    return _text(text)[_whole(at) : _whole(at) + 1]


def _decode(text: Value) -> bytes:
    """Standard base64, with its padding or without any."""
    plain = _text(text).translate({ord("\r"): None, ord("\n"): None})
    padding = "" if "=" in plain else "=" * (-len(plain) % 4)
    return base64.b64decode(plain + padding, validate=True)


def _encode(data: Value) -> str:
    return base64.b64encode(data).decode() if isinstance(data, celtypes.BytesType) else _refuse()


def _value(optional: Value) -> Value:
    """The value of an optional; that of none is a field that is not there."""
    values = _optional(optional).values
    return values[0] if values else Failure("optional.none() has no value", KeyError)


def _unwrap(optionals: Value) -> Value:
    return celtypes.ListType([value for one in _list(optionals) for value in _optional(one).values])


def _end(index: int) -> Function:
    """The first or the last element of a list, as an optional."""
    return lambda values: OptionalType((values[index],)) if _list(values) else NONE


def _contains_all(values: Value, wanted: Value) -> bool:
    _list(values)
    return all(holds(values, one) for one in _list(wanted))


def _intersect(left: Value, right: Value) -> bool:
    _list(right)
    return any(holds(right, one) for one in _list(left))


SET_FUNCTIONS: Final[Mapping[str, Function]] = {
    "sets.contains": _contains_all,
    "sets.equivalent": lambda left, right: _contains_all(left, right) and _contains_all(right, left),
    "sets.intersects": _intersect,
}
"""Functions of two lists that compare all elements of one with all of the other."""
TEXT_FUNCTIONS: Final[Mapping[str, Function]] = {
    "charAt": _char_at,
    "contains": lambda text, part: _text(part) in _text(text),
    "endsWith": lambda text, part: _text(text).endswith(_text(part)),
    "format": lambda text, values: formatted(_text(text), values),
    "indexOf": _index_of,
    "join": _join,
    "lastIndexOf": _last_index_of,
    "lowerAscii": lambda text: _text(text).translate(_LOWER),
    "matches": _matches,
    "replace": _replace,
    "reverse": lambda text: _text(text)[::-1],
    "split": _split,
    "startsWith": lambda text, part: _text(text).startswith(_text(part)),
    "substring": _substring,
    "trim": lambda text: _text(text).strip(_SPACE),
    "upperAscii": lambda text: _text(text).translate(_UPPER),
}
"""Methods of texts; what they take is weighed."""
NAMESPACED: Final[Mapping[str, Function]] = {
    "base64.decode": _decode,
    "base64.encode": _encode,
    "optional.none": lambda: NONE,
    "optional.of": lambda value: OptionalType((value,)),
    "optional.ofNonZeroValue": lambda value: OptionalType((value,)) if value else NONE,
    "optional.unwrap": _unwrap,
    **SET_FUNCTIONS,
    "strings.quote": lambda text: '"' + _text(text).translate(_QUOTED) + '"',
}
"""Functions whose name begins with that of their library."""
_MEMBERS: Final[Mapping[str, Function]] = {
    "first": _end(0),
    "hasValue": lambda optional: bool(_optional(optional).values),
    "last": _end(-1),
    "size": _size,
    "unwrapOpt": _unwrap,
    "value": _value,
    **{name: base_functions[name] for name in base_functions if name.startswith("get")},
}
FUNCTIONS: Final[Mapping[str, Function]] = {
    **CONVERSIONS,
    "dyn": lambda value: value,
    "matches": _matches,
    "size": _size,
    "type": type_of,
}
"""Functions that are called without a target."""
METHODS: Final = frozenset({*TEXT_FUNCTIONS, *_MEMBERS, "or", "orValue"})
"""Functions that are called with a target; `or` and `orValue` may not need their argument."""
ALL: Final[Mapping[str, Function]] = {**TEXT_FUNCTIONS, **NAMESPACED, **_MEMBERS, **FUNCTIONS}
