"""Each role of docs/roles.md with exactly its rights: what it is for works, and nothing beyond it does."""

from __future__ import annotations

import contextlib
import json
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import pytest
import yaml

from demo.rest import Rest, RestError
from demo.stack import PROJECT, Outcome
from tests.support.kube import Kube, KubeError, wait_for
from tests.support.world import World, changed, config_map, deployment, service
from weir.edges.kube.client import Kube as Client
from weir.edges.kube.discovery import Discovery
from weir.edges.kube.kubeconfig import load
from weir.edges.kube.watching import wait_ready
from weir.objects.health import health
from weir.spec.identity import ObjectId

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(300)]

ROLES: Final = PROJECT / "docs" / "examples" / "roles"
HOME: Final = "weir-system"
SECRET: Final = {
    "apiVersion": "v1",
    "kind": "Secret",
    "metadata": {"name": "token"},
    "stringData": {"a": "b"},
}

Account = Callable[[str], Path]


def documents(name: str) -> list[dict[str, Any]]:
    """The objects of an example file, as written."""
    return [item for item in yaml.safe_load_all((ROLES / name).read_text()) if item]


@pytest.fixture
def account(kube: Kube, kubeconfig: Path, tmp_path: Path) -> Account:
    """Apply a role's file and give a kubeconfig with a token of its account."""

    def make(role: str) -> Path:
        for item in documents(f"{role}.yaml"):
            kube.apply_as("administrator", item)
        body = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": {}}
        token = kube.request("POST", f"/api/v1/namespaces/{HOME}/serviceaccounts/weir-{role}/token", body)
        file = tmp_path / f"{role}.kubeconfig"
        file.touch(0o600)
        config = yaml.safe_load(kubeconfig.read_text())
        for user in config["users"]:
            user["user"] = {"token": token["status"]["token"]}
        file.write_text(yaml.safe_dump(config))
        return file

    return make


@contextlib.contextmanager
def acting(world: World, kubeconfig: Path) -> Any:
    """The world's stack uses another kubeconfig meanwhile."""
    before, world.stack.kubeconfig = world.stack.kubeconfig, kubeconfig
    world.stack.write_settings()
    yield
    world.stack.kubeconfig = before
    world.stack.write_settings()


def refused(kubeconfig: Path, obj: dict[str, Any], query: str = "fieldManager=x&force=true") -> str:
    """The API server's refusal of an apply."""
    rest = Rest.load(kubeconfig)
    meta = obj["metadata"]
    path = rest.kind(obj["apiVersion"], obj["kind"]).path(meta["namespace"], meta["name"])
    with pytest.raises(RestError) as err:
        rest.request("PATCH", path, obj, content="application/apply-patch+yaml", query=query)
    assert err.value.status in (403, 422), err.value
    return str(err.value)


def diff(world: World, kubeconfig: Path, *arguments: str) -> tuple[Outcome, dict[str, Any]]:
    """`weir diff -o json` with an account: the outcome and the one unit's plan."""
    with acting(world, kubeconfig):
        done = world.stack.weir("diff", "-o", "json", *arguments)
    assert done.code in (0, 1, 2), done.out
    return done, json.loads(done.out[done.out.index("{") :])["units"][0]


def one_change(world: World) -> None:
    """A unit `web` in the cluster, and a commit that changes one field and adds one object."""
    ns = world.namespace
    files = {"web/all.yaml": [config_map(ns, "web", A="1"), deployment(ns, "web"), service(ns, "web")]}
    world.commit(files)
    world.units(web="./web")
    world.stack.up().must()
    more = changed(deployment(ns, "web"), ("spec", "replicas"), 3)
    files["web/all.yaml"] = [
        config_map(ns, "web", A="1"),
        more,
        service(ns, "web"),
        config_map(ns, "new", A="1"),
    ]
    world.commit(files)


def actions(plan: dict[str, Any]) -> dict[str, str]:
    return {change["object"]: change["action"] for change in plan["changes"]}


def test_preview_plans_without_any_right_to_write(world: World, account: Account) -> None:
    one_change(world)
    ns, before = world.namespace, world.versions()
    preview = account("preview")
    done, plan = diff(world, preview)
    assert done.code == 1, done.out
    assert actions(plan) == {f"Deployment/{ns}/web": "configure", f"ConfigMap/{ns}/new": "create"}
    fields = [field for change in plan["changes"] for field in change["fields"]]
    assert {"path": "spec.replicas", "old": "2", "new": "3"} in fields
    assert any("dry-run was refused" in warning for warning in plan["warnings"]), plan["warnings"]
    assert world.versions() == before
    assert "cannot patch" in refused(preview, config_map(ns, "web", A="9"))
    with acting(world, preview):
        shown = world.stack.weir("get", "all").must()
    assert "kustomization/web" in shown.out


def test_preview_cannot_read_secrets_and_says_which_right_is_missing(world: World, account: Account) -> None:
    ns = world.namespace
    secret = changed(SECRET, ("metadata", "namespace"), ns)
    world.commit({"web/all.yaml": [config_map(ns, "web", A="1")], "dark/all.yaml": [secret]})
    world.units(web="./web", dark="./dark")
    with acting(world, account("preview")):
        done = world.stack.weir("diff", "-o", "json")
    plans = {unit["unit"]: unit for unit in json.loads(done.out[done.out.index("{") :])["units"]}
    assert done.code == 2
    assert "secrets" in plans[f"Kustomization/{world.flux}/dark"]["error"]
    assert actions(plans[f"Kustomization/{world.flux}/web"]) == {f"ConfigMap/{ns}/web": "create"}


def test_preview_reads_the_secrets_that_are_named_and_no_others(
    world: World, account: Account, kube: Kube
) -> None:
    ns = world.namespace
    secret = changed(SECRET, ("metadata", "namespace"), ns)
    world.commit({"dark/all.yaml": [secret]})
    world.units(dark="./dark")
    preview = account("preview")
    for item in documents("preview-secrets.yaml"):
        item["metadata"]["namespace"] = ns
        if item["kind"] == "Role":
            item["rules"][0]["resourceNames"] = ["token"]
        kube.apply_as("administrator", item)
    done, plan = diff(world, preview)
    assert done.code == 1, done.out
    assert actions(plan) == {f"Secret/{ns}/token": "create"}
    rest = Rest.load(preview)
    with pytest.raises(RestError, match="403"):
        rest.request("GET", f"/api/v1/namespaces/{ns}/secrets/other")


@pytest.fixture
def dry_run_only(kube: Kube) -> Any:
    """The policy in force, then the role bound to the preview account; unbound afterwards."""
    for item in documents("preview-dry-run.yaml"):
        kube.apply_as("administrator", item)
    kube.apply_as("administrator", binding := bound("weir-preview-dry-run", "weir-preview"))
    yield
    kube.delete(binding["apiVersion"], binding["kind"], binding["metadata"]["name"])
    for item in documents("preview-dry-run.yaml"):
        kube.delete(item["apiVersion"], item["kind"], item["metadata"]["name"])


def bound(role: str, name: str) -> dict[str, Any]:
    """A ClusterRoleBinding of a role to an account, as `kubectl create clusterrolebinding` makes it."""
    group = "rbac.authorization.k8s.io"
    return {
        "apiVersion": f"{group}/v1",
        "kind": "ClusterRoleBinding",
        "metadata": {"name": role},
        "roleRef": {"apiGroup": group, "kind": "ClusterRole", "name": role},
        "subjects": [{"kind": "ServiceAccount", "name": name, "namespace": HOME}],
    }


def test_preview_with_dry_runs_is_exact_and_still_writes_nothing(
    world: World, account: Account, dry_run_only: None
) -> None:
    one_change(world)
    ns, before = world.namespace, world.versions()
    preview = account("preview")
    wait_for(lambda: "only send dry-runs" in attempt(preview, config_map(ns, "probe", A="1")), every=0.5)
    done, plan = diff(world, preview)
    assert done.code == 1, done.out
    assert actions(plan) == {f"Deployment/{ns}/web": "configure", f"ConfigMap/{ns}/new": "create"}
    assert plan["warnings"] == []
    assert world.versions() == before
    assert "only send dry-runs" in refused(preview, config_map(ns, "web", A="9"))
    refused(preview, {**bound("x", "y"), "metadata": {"name": "x", "namespace": ""}})


def attempt(kubeconfig: Path, obj: dict[str, Any]) -> str:
    """The refusal of an apply, empty when it went through."""
    try:
        Rest.load(kubeconfig).apply(obj)
    except RestError as err:
        return str(err)
    return ""


def rbac(namespace: str) -> list[dict[str, Any]]:
    """A Role that allows what the apply account itself may not, and its binding."""
    meta = {"name": "updater", "namespace": namespace}
    group = "rbac.authorization.k8s.io"
    rule = {"apiGroups": [""], "resources": ["configmaps"], "verbs": ["update", "deletecollection"]}
    reference = {"apiGroup": group, "kind": "Role", "name": "updater"}
    subject = {"kind": "ServiceAccount", "name": "default", "namespace": namespace}
    return [
        {"apiVersion": f"{group}/v1", "kind": "Role", "metadata": meta, "rules": [rule]},
        {
            "apiVersion": f"{group}/v1",
            "kind": "RoleBinding",
            "metadata": meta,
            "roleRef": reference,
            "subjects": [subject],
        },
    ]


@pytest.mark.slow
def test_apply_installs_changes_prunes_and_removes(world: World, account: Account) -> None:
    ns = world.namespace
    secret = changed(SECRET, ("metadata", "namespace"), ns)
    objects = [config_map(ns, "web", A="1"), deployment(ns, "web"), service(ns, "web"), secret, *rbac(ns)]
    world.commit({"web/all.yaml": objects})
    world.units(world.unit("web", "./web", wait=True))
    with acting(world, account("apply")):
        world.stack.up().must()
        world.judge(web="web")
        world.commit({"web/all.yaml": [config_map(ns, "web", A="2"), *objects[1:5]]})
        world.stack.up().must()
        world.judge(web="web")
        world.stack.expect_clean()
        world.stack.refresh().must()
        owned = set(world.checker.owned())
        world.stack.destroy("--yes").must()
    world.checker.wait_gone(owned).must_hold()


def test_apply_acts_as_the_account_that_a_unit_names(world: World, account: Account, kube: Kube) -> None:
    ns = world.namespace
    kube.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": world.flux}})
    tenant = {"name": "deployer", "namespace": world.flux}
    kube.apply({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": tenant})
    world.commit({"web/all.yaml": [config_map(ns, "web", A="1")]})
    world.units(world.unit("web", "./web", serviceAccountName="deployer"))
    apply = account("apply")
    with acting(world, apply):
        failed = world.stack.up().must_fail()
        assert f"system:serviceaccount:{world.flux}:deployer" in failed.out
        assert world.gone("v1", "ConfigMap", "web")
        binding = bound("admin", "deployer")
        binding["kind"], binding["metadata"] = "RoleBinding", {"name": "deployer", "namespace": ns}
        binding["subjects"][0]["namespace"] = world.flux
        kube.apply(binding)
        world.stack.up().must()
        world.judge(web="web")
        world.stack.destroy("--yes").must()


def test_watcher_watches_and_reads_and_writes_nothing(world: World, account: Account, kube: Kube) -> None:
    one_change(world)
    ns = world.namespace
    watcher = account("watcher")
    done, plan = diff(world, watcher)
    assert done.code == 1, done.out
    assert f"Deployment/{ns}/web" in actions(plan)
    client = Client(load(str(watcher)))
    wanted = ObjectId("", "ConfigMap", ns, "late")
    resource = Discovery(client).resource("v1", "ConfigMap")
    begin = time.monotonic()
    late = threading.Timer(1.0, kube.apply, [config_map(ns, "late", A="1")])
    late.start()
    verdicts = wait_ready(
        client, {wanted: resource}, lambda _, live: health(live), timeout=30, stop=threading.Event()
    )
    late.join()
    assert verdicts[wanted].status == "Current"
    assert time.monotonic() - begin < 20, "seen by polling, not by the watch"
    assert "cannot patch" in refused(watcher, config_map(ns, "web", A="9"))
    with pytest.raises(KubeError, match="403"):
        Kube(watcher).request("DELETE", f"/api/v1/namespaces/{ns}/configmaps/web")
