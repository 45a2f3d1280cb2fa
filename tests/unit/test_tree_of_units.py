"""The tree of units while it grows."""

from __future__ import annotations

import pytest

from weir.flow.tree import UnitTree
from weir.spec.documents import Document, read_documents
from weir.spec.header import FLUX_KINDS
from weir.spec.receiver import KINDS

GIT = """
apiVersion: source.toolkit.fluxcd.io/v1
kind: GitRepository
metadata: {name: %s, namespace: flux-system}
spec: {interval: 1m, url: "https://git.example.com/fleet.git"%s}
"""


def documents(*texts: str) -> tuple[Document, ...]:
    """Documents of several files."""
    return tuple(item for n, text in enumerate(texts) for item in read_documents(text, f"{n}.yaml"))


def test_each_unit_comes_back_once() -> None:
    tree = UnitTree()
    first = tree.declare(documents(GIT % ("a", ""), GIT % ("b", "")))
    assert [str(item.spec.id) for item in first] == [
        "GitRepository/flux-system/a",
        "GitRepository/flux-system/b",
    ]
    assert tree.declare(documents(GIT % ("a", ""))) == []
    assert tree.problems == []


def test_one_bad_document_leaves_the_others_alone() -> None:
    tree = UnitTree()
    fresh = tree.declare(documents(GIT % ("a", ", ref: {brunch: main}"), GIT % ("b", "")))
    assert [item.spec.id.name for item in fresh] == ["b"]
    assert len(tree.problems) == 1
    message = tree.problems[0].message
    assert "0.yaml: GitRepository/flux-system/a: spec.ref.brunch" in message
    assert "branch" in message


def test_two_different_specs_of_one_unit_are_an_error_that_names_both_files() -> None:
    tree = UnitTree()
    tree.declare(documents(GIT % ("a", "")))
    assert tree.declare(documents("", GIT % ("a", ", suspend: true"))) == []
    assert "1.yaml: GitRepository/flux-system/a" in tree.problems[0].message
    assert "0.yaml" in tree.problems[0].message


def test_kinds_without_support_are_remembered_and_not_lost() -> None:
    text = "{apiVersion: helm.toolkit.fluxcd.io/v2, kind: HelmRelease, metadata: {name: x, namespace: y}, spec: {}}"
    tree = UnitTree()
    assert tree.declare(documents(text)) == []
    assert [str(unit) for unit in tree.unsupported] == ["HelmRelease/y/x"]
    assert tree.problems == []


def test_notification_objects_are_kept_as_they_are_and_are_no_units() -> None:
    head = "{apiVersion: notification.toolkit.fluxcd.io/v1beta3, kind: %s, metadata: {name: x, namespace: y}, spec: {}}"
    tree = UnitTree()
    assert tree.declare(documents(*(head % kind for kind in ("Alert", "Provider", "Receiver")))) == []
    assert sorted(map(str, tree.notices)) == ["Alert/y/x", "Provider/y/x", "Receiver/y/x"]
    assert not tree.unsupported
    assert not tree.units
    assert not tree.problems


@pytest.mark.parametrize(
    ("group", "kind", "known"),
    [
        ("kustomize.toolkit.fluxcd.io/v1", "Kustomisation", "Kustomization"),
        ("image.toolkit.fluxcd.io/v1", "Other", "ImageRepository, ImagePolicy, ImageUpdateAutomation"),
        ("source.toolkit.fluxcd.io/v1", "HelmRelease", "GitRepository, OCIRepository, HelmRepository, "),
    ],
)
def test_a_kind_that_its_group_does_not_know_is_a_problem(group: str, kind: str, known: str) -> None:
    tree = UnitTree()
    text = f"{{apiVersion: {group}, kind: {kind}, metadata: {{name: x, namespace: y}}, spec: {{}}}}"
    assert tree.declare(documents(text, GIT % ("a", ""))) != []
    (problem,) = tree.problems
    assert problem.message.startswith(f"0.yaml: {kind}/y/x: kind: found '{kind}', expected {known}")
    assert not tree.unsupported


def test_every_kind_that_a_receiver_may_ask_for_is_one_of_flux() -> None:
    assert all(kind in FLUX_KINDS[group] for kind, group in KINDS.items())
