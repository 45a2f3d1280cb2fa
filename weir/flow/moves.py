"""Objects that move between units of one run: who renders them is known before anything is pruned."""

from __future__ import annotations

from typing import Final

from weir.edges.runs import Run, claims_file
from weir.spec.identity import ObjectId
from weir.spec.kustomization import KustomizationSpec

_DEFAULTS: Final = ("", "value.yaml")
"""Keys of a kubeconfig's Secret that say the same as `value`."""


def target_of(spec: KustomizationSpec) -> str:
    """Which cluster a unit applies to: `namespace/name/key` of its kubeconfig's Secret, empty for the stack's own."""
    secret, key = spec.kube_config_secret, spec.kube_config_key
    return f"{spec.id.namespace}/{secret}/{'value' if key in _DEFAULTS else key}" if secret else ""


def wanted_elsewhere(run: Run, spec: KustomizationSpec) -> frozenset[ObjectId]:
    """Objects that other units of this run render for the same cluster: they move there and are not pruned here."""
    wanted: set[ObjectId] = set()
    for name in run.names(".claims.json"):
        claims = run.read_json(name)
        if name != claims_file(spec.id) and isinstance(claims, dict) and claims["cluster"] == target_of(spec):
            wanted.update(ObjectId.from_entry(entry) for entry in claims["ids"])
    return frozenset(wanted)
