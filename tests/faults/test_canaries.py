"""S14, S60: twenty secrets go in by every way there is; none comes out in any form, on success or on failure."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Final

import pytest
import yaml

from tests.support.canary import NAMES, Canaries, ProcessSpy, everything_under, files_under
from tests.support.git_server import basic
from tests.support.kube import wait_for
from tests.support.policy import denied
from tests.support.stack import git_repository, kustomization
from tests.support.world import Obj, World, config_map

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(300)]

FROM_GIT: Final = frozenset(name for name in NAMES if name.startswith("secret-"))
"""They are in the source in clear, so Weir's copies of the source hold them, as the source does."""
SOURCES: Final = ("git", "store", "artifacts", "blobs")
"""Folders of the cache that hold what a source held."""

REAL_ONLY: Final = 'request.dryRun == true || !(object.metadata.name in ["echoed", "probe"])'
REPEATED: Final = 'has(object.data) && has(object.data.a) ? "found " + string(object.data.a) : "no"'
"""A policy that says what it saw, as careless ones do."""


def encoded(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


class Vault:
    """A world in which every canary is planted, and everything that was printed since."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.canaries = Canaries()
        self.said: dict[str, str] = {}
        self.programs: set[str] = set()

    def secret(self, name: str, namespace: str = "", **data: str) -> Obj:
        meta = {"name": name, "namespace": namespace or self.world.namespace}
        values = {key: encoded(value) for key, value in data.items()}
        return {"apiVersion": "v1", "kind": "Secret", "metadata": meta, "data": values}

    def plant(self) -> None:
        """Secrets of the cluster, and the password of the Git server."""
        world, hidden = self.world, self.canaries
        world.rest.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": world.flux}})
        world.server.authorization = basic("git", hidden["git-password"])
        known = "127.0.0.1 ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIFlMPkzvSAqJ5dvFPXVLkmrJ2AcC2nO4sCjMzj0aoKvB"
        for name, data in {
            "login": {"username": "git", "password": hidden["git-password"]},
            "wrong": {"username": "git", "password": hidden["git-wrong-password"]},
            "identity": {"identity": f"-----BEGIN {hidden['git-identity']}", "known_hosts": known},
            "values": {"word": hidden["substituted"]},
            "token": {"value": self.kubeconfig({"token": hidden["kubeconfig-token"]})},
            "key": {"value": self.kubeconfig(self.key_pair())},
        }.items():
            world.rest.apply(self.secret(name, world.flux, **data))

    def key_pair(self) -> dict[str, str]:
        key = f"-----BEGIN PRIVATE KEY-----\n{self.canaries['kubeconfig-key']}\n-----END PRIVATE KEY-----\n"
        return {"client-certificate-data": encoded("no certificate"), "client-key-data": encoded(key)}

    def kubeconfig(self, user: dict[str, str]) -> str:
        document = yaml.safe_load(self.world.kubeconfig.read_text())
        document["users"][0]["user"] = user
        return str(yaml.safe_dump(document))

    def unit(self, name: str, **spec: Any) -> Obj:
        return kustomization(name, "closed", f"./{name}", namespace=self.world.flux, **spec)

    def source(self, name: str, secret: str, url: str = "") -> Obj:
        reference = {"secretRef": {"name": secret}} if secret else {}
        return git_repository(
            name, url or self.world.repo.url, namespace=self.world.flux, timeout="5s", **reference
        )

    def run(self, title: str, command: str, *arguments: str) -> int:
        """Run `weir`, keep what it printed, and look at every process that it started."""
        world = self.world
        with ProcessSpy(self.canaries, world.stack.folder) as spy:
            done = world.stack.weir(command, *arguments)
        assert not spy.leaks, sorted(spy.leaks)
        self.programs |= spy.programs
        self.said[title] = done.out
        return done.code

    def search(self) -> None:
        """No canary in what was printed, kept, recorded or reported."""
        world, stack = self.world, self.world.stack
        places: dict[str, str | bytes] = dict(self.said)
        places |= {f"state: {name}": raw for name, raw in files_under(stack.backend)}
        places |= {f"home: {name}": raw for name, raw in files_under(stack.folder / "pulumi-home")}
        places["timings"] = stack.timings_file.read_bytes() if stack.timings_file.exists() else b""
        places["settings"] = stack.config_file.read_bytes()
        for kind, namespace in (("Event", ""), ("ConfigMap", world.checker.record_namespace)):
            found = world.rest.list(world.rest.kind("v1", kind), "", namespace)
            places[f"cluster: {kind}"] = json.dumps(found)
        self.canaries.expect_none(places)
        wait_for(
            lambda: not any(path.is_file() for path in everything_under(stack.cache / "runs")), seconds=20
        )
        for name, raw in files_under(stack.cache):
            allowed = FROM_GIT if name.split("/")[0] in SOURCES else frozenset()
            leaked = set(self.canaries.found(raw)) - allowed
            assert not leaked, f"the cache holds {sorted(leaked)} in {name}"


@pytest.fixture
def vault(world: World) -> Iterator[Vault]:
    made = Vault(world)
    made.plant()
    yield made
    world.rest.delete("v1", "Namespace", "", world.flux)


def good(vault: Vault, turn: str) -> dict[str, list[Obj]]:
    """Secrets that apply: data, stringData, one with an annotation, and a value from a Secret of the cluster."""
    hidden, ns = vault.canaries, vault.world.namespace
    text = {**vault.secret("text"), "stringData": {"b": hidden["secret-string-data"]}}
    changing = vault.secret(
        "changing", value=hidden["secret-changed"] if turn == "2" else hidden["secret-data"]
    )
    fixed = {**vault.secret("fixed", a=hidden["secret-immutable"]), "immutable": True}
    pruned = [vault.secret("pruned", a=hidden["secret-pruned"])] if turn == "1" else []
    live = vault.secret("live")
    word = config_map(ns, "word", WORD="${word}", TURN=turn)
    word["metadata"]["annotations"] = {"note": f"{turn} ${{word}}"}
    former = config_map(ns, "former", WORD="${word}" if turn == "1" else "open")
    patch = {"patch": yaml.safe_dump([{"op": "add", "path": "/data/patched", "value": f"{turn} ${{word}}"}])}
    handed = {"substitute": {"TOKEN": "${word}", "turn": turn}}
    child = vault.unit("child", postBuild=handed, patches=[{**patch, "target": {"kind": "ConfigMap"}}])
    taken = {"substituteFrom": [{"kind": "ConfigMap", "name": "handed"}]}
    taker = vault.unit("taker", postBuild=taken, dependsOn=[{"name": "good"}])
    return {
        "good/secrets.yaml": [text, changing, fixed, live, *pruned],
        "good/maps.yaml": [word, former, config_map(vault.world.flux, "handed", TOKEN="${word}", turn=turn)],
        "good/units.yaml": [child, taker],
        "child/maps.yaml": [config_map(ns, "of-child", TOKEN="${TOKEN} ${turn}")],
        "taker/maps.yaml": [config_map(ns, "of-taker", TOKEN="${TOKEN} ${turn}")],
    }


def test_nothing_shows_when_all_is_well(vault: Vault) -> None:
    """Install, change, preview, diff, status, refresh, drift, and removal, with the engine's loudest log."""
    world, hidden = vault.world, vault.canaries
    world.stack.extra_environment["PULUMI_CONFIG_PASSPHRASE"] = hidden["passphrase"]
    kubectl = vault.secret("live", old=hidden["live-only"])
    kept = json.dumps(vault.secret("live", old=hidden["last-applied"]))
    kubectl["metadata"]["annotations"] = {"kubectl.kubernetes.io/last-applied-configuration": kept}
    world.rest.apply(kubectl, "kubectl")
    world.commit(good(vault, "1"))
    reference = {"substituteFrom": [{"kind": "Secret", "name": "values"}]}
    world.stack.write_objects(
        "stack.yaml", [vault.source("closed", "login"), vault.unit("good", postBuild=reference)]
    )
    assert vault.run("first preview", "preview", "--diff") == 0
    assert vault.run("install", "up", "--", "--logtostderr", "-v=9") == 0
    assert world.live("v1", "ConfigMap", "word")["data"]["WORD"] == hidden["substituted"]
    assert world.live("v1", "ConfigMap", "of-taker")["data"] == {"TOKEN": f"{hidden['substituted']} 1"}
    assert world.live("v1", "ConfigMap", "of-child")["data"] == {
        "TOKEN": f"{hidden['substituted']} 1",
        "patched": f"1 {hidden['substituted']}",
    }
    world.commit(good(vault, "2"))
    drifted = {**vault.secret("text"), "metadata": {"name": "text", "namespace": world.namespace}}
    world.edit(drifted, {"data": {"b": encoded(hidden["live-only"])}})
    world.edit(config_map(world.namespace, "word"), {"data": {"WORD": hidden["live-only"]}})
    assert vault.run("preview", "preview", "--diff") == 0
    assert "Secret/" in vault.said["preview"]
    assert all(name in vault.said["preview"] for name in ("of-child", "of-taker"))
    for form in ("table", "json", "markdown"):
        vault.run(f"diff as {form}", "diff", "--output", form)
    assert vault.run("change", "up", "--", "--logtostderr", "-v=9", "--diff") == 0
    vault.run("status", "get", "all")
    assert vault.run("refresh", "refresh") == 0
    vault.search()
    vault.run("destroy", "destroy", "--yes")
    vault.search()
    assert world.checker.owned() == {}, vault.said["destroy"]
    assert {"pulumi", "git", "pulumi-language"} <= vault.programs, "they were looked at"


def broken(vault: Vault) -> dict[str, list[Obj]]:
    """One unit for each way in which the API server refuses a Secret and may repeat it."""
    hidden = vault.canaries
    invalid = vault.secret("invalid")
    invalid["data"] = {"a": hidden["secret-invalid"]}
    mistyped = {**vault.secret("mistyped"), "stringData": {"a": {"deep": [hidden["secret-mistyped"]]}}}
    field = {**vault.secret("field"), "datum": hidden["secret-plain-field"]}
    fixed = {**vault.secret("fixed", a=hidden["secret-immutable-new"]), "immutable": True}
    return {
        "invalid/a.yaml": [invalid],
        "mistyped/a.yaml": [mistyped],
        "field/a.yaml": [field],
        "echoed/a.yaml": [vault.secret("echoed", a=hidden["secret-echoed"])],
        "fixed/a.yaml": [fixed],
        "far/a.yaml": [config_map(vault.world.namespace, "far", A="1")],
        "near/a.yaml": [config_map(vault.world.namespace, "near", A="1")],
    }


def everything(vault: Vault, failing: Sequence[str]) -> list[Obj]:
    """Sources and units of every kind of failure."""
    world, hidden, flux = vault.world, vault.canaries, vault.world.flux
    remotes = {name: {"kubeConfig": {"secretRef": {"name": name}}} for name in ("token", "key")}
    odd_url = world.repo.url.replace("://", f"://git:{hidden.plain('url-password')}@")
    sources = {
        "wrong": vault.source("wrong", "wrong"),
        "identity": vault.source("identity", "identity", f"ssh://git@127.0.0.1:{world.server.port}/x.git"),
        "userinfo": vault.source("userinfo", "", odd_url),
    }
    return [
        vault.source("closed", "login"),
        vault.unit("near"),
        *(vault.unit(name) for name in failing),
        *(
            kustomization(f"remote-{name}", "closed", "./far", namespace=flux, **spec)
            for name, spec in remotes.items()
        ),
        *sources.values(),
        *(kustomization(f"of-{name}", name, "./far", namespace=flux) for name in sources),
    ]


@pytest.mark.faults
def test_nothing_shows_when_everything_fails(vault: Vault) -> None:
    """Refused, invalid, mistyped and immutable Secrets, wrong passwords, broken keys, a policy that repeats them."""
    world, hidden = vault.world, vault.canaries
    world.stack.extra_environment["PULUMI_CONFIG_PASSPHRASE"] = hidden["passphrase"]
    world.commit(
        {
            **broken(vault),
            "fixed/a.yaml": [{**vault.secret("fixed", a=hidden["secret-immutable"]), "immutable": True}],
        }
    )
    world.stack.write_objects(
        "stack.yaml", [vault.source("closed", "login"), vault.unit("fixed"), vault.unit("near")]
    )
    assert vault.run("before", "up") == 0
    world.commit(broken(vault))
    failing = ("invalid", "mistyped", "field", "echoed", "fixed")
    world.stack.write_objects("stack.yaml", everything(vault, failing))
    with denied(world.rest, world.namespace, REAL_ONLY, echo=REPEATED):
        vault.run("preview", "preview", "--diff")
        assert vault.run("up", "up", "--", "--logtostderr", "-v=9") != 0
        assert vault.run("up again", "up") != 0
        for form in ("table", "json", "markdown"):
            vault.run(f"diff as {form}", "diff", "--output", form)
    vault.run("status", "get", "all")
    quiet = vault.said["up again"]
    assert [name for name in failing if f"Secret/{world.namespace}/{name}" not in quiet] == [], quiet
    assert "Traceback" not in quiet
    vault.search()


def test_the_search_finds_what_is_there(tmp_path: Path) -> None:
    """The judge can fail: plain, base64 at each offset, quoted, hexadecimal, deflated."""
    canaries = Canaries()
    secret = canaries["git-password"]
    for before in ("", "x", "xy", "user:"):
        assert canaries.found(base64.b64encode((before + secret).encode())) == ("git-password",)
    assert canaries.found(secret.encode().hex()) == ("git-password",)
    assert canaries.found("nothing to see") == ()
    with pytest.raises(AssertionError, match="log: git-password"):
        canaries.expect_none({"log": f"failed for {secret}"})
