"""Objects that move between units of one run: who renders them is known before anything is pruned."""

from __future__ import annotations

from weir.edges.runs import Run, claims_file
from weir.spec.identity import ObjectId
from weir.spec.kustomization import KustomizationSpec


def target_of(spec: KustomizationSpec) -> str:
    """Which cluster a unit applies to: `namespace/name/key` of its kubeconfig's Secret, empty for the stack's own."""
    secret = spec.kube_config_secret
    return f"{spec.id.namespace}/{secret}/{spec.kube_config_key}" if secret else ""


def wanted_elsewhere(run: Run, spec: KustomizationSpec) -> frozenset[ObjectId]:
    """Objects that other units of this run render for the same cluster: they move there and are not pruned here."""
    wanted: set[ObjectId] = set()
    for name in run.names(".claims.json"):
        claims = run.read_json(name)
        if name != claims_file(spec.id) and isinstance(claims, dict) and claims["cluster"] == target_of(spec):
            wanted.update(ObjectId.from_entry(entry) for entry in claims["ids"])
    return frozenset(wanted)
