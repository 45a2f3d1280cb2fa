"""Objects of image automation for end-to-end tests: documents, workloads with images, and what is on record."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any, Final

from tests.support.world import Obj, World

API: Final = "image.toolkit.fluxcd.io/v1"
AUTHOR: Final = {"name": "Weir", "email": "weir@example.com"}


def repository(world: World, name: str, image: str, **spec: Any) -> Obj:
    """An ImageRepository of a registry without TLS."""
    return _object(
        world, "ImageRepository", name, {"image": image, "interval": "1m", "insecure": True, **spec}
    )


def policy(
    world: World,
    name: str,
    rule: str | Obj = "6.x",
    *,
    repository: str = "",
    annotations: dict[str, str] | None = None,
    **spec: Any,
) -> Obj:
    """An ImagePolicy of the ImageRepository with the same name; a text as its rule is a semver range."""
    wanted = {"semver": {"range": rule}} if isinstance(rule, str) else rule
    fields = {"imageRepositoryRef": {"name": repository or name}, "policy": wanted, **spec}
    return _object(world, "ImagePolicy", name, fields, annotations)


def automation(
    world: World, path: str, *, name: str = "apps", annotations: dict[str, str] | None = None, **git: Any
) -> Obj:
    """An ImageUpdateAutomation of source `apps` that commits to main what it changes below a path."""
    template = "Images:{{range .Changed.Changes}} {{.OldValue}} to {{.NewValue}}{{end}}"
    spec = {
        "interval": "1m",
        "sourceRef": {"kind": "GitRepository", "name": "apps"},
        "git": {
            "commit": {"author": AUTHOR, "messageTemplate": template},
            "push": {"branch": "main"},
            **git,
        },
        "update": {"path": path, "strategy": "Setters"},
    }
    return _object(world, "ImageUpdateAutomation", name, spec, annotations)


def workload(
    namespace: str,
    name: str,
    images: Sequence[tuple[str, str]],
    *,
    markers: Sequence[str] = (),
    annotations: dict[str, str] | None = None,
) -> str:
    """A Deployment in a person's own hand: containers with their images, markers beside these where there are any.

    An empty namespace is left out.
    """
    marks = [*markers, *[""] * len(images)]
    lines = "".join(
        f'        - name: {container}\n          image: "{image}"{_marker(mark)}\n'
        for (container, image), mark in zip(images, marks, strict=False)
    )
    kept = "".join(f"    {key}: {json.dumps(value)}\n" for key, value in (annotations or {}).items())
    return (
        "# written by hand   (do not reformat)\n"
        "apiVersion: apps/v1\nkind: Deployment\nmetadata:\n"
        f"  name:   {name}\n"
        + (f"  namespace: {namespace}\n" if namespace else "")
        + (f"  annotations:\n{kept}" if kept else "")
        + "spec:\n  replicas: 1   # one is enough\n"
        f"  selector: {{matchLabels: {{app: {name}}}}}\n"
        f"  template:\n    metadata: {{labels: {{app: {name}}}}}\n"
        f"    spec:\n      containers:\n{lines}"
    )


def images_of(world: World, name: str, namespace: str = "") -> list[str]:
    """The images of a live Deployment, which must exist."""
    live = world.rest.get("apps/v1", "Deployment", namespace or world.namespace, name)
    assert live is not None, f"Deployment/{name} is not in the cluster"
    return [container["image"] for container in live["spec"]["template"]["spec"]["containers"]]


def remembered(world: World, kind: str, name: str) -> dict[str, str]:
    """The Ready condition and the revision that the cluster has on record for a unit; it must have one."""
    rest, space = world.rest, world.checker.record_namespace
    wanted = (kind.lower(), world.flux, name)
    for item in rest.list(rest.kind("v1", "ConfigMap"), "weir.dev/unit-kind", space):
        labels = item["metadata"]["labels"]
        found = tuple(labels[f"weir.dev/unit-{part}"] for part in ("kind", "namespace", "name"))
        if (found[0].lower(), *found[1:]) == wanted:
            data = item["data"]
            return {**json.loads(data["ready"]), "revision": data.get("revision", "")}
    raise AssertionError(f"no record of {kind}/{world.flux}/{name} in {space}")


def _marker(policy: str) -> str:
    return f'   # {{"$imagepolicy": "{policy}"}}' if policy else ""


def _object(world: World, kind: str, name: str, spec: Obj, annotations: dict[str, str] | None = None) -> Obj:
    meta = {"name": name, "namespace": world.flux, **({"annotations": annotations} if annotations else {})}
    return {"apiVersion": API, "kind": kind, "metadata": meta, "spec": spec}
