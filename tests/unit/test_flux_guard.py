"""Whether Flux reconciles a unit too: what the cluster serves, refuses and does not say."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast

import pytest

from weir.edges.kube.errors import KubeStatusError, UnreachableError
from weir.flow.clusters import Clusters
from weir.flow.work import Worker
from weir.spec.errors import ClusterError
from weir.spec.identity import UnitId

GROUP = "/apis/kustomize.toolkit.fluxcd.io"
WEB = UnitId("Kustomization", "flux-system", "web")
LIST = {"items": [{"metadata": {"namespace": "flux-system", "name": "web"}, "spec": {}}]}
OLDER = {
    "kind": "APIGroupDiscoveryList",
    "items": [
        {
            "metadata": {"name": "kustomize.toolkit.fluxcd.io"},
            "versions": [
                {
                    "version": "v1beta2",
                    "resources": [
                        {
                            "resource": "kustomizations",
                            "responseKind": {"kind": "Kustomization"},
                            "scope": "Namespaced",
                        }
                    ],
                }
            ],
        }
    ],
}


class Server:
    """A cluster with these answers; what is not there is not found."""

    def __init__(self, answers: dict[str, Any]) -> None:
        self.answers = answers

    def request(self, _method: str, path: str, **_: Any) -> Any:
        answer = self.answers.get(path, KubeStatusError(404, "NotFound", "not found"))
        if isinstance(answer, Exception):
            raise answer
        return answer


def active(answers: dict[str, Any]) -> frozenset[UnitId]:
    clusters: Any = Clusters.__new__(Clusters)
    clusters.__dict__["main"] = Server(answers)
    return cast("Clusters", clusters).flux_units


def test_flux_of_any_version_is_seen() -> None:
    assert active({f"{GROUP}/v1/kustomizations": LIST}) == {WEB}
    older = {GROUP: {}, "/api": {}, "/apis": OLDER, f"{GROUP}/v1beta2/kustomizations": LIST}
    assert active(older) == {WEB}


def test_cluster_without_flux_has_none() -> None:
    assert active({}) == frozenset()


@pytest.mark.parametrize("path", [f"{GROUP}/v1/kustomizations", GROUP])
def test_what_may_not_be_seen_is_not_taken_for_none(path: str) -> None:
    with pytest.raises(KubeStatusError):
        active({path: KubeStatusError(403, "Forbidden", "cannot list resource")})


def warned(answer: Exception | frozenset[UnitId]) -> list[tuple[str, ...]]:
    """What two units are told."""

    class Asked:
        @property
        def flux_units(self) -> frozenset[UnitId]:
            if isinstance(answer, Exception):
                raise answer
            return answer

    worker = Worker(
        cast("Any", SimpleNamespace(name="s", options=None)),
        cast("Any", Asked()),
        cast("Any", None),
        cast("Any", None),
        stack_outputs=lambda _: None,
        overrides=cast("Any", None),
        hands=cast("Any", None),
    )
    spec: Any = SimpleNamespace(id=WEB, where="web.yaml")
    return [worker._check_flux(spec) for _ in range(2)]


def test_missing_right_is_told_once_in_a_run() -> None:
    refused = KubeStatusError(
        403, "Forbidden", 'User "bot" cannot list resource "kustomizations"', hint="grant it"
    )
    said = (
        "cannot be seen whether Flux reconciles the same units: "
        'User "bot" cannot list resource "kustomizations"; grant it'
    )
    assert warned(refused) == [(said,), ()]


def test_cluster_that_is_away_is_the_plans_to_report() -> None:
    assert warned(UnreachableError("away")) == [(), ()]
    assert warned(frozenset()) == [(), ()]


def test_unit_that_flux_reconciles_is_refused() -> None:
    with pytest.raises(ClusterError, match="that Flux reconciles, expected none; hand it over first"):
        warned(frozenset({WEB}))
