"""Which objects go, whether each may, and when the whole is refused.

Rule: kustomize-controller prunes what is in the old inventory and not in the new one, only while the live object
still carries the unit's owner labels. The guards are Weir's own: an empty render, a Namespace, a
CustomResourceDefinition or a PersistentVolumeClaim, or most of a unit, does not go without being named.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Final

from weir.objects.annotations import (
    ALLOW_DELETE,
    ALLOW_EMPTY,
    annotation,
    owner,
    prune_disabled,
    reconcile_disabled,
    ssa_mode,
)
from weir.objects.rank import delete_order
from weir.objects.values import Obj
from weir.spec.errors import GuardError
from weir.spec.identity import ObjectId, UnitId
from weir.spec.listed import listed

PRECIOUS: Final = {
    ("", "Namespace"): "everything in it goes too",
    ("apiextensions.k8s.io", "CustomResourceDefinition"): "every object of its kind goes too",
    ("", "PersistentVolumeClaim"): "its data may go too",
}
MASS_LEAST: Final = 4
"""Objects in a unit below which no share counts as most of it."""
_MOVED: Final = {
    ("extensions", "DaemonSet"): "apps",
    ("extensions", "Deployment"): "apps",
    ("extensions", "ReplicaSet"): "apps",
    ("extensions", "Ingress"): "networking.k8s.io",
    ("extensions", "NetworkPolicy"): "networking.k8s.io",
    ("events.k8s.io", "Event"): "",
}


def to_prune(
    inventory: Iterable[ObjectId | tuple[ObjectId, str]], desired_ids: Iterable[ObjectId]
) -> tuple[ObjectId, ...]:
    """The owned objects that are no longer desired, in the order they are deleted.

    `inventory` is that of a UnitRecord, or bare ids. One object served by two API groups is one object: Ingress of
    `extensions` is not pruned when Ingress of `networking.k8s.io` with the same name is desired.
    """
    kept = {_canonical(item) for item in desired_ids}
    owned = {item if isinstance(item, ObjectId) else item[0] for item in inventory}
    return delete_order(item for item in owned if _canonical(item) not in kept)


def _canonical(item: ObjectId) -> ObjectId:
    group = _MOVED.get((item.group, item.kind), item.group)
    return ObjectId(group, item.kind, item.namespace, item.name)


def may_prune(live: Obj, unit: UnitId) -> tuple[bool, str]:
    """Whether the live object is the unit's to delete, and why not.

    Its owner labels must name the unit: an object that moved to another unit was re-labelled by it.
    """
    namespace, name = owner(live)
    if (namespace, name) != (unit.namespace, unit.name):
        found = f"{unit.kind}/{namespace}/{name}" if name else "nobody"
        return False, f"its owner labels name {found}, not {unit}"
    if prune_disabled(live):
        return False, "kustomize.toolkit.fluxcd.io/prune: disabled"
    if reconcile_disabled(None, live):
        return False, "kustomize.toolkit.fluxcd.io/reconcile: disabled"
    if ssa_mode(None, live) == "Ignore":
        return False, "kustomize.toolkit.fluxcd.io/ssa: Ignore"
    return True, ""


def guard(  # noqa: PLR0913 - the two switches and the facts they judge
    unit: UnitId,
    *,
    inventory: Collection[ObjectId],
    desired: Collection[ObjectId],
    doomed: Sequence[ObjectId],
    live: Mapping[ObjectId, Obj],
    annotations: Mapping[str, str],
    allow_empty: bool = False,
    allow_mass_delete: bool = False,
) -> None:
    """Refuse a dangerous plan.

    `inventory` is what the unit owned, `desired` what its revision renders, `doomed` what would be deleted after
    `may_prune` spoke, `live` the live form of the doomed, `annotations` those of the unit's own document.

    Raises:
        GuardError: the render is empty while the unit owns objects; a Namespace, CustomResourceDefinition or
            PersistentVolumeClaim would go; or more than half of a unit of four or more objects would. The text
            names the switch or annotation that allows it.
    """
    empty_allowed = allow_empty or annotations.get(ALLOW_EMPTY, "").lower() == "true"
    if inventory and not desired and doomed and not empty_allowed:
        raise GuardError(
            f"{unit}: found 0 rendered objects, expected some: the unit owns {len(inventory)} and would delete "
            f"{len(doomed)} ({listed(doomed)})",
            hint=f'if this is meant, annotate the unit with {ALLOW_EMPTY}: "true" or set weir:options.allowEmpty',
        )
    guard_precious(unit, doomed=doomed, live=live, annotations=annotations)
    if allow_mass_delete or (not desired and empty_allowed):
        return
    counted = [item for item in doomed if not _allowed(item, live.get(item), annotations)]
    if len(inventory) >= MASS_LEAST and 2 * len(counted) > len(inventory):
        raise GuardError(
            f"{unit}: found {len(counted)} of {len(inventory)} objects to delete ({listed(counted)}), expected at "
            "most half",
            hint=f'if this is meant, annotate the unit with {ALLOW_DELETE}: "*" or set weir:options.allowMassDelete',
        )


def guard_precious(
    unit: UnitId,
    *,
    doomed: Sequence[ObjectId],
    live: Mapping[ObjectId, Obj],
    annotations: Mapping[str, str],
) -> None:
    """Refuse to delete Namespaces, CustomResourceDefinitions and PersistentVolumeClaims that nobody named.

    Raises:
        GuardError: names the objects, what goes with them, and the annotation that allows it.
    """
    held = [
        item
        for item in doomed
        if (item.group, item.kind) in PRECIOUS and not _allowed(item, live.get(item), annotations)
    ]
    if not held:
        return
    first = held[0]
    names = ", ".join(str(item) for item in held)
    raise GuardError(
        f"{unit}: found {listed(held)} to delete, expected no {first.kind} among them: "
        f"{PRECIOUS[first.group, first.kind]}",
        hint=(
            f'if this is meant, annotate the unit with {ALLOW_DELETE}: "{names}" '
            f'or the live object with {ALLOW_DELETE}: "true"'
        ),
    )


def _allowed(item: ObjectId, live: Obj | None, annotations: Mapping[str, str]) -> bool:
    listed = {part.strip() for part in annotations.get(ALLOW_DELETE, "").split(",")}
    if "*" in listed or str(item) in listed:
        return True
    return annotation(live, ALLOW_DELETE).lower() == "true"
