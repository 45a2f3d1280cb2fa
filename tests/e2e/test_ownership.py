"""Who owns what: moves between units, duplicates, other tools' objects, other clusters."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from demo.rest import Rest
from tests.support.world import World, config_map, deployment, service
from weir.edges.local_cluster import running_cluster
from weir.flow.clusters import Clusters
from weir.flow.settings import read_settings_file
from weir.spec.identity import UnitId

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(300)]


def test_moving_an_object_between_two_units_keeps_its_uid(world: World) -> None:
    ns = world.namespace
    moved = {"moved.yaml": [config_map(ns, "moved", A="1"), service(ns, "moved")]}
    stays = [config_map(ns, f"stays-{n}", A="1") for n in range(3)]
    world.commit(
        {
            "one/moved.yaml": moved["moved.yaml"],
            "one/stays.yaml": stays,
            "two/other.yaml": [config_map(ns, "other", A="1")],
        }
    )
    world.units(one="./one", two="./two")
    world.stack.up().must()
    before = [world.live("v1", kind, "moved")["metadata"]["uid"] for kind in ("ConfigMap", "Service")]
    world.commit({"one/moved.yaml": None, "two/moved.yaml": moved["moved.yaml"]})
    world.stack.up().must()
    after = [world.live("v1", kind, "moved")["metadata"]["uid"] for kind in ("ConfigMap", "Service")]
    assert after == before
    world.judge(one="one", two="two")
    world.stack.expect_clean()


@pytest.mark.slow
def test_moving_back_keeps_the_uid_whichever_unit_goes_first(world: World) -> None:
    ns = world.namespace
    moved = [config_map(ns, "moved", A="1")]
    keep = [config_map(ns, "keep", A="1"), config_map(ns, "keep-too", A="1")]
    world.commit(
        {"one/keep.yaml": keep, "two/moved.yaml": moved, "two/other.yaml": [config_map(ns, "other", A="1")]}
    )
    world.units(world.unit("one", "./one"), world.unit("two", "./two", dependsOn=[{"name": "one"}]))
    world.stack.up().must()
    before = world.live("v1", "ConfigMap", "moved")["metadata"]["uid"]
    world.commit({"two/moved.yaml": None, "one/moved.yaml": moved})
    world.stack.up().must()
    assert world.live("v1", "ConfigMap", "moved")["metadata"]["uid"] == before
    world.judge(one="one", two="two")


def test_one_object_in_two_units_is_an_error_that_names_both(world: World) -> None:
    ns = world.namespace
    world.commit(
        {"one/a.yaml": [config_map(ns, "twice", A="1")], "two/a.yaml": [config_map(ns, "twice", A="2")]}
    )
    world.units(one="./one", two="./two")
    failed = world.stack.up().must_fail()
    assert f"ConfigMap/{ns}/twice" in failed.out
    assert f"Kustomization/{world.flux}/one" in failed.out
    assert f"Kustomization/{world.flux}/two" in failed.out
    assert "Traceback" not in failed.out


def applied_by(world: World, manager: str, objects: list[dict[str, Any]], name: str) -> None:
    labels = {"kustomize.toolkit.fluxcd.io/name": name, "kustomize.toolkit.fluxcd.io/namespace": world.flux}
    for obj in objects:
        world.rest.apply({**obj, "metadata": {**obj["metadata"], "labels": labels}}, manager)


def test_a_cluster_taken_over_from_flux_changes_metadata_only(world: World) -> None:
    ns = world.namespace
    objects = [config_map(ns, "web", A="1", B="2"), deployment(ns, "web"), service(ns, "web")]
    applied_by(world, "kustomize-controller", objects, "web")
    before = {
        kind: world.live(version, kind, "web")
        for version, kind in (("v1", "ConfigMap"), ("apps/v1", "Deployment"))
    }
    world.commit({"web/all.yaml": objects})
    world.units(web="./web")
    world.stack.up().must()
    world.judge(web="web")
    for kind, old in before.items():
        new = world.live(old["apiVersion"], kind, "web")
        assert new["metadata"]["uid"] == old["metadata"]["uid"]
        assert new.get("spec") == old.get("spec")
        assert new.get("data") == old.get("data")
        assert new["metadata"].get("generation") == old["metadata"].get("generation")
    world.commit({"web/all.yaml": [config_map(ns, "web", A="1"), *objects[1:]]})
    world.stack.up().must()
    assert world.live("v1", "ConfigMap", "web")["data"] == {"A": "1"}


@pytest.mark.parametrize(
    ("manager", "how"),
    [
        ("kubectl-client-side-apply", "create"),
        ("helm", "create"),
        ("argocd-controller", "apply"),
        pytest.param("kubectl", "apply", marks=pytest.mark.faults),
        pytest.param("argocd-controller", "create", marks=pytest.mark.faults),
        pytest.param("before-first-apply", "create", marks=pytest.mark.faults),
    ],
)
def test_a_field_removed_from_git_disappears_whoever_applied_it(world: World, manager: str, how: str) -> None:
    ns = world.namespace
    made_by = {"apply": world.rest.apply, "create": world.rest.create}[how]
    made_by(config_map(ns, "web", A="1", B="2"), manager)
    world.commit({"web/all.yaml": [config_map(ns, "web", A="1", B="2")]})
    world.units(web="./web")
    world.stack.up().must()
    world.commit({"web/all.yaml": [config_map(ns, "web", A="1")]})
    world.stack.up().must()
    assert world.live("v1", "ConfigMap", "web")["data"] == {"A": "1"}


def test_a_stack_pointed_at_another_cluster_is_refused_by_name(world: World, tmp_path: Path) -> None:
    world.commit({"web/all.yaml": [config_map(world.namespace, "web", A="1")]})
    world.units(web="./web")
    world.stack.up().must()
    world.commit({"new/all.yaml": [config_map(world.namespace, "new", A="1")]})
    world.units(web="./web", new="./new")
    with running_cluster(tmp_path / "other") as other:
        world.stack.kubeconfig = other.kubeconfig
        world.stack.write_settings()
        there = Rest.load(other.kubeconfig)
        there.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": world.namespace}})
        said = [world.stack.up().must_fail().out, world.stack.refresh().must_fail().out]
        said += [world.stack.up("--", "--refresh").must_fail().out]
        maps = {item["metadata"]["name"] for item in there.list(there.kind("v1", "ConfigMap"))}
        assert not {name for name in maps if name == "new" or name.startswith("weir")}
    for out in said:
        assert f"stack {world.stack.name}: its kubeconfig leads to https://127.0.0.1:" in out
        assert "expected cluster" in out
        assert "Traceback" not in out
    world.stack.kubeconfig = world.kubeconfig
    world.stack.write_settings()
    world.stack.up().must()
    world.judge(web="web", new="new")


def an_old_record_learns_its_cluster(world: World) -> None:
    config = read_settings_file(world.stack.name, world.stack.config_file)
    records = Clusters(config.cluster, config.options, config.name).records
    record = records.read(UnitId("Kustomization", world.flux, "web"))
    assert record
    assert record.cluster
    records.write(replace(record, cluster=""))
    world.stack.up().must()
    again = records.read(record.id)
    assert again
    assert again.cluster == record.cluster


def test_a_units_kubeconfig_that_leads_elsewhere_changes_nothing_until_the_move_is_meant(
    world: World, tmp_path: Path
) -> None:
    rest, ns = world.rest, world.namespace
    rest.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": world.flux}})
    secret = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "far", "namespace": world.flux}}
    world.commit({"web/a.yaml": [config_map(ns, "web", A="1")]})
    far = world.unit("web", "./web", kubeConfig={"secretRef": {"name": "far"}})
    world.units(far)
    with running_cluster(tmp_path / "other") as other:
        there = Rest.load(other.kubeconfig)
        there.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": ns}})
        rest.apply({**secret, "stringData": {"value": other.kubeconfig.read_text()}})
        world.stack.up().must()
        world.stack.expect_clean()
        assert there.get("v1", "ConfigMap", ns, "web")
        an_old_record_learns_its_cluster(world)
        rest.apply({**secret, "stringData": {"value": world.kubeconfig.read_text()}})
        said = [world.stack.weir("diff").out, world.stack.up().must_fail().out]
        world.units()
        said += [world.stack.up().must_fail().out]
        for out in said:
            assert (
                f"Kustomization/{world.flux}/web: its kubeconfig in Secret/{world.flux}/far leads to" in out
            )
            assert "expected cluster" in out
            assert "Traceback" not in out
        assert world.gone("v1", "ConfigMap", "web")
        assert there.get("v1", "ConfigMap", ns, "web")
        system = rest.get("v1", "Namespace", "", "kube-system")
        assert system
        far["metadata"]["annotations"] = {"weir.dev/allow-cluster": system["metadata"]["uid"]}
        world.units(far)
        world.stack.up().must()
        assert world.live("v1", "ConfigMap", "web")
        assert there.get("v1", "ConfigMap", ns, "web")
    world.stack.expect_clean()
    world.stack.destroy().must()
    assert world.gone("v1", "ConfigMap", "web")
    rest.delete("v1", "Namespace", "", world.flux)


def test_a_renamed_unit_keeps_its_objects_until_its_successor_has_them(world: World) -> None:
    ns = world.namespace
    objects = {"apps/a.yaml": [config_map(ns, f"a-{n}", A="1") for n in range(3)]}
    world.commit({**objects, "other/b.yaml": [config_map(ns, "other", A="1")]})
    world.units(one="./apps", other="./other")
    world.stack.up().must()
    before = [world.live("v1", "ConfigMap", f"a-{n}")["metadata"]["uid"] for n in range(3)]
    wrong = {**config_map(ns, "wrong", A="1"), "datum": {"A": "1"}}
    world.commit({"apps/wrong.yaml": [wrong]})
    world.units(renamed="./apps", other="./other")
    seen = world.stack.preview().out
    assert f"delete  ConfigMap/{ns}/a-0" not in seen
    refused = world.stack.up().must_fail()
    assert "another unit of this run renders it and has not taken it over" in refused.out
    assert [world.live("v1", "ConfigMap", f"a-{n}")["metadata"]["uid"] for n in range(3)] == before
    world.commit({"apps/wrong.yaml": None})
    world.stack.up().must()
    assert [world.live("v1", "ConfigMap", f"a-{n}")["metadata"]["uid"] for n in range(3)] == before
    world.judge(renamed="apps", other="other")
    world.stack.expect_clean()


def test_a_stack_of_the_same_name_with_its_state_elsewhere_loses_no_unit(
    world: World, tmp_path: Path
) -> None:
    """Two teams whose stacks share a name and a cluster; the units of one look to the other like lost ones."""
    ns, stack = world.namespace, world.stack
    world.commit({f"{name}/a.yaml": [config_map(ns, name, A="1")] for name in ("ours", "theirs")})
    world.units(ours="./ours")
    stack.up().must()
    (tmp_path / "theirs").mkdir()
    stack.extra_environment["PULUMI_BACKEND_URL"] = (tmp_path / "theirs").as_uri()
    world.units(theirs="./theirs")
    for _ in range(2):
        out = stack.up().must_fail().out
        text = (
            f"Kustomization/{world.flux}/ours: found it in a stack of this name whose state is kept elsewhere"
        )
        assert text in out
        assert "recordNamespace" in out
        assert world.live("v1", "ConfigMap", "ours")
        assert world.live("v1", "ConfigMap", "theirs")
    stack.settings["options"] = {"allowMassDelete": True}
    stack.write_settings()
    stack.up().must()
    assert world.gone("v1", "ConfigMap", "ours")
    world.judge(theirs="theirs")


def test_an_old_copy_of_a_state_that_was_moved_removes_nothing(world: World, tmp_path: Path) -> None:
    stack = world.stack
    world.commit({"web/a.yaml": [config_map(world.namespace, "web", A="1")]})
    world.units(web="./web")
    stack.up().must()
    shutil.copytree(stack.backend, tmp_path / "moved")
    stack.extra_environment["PULUMI_BACKEND_URL"] = (tmp_path / "moved").as_uri()
    assert "state is kept elsewhere" in stack.preview("--diff").must().out
    stack.up().must()
    stack.expect_clean()
    old = stack.extra_environment.pop("PULUMI_BACKEND_URL")
    assert "found it in a stack of this name whose state is kept elsewhere" in stack.destroy().must_fail().out
    world.judge(web="web")
    stack.extra_environment["PULUMI_BACKEND_URL"] = old
    stack.destroy().must()
    assert world.gone("v1", "ConfigMap", "web")
