"""Objects of a unit that transforms nothing, read without running kustomize.

The result is what `kustomize build` gives. Where that is not certain the answer is None, and kustomize is asked:
for what its YAML reader splits or types differently, and for objects whose references it completes
(https://github.com/kubernetes-sigs/kustomize/blob/api/v0.21.1/api/filters/nameref/nameref.go).
"""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Sequence
from typing import Any, Final

from weir.spec.documents import Document, load_yaml
from weir.spec.errors import RenderError, SpecError
from weir.spec.tree import Tree

LOCAL_CONFIG: Final = "config.kubernetes.io/local-config"
"""Annotation of objects that are for kustomize only."""

_OTHER_SPLIT: Final = re.compile(rb"\n(?:---[ \t]*[^ \t\r\n#]|\.\.\.|%)")
_OTHER_END: Final = re.compile(rb"\r(?!\n)")
_NOTED: Final = (
    "internal.config.kubernetes.io/",
    "config.kubernetes.io/",
    "config.k8s.io/",
    "kustomize.config.k8s.io/",
)
"""Annotations that kustomize itself reads or writes."""
_COMPLETED: Final = {
    "RoleBinding": "ServiceAccount",
    "ClusterRoleBinding": "ServiceAccount",
    "ValidatingWebhookConfiguration": "Service",
    "MutatingWebhookConfiguration": "Service",
    "Node": "ConfigMap",
}
"""Kinds that get a namespace from an object of another kind that they name."""


def read_plain(tree: Tree, files: Sequence[str]) -> tuple[Document, ...] | None:
    """The objects in these files, or None when only kustomize can tell.

    Raises:
        RenderError: a file is not YAML, or holds something that is no object; names the file and the place in it.
    """
    found: list[Document] = []
    for file in files:
        text = tree.read(file)
        if _OTHER_SPLIT.search(b"\n" + text) or _OTHER_END.search(text):
            return None
        try:
            loaded = load_yaml(text, file)
        except SpecError as err:
            raise RenderError(err.message, hint=err.hint) from err
        if loaded.odd:
            return None
        for index, value in enumerate(loaded.values):
            unfolded = _unfold(value, f"{file}: document {index + 1}")
            if unfolded is None:
                return None
            found.extend(Document(file, index, item) for item in unfolded)
    kinds = {document.data["kind"] for document in found}
    if any(kind in kinds and target in kinds for kind, target in _COMPLETED.items()):
        return None
    _check_duplicates(found)
    return tuple(document for document in found if not _is_local(document.data))


def _unfold(value: Any, where: str) -> list[dict[str, Any]] | None:
    """A document as objects: none for an empty one, several for a list, None when kustomize must judge it."""
    objects: list[dict[str, Any]] = []
    todo = deque([value])
    while todo:
        item = todo.popleft()
        if item is None or item == {}:
            continue
        if not isinstance(item, dict) or not isinstance(item.get("kind"), str) or not item["kind"]:
            found = "a mapping without kind" if isinstance(item, dict) else type(item).__name__
            hint = "keep files that are not Kubernetes objects out of the folder, or add a kustomization.yaml"
            raise RenderError(f"{where}: found {found}, expected a Kubernetes object", hint=hint)
        if item["kind"].endswith("List") and "items" in item:
            if item["kind"] == "ResourceList" or not isinstance(item["items"], list):
                return None
            todo.extend(item["items"])
        elif _is_simple(item):
            objects.append(item)
        else:
            return None
    return objects


def _is_simple(item: dict[str, Any]) -> bool:
    """Whether identity and metadata are as kustomize needs them, and hold nothing it acts on."""
    meta = item.get("metadata")
    if not isinstance(meta, dict) or not isinstance(item.get("apiVersion"), str) or not item["apiVersion"]:
        return False
    name, namespace = meta.get("name"), meta.get("namespace", "")
    if not isinstance(name, str) or not name or not isinstance(namespace, str):
        return False
    for key in ("labels", "annotations"):
        values = meta.get(key, {})
        if not isinstance(values, dict) or not all(isinstance(value, str) for value in values.values()):
            return False
    noted = (key for key in meta.get("annotations", {}) if key != LOCAL_CONFIG)
    return not any(key.startswith(_NOTED) for key in noted)


def _is_local(item: dict[str, Any]) -> bool:
    value = item["metadata"].get("annotations", {}).get(LOCAL_CONFIG)
    return value is not None and value != "false"


def _check_duplicates(documents: Sequence[Document]) -> None:
    seen: dict[tuple[str, str, str, str], Document] = {}
    for document in documents:
        data = document.data
        meta = data["metadata"]
        key = (data["apiVersion"], data["kind"], meta.get("namespace") or "default", meta["name"])
        if (first := seen.setdefault(key, document)) is not document:
            problem = f"found it twice, first in {first.file}, document {first.index + 1}"
            raise RenderError(f"{document.where}: {problem}", hint="remove one of them, or rename it")
