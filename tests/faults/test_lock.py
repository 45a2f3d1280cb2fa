"""R26: a stale lock is broken and said so, a live one never; empty, foreign and unreadable ones are told apart."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import threading
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from tests.support.fault_proxy import Fault, FaultProxy
from tests.support.invariants import lock_files, lock_folder
from tests.support.kube import wait_for
from tests.support.processes import kill, members, processes
from tests.support.world import World, config_map

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(120)]

LOCKED = 3
"""The exit code that `weir up --help` promises when another run holds the stack."""


def small(world: World, value: str = "1") -> None:
    world.commit({"web/a.yaml": [config_map(world.namespace, "web", A=value)]})
    world.units(web="./web")


def plant(world: World, content: object, name: str = "planted", age: float = 0.0) -> Path:
    """A lock file as Pulumi writes it, or with any other content."""
    folder = lock_folder(world.stack)
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{name}.json"
    path.write_bytes(content if isinstance(content, bytes) else json.dumps(content).encode())
    then = time.time() - age
    os.utime(path, (then, then))
    return path


def lock(pid: int, host: str = "", *, hours: float = 0.0) -> dict[str, object]:
    when = datetime.now(UTC) - timedelta(hours=hours)
    return {
        "pid": pid,
        "username": "ann",
        "hostname": host or socket.gethostname(),
        "timestamp": when.isoformat(),
    }


def dead_pid() -> int:
    """A number that a process had a moment ago."""
    with subprocess.Popen([sys.executable, "-c", ""]) as process:
        process.wait()
    return process.pid


def test_the_locks_of_dead_processes_are_broken_and_named_whatever_the_clock_was(world: World) -> None:
    small(world)
    dead = {f"{hours:+}": dead_pid() for hours in (0, 1, -1)}
    stale = [plant(world, lock(pid, hours=float(hours)), f"dead{hours}") for hours, pid in dead.items()]
    done = world.stack.up().must()
    assert [pid for pid in dead.values() if str(pid) not in done.out] == []
    assert [path for path in stale if path.exists()] == []
    assert not lock_files(world.stack)
    world.judge(web="web")


@pytest.mark.faults
def test_a_lock_whose_number_another_program_has_now_is_broken(world: World) -> None:
    small(world)
    with subprocess.Popen(["sleep", "100"]) as other:
        plant(world, lock(other.pid))
        done = world.stack.up()
        assert other.poll() is None, "the program that has the number now was touched"
        other.kill()
    done.must()
    assert not lock_files(world.stack)


def test_a_lock_of_another_host_is_respected_and_said_whose_it_is(world: World) -> None:
    small(world)
    foreign = plant(world, lock(dead_pid(), "build-7.example", hours=200))
    refused = world.stack.up("--lock-timeout", "0s")
    assert refused.code == LOCKED, refused.out
    assert "build-7.example" in refused.out
    assert "ann" in refused.out
    assert foreign.exists()
    assert world.gone("v1", "ConfigMap", "web")


def test_a_running_update_is_never_broken(behind: World, proxy: FaultProxy) -> None:
    world = behind
    small(world)
    world.stack.up().must()
    small(world, "2")
    gate = threading.Event()
    proxy.faults.append(Fault(method="PATCH", path="/configmaps/web", stall=gate, times=1))
    first = world.stack.start_weir("up")
    try:
        wait_for(lambda: lock_files(world.stack), seconds=30)
        held = lock_files(world.stack)
        second = world.stack.up("--lock-timeout", "0s")
        assert second.code == LOCKED, second.out
        assert set(held) <= set(lock_files(world.stack))
        assert first.poll() is None
        gate.set()
        out, _ = first.communicate(timeout=60)
    finally:
        for one in members(world.stack.folder, first.pid):
            kill(one.pid)
    assert first.returncode == 0, out
    assert world.live("v1", "ConfigMap", "web")["data"] == {"A": "2"}
    assert not lock_files(world.stack)


@pytest.mark.faults
def test_unreadable_locks_are_removed_once_they_are_old(world: World) -> None:
    """They name no owner; only a file that has been there for a while, with no engine running here, is nobody's."""
    small(world)
    for name, content in {"empty": b"", "cut": b'{"pid": 4', "binary": b"\x00\x01"}.items():
        plant(world, content, name, age=7200)
    wait_for(lambda: all(one.name != "pulumi" for one in processes()), seconds=60)
    world.stack.up().must()
    assert not lock_files(world.stack)


def test_only_the_dead_ones_lock_is_broken_when_a_live_one_is_beside_it(world: World) -> None:
    small(world)
    plant(world, lock(dead_pid()), "dead")
    foreign = plant(world, lock(1, "build-7.example"), "foreign")
    assert world.stack.up("--lock-timeout", "0s").code == LOCKED
    assert lock_files(world.stack) == [foreign]


@pytest.mark.faults
def test_a_lock_of_another_host_is_waited_for(world: World) -> None:
    small(world)
    foreign = plant(world, lock(1, "build-7.example"), "foreign")
    waiting = world.stack.start_weir("up", "--lock-timeout", "1m")
    assert waiting.stdout
    said = waiting.stdout.readline()
    assert said.startswith("► waiting up to 1m: the stack is locked by pid 1 of ann on build-7.example since")
    foreign.unlink()
    out, _ = waiting.communicate(timeout=100)
    assert waiting.returncode == 0, out
    world.judge(web="web")
