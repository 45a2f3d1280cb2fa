"""Flux 1's dialect: the images of a workload's containers, found by its kind instead of by markers, and set one by one.

Rule: https://github.com/fluxcd/flux/blob/master/docs/references/automated-image-update.md
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Literal

from weir.edit.changes import Edited, NewValue, new_value, with_values
from weir.edit.image import Image
from weir.edit.image_places import ImagePlace, image_places, pod_spec, value_at
from weir.edit.nodes import Leaf, Path, YamlText, path_text, read_text
from weir.edit.placed import Placed, find_object, placed_objects
from weir.edit.policy import WorkloadPolicy, annotations_of, read_policy
from weir.spec.errors import SpecError
from weir.spec.identity import ObjectId
from weir.spec.image_name import parse_image_name, registry_name


@dataclass(frozen=True, slots=True)
class Container:
    """One container of a workload and the image that the text gives it."""

    name: str
    image: Image


@dataclass(frozen=True, slots=True, kw_only=True)
class Workload:
    """A Deployment, DaemonSet, StatefulSet, CronJob or HelmRelease."""

    id: ObjectId
    """The namespace is empty where the text names none."""
    containers: tuple[Container, ...]
    policy: WorkloadPolicy
    annotations: Mapping[str, str]
    """Those that are texts."""
    pull_secrets: tuple[str, ...] = ()
    """Names of the pods' imagePullSecrets; a HelmRelease shows none."""
    service_account: str = ""
    """Of the pods; empty when the text names none."""
    problems: tuple[SpecError, ...] = ()
    """One for each container whose image cannot be read; it is not among the containers."""


def read_workloads(data: bytes, file: str) -> tuple[Workload, ...]:
    """The workloads of a file that have images. Raises SpecError when the file is not readable YAML."""
    return tuple(workload for _, workload in placed_workloads(read_text(data, file)))


def placed_workloads(text: YamlText) -> Iterator[tuple[Placed, Workload]]:
    """The workloads of a file that have images, and where they stand."""
    for placed in placed_objects(text):
        if places := image_places(placed.data):
            yield placed, _workload(text, placed, places)


def set_image(data: bytes, file: str, workload: ObjectId, container: str, image: Image) -> Edited:
    """A file with another image for one container, name, tag and digest as given.

    Where a HelmRelease holds parts of the image in fields of their own, each part goes to its field; a digest without a
    field goes with the tag.

    Raises:
        SpecError: no such workload or container, a field that is no scalar on one line, or an image that its fields
            cannot hold.
    """
    text = read_text(data, file)
    return with_values(text, image_values(text, find_object(text, workload), container, image))


def image_values(text: YamlText, placed: Placed, container: str, image: Image) -> tuple[NewValue, ...]:
    """What has to be written for a container to get an image; nothing when it has it.

    Raises:
        SpecError: as `set_image`.
    """
    places = image_places(placed.data)
    if container not in places:
        expected = " or ".join(places) or "a workload with images"
        raise SpecError.at(text.file, f"{placed.id}: container", found=container, expected=expected)
    leaves = _leaves(text, placed, places[container])
    fields = _fields(text, placed, leaves, image)
    changed = ((leaves[name], new) for name, new in fields.items() if _read(placed, leaves[name]) != new)
    return tuple(new_value(text, leaf, setter=container, new=new) for leaf, new in changed)


def _workload(text: YamlText, placed: Placed, places: dict[str, ImagePlace]) -> Workload:
    containers: list[Container] = []
    problems: list[SpecError] = []
    for name, place in places.items():
        try:
            containers.append(Container(name, _image(placed, _leaves(text, placed, place))))
        except SpecError as err:
            where = f"{text.file}: {placed.id}: container {name}"
            problems.append(SpecError(f"{where}: {err.message}", hint=err.hint))
    pod, annotations = pod_spec(placed.data), annotations_of(placed.data)
    account, secrets = pod.get("serviceAccountName"), pod.get("imagePullSecrets")
    names = [value_at(secret, ("name",)) for secret in secrets] if isinstance(secrets, list) else []
    return Workload(
        id=placed.id,
        containers=tuple(containers),
        policy=read_policy(placed.data),
        annotations={key: value for key, value in annotations.items() if isinstance(value, str)},
        pull_secrets=tuple(name for name in names if isinstance(name, str)),
        service_account=account if isinstance(account, str) else "",
        problems=tuple(problems),
    )


def _leaves(text: YamlText, placed: Placed, place: ImagePlace) -> dict[str, Leaf]:
    """The scalars of an image: `repository`, and `registry`, `tag` and `digest` where they exist. Raises SpecError."""
    paths = {
        "registry": place.registry,
        "repository": place.repository,
        "tag": place.tag,
        "digest": place.digest,
    }
    return {name: _leaf(text, placed, path) for name, path in paths.items() if path is not None}


def _leaf(text: YamlText, placed: Placed, path: Path) -> Leaf:
    whole = (*placed.base, *path)
    node = text.find(placed.document, whole)
    if node is None or node.kind not in ("scalar", "alias"):
        found = f"a {node.kind}" if node else None
        raise SpecError.at(
            text.file,
            f"{placed.id}: {path_text(path)}",
            found=found,
            expected="a text",
            hint="correct the annotation that names this place, or write the value out",
        )
    return Leaf(node, placed.document, whole, is_key=False)


def _image(placed: Placed, leaves: dict[str, Leaf]) -> Image:
    """The image that these scalars hold together. Raises SpecError."""
    registry, repository, tag, digest = (
        _read(placed, leaves.get(name)) for name in ("registry", "repository", "tag", "digest")
    )
    whole = f"{registry}/{repository}" if registry else repository
    whole += f":{tag}" if tag else ""
    return Image.parse(f"{whole}@{digest}" if digest else whole)


def _read(placed: Placed, leaf: Leaf | None) -> str:
    if leaf is None:
        return ""
    value = value_at(placed.data, leaf.path[len(placed.base) :])
    return value if isinstance(value, str) else "" if value is None else leaf.node.value


def _fields(text: YamlText, placed: Placed, leaves: dict[str, Leaf], image: Image) -> dict[str, str]:
    """The text that each scalar gets. Raises SpecError."""
    found = {"repository": image.name}
    beside = image
    if "digest" in leaves:
        found["digest"] = _part(text, placed, leaves, image, "digest")
        beside = replace(image, digest="")
    if "tag" in leaves:
        _part(text, placed, leaves, image, "tag")
        found["tag"] = beside.version
    else:
        found["repository"] = str(beside)
    registry = _read(placed, leaves.get("registry"))
    if registry:
        found["registry"], rest = _split(text, placed, leaves["registry"], registry, image.name)
        found["repository"] = rest + found["repository"].removeprefix(image.name)
    return found


def _part(
    text: YamlText, placed: Placed, leaves: dict[str, Leaf], image: Image, part: Literal["tag", "digest"]
) -> str:
    """The part of an image for the field of its own that it has. Raises SpecError when the image has no such part."""
    if value := image.part(part):
        return value
    leaf = leaves[part]
    expected = f"an image with a {part} for {path_text(leaf.path)}"
    raise SpecError.at(text.where(leaf.node), str(placed.id), found=str(image), expected=expected)


def _split(text: YamlText, placed: Placed, leaf: Leaf, registry: str, name: str) -> tuple[str, str]:
    if name.startswith(f"{registry}/"):
        return registry, name.removeprefix(f"{registry}/")
    host, _, rest = name.partition("/")
    if rest and parse_image_name(name).registry == registry_name(host):
        return host, rest
    expected = f"an image name that begins with its registry, for {path_text(leaf.path)}"
    raise SpecError.at(text.where(leaf.node), str(placed.id), found=name, expected=expected)
