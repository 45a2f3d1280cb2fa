"""A CI job with an ID token asks the watcher for a look: the real engine, API server and identity provider."""

from __future__ import annotations

import time
import urllib.error
import urllib.request
from pathlib import Path

import pytest

from tests.support.issuer import running_issuer, signer
from tests.support.tls import Authority
from tests.support.watching import WatcherRun
from tests.support.world import World, config_map
from weir.notify.hooks import hook_path

pytestmark = [pytest.mark.e2e, pytest.mark.slow, pytest.mark.timeout(400)]


def commit(world: World, text: str) -> None:
    world.commit({"web/all.yaml": [config_map(world.namespace, "web", GREETING=text)]})


def greeting(world: World) -> str:
    found = world.rest.get("v1", "ConfigMap", world.namespace, "web")
    return str(found["data"]["GREETING"]) if found else ""


def post(address: str, path: str, token: str) -> int:
    request = urllib.request.Request(
        f"http://{address}{path}", method="POST", headers={"Authorization": f"Bearer {token}"}
    )
    try:
        with urllib.request.urlopen(request, timeout=20) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as err:
        return err.code


def test_a_job_with_a_token_of_its_issuer_makes_a_commit_live(
    world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    authority = Authority(tmp_path / "ca")
    bundle = tmp_path / "ca.pem"
    bundle.write_bytes(authority.pem)
    monkeypatch.setenv("SSL_CERT_FILE", str(bundle))
    path = hook_path(b"", "ci", world.flux)
    with running_issuer(authority) as issuer:
        validation = {"expression": "claims.repository == 'us/fleet'", "message": "another repository"}
        spec = {
            "type": "generic-oidc",
            "oidcProviders": [{"issuerURL": issuer.url, "validations": [validation]}],
            "resources": [{"kind": "GitRepository", "name": "apps"}],
        }
        receiver = {
            "apiVersion": "notification.toolkit.fluxcd.io/v1",
            "kind": "Receiver",
            "metadata": {"name": "ci", "namespace": world.flux},
            "spec": spec,
        }
        world.units(world.unit("web", "./web"), receiver, interval="1h")
        commit(world, "hello")
        now = int(time.time())
        times = {"iat": now, "nbf": now, "exp": now + 600}
        with WatcherRun(world.stack, "--listen", "127.0.0.1:0") as watcher:
            watcher.wait_for(lambda: greeting(world) == "hello", "the first commit is live", within=120.0)
            watcher.wait_until_said("run done")
            hooks = watcher.address("webhooks")
            commit(world, "told")
            theirs = issuer.token(repository="them/fleet", **times)
            forged = issuer.token(signer("ES256", "two"), repository="us/fleet", **times)
            ours = issuer.token(repository="us/fleet", **times)
            assert [post(hooks, path, token) for token in (theirs, forged, "a.b.c")] == [400] * 3
            watcher.wait_until_said("refuses the ID token: another repository")
            assert post(hooks, path, ours) == 200
            watcher.wait_for(lambda: greeting(world) == "told", "the commit is live")
            for token in (theirs, forged, ours):
                assert not [part for part in token.split(".") if part in watcher.said]
