"""What an unquoted YAML scalar means to Kubernetes' tools: the rules of go-yaml 3 as seen through kustomize.

Rule: https://github.com/yaml/go-yaml/blob/v3.0.4/resolve.go, then the way through JSON that kustomize's output takes:
a float without a fraction becomes a whole number, infinities are refused.
"""

from __future__ import annotations

import base64
import binascii
import math
import re
from decimal import Decimal
from typing import Any, Final

MAX_DIGITS: Final = 400
"""Characters of one number."""

_LEAST, _MOST = -(2**63), 2**64 - 1
_FIXED: Final[dict[str, Any]] = {
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False),
    **dict.fromkeys(("", "~", "null", "Null", "NULL")),
}
_OLD: Final[dict[str, Any]] = {
    **dict.fromkeys(("y", "Y", "yes", "Yes", "YES", "on", "On", "ON"), True),
    **dict.fromkeys(("n", "N", "no", "No", "NO", "off", "Off", "OFF"), False),
}
_NOT_JSON: Final = re.compile(r"[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)")
_INT: Final = re.compile(r"([-+]?)(?:0[bB]([01]+)|0[xX]([0-9a-fA-F]+)|0[oO]?([0-7]+)|(0|[1-9][0-9]*))")
_FLOAT: Final = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?")
_DATE: Final = re.compile(r"[0-9]{4}-[0-9]{1,2}-[0-9]{1,2}([Tt ].*)?", re.DOTALL)
_STARTS: Final = frozenset("0123456789+-.")
_TAG: Final = "tag:yaml.org,2002:"


class ScalarError(ValueError):
    """A scalar that no Kubernetes object can hold."""


class Scalars:
    """Reads scalars."""

    def __init__(self, *, old_booleans: bool = False) -> None:
        self._words: dict[str, Any] = {**_FIXED, **(_OLD if old_booleans else {})}

    def plain(self, text: str) -> Any:
        """The value of an unquoted scalar. Raises ScalarError."""
        if text in self._words:
            return self._words[text]
        return _number(text) if text[0] in _STARTS else text

    def tagged(self, text: str, tag: str) -> Any:
        """The value of a scalar with an explicit tag. Raises ScalarError."""
        name = tag.removeprefix(_TAG)
        if name in ("str", "!"):
            return text
        if name == "binary":
            return _binary(text)
        if name not in ("int", "float", "bool", "null"):
            raise ScalarError(f"the tag {tag}")
        value = _FIXED[text] if text in _FIXED else _number(text)
        right = {"int": (int,), "float": (int, float), "bool": (bool,), "null": (type(None),)}[name]
        if not isinstance(value, right) or (isinstance(value, bool) and name != "bool"):
            raise ScalarError(f"{text[:40]!r} tagged as {name}")
        return value

    @staticmethod
    def is_date(text: str) -> bool:
        """Whether kustomize may take an unquoted text for a date or a time, which it prints in another form."""
        return text[4:5] == "-" and _DATE.fullmatch(text) is not None


def _number(text: str) -> Any:
    if len(text) > MAX_DIGITS:
        if text.strip("0123456789_+-.eE"):
            return text
        raise ScalarError(f"a number of {len(text)} digits")
    if _NOT_JSON.fullmatch(text):
        raise ScalarError(f"{text}, which no Kubernetes object can hold")
    plain = text.replace("_", "")
    if match := _INT.fullmatch(plain):
        value = _whole(match)
        if _LEAST <= value <= _MOST:
            return value
    if not _FLOAT.fullmatch(plain):
        return text
    number = float(plain)
    if math.isinf(number):
        return text
    return _without_fraction(number) if number.is_integer() else number


def _without_fraction(number: float) -> int | float:
    # JSON holds the shortest digits that mean this float, which above 2^53 is not its exact value
    value = int(Decimal(repr(number)))
    return value if _LEAST <= value <= _MOST else number


def _whole(match: re.Match[str]) -> int:
    sign, binary, hexadecimal, octal, decimal = match.groups()
    pairs = ((binary, 2), (hexadecimal, 16), (octal, 8), (decimal, 10))
    digits, base = next((digits, base) for digits, base in pairs if digits is not None)
    return int(sign + digits, base)


def _binary(text: str) -> str:
    try:
        return base64.b64decode("".join(text.split()), validate=True).decode()
    except (binascii.Error, UnicodeDecodeError) as err:
        raise ScalarError(
            "!!binary that is not base64 of a text; put it in a Secret's data without the tag"
        ) from err
