"""Alerts in a stack, on the real engine: what changes and fails is told, an outage of the service costs nothing."""

from __future__ import annotations

import pytest

from tests.support.notices import alert_object, provider_object
from tests.support.sink import running_sink
from tests.support.world import Obj, World, config_map
from weir.edges.kube.client import Kube
from weir.edges.kube.events import read_events
from weir.edges.kube.kubeconfig import load

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(300)]


def in_flux(world: World, obj: Obj) -> Obj:
    """The object in the namespace of the world's units."""
    return {**obj, "metadata": {**obj["metadata"], "namespace": world.flux}}


@pytest.mark.slow
def test_what_happens_is_told_once_and_an_outage_fails_no_run(world: World) -> None:
    ns = world.namespace
    world.commit({"web/all.yaml": [config_map(ns, "web", A="1")]})
    with running_sink() as sink:
        sources = [
            {"kind": "Kustomization", "name": "*"},
            {"kind": "GitRepository", "name": "*"},
        ]
        world.stack.write_objects(
            "notices.yaml",
            [
                in_flux(world, alert_object(eventSources=sources)),
                in_flux(world, provider_object(sink.url)),
                in_flux(world, provider_object(sink.url, "nats", "unknown")),
            ],
        )
        world.units(web="./web")
        first = world.stack.up().must()
        assert "spec.type" in first.out
        assert "ConfigMap" in "\n".join(sink.messages())
        assert [one for one in sink.messages() if one.startswith("stored artifact for commit")]
        told = len(sink.got)

        world.stack.up().must()
        assert len(sink.got) == told

        sink.down = True
        world.commit({"web/all.yaml": [config_map(ns, "web", A="2")]})
        world.stack.up().must()
        sink.down = False
        meta = {"name": "bad", "namespace": ns}
        broken = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": meta, "data": {"A": {"b": "c"}}}
        world.commit({"web/all.yaml": [config_map(ns, "web", A="2"), broken]})
        assert world.stack.up().code != 0
    texts = "\n".join(sink.messages())
    assert texts.count(f"ConfigMap/{ns}/web configured") == 1
    assert [one.json for one in sink.accepted() if one.json["severity"] == "error"]
    kube = Kube(load(str(world.kubeconfig)))
    kept = read_events(kube, world.checker.record_namespace, world.stack.name)
    assert any("configured" in one.message for one in kept)
