"""Moving in: other tools' field managers become `weir`, and their leftovers go. Metadata changes only.

Rule: kustomize-controller rewrites kubectl's managers and `before-first-apply` to its own, and removes the last-applied
annotation (fluxcd/pkg ssa, ApplyCleanupOptions); Weir adds the managers of Flux, Helm and Argo CD, so that a field
they applied and Git no longer holds goes with the next apply.

Paths belong to an API version. Entries of one version are joined as they are and keep it. With several versions the
joined entry speaks the version in which the object was read: a path of another version is kept when it exists in the
object as read, for a name that is served in both versions means the same field in practice; it is dropped when it does
not, because the server would not understand it. To drop such entries whole would leave their fields without an owner:
nothing would ever remove them.
"""

from __future__ import annotations

from functools import reduce
from typing import Final

from weir.objects import managed
from weir.objects.annotations import SSA, carries
from weir.objects.values import Obj

_APPLY_AND_UPDATE: Final = frozenset(
    {
        "kustomize-controller",
        "helm-controller",
        "helm",
        "argocd-controller",
        "argocd-application-controller",
        "flux",
    }
)
_UPDATE: Final = frozenset({"before-first-apply", managed.MANAGER})
_PREFIX: Final = "kubectl"
ANNOTATIONS: Final = (
    "kubectl.kubernetes.io/last-applied-configuration",
    "kustomize.toolkit.fluxcd.io/checksum",
    "fluxcd.io/sync-checksum",
)
LABELS: Final = ("fluxcd.io/sync-gc-mark",)

Patch = list[Obj]


def foreign_managers(live: Obj) -> tuple[str, ...]:
    """The managers whose fields are to become Weir's, in the order in which the object names them.

    Those of a subresource (`status`, `scale`) are not, nor is `flux-client-side-apply`, which says that it stays.
    """
    found = dict.fromkeys(str(entry.get("manager")) for entry in managed.entries(live) if _is_foreign(entry))
    return tuple(found)


def due(live: Obj, desired: Obj | None = None) -> bool:
    """Whether `takeover_patch` would return a patch."""
    if not (any(_is_foreign(entry) for entry in managed.entries(live)) or _leftovers(live)):
        return False
    return not (carries(live, SSA, "Merge") or carries(desired, SSA, "Merge"))


def takeover_patch(live: Obj, desired: Obj | None = None) -> Patch | None:
    """The JSON patch that makes foreign fields Weir's and removes leftovers; None when nothing is to be done.

    It holds only if the object is still at the version read (a `test` of its resourceVersion). Objects that say
    `kustomize.toolkit.fluxcd.io/ssa: Merge`, live or desired, are left alone.
    """
    if not due(live, desired):
        return None
    meta = live["metadata"]
    patch: Patch = [
        {"op": "test", "path": "/metadata/resourceVersion", "value": meta.get("resourceVersion", "")}
    ]
    patch.extend(
        {"op": "remove", "path": f"/metadata/{_escape(part)}/{_escape(key)}"}
        for part, key in _leftovers(live)
    )
    if foreign_managers(live):
        patch.append({"op": "replace", "path": "/metadata/managedFields", "value": _rewritten(live)})
    return patch


def migrate_patch(live: Obj) -> Patch | None:
    """The JSON patch that makes all entries speak the version in which the object was read; None when they do.

    Needed when a CustomResourceDefinition gained a version with defaults: an apply then fails with "field not declared
    in schema" as long as an entry speaks the old version (kustomize-controller's MigrateAPIVersion).
    """
    version = live.get("apiVersion")
    found = managed.entries(live)
    if all(entry.get("apiVersion") == version for entry in found):
        return None
    test = {
        "op": "test",
        "path": "/metadata/resourceVersion",
        "value": live["metadata"].get("resourceVersion", ""),
    }
    moved = [entry if entry.get("apiVersion") == version else _converted(entry, live) for entry in found]
    return [test, {"op": "replace", "path": "/metadata/managedFields", "value": moved}]


def _is_foreign(entry: Obj) -> bool:
    if entry.get("subresource"):
        return False
    name = str(entry.get("manager"))
    if name.startswith(_PREFIX) or name in _APPLY_AND_UPDATE:
        return True
    return name in _UPDATE and entry.get("operation") == "Update"


def _leftovers(live: Obj) -> tuple[tuple[str, str], ...]:
    meta = live.get("metadata") or {}
    annotations, labels = meta.get("annotations") or {}, meta.get("labels") or {}
    return (
        *(("annotations", key) for key in ANNOTATIONS if key in annotations),
        *(("labels", key) for key in LABELS if key in labels),
    )


def _rewritten(live: Obj) -> list[Obj]:
    """The managedFields list with one entry of Weir's at the end in place of its own and all foreign ones."""
    own = managed.applied(live)
    mine = [entry for entry in managed.entries(live) if entry is own or _is_foreign(entry)]
    rest = [entry for entry in managed.entries(live) if entry is not own and not _is_foreign(entry)]
    versions = {str(entry.get("apiVersion")) for entry in mine}
    if len(versions) > 1:
        mine = [
            entry if entry.get("apiVersion") == live.get("apiVersion") else _converted(entry, live)
            for entry in mine
        ]
    tries = [fields for fields in map(managed.trie, mine) if fields]
    joined = reduce(managed.union, tries[1:], tries[0]) if tries else {}
    times = [str(entry["time"]) for entry in mine if entry.get("time")]
    return [
        *rest,
        {
            "manager": managed.MANAGER,
            "operation": "Apply",
            "apiVersion": mine[0].get("apiVersion"),
            **({"time": max(times)} if times else {}),
            "fieldsType": "FieldsV1",
            "fieldsV1": _without_leftovers(joined),
        },
    ]


def _converted(entry: Obj, live: Obj) -> Obj:
    fields = managed.present(managed.trie(entry), live)
    return {**entry, "apiVersion": live.get("apiVersion"), "fieldsV1": fields}


def _without_leftovers(trie: managed.Trie) -> managed.Trie:
    """The trie without the annotations and labels that the same patch removes."""
    meta = dict(trie.get("f:metadata", {}))
    for part, keys in (("f:annotations", ANNOTATIONS), ("f:labels", LABELS)):
        below = meta.get(part)
        if not below:
            continue
        kept = {step: child for step, child in below.items() if step not in {f"f:{key}" for key in keys}}
        if kept:
            meta[part] = kept
        else:
            del meta[part]
    rest = {step: child for step, child in trie.items() if step != "f:metadata"}
    return {**rest, "f:metadata": meta} if meta else rest


def _escape(text: str) -> str:
    return text.replace("~", "~0").replace("/", "~1")
