"""A unit that is suspended by hand: nothing is applied, nothing pruned, and its removal leaves everything."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.kube import Kube
from tests.support.units import Unit, config_map


@pytest.fixture
def unit(kubeconfig: Path, namespace: str) -> Unit:
    made = Unit(kubeconfig, namespace)
    made.must_apply([config_map(namespace, "a"), config_map(namespace, "b")])
    return made


def values(kube: Kube, namespace: str) -> dict[str, str]:
    found = ((name, kube.get("v1", "ConfigMap", name, namespace)) for name in "ab")
    return {name: obj["data"]["key"] for name, obj in found if obj}


def test_held_unit_keeps_drift_and_objects_that_left_until_it_is_released(
    unit: Unit, kube: Kube, namespace: str
) -> None:
    unit.records.hold(unit.spec().id, "ann")
    kube.patch("v1", "ConfigMap", "a", namespace, {"data": {"key": "edited"}})
    held = unit.must_apply([config_map(namespace, "a")], "main@sha1:2")
    assert values(kube, namespace) == {"a": "edited", "b": "value"}
    assert held.changeset.empty
    assert held.record.revision == "main@sha1:1"
    unit.records.release(unit.spec().id)
    unit.must_apply([config_map(namespace, "a")], "main@sha1:2")
    assert values(kube, namespace) == {"a": "value"}


def test_removal_of_a_held_unit_leaves_its_objects(unit: Unit, kube: Kube, namespace: str) -> None:
    unit.records.hold(unit.spec().id, "ann")
    unit.remove()
    assert values(kube, namespace) == {"a": "value", "b": "value"}
    assert unit.records.read(unit.spec().id) is None
    assert any("suspended" in line for line in unit.said)


def test_hold_does_not_become_part_of_the_record(unit: Unit, namespace: str) -> None:
    unit.records.hold(unit.spec().id, "ann")
    unit.must_apply([config_map(namespace, "a")], "main@sha1:2", path="./elsewhere")
    unit.records.release(unit.spec().id)
    found = unit.records.read(unit.spec().id)
    assert found
    assert not found.suspended
    assert "elsewhere" in found.document
