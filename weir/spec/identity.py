"""Identities: one value and one spelling for every object and every unit."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from weir.spec.errors import SpecError


@dataclass(frozen=True, slots=True, order=True)
class ObjectId:
    """One Kubernetes object, independent of the API version it is spoken in."""

    group: str
    """API group, empty for the core group."""
    kind: str
    namespace: str
    """Empty for cluster-scoped objects."""
    name: str

    def __str__(self) -> str:
        """`Kind/namespace/name`, or `Kind/name` when cluster-scoped: the one spelling people see."""
        return "/".join(part for part in (self.kind, self.namespace, self.name) if part)

    @property
    def entry(self) -> str:
        """Flux's inventory form `<namespace>_<name>_<group>_<Kind>` (Kustomization status.inventory.entries[].id)."""
        return f"{self.namespace}_{self.name.replace(':', '__')}_{self.group}_{self.kind}"

    @classmethod
    def from_entry(cls, entry: str) -> ObjectId:
        """Read Flux's inventory form back. Names may hold `__` for `:` (RBAC names). Raises SpecError."""
        namespace, _, rest = entry.partition("_")
        rest, _, kind = rest.rpartition("_")
        name, _, group = rest.rpartition("_")
        if not kind or not name:
            expected = "<namespace>_<name>_<group>_<Kind>"
            raise SpecError.at("inventory", "entry", found=entry, expected=expected)
        return cls(group, kind, namespace, name.replace("__", ":"))

    @classmethod
    def of(cls, obj: dict[str, Any]) -> ObjectId:
        """The identity of a manifest that has apiVersion, kind and metadata.name."""
        meta = obj.get("metadata") or {}
        group, slash, _ = str(obj.get("apiVersion", "")).rpartition("/")
        return cls(
            group if slash else "", obj.get("kind", ""), meta.get("namespace") or "", meta.get("name", "")
        )


@dataclass(frozen=True, slots=True, order=True)
class UnitId:
    """One unit: a source, a Kustomization, a HelmRelease, ..."""

    kind: str
    namespace: str
    name: str

    def __str__(self) -> str:
        """`Kind/namespace/name`."""
        return f"{self.kind}/{self.namespace}/{self.name}"

    @property
    def key(self) -> str:
        """A name safe for files and labels: `kind.namespace.name`, lower case."""
        return f"{self.kind}.{self.namespace}.{self.name}".lower()

    @classmethod
    def parse(cls, text: str) -> UnitId:
        """Read `Kind/namespace/name`. Raises SpecError."""
        parts = text.split("/")
        if len(parts) != 3 or not all(parts):  # noqa: PLR2004 - kind, namespace, name
            raise SpecError.at("unit", "id", found=text, expected="Kind/namespace/name")
        return cls(*parts)
