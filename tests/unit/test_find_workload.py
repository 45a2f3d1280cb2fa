"""A workload found by `namespace:kind/name`, also where the manifest does not name its namespace."""

from __future__ import annotations

import pytest

from weir.edit.find_workload import WorkloadName, find_workload
from weir.spec.errors import SpecError

POD = "spec: {template: {spec: {containers: [{name: c, image: 'a:1'}]}}}\n"


def manifest(namespace: str = "", *, kind: str = "Deployment", name: str = "web") -> str:
    own = f", namespace: {namespace}" if namespace else ""
    return f"apiVersion: apps/v1\nkind: {kind}\nmetadata: {{name: {name}{own}}}\n{POD}"


def found_in(files: dict[str, str], name: str = "prod:deployment/web") -> str:
    found = find_workload(files, lambda path: files[path].encode(), WorkloadName.parse(name))
    assert found.data.decode() == files[found.file]
    return f"{found.file} {found.workload.id}"


FOUND = {
    "its own namespace": ({"a.yaml": manifest("dev"), "b.yml": manifest("prod")}, "b.yml Deployment/prod/web"),
    "one of several documents": (
        {"a.yaml": f"{manifest('dev')}---\nx: y\n---\n{manifest('prod')}"},
        "a.yaml Deployment/prod/web",
    ),
    "another kind and another name beside it": (
        {"a.yaml": f"{manifest('prod', kind='DaemonSet')}---\n{manifest('prod', name='web-2')}---\n{manifest('prod')}"},
        "a.yaml Deployment/prod/web",
    ),
    "the namespace of its kustomization": (
        {
            "one/a.yaml": manifest(), "one/kustomization.yaml": "namespace: dev\nresources: [a.yaml]",
            "two/a.yaml": manifest(), "two/kustomization.yaml": "namespace: prod\nresources: [a.yaml]",
        },
        "two/a.yaml Deployment/web",
    ),
    "the namespace of an overlay": (
        {
            "base/a.yaml": manifest(), "base/kustomization.yaml": "resources: [a.yaml]",
            "dev/kustomization.yaml": "namespace: dev\nresources: [../base]",
            "prod/kustomization.yaml": "namespace: prod\nresources: [../base]",
        },
        "base/a.yaml Deployment/web",
    ),
    "the folder of its namespace": (
        {"dev/a.yaml": manifest(), "prod/apps/a.yaml": manifest()},
        "prod/apps/a.yaml Deployment/web",
    ),
    "the only one": ({"apps/a.yaml": manifest(), "apps/b.yaml": "{{ web"}, "apps/a.yaml Deployment/web"),
    "what says it rather than what may mean it": (
        {"prod/a.yaml": manifest(), "apps/a.yaml": manifest("prod")},
        "apps/a.yaml Deployment/prod/web",
    ),
}  # fmt: skip

BOTH = "Deployment/prod/web in a.yaml, Deployment/prod/web in b.yaml"
REFUSED = {
    "two with that namespace": (
        {"a.yaml": manifest("prod"), "b.yaml": manifest("prod")},
        f"2 times.*there are {BOTH}",
    ),
    "twice in one file": ({"a.yaml": f"{manifest('prod')}---\n{manifest('prod')}"}, "2 times"),
    "two that may have it": (
        {"one/a.yaml": manifest(), "two/a.yaml": manifest()},
        r"2 times.*there are Deployment/web in one/a\.yaml, Deployment/web in two/a\.yaml",
    ),
    "another namespace only": (
        {"a.yaml": manifest("dev")},
        r"found nothing.*there is only Deployment/dev/web in a\.yaml",
    ),
    "another namespace by its kustomization": (
        {"a.yaml": manifest(), "kustomization.yaml": "namespace: dev\nresources: [a.yaml]"},
        r"found nothing.*there is only Deployment/web in a\.yaml",
    ),
    "none at all": ({"a.yaml": "x: web\n"}, "found nothing.*check the spelling"),
    "a file that is no YAML": ({"a.txt": manifest("prod")}, "found nothing"),
}


@pytest.mark.parametrize(("files", "expected"), FOUND.values(), ids=list(FOUND))
def test_the_one_workload_that_is_meant_is_found(files: dict[str, str], expected: str) -> None:
    assert found_in(files) == expected


@pytest.mark.parametrize(("files", "message"), REFUSED.values(), ids=list(REFUSED))
def test_none_or_several_are_refused_with_those_that_may_be_meant(
    files: dict[str, str], message: str
) -> None:
    with pytest.raises(SpecError, match=f"prod:deployment/web: .*{message}"):
        found_in(files)


def test_a_name_is_read_whatever_its_case_and_written_as_flux_does() -> None:
    name = WorkloadName.parse("prod:StatefulSet/web.1")
    assert (name.namespace, name.kind, name.name, str(name)) == (
        "prod", "StatefulSet", "web.1", "prod:statefulset/web.1"
    )  # fmt: skip
    assert WorkloadName.parse("a:helmrelease/b").kind == "HelmRelease"


@pytest.mark.parametrize("text", ["web", "deployment/web", "a:pod/web", "a:deployment", "a:deployment/b/c", "A:deployment/b", "a:deployment/", "a:deployment/B"])  # fmt: skip # noqa: E501
def test_what_is_no_name_of_a_workload_is_refused_with_an_example(text: str) -> None:
    with pytest.raises(SpecError, match="expected namespace:kind/name; such as prod:deployment/web"):
        WorkloadName.parse(text)
