"""What an apply makes of an object where the dry-run cannot tell."""

from __future__ import annotations

from typing import Any

from weir.objects.foresee import after_takeover, overlay


def entry(manager: str, fields: dict[str, Any]) -> dict[str, Any]:
    return {"manager": manager, "operation": "Apply", "fieldsType": "FieldsV1", "fieldsV1": fields}


def obj(spec: dict[str, Any], *entries: dict[str, Any]) -> dict[str, Any]:
    return {"metadata": {"name": "x", "managedFields": list(entries)}, "spec": spec}


def test_what_only_the_former_owner_held_goes() -> None:
    theirs = entry("kubectl", {"f:spec": {"f:old": {}, "f:kept": {}, "f:shared": {}}})
    ours = entry("weir", {"f:spec": {"f:kept": {}}})
    other = entry("hpa", {"f:spec": {"f:shared": {}}})
    live = obj({"old": 1, "kept": 2, "shared": 3}, theirs, other)
    merged = obj({"old": 1, "kept": 2, "shared": 3}, theirs, other, ours)
    assert after_takeover(live, merged)["spec"] == {"kept": 2, "shared": 3}
    assert merged["spec"]["old"] == 1


def test_an_element_of_a_keyed_list_goes_with_the_list_when_it_is_the_last() -> None:
    key = 'k:{"name":"A"}'
    theirs = entry(
        "flux", {"f:spec": {"f:env": {key: {".": {}, "f:name": {}, "f:value": {}}}, "f:image": {}}}
    )
    ours = entry("weir", {"f:spec": {"f:image": {}}})
    spec = {"env": [{"name": "A", "value": "1"}], "image": "i"}
    assert after_takeover(obj(spec, theirs), obj(spec, theirs, ours))["spec"] == {"image": "i"}


def test_a_field_below_what_we_own_whole_stays() -> None:
    theirs = entry("flux", {"f:spec": {"f:map": {"f:a": {}}}})
    ours = entry("weir", {"f:spec": {"f:map": {}}})
    spec = {"map": {"a": 1}}
    assert after_takeover(obj(spec, theirs), obj(spec, theirs, ours))["spec"] == spec


def test_a_field_below_an_element_that_we_merely_share_goes() -> None:
    key = 'k:{"name":"web"}'
    theirs = entry("flux", {"f:spec": {"f:list": {key: {".": {}, "f:name": {}, "f:extra": {}}}}})
    ours = entry("weir", {"f:spec": {"f:list": {key: {".": {}, "f:name": {}}}}})
    spec = {"list": [{"name": "web", "extra": 1}]}
    assert after_takeover(obj(spec, theirs), obj(spec, theirs, ours))["spec"] == {"list": [{"name": "web"}]}


def test_leftovers_of_client_side_apply_go() -> None:
    live = obj({}, entry("kubectl", {}))
    live["metadata"]["annotations"] = {"kubectl.kubernetes.io/last-applied-configuration": "{}"}
    assert "annotations" not in after_takeover(live, live)["metadata"]


def test_overlay_merges_maps_by_key_and_lists_by_name() -> None:
    live = {"a": 1, "list": [{"name": "x", "image": "old", "default": True}], "plain": [1, 2]}
    desired = {"list": [{"name": "x", "image": "new"}], "plain": [3]}
    assert overlay(live, desired) == {
        "a": 1,
        "list": [{"name": "x", "image": "new", "default": True}],
        "plain": [3],
    }
