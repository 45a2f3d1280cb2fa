"""B1, B3 and P1: the life of one source with one unit of 1,000 objects, all caches cold in every step."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

from benchmarks import content, floors
from benchmarks.session import Clock, Sample, Session, cold_up, twin
from demo.server import Repository
from tests.support.stack import StackRun

UNIT: Final = "bench"
LIFE: Final = (
    "P1.up_empty",
    "B1.install",
    "P1.up_create",
    "P1.up_noop",
    "B3.noop_plan",
    "P1.up_one_line",
    "B5.live",
    "B1.change_all",
    "B1.prune",
)
"""What one life measures, in this order."""


@dataclass(frozen=True, slots=True)
class Empty:
    """The same program with an empty unit: the second run of it, with empty caches."""

    seconds: float
    sample: Sample


def life(box: Session) -> Mapping[str, Sample]:
    """One run of everything in `LIFE`, each step judged before the next."""
    empty = empty_unit(box)
    namespace, raw_namespace = box.namespace(), box.namespace()
    repository = box.repository()
    objects = content.bulk(namespace, box.count)
    content.write_unit(repository.work / "unit", objects)
    repository.commit("Install")
    stack = box.stack(repository, {UNIT: "./unit"})
    raw = twin(content.bulk(raw_namespace, box.count))
    found = {
        "P1.up_empty": empty.sample,
        **_install(box, stack, repository, (objects, raw), empty),
        **_unchanged(box, stack, objects, namespace, empty),
        **_one_line(box, stack, repository, objects, empty),
        "B1.change_all": _change_all(box, stack, repository, (namespace, raw_namespace), empty),
        "B1.prune": _prune(box, stack, repository, raw, empty),
    }
    stack.destroy().must()
    box.drop(namespace, raw_namespace)
    box.settle()
    return found


def empty_unit(box: Session) -> Empty:
    """The program with one source and a unit without objects, beside a Python program without any resource."""
    repository = box.repository()
    content.write_unit(repository.work / "unit", [])
    repository.commit("Nothing")
    stack = box.stack(repository, {UNIT: "./unit"})
    cold_up(stack)
    outcome, parts = cold_up(stack)
    floors.empty_pulumi_program(stack)
    floor = floors.empty_pulumi_program(stack)
    stack.destroy().must()
    return Empty(outcome.seconds, Sample(outcome.seconds, floor, parts))


def _install(
    box: Session,
    stack: StackRun,
    repository: Repository,
    objects: tuple[list[content.Obj], list[content.Obj]],
    empty: Empty,
) -> dict[str, Sample]:
    wanted, raw = objects
    outcome, parts = cold_up(stack)
    box.judge(UNIT, wanted)
    own = floors.kustomize([repository.work / "unit"])
    applied = floors.raw_apply(box.rest, raw)
    parts |= {"kustomize": own, "raw_apply": applied, "empty_unit": empty.seconds}
    return {
        "B1.install": Sample(outcome.seconds, empty.seconds + own + applied, parts),
        "P1.up_create": Sample(outcome.seconds, empty.seconds, parts),
    }


def _unchanged(
    box: Session, stack: StackRun, objects: list[content.Obj], namespace: str, empty: Empty
) -> dict[str, Sample]:
    versions = _versions(box, objects)
    outcome, parts = cold_up(stack)
    assert _versions(box, objects) == versions, "an up without a change wrote to the cluster"
    listing = floors.raw_list(box.rest, objects, namespace)
    return {
        "P1.up_noop": Sample(outcome.seconds, empty.seconds, parts),
        "B3.noop_plan": Sample(parts.get("plan", outcome.seconds), listing, parts),
    }


def _versions(box: Session, objects: list[content.Obj]) -> dict[str, str]:
    found: dict[str, str] = {}
    for api_version, kind in sorted({(obj["apiVersion"], obj["kind"]) for obj in objects}):
        for item in box.rest.list(
            box.rest.kind(api_version, kind), namespace=objects[0]["metadata"]["namespace"]
        ):
            found[f"{kind}/{item['metadata']['name']}"] = item["metadata"]["resourceVersion"]
    return found


def _one_line(
    box: Session, stack: StackRun, repository: Repository, objects: list[content.Obj], empty: Empty
) -> dict[str, Sample]:
    target = objects[0]
    file = repository.work / "unit" / "objects-0000.yaml"
    text = file.read_text()
    file.write_text(text.replace("LEVEL: info", "LEVEL: trace", 1))
    repository.commit("One line")
    target["data"]["LEVEL"] = "trace"
    own = floors.kustomize([repository.work / "unit"])
    with Live(box, target, lambda live: bool(live["data"]["LEVEL"] == "trace")) as live:
        outcome, parts = cold_up(stack)
    box.judge(UNIT, objects)
    floor = empty.seconds + own
    return {
        "P1.up_one_line": Sample(outcome.seconds, floor, {**parts, "kustomize": own}),
        "B5.live": Sample(live.seconds, floor, {**parts, "kustomize": own}),
    }


def _change_all(
    box: Session, stack: StackRun, repository: Repository, namespaces: tuple[str, str], empty: Empty
) -> Sample:
    objects = content.bulk(namespaces[0], box.count, generation=1)
    content.write_unit(repository.work / "unit", objects)
    repository.commit("Change all")
    outcome, parts = cold_up(stack)
    box.judge(UNIT, objects)
    raw = floors.raw_apply(box.rest, twin(content.bulk(namespaces[1], box.count, generation=1)))
    own = floors.kustomize([repository.work / "unit"])
    return Sample(outcome.seconds, empty.seconds + own + raw, {**parts, "kustomize": own, "raw_apply": raw})


def _prune(
    box: Session, stack: StackRun, repository: Repository, raw: list[content.Obj], empty: Empty
) -> Sample:
    for file in (repository.work / "unit").glob("*.yaml"):
        file.unlink()
    content.write_unit(repository.work / "unit", [])
    repository.commit("Remove all")
    outcome, parts = cold_up(stack)
    box.judge(UNIT, [])
    deleted = floors.raw_delete(box.rest, raw)
    return Sample(outcome.seconds, empty.seconds + deleted, {**parts, "raw_delete": deleted})


def deployments(box: Session) -> Mapping[str, Sample]:
    """1,000 Deployments of 3 KB, not waited for; then the same again without a change, when the controllers rest."""
    empty = empty_unit(box)
    namespace, raw_namespace = box.namespace(), box.namespace()
    repository = box.repository()
    objects = content.deployments(namespace, box.count)
    content.write_unit(repository.work / "unit", objects)
    repository.commit("Install")
    stack = box.stack(repository, {UNIT: "./unit"}, wait=False)
    own = floors.kustomize([repository.work / "unit"])
    box.settle()
    outcome, parts = cold_up(stack)
    box.judge(UNIT, objects)
    box.settle()
    raw = floors.raw_apply(box.rest, twin(content.deployments(raw_namespace, box.count)))
    box.drop(raw_namespace)
    box.settle()
    again, more = cold_up(stack)
    parts |= {"kustomize": own, "raw_apply": raw, "empty_unit": empty.seconds}
    stack.destroy().must()
    box.drop(namespace)
    return {
        "B1.install_deployments": Sample(outcome.seconds, empty.seconds + own + raw, parts),
        "P1.up_noop_deployments": Sample(again.seconds, empty.seconds, more),
    }


class Live(Clock):
    """Notes when an object first looks as wanted."""

    def __init__(self, box: Session, target: content.Obj, wanted: Callable[[content.Obj], bool]) -> None:
        meta = target["metadata"]
        place = (target["apiVersion"], target["kind"], meta["namespace"], meta["name"])

        def look() -> bool:
            live = box.rest.get(*place)
            return live is not None and wanted(live)

        super().__init__(look, "/".join(place[1:]))
