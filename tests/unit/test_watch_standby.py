"""A watcher that waits passes on what webhooks ask for, or lets their senders know that it cannot."""

from __future__ import annotations

import threading
from types import SimpleNamespace
from typing import Any, cast

import pytest

from tests.support.kube import wait_for
from weir.spec.documents import Document
from weir.spec.errors import ClusterError, WeirError
from weir.spec.identity import UnitId
from weir.spec.image_policy import parse_image_policy
from weir.watch import standby
from weir.watch.standby import Standby

WEB, API = (UnitId("Kustomization", "apps", name) for name in ("web", "api"))
REPOSITORY = UnitId("ImageRepository", "apps", "web")
POLICY = UnitId("ImagePolicy", "apps", "web")


class Cluster:
    """Where requests are left: in the records of some units."""

    def __init__(self, *known: UnitId) -> None:
        self.known = known
        self.asked: list[UnitId] = []
        self.errors: list[UnitId | None] = []
        self.records = self

    def request(self, unit: UnitId, _: str) -> None:
        if unit not in self.known:
            raise ClusterError(f"{unit}: no")
        self.asked.append(unit)

    def error(self, _: str, unit: UnitId | None = None) -> None:
        """As a journal."""
        self.errors.append(unit)


def waiting(cluster: Any) -> Standby:
    """A standby that has not looked yet."""
    session = cast("Any", None)
    return Standby(cluster, cluster, lambda: session, lambda _: None, lambda _: None, threading.Event())


def test_what_cannot_be_passed_on_is_told_to_the_sender_and_holds_up_nothing_else() -> None:
    cluster = Cluster(WEB)
    with pytest.raises(WeirError, match="1 of 2 units"):
        waiting(cluster).pass_on((API, WEB))
    assert cluster.asked == [WEB]
    assert cluster.errors == [API]
    waiting(cluster).pass_on((WEB,))
    assert cluster.asked == [WEB, WEB]


def test_an_image_repository_has_no_record_and_is_asked_for_by_its_policies(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    body = {
        "apiVersion": "image.toolkit.fluxcd.io/v1",
        "kind": "ImagePolicy",
        "metadata": {"name": "web", "namespace": "apps"},
        "spec": {"imageRepositoryRef": {"name": "web"}, "policy": {"alphabetical": {}}},
    }
    declared = {POLICY: SimpleNamespace(spec=parse_image_policy(Document("f.yaml", 0, body)))}
    monkeypatch.setattr(standby, "look", lambda *_: SimpleNamespace(declared=declared))
    cluster = Cluster(POLICY, WEB)
    one = waiting(cluster)
    with pytest.raises(WeirError):
        one.pass_on((REPOSITORY,))
    one.keep()
    wait_for(lambda: one.looked is not None, seconds=10)
    one.pass_on((REPOSITORY, POLICY, WEB))
    assert cluster.asked == [POLICY, WEB]
