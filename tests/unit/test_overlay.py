"""What spec adds to the kustomization in the artifact."""

from __future__ import annotations

from typing import Any

import pytest

from tests.property.strategies import MemoryTree, config_map, kustomization
from weir.render.layout import Layout
from weir.render.overlay import overlay
from weir.render.top import find_top
from weir.spec.errors import RenderError


def overlaid(text: str, **spec: Any) -> dict[str, Any]:
    layout = Layout(
        MemoryTree({"app/kustomization.yaml": text, "parts/debug/kustomization.yaml": "kind: Component\n"})
    )
    return overlay(find_top(layout, "app"), kustomization("app", **spec), layout).data


def test_nothing_in_spec_leaves_the_file_as_it_is() -> None:
    assert overlaid("namespace: a\nimages: [{name: x, newTag: v1}]\n") == {
        "namespace": "a",
        "images": [{"name": "x", "newTag": "v1"}],
    }


def test_namespace_and_name_parts_replace_those_of_the_file() -> None:
    data = overlaid(
        "namespace: a\nnamePrefix: p-\n", targetNamespace="prod", namePrefix="q-", nameSuffix="-z"
    )
    assert data == {"namespace": "prod", "namePrefix": "q-", "nameSuffix": "-z"}


def test_patches_come_after_those_of_the_file() -> None:
    target = {"kind": "Deployment", "labelSelector": "app=web"}
    data = overlaid(
        "patches: [{path: p.yaml}]\n", patches=[{"patch": "a: b", "target": target}, {"patch": "c: d"}]
    )
    assert data["patches"] == [{"path": "p.yaml"}, {"patch": "a: b", "target": target}, {"patch": "c: d"}]


@pytest.mark.parametrize(
    ("present", "wanted", "merged"),
    [
        ("[]", {"newTag": "v2"}, [{"name": "web", "newTag": "v2"}]),
        (
            "[{name: db, newTag: v1}]",
            {"newTag": "v2"},
            [{"name": "db", "newTag": "v1"}, {"name": "web", "newTag": "v2"}],
        ),
        (
            "[{name: web, newName: x, newTag: v1}]",
            {"newTag": "v2"},
            [{"name": "web", "newName": "x", "newTag": "v2"}],
        ),
        (
            "[{name: web, newName: x, newTag: v1}]",
            {"newName": "y"},
            [{"name": "web", "newName": "y", "newTag": "v1"}],
        ),
        ("[{name: web, digest: 'sha256:1'}]", {"newTag": "v2"}, [{"name": "web", "newTag": "v2"}]),
        ("[{name: web, newTag: v1}]", {"digest": "sha256:2"}, [{"name": "web", "digest": "sha256:2"}]),
        ("[{name: web}]", {"newTag": "v2", "digest": "sha256:2"}, [{"name": "web", "digest": "sha256:2"}]),
    ],
)
def test_images_merge_field_by_field(
    present: str, wanted: dict[str, str], merged: list[dict[str, str]]
) -> None:
    assert overlaid(f"images: {present}\n", images=[{"name": "web", **wanted}])["images"] == merged


def test_components_are_added_and_missing_ones_left_out_only_on_request() -> None:
    both = ["../parts/debug", "../parts/missing"]
    assert overlaid("components: [x]\n", components=both)["components"] == ["x", *both]
    assert overlaid("components: [x]\n", components=both, ignoreMissingComponents=True)["components"] == [
        "x",
        both[0],
    ]


def test_build_metadata_is_asked_for_once() -> None:
    data = overlaid(
        "buildMetadata: [originAnnotations]\n", buildMetadata=["originAnnotations", "transformerAnnotations"]
    )
    assert data["buildMetadata"] == ["originAnnotations", "transformerAnnotations"]


def test_a_field_of_the_wrong_type_is_named() -> None:
    with pytest.raises(RenderError, match=r"app/kustomization.yaml: images: found dict, expected a list"):
        overlaid("images: {name: web}\n", images=[{"name": "web", "newTag": "v2"}])


def test_a_generated_kustomization_is_overlaid_too() -> None:
    layout = Layout(MemoryTree({"a.yaml": config_map("a")}))
    data = overlay(find_top(layout, ""), kustomization(targetNamespace="prod"), layout).data
    assert data["resources"] == ["./a.yaml"]
    assert data["namespace"] == "prod"
