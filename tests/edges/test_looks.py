"""Looks of the watcher at one stack, again and again: each leaves as much behind as none."""

from __future__ import annotations

import argparse
import gc
import shutil
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import psutil
import pytest

from tests.support.kube import wait_for
from tests.support.notices import alert_object, provider_object
from tests.support.world import World, config_map
from weir.cli._stack import open_stack
from weir.flow import notices
from weir.flow.clusters import Clusters
from weir.flow.settings import read_settings_file
from weir.spec.errors import WeirError
from weir.spec.identity import ObjectId, UnitId
from weir.spec.record import UnitRecord
from weir.watch.looking import Looked, look


@pytest.fixture
def no_collector() -> Iterator[None]:
    """Without the collector of cycles, which comes by seldom in a watcher."""
    gc.collect()
    gc.disable()
    yield
    gc.enable()


class Eye:
    """Looks at the stack of a world, which declares a unit `web`."""

    def __init__(self, world: World) -> None:
        stack = world.stack
        world.units(web="./web")
        world.commit({"web/a.yaml": [config_map(world.namespace, "web", A="1")]})
        self._args = argparse.Namespace(stack=stack.name, config_file=stack.config_file)
        config = read_settings_file(stack.name, stack.config_file)
        self.clusters = Clusters(config.cluster, config.options, config.name)

    def look(self) -> Looked:
        """One look, as the watcher does it."""
        return look(lambda: open_stack(self._args), self.clusters, threading.Event())


@pytest.fixture
def eye(world: World, monkeypatch: pytest.MonkeyPatch) -> Eye:
    """Looks at the world, with caches of its own."""
    monkeypatch.setenv("WEIR_CACHE_DIR", str(world.stack.cache))
    return Eye(world)


def test_missing_objects_in_another_cluster_are_no_drift_to_repair(
    eye: Eye, world: World, tmp_path: Path
) -> None:
    """What a look does not hold, the watcher does not repair."""
    world.rest.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": world.flux}})
    secret = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "far", "namespace": world.flux}}
    far = world.unit("web", "./web", kubeConfig={"secretRef": {"name": "far"}})
    world.units(far)
    record = UnitRecord(
        id=UnitId("Kustomization", world.flux, "web"),
        stack=world.stack.name,
        cluster="another",
        inventory=((ObjectId("", "ConfigMap", world.namespace, "web"), "v1"),),
    )
    world.rest.apply({**secret, "stringData": {"value": world.kubeconfig.read_text()}})
    eye.clusters.records.write(record)
    looked = eye.look()
    assert looked.held == {}
    assert "expected cluster another, where its 1 objects are" in looked.problems[0]
    eye.clusters.records.write(replace(record, cluster=""))
    assert set(eye.look().held) == {record.id}


def files_open() -> int:
    """How many files are open once the Git server in this process noticed that its clients went."""

    def still() -> int:
        first = psutil.Process().num_fds()
        time.sleep(0.3)
        return first if psutil.Process().num_fds() == first else 0

    return wait_for(still)


@pytest.mark.usefixtures("no_collector")
def test_looks_leave_no_connection_and_nothing_to_collect(eye: Eye) -> None:
    assert len(eye.look().held) == 1
    gc.collect()
    before = files_open()
    for _ in range(3):
        eye.look()
    wait_for(lambda: psutil.Process().num_fds() <= before)
    assert gc.collect() < 50, "a look is kept by cycles"


@pytest.mark.usefixtures("no_collector")
def test_looks_that_fail_leave_no_connection(eye: Eye, world: World) -> None:
    world.server.trouble.status = 503
    assert eye.look().wanted
    before = files_open()
    for _ in range(3):
        eye.look()
    wait_for(lambda: psutil.Process().num_fds() <= before)


def test_what_nobody_expected_ends_one_look_and_not_all(eye: Eye, world: World) -> None:
    world.stack.cache.mkdir(parents=True, exist_ok=True)
    blocked = world.stack.cache / "runs"
    shutil.rmtree(blocked, ignore_errors=True)
    blocked.write_text("a file where a folder is expected")
    with pytest.raises(WeirError, match=r"a look failed: unexpected \w+Error: "):
        eye.look()


def test_a_receiver_that_cannot_be_served_is_told_and_leaves_the_look_whole(eye: Eye, world: World) -> None:
    spec: dict[str, Any] = {"type": "generic", "secretRef": {"name": "hook"}, "resourceFilter": "a b"}
    spec["resources"] = [{"kind": "GitRepository", "name": "apps"}]
    receiver = {"apiVersion": "notification.toolkit.fluxcd.io/v1", "kind": "Receiver", "spec": spec}
    world.units({**receiver, "metadata": {"name": "hook", "namespace": world.flux}}, web="./web")
    looked = eye.look()
    assert looked.complete
    assert "Receiver/" in looked.told[0]
    assert "CEL expression 'a b'" in looked.told[0]
    assert [spec.id.name for spec in looked.refused] == ["hook"]
    assert not looked.receivers


def test_a_look_that_finds_rewritten_history_has_it_said_once(eye: Eye, world: World) -> None:
    first = eye.look()
    files = {name: text.replace("A: '1'", "A: '2'") for name, text in world.repo.files().items()}
    world.repo.commit(files, "another beginning", parent="")
    second = eye.look()
    ((source, warning),) = second.warnings_since(first)
    assert source == UnitId("GitRepository", world.flux, "apps")
    assert "history was rewritten" in warning
    assert list(eye.look().warnings_since(second)) == []


def test_a_look_keeps_alerts_and_providers_that_no_run_on_this_machine_met(eye: Eye, world: World) -> None:
    stack = world.stack.name

    def declare(address: str, **alert: Any) -> None:
        world.units(alert_object(**alert), provider_object(address), web="./web")

    assert not notices.kept(stack)
    declare("https://old.example")
    eye.look()
    kept = notices.read_kept(stack)
    assert [one.address for one in kept.providers.values()] == ["https://old.example"]
    assert [one.suspend for one in kept.alerts] == [False]
    declare("https://new.example", suspend=True)
    eye.look()
    kept = notices.read_kept(stack)
    assert [one.address for one in kept.providers.values()] == ["https://new.example"]
    assert [one.suspend for one in kept.alerts] == [True]
    world.units(web="./web")
    world.stack.write_objects("broken.yaml", [{"apiVersion": "v1", "kind": "ConfigMap"}])
    eye.look()
    assert notices.kept(stack), "it may be in the document that cannot be read"
    world.stack.write_objects("broken.yaml", [])
    eye.look()
    assert not notices.kept(stack)


def test_a_look_goes_on_where_alerts_cannot_be_kept_and_has_it_said_once(eye: Eye, world: World) -> None:
    world.units(alert_object(), provider_object("https://sink.example"), web="./web")
    blocked: Path = world.stack.cache / "outbox"
    blocked.parent.mkdir(parents=True, exist_ok=True)
    blocked.write_text("a file where a folder is expected")
    first = eye.look()
    assert len(first.held) == 1
    assert first.complete
    ((unit, said),) = [one for one in first.warnings_since(None) if one[0] is None]
    assert said.startswith("notifications cannot be kept on this machine: ")
    assert unit is None
    assert list(eye.look().warnings_since(first)) == []
