"""The watcher's Deployment: its pod may do nothing it does not need, and its account neither."""

from __future__ import annotations

import argparse
import importlib
import runpy
from collections.abc import Callable
from typing import Any, Final

import pytest
import yaml

from components import watcher_rights as rights
from components.watcher import Watcher, WatcherArgs
from demo.stack import PROJECT
from tests.support import echo
from weir.cli import VERBS
from weir.edges.pulumi.passphrase import FILE, TEXT
from weir.spec.errors import SpecError

ROLES: Final = PROJECT / "docs" / "examples" / "roles"
EXAMPLE: Final = PROJECT / "docs" / "examples" / "watcher"
POD: Final = "/var/cache/weir"


def registered(build: Callable[[], object]) -> dict[str, dict[str, Any]]:
    """The state of everything in the cluster that `build` registers, by `Kind/namespace/name`."""
    config = {"weir-watcher:image": "registry.example.com/weir@sha256:aa"}
    found = [
        (name.split("::")[0], state) for name, state in echo.registered(build, "weir-watcher", config).items()
    ]
    states = [(kind.rpartition(":")[2], state) for kind, state in found if "kubernetes:" in kind]
    return {
        f"{kind}/{state['metadata'].get('namespace', '')}/{state['metadata']['name']}": state
        for kind, state in states
    }


def args(**more: Any) -> WatcherArgs:
    made: Any = {
        "stack": "production",
        "image": "registry.example.com/weir@sha256:aa",
        "backend_url": "s3://state",
        "passphrase": {"secret": "weir", "key": "passphrase"},
        **more,
    }
    return made  # type: ignore[no-any-return]


def watcher(**more: Any) -> dict[str, dict[str, Any]]:
    return registered(lambda: Watcher("production", args(**more)))


def pod(found: dict[str, dict[str, Any]]) -> dict[str, Any]:
    spec: dict[str, Any] = found["Deployment/weir-system/weir-watcher-production"]["spec"]["template"]["spec"]
    return spec


def rules(file: str) -> list[dict[str, Any]]:
    documents = [item for item in yaml.safe_load_all((ROLES / file).read_text()) if item]
    return [rule for item in documents if item["kind"] == "ClusterRole" for rule in item["rules"]]


def test_a_watcher_is_a_namespace_an_account_its_rights_and_a_deployment() -> None:
    found = watcher()
    name = "weir-watcher-production"
    assert set(found) == {
        "Namespace//weir-system",
        f"ServiceAccount/weir-system/{name}",
        f"Role/weir-system/{name}",
        f"RoleBinding/weir-system/{name}",
        f"ClusterRole//{name}-read",
        f"ClusterRoleBinding//{name}-read",
        f"ClusterRole//{name}-apply",
        f"ClusterRoleBinding//{name}-apply",
        f"Deployment/weir-system/{name}",
    }
    labels = found["Namespace//weir-system"]["metadata"]["labels"]
    assert labels == {"pod-security.kubernetes.io/enforce": "restricted"}
    for key, state in found.items():
        if "Binding" in key:
            assert state["subjects"] == [{"kind": "ServiceAccount", "name": name, "namespace": "weir-system"}]
            assert key.replace("Binding", "").startswith(f"{state['roleRef']['kind']}/")
    deployment = found[f"Deployment/weir-system/{name}"]["spec"]
    assert deployment["replicas"] == 2
    assert deployment["selector"]["matchLabels"] == deployment["template"]["metadata"]["labels"]


def test_the_pod_is_restricted_and_writes_only_to_its_volumes() -> None:
    spec = pod(watcher())
    (container,) = spec["containers"]
    assert spec["securityContext"]["runAsNonRoot"] is True
    assert spec["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    assert container["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }
    assert {item["name"] for item in spec["volumes"]} == {item["name"] for item in container["volumeMounts"]}
    read_only = {item["name"] for item in container["volumeMounts"] if item.get("readOnly")}
    assert read_only == {"passphrase"}
    assert all("sizeLimit" in item["emptyDir"] for item in spec["volumes"] if item["name"] not in read_only)
    env = {item["name"]: item.get("value", "") for item in container["env"]}
    for variable in ("HOME", "PULUMI_HOME", "WEIR_CACHE_DIR"):
        assert env[variable].startswith(POD)
    assert container["resources"]["requests"]
    assert container["resources"]["limits"]["memory"]
    asked, allowed = (container["resources"][kind]["ephemeral-storage"] for kind in ("requests", "limits"))
    assert asked != allowed, "small nodes would take no pod"
    for probe, path in (("livenessProbe", "/healthz"), ("readinessProbe", "/readyz")):
        assert container[probe]["httpGet"] == {"path": path, "port": "health"}
    assert {item["name"]: item["containerPort"] for item in container["ports"]} == {"health": 8081}


def test_secrets_are_referred_to_and_never_written_out() -> None:
    (container,) = pod(watcher(environment_secret="backend"))["containers"]
    assert [item["name"] for item in container["env"] if "valueFrom" in item] == []
    assert container["envFrom"] == [{"secretRef": {"name": "backend"}}]


def test_the_passphrase_is_a_file_that_the_containers_group_reads() -> None:
    spec = pod(watcher(passphrase={"secret": "weir", "key": "words"}))
    (container,) = spec["containers"]
    (volume,) = (item["secret"] for item in spec["volumes"] if "secret" in item)
    assert volume["secretName"] == "weir"
    (item,) = volume["items"]
    assert item["key"] == "words"
    (mount,) = (item for item in container["volumeMounts"] if item["name"] == "passphrase")
    env = {item["name"]: item.get("value", "") for item in container["env"]}
    assert TEXT not in env
    assert env[FILE] == f"{mount['mountPath']}/{item['path']}"
    assert volume["defaultMode"] == 0o440
    assert spec["securityContext"]["fsGroup"] == spec["securityContext"]["runAsGroup"]


def test_what_is_asked_for_is_on_the_command_line_and_mounted() -> None:
    found = watcher(hooks=True, state_claim="state", replicas=3)
    spec = pod(found)
    (container,) = spec["containers"]
    verb, *arguments = container["args"]
    parser = argparse.ArgumentParser()
    importlib.import_module(VERBS[verb][0]).add_arguments(parser)
    taken = parser.parse_args(arguments)
    assert (taken.stack, taken.metrics, taken.listen) == (["production"], "0.0.0.0:8081", "0.0.0.0:9292")
    page = (PROJECT / "docs" / "dashboard.md").read_text()
    assert "port-forward -n weir-system deploy/weir-watcher-production 9293\n" in page
    assert taken.dashboard == "127.0.0.1:9293"
    assert {"name": "state", "persistentVolumeClaim": {"claimName": "state"}} in spec["volumes"]
    service = found["Service/weir-system/weir-watcher-production"]["spec"]
    assert (
        service["selector"]
        == found["Deployment/weir-system/weir-watcher-production"]["spec"]["selector"]["matchLabels"]
    )
    assert service["ports"][0]["targetPort"] in {item["name"] for item in container["ports"]}


def test_a_watcher_that_acts_as_accounts_writes_nothing_as_itself() -> None:
    found = watcher(accounts=["team-a/deployer", "team-b/deployer"], grants=True)
    written = {
        key: state["rules"] for key, state in found.items() if key.split("/")[0] in ("Role", "ClusterRole")
    }
    name = "weir-watcher-production"
    assert set(written) == {
        f"Role/weir-system/{name}",
        f"ClusterRole//{name}-read",
        f"Role/team-a/{name}-as-deployer",
        f"Role/team-b/{name}-as-deployer",
    }
    assert written[f"Role/team-a/{name}-as-deployer"] == [
        {
            "apiGroups": [""],
            "resources": ["serviceaccounts"],
            "resourceNames": ["deployer"],
            "verbs": ["impersonate"],
        }
    ]
    verbs = {verb for rule in written[f"ClusterRole//{name}-read"] for verb in rule["verbs"]}
    assert verbs == {"get", "list", "watch"}


def test_the_rights_are_those_of_the_example_roles() -> None:
    assert rights.reading() == rules("watcher.yaml")
    apply = rules("apply.yaml")
    assert [rule for rule in [*rights.applying(), *rights.granting()] if rule not in apply] == []
    assert [rule for rule in apply if "impersonate" in rule["verbs"]] == [
        {key: value for key, value in rights.acting_as("x")[0].items() if key != "resourceNames"}
    ]
    own = [
        item for item in yaml.safe_load_all((ROLES / "watcher.yaml").read_text()) if item["kind"] == "Role"
    ]
    assert [item["rules"] for item in own] == [rights.keeping()]


def test_custom_resources_are_in_the_groups_that_are_named() -> None:
    found = watcher(groups=["example.com"])
    for role in ("read", "apply"):
        groups = [
            rule["apiGroups"] for rule in found[f"ClusterRole//weir-watcher-production-{role}"]["rules"]
        ]
        assert any("example.com" in names for names in groups)
    assert "escalate" not in str(found)
    assert "escalate" in str(watcher(grants=True))


@pytest.mark.parametrize("wrong", [{"accounts": ["deployer"]}, {"replicas": 0}], ids=["account", "replicas"])
def test_what_makes_no_sense_is_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(SpecError, match="Watcher"):
        watcher(**wrong)


def test_the_example_program_makes_a_watcher() -> None:
    found = registered(lambda: runpy.run_path(str(EXAMPLE / "__main__.py")) and None)
    assert "Deployment/weir-system/weir-watcher-production" in found
    assert "Service/weir-system/weir-watcher-production" in found


def test_the_image_holds_what_the_pod_starts() -> None:
    lines = (EXAMPLE / "Dockerfile").read_text().splitlines()
    assert 'ENTRYPOINT ["/weir/.venv/bin/weir"]' in lines
    user = int(pod(watcher())["securityContext"]["runAsUser"])
    assert f"USER {user}:{user}" in lines
    copied = [line.split()[1] for line in lines if line.startswith("COPY ") and "--from" not in line]
    assert all((PROJECT / name).exists() for name in copied)
