"""Whether the bytes of a state file are a whole checkpoint of the stack they belong to. Pure.

The rules are Pulumi's own (pkg/resource/stack/snapshot/integrity.go) plus what its JSON reader lets pass: a flipped
bit in the key `resources` makes the file read as an empty stack, and one in a URN makes a unit look removed.
"""

from __future__ import annotations

import gzip
import hashlib
import json
import zlib
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

_VERSIONS: Final = (3, 4)
_ZSTD: Final = b"\x28\xb5\x2f\xfd"
_GZIP: Final = b"\x1f\x8b"
_TOP: Final = ("version", "features", "checkpoint")
_CHECKPOINT: Final = ("stack", "config", "latest")
_LATEST: Final = (
    "manifest",
    "secrets_providers",
    "resources",
    "pending_operations",
    "metadata",
    "snippets",
    "extensions",
)
_RESOURCE: Final = (
    "urn", "custom", "delete", "id", "type", "inputs", "outputs", "parent", "protect", "external", "dependencies",
    "provider", "propertyDependencies", "pendingReplacement", "aliases", "deletedWith", "replaceWith",
)  # fmt: skip


def is_gzip(raw: bytes) -> bool:
    """Whether the bytes are compressed with gzip, whatever their file is called."""
    return raw.startswith(_GZIP)


class UncheckedError(ValueError):
    """The bytes are in a form that cannot be checked here (zstd)."""


class CorruptError(ValueError):
    """The bytes are not a whole checkpoint; the text says why."""


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """A checked checkpoint."""

    document: dict[str, Any]

    @property
    def latest(self) -> dict[str, Any]:
        """The deployment; empty before the first update."""
        return self.document["checkpoint"].get("latest") or {}

    @property
    def resources(self) -> list[dict[str, Any]]:
        """All resources in the file's order."""
        return self.latest.get("resources") or []

    @property
    def pending(self) -> list[dict[str, Any]]:
        """Operations that were running when the file was written: `{"resource": ..., "type": "creating"}`."""
        return self.latest.get("pending_operations") or []

    @property
    def time(self) -> datetime:
        """When it was taken; the year 1 when it holds no deployment."""
        return read_time(str((self.latest.get("manifest") or {}).get("time", "")))

    @property
    def salt(self) -> str:
        """The salt of its passphrase; empty when another provider sealed its secrets or none did."""
        state = (self.latest.get("secrets_providers") or {}).get("state")
        return str(state.get("salt", "")) if isinstance(state, dict) else ""

    def everything(self) -> Iterator[Mapping[str, Any]]:
        """All resources, those of pending operations too."""
        yield from self.resources
        yield from (operation["resource"] for operation in self.pending)


def read_time(text: str) -> datetime:
    """An RFC 3339 time with up to nanoseconds; the year 1 when it is none."""
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        return datetime.min.replace(tzinfo=UTC)
    return found if found.tzinfo else found.replace(tzinfo=UTC)


def read_checkpoint(raw: bytes, project: str, stack: str) -> Checkpoint:
    """The checkpoint in these bytes, plain or gzip.

    Raises:
        CorruptError: it is not whole, or it belongs to another stack.
        UncheckedError: it is compressed with zstd.
    """
    if raw.startswith(_ZSTD):
        raise UncheckedError("compressed with zstd")
    try:
        text = gzip.decompress(raw) if raw.startswith(_GZIP) else raw
        document = json.loads(text.decode("utf-8"), parse_constant=_no_constant)
    except (ValueError, OSError, EOFError, zlib.error, RecursionError) as err:
        raise CorruptError(f"not readable as JSON: {str(err)[:100]}" if raw.strip() else "empty") from None
    found = Checkpoint(document)
    try:
        _check_frame(document, f"organization/{project}/{stack}")
        _check_deployment(found)
        _check_resources(found.resources, f"urn:pulumi:{stack}::{project}::")
    except (TypeError, AttributeError) as err:
        raise CorruptError(f"a field of another type than expected: {err}") from None
    return found


def _no_constant(text: str) -> None:
    raise ValueError(f"the constant {text}")


def _check_frame(document: dict[str, Any], name: str) -> None:
    _check_keys(document, _TOP, "the file")
    if document.get("version") not in _VERSIONS:
        raise CorruptError(f"version {document.get('version')!r}, expected 3 or 4")
    checkpoint = document.get("checkpoint", {})
    _check_keys(checkpoint, _CHECKPOINT, "checkpoint")
    if checkpoint.get("stack") != name:
        raise CorruptError(f"checkpoint of {checkpoint.get('stack')!r}, expected {name!r}")


def _check_deployment(found: Checkpoint) -> None:
    if not found.latest:
        return
    _check_keys(found.latest, _LATEST, "latest")
    manifest = found.latest.get("manifest", {})
    _check_keys(manifest, ("time", "magic", "version"), "manifest")
    version, magic = manifest.get("version") or "", manifest.get("magic") or ""
    if magic != (hashlib.sha256(version.encode()).hexdigest() if version else ""):
        raise CorruptError("the manifest's magic does not belong to its version")
    for operation in found.pending:
        _check_keys(operation, ("resource", "type"), "pending operation")
        _check_keys(operation.get("resource"), _RESOURCE, "resource of a pending operation")


def _check_keys(value: object, known: tuple[str, ...], where: str) -> None:
    """Refuse a value that is no mapping, or that has a key which is a known one with one character changed."""
    if not isinstance(value, dict):
        raise CorruptError(f"{where}: found {type(value).__name__}, expected a mapping")
    for key in value.keys() - set(known):
        for name in known:
            if name not in value and len(name) == len(key) and sum(map(str.__ne__, name, key)) == 1:
                raise CorruptError(f"{where}: found the key {key!r}, expected {name!r}")


def _check_resources(resources: object, prefix: str) -> None:
    if not isinstance(resources, list):
        raise CorruptError("resources: expected a list")
    known: set[str] = set()
    providers: set[str] = set()
    alive: Counter[str] = Counter()
    for index, resource in enumerate(resources):
        _check_keys(resource, _RESOURCE, f"resource {index + 1}")
        urn = _check_identity(resource, index, prefix)
        if str(resource["type"]).startswith("pulumi:providers:"):
            providers.add(f"{urn}::{resource.get('id', '')}")
        _check_references(resource, known, providers)
        known.add(urn)
        alive[urn] += not resource.get("delete")
    for urn, count in alive.items():
        if count > 1:
            raise CorruptError(f"{urn} is there {count} times")


def _check_references(resource: dict[str, Any], known: set[str], providers: set[str]) -> None:
    """Everything that a resource refers to stands before it."""
    provider = resource.get("provider")
    if provider and provider not in providers and not resource.get("pendingReplacement"):
        raise CorruptError(f"{resource['urn']} refers to the unknown provider {provider}")
    for other in _needed(resource):
        if other not in known:
            raise CorruptError(f"{resource['urn']} refers to {other}, which is not before it")


def _check_identity(resource: dict[str, Any], index: int, prefix: str) -> str:
    urn, kind = resource.get("urn"), resource.get("type")
    if not isinstance(urn, str) or not isinstance(kind, str) or not urn or not kind:
        raise CorruptError(f"resource {index + 1} has no urn or no type")
    types, colons, name = urn.removeprefix(prefix).partition("::")
    if not urn.startswith(prefix) or not colons or not name or types.rpartition("$")[2] != kind:
        raise CorruptError(f"{urn} is not a URN of this stack and of type {kind}")
    if resource.get("id") and not resource.get("custom"):
        raise CorruptError(f"{urn} has an ID but is not a custom resource")
    return urn


def _needed(resource: dict[str, Any]) -> Iterator[str]:
    for key in ("parent", "deletedWith"):
        if resource.get(key):
            yield resource[key]
    yield from resource.get("dependencies") or ()
    yield from resource.get("replaceWith") or ()
    for urns in (resource.get("propertyDependencies") or {}).values():
        yield from urns or ()
