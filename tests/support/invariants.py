"""What must hold after every fault (reliability.md section 7, item 4), told by looking at cluster, state and processes.

Shares no code with Weir's core: the state is read as JSON, the cluster by `Checker`, processes through /proc.
"""

from __future__ import annotations

import json
import subprocess
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

from tests.support.checker import Expected
from tests.support.kube import wait_for
from tests.support.processes import Spied, members
from tests.support.stack import StackRun
from tests.support.world import World

_SECOND: Final = ("sh", "-c", "for i in 1 2 3 4 5; do sleep 0.2; done")
"""What a machine at rest does in a second, much as the shells that end a killed run look again and again."""


def expect_whole(world: World, **paths: str) -> None:
    """Every invariant at once, for a stack whose units are `name=path`; AssertionError tells all that is wrong."""
    units = [world.expected(name.replace("_", "-"), path) for name, path in paths.items()]
    expect_whole_units(world, units)


def expect_whole_units(world: World, units: list[Expected]) -> None:
    """As `expect_whole`, for units whose objects are given."""
    wanted = {key for unit in units for key in unit.keys}
    leaving = [key for key in world.checker.owned() if key not in wanted]
    wait = world.checker.wait_gone(leaving, 10.0) if leaving else None
    problems = [*(wait.problems if wait else ()), *world.checker.judge(units).problems]
    problems += [*state_problems(world.stack), *lock_problems(world.stack), *inventory_problems(world)]
    assert not problems, "\n".join(("after the fault:", *problems[:40]))


def state_problems(stack: StackRun) -> Iterator[str]:
    """What is wrong with the state: unreadable, twice the same resource, a missing parent, operations left over."""
    try:
        latest = json.loads(stack.state_file.read_text())["checkpoint"]["latest"]
    except (OSError, ValueError, KeyError, TypeError) as err:
        yield f"the state does not load: {err!r}"
        return
    resources: list[Mapping[str, Any]] = (latest or {}).get("resources") or []
    names = Counter(item["urn"] for item in resources if not item.get("delete"))
    yield from (f"twice in the state: {urn}" for urn, count in names.items() if count > 1)
    for item in resources:
        for other in (item.get("parent"), *(item.get("dependencies") or ())):
            if other and other not in names:
                yield f"{item['urn']} names {other}, which is not in the state"
    for operation in (latest or {}).get("pending_operations") or ():
        yield f"pending {operation['type']} of {operation['resource']['urn']}"


def lock_problems(stack: StackRun) -> Iterator[str]:
    """Locks that nobody holds any more."""
    yield from (f"still locked: {path.name}" for path in lock_files(stack))


def lock_folder(stack: StackRun) -> Path:
    """Where the file backend keeps the stack's locks."""
    return stack.backend / ".pulumi" / "locks" / "organization" / "weir" / stack.name


def lock_files(stack: StackRun) -> list[Path]:
    """The stack's lock files."""
    return sorted(path for path in lock_folder(stack).glob("*") if path.is_file())


def inventory_problems(world: World) -> Iterator[str]:
    """Entries of an inventory that are not in the cluster, and owned objects in no inventory or in two."""
    owned = {
        key for key, live in world.checker.owned().items() if not live["metadata"].get("deletionTimestamp")
    }
    entries = Counter(key for found in world.checker.inventories().values() for key in found)
    yield from (f"in two inventories: {key}" for key, count in entries.items() if count > 1)
    yield from (
        f"in an inventory, but not ours in the cluster: {key}" for key in sorted(entries.keys() - owned)
    )
    yield from (f"ours in the cluster, but in no inventory: {key}" for key in sorted(owned - entries.keys()))


def expect_no_process(folder: Path, session: int = 0, seconds: float = 2.0) -> None:
    """No process of an ended run is alive after that many seconds; git, kustomize, plugins and the engine included.

    It is known by its session, or by what its processes name: the folder of its stack.

    The shells that ended them and remove their folder may take three seconds more to see that they are gone. All may
    be as late as this machine is meanwhile with what takes a second.
    """
    begin, late = time.monotonic(), 0.0
    with subprocess.Popen(_SECOND) as second:
        while True:
            waited = time.monotonic() - begin
            late = late if second.poll() is not None else max(0.0, waited - 1.0)
            left = members(folder, session)
            if not left:
                break
            cleaners = {one.pid for one in left if _cleans_up(one)}
            longest = seconds + late
            alive = [one for one in left if waited > longest + 3.0 or not {one.pid, one.parent} & cleaners]
            assert waited <= longest or not alive, (
                f"alive {waited:.1f} s after the end: {sorted((one.name, one.pid, one.arguments) for one in alive)}"
            )
            time.sleep(0.05)
        second.kill()


def _cleans_up(process: Spied) -> bool:
    return process.name == "sh" and bool(
        {b"weir-guardian", b"weir-janitor"} & set(process.arguments.split(b"\0"))
    )


def uids(world: World) -> dict[str, str]:
    """uid of every owned object by its identity, to prove that none was recreated."""
    return {"/".join(key): live["metadata"]["uid"] for key, live in world.checker.owned().items()}


def steady(world: World, seconds: float = 0.5) -> dict[str, str]:
    """The versions of all owned objects once nothing has changed them for that long."""

    def look() -> dict[str, str] | None:
        before = world.versions()
        time.sleep(seconds)
        return before if world.versions() == before else None

    found = wait_for(look, seconds=30)
    assert found is not None
    return found
