"""Fields that change, in the words people see; secrets never among them."""

from __future__ import annotations

from typing import Any

import pytest

from weir.objects.diff import CUT, field_changes

Obj = dict[str, Any]


def deployment(*containers: Obj, **spec: Any) -> Obj:
    return {
        "kind": "Deployment",
        "metadata": {"name": "web"},
        "spec": {"containers": list(containers), **spec},
    }


def texts(live: Obj, merged: Obj) -> list[str]:
    return [str(change) for change in field_changes(live, merged)]


def test_a_scalar_shows_old_and_new() -> None:
    assert texts(deployment(replicas=2), deployment(replicas=3)) == ["spec.replicas: 2 -> 3"]


def test_equal_objects_show_nothing() -> None:
    assert field_changes(deployment(replicas=2), deployment(replicas=2)) == ()


def test_what_the_server_keeps_for_itself_does_not_show() -> None:
    def at(version: str) -> Obj:
        return {
            "apiVersion": f"apps/{version}",
            "kind": "Deployment",
            "metadata": {
                "resourceVersion": version,
                "generation": len(version),
                "uid": version,
                "creationTimestamp": version,
                "managedFields": [version],
                "annotations": {"deprecated.daemonset.template.generation": version},
            },
            "status": {"phase": version},
        }

    assert field_changes(at("v1"), at("v1beta1")) == ()


def test_list_elements_are_addressed_by_name() -> None:
    live = deployment({"name": "side", "image": "s:1"}, {"name": "web", "image": "w:1"})
    merged = deployment({"name": "side", "image": "s:1"}, {"name": "web", "image": "w:2"})
    assert texts(live, merged) == ["spec.containers[web].image: w:1 -> w:2"]


def test_elements_that_come_and_go_show_whole() -> None:
    live = deployment({"name": "old", "image": "o"})
    merged = deployment({"name": "new", "image": "n"})
    assert texts(live, merged) == [
        'spec.containers[new]: (none) -> {"image":"n","name":"new"}',
        'spec.containers[old]: {"image":"o","name":"old"} -> (none)',
    ]


@pytest.mark.parametrize("items", [["a", "b"], [{"name": "x"}, {"name": "x"}], [{"x": 1}, {"name": "y"}]])
def test_other_lists_are_addressed_by_index(items: list[Any]) -> None:
    (change,) = field_changes({"spec": {"l": items}}, {"spec": {"l": items[:1]}})
    assert change.path == "spec.l[1]"
    assert change.new is None


def test_a_new_order_shows_though_nothing_else_changed() -> None:
    one, two = {"name": "a"}, {"name": "b"}
    assert texts(deployment(one, two), deployment(two, one)) == ["spec.containers(order): a, b -> b, a"]


def test_maps_that_come_show_by_their_fields() -> None:
    merged = {"metadata": {"labels": {"a": "1", "b": "2"}}}
    assert texts({"metadata": {}}, merged) == [
        "metadata.labels.a: (none) -> 1",
        "metadata.labels.b: (none) -> 2",
    ]


def test_an_empty_map_that_comes_shows() -> None:
    assert texts({"spec": {}}, {"spec": {"emptyDir": {}}}) == ["spec.emptyDir: (none) -> {}"]


def test_keys_that_hold_dots_or_slashes_are_quoted() -> None:
    live, merged = ({"metadata": {"annotations": {"a.b/c": value}}} for value in ("1", "2"))
    assert texts(live, merged) == ['metadata.annotations["a.b/c"]: 1 -> 2']


def test_a_change_of_type_is_visible() -> None:
    assert texts({"spec": {"port": "80"}}, {"spec": {"port": 80}}) == ['spec.port: "80" -> 80']
    assert texts({"spec": {"on": 1}}, {"spec": {"on": True}}) == ["spec.on: 1 -> true"]


def test_paths_are_in_order() -> None:
    live, merged = ({"spec": {"b": value, "a": value}, "data": {"z": value}} for value in (1, 2))
    assert [change.path for change in field_changes(live, merged)] == ["data.z", "spec.a", "spec.b"]


def secret(data: Obj | None = None, annotations: dict[str, str] | None = None) -> Obj:
    found: Obj = {
        "kind": "Secret",
        "metadata": {"name": "s", "annotations": annotations or {}},
        "type": "Opaque",
    }
    return found | ({} if data is None else {"data": data})


def test_a_secrets_values_are_masked() -> None:
    live, merged = secret({"pw": "aHVudGVyMg==", "old": "eA=="}), secret({"pw": "YWJj", "new": "eQ=="})
    assert texts(live, merged) == [
        "data.new: (none) -> ***",
        "data.old: *** -> (none)",
        "data.pw: *** (before) -> *** (after)",
    ]


@pytest.mark.parametrize(
    ("live", "merged"),
    [
        (secret(), secret({"pw": "CANARY"})),
        (secret({"pw": "CANARY"}), secret()),
        (secret({"a.b": "CANARY"}), secret({"a.b": "x"})),
        (secret(), secret() | {"stringData": {"pw": "CANARY"}}),
        (secret(), secret() | {"data": "CANARY"}),
        (secret(), secret(annotations={"kubectl.kubernetes.io/last-applied-configuration": "CANARY"})),
        (
            secret(),
            secret()
            | {"metadata": {"annotations": {"kubectl.kubernetes.io/last-applied-configuration": "CANARY"}}},
        ),
        (
            {"kind": "Secret", "metadata": {}},
            secret(annotations={"kubectl.kubernetes.io/last-applied-configuration": "CANARY"}),
        ),
    ],
)
def test_no_form_of_a_secret_shows(live: Obj, merged: Obj) -> None:
    found = texts(live, merged)
    assert found
    assert "CANARY" not in "".join(found)
    assert "***" in "".join(found)


def test_a_secrets_type_and_labels_do_show() -> None:
    assert texts(secret(), secret() | {"type": "x"}) == ["type: Opaque -> x"]


def test_a_config_map_named_like_secret_data_shows() -> None:
    live, merged = ({"kind": "ConfigMap", "data": {"a": value}} for value in ("1", "2"))
    assert texts(live, merged) == ["data.a: 1 -> 2"]


def test_long_values_are_cut_where_they_differ() -> None:
    live, merged = ({"data": {"f": "x" * 500 + value + "y" * 500}} for value in ("one", "two"))
    (change,) = field_changes(live, merged)
    assert change.old is not None
    assert change.new is not None
    assert len(change.old) <= CUT
    assert len(change.new) <= CUT
    assert "one" in change.old
    assert "two" in change.new
    assert change.old.startswith("...")


def test_line_ends_stay_on_one_line() -> None:
    (change,) = field_changes({"data": {"f": "a\nb"}}, {"data": {"f": "a\nc"}})
    assert (change.old, change.new) == ("a\\nb", "a\\nc")
