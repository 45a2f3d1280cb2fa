"""What the cluster's Secrets, ServiceAccounts and namespaces open, for policies and for workloads, and what not."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.fault_proxy import Fault, FaultProxy
from tests.support.image_place import Place, repository_id
from tests.support.kube import Kube
from tests.support.proxy import running_proxy
from tests.support.registry import Registry, htpasswd, running_registry
from tests.support.tls import Authority
from weir.edges.kept import Kept
from weir.spec.errors import SourceError, SpecError

USER, PASSWORD = "robot", "pa55-w0rd$x"
BASIC = "Basic " + base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode()
DOCKER = "kubernetes.io/dockerconfigjson"
OLD = "2024-01-02T03:04:05Z"


@pytest.fixture(scope="module")
def registry(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Registry]:
    """It asks for a username and password."""
    folder = tmp_path_factory.mktemp("registry")
    with running_registry(folder, htpasswd(folder, USER, PASSWORD), BASIC) as running:
        running.push("team/app", "1.0.0", OLD)
        running.push("team/app", "1.1.0", OLD)
        yield running


@pytest.fixture
def place(registry: Registry, tmp_path: Path, kubeconfig: Path, namespace: str) -> Iterator[Place]:
    with FaultProxy(registry.url) as proxy:
        yield Place(registry, proxy, Kept(tmp_path / "kept"), kubeconfig, namespace)


class Cluster:
    """What a test puts into its namespace."""

    def __init__(self, kube: Kube, place: Place) -> None:
        self.kube, self.place = kube, place

    def secret(self, name: str, data: dict[str, bytes], kind: str = "Opaque") -> None:
        encoded = {key: base64.b64encode(value).decode() for key, value in data.items()}
        meta = {"name": name, "namespace": self.place.namespace}
        self.kube.apply(
            {"apiVersion": "v1", "kind": "Secret", "metadata": meta, "type": kind, "data": encoded}
        )

    def login(self, name: str, password: str = PASSWORD) -> None:
        place = f"127.0.0.1:{self.place.proxy.port}"
        document = {"auths": {place: {"username": USER, "password": password}}}
        self.secret(name, {".dockerconfigjson": json.dumps(document).encode()}, DOCKER)

    def account(self, name: str, *secrets: str) -> None:
        meta = {"name": name, "namespace": self.place.namespace}
        pulls = [{"name": secret} for secret in secrets]
        self.kube.apply(
            {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": meta, "imagePullSecrets": pulls}
        )


@pytest.fixture
def cluster(kube: Kube, place: Place) -> Cluster:
    return Cluster(kube, place)


def chosen(place: Place, **spec: Any) -> str:
    return place.version(place.candidates(place.policy(), place.repository(**spec)).choose(None))


def refusal(place: Place, **spec: Any) -> str:
    with pytest.raises((SourceError, SpecError)) as caught:
        chosen(place, **spec)
    text = str(caught.value)
    assert f"ImagePolicy/{place.namespace}/web: " in text
    assert f"ImageRepository/{place.namespace}/app: " in text
    assert PASSWORD not in text
    return text


def test_the_login_of_the_secret_is_used(place: Place, cluster: Cluster) -> None:
    cluster.login("right")
    cluster.login("wrong", "guess")
    assert chosen(place, secretRef={"name": "right"}) == "1.1.0"
    assert "access is denied" in refusal(place)
    assert "access is denied" in refusal(place, secretRef={"name": "wrong"})


def test_the_logins_of_the_service_account_are_used(place: Place, cluster: Cluster) -> None:
    cluster.login("right")
    cluster.secret("other", {".dockerconfigjson": b'{"auths": {}}'}, DOCKER)
    cluster.account("puller", "other", "right")
    assert chosen(place, serviceAccountName="puller") == "1.1.0"


def test_what_is_missing_or_broken_is_named(place: Place, cluster: Cluster) -> None:
    cluster.secret("plain", {"username": USER.encode(), "password": PASSWORD.encode()})
    cluster.account("empty", "absent")
    space = place.namespace
    assert f"Secret/{space}/absent: found nothing" in refusal(place, secretRef={"name": "absent"})
    assert f"Secret/{space}/plain: found no .dockerconfigjson" in refusal(place, secretRef={"name": "plain"})
    assert f"ServiceAccount/{space}/none: found nothing" in refusal(place, serviceAccountName="none")
    assert f"Secret/{space}/absent: found nothing" in refusal(place, serviceAccountName="empty")
    assert f"Secret/{space}/plain: certSecretRef: found none" in refusal(
        place, certSecretRef={"name": "plain"}
    )
    assert f"Secret/{space}/plain: proxySecretRef: key addr" in refusal(
        place, proxySecretRef={"name": "plain"}
    )
    assert place.requests() == []


@pytest.mark.parametrize("provider", ["aws", "azure", "gcp"])
def test_logins_of_clouds_are_not_made_here(place: Place, provider: str) -> None:
    text = refusal(place, provider=provider)
    assert f"spec.provider: found '{provider}', expected generic; give a Docker config" in text


@pytest.mark.parametrize(
    "keys", [("ca.crt", "tls.crt", "tls.key"), ("caFile", "certFile", "keyFile")], ids=str
)
def test_certificates_of_the_secret_are_used(
    place: Place, cluster: Cluster, tmp_path: Path, keys: tuple[str, str, str]
) -> None:
    authority = Authority(tmp_path / "authority")
    pair = authority.issue("client")
    with FaultProxy(place.registry.url, tls=authority.server(require_client=True)) as proxy:
        place.proxy = proxy
        cluster.login("right")
        cluster.secret("certificates", dict(zip(keys, (authority.pem, *pair), strict=True)))
        fields = {"secretRef": {"name": "right"}, "insecure": False}
        assert "not trusted" in refusal(place, **fields)
        assert chosen(place, **fields, certSecretRef={"name": "certificates"}) == "1.1.0"


def test_the_proxy_of_the_secret_is_used(place: Place, cluster: Cluster) -> None:
    cluster.login("right")
    with running_proxy(BASIC) as proxy:
        data = {"address": proxy.url, "username": USER, "password": PASSWORD}
        cluster.secret("proxy", {key: value.encode() for key, value in data.items()})
        assert chosen(place, secretRef={"name": "right"}, proxySecretRef={"name": "proxy"}) == "1.1.0"
        assert proxy.seen


@pytest.mark.parametrize("status", [301, 302, 307, 308])
def test_a_redirect_carries_no_login_to_another_host(place: Place, cluster: Cluster, status: int) -> None:
    cluster.login("right")
    with FaultProxy(place.registry.url) as thief:
        away = Fault(
            path="/tags/list", status=status, headers={"Location": f"{thief.url}/v2/team/app/tags/list"}
        )
        place.proxy.faults.append(away)
        assert "redirects to another host" in refusal(place, secretRef={"name": "right"})
        assert thief.seen == []


def test_access_from_opens_a_repository_to_namespaces_by_label(
    place: Place, kube: Kube, cluster: Cluster
) -> None:
    place.proxy.upstream = place.registry.url
    shared = f"{place.namespace}-shared"
    policy = place.policy(imageRepositoryRef={"name": "app", "namespace": shared})

    def ask(*selectors: dict[str, str]) -> None:
        access = {"namespaceSelectors": [{"matchLabels": labels} for labels in selectors]}
        spec = place.repository(namespace=shared, accessFrom=access)
        place.run().candidates(policy, {repository_id(shared): spec})

    with pytest.raises(
        SpecError, match=f"found 'ImageRepository/{shared}/app', expected one whose spec.accessFrom"
    ):
        ask()
    with pytest.raises(SpecError, match="accessFrom"):
        ask({"team": "web"})
    assert place.requests() == []
    kube.patch("v1", "Namespace", place.namespace, None, {"metadata": {"labels": {"team": "web"}}})
    for selectors in (
        [{"team": "web"}],
        [{"x": "y"}, {}],
        [{"kubernetes.io/metadata.name": place.namespace}],
    ):
        with pytest.raises(SourceError, match="access is denied"):
            ask(*selectors)


def test_a_workload_brings_its_own_logins(place: Place, cluster: Cluster) -> None:
    cluster.login("right")
    cluster.account("puller", "right")
    for fields in ({"pull_secrets": ("absent", "right")}, {"service_account": "puller"}):
        container = place.container(":1.0.0", "semver:~1", **fields)
        assert place.version(place.run().choose_for(container)) == "1.1.0"
    cluster.account("default", "right")
    assert place.version(place.run().choose_for(place.container(":1.0.0", "semver:~1"))) == "1.1.0"


def test_a_workload_without_login_is_told_what_is_missing(place: Place, cluster: Cluster) -> None:
    cluster.secret("broken", {".dockerconfigjson": b'{"auths": []}'}, DOCKER)
    secrets = ("absent", "broken", "../../../kube-system/secrets/x")
    with pytest.raises(SourceError) as caught:
        place.run().choose_for(place.container(":1.0.0", "semver:~1", pull_secrets=secrets))
    space = place.namespace
    assert caught.value.message.startswith(f"web.yaml: Deployment/{space}/web: container web: 127.0.0.1:")
    assert f"there is no Secret/{space}/absent" in caught.value.hint
    assert f"Secret/{space}/broken: key .dockerconfigjson: auths is no map" in caught.value.hint
    assert f"there is no Secret/{space}/../../../kube-system" in caught.value.hint


def test_a_pod_may_not_name_a_secret_by_a_path(place: Place, cluster: Cluster) -> None:
    cluster.login("right")
    sneaky = f"x/../../../namespaces/{place.namespace}/secrets/right"
    for fields in ({"pull_secrets": (sneaky,)}, {"service_account": f"../secrets/{sneaky}"}):
        with pytest.raises(SourceError, match="access is denied"):
            place.run().choose_for(place.container(":1.0.0", "semver:~1", **fields))
