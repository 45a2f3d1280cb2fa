"""Which namespaces kustomizations give to files."""

from __future__ import annotations

import pytest

from weir.edit.namespaces import given_namespaces

CASES = {
    "nothing": ({"a.yaml": "x: y"}, {}),
    "one folder": (
        {"kustomization.yaml": "namespace: x\nresources: [a.yaml, none.yaml]", "a.yaml": ""},
        {"a.yaml": "x"},
    ),
    "no namespace": ({"kustomization.yaml": "resources: [a.yaml]", "a.yaml": ""}, {}),
    "two overlays": (
        {
            "base/kustomization.yml": "resources: [a.yaml]", "base/a.yaml": "", "base/b.yaml": "",
            "dev/kustomization.yaml": "namespace: dev\nresources: [../base, ../base/./b.yaml]",
            "prod/kustomization.yaml": "namespace: prod\nbases: [../base/]",
        },
        {"base/a.yaml": "dev prod", "base/b.yaml": "dev"},
    ),
    "a component": (
        {
            "kustomization.yaml": "namespace: x\ncomponents: [c]", "c/Kustomization": "resources: [a.yaml]",
            "c/a.yaml": "",
        },
        {"c/a.yaml": "x"},
    ),
    "the root from below, and back": (
        {
            "over/kustomization.yaml": "namespace: x\nresources: [..]", "a.yaml": "",
            "kustomization.yaml": "resources: [a.yaml, over]",
        },
        {"a.yaml": "x"},
    ),
    "what is no kustomization": (
        {
            "a/kustomization.yaml": "{{ x", "b/kustomization.yaml": "", "c/kustomization.yaml": "- x",
            "d/kustomization.yaml": "namespace: 1\nresources: {a: b}",
            "e/kustomization.yaml": "namespace: e\nresources: [a.yaml, 1, https://host/x//y?ref=z]", "e/a.yaml": "",
        },
        {"e/a.yaml": "e"},
    ),
    "outside the repository": (
        {"kustomization.yaml": "namespace: x\nresources: [../a.yaml, /a.yaml]", "a.yaml": ""},
        {},
    ),
}  # fmt: skip


@pytest.mark.parametrize(("files", "expected"), CASES.values(), ids=list(CASES))
def test_a_file_has_the_namespaces_of_the_kustomizations_that_lead_to_it(
    files: dict[str, str], expected: dict[str, str]
) -> None:
    found = given_namespaces(files, lambda path: files[path].encode())
    assert {path: " ".join(sorted(names)) for path, names in found.items()} == expected
