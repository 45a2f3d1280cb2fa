"""Between plain texts and the engine's property values.

Only texts and mappings of texts cross. The engine gives some texts and keys a meaning (secrets, assets, unknowns):
one that came from a manifest is quoted here so that it stays a text.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from google.protobuf import struct_pb2

Props = dict[str, Any]
"""Texts, or mappings of texts, at most two levels deep."""

_SIGNATURE: Final = "4dabf18193072939515e22adb298388d"
_UNKNOWN: Final = "04da6b54-80e4-46f7-96ec-b56ff0331ba9"
_UNKNOWNS: Final = (
    _UNKNOWN,
    "6a19a0b0-7e62-4c92-b797-7f8e31da9cc2",
    "030794c1-ac77-496b-92df-f27374a8bd58",
    "e48ece36-62e2-4504-bad9-02848725956a",
    "dd056dcd-154b-4c76-9bd3-c8f88648b5ff",
)


def plain_text(text: str) -> str:
    """The text, in quotes when the engine would read it as an unknown value."""
    return repr(text) if text in _UNKNOWNS else text


def plain_key(key: str) -> str:
    """The key, in quotes when the engine or its SDKs would give it a meaning."""
    return repr(key) if key == _SIGNATURE or key.startswith("__") else key


def plain(value: Any) -> Any:
    """A value in which nothing has a meaning to the engine."""
    if isinstance(value, Mapping):
        return {plain_key(str(key)): plain(item) for key, item in value.items()}
    return plain_text(str(value))


def to_struct(props: Props) -> struct_pb2.Struct:
    """The wire form of plain props."""
    struct = struct_pb2.Struct()
    struct.update(props)
    return struct


def from_struct(struct: struct_pb2.Struct) -> Props:
    """Plain props of the wire form; anything that is neither a text nor a mapping is dropped."""
    props: Props = {}
    for key, value in struct.fields.items():
        kind = value.WhichOneof("kind")
        if kind == "string_value":
            props[key] = value.string_value
        elif kind == "struct_value":
            props[key] = from_struct(value.struct_value)
    return props


def is_unknown(value: Any) -> bool:
    """Whether the engine marks a value as known only after the update."""
    return value in _UNKNOWNS


def property_path(*keys: str) -> str:
    """A property path as `detailed_diff` wants it: `changes["Deployment/prod/web"]["spec.replicas"]`."""
    first, *rest = keys
    quoted = (key.replace("\\", "\\\\").replace('"', '\\"') for key in rest)
    return first + "".join(f'["{key}"]' for key in quoted)
