"""A unit whose kubeconfig leads to another cluster than before: nothing is applied, pruned or forgotten."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import orjson
import pytest
import yaml

from tests.support.kube import Kube as Rest
from tests.support.rights import grant
from tests.support.units import Unit, config_map
from weir.edges.kube.client import Kube
from weir.edges.kube.writing import cluster_uid
from weir.edges.local_cluster import running_cluster
from weir.flow import clusters as module
from weir.flow.apply import UnitResult, apply_unit
from weir.flow.clusters import Clusters
from weir.flow.plan import Request
from weir.objects.annotations import ALLOW_CLUSTER
from weir.spec.errors import ClusterError
from weir.spec.record import UnitRecord


@pytest.fixture(scope="module")
def elsewhere(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The kubeconfig of a second cluster."""
    with running_cluster(tmp_path_factory.mktemp("elsewhere") / "cluster") as cluster:
        yield cluster.kubeconfig


@pytest.fixture
def other(elsewhere: Path) -> Rest:
    """A client for the second cluster."""
    return Rest(elsewhere)


class Far:
    """A unit whose kubeconfig's Secret is `far`, applied as a run does it."""

    def __init__(self, unit: Unit, rest: Rest) -> None:
        self.unit, self.rest = unit, rest
        self.clusters: Clusters = unit.clusters()

    def lead_to(self, kubeconfig: Path, token: str = "") -> None:
        """Write the Secret."""
        document = yaml.safe_load(kubeconfig.read_text())
        if token:
            document["users"][0]["user"] = {"token": token}
        secret = {"apiVersion": "v1", "kind": "Secret"}
        meta = {"name": "far", "namespace": self.unit.namespace}
        self.rest.apply({**secret, "metadata": meta, "stringData": {"value": yaml.safe_dump(document)}})

    def apply(self, *names: str, to: str = "", near: bool = False) -> UnitResult:
        """One run with these ConfigMaps; `to` is where a move may go, `near` leaves the kubeconfig out."""
        annotations = {ALLOW_CLUSTER: to} if to else {}
        spec: dict[str, Any] = {} if near else {"kubeConfig": {"secretRef": {"name": "far"}}}
        unit, wanted = self.unit, self.unit.spec(annotations, **spec)
        kube, discovery = self.clusters.target(wanted)
        cluster = self.clusters.confirm(kube, wanted, self.record())
        result = apply_unit(
            Request(kube=kube, discovery=discovery, spec=wanted, cluster=cluster),
            unit.records,
            [unit.label(config_map("default", f"{unit.namespace}-{name}")) for name in names],
            record=UnitRecord(
                id=wanted.id,
                stack=unit.stack,
                document=orjson.dumps(unit.document(annotations, **spec)).decode(),
            ),
            revision="main@sha1:1",
            digest=f"sha256:{names}",
            progress=unit.said.append,
        )
        assert result.error is None, str(result.error)
        return result

    def record(self) -> UnitRecord | None:
        return self.unit.records.read(self.unit.spec().id)

    def live(self, there: Rest) -> set[str]:
        """Its objects on a cluster."""
        start = f"{self.unit.namespace}-"
        items = there.list("v1", "ConfigMap", "default")
        names = (item["metadata"]["name"] for item in items)
        return {name.removeprefix(start) for name in names if name.startswith(start)}


@pytest.fixture
def far(kubeconfig: Path, namespace: str, kube: Rest) -> Far:
    return Far(Unit(kubeconfig, namespace), kube)


def uid(there: Rest) -> str:
    found = there.get("v1", "Namespace", "kube-system")
    assert found
    return str(found["metadata"]["uid"])


def test_another_cluster_behind_the_same_secret_is_refused_and_nothing_is_lost(
    far: Far, kube: Rest, other: Rest, elsewhere: Path
) -> None:
    far.lead_to(elsewhere)
    assert far.apply("a", "b").record.cluster == uid(other)
    before = far.record()
    far.lead_to(far.unit.kubeconfig)
    said = (
        rf"Kustomization/{far.unit.namespace}/app: its kubeconfig in Secret/{far.unit.namespace}/far leads to "
        rf"{kube.server} \(cluster {uid(kube)}\), expected cluster {uid(other)}, where its 2 objects are; .*"
        rf"{ALLOW_CLUSTER}: {uid(kube)}; .*weir suspend"
    )
    with pytest.raises(ClusterError, match=said):
        far.apply("a")
    with pytest.raises(ClusterError, match=said):
        far.unit.remove()
    assert far.record() == before
    assert far.live(kube) == set()
    assert far.live(other) == {"a", "b"}
    far.lead_to(elsewhere)
    far.apply("a")
    assert far.live(other) == {"a"}
    far.unit.remove()
    assert far.live(other) == set()


def test_a_move_that_is_meant_is_annotated_with_where_it_goes(
    far: Far, kube: Rest, other: Rest, elsewhere: Path
) -> None:
    far.lead_to(elsewhere)
    far.apply("a", "b")
    far.lead_to(far.unit.kubeconfig)
    with pytest.raises(ClusterError, match="expected cluster"):
        far.apply("a", to=uid(other))
    far.apply("a", to=uid(kube))
    assert far.live(other) == {"a", "b"}
    assert far.live(kube) == {"a"}
    far.apply("c")
    assert far.live(kube) == {"c"}


def test_a_unit_that_gets_or_loses_its_kubeconfig_is_refused_too(
    far: Far, kube: Rest, other: Rest, elsewhere: Path
) -> None:
    far.apply("a", near=True)
    assert far.record() == far.apply("a", near=True).record
    far.lead_to(elsewhere)
    with pytest.raises(ClusterError, match=f"cluster {uid(other)}.*expected cluster {uid(kube)}"):
        far.apply("a")
    far.lead_to(far.unit.kubeconfig)
    assert far.apply("a").record.cluster == uid(kube), "the same cluster by another way"
    far.lead_to(elsewhere)
    far.apply("a", to=uid(other))
    with pytest.raises(ClusterError, match=r"without spec.kubeConfig, it leads to"):
        far.apply("a", near=True)


def test_an_old_record_takes_the_first_cluster_that_is_seen(
    far: Far, kube: Rest, other: Rest, elsewhere: Path
) -> None:
    far.lead_to(elsewhere)
    far.apply("a")
    record = far.record()
    assert record
    far.unit.records.write(replace(record, cluster=""))
    assert far.apply("a").record.cluster == uid(other)
    far.lead_to(far.unit.kubeconfig)
    with pytest.raises(ClusterError, match="expected cluster"):
        far.apply("a")


def test_an_account_that_may_not_ask_goes_on_until_the_record_tells(
    far: Far, kube: Rest, other: Rest, elsewhere: Path
) -> None:
    grant(other, "default", "*", account="deployer")
    path = "/api/v1/namespaces/default/serviceaccounts/deployer/token"
    answer = other.request("POST", path, {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest"})
    token = str(answer["status"]["token"])
    far.lead_to(elsewhere, token)
    assert far.apply("a").record.cluster == ""
    far.lead_to(elsewhere)
    far.apply("a")
    far.lead_to(elsewhere, token)
    with pytest.raises(ClusterError, match=r"kube-system cannot be read.*allow `get` on that namespace"):
        far.apply("a")


def test_a_cluster_is_asked_once_and_the_stacks_own_never(
    far: Far, other: Rest, elsewhere: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []

    def counted(there: Kube) -> str:
        asked.append(there.server)
        return cluster_uid(there)

    monkeypatch.setattr(module, "cluster_uid", counted)
    far.apply("a", near=True)
    far.apply("b", near=True)
    far.unit.remove()
    assert asked == []
    far.lead_to(elsewhere)
    for name in ("a", "b", "c"):
        far.apply(name)
    assert asked == [other.server]
