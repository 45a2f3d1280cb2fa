"""What an object itself says about how it wants to be treated.

Rule: kustomize-controller's `kustomize.toolkit.fluxcd.io/{ssa,reconcile,prune,force}`, each as a label or as an
annotation, values compared without case (fluxcd/pkg ssa, AnyInMetadata). Where each is read from, Git or the cluster,
is part of the rule.
"""

from __future__ import annotations

from typing import Final, Literal

from weir.objects.values import Obj

PREFIX: Final = "kustomize.toolkit.fluxcd.io"
OWNER_NAME: Final = f"{PREFIX}/name"
OWNER_NAMESPACE: Final = f"{PREFIX}/namespace"
SSA: Final = f"{PREFIX}/ssa"
RECONCILE: Final = f"{PREFIX}/reconcile"
PRUNE: Final = f"{PREFIX}/prune"
FORCE: Final = f"{PREFIX}/force"
ALLOW_DELETE: Final = "weir.dev/allow-delete"
ALLOW_CLUSTER: Final = "weir.dev/allow-cluster"
ALLOW_EMPTY: Final = "weir.dev/allow-empty"

Mode = Literal["Override", "Merge", "IfNotPresent", "Ignore"]


def ssa_mode(desired: Obj | None, live: Obj | None) -> Mode:
    """How the object is applied.

    `Ignore` counts in Git and in the cluster, and beats all; `IfNotPresent` only in Git; `Merge` in either.
    """
    if carries(desired, SSA, "Ignore") or carries(live, SSA, "Ignore"):
        return "Ignore"
    if carries(desired, SSA, "IfNotPresent"):
        return "IfNotPresent"
    if carries(desired, SSA, "Merge") or carries(live, SSA, "Merge"):
        return "Merge"
    return "Override"


def reconcile_disabled(desired: Obj | None, live: Obj | None) -> bool:
    """Whether the object is neither applied nor pruned: `reconcile: disabled` in Git or in the cluster."""
    return carries(desired, RECONCILE, "disabled") or carries(live, RECONCILE, "disabled")


def prune_disabled(live: Obj | None) -> bool:
    """Whether the live object says `prune: disabled`. Git does not count: the object is no longer there."""
    return carries(live, PRUNE, "disabled")


def force_enabled(desired: Obj | None, live: Obj | None) -> bool:
    """Whether the object may be deleted and created again when an immutable field changes, in Git or in the cluster."""
    return carries(desired, FORCE, "enabled") or carries(live, FORCE, "enabled")


def owner(live: Obj) -> tuple[str, str]:
    """The namespace and name of the Kustomization whose owner labels the object carries; empty texts when absent."""
    labels = _texts(live, "labels")
    return labels.get(OWNER_NAMESPACE, ""), labels.get(OWNER_NAME, "")


def carries(obj: Obj | None, key: str, value: str) -> bool:
    """Whether a label or an annotation of that name has that value, without case."""
    meta = obj.get("metadata") if obj is not None else None
    if not isinstance(meta, dict):
        return False
    for part in ("labels", "annotations"):
        found = meta.get(part)
        if isinstance(found, dict) and key in found and str(found[key]).lower() == value.lower():
            return True
    return False


def annotation(obj: Obj | None, key: str) -> str:
    """The value of an annotation, empty when absent."""
    return _texts(obj, "annotations").get(key, "") if obj is not None else ""


def _texts(obj: Obj, part: str) -> dict[str, str]:
    meta = obj.get("metadata")
    found = meta.get(part) if isinstance(meta, dict) else None
    return {key: str(value) for key, value in found.items()} if isinstance(found, dict) else {}
