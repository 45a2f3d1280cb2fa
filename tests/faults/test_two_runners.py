"""R22: runners and people write to one branch at once, runs are killed at their push: nothing is lost or doubled."""

from __future__ import annotations

import random
import re
import subprocess
import threading
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest

from tests.support import image_objects as objects
from tests.support.fault_proxy import Fault, FaultProxy
from tests.support.git_repo import Repo
from tests.support.git_server import GitServer
from tests.support.invariants import expect_no_process, expect_whole
from tests.support.kube import wait_for
from tests.support.person import NAME, Person
from tests.support.processes import kill, members
from tests.support.registry import Registry, running_registry
from tests.support.stack import StackRun, write_tree
from tests.support.world import World

pytestmark = [pytest.mark.e2e, pytest.mark.faults, pytest.mark.timeout(3600)]

ROUNDS: Final = 20
DEAD: Final = 2.0
"""Seconds after which nothing of a killed run may live."""
SHARED, NOTES = "shared/web.yaml", "shared/notes.yaml"
HOOK: Final = "#!/bin/sh\nwhile test -e waiting; do sleep 0.05; done\n"


@pytest.fixture
def registry(tmp_path: Path) -> Iterator[Registry]:
    with running_registry(tmp_path / "registry") as running:
        yield running


@pytest.fixture
def second(world: World, tmp_path: Path, kubeconfig: Path, git_server: GitServer) -> Iterator[World]:
    """Another stack with everything of its own but the repository."""
    made = World(tmp_path / "second", kubeconfig, git_server)
    made.repo = world.repo
    yield made
    made.close()


def own(world: World) -> str:
    """The file that only this world's policy follows."""
    return f"{world.namespace}/web.yaml"


def declare(world: World, registry: Registry) -> None:
    """A policy for the world's own file; an automation that follows Flux 1's annotations in the file of both, too."""
    author = {"name": world.flux, "email": "runner@example.com"}
    world.units(
        objects.repository(world, "web", f"{registry.host}/team/web"),
        objects.policy(world, "web", "1.x"),
        objects.automation(
            world, "./", annotations={"weir.dev/workloads": "true"}, commit={"author": author}
        ),
        world.unit("own", f"./{world.namespace}", wait=True, timeout="1m"),
        world.unit("shared", "./shared", wait=True, timeout="1m", targetNamespace=world.namespace),
    )


def notes(text: str) -> str:
    return f"apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: notes}}\ndata: {{text: {text}}}\n"


def files(registry: Registry, *worlds: World) -> dict[str, str]:
    """The file of both, and one of each."""
    images = [("web", f"{registry.host}/team/web:1.0.0")]
    asked = {"fluxcd.io/automated": "true", "fluxcd.io/tag.web": "semver:~1.0"}
    own_files = {
        own(world): objects.workload(world.namespace, "mine", images, markers=[f"{world.flux}:web"])
        for world in worlds
    }
    shared = objects.workload("", "ours", images, annotations=asked)
    return {**own_files, SHARED: shared, NOTES: notes("first")}


def write_while(running: list[subprocess.Popen[str]], person: Person, turn: int, dice: random.Random) -> None:
    """Commit all the time that runs are at work, now and then to the file that both of them edit as well."""
    pause, number = threading.Event(), 0
    while any(process.poll() is None for process in running):
        number += 1
        person.commit(NOTES, notes(f"turn-{turn}-{number}"), f"note {turn}.{number}")
        if number % 3 == 0:
            text = (person.folder / SHARED).read_text()
            person.commit(SHARED, f"# {turn}.{number}\n{text}", f"remark {turn}.{number}")
        pause.wait(dice.uniform(0.1, 1.5))


def start(stack: StackRun) -> subprocess.Popen[str]:
    return stack.start_weir("up")


def one_round(worlds: tuple[World, World], person: Person, turn: int, dice: random.Random) -> int:
    """Both runners at once, and a person in between: each runner makes one commit. How many had to make theirs anew."""
    repo = worlds[0].repo
    before = repo.head()
    running = [start(world.stack) for world in worlds]
    writing = threading.Thread(target=write_while, args=(running, person, turn, dice))
    writing.start()
    outs = [process.communicate(timeout=300)[0] for process in running]
    writing.join()
    for process, out in zip(running, outs, strict=True):
        assert process.returncode == 0, out
        assert "Traceback" not in out
    authors = Counter(repo.git("log", "--format=%an", f"{before}..main").splitlines())
    own_commits = {world.flux: authors[world.flux] for world in worlds}
    assert own_commits == dict.fromkeys(own_commits, 1), f"round {turn}: {authors}"
    texts = repo.files()
    for path in (SHARED, *map(own, worlds)):
        assert f'/team/web:1.0.{turn}"' in texts[path], f"round {turn}: {path}"
    return sum("somebody else pushed meanwhile" in out for out in outs)


def expect_whole_history(repo: Repo, person: Person) -> None:
    """Every commit that the server ever took is in one line of history, each changes something, none twice."""
    rows = [row.split() for row in repo.git("log", "--format=%H %P %T", "main").splitlines()]
    assert all(len(row) == 3 for row in rows[:-1]), "one parent each"
    trees = {row[0]: row[-1] for row in rows}
    assert all(trees[row[0]] != trees[row[1]] for row in rows[:-1]), "none is empty"
    assert not set(person.pushed) - trees.keys(), "a person's commit is lost"
    tips = repo.git("log", "--walk-reflogs", "--format=%H", "main").splitlines()
    assert len(tips) > len(person.pushed), "the server kept its reflog"
    assert not set(tips) - trees.keys(), "a commit that was on the server is lost"
    written: Counter[tuple[str, str]] = Counter()
    path = ""
    for line in repo.git("log", "-p", "-U0", "--no-renames", "--format=", "main").splitlines():
        if line.startswith("+++ b/"):
            path = line.removeprefix("+++ b/")
        elif found := re.search(r"^\+ .*image: .*:(1\.0\.\d+)\"", line):
            written[path, found[1]] += 1
    assert {key: count for key, count in written.items() if count > 1} == {}, "written twice"


def test_two_runners_and_a_person_lose_and_double_nothing(
    world: World, second: World, registry: Registry, tmp_path: Path
) -> None:
    seed = random.SystemRandom().randrange(10**6)
    print(f"seed {seed}")  # noqa: T201 - shown when a round fails
    dice, worlds, repo = random.Random(seed), (world, second), world.repo
    repo.git("config", "core.logAllRefUpdates", "always")
    registry.push("team/web", "1.0.0")
    repo.commit(files(registry, *worlds))
    person = Person(repo, tmp_path / "clone")
    for one in worlds:
        declare(one, registry)
        one.stack.up().must()
    raced = 0
    for turn in range(1, ROUNDS + 1):
        registry.push("team/web", f"1.0.{turn}")
        raced += one_round(worlds, person, turn, dice)
    assert raced > 0, "nobody was ever in anybody's way"
    expect_whole_history(repo, person)
    last = repo.head()
    for one in worlds:
        one.stack.up().must()
        image = f"{registry.host}/team/web:1.0.{ROUNDS}"
        assert [objects.images_of(one, name) for name in ("mine", "ours")] == [[image], [image]]
        live = one.live("v1", "ConfigMap", "notes")["data"]["text"]
        assert live in repo.files()[NOTES]
    assert repo.head() == last, "nothing is left to write"
    assert NAME in repo.git("log", "--format=%an", "main")


def killed_when(world: World, proxy: FaultProxy, point: str) -> None:
    """Start `weir up` and kill it where the push was about to begin, or where the server has just taken it."""
    before, hook = world.repo.head(), world.repo.path / "hooks" / "post-receive"
    release = threading.Event()
    waiting = world.repo.path / "waiting"
    if point == "before the push":
        proxy.faults.append(Fault(path="git-receive-pack", stall=release))
    else:
        hook.parent.mkdir(exist_ok=True)
        hook.write_text(HOOK)
        hook.chmod(0o700)
        waiting.touch()
    process = start(world.stack)
    try:
        if point == "before the push":
            wait_for(lambda: any("git-receive-pack" in one.path for one in proxy.seen), seconds=60)
        else:
            wait_for(lambda: world.repo.head() != before, seconds=60)
        kill(process.pid)
        expect_no_process(world.stack.folder, process.pid, DEAD)
    finally:
        release.set()
        waiting.unlink(missing_ok=True)
        hook.unlink(missing_ok=True)
        for one in members(world.stack.folder, process.pid):
            kill(one.pid)
        process.communicate()
    proxy.faults.clear()
    assert (world.repo.head() == before) == (point == "before the push")


def test_a_run_killed_around_its_push_is_healed_by_one_up(world: World, registry: Registry) -> None:
    registry.push("team/web", "1.0.0")
    image = f"{registry.host}/team/web"
    with FaultProxy(world.server.url) as proxy:
        world.repo.url = world.repo.url.replace(world.server.url, proxy.url)
        world.units(
            objects.repository(world, "web", image),
            objects.policy(world, "web", "1.x"),
            objects.automation(world, "./web"),
            world.unit("web", "./web", wait=True, timeout="1m"),
        )
        marks = [f"{world.flux}:web"]
        text = objects.workload(world.namespace, "web", [("main", f"{image}:1.0.0")], markers=marks)
        world.commit({"web/web.yaml": text})
        world.stack.up().must()
        for turn, point in enumerate(("before the push", "after the push") * 2, 1):
            before = world.repo.head()
            registry.push("team/web", f"1.0.{turn}")
            proxy.seen.clear()
            killed_when(world, proxy, point)
            world.stack.up().must()
            assert world.repo.git("log", "--format=%an %P", f"{before}..main") == f"Weir {before}", point
            assert objects.images_of(world, "web") == [f"{image}:1.0.{turn}"], point
            write_tree(world.tree, world.repo.files())
            expect_whole(world, web="web")
            world.stack.expect_clean()
