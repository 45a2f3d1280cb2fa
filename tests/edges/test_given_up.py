"""An object that its unit gives up in the very moment in which the watcher brings it back."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.support.kube import Kube, wait_for
from tests.support.repairs import REVISION, Watched, in_the_middle_of_a_run, meanwhile
from tests.support.units import Unit, config_map
from weir.flow.repair import Outcome, Repair
from weir.spec.errors import HealthError


@pytest.fixture
def unit(kubeconfig: Path, namespace: str) -> Unit:
    return Unit(kubeconfig, namespace)


@pytest.mark.parametrize("late", [False, True], ids=["absent for the run", "back for the run"])
@pytest.mark.parametrize("gone", ["the unit", "the object"])
def test_what_is_given_up_while_it_is_brought_back_does_not_stay(
    unit: Unit, kube: Kube, namespace: str, monkeypatch: pytest.MonkeyPatch, *, gone: str, late: bool
) -> None:
    """Either the run sees what was made, or the repair sees that it is not wanted; whatever the order."""
    rest = [config_map(namespace, "b"), config_map(namespace, "c")]
    watched = Watched(unit, [config_map(namespace, "a", {"key": "ours"}), *rest])
    kube.delete("v1", "ConfigMap", "a", namespace)
    done: list[Repair] = []

    def give_up() -> None:
        if gone == "the unit":
            unit.remove()
        else:
            unit.must_apply(rest, "main@sha1:2")

    if late:
        in_the_middle_of_a_run(monkeypatch, lambda: done.append(watched.repair("a")))
        give_up()
    else:
        meanwhile(monkeypatch, give_up, before=False)
        done.append(watched.repair("a"))
    assert kube.get("v1", "ConfigMap", "a", namespace) is None
    assert unit.owned() == (set() if gone == "the unit" else {f"ConfigMap/{namespace}/{one}" for one in "bc"})
    assert [one.text for one in done] == [
        "was deleted" if late else "its unit gave it up meanwhile",
    ]


def test_a_revision_that_does_not_get_ready_is_not_taken_for_drift(
    unit: Unit, kube: Kube, namespace: str
) -> None:
    """What was applied before is no measure any more once a run began to write something else."""
    watched = Watched(unit, [config_map(namespace, name, {"key": "old"}) for name in ("a", "b", "c")])
    kind: dict[str, str] = {"apiVersion": "v1", "kind": "ConfigMap"}
    rule = {**kind, "current": "data.key == 'good'", "failed": "data.key == 'new'"}
    broken: dict[str, Any] = {
        "healthChecks": [{**kind, "name": "b", "namespace": namespace}],
        "healthCheckExprs": [rule],
    }
    newer = [config_map(namespace, name, {"key": "new"}) for name in ("b", "c")]
    assert isinstance(unit.apply(newer, "main@sha1:2", **broken).error, HealthError)
    done = [watched.repair(name) for name in ("a", "b")]
    assert [one.outcome for one in done] == [Outcome.LEFT, Outcome.LEFT]
    assert "revision main@sha1:2 began to be applied" in done[0].text
    assert kube.get("v1", "ConfigMap", "a", namespace) is None
    assert (kube.get("v1", "ConfigMap", "b", namespace) or {})["data"] == {"key": "new"}
    unit.must_apply([config_map(namespace, name, {"key": "old"}) for name in ("a", "b", "c")], REVISION)
    kube.delete("v1", "ConfigMap", "a", namespace)
    assert watched.repair("a").outcome is Outcome.REPAIRED


def test_a_claim_of_another_form_is_not_recreated_behind_anybodys_back(
    unit: Unit, kube: Kube, namespace: str
) -> None:
    """Its data would go with it; a run refuses that, and so does a repair."""
    claim: dict[str, Any] = {
        "apiVersion": "v1",
        "kind": "PersistentVolumeClaim",
        "metadata": {"name": "data", "namespace": namespace},
        "spec": {
            "accessModes": ["ReadWriteOnce"],
            "storageClassName": "slow",
            "resources": {"requests": {"storage": "1Gi"}},
        },
    }
    watched = Watched(unit, [claim, config_map(namespace, "a")], force=True)
    kube.delete("v1", "PersistentVolumeClaim", "data", namespace)
    wait_for(lambda: kube.get("v1", "PersistentVolumeClaim", "data", namespace) is None)
    restored = unit.label({**claim, "spec": {**claim["spec"], "storageClassName": "fast"}})
    uid = kube.apply_as("restore", restored)["metadata"]["uid"]
    done = watched.repair("data", "PersistentVolumeClaim")
    assert done.outcome is Outcome.REFUSED
    assert "PersistentVolumeClaim" in done.text
    live = kube.get("v1", "PersistentVolumeClaim", "data", namespace)
    assert live
    assert (live["metadata"]["uid"], live["spec"]["storageClassName"]) == (uid, "fast")
