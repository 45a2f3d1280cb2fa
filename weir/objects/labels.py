"""Label selectors as Kubernetes writes them: `app=web,tier in (a,b),!legacy`.

Rule: k8s.io/apimachinery/pkg/labels, Parse: `=`, `==`, `!=`, `in`, `notin`, `key`, `!key`, `>`, `<`; `!=` and `notin`
also hold when the key is absent.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import lru_cache
from typing import Final

from weir.spec.errors import SpecError

_KEY: Final = r"[A-Za-z0-9](?:[-A-Za-z0-9_./]*[A-Za-z0-9])?"
_VALUE: Final = r"[-A-Za-z0-9_.]*"
_TERM: Final = re.compile(
    rf"\s*(?:(?P<no>!)\s*(?P<nokey>{_KEY})"
    rf"|(?P<key>{_KEY})(?:\s*(?P<op>==|=|!=|>|<)\s*(?P<value>{_VALUE})"
    rf"|\s+(?P<set>in|notin)\s*\((?P<values>[^()]*)\))?)\s*(?:,|$)",
    re.ASCII,
)
_LONGEST: Final = 4096
Term = tuple[str, str, tuple[str, ...]]


def matches(selector: str, labels: Mapping[str, str]) -> bool:
    """Whether labels fulfil all requirements of a selector; an empty selector is fulfilled by any.

    Raises:
        SpecError: not a selector.
    """
    return all(_holds(term, labels) for term in _parse(selector))


def _holds(term: Term, labels: Mapping[str, str]) -> bool:
    key, op, values = term
    found = labels.get(key)
    if op == "exists":
        return found is not None
    if op == "absent":
        return found is None
    if op == "in":
        return found in values
    if op == "notin":
        return found not in values
    number, bound = _number(found), _number(values[0])
    if number is None or bound is None:
        return False
    return number > bound if op == ">" else number < bound


def _number(text: str | None) -> int | None:
    return int(text) if text is not None and re.fullmatch(r"[+-]?[0-9]{1,19}", text, re.ASCII) else None


@lru_cache(maxsize=1024)
def _parse(selector: str) -> tuple[Term, ...]:
    if not selector.strip():
        return ()
    terms: list[Term] = []
    place = 0
    while place < len(selector) and len(selector) <= _LONGEST:
        found = _TERM.match(selector, place)
        if found is None or found.end() == place:
            break
        terms.append(_term(found))
        place = found.end()
    if place < len(selector) or selector.rstrip().endswith(","):
        raise SpecError.at(
            "selector", "labels", found=selector, expected="a selector such as app=web,tier in (a,b),!old"
        )
    return tuple(terms)


def _term(found: re.Match[str]) -> Term:
    if found["no"]:
        return found["nokey"], "absent", ()
    key = found["key"]
    if found["set"]:
        return key, found["set"], tuple(part.strip() for part in found["values"].split(","))
    if found["op"] is None:
        return key, "exists", ()
    op = {"=": "in", "==": "in", "!=": "notin"}.get(found["op"], found["op"])
    return key, op, (found["value"],)
