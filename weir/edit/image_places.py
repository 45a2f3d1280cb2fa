"""Where a workload holds the images of its containers, without markers: what Flux 1 knows of each kind.

In a HelmRelease a container is a place in `spec.values`, at the top (`chart-image`) or in a mapping of its own, whose
key is then its name: `image` as a text or as a mapping with `repository`, beside it `tag` and `registry` if they are
there. Annotations name other places as paths with dots: `repository.fluxcd.io/<container>`, and if wanted
`tag.fluxcd.io/<container>` and `registry.fluxcd.io/<container>`. A `digest` that is not empty beside the tag, or beside
the repository where the tag has no field, belongs to the image: charts prefer it to the tag. Rule:
https://github.com/fluxcd/flux/blob/master/docs/references/helm-operator-integration.md
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

from weir.edit.nodes import Path

CHART_IMAGE: Final = "chart-image"
"""The name of the container whose image stands at the top of a HelmRelease's values."""
HELM_RELEASE: Final = "HelmRelease"

_TEMPLATE: Final = ("spec", "template", "spec")
_POD_SPECS: Final[Mapping[str, Path]] = {
    "Deployment": _TEMPLATE,
    "DaemonSet": _TEMPLATE,
    "StatefulSet": _TEMPLATE,
    "CronJob": ("spec", "jobTemplate", *_TEMPLATE),
}
KINDS: Final = (*_POD_SPECS, HELM_RELEASE)
"""What counts as a workload."""
_VALUES: Final = ("spec", "values")
_REPOSITORY, _REGISTRY, _TAG = "repository.fluxcd.io/", "registry.fluxcd.io/", "tag.fluxcd.io/"


@dataclass(frozen=True, slots=True, kw_only=True)
class ImagePlace:
    """The fields that hold one image, as paths within the object."""

    repository: Path
    """Also registry, tag and digest, where these have no field of their own."""
    registry: Path | None = None
    tag: Path | None = None
    """Also the digest, where it has no field of its own."""
    digest: Path | None = None


def image_places(data: Mapping[str, Any]) -> dict[str, ImagePlace]:
    """The places of an object's images by container; empty for a kind that is not a workload."""
    kind = data.get("kind")
    if kind == HELM_RELEASE:
        return _helm_places(data)
    pod = _POD_SPECS.get(str(kind))
    return dict(_pod_places(data, pod)) if pod else {}


def pod_spec(data: Mapping[str, Any]) -> dict[str, Any]:
    """The spec of the pods that a workload makes; empty for one whose pods the text does not show."""
    path = _POD_SPECS.get(str(data.get("kind")))
    found = value_at(data, path) if path else None
    return found if isinstance(found, dict) else {}


def value_at(data: Any, path: Path) -> Any:
    """What a path leads to, None for nothing."""
    for step in path:
        if isinstance(step, int) and isinstance(data, list):
            data = data[step] if step < len(data) else None
        else:
            data = data.get(step) if isinstance(data, dict) else None
    return data


def _pod_places(data: Mapping[str, Any], pod: Path) -> Iterator[tuple[str, ImagePlace]]:
    for group in ("initContainers", "containers"):
        containers = value_at(data, (*pod, group))
        for index, container in enumerate(containers if isinstance(containers, list) else ()):
            name, image = (value_at(container, (key,)) for key in ("name", "image"))
            if isinstance(name, str) and isinstance(image, str):
                yield name, ImagePlace(repository=(*pod, group, index, "image"))


def _helm_places(data: Mapping[str, Any]) -> dict[str, ImagePlace]:
    values = value_at(data, _VALUES)
    values = values if isinstance(values, dict) else {}
    found = {key: place for key in values if (place := _place(values[key], (*_VALUES, key)))}
    top = _place(values, _VALUES)
    annotations = value_at(data, ("metadata", "annotations"))
    mapped = _mapped(annotations) if isinstance(annotations, dict) else {}
    everything = {**found, **({CHART_IMAGE: top} if top else {}), **mapped}
    names = sorted(everything, key=lambda name: (name != CHART_IMAGE, name))
    return {name: _with_digest(data, everything[name]) for name in names}


def _with_digest(data: Mapping[str, Any], place: ImagePlace) -> ImagePlace:
    path = (*(place.tag or place.repository)[:-1], "digest")
    digest = value_at(data, path)
    return replace(place, digest=path) if isinstance(digest, str) and digest else place


def _place(values: Any, base: Path) -> ImagePlace | None:
    image = value_at(values, ("image",))
    if isinstance(image, str):
        return _beside(values, base, "image")
    if isinstance(value_at(image, ("repository",)), str):
        return _beside(image, (*base, "image"), "repository")
    return None


def _beside(values: Mapping[str, Any], base: Path, repository: str) -> ImagePlace:
    has_registry = isinstance(values.get("registry"), str)
    has_tag = "tag" in values and not isinstance(values["tag"], dict | list)
    return ImagePlace(
        repository=(*base, repository),
        registry=(*base, "registry") if has_registry else None,
        tag=(*base, "tag") if has_tag else None,
    )


def _mapped(annotations: Mapping[str, Any]) -> dict[str, ImagePlace]:
    def path(prefix: str, name: str) -> Path | None:
        text = annotations.get(prefix + name)
        return (*_VALUES, *text.split(".")) if isinstance(text, str) else None

    names = [key.removeprefix(_REPOSITORY) for key in annotations if key.startswith(_REPOSITORY)]
    places = ((name, path(_REPOSITORY, name)) for name in names)
    return {
        name: ImagePlace(repository=repository, registry=path(_REGISTRY, name), tag=path(_TAG, name))
        for name, repository in places
        if repository
    }
