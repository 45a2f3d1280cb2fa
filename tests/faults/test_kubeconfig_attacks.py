"""S02: a kubeconfig out of a Secret runs nothing, reads no file, trusts nobody blindly (CVE-2022-24817)."""

from __future__ import annotations

import base64
import copy
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.support.invariants import expect_whole
from tests.support.world import World, config_map
from weir.edges.kube.kubeconfig import load_untrusted
from weir.spec.errors import SpecError

HOSTILE: dict[str, tuple[str, dict[str, Any]]] = {
    "exec": ("user", {"exec": {"apiVersion": "client.authentication.k8s.io/v1", "command": "{program}"}}),
    "auth-provider": ("user", {"auth-provider": {"name": "gcp", "config": {"cmd-path": "{program}"}}}),
    "tokenFile": ("user", {"tokenFile": "{secret}"}),
    "client-key": ("user", {"client-certificate": "{secret}", "client-key": "{secret}"}),
    "password": ("user", {"username": "admin", "password": "pw"}),
    "impersonation": ("user", {"as": "system:admin", "as-groups": ["system:masters"]}),
    "certificate-authority": ("cluster", {"certificate-authority": "{secret}"}),
    "insecure": ("cluster", {"insecure-skip-tls-verify": True}),
    "proxy-url": ("cluster", {"proxy-url": "http://127.0.0.1:9"}),
    "plain http": ("cluster", {"server": "http://127.0.0.1:9"}),
    "file url": ("cluster", {"server": "file:///etc/passwd"}),
    "user info": ("cluster", {"server": "https://user:pw@127.0.0.1:9"}),
}


@pytest.fixture
def traps(tmp_path: Path) -> tuple[Path, Path, Path]:
    """A program that leaves a mark when it runs, the mark, and a file that must not be read."""
    program, mark, secret = tmp_path / "program", tmp_path / "mark", tmp_path / "host-secret"
    program.write_text(f"#!/bin/sh\ntouch {mark}\n")
    program.chmod(0o755)
    secret.write_text("host-secret-5f0c2a")
    return program, mark, secret


def spoiled(kubeconfig: Path, how: str, traps: tuple[Path, Path, Path]) -> str:
    """A kubeconfig that works but for one hostile field."""
    part, extra = HOSTILE[how]
    document = yaml.safe_load(kubeconfig.read_text())
    target = document["users"][0]["user"] if part == "user" else document["clusters"][0]["cluster"]
    target.update(filled(extra, traps))
    return str(yaml.safe_dump(document))


def filled(value: Any, traps: tuple[Path, Path, Path]) -> Any:
    if isinstance(value, dict):
        return {key: filled(item, traps) for key, item in value.items()}
    if isinstance(value, str):
        return value.replace("{program}", str(traps[0])).replace("{secret}", str(traps[2]))
    return copy.copy(value)


@pytest.mark.parametrize("how", HOSTILE)
def test_a_hostile_field_is_refused_by_name_without_its_value(
    kubeconfig: Path, traps: tuple[Path, Path, Path], how: str
) -> None:
    with pytest.raises(SpecError) as refused:
        load_untrusted(spoiled(kubeconfig, how, traps), "Secret/apps/remote: value")
    text = str(refused.value)
    assert "Secret/apps/remote" in text
    assert "host-secret-5f0c2a" not in text
    assert "pw" not in text.split()
    assert not traps[1].exists()


@pytest.mark.parametrize(
    "text", ["", "[]", "a: &a [*a]", "\0", "kind: Config", "x" * 2_000_000, "!!python/object:os.system {}"]
)
def test_what_is_no_kubeconfig_is_refused(text: str) -> None:
    with pytest.raises(SpecError, match="Secret/apps/remote"):
        load_untrusted(text, "Secret/apps/remote: value")


def secret(namespace: str, name: str, text: str, key: str = "value") -> dict[str, Any]:
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": name, "namespace": namespace},
        "data": {key: base64.b64encode(text.encode()).decode()},
    }


@pytest.fixture
def tenant(world: World) -> Iterator[World]:
    """A world whose Flux namespace exists, for Secrets."""
    world.rest.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": world.flux}})
    yield world
    world.rest.delete("v1", "Namespace", "", world.flux)


@pytest.mark.e2e
@pytest.mark.timeout(120)
def test_units_with_hostile_kubeconfigs_fail_alone_and_an_honest_one_works(
    tenant: World, traps: tuple[Path, Path, Path]
) -> None:
    world, ns = tenant, tenant.namespace
    hows = ("exec", "tokenFile", "certificate-authority", "insecure", "proxy-url", "auth-provider")
    files = {f"{how}/a.yaml": [config_map(ns, f"bad-{how.lower()}", A="1")] for how in hows}
    world.commit(
        {
            **files,
            "good/a.yaml": [config_map(ns, "good", A="1")],
            "near/a.yaml": [config_map(ns, "near", A="1")],
        }
    )
    units = [world.unit("near", "./near")]
    for how in hows:
        name = f"bad-{how.lower()}"
        world.rest.apply(secret(world.flux, name, spoiled(world.kubeconfig, how, traps)))
        units.append(world.unit(name, f"./{how}", kubeConfig={"secretRef": {"name": name}}))
    world.rest.apply(secret(world.flux, "good", world.kubeconfig.read_text(), "value.yaml"))
    units.append(world.unit("good", "./good", kubeConfig={"secretRef": {"name": "good"}}))
    world.units(*units)
    failed = world.stack.up().must_fail()
    for how in hows:
        assert f"bad-{how.lower()}" in failed.out
        assert world.gone("v1", "ConfigMap", f"bad-{how.lower()}")
    assert not traps[1].exists()
    assert "host-secret-5f0c2a" not in failed.out + world.stack.state_file.read_text()
    assert "Traceback" not in failed.out
    assert world.live("v1", "ConfigMap", "good")["data"] == {"A": "1"}
    world.units(world.unit("near", "./near"), units[-1])
    world.stack.up().must()
    expect_whole(world, near="near", good="good")
