"""spec.ignore: fields that others may change (kustomize-controller 2.9, DriftIgnoreRules)."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from weir.objects.ignore import selects, strip_ignored
from weir.spec.errors import SpecError
from weir.spec.kustomization import IgnoreRule, Selector

Obj = dict[str, Any]
REPLICAS: Obj = {"f:spec": {"f:replicas": {}}}
IMAGE: Obj = {"f:spec": {"f:containers": {'k:{"name":"web"}': {".": {}, "f:image": {}}}}}


def obj(replicas: int | None = 2, image: str = "w:1") -> Obj:
    spec: Obj = {"containers": [{"name": "web", "image": image}]}
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {
            "name": "web",
            "namespace": "prod",
            "labels": {"tier": "front"},
            "annotations": {"team": "a"},
        },
        "spec": spec | ({} if replicas is None else {"replicas": replicas}),
    }


def live(*owners: tuple[str, str, Obj], **fields: Any) -> Obj:
    found = obj(**fields)
    found["metadata"]["managedFields"] = [
        {"manager": name, "operation": operation, "fieldsV1": fields_v1}
        for name, operation, fields_v1 in owners
    ]
    return found


def rule(*paths: str, **target: str) -> IgnoreRule:
    return IgnoreRule(paths=paths, target=Selector(**target) if target else None)


def test_a_new_object_is_applied_as_written() -> None:
    assert strip_ignored(obj(), None, [rule("/spec/replicas")]) == obj()


def test_a_field_that_another_applier_owns_is_left_out() -> None:
    cluster = live(("vpa", "Apply", REPLICAS), ("weir", "Apply", REPLICAS), replicas=5)
    assert "replicas" not in strip_ignored(obj(), cluster, [rule("/spec/replicas")])["spec"]


def test_a_field_that_weir_alone_owns_takes_the_live_value() -> None:
    cluster = live(("weir", "Apply", REPLICAS), ("kubectl", "Update", REPLICAS), replicas=5)
    assert strip_ignored(obj(), cluster, [rule("/spec/replicas")])["spec"]["replicas"] == 5


def test_a_field_that_an_autoscaler_took_is_left_to_it() -> None:
    cluster = live(("hpa", "Update", REPLICAS), ("weir", "Apply", IMAGE), replicas=5)
    assert "replicas" not in strip_ignored(obj(), cluster, [rule("/spec/replicas")])["spec"]


def test_a_field_that_left_git_but_is_ignored_stays_as_it_is() -> None:
    cluster = live(("weir", "Apply", REPLICAS), replicas=5)
    assert strip_ignored(obj(None), cluster, [rule("/spec/replicas")])["spec"]["replicas"] == 5


def test_a_field_that_the_cluster_lacks_is_left_out() -> None:
    cluster = live(("weir", "Apply", REPLICAS), replicas=None)
    assert "replicas" not in strip_ignored(obj(), cluster, [rule("/spec/replicas")])["spec"]


def test_ownership_of_a_subresource_does_not_count() -> None:
    cluster = live(("weir", "Apply", REPLICAS), ("hpa", "Apply", REPLICAS), replicas=5)
    cluster["metadata"]["managedFields"][1]["subresource"] = "scale"
    assert strip_ignored(obj(), cluster, [rule("/spec/replicas")])["spec"]["replicas"] == 5


def test_a_field_inside_a_keyed_list_is_found_by_its_key() -> None:
    cluster = live(("updater", "Apply", IMAGE), image="w:9")
    found = strip_ignored(obj(), cluster, [rule("/spec/containers/0/image")])
    assert found["spec"]["containers"] == [{"name": "web"}]
    cluster = live(("weir", "Apply", IMAGE), image="w:9")
    found = strip_ignored(obj(), cluster, [rule("/spec/containers/0/image")])
    assert found["spec"]["containers"] == [{"name": "web", "image": "w:9"}]


def test_escaped_pointers_name_keys_with_slashes() -> None:
    owners: Obj = {"f:metadata": {"f:annotations": {"f:a/b~c": {}}}}
    cluster = live(("weir", "Apply", owners))
    cluster["metadata"]["annotations"]["a/b~c"] = "theirs"
    desired = obj()
    desired["metadata"]["annotations"]["a/b~c"] = "ours"
    found = strip_ignored(desired, cluster, [rule("/metadata/annotations/a~1b~0c")])
    assert found["metadata"]["annotations"] == {"team": "a", "a/b~c": "theirs"}


def test_arguments_are_not_changed_and_values_not_shared() -> None:
    desired, cluster = obj(), live(("weir", "Apply", {"f:spec": {"f:containers": {}}}), image="w:9")
    before = copy.deepcopy((desired, cluster))
    found = strip_ignored(desired, cluster, [rule("/spec/containers")])
    found["spec"]["containers"][0]["image"] = "changed"
    assert (desired, cluster) == before


@pytest.mark.parametrize(
    "pointer",
    ["/", "/spec/nothing/here", "/spec/containers/7/image", "/spec/replicas/x", "/spec/containers/x"],
)
def test_a_pointer_to_nothing_changes_nothing(pointer: str) -> None:
    assert strip_ignored(obj(), live(("weir", "Apply", REPLICAS)), [rule(pointer)]) == obj()


def test_a_rule_counts_only_for_its_targets() -> None:
    cluster = live(("weir", "Apply", REPLICAS), replicas=5)
    assert strip_ignored(obj(), cluster, [rule("/spec/replicas", kind="StatefulSet")]) == obj()
    assert strip_ignored(obj(), cluster, [rule("/spec/replicas", kind="Deployment")])["spec"]["replicas"] == 5


@pytest.mark.parametrize(
    ("selector", "want"),
    [
        ({}, True),
        ({"group": "apps", "version": "v1", "kind": "Deployment", "namespace": "prod", "name": "web"}, True),
        ({"name": "we"}, False),
        ({"name": "w.*"}, True),
        ({"name": "api|web"}, True),
        ({"name": "api|we"}, False),
        ({"namespace": "dev"}, False),
        ({"group": "batch"}, False),
        ({"version": "v2"}, False),
        ({"label_selector": "tier=front"}, True),
        ({"label_selector": "tier!=front"}, False),
        ({"annotation_selector": "team in (a, b)"}, True),
        ({"annotation_selector": "!team"}, False),
    ],
)
def test_selectors_are_anchored_and_all_parts_count(selector: dict[str, str], want: bool) -> None:
    assert selects(Selector(**selector), obj()) is want


@pytest.mark.parametrize(
    ("text", "want"),
    [
        ("", True),
        ("a=1", True),
        ("a==1,b=2", True),
        ("a=2", False),
        ("a!=2", True),
        ("c!=2", True),
        ("a in (1,2)", True),
        ("a notin (1)", False),
        ("c notin (1)", True),
        ("a", True),
        ("c", False),
        ("!c", True),
        ("! a", False),
        ("a>0", True),
        ("a<1", False),
        ("c>0", False),
        ("a = 1 , b in ( 2 )", True),
        ("x.io/y=z", True),
        ("empty=", True),
    ],
)
def test_label_selectors_are_kubernetes_own(text: str, want: bool) -> None:
    labelled = obj()
    labelled["metadata"]["labels"] = {"a": "1", "b": "2", "x.io/y": "z", "empty": ""}
    assert selects(Selector(label_selector=text), labelled) is want


@pytest.mark.parametrize("text", ["a=1,", ",", "a in 1", "a in (1", "=1", "a b", "a=1 b=2", "a in (1))"])
def test_a_broken_label_selector_is_an_error_that_quotes_it(text: str) -> None:
    with pytest.raises(SpecError, match="labels"):
        selects(Selector(label_selector=text), obj())


@pytest.mark.parametrize("text", ["(", "a(?=b)", "[", "*"])
def test_a_broken_pattern_is_an_error_that_quotes_it(text: str) -> None:
    with pytest.raises(SpecError, match="RE2"):
        selects(Selector(name=text), obj())


def test_a_catastrophic_pattern_is_none() -> None:
    named = obj()
    named["metadata"]["name"] = "a" * 253
    assert not selects(Selector(name="(a+)+b"), named)
