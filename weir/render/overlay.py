"""What spec adds to the kustomization in the artifact, before anything is built.

Rule: https://github.com/fluxcd/pkg/blob/main/kustomize/kustomize_generator.go
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from weir.render.layout import Layout
from weir.render.top import Top
from weir.spec.errors import RenderError
from weir.spec.kustomization import Image, KustomizationSpec, Patch, Selector


def overlay(top: Top, spec: KustomizationSpec, layout: Layout) -> Top:
    """The same kustomization with what spec says: namespace and name parts replaced, patches appended, images merged.

    Raises:
        RenderError: a component is missing and `ignoreMissingComponents` is not set, or a field has the wrong type.
    """
    own = {"namespace": spec.target_namespace, "namePrefix": spec.name_prefix, "nameSuffix": spec.name_suffix}
    data = {**top.data, **{key: value for key, value in own.items() if value}}
    _extend(data, "patches", [_patch(patch) for patch in spec.patches], top)
    _extend(data, "components", _components(top, spec, layout), top)
    _extend(data, "buildMetadata", _new(data.get("buildMetadata"), spec.build_metadata), top)
    if spec.images:
        data["images"] = _merge_images(_list(data, "images", top), spec.images)
    return replace(top, data=data)


def _list(data: dict[str, Any], key: str, top: Top) -> list[Any]:
    value = data.get(key) or []
    if not isinstance(value, list):
        raise RenderError(
            f"{top.file}: {key}: found {type(value).__name__}, expected a list", hint="correct it"
        )
    return value


def _extend(data: dict[str, Any], key: str, more: list[Any], top: Top) -> None:
    if more:
        data[key] = [*_list(data, key, top), *more]


def _new(present: Any, wanted: tuple[str, ...]) -> list[str]:
    return [item for item in wanted if not isinstance(present, list) or item not in present]


def _components(top: Top, spec: KustomizationSpec, layout: Layout) -> list[str]:
    if not spec.ignore_missing_components:
        return list(spec.components)
    return [path for path in spec.components if layout.find(top.folder, path) is not None]


def _patch(patch: Patch) -> dict[str, Any]:
    entry: dict[str, Any] = {"patch": patch.patch}
    if patch.target is not None:
        entry["target"] = _selector(patch.target)
    return entry


def _selector(selector: Selector) -> dict[str, str]:
    fields = {
        "group": selector.group,
        "version": selector.version,
        "kind": selector.kind,
        "name": selector.name,
        "namespace": selector.namespace,
        "labelSelector": selector.label_selector,
        "annotationSelector": selector.annotation_selector,
    }
    return {key: value for key, value in fields.items() if value}


def _merge_images(present: list[Any], wanted: tuple[Image, ...]) -> list[Any]:
    """Merge by name and field: a new name replaces the name, a new tag or digest replaces both tag and digest."""
    merged = list(present)
    for image in wanted:
        index = next((i for i, entry in enumerate(merged) if _is_named(entry, image.name)), None)
        entry = dict(merged[index]) if index is not None else {"name": image.name}
        if image.new_name:
            entry["newName"] = image.new_name
        if image.new_tag or image.digest:
            for key in ("newTag", "digest", "tagSuffix"):
                entry.pop(key, None)
            entry |= {"digest": image.digest} if image.digest else {"newTag": image.new_tag}
        if index is None:
            merged.append(entry)
        else:
            merged[index] = entry
    return merged


def _is_named(entry: Any, name: str) -> bool:
    return isinstance(entry, dict) and entry.get("name") == name
