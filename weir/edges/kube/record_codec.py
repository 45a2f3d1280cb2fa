"""UnitRecord as the data of a ConfigMap, and back: texts that people can read with kubectl, until they get large."""

from __future__ import annotations

import base64
import zlib
from collections.abc import Mapping
from typing import Any, Final

import orjson

from weir.spec.errors import ClusterError, SpecError
from weir.spec.identity import ObjectId, UnitId
from weir.spec.record import Condition, HistoryEntry, UnitRecord

_PLAIN_BYTES: Final = 600 * 1024
"""Above this the inventory is compressed: a ConfigMap holds 1 MiB."""
_UNPACKED_BYTES: Final = 64 * 1024 * 1024
_TEXTS: Final = (
    "backend",
    "cluster",
    "source",
    "revision",
    "attempted",
    "origin",
    "digest",
    "applying",
    "document",
)
_MARK = Mapping[str, str]


def encode(record: UnitRecord, running: _MARK | None) -> tuple[dict[str, str], dict[str, str]]:
    """The ConfigMap's `data` and `binaryData`."""
    data = {name: str(getattr(record, name)) for name in _TEXTS if getattr(record, name)}
    data["unit"] = str(record.id)
    data["stack"] = record.stack
    if record.spec_digest:
        data["specDigest"] = record.spec_digest
    if record.suspended and not record.held:
        data["suspended"] = "true"
    ready = record.ready
    values = {
        "ready": ready
        and {"status": ready.status, "reason": ready.reason, "message": ready.message, "at": ready.at},
        "history": [_entry(item) for item in record.history],
        "confidential": [item.entry for item in sorted(record.confidential)],
        "variables": record.variables,
        "running": dict(running or {}),
    }
    data |= {name: _json(value) for name, value in values.items() if value}
    inventory = orjson.dumps([{"id": item.entry, "v": version} for item, version in record.inventory])
    if len(inventory) + sum(map(len, data.values())) <= _PLAIN_BYTES:
        return {**data, "inventory": inventory.decode()}, {}
    return data, {"inventory": base64.b64encode(zlib.compress(inventory, 6)).decode()}


def decode(obj: Mapping[str, Any]) -> tuple[UnitRecord, dict[str, str] | None]:
    """The record and the running mark in a ConfigMap.

    Raises:
        ClusterError: it holds something else; a damaged record is never read as an empty one.
    """
    data = obj.get("data") or {}
    name = f"ConfigMap/{obj['metadata'].get('namespace')}/{obj['metadata'].get('name')}"
    try:
        ready = orjson.loads(data["ready"]) if "ready" in data else None
        record = UnitRecord(
            id=UnitId.parse(data["unit"]),
            stack=data["stack"],
            spec_digest=data.get("specDigest", ""),
            inventory=_inventory(data, obj.get("binaryData") or {}),
            suspended=data.get("suspended") == "true",
            ready=Condition(**ready) if ready else None,
            history=tuple(HistoryEntry(**item) for item in orjson.loads(data.get("history", "[]"))),
            confidential=frozenset(
                ObjectId.from_entry(entry) for entry in orjson.loads(data.get("confidential", "[]"))
            ),
            variables=orjson.loads(data.get("variables", "{}")),
            **{field: data.get(field, "") for field in _TEXTS},
        )
        running = orjson.loads(data["running"]) if "running" in data else None
    except (KeyError, TypeError, ValueError, zlib.error, SpecError) as err:
        hint = (
            "restore it from a backup, or delete it and run again: objects that left Git meanwhile then stay"
        )
        raise ClusterError(f"{name}: found a damaged unit record ({type(err).__name__})", hint=hint) from err
    return record, running


def _inventory(data: Mapping[str, str], binary: Mapping[str, str]) -> tuple[tuple[ObjectId, str], ...]:
    if "inventory" in binary:
        text = zlib.decompressobj().decompress(base64.b64decode(binary["inventory"]), _UNPACKED_BYTES)
    else:
        text = data["inventory"].encode()
    return tuple((ObjectId.from_entry(item["id"]), item["v"]) for item in orjson.loads(text))


def _entry(item: HistoryEntry) -> dict[str, Any]:
    return {name: getattr(item, name) for name in HistoryEntry.__slots__}


def _json(value: Any) -> str:
    return orjson.dumps(value).decode()
