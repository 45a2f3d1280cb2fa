"""`spec.ignore` of a Kustomization: fields that others may change without being corrected.

Rule: kustomize-controller 2.9 (fluxcd/pkg ssa, DriftIgnoreRules): an ignored field that another server-side apply
manager owns is left out of what is applied; else the live value is adopted. Selectors are kustomize's: regular
expressions anchored on both sides (Go's RE2), label and annotation selectors in Kubernetes' syntax.
"""

from __future__ import annotations

import copy
from collections.abc import Sequence
from functools import lru_cache
from importlib import import_module
from typing import Final

from weir.objects import managed
from weir.objects.labels import matches
from weir.objects.values import Json, Obj
from weir.spec.errors import SpecError
from weir.spec.kustomization import IgnoreRule, Selector

_MISSING: Final = object()


def strip_ignored(desired: Obj, live: Obj | None, rules: Sequence[IgnoreRule]) -> Obj:
    """The desired object with ignored fields left to whoever sets them; the arguments are not changed.

    A new object is applied as written. On a live one, an ignored field is taken out when another manager applied it or
    when Weir does not own it; when Weir alone does, it takes the live value, for leaving it out would remove it.

    Raises:
        SpecError: a selector that is not readable.
    """
    if live is None:
        return desired
    pointers = [
        path for rule in rules if rule.target is None or selects(rule.target, desired) for path in rule.paths
    ]
    if not pointers:
        return desired
    result = copy.deepcopy(desired)
    for pointer in pointers:
        _settle(result, live, _steps(pointer))
    return result


def selects(selector: Selector, obj: Obj) -> bool:
    """Whether an object matches all parts of a selector that are set.

    Raises:
        SpecError: a part that is no regular expression or no selector.
    """
    group, slash, version = str(obj.get("apiVersion", "")).rpartition("/")
    meta = obj.get("metadata") or {}
    pairs = (
        (selector.group, group if slash else ""),
        (selector.version, version),
        (selector.kind, str(obj.get("kind", ""))),
        (selector.namespace, meta.get("namespace") or ""),
        (selector.name, meta.get("name") or ""),
    )
    if not all(_pattern(pattern).fullmatch(text) for pattern, text in pairs if pattern):
        return False
    if selector.label_selector and not matches(selector.label_selector, meta.get("labels") or {}):
        return False
    return not selector.annotation_selector or matches(
        selector.annotation_selector, meta.get("annotations") or {}
    )


@lru_cache(maxsize=1024)
def _pattern(text: str) -> Json:
    """The pattern compiled by RE2: Go's own syntax, and time linear in the text whatever the pattern."""
    re2 = import_module("re2")
    options = re2.Options()
    options.log_errors = False
    try:
        return re2.compile(text, options)
    except re2.error as err:
        raise SpecError.at("selector", "regular expression", found=text, expected="RE2 syntax") from err


def _steps(pointer: str) -> list[str]:
    """The keys of a JSON pointer (RFC 6901)."""
    return [step.replace("~1", "/").replace("~0", "~") for step in pointer.split("/")[1:]]


def _settle(result: Obj, live: Obj, steps: list[str]) -> None:
    found = _value(live, steps)
    mine, others = _owners(live, steps)
    if found is _MISSING or others or not mine:
        _remove(result, steps)
    else:
        _put(result, steps, copy.deepcopy(found))


def _value(node: Json, steps: list[str]) -> Json:
    for step in steps:
        found, node = managed.child(node, _element(node, step))
        if not found:
            return _MISSING
    return node


def _element(node: Json, step: str) -> str:
    return f"i:{step}" if isinstance(node, list) else f"f:{step}"


def _remove(node: Json, steps: list[str]) -> None:
    parent = _value(node, steps[:-1])
    last = steps[-1]
    if isinstance(parent, dict):
        parent.pop(last, None)
    elif isinstance(parent, list) and last.isdigit() and int(last) < len(parent):
        del parent[int(last)]


def _put(node: Json, steps: list[str], value: Json) -> None:
    """Set a field, making the maps on the way; a list element only where one is."""
    for step in steps[:-1]:
        if isinstance(node, dict):
            node = node.setdefault(step, {})
        elif isinstance(node, list) and step.isdigit() and int(step) < len(node):
            node = node[int(step)]
        else:
            return
    last = steps[-1]
    if isinstance(node, dict):
        node[last] = value
    elif isinstance(node, list) and last.isdigit() and int(last) < len(node):
        node[int(last)] = value


def _owners(live: Obj, steps: list[str]) -> tuple[bool, bool]:
    """Whether Weir, and whether another server-side apply manager, owns a field of the live object."""
    owners = {
        str(entry.get("manager"))
        for entry in managed.entries(live)
        if entry.get("operation") == "Apply"
        and not entry.get("subresource")
        and _owns(managed.trie(entry), live, steps)
    }
    return managed.MANAGER in owners, bool(owners - {managed.MANAGER})


def _owns(node: managed.Trie, value: Json, steps: list[str]) -> bool:
    """Whether a trie holds the field, something below it, or the whole that it is part of."""
    for step in steps:
        if not node:
            return True
        chosen = _owned_step(node, value, step)
        if chosen is None:
            return False
        _, value = managed.child(value, _element(value, step))
        node = node[chosen]
    return True


def _owned_step(node: managed.Trie, value: Json, step: str) -> str | None:
    if not isinstance(value, list):
        return f"f:{step}" if f"f:{step}" in node else None
    found, item = managed.child(value, f"i:{step}")
    if not found:
        return None
    for candidate in node:
        if candidate != "." and managed.child([item], candidate)[0]:
            return candidate
    return None
