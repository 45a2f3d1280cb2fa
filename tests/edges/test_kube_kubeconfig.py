"""Kubeconfigs: what the user's own may say, and what one out of a Secret may not."""

from __future__ import annotations

import base64
import tempfile
from pathlib import Path
from typing import Any

import pytest
import yaml

from weir.edges.kube.client import Kube
from weir.edges.kube.credentials import Credentials
from weir.edges.kube.kubeconfig import load, load_untrusted
from weir.spec.errors import ClusterError, SpecError


def read(kubeconfig: Path) -> dict[str, Any]:
    return dict(yaml.safe_load(kubeconfig.read_text()))


def write(path: Path, document: dict[str, Any]) -> Path:
    path.write_text(yaml.safe_dump(document))
    return path


def test_token_from_an_exec_plugin_is_used_and_kept(kubeconfig: Path, tmp_path: Path) -> None:
    document = read(kubeconfig)
    token = document["users"][0]["user"].pop("token")
    answer = f'{{"kind": "ExecCredential", "status": {{"token": "{token}"}}}}'
    plugin = tmp_path / "plugin"
    plugin.write_text(f"#!/bin/sh\necho x >> {tmp_path}/calls\necho '{answer}'\n")
    plugin.chmod(0o755)
    document["users"][0]["user"]["exec"] = {
        "apiVersion": "client.authentication.k8s.io/v1",
        "command": "./plugin",
        "interactiveMode": "Never",
    }
    kube = Kube(load(str(write(tmp_path / "config", document))))
    for _ in range(3):
        kube.request("GET", "/api/v1/namespaces/kube-system")
    assert (tmp_path / "calls").read_text() == "x\n"


def test_exec_plugin_that_fails_is_named(kubeconfig: Path, tmp_path: Path) -> None:
    document = read(kubeconfig)
    document["users"][0]["user"] = {"exec": {"command": "/bin/false", "installHint": "log in first"}}
    with pytest.raises(ClusterError, match=r"/bin/false gave no credential.*; log in first"):
        Credentials(load(str(write(tmp_path / "config", document)))).token()


def test_files_beside_the_kubeconfig_are_read(kubeconfig: Path, tmp_path: Path) -> None:
    document = read(kubeconfig)
    cluster, user = document["clusters"][0]["cluster"], document["users"][0]["user"]
    (tmp_path / "ca.pem").write_bytes(base64.b64decode(cluster.pop("certificate-authority-data")))
    (tmp_path / "token").write_text(user.pop("token") + "\n")
    cluster["certificate-authority"], user["tokenFile"] = "ca.pem", "token"
    kube = Kube(load(str(write(tmp_path / "config", document))))
    assert kube.request("GET", "/version")["major"] == "1"


def test_contexts_choose_and_a_missing_one_lists_the_others(kubeconfig: Path) -> None:
    name = read(kubeconfig)["current-context"]
    assert load(str(kubeconfig), name).server.startswith("https://")
    with pytest.raises(SpecError, match=f"found 'nope', expected one of {name}"):
        load(str(kubeconfig), "nope")


def test_who_the_user_acts_as_is_who_asks_unless_somebody_else_does(kubeconfig: Path, tmp_path: Path) -> None:
    document = read(kubeconfig)
    document["users"][0]["user"] |= {
        "as": "jane",
        "as-uid": "4711",
        "as-groups": ["ops", "on, call"],
        "as-user-extra": {"Reason/ticket": ["INC-7", "INC-8"]},
    }
    kube = Kube(load(str(write(tmp_path / "config", document))))

    def who(client: Kube) -> Any:
        review = {"apiVersion": "authentication.k8s.io/v1", "kind": "SelfSubjectReview"}
        answer = client.request("POST", "/apis/authentication.k8s.io/v1/selfsubjectreviews", body=review)
        return answer["status"]["userInfo"]

    assert who(kube) == {
        "username": "jane",
        "uid": "4711",
        "groups": ["ops", "on, call", "system:authenticated"],
        "extra": {"reason/ticket": ["INC-7", "INC-8"]},
    }
    assert who(kube.acting_as("joe")) == {"username": "joe", "groups": ["system:authenticated"]}


@pytest.mark.parametrize(
    ("user", "why"),
    [
        ({"as-groups": ["ops"]}, "user admin: as: found nothing, expected a user name beside"),
        ({"as": "jane", "as-groups": "ops"}, "as-groups: found 'ops', expected a list of names"),
        ({"as": "jane", "as-user-extra": {"a": "b"}}, "as-user-extra: found .*, expected a list of texts"),
    ],
)
def test_half_of_somebody_to_act_as_is_an_error(
    kubeconfig: Path, tmp_path: Path, user: dict[str, Any], why: str
) -> None:
    document = read(kubeconfig)
    document["users"][0]["user"] |= user
    with pytest.raises(SpecError, match=why):
        load(str(write(tmp_path / "config", document)))


def test_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(ClusterError, match="correct weir:cluster kubeconfig"):
        load(str(tmp_path / "none"))


def test_kubeconfig_of_a_secret_works_inline(kubeconfig: Path) -> None:
    access = load_untrusted(kubeconfig.read_text(), "Secret/apps/remote: value")
    assert Kube(access).request("GET", "/version")["major"] == "1"


@pytest.mark.parametrize(
    ("part", "field", "value"),
    [
        ("users", "exec", {"command": "touch"}),
        ("users", "auth-provider", {"name": "gcp"}),
        ("users", "tokenFile", "/etc/hostname"),
        ("users", "client-key", "/etc/hostname"),
        ("users", "client-certificate", "/etc/hostname"),
        ("users", "as", "admin"),
        ("clusters", "certificate-authority", "/etc/hostname"),
        ("clusters", "proxy-url", "http://127.0.0.1:1"),
        ("clusters", "insecure-skip-tls-verify", True),
        ("clusters", "server", "http://127.0.0.1:1"),
    ],
)
def test_kubeconfig_of_a_secret_runs_and_reads_nothing(
    kubeconfig: Path, tmp_path: Path, part: str, field: str, value: Any
) -> None:
    document = read(kubeconfig)
    mark = tmp_path / "mark"
    if field == "exec":
        value = {"command": "touch", "args": [str(mark)]}
    document[part][0][part.removesuffix("s")][field] = value
    with pytest.raises(
        SpecError, match=f"Secret/apps/remote: value: {part.removesuffix('s')}.{field}"
    ) as caught:
        load_untrusted(yaml.safe_dump(document), "Secret/apps/remote: value")
    assert document["users"][0]["user"]["token"] not in str(caught.value)
    assert not mark.exists()
    assert Path("/etc/hostname").read_text().strip() not in str(caught.value)


@pytest.mark.parametrize("text", ["", "[]", "a: b", "{", "x" * (1024 * 1024 + 1)])
def test_what_is_no_kubeconfig_is_refused(text: str) -> None:
    with pytest.raises(SpecError, match="Secret/apps/remote"):
        load_untrusted(text, "Secret/apps/remote")


def test_client_certificate_leaves_no_file_behind(
    kubeconfig: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    document = read(kubeconfig)
    user = document["users"][0]["user"]
    user["client-certificate-data"] = user["client-key-data"] = base64.b64encode(b"no certificate").decode()
    access = load(str(write(tmp_path / "config", document)))
    folder = tmp_path / "temporary"
    folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    with pytest.raises(ClusterError, match="unusable certificates or key"):
        Credentials(access).tls()
    assert list(folder.iterdir()) == []
