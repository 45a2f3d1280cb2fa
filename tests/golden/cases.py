"""The golden cases and how one is rendered to text."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Final

from tests.property.strategies import MemoryTree
from weir.flow.render import render_unit
from weir.render.emit import to_yaml
from weir.render.layout import Layout
from weir.spec.documents import read_documents
from weir.spec.kustomization import parse_kustomization

FOLDER: Final = Path(__file__).parent
CASES: Final = sorted(path.parent for path in FOLDER.glob("*/kustomization.yaml"))
VALUES: Final[Mapping[tuple[str, str], Mapping[str, str]]] = {
    ("ConfigMap", "cluster-vars"): {"region": "overridden", "tag": "1.2.3-rc1"},
    ("Secret", "cluster-secrets"): {"password": "hunter2\n"},
}
"""What substituteFrom finds in the cluster."""


def rendered_text(case: Path, scratch: Path) -> str:
    """Objects, children and what else a render says, as YAML documents."""
    spec = parse_kustomization(
        read_documents((case / "kustomization.yaml").read_bytes(), "kustomization.yaml")[0]
    )
    files = {
        str(path.relative_to(case / "in")): path.read_bytes()
        for path in (case / "in").rglob("*")
        if path.is_file()
    }
    result = render_unit(
        spec,
        Layout(MemoryTree(files)),
        lookup=lambda kind, _, name: VALUES.get((kind, name)),
        scratch_root=scratch,
        cache=None,
    )
    parts = [to_yaml(item) for item in result.objects]
    parts += [f"# child\n{to_yaml(child.data)}" for child in result.children]
    notes = [f"# secret: {identity}\n" for identity in sorted(result.secret_ids)]
    notes += [f"# warning: {warning}\n" for warning in result.warnings]
    return "".join(notes) + "---\n".join(parts)
