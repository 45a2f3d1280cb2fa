"""Runs that are killed, cancelled or cut off: the record knows everything that may exist, and the next run heals."""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.support.fault_proxy import Fault, FaultProxy
from tests.support.kube import Kube, wait_for
from tests.support.units import Unit, config_map, deployment
from weir.spec.errors import StopRequested

ROOT = Path(__file__).resolve().parents[2]
RUN = """
import sys
from pathlib import Path
from tests.support.units import Unit, config_map
kubeconfig, namespace, names = sys.argv[1:]
Unit(Path(kubeconfig), namespace).must_apply([config_map(namespace, name) for name in names])
"""


@pytest.fixture
def unit(kubeconfig: Path, namespace: str) -> Unit:
    return Unit(kubeconfig, namespace)


@pytest.fixture
def proxy(kubeconfig: Path, tmp_path: Path) -> Iterator[FaultProxy]:
    with FaultProxy.of_cluster(kubeconfig, tmp_path) as running:
        yield running


def killed_at(fault: str, kubeconfig: Path, namespace: str, names: str) -> int:
    """The exit status of a run in a process of its own."""
    return subprocess.run(
        [sys.executable, "-c", RUN, str(kubeconfig), namespace, names],
        cwd=ROOT,
        env={"PATH": "/usr/bin:/bin", "WEIR_FAULT": fault, "PYTHONPATH": str(ROOT), "HOME": str(Path.home())},
        timeout=60,
        check=False,
    ).returncode


def existing(kube: Kube, namespace: str) -> set[str]:
    names = {item["metadata"]["name"] for item in kube.list("v1", "ConfigMap", namespace)}
    return {name for name in names if len(name) == 1}


@pytest.mark.parametrize(
    "fault", ["inventory-written:1", "patched:1", "patched:3", "pruned:1", "record-written:1"]
)
def test_killed_anywhere_the_next_run_with_other_content_converges(
    unit: Unit, kubeconfig: Path, kube: Kube, namespace: str, fault: str
) -> None:
    unit.must_apply([config_map(namespace, name) for name in "abc"])
    assert killed_at(fault, kubeconfig, namespace, "bcdef") == -9
    assert existing(kube, namespace) <= {str(item).rpartition("/")[2] for item in unit.owned()}
    allowed = {"weir.dev/allow-delete": "*"}
    unit.must_apply([config_map(namespace, name) for name in "bcg"], "main@sha1:3", annotations=allowed)
    assert existing(kube, namespace) == set("bcg")
    assert unit.owned() == {f"ConfigMap/{namespace}/{name}" for name in "bcg"}


def test_partial_apply_then_revert_prunes_what_was_created(unit: Unit, kube: Kube, namespace: str) -> None:
    """R12: commit 1 creates a Namespace and fails later; commit 2 is without it."""
    new = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": f"{namespace}-b"}}
    result = unit.apply([new, config_map(namespace, "a"), config_map(namespace, "b", {"n": 5})])
    assert result.condition.status == "False"
    assert kube.get("v1", "Namespace", f"{namespace}-b")
    allowed = {"weir.dev/allow-delete": "*"}
    unit.must_apply([config_map(namespace, "a")], "main@sha1:2", annotations=allowed)
    live = kube.get("v1", "Namespace", f"{namespace}-b")
    assert live is None or live["metadata"]["deletionTimestamp"]


class StopOnce(threading.Event):
    """A stop that is asked for as soon as something happened."""

    def __init__(self, happened: Callable[[], object]) -> None:
        super().__init__()
        self._happened, self._at = happened, 0.0
        threading.Thread(target=self._watch, daemon=True).start()

    def _watch(self) -> None:
        wait_for(self._happened, seconds=60, every=0.01)
        self._at = time.monotonic()
        self.set()

    def seconds(self) -> float:
        """Since it was asked for."""
        assert self.is_set()
        return time.monotonic() - self._at


def test_stop_ends_an_apply_in_the_middle(proxy: FaultProxy, kube: Kube, namespace: str) -> None:
    """Eight at once write 200 objects in eight seconds; the stop comes with the first."""
    unit = Unit(proxy.kubeconfig, namespace)
    written = "/configmaps/cm-(?!.*dryRun=)"
    proxy.faults.append(Fault(method="PATCH", path=written, delay=0.3))
    stop = StopOnce(lambda: any(one.spoiled for one in proxy.seen))
    result = unit.apply([config_map(namespace, f"cm-{n:03}") for n in range(200)], stop=stop)
    assert isinstance(result.error, StopRequested)
    sent = len(proxy.writes())
    time.sleep(1.0)
    assert len(proxy.writes()) == sent
    names = {item["metadata"]["name"] for item in kube.list("v1", "ConfigMap", namespace)}
    made = {name for name in names if name.startswith("cm-")}
    assert len(made) < 200
    assert made <= {item.rpartition("/")[2] for item in unit.owned()}


def test_stop_while_the_server_hangs(proxy: FaultProxy, namespace: str) -> None:
    unit = Unit(proxy.kubeconfig, namespace)
    unit.discovery.refresh()
    proxy.faults.append(Fault(method="PATCH", path="/configmaps/cm-", stall=threading.Event()))
    stop = StopOnce(lambda: any(one.spoiled for one in proxy.seen))
    result = unit.apply([config_map(namespace, f"cm-{n:03}") for n in range(30)], stop=stop)
    assert stop.seconds() < 10, "no answer is waited for, which is given up after 30 s"
    assert isinstance(result.error, StopRequested)


def test_stop_while_waiting_for_health(unit: Unit, namespace: str) -> None:
    stop = StopOnce(lambda: unit.said)
    never = deployment(namespace, "web", replicas=1)
    never["spec"]["template"]["spec"]["nodeSelector"] = {"no": "such-node"}
    result = unit.apply([never], stop=stop, wait=True)
    assert stop.seconds() < 10
    assert result.condition.reason == "HealthCheckCanceled"


def test_server_that_goes_away_mid_run_fails_the_unit_and_deletes_nothing(
    proxy: FaultProxy, kubeconfig: Path, kube: Kube, namespace: str
) -> None:
    Unit(kubeconfig, namespace).must_apply([config_map(namespace, name) for name in "abcde"])
    unit = Unit(proxy.kubeconfig, namespace)
    unit.discovery.refresh()
    proxy.faults.append(Fault(path="/configmaps\\?limit", drop=True))
    stop = threading.Event()
    threading.Timer(4, stop.set).start()
    result = unit.apply([config_map(namespace, name) for name in "abc"], stop=stop)
    assert result.error is not None
    assert existing(kube, namespace) == set("abcde")


def test_overtaken_run_does_not_write_the_record(unit: Unit, kubeconfig: Path, namespace: str) -> None:
    """Two runs at once: the later one wins the record, the earlier one says so."""
    other = Unit(kubeconfig, namespace)
    never = deployment(namespace, "web", replicas=1)
    never["spec"]["template"]["spec"]["nodeSelector"] = {"no": "such-node"}
    results = []
    stop = threading.Event()
    first = threading.Thread(
        target=lambda: results.append(unit.apply([never], "main@sha1:1", stop=stop, wait=True))
    )
    first.start()
    deadline = time.monotonic() + 20
    while not unit.owned() and time.monotonic() < deadline:
        time.sleep(0.05)
    other.must_apply([config_map(namespace, "a"), never], "main@sha1:2")
    stop.set()
    first.join(60)
    record = unit.records.read(unit.spec().id)
    assert record
    assert record.revision == "main@sha1:2"
    assert record.ready
    assert record.ready.status == "True"
    assert results[0].error is not None
