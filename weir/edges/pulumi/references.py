"""Which dynamic providers a state may name.

A Python dynamic provider is stored in the state as a pickle that the engine's plugin loads, so a writable state file
is code that runs on the next command. Ours are pickled by reference: the pickle holds one dotted path and builds one
empty instance. Anything else is refused before the engine starts, by reading the pickle's opcodes; nothing is loaded.
"""

from __future__ import annotations

import base64
import binascii
import pickletools
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final

from weir.edges.pulumi.project import EngineError

KEY: Final = "__provider"
OWN: Final = frozenset(
    {
        "components.dynamic.git_repository:GitSyncProvider",
        "components.dynamic.image_automation:ImageAutomationProvider",
        "components.dynamic.image_policy:ImagePolicyProvider",
    }
)
"""Weir's own dynamic providers; their dotted paths are part of every stack's state."""
_SHAPE: Final = ["SHORT_BINUNICODE", "SHORT_BINUNICODE", "STACK_GLOBAL", "EMPTY_TUPLE", "NEWOBJ", "STOP"]
_SILENT: Final = frozenset({"PROTO", "FRAME", "MEMOIZE"})


def reference(value: object) -> str:
    """`module:Class` of a provider pickled by reference, or "" for anything else. Loads nothing."""
    if not isinstance(value, str):
        return ""
    try:
        steps = list(pickletools.genops(base64.b64decode(value, validate=True)))
    except (binascii.Error, ValueError, IndexError, EOFError, UnicodeError):
        return ""
    steps = [step for step in steps if step[0].name not in _SILENT]
    if [opcode.name for opcode, _, _ in steps] != _SHAPE:
        return ""
    return f"{steps[0][1]}:{steps[1][1]}"


def check_providers(resources: Iterable[Mapping[str, Any]], allowed: frozenset[str]) -> None:
    """Refuse a state that names a provider outside the closed list.

    Args:
        resources: resources as the checkpoint holds them.
        allowed: `module:Class` references, or whole pickled values.

    Raises:
        EngineError: names the resource and what was found.
    """
    for resource in resources:
        for value in _values([resource.get("inputs"), resource.get("outputs")]):
            found = reference(value)
            if found in allowed or (isinstance(value, str) and value in allowed):
                continue
            shown = found or ("an encrypted value" if isinstance(value, dict) else "code")
            raise EngineError(
                f"{resource.get('urn', 'a resource')}: found a dynamic provider that is not one of Weir's: {shown}; "
                "nothing was run",
                hint="find out who wrote to the state, then remove the resource with `pulumi state delete`",
            )


def _values(value: object) -> Iterator[object]:
    """Every `__provider` at any depth."""
    stack = [value]
    while stack:
        item = stack.pop()
        if isinstance(item, Mapping):
            for key, child in item.items():
                if key == KEY:
                    yield child
                else:
                    stack.append(child)
        elif isinstance(item, list):
            stack.extend(item)
