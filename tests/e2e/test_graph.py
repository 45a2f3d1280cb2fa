"""Beyond one unit: rules of readiness, other stacks' outputs, other clusters, the Cluster component, lost states."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.checker import Expected
from tests.support.stack import StackRun
from tests.support.world import ILL, World, changed, config_map
from weir.edges.local_cluster import running_cluster

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(300)]

PASSWORD = "canary-output-31c7"


def test_a_ready_expression_holds_a_unit_back_until_it_is_true(world: World) -> None:
    ns = world.namespace
    world.commit({"one/a.yaml": [config_map(ns, "one", A="1")], "two/b.yaml": [config_map(ns, "two", B="1")]})
    rule = "dep.status.lastAppliedRevision == 'never'"
    after = world.unit("two", "./two", dependsOn=[{"name": "one", "readyExpr": rule}])
    world.units(after, one="./one")
    held = world.stack.up().must_fail()
    assert rule in held.out
    assert world.gone("v1", "ConfigMap", "two")
    world.judge(one="one")
    rule = "dep.status.conditions.exists(c, c.type == 'Ready' && c.status == 'True')"
    world.units(world.unit("two", "./two", dependsOn=[{"name": "one", "readyExpr": rule}]), one="./one")
    world.stack.up().must()
    world.judge(one="one", two="two")


def test_units_that_follow_each_other_by_a_label_move_together(world: World) -> None:
    ns = world.namespace
    ready = "dep.status.conditions.exists(c, c.type == 'Ready' && c.status == 'True')"
    rule = f"dep.metadata.labels['v'] == self.metadata.labels['v'] && {ready}"
    one, two = (
        world.unit("one", "./one"),
        world.unit("two", "./two", dependsOn=[{"name": "one", "readyExpr": rule}]),
    )
    for version in ("1", "2"):
        world.commit(
            {
                "one/a.yaml": [config_map(ns, "one", A=version)],
                "two/b.yaml": [config_map(ns, "two", B=version)],
            }
        )
        for unit in (one, two):
            unit["metadata"]["labels"] = {"v": version}
        world.units(one, two)
        world.stack.up().must()
        world.judge(one="one", two="two")
    two["metadata"]["labels"] = {"v": "3"}
    world.units(one, two)
    assert "readyExpr does not hold" in world.stack.up().must_fail().out


def test_a_ready_expression_takes_the_place_of_the_built_in_rule(world: World) -> None:
    ns = world.namespace
    world.commit({"one/a.yaml": [config_map(ns, "one", A="1")], "two/b.yaml": [config_map(ns, "two", B="1")]})
    one = world.unit("one", "./one", **ILL)
    rule = "dep.status.conditions.exists(c, c.type == 'Ready' && c.reason == 'HealthCheckFailed')"
    world.units(one, world.unit("two", "./two", dependsOn=[{"name": "one", "readyExpr": rule}]))
    world.stack.up().must_fail()
    assert world.live("v1", "ConfigMap", "two")["data"] == {"B": "1"}
    world.judge(one="one", two="two")


def test_what_depends_on_a_unit_that_waits_starts_after_those_that_it_declares(world: World) -> None:
    ns = world.namespace
    child = world.unit("child", "./child", **ILL)
    world.commit(
        {
            "parent/child.yaml": [child],
            "child/a.yaml": [config_map(ns, "child", A="1")],
            "app/a.yaml": [config_map(ns, "app", A="1")],
        }
    )
    app = world.unit("app", "./app", dependsOn=[{"name": "parent"}])
    world.units(world.unit("parent", "./parent", wait=True), app)
    told = f"not started: Kustomization/{world.flux}/parent, which it depends on, is not ready: "
    failed = world.stack.up().must_fail().out
    assert f"{told}Kustomization/{world.flux}/child, which it declares and waits for, is not" in failed
    assert world.gone("v1", "ConfigMap", "app")
    world.units(world.unit("parent", "./parent"), app)
    world.stack.up().must_fail()
    assert world.live("v1", "ConfigMap", "app")["data"] == {"A": "1"}
    world.commit({"parent/child.yaml": [world.unit("child", "./child", dependsOn=[{"name": "parent"}])]})
    world.units(world.unit("parent", "./parent", wait=True), app)
    assert "found the cycle" in world.stack.up().must_fail().out
    world.commit({"parent/child.yaml": [world.unit("child", "./child")]})
    world.stack.up().must()
    world.judge_units(
        [Expected("parent", (), world.flux), *(world.expected(one, one) for one in ("child", "app"))]
    )


def test_a_rule_that_is_not_cel_is_an_error_before_anything_is_touched(world: World) -> None:
    world.commit({"one/a.yaml": [config_map(world.namespace, "one", A="1")]})
    world.units(
        world.unit("two", "./one", dependsOn=[{"name": "one", "readyExpr": "dep.status ==="}]), one="./one"
    )
    found = world.stack.up().must_fail()
    assert "dep.status ===" in found.out
    assert "Traceback" not in found.out


def test_a_unit_may_depend_on_a_source_and_one_that_cannot_start_ends_nobody_else(world: World) -> None:
    ns = world.namespace
    world.commit({f"{name}/a.yaml": [config_map(ns, name, A="1")] for name in ("one", "two", "three")})
    lost = world.unit("lost", "./two", sourceRef={"kind": "GitRepository", "name": "nobody"})
    on_source = [{"kind": "GitRepository", "name": "apps"}]
    values = [{"kind": "ConfigMap", "name": "none", "optional": True}]
    world.units(
        world.unit("waits", "./three", dependsOn=[{"name": "lost"}]),
        lost,
        world.unit("one", "./one", dependsOn=on_source, postBuild={"substituteFrom": values}),
    )
    found = world.stack.up().must_fail()
    assert "Traceback" not in found.out
    assert "not started: Kustomization/" in found.out
    assert "sourceRef" in found.out
    assert world.live("v1", "ConfigMap", "one")["data"] == {"A": "1"}
    assert world.gone("v1", "ConfigMap", "three")
    world.judge(one="one")


def infrastructure(stack: StackRun) -> str:
    """Another project's stack `infra/prod` with outputs, in the same backend; its full name."""
    folder = stack.folder / "infra"
    folder.mkdir()
    (folder / "Pulumi.yaml").write_text("name: infra\nruntime: python\n")
    program = "import pulumi\npulumi.export('db_host', 'db.internal')\npulumi.export('not-a-name', 'x')\n"
    program += f"pulumi.export('db_pass', pulumi.Output.secret('{PASSWORD}'))\n"
    (folder / "__main__.py").write_text(program)
    stack.run("pulumi", "stack", "init", "prod", "--cwd", str(folder), "--non-interactive").must()
    run_infrastructure(stack)
    return "organization/infra/prod"


def run_infrastructure(stack: StackRun) -> None:
    where = ("--cwd", str(stack.folder / "infra"), "--non-interactive")
    stack.run("pulumi", "up", "--yes", "--skip-preview", "--stack", "prod", *where).must()


@pytest.mark.slow
def test_variables_come_from_another_stacks_outputs_and_from_the_stacks_settings(world: World) -> None:
    world.commit({"two/b.yaml": [config_map(world.namespace, "two", HOST="${db_host}", REGION="${region}")]})
    outputs = {"kind": "StackOutput", "name": infrastructure(world.stack)}
    settings = {"kind": "StackConfig", "name": "variables"}
    world.units(world.unit("two", "./two", postBuild={"substituteFrom": [outputs, settings]}))
    world.stack.settings["variables"] = {"region": "eu-west"}
    world.stack.write_settings()
    world.stack.up().must()
    assert world.live("v1", "ConfigMap", "two")["data"] == {"HOST": "db.internal", "REGION": "eu-west"}
    world.stack.expect_clean()
    assert world.stack.weir("diff").code == 0
    world.commit({"two/b.yaml": [config_map(world.namespace, "two", HOST="${db_host}", PASS="${db_pass}")]})
    for before in ("(none)", "*** (before)"):  # a record holds no secret output, so it stays unknown
        found = world.stack.weir("diff")
        assert found.code == 1
        unknown = f"two: db_pass from StackOutput/{outputs['name']} is not known yet, <unknown> stands for it"
        assert unknown in found.out
        assert f"data.PASS: {before} -> <unknown>" in found.out
        assert PASSWORD not in found.out
        world.stack.up().must()
        assert world.live("v1", "ConfigMap", "two")["data"] == {"HOST": "db.internal", "PASS": PASSWORD}
    program = world.stack.folder / "infra" / "__main__.py"
    program.write_text(program.read_text().replace("db.internal", "db.moved"))
    run_infrastructure(world.stack)
    assert "data.HOST" in world.stack.weir("diff").out, "the backend knows what it is now"
    world.stack.extra_environment["PULUMI_BACKEND_URL"] = "file:///nonexistent"
    assert "data.HOST" not in world.stack.weir("diff").out, "the record remembers what was applied"
    del world.stack.extra_environment["PULUMI_BACKEND_URL"]
    world.commit({"two/b.yaml": [config_map(world.namespace, "two", HOST="${db_port}")]})
    assert world.stack.weir("diff").code == 1
    assert "the variable db_port is not defined" in world.stack.up().must_fail().out


def test_a_unit_with_a_kubeconfig_goes_there_and_its_record_stays_here(world: World, tmp_path: Path) -> None:
    with running_cluster(tmp_path / "remote") as remote:
        text = remote.kubeconfig.read_text()
        world.rest.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": world.flux}})
        meta = {"name": "remote", "namespace": world.flux}
        world.rest.apply(
            {"apiVersion": "v1", "kind": "Secret", "metadata": meta, "stringData": {"value": text}}
        )
        world.commit({"far/a.yaml": [config_map("default", "far", A="1")]})
        world.units(world.unit("far", "./far", kubeConfig={"secretRef": {"name": "remote"}}))
        world.stack.up().must()
        there = type(world.rest).load(remote.kubeconfig)
        found = there.get("v1", "ConfigMap", "default", "far")
        assert found is not None
        assert found["data"] == {"A": "1"}
        assert world.rest.get("v1", "ConfigMap", "default", "far") is None
        assert "far" in world.stack.weir("get", "kustomizations").must().out
        world.stack.destroy().must()
        assert there.get("v1", "ConfigMap", "default", "far") is None
    world.rest.delete("v1", "Namespace", "", world.flux)


@pytest.mark.slow
def test_the_cluster_component_makes_namespaces_and_tenants_who_then_apply(world: World) -> None:
    team = f"team-{world.namespace}"
    world.stack.settings["cluster"] |= {"namespaces": [team], "serviceAccounts": [f"{team}/deployer"]}
    world.stack.write_settings()
    world.commit({"web/a.yaml": [config_map(team, "web", A="1")]})
    world.flux = team
    world.units(world.unit("web", "./web", serviceAccountName="deployer"))
    world.stack.up().must()
    found = world.rest.get("v1", "ConfigMap", team, "web")
    assert found is not None
    world.stack.expect_clean()
    world.commit({"web/b.yaml": [config_map("default", "not-allowed", A="1")]})
    refused = world.stack.up().must_fail()
    assert f"system:serviceaccount:{team}:deployer" in refused.out
    assert world.rest.get("v1", "ConfigMap", "default", "not-allowed") is None
    world.stack.destroy().must()


def lose_state(world: World) -> None:
    for path in world.stack.backend.rglob(f"{world.stack.name}*"):
        if path.is_file():
            path.unlink()
    for path in world.stack.backend.rglob("*.checkpoint.json*"):
        path.unlink()


@pytest.mark.slow
def test_a_unit_that_left_git_while_the_state_was_lost_is_removed_and_not_forgotten(world: World) -> None:
    ns = world.namespace
    world.commit({"one/a.yaml": [config_map(ns, "one", A="1")], "two/b.yaml": [config_map(ns, "two", B="1")]})
    world.units(one="./one", two="./two")
    world.stack.up().must()
    uid = world.live("v1", "ConfigMap", "one")["metadata"]["uid"]
    lose_state(world)
    world.units(one="./one")
    world.stack.up().must()
    assert world.live("v1", "ConfigMap", "one")["metadata"]["uid"] == uid
    assert world.gone("v1", "ConfigMap", "two")
    world.judge(one="one")
    world.stack.up().must()
    world.stack.expect_clean()


@pytest.mark.slow
def test_a_child_that_left_git_while_the_state_was_lost_stays_until_its_parent_is_applied(
    world: World,
) -> None:
    ns = world.namespace
    parent = {"one/a.yaml": [config_map(ns, "one", A="1")], "one/two.yaml": [world.unit("two", "./two")]}
    world.commit({**parent, "two/b.yaml": [config_map(ns, "two", B="1")]})
    world.units(one="./one")
    world.stack.up().must()
    lose_state(world)
    broken = changed(config_map(ns, "one"), ("data",), {"A": {"no": "text"}})
    world.commit({"one/two.yaml": None, "one/a.yaml": [broken]})
    found = world.stack.up().must_fail().out
    assert f"Kustomization/{world.flux}/two is no longer declared and stays in this run" in found
    assert f"Kustomization/{world.flux}/one, which declared it, was not applied" in found
    assert not world.gone("v1", "ConfigMap", "two")
    world.commit({"one/a.yaml": parent["one/a.yaml"]})
    world.stack.up().must()
    assert world.gone("v1", "ConfigMap", "two")
    world.judge(one="one")
