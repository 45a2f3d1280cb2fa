"""B3.idle, B4, B6 and B7: what the watcher costs when nothing happens, and how fast it is when something does."""

from __future__ import annotations

import hashlib
import statistics
import time
import urllib.request
from collections.abc import Mapping, Sequence
from typing import Final

from benchmarks import content, floors
from benchmarks.bulk import UNIT, Empty, Live, empty_unit
from benchmarks.session import PATIENCE, Sample, Session
from demo.server import Repository
from tests.support.stack import StackRun, git_repository, kustomization
from tests.support.watching import WatcherRun

IDLE: Final = ("B3.idle_cpu", "B3.idle_rss", "B3.noop_tick")
DRIFT: Final = ("B4.p50", "B4.p95")
_UNITS: Final = 20
_SECONDS: Final = 180.0
"""How long the watcher is left alone: three polls of each source at an interval of a minute."""
_MINUTE: Final = 60.0
_MORE: Final = 5
"""How many times as many objects memory is measured with."""
_ROUNDS: Final = 30
_CHAIN: Final = 10
_SOURCES: Final = 100
_REST: Final = 0.02
"""Seconds of processor time per second below which the watcher rests."""
_MEGABYTE: Final = 1024 * 1024
_TOKEN: Final = "bench-webhook-token"  # noqa: S105 - of a receiver that lives for a benchmark


def idle(box: Session) -> Mapping[str, Sample]:
    """20 sources and 20 units in sync: percent of a core, one pass over all sources, megabytes of many more objects."""
    namespace = box.namespace()
    stack, objects = _many(box, namespace, _UNITS, box.count // _UNITS)
    with WatcherRun(stack, "--listen", "127.0.0.1:0", "--metrics", "127.0.0.1:0") as watcher:
        watcher.wait_until_said("run done", within=300)
        _settle(watcher)
        versions, runs = _versions(box, objects), watcher.said.count("running:")
        percent, rss = _use(watcher, _SECONDS)
        assert _versions(box, objects) == versions, "an idle watcher wrote to objects"
        assert watcher.said.count("running:") == runs, "an idle watcher started the engine"
        tick = _pass(watcher)
    urls = [f"{box.server.url}/{path.name}" for path in box.server.root.glob("*.git")][-_UNITS:]
    floor = floors.ls_remotes(urls)
    stack.destroy().must()
    box.drop(namespace)
    return {
        "B3.idle_cpu": Sample(percent, 0.0, {"seconds": _SECONDS}),
        "B3.idle_rss": Sample(_memory(box), 0.0, {"of_fewer_objects": rss}),
        "B3.noop_tick": Sample(tick, floor),
    }


def _memory(box: Session) -> float:
    """Megabytes of a watcher that keeps many objects, after it applied them and rested for a minute."""
    namespace = box.namespace()
    stack, _ = _many(box, namespace, _UNITS, _MORE * box.count // _UNITS)
    with WatcherRun(stack) as watcher:
        watcher.wait_until_said("run done", within=600)
        _settle(watcher)
        _, rss = _use(watcher, _MINUTE)
    stack.destroy(timeout=600).must()
    box.drop(namespace)
    return rss


def drift(box: Session) -> Mapping[str, Sample]:
    """One of 1,000 objects edited or deleted 30 times, in turn: seconds until it is as it was."""
    namespace = box.namespace()
    repository = box.repository()
    objects = content.bulk(namespace, box.count)
    content.write_unit(repository.work / "unit", objects)
    repository.commit("Install")
    stack = box.stack(repository, {UNIT: "./unit"})
    maps = [obj for obj in objects if obj["kind"] == "ConfigMap"]
    with WatcherRun(stack) as watcher:
        watcher.wait_until_said("run done", within=300)
        _settle(watcher)
        times = [_break(box, maps[number], delete=number % 2 == 1) for number in range(_ROUNDS)]
        box.judge(UNIT, objects)
    floor = statistics.median(_write(box, maps[number]) for number in range(_ROUNDS))
    stack.destroy().must()
    box.drop(namespace)
    ordered = sorted(times)
    parts = {
        "edited": statistics.median(times[::2]),
        "deleted": statistics.median(times[1::2]),
        "worst": ordered[-1],
    }
    return {
        "B4.p50": Sample(statistics.median(times), floor, parts),
        "B4.p95": Sample(ordered[int(len(ordered) * 0.95)], floor, parts),
    }


def polling(box: Session) -> Mapping[str, Sample]:
    """100 sources polled each minute without news: percent of a core."""
    namespace = box.namespace()
    stack, _ = _many(box, namespace, _SOURCES, 1)
    with WatcherRun(stack) as watcher:
        watcher.wait_until_said("run done", within=300)
        _settle(watcher)
        percent, rss = _use(watcher, _SECONDS)
    urls = [f"{box.server.url}/{path.name}" for path in box.server.root.glob("*.git")][-_SOURCES:]
    floor = floors.ls_remotes(urls) * 100.0 / 60.0
    stack.destroy(timeout=600).must()
    box.drop(namespace)
    return {"B6.cpu": Sample(percent, floor, {"rss_mb": rss})}


def chain(box: Session) -> Mapping[str, Sample]:
    """10 units that depend on each other in a chain, told of one commit by a webhook: until the last is live."""
    empty = empty_unit(box)
    namespace = box.namespace()
    repository = box.repository()
    _write_chain(repository, namespace, "one")
    repository.commit("Install")
    stack = _with_receiver(box, repository, [_link(number) for number in range(_CHAIN)])
    with WatcherRun(stack, "--listen", "127.0.0.1:0") as watcher:
        watcher.wait_until_said("run done", within=300)
        _settle(watcher)
        objects = _write_chain(repository, namespace, "two")
        repository.commit("Change")
        stack.timings_file.unlink(missing_ok=True)
        with Live(box, objects[-1], lambda live: bool(live["data"]["VALUE"] == "two")) as live:
            _call(watcher)
        watcher.wait_until_said("run done", times=2)
    parts = _parts(stack)
    applies = sum(parts.get(name, 0.0) for name in ("plan", "record", "apply", "wait"))
    stack.destroy().must()
    box.drop(namespace)
    return {"B7.chain": Sample(live.seconds, empty.seconds + applies, {**parts, "empty_unit": empty.seconds})}


def webhook(box: Session) -> Mapping[str, Sample]:
    """One line committed to a unit of 1,000 objects and told by a webhook: until the object is live."""
    empty: Empty = empty_unit(box)
    namespace = box.namespace()
    repository = box.repository()
    objects = content.bulk(namespace, box.count)
    content.write_unit(repository.work / "unit", objects)
    repository.commit("Install")
    stack = _with_receiver(box, repository, [kustomization(UNIT, "bench", "./unit", wait=True)])
    with WatcherRun(stack, "--listen", "127.0.0.1:0") as watcher:
        watcher.wait_until_said("run done", within=300)
        _settle(watcher)
        file = repository.work / "unit" / "objects-0000.yaml"
        file.write_text(file.read_text().replace("LEVEL: info", "LEVEL: trace", 1))
        repository.commit("One line")
        objects[0]["data"]["LEVEL"] = "trace"
        stack.timings_file.unlink(missing_ok=True)
        with Live(box, objects[0], lambda live: bool(live["data"]["LEVEL"] == "trace")) as live:
            _call(watcher)
        watcher.wait_until_said("run done", times=2)
        box.judge(UNIT, objects)
    own = floors.kustomize([repository.work / "unit"])
    stack.destroy().must()
    box.drop(namespace)
    parts = {**_parts(stack), "kustomize": own, "empty_unit": empty.seconds}
    return {"B5.webhook_live": Sample(live.seconds, empty.seconds + own, parts)}


def crash(box: Session) -> Mapping[str, Sample]:
    """The watcher and its run killed amid an install, started again at once: until all is as it should be."""
    namespace, raw_namespace = box.namespace(), box.namespace()
    repository = box.repository()
    objects = content.bulk(namespace, box.count)
    content.write_unit(repository.work / "unit", objects)
    repository.commit("Install")
    stack = box.stack(repository, {UNIT: "./unit"})
    with WatcherRun(stack) as watcher:
        watcher.wait_for(lambda: _count(box, namespace) > box.count // 4, "half of it is there", 300)
        watcher.kill_all()
        begin = time.monotonic()
        watcher.start()
        watcher.wait_until_said("run done", within=300)
        took = time.monotonic() - begin
        box.judge(UNIT, objects)
    raw = floors.raw_apply(box.rest, content.bulk(raw_namespace, box.count))
    stack.destroy().must()
    box.drop(namespace, raw_namespace)
    return {"B10.converge": Sample(took, raw, {"raw_apply": raw})}


def _many(box: Session, namespace: str, units: int, each: int) -> tuple[StackRun, list[content.Obj]]:
    """A stack of so many sources with one unit each of so many objects, and a receiver that asks for all sources."""
    objects = content.bulk(namespace, units * each)
    documents: list[content.Obj] = []
    for number in range(units):
        repository = box.repository()
        content.write_unit(repository.work / "unit", objects[number * each : (number + 1) * each])
        repository.commit("Install")
        url = f"{box.server.url}/{repository.bare.name}"
        documents += [git_repository(f"s{number}", url), kustomization(f"u{number}", f"s{number}", "./unit")]
    stack = box.stack(repository, {})
    stack.write_objects("bench.yaml", [*documents, _receiver(box, [f"s{number}" for number in range(units)])])
    return stack, objects


def _with_receiver(box: Session, repository: Repository, units: Sequence[content.Obj]) -> StackRun:
    """A stack of one source, these units, and a receiver that asks for the source."""
    stack = box.stack(repository, {})
    source = git_repository("bench", f"{box.server.url}/{repository.bare.name}", interval="1h")
    stack.write_objects("bench.yaml", [source, *units, _receiver(box, ["bench"])])
    return stack


def _receiver(box: Session, sources: Sequence[str]) -> content.Obj:
    """A receiver that asks for these sources, with its token in the cluster."""
    box.rest.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "flux-system"}})
    secret = {"name": "bench-token", "namespace": "flux-system"}
    box.rest.apply(
        {"apiVersion": "v1", "kind": "Secret", "metadata": secret, "stringData": {"token": _TOKEN}}
    )
    return {
        "apiVersion": "notification.toolkit.fluxcd.io/v1",
        "kind": "Receiver",
        "metadata": {"name": "bench", "namespace": "flux-system"},
        "spec": {
            "type": "generic",
            "secretRef": {"name": "bench-token"},
            "resources": [{"kind": "GitRepository", "name": name} for name in sources],
        },
    }


def _link(number: int) -> content.Obj:
    before = [{"name": f"link-{number - 1}"}] if number else []
    return kustomization(f"link-{number}", "bench", f"./link-{number}", wait=True, dependsOn=before)


def _write_chain(repository: Repository, namespace: str, value: str) -> list[content.Obj]:
    objects: list[content.Obj] = []
    for number in range(_CHAIN):
        meta = {"name": f"link-{number}", "namespace": namespace}
        objects.append({"apiVersion": "v1", "kind": "ConfigMap", "metadata": meta, "data": {"VALUE": value}})
        content.write_unit(repository.work / f"link-{number}", [objects[-1]])
    return objects


def _call(watcher: WatcherRun) -> None:
    """The webhook of the receiver."""
    digest = hashlib.sha256(f"{_TOKEN}benchflux-system".encode()).hexdigest()
    request = urllib.request.Request(
        f"http://{watcher.address('webhooks')}/hook/{digest}", data=b"{}", method="POST"
    )
    with urllib.request.urlopen(request, timeout=10):  # noqa: S310
        pass


def _break(box: Session, obj: content.Obj, *, delete: bool) -> float:
    """Seconds until an object that was edited or deleted is as it was."""
    meta = obj["metadata"]
    place = ("v1", "ConfigMap", meta["namespace"], meta["name"])
    begin = time.perf_counter()
    if delete:
        box.rest.delete(*place)
    else:
        box.rest.patch(obj, {"data": {"LEVEL": "drifted"}})
    while time.perf_counter() - begin < PATIENCE:
        live = box.rest.get(*place)
        if live is not None and live["data"] == obj["data"]:
            return time.perf_counter() - begin
    raise AssertionError(f"{'/'.join(place)} was not repaired")


def _write(box: Session, obj: content.Obj) -> float:
    """Seconds of one write of an object: no repair can take less."""
    begin = time.perf_counter()
    box.rest.patch(obj, {"metadata": {"annotations": {"weir.dev/bench": str(begin)}}})
    return time.perf_counter() - begin


def _settle(watcher: WatcherRun) -> None:
    """Let what follows a run pass: a look, and everything that is followed read once."""
    watcher.wait_for(
        lambda: watcher.process is not None and _busy(watcher) < _REST, "the watcher is at rest", 120
    )


def _busy(watcher: WatcherRun) -> float:
    before = _cpu(watcher)
    time.sleep(2.0)
    return (_cpu(watcher) - before) / 2.0


def _use(watcher: WatcherRun, seconds: float) -> tuple[float, float]:
    """Percent of a core over so many seconds, children included, and resident megabytes at their end."""
    before, begin = _cpu(watcher), time.monotonic()
    time.sleep(seconds)
    percent = 100.0 * (_cpu(watcher) - before) / (time.monotonic() - begin)
    return percent, sum(one.memory_info().rss for one in watcher.family()) / _MEGABYTE


def _cpu(watcher: WatcherRun) -> float:
    """Seconds of processor time of the watcher and of all that it started."""
    times = [one.cpu_times() for one in watcher.family()]
    return sum(one.user + one.system + one.children_user + one.children_system for one in times)


def _pass(watcher: WatcherRun) -> float:
    """Seconds until every source was polled that one webhook asked for."""
    before = _polls(watcher)
    begin = time.perf_counter()
    _call(watcher)
    while _polls(watcher) < before + _UNITS:
        assert time.perf_counter() - begin < PATIENCE, "the sources are not polled"
    return time.perf_counter() - begin


def _polls(watcher: WatcherRun) -> float:
    address = watcher.address("probes and metrics")
    with urllib.request.urlopen(f"http://{address}/metrics", timeout=10) as answer:
        lines = answer.read().decode().splitlines()
    return sum(float(line.split()[-1]) for line in lines if line.startswith("weir_polls_total{"))


def _versions(box: Session, objects: Sequence[content.Obj]) -> dict[str, str]:
    """ResourceVersion of every object."""
    return {
        f"{kind}/{item['metadata']['name']}": item["metadata"]["resourceVersion"]
        for api_version, kind in sorted({(obj["apiVersion"], obj["kind"]) for obj in objects})
        for item in box.rest.list(
            box.rest.kind(api_version, kind), namespace=objects[0]["metadata"]["namespace"]
        )
    }


def _parts(stack: StackRun) -> dict[str, float]:
    parts: dict[str, float] = {}
    for line in stack.timings():
        parts[line["part"]] = parts.get(line["part"], 0.0) + float(line["seconds"])
    return parts


def _count(box: Session, namespace: str) -> int:
    return len(box.rest.list(box.rest.kind("v1", "ConfigMap"), namespace=namespace))
