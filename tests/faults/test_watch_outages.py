"""R03, R04, R07, R24: the watcher while Git, a registry or a service to notify fails: what it has is kept."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.support import image_objects as objects
from tests.support.fault_proxy import Fault, FaultProxy
from tests.support.registry import Registry, running_registry
from tests.support.sink import Sink
from tests.support.stack import git_repository, write_tree
from tests.support.watched import (
    commit,
    drift,
    expect_converged,
    live,
    notices,
    settle,
    until_followed,
    until_live,
    until_repaired,
)
from tests.support.watching import WatcherRun
from tests.support.world import World, config_map

pytestmark = [pytest.mark.faults, pytest.mark.timeout(1800)]

LIST = "/tags/list"


@pytest.fixture
def registry(tmp_path: Path) -> Iterator[Registry]:
    with running_registry(tmp_path / "registry") as running:
        yield running


def stopped(world: World) -> None:
    world.server.stop()


def refusing(world: World) -> None:
    world.server.trouble.status = 503


def silent(world: World) -> None:
    world.server.trouble.hang = threading.Event()


def repaired(world: World) -> None:
    trouble = world.server.trouble
    trouble.status = 0
    if trouble.hang:
        trouble.hang.set()
        trouble.hang = None
    world.server.stop()
    world.server.start()


@pytest.mark.parametrize("spoil", [stopped, refusing, silent])
def test_drift_is_corrected_while_git_is_away_and_people_are_told_once(
    world: World, sink: Sink, spoil: Callable[[World], None]
) -> None:
    source = git_repository("apps", world.repo.url, namespace=world.flux, interval="1s")
    if spoil is silent:
        source["spec"]["timeout"] = "5s"
    world.stack.write_objects("stack.yaml", [source, world.unit("web", "./web"), *notices(world, sink)])
    commit(world, "1")
    name = f"GitRepository/{world.flux}/apps"
    with WatcherRun(world.stack) as watcher:
        until_followed(world, watcher)
        world.server.requests.clear()
        spoil(world)
        began = time.monotonic()
        watcher.wait_until_said(f"✗ {name}: ")
        drift(world)
        until_repaired(world, watcher, "1")
        watcher.wait_for(lambda: bool(errors(sink, name)), "the outage is told")
        record = objects.remembered(world, "GitRepository", "apps")
        assert record["status"] == "False"
        assert record["message"]
        watcher.wait_until_said("run ended", times=2)
        drift(world)
        until_repaired(world, watcher, "1")
        assert len(world.server.requests) < 20 * (time.monotonic() - began), "it does not hammer"
        assert watcher.said.count(f"✗ {name}: ") == 1
        repaired(world)
        commit(world, "2")
        until_live(world, watcher, "2")
        watcher.wait_for(
            lambda: objects.remembered(world, "GitRepository", "apps")["status"] == "True", "all is well"
        )
        watcher.wait_for(lambda: any("configured" in one for one in sink.messages()), "the commit is told")
        assert len(errors(sink, name)) == 1, sink.messages()
        expect_converged(world, watcher, web="web")


def errors(sink: Sink, name: str) -> list[str]:
    """Messages of severity error about a unit that were delivered."""
    kind, namespace, unit = name.split("/")
    found = (one.json for one in sink.accepted())
    about = {"kind": kind, "namespace": namespace, "name": unit}
    return [
        one["message"]
        for one in found
        if one["severity"] == "error" and about.items() <= one["involvedObject"].items()
    ]


def test_rewritten_history_is_followed_and_said(world: World) -> None:
    world.units(interval="1s", web="./web")
    commit(world, "1")
    with WatcherRun(world.stack) as watcher:
        until_followed(world, watcher)
        files = {name: text.replace("A: '1'", "A: '2'") for name, text in world.repo.files().items()}
        world.repo.commit(files, "another beginning", parent="")
        write_tree(world.tree, files)
        until_live(world, watcher, "2")
        watcher.wait_until_said("history was rewritten")
        watcher.wait_until_said("run done", times=2)
        expect_converged(world, watcher, web="web")


@pytest.fixture
def gate(registry: Registry) -> Iterator[FaultProxy]:
    with FaultProxy(registry.url) as proxy:
        yield proxy


def automated(world: World, image: str) -> None:
    """A unit `images` whose image is moved in Git, beside `web`."""
    marks = [f"{world.flux}:web"]
    world.units(
        objects.repository(world, "web", image, interval="2s", timeout="2s"),
        objects.policy(world, "web"),
        objects.automation(world, "./images"),
        world.unit("images", "./images"),
        world.unit("web", "./web"),
        interval="1s",
    )
    manifest = objects.workload(world.namespace, "app", [("main", f"{image}:6.5.0")], markers=marks)
    world.commit({"images/app.yaml": manifest})
    commit(world, "1")


def test_a_registry_in_trouble_moves_no_image_and_delays_no_commit(
    world: World, registry: Registry, gate: FaultProxy
) -> None:
    image = f"127.0.0.1:{gate.port}/team/web"
    registry.push("team/web", "6.5.0")
    automated(world, image)
    troubles = {
        "2": Fault(path=LIST, status=429, retry_after="4"),
        "3": Fault(path=LIST, status=500),
        "4": Fault(path=LIST, cut_after=10),
    }
    with WatcherRun(world.stack) as watcher:
        until_followed(world, watcher)
        commit(world, "0")
        usual = until_live(world, watcher, "0")
        registry.push("team/web", "6.5.1")
        for value, fault in troubles.items():
            gate.faults[:] = [fault]
            gate.seen.clear()
            began = time.monotonic()
            watcher.wait_for(lambda: any(one.spoiled for one in gate.seen), "the trouble is met")
            commit(world, value)
            assert until_live(world, watcher, value) < 2 * usual + 10
            time.sleep(5)
            asked = sum(LIST in one.path for one in gate.seen)
            assert asked < 4 * (time.monotonic() - began), f"{fault}: asked {asked} times"
            assert objects.images_of(world, "app") == [f"{image}:6.5.0"]
        drift(world)
        until_repaired(world, watcher, "4")
        head = world.repo.head()
        gate.faults.clear()
        watcher.wait_for(lambda: objects.images_of(world, "app") == [f"{image}:6.5.1"], "the image moves")
        assert world.repo.git("log", "--format=%an", f"{head}..main") == objects.AUTHOR["name"]
        write_tree(world.tree, world.repo.files())
        settle(watcher)
        expect_converged(world, watcher, web="web", images="images")


def test_a_service_that_fails_is_told_once_it_is_back_and_delays_no_run(world: World, sink: Sink) -> None:
    world.units(world.unit("web", "./web"), *notices(world, sink), interval="1s")
    commit(world, "1")
    with WatcherRun(world.stack) as watcher:
        until_followed(world, watcher)
        watcher.wait_for(lambda: any("created" in one for one in sink.messages()), "the first run is told")
        commit(world, "2")
        usual = until_live(world, watcher, "2")
        sink.down = True
        commit(world, "3")
        assert until_live(world, watcher, "3") < 2 * usual + 5
        settle(watcher)
        drift(world)
        until_repaired(world, watcher, "3")
        told = [one for one in sink.got if one.status == 503]
        watcher.wait_for(lambda: len(told_of(sink, 503)) > len(told), "it is tried again")
        assert len(told_of(sink, 503)) < 40
        sink.down = False
        revision = f"main@sha1:{world.repo.head()}"
        watcher.wait_for(lambda: delivered(sink, revision, "m-01 configured") == 1, "the commit is told")
        watcher.wait_for(lambda: delivered(sink, revision, "m-03 was deleted") == 1, "the repair is told")
        time.sleep(6)
        assert delivered(sink, revision, "m-01 configured") == 1
        assert delivered(sink, revision, "m-03 was deleted") == 1
        assert live(world) == "3"
        expect_converged(world, watcher, web="web")


def told_of(sink: Sink, status: int) -> list[object]:
    return [one for one in sink.got if one.status == status]


def delivered(sink: Sink, revision: str, text: str) -> int:
    """How often an event about a revision was taken."""
    found = (one.json for one in sink.accepted())
    return sum(revision in str(one["metadata"]) and text in one["message"] for one in found)


def test_a_unit_of_another_source_is_not_held_up_by_one_that_is_silent(world: World) -> None:
    """Git servers that accept and say nothing keep only what comes from them waiting."""
    other = world.server.repo(f"other-{world.flux}")
    other.commit({"far/a.yaml": "# nothing yet\n"})
    with FaultProxy(world.server.url) as proxy:
        url = other.url.replace(world.server.url, proxy.url)
        source = git_repository("far", url, namespace=world.flux, interval="1s", timeout="5s")
        world.units(world.unit("web", "./web"), source, interval="1s")
        commit(world, "1")
        with WatcherRun(world.stack) as watcher:
            until_followed(world, watcher)
            commit(world, "0")
            usual = until_live(world, watcher, "0")
            proxy.faults[:] = [Fault(stall=threading.Event())]
            watcher.wait_until_said(f"✗ GitRepository/{world.flux}/far: ")
            waits = []
            for value in ("2", "3", "4"):
                commit(world, value)
                waits.append(until_live(world, watcher, value))
            assert max(waits) < 2 * usual + 15, (usual, waits)
            proxy.faults.clear()
            watcher.wait_for(
                lambda: objects.remembered(world, "GitRepository", "far")["status"] == "True", "all is well"
            )
            settle(watcher)
            expect_converged(world, watcher, web="web")


def test_a_missing_folder_stops_its_unit_alone(world: World) -> None:
    """R05 under the watcher: nothing is deleted, the others go on, and the folder's return heals it."""
    ns = world.namespace
    world.units(interval="1s", web="./web", gone="./gone")
    world.commit({"gone/a.yaml": [config_map(ns, "kept", A="1")]})
    commit(world, "1")
    with WatcherRun(world.stack) as watcher:
        until_followed(world, watcher)
        world.commit({"gone/a.yaml": None, "web/more.yaml": [config_map(ns, "m-90", A="2")]})
        until_live(world, watcher, "2", "m-90")
        watcher.wait_until_said("run ended")
        assert live(world, "kept") == "1"
        world.commit({"gone/a.yaml": [config_map(ns, "kept", A="3")]})
        until_live(world, watcher, "3", "kept")
        settle(watcher)
        expect_converged(world, watcher, web="web", gone="gone")
