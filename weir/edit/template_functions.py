"""The functions of commit templates: Go's own and those of Sprig that make texts and lists out of texts and lists.

What Go or Sprig would print an error for or panic about is an error: `TypeError` and `IndexError` stand for arguments
that a function does not take. Rule: https://pkg.go.dev/text/template#hdr-Functions,
https://pkg.go.dev/fmt and https://masterminds.github.io/sprig/
"""

from __future__ import annotations

import json
import operator
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from weir.edit.template_syntax import TemplateError
from weir.edit.template_values import MAX_OUTPUT, Record, between, is_true, written

_VERB: Final = re.compile(
    r"%(?:%|(?P<left>-)?(?P<zero>0)?(?P<width>[0-9]{1,3})?(?:\.(?P<most>[0-9]{1,3}))?(?P<verb>[sdvqt]))?"
)
"""`%%`, a verb with its flags, width and most characters, or a sign that is neither."""


def _equal(first: Any, *others: Any) -> bool:
    if not others or any(isinstance(value, Mapping | list | tuple) for value in (first, *others)):
        raise TypeError
    return any(type(first) is type(other) and first == other for other in others)


def _ordered(compare: Callable[[Any, Any], bool]) -> Callable[[Any, Any], bool]:
    def call(first: Any, second: Any) -> bool:
        read = _text if isinstance(first, str) else _number
        return compare(read(first), read(second))

    return call


def _either(*values: Any) -> Any:
    return next((value for value in values if is_true(value)), values[-1])


def _all(*values: Any) -> Any:
    return next((value for value in values if not is_true(value)), values[-1])


def _item(value: Any, *keys: Any) -> Any:
    for key in keys:
        value = _value_of(value, key) if isinstance(value, Mapping) else _element(value, key)
    return value


def _value_of(known: Mapping[Any, Any], key: Any) -> Any:
    """What a map holds for a key, else the empty value of its type: a text where the map itself is empty."""
    if not isinstance(key, str | Record):
        raise TypeError
    return known[key] if key in known else type(next(iter(known.values()), ""))()


def _element(value: Any, at: Any) -> Any:
    if _number(at) < 0:
        raise IndexError
    return _list(value)[at]


def _slice(values: Any, *ends: Any) -> Sequence[Any]:
    """Part of a list: from, to; neither below 0 nor behind the end."""
    whole = _list(values)
    start, end, *rest = (*map(_number, ends), *(0, len(whole))[len(ends) :])
    if rest or not 0 <= start <= end <= len(whole):
        raise IndexError
    return whole[start:end]


def _print(*values: Any) -> str:
    """As Go's Sprint: with a space between two values of which neither is a text."""
    pieces: list[Any] = []
    for index, value in enumerate(values):
        if index and not isinstance(value, str) and not isinstance(values[index - 1], str):
            pieces.append(" ")
        pieces.append(value)
    return written(*pieces)


def _printf(form: Any, *values: Any) -> str:
    left, size = list(values), 0

    def verb(found: re.Match[str]) -> str:
        nonlocal size
        if found[0] == "%%":
            return "%"
        if not found["verb"] or not left:
            raise TypeError
        text = _VERBS[found["verb"]](left.pop(0))
        if found["most"]:
            text = text[: int(found["most"])] if found["verb"] == "s" else _refuse()
        width = int(found["width"] or 0)
        text = (
            text.ljust(width) if found["left"] else text.zfill(width) if found["zero"] else text.rjust(width)
        )
        size += len(text)
        _bound(size)
        return text

    printed = _VERB.sub(verb, _text(form))
    return printed if not left else _refuse()


def _worded(value: Any) -> str:
    if value is None or isinstance(value, bool | int):
        raise TypeError
    return written(value)


def _truth(value: Any) -> bool:
    return value if isinstance(value, bool) else _refuse()


def _number(value: Any) -> int:
    return value if type(value) is int else _refuse()


def _text(value: Any) -> str:
    return value if isinstance(value, str) else _refuse()


def _list(value: Any) -> Sequence[Any]:
    return value if isinstance(value, list | tuple) else _refuse()


def _refuse() -> Any:
    raise TypeError


def _quote(value: Any) -> str:
    return json.dumps(written(value), ensure_ascii=False)


def _replaced(old: Any, new: Any, text: Any) -> str:
    old, new, text = _text(old), _text(new), _text(text)
    _bound(text.count(old) * len(new))
    return str(text.replace(old, new))


def _repeated(count: Any, text: Any) -> str:
    if _number(count) < 0:
        raise IndexError
    _bound(count * len(_text(text)))
    return str(text * count)


def _bound(size: int) -> None:
    if size > MAX_OUTPUT:
        raise TemplateError(f"a text of more than {MAX_OUTPUT} characters")


def _truncated(count: Any, text: Any) -> str:
    """The first bytes of a text, or with a count below 0 its last ones."""
    data = _text(text).encode()
    return (data[:count] if _number(count) >= 0 else data[count:]).decode(errors="ignore")


def _title(text: Any) -> str:
    return re.sub(r"\w+", lambda word: word[0][0].title() + word[0][1:], _text(text))


def _base(path: Any) -> str:
    """The last part of a path."""
    return _text(path).rstrip("/").rpartition("/")[2] or ("/" if path else ".")


def _joined(by: Any, values: Any) -> str:
    known = [values] if isinstance(values, str) else _list(values)
    return written(*between(_text(by), (value for value in known if value is not None)))


def _split(by: Any, text: Any) -> list[str]:
    return _text(text).split(by) if _text(by) else list(_text(text))


_VERBS: Final[Mapping[str, Callable[[Any], str]]] = {
    "s": _worded,
    "d": lambda value: str(_number(value)),
    "v": written,
    "q": lambda value: _quote(_worded(value)),
    "t": lambda value: written(_truth(value)),
}

FUNCTIONS: Final[Mapping[str, Callable[..., Any]]] = {
    "and": _all,
    "or": _either,
    "not": lambda value: not is_true(value),
    "eq": _equal,
    "ne": lambda first, second: not _equal(first, second),
    "lt": _ordered(operator.lt),
    "le": _ordered(operator.le),
    "gt": _ordered(operator.gt),
    "ge": _ordered(operator.ge),
    "len": len,
    "index": _item,
    "slice": _slice,
    "print": _print,
    "printf": _printf,
    "println": lambda *values: written(*between(" ", values), "\n"),
    "lower": lambda text: _text(text).lower(),
    "upper": lambda text: _text(text).upper(),
    "title": _title,
    "trim": lambda text: _text(text).strip(),
    "trimAll": lambda ends, text: _text(text).strip(_text(ends)),
    "trimPrefix": lambda part, text: _text(text).removeprefix(_text(part)),
    "trimSuffix": lambda part, text: _text(text).removesuffix(_text(part)),
    "trunc": _truncated,
    "nospace": lambda text: "".join(_text(text).split()),
    "quote": _quote,
    "contains": lambda part, text: _text(part) in _text(text),
    "hasPrefix": lambda part, text: _text(text).startswith(_text(part)),
    "hasSuffix": lambda part, text: _text(text).endswith(_text(part)),
    "replace": _replaced,
    "repeat": _repeated,
    "base": _base,
    "list": lambda *values: list(values),
    "first": lambda values: next(iter(_list(values)), None),
    "last": lambda values: next(reversed(_list(values)), None),
    "join": _joined,
    "splitList": _split,
    "default": lambda other, value=None: value if is_true(value) else other,
    "coalesce": lambda *values: next(filter(is_true, values), None),
    "ternary": lambda yes, no, value: yes if _truth(value) else no,
}
"""By name; each takes the value of a pipeline last."""
