"""The demo names what it could not remove, and the plugin that gave it no credential."""

from __future__ import annotations

import socket
import struct
import threading
from pathlib import Path

import pytest
import yaml
from urllib3.exceptions import HTTPError

from demo.registry import Registry
from demo.rest import Rest, RestError
from demo.server import GitServer, Repository, git
from demo.stack import StackRun
from demo.story import Story
from tests.support.tiny_engine import wait_until
from weir.spec.errors import ClusterError


class Refusing(Rest):
    """An API server where nothing is, that lets nobody delete a namespace and breaks off at cluster roles."""

    def get(self, api_version: str, kind: str, namespace: str, name: str) -> None:
        """See `Rest`."""

    def delete(self, api_version: str, kind: str, namespace: str, name: str) -> None:
        """See `Rest`."""
        assert name.startswith("weir-demo") or "demo.weir" in name
        assert not namespace
        if (api_version, kind) == ("v1", "Namespace"):
            raise RestError(403, "namespaces is forbidden")
        if kind == "ClusterRole":
            raise HTTPError("connection reset")


def test_what_cannot_be_removed_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run = StackRun(folder=tmp_path / "stack", kubeconfig=tmp_path / "kubeconfig")
    repository = Repository(tmp_path / "shop.git", tmp_path / "shop")
    rest = Refusing("https://kitchen.example", None, {})
    story = Story(run, rest, repository, Registry("http://127.0.0.1:1", tmp_path), {})
    story.refuse_foreign()
    story.leave_nothing()
    names = "namespace/weir-demo-dev namespace/weir-demo-staging namespace/weir-demo-production namespace/weir-demo"
    shown = capsys.readouterr().err
    assert f"✗ not removed: {names.replace(' ', ', ')}: the API server refused with 403: " in shown
    assert f"To remove it: kubectl delete {names}\n" in shown
    assert "✗ not removed: clusterrole/weir-demo-storefront-viewer: the API server gave no answer" in shown
    assert "priorityclass" not in shown


@pytest.mark.parametrize(
    ("command", "found"),
    [
        ("echo 'please log in' >&2; exit 1", "please log in"),
        ("echo nothing useful", "JSONDecodeError"),
        ("exit 1", "CalledProcessError"),
    ],
)
def test_a_plugin_without_credential_is_named(tmp_path: Path, command: str, found: str) -> None:
    plugin = {"apiVersion": "client.authentication.k8s.io/v1", "command": "sh", "args": ["-c", command]}
    with pytest.raises(ClusterError, match=f"^sh: found {found}, expected a credential; log in"):
        Rest.load(kubeconfig(tmp_path, {"exec": plugin}))


def test_a_certificate_that_is_none_is_named(tmp_path: Path) -> None:
    with pytest.raises(ClusterError, match="found no usable certificate and key"):
        Rest.load(kubeconfig(tmp_path, {"client-certificate-data": "YQ==", "client-key-data": "YQ=="}))


def kubeconfig(folder: Path, user: dict[str, object]) -> Path:
    config = {
        "current-context": "kitchen",
        "contexts": [{"name": "kitchen", "context": {"cluster": "kitchen", "user": "cook"}}],
        "clusters": [{"name": "kitchen", "cluster": {"server": "https://kitchen.example:6443"}}],
        "users": [{"name": "cook", "user": user}],
    }
    file = folder / "kubeconfig"
    file.write_text(yaml.safe_dump(config))
    return file


def test_a_client_that_goes_away_leaves_no_words(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    others = set(threading.enumerate())
    with GitServer(tmp_path) as server:
        server.repository("shop")
        host, port = server.url.removeprefix("http://").split(":")
        with socket.create_connection((host, int(port))) as client:
            client.sendall(b"POST /shop.git/git-upload-pack HTTP/1.0\r\nContent-Length: 100\r\n\r\n")
            client.setsockopt(
                socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0)
            )  # closes by a reset
        git("ls-remote", f"{server.url}/shop.git", cwd=tmp_path)  # so that the first one was accepted
        ours = {one for one in threading.enumerate() if "process_request" in one.name} - others
        wait_until(lambda: not any(one.is_alive() for one in ours))
    assert capsys.readouterr().err == ""
