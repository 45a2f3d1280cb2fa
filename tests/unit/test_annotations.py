"""Where each annotation is read from is part of its meaning (flux-semantics 1.2, Apply rules)."""

from __future__ import annotations

from typing import Any

import pytest

from weir.objects.annotations import force_enabled, owner, prune_disabled, reconcile_disabled, ssa_mode

PREFIX = "kustomize.toolkit.fluxcd.io"


def obj(part: str = "annotations", **values: str) -> dict[str, Any]:
    return {"metadata": {part: {f"{PREFIX}/{key}": value for key, value in values.items()}}}


PLAIN: dict[str, Any] = {"metadata": {"name": "a"}}


@pytest.mark.parametrize(
    ("desired", "live", "want"),
    [
        (PLAIN, None, "Override"),
        (PLAIN, PLAIN, "Override"),
        (obj(ssa="Ignore"), PLAIN, "Ignore"),
        (PLAIN, obj(ssa="Ignore"), "Ignore"),
        (obj(ssa="IfNotPresent"), PLAIN, "IfNotPresent"),
        (PLAIN, obj(ssa="IfNotPresent"), "Override"),
        (obj(ssa="Merge"), PLAIN, "Merge"),
        (PLAIN, obj(ssa="Merge"), "Merge"),
        (obj(ssa="Merge"), obj(ssa="Ignore"), "Ignore"),
        (obj(ssa="iGNORE"), None, "Ignore"),
        (obj("labels", ssa="merge"), None, "Merge"),
        (obj(ssa="nonsense"), None, "Override"),
    ],
)
def test_ssa_mode_counts_where_flux_reads_it(
    desired: dict[str, Any], live: dict[str, Any] | None, want: str
) -> None:
    assert ssa_mode(desired, live) == want


@pytest.mark.parametrize("part", ["labels", "annotations"])
def test_reconcile_disabled_counts_in_git_and_in_the_cluster(part: str) -> None:
    off = obj(part, reconcile="Disabled")
    assert reconcile_disabled(off, None)
    assert reconcile_disabled(PLAIN, off)
    assert not reconcile_disabled(PLAIN, PLAIN)


def test_prune_disabled_is_read_from_the_live_object() -> None:
    assert prune_disabled(obj(prune="disabled"))
    assert not prune_disabled(obj(prune="enabled"))
    assert not prune_disabled(None)


def test_force_counts_in_git_and_in_the_cluster() -> None:
    assert force_enabled(obj(force="enabled"), None)
    assert force_enabled(PLAIN, obj(force="Enabled"))
    assert not force_enabled(obj(force="disabled"), PLAIN)


def test_the_owner_is_read_from_labels_only() -> None:
    assert owner(obj("labels", name="apps", namespace="flux-system")) == ("flux-system", "apps")
    assert owner(obj("annotations", name="apps", namespace="flux-system")) == ("", "")


@pytest.mark.parametrize("meta", [None, {}, {"labels": None, "annotations": None}, {"annotations": []}])
def test_strange_metadata_says_nothing(meta: Any) -> None:
    assert ssa_mode({"metadata": meta}, {"metadata": meta}) == "Override"
    assert not reconcile_disabled({"metadata": meta}, {})
