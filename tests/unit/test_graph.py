"""Order of units and double claims: dependsOn, reliability R14."""

from __future__ import annotations

import pytest

from weir.objects.graph import duplicates, order
from weir.spec.errors import SpecError
from weir.spec.identity import ObjectId, UnitId


def unit(name: str, kind: str = "Kustomization") -> UnitId:
    return UnitId(kind, "flux-system", name)


A, B, C, D = (unit(name) for name in "abcd")


def test_a_unit_comes_after_all_it_depends_on() -> None:
    assert order({A: [B, C], B: [D], C: [D], D: []}) == (D, B, C, A)


def test_independent_units_are_ordered_by_name() -> None:
    assert order({C: [], A: [], B: []}) == (A, B, C)
    assert order({}) == ()


def test_a_dependency_may_be_of_another_kind() -> None:
    release = unit("z", "HelmRelease")
    assert order({A: [release], release: []}) == (release, A)


def test_a_cycle_is_named_from_end_to_end() -> None:
    with pytest.raises(SpecError) as caught:
        order({A: [B], B: [C], C: [B], D: []})
    text = str(caught.value)
    assert "Kustomization/flux-system/b -> Kustomization/flux-system/c -> Kustomization/flux-system/b" in text
    assert "flux-system/a" not in text
    assert "flux-system/d" not in text


def test_a_unit_that_waits_for_itself_is_a_cycle() -> None:
    with pytest.raises(SpecError, match="a -> Kustomization/flux-system/a"):
        order({A: [A]})


def test_a_missing_unit_is_named_with_its_dependent() -> None:
    with pytest.raises(SpecError) as caught:
        order({A: [B]})
    assert "Kustomization/flux-system/a" in str(caught.value)
    assert "Kustomization/flux-system/b" in str(caught.value)


def test_a_near_miss_is_offered() -> None:
    other = UnitId("Kustomization", "prod", "b")
    with pytest.raises(SpecError, match="there is Kustomization/prod/b"):
        order({A: [B], other: []})


def test_a_long_chain_is_no_trouble() -> None:
    chain = [unit(f"u{index:04}") for index in range(1500)]
    units = {one: [chain[index - 1]] if index else [] for index, one in enumerate(chain)}
    assert order(units) == tuple(chain)


def test_an_object_in_two_units_is_an_error_that_names_all_three() -> None:
    shared = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "x", "namespace": "prod"}}
    (error,) = duplicates({B: [shared], A: [ObjectId.of(shared), ObjectId("", "Secret", "prod", "x")]})
    assert "ConfigMap/prod/x" in str(error)
    assert "Kustomization/flux-system/a and Kustomization/flux-system/b" in str(error)


def test_an_object_twice_in_one_unit_is_not_a_matter_of_two_units() -> None:
    item = ObjectId("", "Secret", "prod", "x")
    assert duplicates({A: [item, item], B: []}) == ()
