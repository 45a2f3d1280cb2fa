"""The closed tables of what a kustomization file may say and which of its fields name files.

Rule: https://github.com/kubernetes-sigs/kustomize/blob/api/v0.21.1/api/types/kustomization.go. kustomize takes field
names in any letter case; they are spelled exactly (`weir.render.go_texts`) before these tables are asked, and what is
still not in them is refused, so that no spelling of a path slips by unseen.
"""

from __future__ import annotations

from typing import Any, Final

NAMES: Final = ("kustomization.yaml", "kustomization.yml", "Kustomization")
"""Files that make a folder a kustomization."""

API_GROUP: Final = "kustomize.config.k8s.io"

FIELDS: Final = frozenset(
    (
        "apiVersion", "kind", "metadata", "openapi", "namePrefix", "nameSuffix", "namespace", "commonLabels",
        "labels", "commonAnnotations", "patchesStrategicMerge", "patchesJson6902", "patches", "images", "imageTags",
        "replacements", "replicas", "vars", "sortOptions", "resources", "components", "crds", "bases",
        "configMapGenerator", "secretGenerator", "generatorOptions", "configurations", "generators", "transformers",
        "validators", "buildMetadata",
    )
)  # fmt: skip

REFUSED: Final = {
    "helmCharts": "use a HelmRelease, or commit the rendered chart",
    "helmGlobals": "use a HelmRelease, or commit the rendered chart",
    "helmChartInflationGenerator": "use a HelmRelease, or commit the rendered chart",
}
"""Fields that run another program, with what to do instead."""

PLAIN_FIELDS: Final = frozenset(("apiVersion", "kind", "metadata", "resources", "bases"))
"""Fields that change nothing in the objects."""

ENTRY_FIELDS: Final = {
    "patches": frozenset(("path", "patch", "target", "options")),
    "patchesJson6902": frozenset(("path", "patch", "target", "options")),
    "replacements": frozenset(("path", "source", "sourceValue", "targets")),
    "configMapGenerator": frozenset(
        ("namespace", "name", "behavior", "literals", "files", "envs", "env", "options")
    ),
    "secretGenerator": frozenset(
        ("namespace", "name", "behavior", "literals", "files", "envs", "env", "options", "type")
    ),
}
"""Fields whose entries are mappings, with the keys an entry may have; `path` names a file."""

BUILTINS: Final = frozenset(
    (
        "AnnotationsTransformer", "ConfigMapGenerator", "HashTransformer", "IAMPolicyGenerator",
        "ImageTagTransformer", "LabelTransformer", "NamespaceTransformer", "PatchJson6902Transformer",
        "PatchStrategicMergeTransformer", "PatchTransformer", "PrefixTransformer", "ReplacementTransformer",
        "ReplicaCountTransformer", "SecretGenerator", "SortOrderTransformer", "SuffixTransformer",
        "ValueAddTransformer",
    )
)  # fmt: skip
"""Kinds of `apiVersion: builtin` that generators, transformers and validators may name."""

_BUILTIN_PATHS: Final = frozenset(("path", "paths", "files", "envs", "env", "targetfilepath"))


def path_field(config: dict[str, Any]) -> str:
    """The field of a built-in plugin's configuration that names a file, or that might; empty when there is none."""
    for key, value in config.items():
        if not key.isascii() or key.lower() in _BUILTIN_PATHS:
            return key
        if key.lower() == "replacements" and isinstance(value, list):
            for entry in value:
                inner = path_field(entry) if isinstance(entry, dict) else ""
                if inner:
                    return f"{key}[].{inner}"
    return ""
