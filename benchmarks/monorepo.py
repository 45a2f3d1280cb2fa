"""B5: one line committed in a monorepo of 10,000 files and 50 MB, 20 units, 1,000 rendered objects."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Final

from benchmarks import content, floors
from benchmarks.bulk import Live, empty_unit
from benchmarks.session import Sample, Session, cold_up

FILES_PER_OBJECT: Final = 10
SIZE: Final = 5_000
UNITS: Final = 20


def live(box: Session) -> Mapping[str, Sample]:
    """Push to object live: `B5.monorepo` with all caches of Weir cold, `B5.monorepo_warm` with those of the run before.

    The clock starts when `pulumi up` does, right after the push. Cold floor: the program with an empty unit, a shallow
    clone, and kustomize's time for all units, two at a time. Warm floor: the program, and kustomize for the one unit
    that the commit reaches.
    """
    empty = empty_unit(box)
    namespace = box.namespace()
    repository = box.repository()
    objects = content.bulk(namespace, box.count)
    names = [f"unit-{number:02}" for number in range(UNITS)]
    units = dict(zip(names, content.batches(objects, UNITS), strict=True))
    for name, part in units.items():
        content.write_unit(repository.work / "units" / name, part)
    content.write_filler(repository.work / "services", FILES_PER_OBJECT * box.count, SIZE)
    repository.commit("Monorepo")
    stack = box.stack(repository, {name: f"./units/{name}" for name in names})
    cold_up(stack)
    box.judge_all(units)
    folders = [repository.work / "units" / name for name in names]
    found: dict[str, Sample] = {}
    for id_, level, cold in (("B5.monorepo", "trace", True), ("B5.monorepo_warm", "debug", False)):
        _edit(folders[0] / "objects-0000.yaml", level)
        repository.commit(f"Log at {level}")
        objects[0]["data"]["LEVEL"] = level
        own = floors.kustomize(folders, workers=2) if cold else floors.kustomize(folders[:1])
        with Live(box, objects[0], partial(_at, level)) as clock:
            outcome, parts = cold_up(stack, cold=cold)
        box.judge_all(units)
        cloned = floors.clone(
            f"{box.server.url}/{repository.bare.name}", box.folder / f"{stack.name}-{level}"
        )
        parts |= {"kustomize": own, "clone": cloned, "up": outcome.seconds}
        floor = empty.seconds + own + (cloned if cold else 0.0)
        found[id_] = Sample(clock.seconds, floor, parts)
    stack.destroy().must()
    box.drop(namespace)
    return found


def _at(level: str, seen: content.Obj) -> bool:
    return bool(seen["data"]["LEVEL"] == level)


def _edit(file: Path, level: str) -> None:
    lines = file.read_text().split("\n")
    first = next(number for number, line in enumerate(lines) if line.startswith("  LEVEL: "))
    lines[first] = f"  LEVEL: {level}"
    file.write_text("\n".join(lines))
