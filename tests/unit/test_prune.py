"""What goes, what may not, and the guards: reliability R05, R14; design 3 (Guards)."""

from __future__ import annotations

from typing import Any

import pytest

from weir.objects.prune import guard, guard_precious, may_prune, to_prune
from weir.spec.errors import GuardError
from weir.spec.identity import ObjectId, UnitId

UNIT = UnitId("Kustomization", "flux-system", "apps")
OWNED = {"kustomize.toolkit.fluxcd.io/name": "apps", "kustomize.toolkit.fluxcd.io/namespace": "flux-system"}


def config(name: str) -> ObjectId:
    return ObjectId("", "ConfigMap", "prod", name)


CONFIGS = tuple(config(f"c{index}") for index in range(8))
NAMESPACE = ObjectId("", "Namespace", "", "prod")
CLAIM = ObjectId("", "PersistentVolumeClaim", "prod", "data")
DEFINITION = ObjectId("apiextensions.k8s.io", "CustomResourceDefinition", "", "widgets.example.com")


def live(
    annotations: dict[str, str] | None = None, *, labels: dict[str, str] | None = None
) -> dict[str, Any]:
    return {
        "metadata": {"name": "x", "labels": OWNED if labels is None else labels, "annotations": annotations}
    }


def check(
    inventory: tuple[ObjectId, ...],
    desired: tuple[ObjectId, ...],
    *,
    annotations: dict[str, str] | None = None,
    lives: dict[ObjectId, dict[str, Any]] | None = None,
    allow_empty: bool = False,
    allow_mass_delete: bool = False,
) -> None:
    doomed = to_prune(inventory, desired)
    guard(
        UNIT,
        inventory=inventory,
        desired=desired,
        doomed=doomed,
        live=lives or {},
        annotations=annotations or {},
        allow_empty=allow_empty,
        allow_mass_delete=allow_mass_delete,
    )


def test_what_is_owned_and_not_desired_goes_in_reverse_apply_order() -> None:
    inventory = ((NAMESPACE, "v1"), (config("a"), "v1"), (config("b"), "v1"))
    assert to_prune(inventory, [config("b")]) == (config("a"), NAMESPACE)


def test_bare_ids_are_an_inventory_too() -> None:
    assert to_prune([config("a")], []) == (config("a"),)


def test_one_object_under_two_api_groups_is_not_pruned() -> None:
    old = ObjectId("extensions", "Ingress", "prod", "web")
    new = ObjectId("networking.k8s.io", "Ingress", "prod", "web")
    assert to_prune([old], [new]) == ()
    assert to_prune([old], [ObjectId("networking.k8s.io", "Ingress", "prod", "other")]) == (old,)


def test_same_kind_of_another_group_is_another_object() -> None:
    assert to_prune([ObjectId("a.io", "Widget", "p", "w")], [ObjectId("b.io", "Widget", "p", "w")])


def test_an_object_with_our_labels_may_go() -> None:
    assert may_prune(live(), UNIT) == (True, "")


@pytest.mark.parametrize(
    ("labels", "found"),
    [
        ({}, "nobody"),
        ({**OWNED, "kustomize.toolkit.fluxcd.io/name": "infra"}, "Kustomization/flux-system/infra"),
        ({**OWNED, "kustomize.toolkit.fluxcd.io/namespace": "other"}, "Kustomization/other/apps"),
    ],
)
def test_an_object_of_somebody_else_stays(labels: dict[str, str], found: str) -> None:
    allowed, why = may_prune(live(labels=labels), UNIT)
    assert not allowed
    assert found in why


@pytest.mark.parametrize(
    ("key", "value"), [("prune", "disabled"), ("reconcile", "Disabled"), ("ssa", "ignore")]
)
def test_an_object_that_says_so_stays(key: str, value: str) -> None:
    allowed, why = may_prune(live({f"kustomize.toolkit.fluxcd.io/{key}": value}), UNIT)
    assert not allowed
    assert f"kustomize.toolkit.fluxcd.io/{key}" in why


def test_ssa_merge_does_not_protect_from_pruning() -> None:
    assert may_prune(live({"kustomize.toolkit.fluxcd.io/ssa": "Merge"}), UNIT)[0]


def test_an_empty_render_is_refused_and_says_what_allows_it() -> None:
    with pytest.raises(GuardError) as caught:
        check(CONFIGS[:1], ())
    text = str(caught.value)
    assert "Kustomization/flux-system/apps" in text
    assert "ConfigMap/prod/c0" in text
    assert 'weir.dev/allow-empty: "true"' in text
    assert "weir:options.allowEmpty" in text


@pytest.mark.parametrize("size", [1, 3, 8])
def test_an_empty_render_goes_through_when_allowed(size: int) -> None:
    check(CONFIGS[:size], (), annotations={"weir.dev/allow-empty": "true"})
    check(CONFIGS[:size], (), allow_empty=True)


def test_a_first_empty_render_is_fine() -> None:
    check((), ())


def test_an_empty_render_with_pruning_off_deletes_nothing_and_is_fine() -> None:
    guard(UNIT, inventory=CONFIGS, desired=(), doomed=(), live={}, annotations={})


@pytest.mark.parametrize("precious", [NAMESPACE, CLAIM, DEFINITION], ids=str)
def test_a_precious_object_does_not_go_by_accident(precious: ObjectId) -> None:
    inventory = (precious, *CONFIGS)
    with pytest.raises(GuardError) as caught:
        check(inventory, CONFIGS)
    assert f'weir.dev/allow-delete: "{precious}"' in str(caught.value)


@pytest.mark.parametrize("value", ["*", "Namespace/prod", "ConfigMap/x/y, Namespace/prod"])
def test_a_precious_object_goes_when_the_unit_names_it(value: str) -> None:
    check((NAMESPACE, *CONFIGS), CONFIGS, annotations={"weir.dev/allow-delete": value})


@pytest.mark.parametrize("value", ["", "Namespace/prod2", "prod", "Namespace"])
def test_a_precious_object_stays_when_something_else_is_named(value: str) -> None:
    with pytest.raises(GuardError):
        check((NAMESPACE, *CONFIGS), CONFIGS, annotations={"weir.dev/allow-delete": value})


def test_a_precious_object_goes_when_it_says_so_itself() -> None:
    lives = {NAMESPACE: {"metadata": {"annotations": {"weir.dev/allow-delete": "true"}}}}
    check((NAMESPACE, *CONFIGS), CONFIGS, lives=lives)


def test_no_general_switch_deletes_a_namespace() -> None:
    with pytest.raises(GuardError, match="Namespace/prod"):
        check(
            (NAMESPACE,),
            (),
            allow_empty=True,
            allow_mass_delete=True,
            annotations={"weir.dev/allow-empty": "true"},
        )


def test_a_namespace_of_another_group_is_not_precious() -> None:
    other = ObjectId("example.com", "Namespace", "", "x")
    guard_precious(UNIT, doomed=(other,), live={}, annotations={})


@pytest.mark.parametrize(
    ("size", "kept", "refused"), [(8, 4, False), (8, 3, True), (4, 1, True), (3, 1, False), (4, 2, False)]
)
def test_more_than_half_of_four_or_more_is_refused(size: int, kept: int, refused: bool) -> None:
    if not refused:
        check(CONFIGS[:size], CONFIGS[:kept])
        return
    with pytest.raises(GuardError) as caught:
        check(CONFIGS[:size], CONFIGS[:kept])
    assert f"{size - kept} of {size}" in str(caught.value)
    assert "weir:options.allowMassDelete" in str(caught.value)
    assert 'weir.dev/allow-delete: "*"' in str(caught.value)


def test_a_mass_delete_goes_through_when_allowed() -> None:
    check(CONFIGS, CONFIGS[:1], allow_mass_delete=True)
    check(CONFIGS, CONFIGS[:1], annotations={"weir.dev/allow-delete": "*"})


def test_named_objects_do_not_count_towards_the_mass() -> None:
    named = ", ".join(str(item) for item in CONFIGS[1:6])
    check(CONFIGS, CONFIGS[:1], annotations={"weir.dev/allow-delete": named})


def test_renaming_everything_is_a_mass_delete() -> None:
    with pytest.raises(GuardError):
        check(CONFIGS, tuple(config(f"new-{index}") for index in range(8)))
