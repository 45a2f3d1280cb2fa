"""S22: under the most generous umask, what Weir writes is for its owner only, during the run and after it."""

from __future__ import annotations

import base64
import os
import stat
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.canary import everything_under, files_under
from tests.support.kube import wait_for
from tests.support.world import World, config_map

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(120)]


@pytest.fixture
def generous() -> Iterator[None]:
    """umask 000 for this process and all it starts."""
    before = os.umask(0)
    yield
    os.umask(before)


def open_to_others(folder: Path) -> set[str]:
    """Files and folders that somebody else may read or write, unless a folder above keeps everybody out."""
    found = set()
    for path in everything_under(folder):
        try:
            mode = path.lstat().st_mode
        except FileNotFoundError:
            continue
        if not stat.S_ISLNK(mode) and mode & 0o077:
            found.add(f"{path.relative_to(folder)} {stat.filemode(mode)}")
    return found


def watch(folder: Path, done: threading.Event, found: set[str]) -> None:
    while not done.wait(0.05):
        found |= open_to_others(folder)


def test_files_and_folders_are_the_owners_alone(world: World, generous: None) -> None:
    ns = world.namespace
    secret = {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": "s", "namespace": ns},
        "stringData": {"a": "kept-in-the-run-folder-77c1"},
    }
    world.commit({"web/a.yaml": [config_map(ns, "web", A="1"), secret]})
    world.units(web="./web")
    during: set[str] = set()
    done = threading.Event()
    watcher = threading.Thread(target=watch, args=(world.stack.cache, done, during))
    watcher.start()
    try:
        world.stack.up().must()
    finally:
        done.set()
        watcher.join()
    assert sorted(during) == []
    assert sorted(open_to_others(world.stack.cache)) == []
    assert sorted(open_to_others(world.stack.backend / ".pulumi")) == []
    assert world.stack.cache.stat().st_mode & 0o077 == 0


def test_rendered_secrets_are_gone_when_the_run_is(world: World) -> None:
    """Also after a crash: the next run cleans up what the killed one left."""
    ns = world.namespace
    value = "rendered-only-3e9d"
    secret = {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": "s", "namespace": ns},
        "stringData": {"a": "${word}"},
    }
    world.commit({"web/a.yaml": [secret]})
    world.units(world.unit("web", "./web", postBuild={"substitute": {"word": value}}))
    world.stack.extra_environment["WEIR_FAULT"] = "patched:1"
    world.stack.up().must_fail()
    del world.stack.extra_environment["WEIR_FAULT"]
    world.stack.up().must()
    forms = (value.encode(), base64.b64encode(value.encode()))
    wait_for(lambda: not left_over(world.stack.cache, forms), seconds=20)


def left_over(folder: Path, forms: tuple[bytes, ...]) -> bool:
    """Whether a file below the folder holds one of these."""
    found = (raw for _, raw in files_under(folder))
    return any(form in raw for raw in found for form in forms)
