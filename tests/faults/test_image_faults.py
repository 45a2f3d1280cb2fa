"""S42, S50, R07: whatever a registry does, no wrong tag, no login elsewhere, a clear word, and units that go on."""

from __future__ import annotations

import base64
import contextlib
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import pytest

from tests.support import image_objects as objects
from tests.support.fault_proxy import Fault, FaultProxy
from tests.support.git_server import basic
from tests.support.registry import Registry, htpasswd, running_registry
from tests.support.tls import Authority
from tests.support.world import World, config_map

pytestmark = [pytest.mark.e2e]

LIST: Final = "/tags/list"
PASSWORD: Final = "registry-4c1d7a"
LOGIN: Final = basic("robot", PASSWORD)
QUICK: Final = ("429",)
LONG: Final = ("500", "truncated", "slow", "moved", "moved to TLS", "realm", "down")


@dataclass
class Gate:
    """A registry that wants a login, behind a proxy that spoils it, beside others that would serve the same."""

    registry: Registry
    proxy: FaultProxy
    thieves: Sequence[FaultProxy]
    """Plain and with TLS; neither is the host that the login is for."""

    @property
    def image(self) -> str:
        return f"127.0.0.1:{self.proxy.port}/team/web"

    def spoil(self, name: str) -> None:
        """Do to tag lists what the name says; to moves and challenges only once the login was shown."""
        plain, tls = self.thieves
        ask = Fault(path=LIST, status=401, headers={"WWW-Authenticate": 'Basic realm="team"'}, times=1)
        realm = f'Bearer realm="http://localhost:{plain.port}/token",service="team"'
        faults = {
            "429": [Fault(path=LIST, status=429, retry_after="3600")],
            "500": [Fault(path=LIST, status=500)],
            "truncated": [ask, Fault(path=LIST, cut_after=20)],
            "slow": [Fault(path=LIST, delay=4)],
            "moved": [ask, _redirect(plain)],
            "moved to TLS": [ask, _redirect(tls)],
            "realm": [ask, Fault(path=LIST, status=401, headers={"WWW-Authenticate": realm})],
        }
        self.proxy.faults[:] = faults.get(name, [])
        self.proxy.down = name == "down"

    def heal(self) -> None:
        self.proxy.faults.clear()
        self.proxy.down = False


def _redirect(to: FaultProxy) -> Fault:
    return Fault(path=LIST, status=307, headers={"Location": f"{to.url}/v2/team/web{LIST}"})


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority(tmp_path / "authority")


@pytest.fixture
def gate(tmp_path: Path, authority: Authority) -> Iterator[Gate]:
    folder = tmp_path / "registry"
    auth = htpasswd(folder, "robot", PASSWORD)
    with contextlib.ExitStack() as stack:
        registry = stack.enter_context(running_registry(folder, auth, LOGIN))
        proxy = stack.enter_context(FaultProxy(registry.url))
        plain = stack.enter_context(FaultProxy(registry.url))
        tls = stack.enter_context(FaultProxy(registry.url, tls=authority.server()))
        yield Gate(registry, proxy, (plain, tls))


@pytest.fixture
def closed(world: World, gate: Gate, authority: Authority) -> Iterator[World]:
    """A world with a policy that logs in, an automation, a unit with the image, and one that has none."""
    world.rest.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": world.flux}})
    logins = {f"127.0.0.1:{gate.proxy.port}": {"username": "robot", "password": PASSWORD}}
    config = json.dumps({"auths": logins}).encode()
    _secret(world, "login", "kubernetes.io/dockerconfigjson", {".dockerconfigjson": config})
    _secret(world, "trust", "Opaque", {"ca.crt": authority.pem})
    login = {"secretRef": {"name": "login"}, "certSecretRef": {"name": "trust"}}
    world.units(
        objects.repository(world, "web", gate.image, timeout="2s", **login),
        objects.policy(world, "web"),
        objects.automation(world, "./web"),
        world.unit("web", "./web", wait=True, timeout="1m"),
        plain="./plain",
    )
    yield world
    world.rest.delete("v1", "Namespace", "", world.flux)


def _secret(world: World, name: str, kind: str, data: dict[str, bytes]) -> None:
    encoded = {key: base64.b64encode(value).decode() for key, value in data.items()}
    meta = {"name": name, "namespace": world.flux}
    world.rest.apply({"apiVersion": "v1", "kind": "Secret", "metadata": meta, "type": kind, "data": encoded})


def manifest(world: World, gate: Gate, tag: str) -> str:
    return objects.workload(
        world.namespace, "web", [("main", f"{gate.image}:{tag}")], markers=[f"{world.flux}:web"]
    )


def commit_plain(world: World, value: str, **files: str) -> str:
    return world.commit({**files, "plain/a.yaml": [config_map(world.namespace, "plain", A=value)]})


def expect_unseen(world: World, gate: Gate, *texts: str) -> None:
    """The login went to its own host alone, and is in no output and in no state."""
    for thief in gate.thieves:
        for request in thief.seen:
            assert "authorization" not in request.headers, request.path
            assert "cookie" not in request.headers
            assert PASSWORD not in request.path
    state = world.stack.state_file.read_text()
    for text in (*texts, state):
        assert PASSWORD not in text
        assert LOGIN.removeprefix("Basic ") not in text


def expect_same(world: World, gate: Gate, name: str, out: str, head: str) -> None:
    """The image stays, in Git and in the cluster, all units are as Git says, and people are told why."""
    assert "Traceback" not in out, name
    assert f"ImageRepository/{world.flux}/web" in out, f"{name}: it says which repository"
    assert world.repo.head() == head, name
    world.judge(web="web", plain="plain")
    assert objects.images_of(world, "web") == [f"{gate.image}:6.5.0"], name


@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.parametrize("names", [QUICK, LONG], ids=("429", "others"))
def test_a_registry_in_trouble_moves_no_image_and_stops_no_unit(
    closed: World, gate: Gate, names: Sequence[str]
) -> None:
    world = closed
    gate.registry.push("team/web", "6.5.0")
    commit_plain(world, "start", **{"web/web.yaml": manifest(world, gate, "6.5.0")})
    world.stack.up().must()
    gate.registry.push("team/web", "6.5.1")
    for name in names:
        gate.spoil(name)
        head = commit_plain(world, name)
        told = world.stack.up().must().out
        expect_same(world, gate, name, told, head)
        assert "these are the tags of 20" in told, f"{name}: the last good ones"
        shown = world.stack.weir("get", "images", "policy", "-n", world.flux).must().out
        assert f"Latest image tag for {gate.image} resolved to 6.5.0" in shown, name
        expect_unseen(world, gate, told, shown)
        assert "these are the tags of 20" in objects.remembered(world, "ImagePolicy", "web")["message"]
    gate.heal()
    world.stack.up().must()
    assert world.repo.files()["web/web.yaml"] == manifest(world, gate, "6.5.1")
    assert objects.images_of(world, "web") == [f"{gate.image}:6.5.1"]
    assert "these are the tags" not in objects.remembered(world, "ImagePolicy", "web")["message"]


@pytest.mark.faults
@pytest.mark.timeout(600)
@pytest.mark.parametrize("name", [*QUICK, *LONG])
def test_a_registry_that_never_answered_is_an_error_of_its_policy_alone(
    closed: World, gate: Gate, name: str
) -> None:
    world = closed
    gate.registry.push("team/web", "6.5.0")
    gate.registry.push("team/web", "6.5.1")
    head = commit_plain(world, name, **{"web/web.yaml": manifest(world, gate, "6.5.0")})
    gate.spoil(name)
    told = world.stack.up().must_fail().out
    expect_same(world, gate, name, told, head)
    record = objects.remembered(world, "ImagePolicy", "web")
    assert record["status"] == "False"
    assert f"ImageRepository/{world.flux}/web" in record["message"]
    shown = world.stack.weir("get", "images", "policy", "-n", world.flux).must().out
    expect_unseen(world, gate, told, shown, json.dumps(record))
