"""S50: credentials go to the host they are for, and to no other that a redirect or a challenge names."""

from __future__ import annotations

import base64
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from tests.support.git_server import GitServer, basic
from tests.support.stack import git_repository, kustomization
from tests.support.world import World, config_map

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(120)]

PASSWORD = "redirected-9b7e"


@pytest.fixture
def thief(tmp_path: Path) -> Iterator[GitServer]:
    """A second server, on another port, that would serve the same repository and notes every header."""
    with GitServer(tmp_path / "git", host="127.0.0.1") as server:
        yield server


@pytest.fixture
def closed(world: World) -> Iterator[World]:
    """A world whose Git server wants a password, which the cluster holds."""
    world.server.authorization = basic("git", PASSWORD)
    world.rest.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": world.flux}})
    data = {"username": "git", "password": PASSWORD}
    secret = {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": "login", "namespace": world.flux},
        "data": {key: base64.b64encode(value.encode()).decode() for key, value in data.items()},
    }
    world.rest.apply(secret)
    yield world
    world.rest.delete("v1", "Namespace", "", world.flux)


def declare(world: World) -> None:
    source = git_repository("closed", world.repo.url, namespace=world.flux, secretRef={"name": "login"})
    world.stack.write_objects(
        "stack.yaml", [source, kustomization("web", "closed", "./web", namespace=world.flux)]
    )


def expect_unseen(world: World, thief: GitServer, out: str) -> None:
    for request in thief.requests:
        assert "authorization" not in request.headers, request.path
        assert "cookie" not in request.headers
        assert PASSWORD not in request.path
    assert PASSWORD not in out
    assert base64.b64encode(f"git:{PASSWORD}".encode()).decode() not in out


@pytest.mark.faults
@pytest.mark.parametrize("codes", [(302,), (301, 307, 308)], ids=("302", "others"))
def test_a_redirect_to_another_host_gets_no_credentials(
    closed: World, thief: GitServer, codes: Sequence[int]
) -> None:
    world, trouble = closed, closed.server.trouble
    world.commit({"web/a.yaml": [config_map(world.namespace, "web", A="1")]})
    declare(world)
    elsewhere = [(thief.url, status) for status in codes]
    for url, status in [*elsewhere, (f"http://localhost:{thief.port}", 302)]:
        trouble.redirect, trouble.redirect_status = url, status
        told = world.stack.up()
        expect_unseen(world, thief, told.out)
        assert f"GitRepository/{world.flux}/closed" in told.out, "a redirect elsewhere is told"
        assert "Traceback" not in told.out
        assert world.gone("v1", "ConfigMap", "web"), (
            "another host's content is not applied with this one's trust"
        )
    trouble.redirect = ""
    world.stack.up().must()
    world.judge(web="web")
