"""What somebody may not do, or a cluster does not let be known, is an error of its unit and never taken for success."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from tests.support.kube import Kube as Rest
from tests.support.rights import grant, user_of
from tests.support.units import Unit, config_map
from weir.edges.kube.client import Kube
from weir.edges.kube.discovery import Discovery
from weir.edges.kube.kubeconfig import load
from weir.flow.moves import target_of
from weir.spec.errors import ClusterError


@pytest.fixture
def unit(kubeconfig: Path, namespace: str) -> Unit:
    return Unit(kubeconfig, namespace)


def test_a_key_that_may_not_be_removed_is_no_success(unit: Unit, kube: Rest, namespace: str) -> None:
    """Only the server can say that a field of ours is gone, and it does not say it to who may not write."""
    unit.must_apply([config_map(namespace, "a", {"key": "1", "old": "1"})])
    grant(kube, namespace, "get", "list", account="viewer")
    reader = unit.kube.acting_as(user_of(namespace, "viewer"))
    unit.kube, unit.discovery = reader, Discovery(reader)
    result = unit.apply([config_map(namespace, "a", {"key": "1"})], "main@sha1:2")
    assert result.condition.status == "False"
    assert "forbidden" in result.condition.message
    assert result.record.revision == "main@sha1:1"


def test_a_login_that_expired_is_said_as_it_is(unit: Unit, namespace: str, tmp_path: Path) -> None:
    document = yaml.safe_load(unit.kubeconfig.read_text())
    document["users"][0]["user"] = {"token": "expired"}
    expired = tmp_path / "expired.yaml"
    expired.write_text(yaml.safe_dump(document))
    unit.must_apply([config_map(namespace, "a")])
    record = unit.records.read(unit.spec().id)
    assert record
    bad = Kube(load(str(expired)))
    unit.kube, unit.discovery = bad, Discovery(bad)
    with pytest.raises(ClusterError, match="Unauthorized"):
        unit.plan([config_map(namespace, name) for name in "ab"])


def test_a_server_that_is_away_is_asked_once_and_not_for_every_object(
    unit: Unit, namespace: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = []

    def away(_: Discovery, api_version: str, kind: str) -> None:
        asked.append((api_version, kind))
        raise ClusterError("the server is away")

    monkeypatch.setattr(Discovery, "resource", away)
    with pytest.raises(ClusterError, match="the server is away"):
        unit.plan([config_map(namespace, name) for name in "abc"])
    assert len(asked) == 1


def test_two_keys_of_one_secret_are_two_clusters_and_the_default_is_no_third(unit: Unit) -> None:
    def target(**key: str) -> str:
        return target_of(unit.spec(kubeConfig={"secretRef": {"name": "clusters", **key}}))

    assert target(key="east") != target(key="west")
    assert target(key="east") == target(key="east")
    assert target() == target(key="value") == target(key="value.yaml")


def test_a_kubeconfig_that_was_renewed_is_read_again(unit: Unit, kube: Rest, namespace: str) -> None:
    def store(token: str) -> None:
        document = yaml.safe_load(unit.kubeconfig.read_text())
        document["users"][0]["user"] = {"token": token}
        body = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "far", "namespace": namespace}}
        kube.apply({**body, "stringData": {"value": yaml.safe_dump(document)}})

    clusters, spec = unit.clusters(), unit.spec(kubeConfig={"secretRef": {"name": "far"}})
    store("one")
    first = clusters.target(spec)
    assert clusters.target(spec)[0] is first[0], "connections are kept"
    assert first[0].access.token == "one"
    store("two")
    assert clusters.target(spec)[0].access.token == "two"
