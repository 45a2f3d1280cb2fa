"""The kustomization a unit starts from: the one in its folder, or the one Flux would generate there."""

from __future__ import annotations

import posixpath
from dataclasses import dataclass
from typing import Any

from weir.render.go_texts import GoScalars, with_names, with_texts
from weir.render.layout import Layout, relative
from weir.render.schema import NAMES
from weir.spec.documents import load_yaml
from weir.spec.errors import PathError, RenderError, SpecError
from weir.spec.scalars import Scalars


@dataclass(frozen=True, slots=True, kw_only=True)
class Top:
    """The kustomization a unit starts from."""

    folder: str
    """Real path of the unit's folder; empty for the root."""
    name: str
    """File name of the kustomization."""
    data: dict[str, Any]
    generated: bool
    """Whether the folder has no kustomization of its own."""
    warnings: tuple[str, ...] = ()

    @property
    def file(self) -> str:
        """Path of the kustomization file, whether it exists or is generated."""
        return posixpath.join(self.folder, self.name)


def find_top(layout: Layout, path: str) -> Top:
    """The kustomization of a unit's folder, or the one Flux would generate.

    Rule: https://github.com/fluxcd/pkg/blob/main/kustomize/kustomize_generator.go: without a kustomization, every
    `.yaml` and `.yml` file below the folder is a resource, and a sub-folder with a kustomization is one as a whole.
    Symbolic links count for neither: artifacts of Flux hold none (fluxcd/pkg, artifact/storage/archive.go). Where a
    path leads through one, it is followed.

    Raises:
        RenderError: no such folder, more than one kustomization file, or one that cannot be read.
    """
    shown = path or "."
    try:
        place = layout.find("", path or ".")
    except RenderError as err:
        raise RenderError(f"spec.path: {err.message}", hint=err.hint) from err
    if place is None:
        raise PathError(
            f"kustomization path not found: {shown}", hint="correct spec.path, or commit the folder"
        )
    if not place.is_folder:
        raise RenderError(f"spec.path: found the file {shown}, expected a folder", hint="name its folder")
    name = _only(_own(layout, place.path), place.path)
    if name:
        file = posixpath.join(place.path, name)
        data = with_texts(read_kustomization(layout, file, GoScalars()))
        return Top(folder=place.path, name=name, data=data, generated=False)
    resources, warnings = _scan(layout, place.path)
    data = {"apiVersion": "kustomize.config.k8s.io/v1beta1", "kind": "Kustomization"}
    return Top(
        folder=place.path,
        name=NAMES[0],
        data={**data, "resources": resources},
        generated=True,
        warnings=warnings,
    )


def kustomization_in(layout: Layout, folder: str) -> str:
    """Name of a named folder's kustomization file, empty when it has none; a symbolic link if there is no other.

    Raises:
        RenderError: there are several.
    """
    own = _own(layout, folder)
    return _only(own or [name for name in NAMES if _is_link_to_file(layout, folder, name)], folder)


def _own(layout: Layout, folder: str) -> list[str]:
    """Names of the folder's kustomization files that are no symbolic links."""
    found = {name: layout.tree.files.get(posixpath.join(folder, name)) for name in NAMES}
    return [name for name, file in found.items() if file is not None and not file.link]


def _is_link_to_file(layout: Layout, folder: str, name: str) -> bool:
    if posixpath.join(folder, name) not in layout.tree.files:
        return False
    place = layout.find(folder, name)
    return place is not None and not place.is_folder


def _only(names: list[str], folder: str) -> str:
    if len(names) > 1:
        problem = f"found {' and '.join(names)}, expected one kustomization file"
        raise RenderError(f"{folder or '.'}: {problem}", hint="remove the others")
    return names[0] if names else ""


def _scan(layout: Layout, base: str) -> tuple[list[str], tuple[str, ...]]:
    found: list[str] = []
    warnings: list[str] = []
    todo = [base]
    while todo:
        folder = todo.pop()
        for name in sorted(layout.folders[folder]):
            path = posixpath.join(folder, name)
            if path in layout.folders:
                (found if _own(layout, path) else todo).append(path)
            elif name not in NAMES and not name.lower().endswith((".yaml", ".yml")):
                continue
            elif layout.tree.files[path].link:
                warnings.append(f"{path}: not read: a symbolic link, which counts only where a path names it")
            elif name.endswith((".yaml", ".yml")):
                found.append(path)
            else:
                warnings.append(f"{path}: not read: only .yaml and .yml, in lower case, are")
    return [relative(base, path) for path in sorted(found)], tuple(warnings)


def read_kustomization(layout: Layout, file: str, scalars: Scalars | None = None) -> dict[str, Any]:
    """The mapping in a kustomization file, names spelled exactly, without fields that are null. Raises RenderError."""
    place = layout.find("", file)
    documents = read_file(layout, place.path if place else file, scalars)
    if not documents:
        return {}
    if len(documents) > 1 or not isinstance(documents[0], dict):
        raise RenderError(f"{file}: found {len(documents)} documents, expected one mapping", hint="keep one")
    try:
        return with_names({key: value for key, value in documents[0].items() if value is not None})
    except RenderError as err:
        raise RenderError(f"{file}: {err.message}", hint=err.hint) from err


def read_file(layout: Layout, path: str, scalars: Scalars | None = None) -> list[Any]:
    """The values in a YAML file of the artifact. Raises RenderError."""
    try:
        values = load_yaml(layout.tree.read(path), path, scalars=scalars).values
        return [value for value in values if value is not None]
    except SpecError as err:
        raise RenderError(err.message, hint=err.hint) from err
