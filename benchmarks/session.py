"""The box on which everything is measured: one control plane, one Git server, and samples of commands run on stacks."""

from __future__ import annotations

import contextlib
import secrets
import shutil
import statistics
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Final, Self

import psutil

from benchmarks.content import Obj
from demo.rest import Rest
from demo.server import GitServer, Repository
from demo.stack import Outcome
from tests.support.checker import Checker, Expected
from tests.support.stack import StackRun, git_repository, kustomization
from weir.edges.local_cluster import running_cluster

PATIENCE: Final = 60.0
"""Seconds that something is waited for which was done already, or asked for."""
_MEGABYTE: Final = 1024 * 1024
_IDLE: Final = 0.2
"""CPU seconds per second of a control plane that only renews its leases."""
_NONE: Final[Mapping[str, float]] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class Sample:
    """One measured value with the floor of the same minute and the parts it is made of."""

    value: float
    floor: float
    parts: Mapping[str, float] = field(default_factory=lambda: _NONE)


@dataclass(frozen=True, slots=True)
class Figure:
    """The median of some samples of one benchmark."""

    id: str
    samples: tuple[Sample, ...]
    unit: str = "s"

    def as_json(self) -> dict[str, object]:
        """`id`, `value`, `unit`, `floor`, `ratio`, then how many runs, their spread and the median of each part."""
        value = statistics.median(one.value for one in self.samples)
        floor = statistics.median(one.floor for one in self.samples)
        names = sorted({name for one in self.samples for name in one.parts})
        parts = {name: statistics.median(one.parts.get(name, 0.0) for one in self.samples) for name in names}
        return {
            "id": self.id,
            "value": round(value, 3),
            "unit": self.unit,
            "floor": round(floor, 3),
            "ratio": round(value / floor, 2) if floor else None,
            "runs": len(self.samples),
            "min": round(min(one.value for one in self.samples), 3),
            "max": round(max(one.value for one in self.samples), 3),
            "parts": {name: round(seconds, 3) for name, seconds in parts.items()},
        }


class Session:
    """A running control plane and Git server; every stack, repository and namespace made from it is new."""

    def __init__(self, folder: Path, kubeconfig: Path, server: GitServer, count: int) -> None:
        self.folder = folder
        self.kubeconfig = kubeconfig
        self.server = server
        self.count = count
        self.rest = Rest.load(kubeconfig)
        self.checker = Checker(self.rest)

    def namespace(self) -> str:
        """A new namespace."""
        name = f"bench-{secrets.token_hex(4)}"
        self.rest.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}})
        return name

    def drop(self, *namespaces: str) -> None:
        """Remove namespaces and wait until they are gone, so that no controller works during the next measurement."""
        for name in namespaces:
            self.rest.delete("v1", "Namespace", "", name)
        deadline = time.monotonic() + 120
        while any(self.rest.get("v1", "Namespace", "", name) for name in namespaces):
            assert time.monotonic() < deadline, "namespaces do not go away"
            time.sleep(0.5)

    def settle(self) -> None:
        """Wait until the controllers have done their part: the control plane uses a fifth of a core in a second."""
        ours = [one for one in psutil.process_iter() if _names(one, str(self.folder / "cluster"))]
        deadline, before = time.monotonic() + 300, _cpu_seconds(ours)
        while True:
            time.sleep(1.0)
            now = _cpu_seconds(ours)
            if now - before < _IDLE:
                return
            assert time.monotonic() < deadline, "the control plane does not come to rest"
            before = now

    def repository(self) -> Repository:
        """A new Git repository."""
        return self.server.repository(f"bench-{secrets.token_hex(4)}")

    def stack(self, repository: Repository, paths: Mapping[str, str], *, wait: bool = True) -> StackRun:
        """A new stack with one source and a Kustomization for each of `paths`, initialised but never run."""
        name = f"b{secrets.token_hex(4)}"
        options = {"allowEmpty": True, "allowMassDelete": True}
        stack = StackRun(
            folder=self.folder / name, kubeconfig=self.kubeconfig, name=name, settings={"options": options}
        )
        source = git_repository("bench", f"{self.server.url}/{repository.bare.name}")
        units = [kustomization(unit, "bench", path, wait=wait) for unit, path in paths.items()]
        stack.write_objects("bench.yaml", [source, *units])
        stack.init()
        return stack

    def judge(self, unit: str, objects: Sequence[Obj]) -> None:
        """Stop the benchmark when the cluster does not hold exactly these objects for the unit."""
        self.judge_all({unit: objects})

    def judge_all(self, units: Mapping[str, Sequence[Obj]]) -> None:
        """As `judge`, for several units that own everything that is owned."""
        self.checker.judge([Expected(name, tuple(objects)) for name, objects in units.items()]).must_hold()


def twin(objects: Sequence[Obj]) -> list[Obj]:
    """The objects with two labels as long as the owner labels, so that a raw apply writes as many bytes as Weir."""
    labels = {"kustomize.toolkit.example/name": "bench", "kustomize.toolkit.example/namespace": "flux-system"}
    return [
        {**obj, "metadata": {**obj["metadata"], "labels": {**obj["metadata"].get("labels", {}), **labels}}}
        for obj in objects
    ]


@contextlib.contextmanager
def session(count: int = 1000) -> Iterator[Session]:
    """The box for units of `count` objects, for the length of a `with`; nothing is left running."""
    with tempfile.TemporaryDirectory(prefix="weir-bench-") as scratch:
        folder = Path(scratch)
        (folder / "git").mkdir()
        with GitServer(folder / "git") as server, running_cluster(folder / "cluster") as cluster:
            yield Session(folder, cluster.kubeconfig, server, count)


def cold_up(stack: StackRun, *, cold: bool = True) -> tuple[Outcome, dict[str, float]]:
    """`pulumi up --yes --skip-preview` with empty caches, and its parts.

    Parts are what Weir reports per part, `engine` as the rest of the wall clock, and the peak memory of the engine
    and of all processes together in megabytes.
    """
    if cold:
        shutil.rmtree(stack.cache, ignore_errors=True)
    stack.timings_file.unlink(missing_ok=True)
    with _Memory() as memory:
        outcome = stack.pulumi("up", "--yes", "--skip-preview", timeout=600).must()
    parts: dict[str, float] = {}
    for line in stack.timings():
        parts[line["part"]] = parts.get(line["part"], 0.0) + float(line["seconds"])
    parts["engine"] = max(outcome.seconds - sum(parts.values()), 0.0)
    parts["engine_mb"] = memory.engine / _MEGABYTE
    parts["all_mb"] = memory.all / _MEGABYTE
    return outcome, parts


class Clock:
    """Notes when something can first be seen, asked every 20 ms from outside; it starts with the `with`."""

    def __init__(self, look: Callable[[], bool], what: str) -> None:
        self._look = look
        self._what = what
        self._end = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self.seconds = 0.0

    def __enter__(self) -> Self:
        self._begin = time.monotonic()
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._end.wait(PATIENCE)
        self._end.set()
        self._thread.join()
        assert self.seconds, f"{self._what} was never seen"

    def _watch(self) -> None:
        while not self._end.is_set():
            if self._look():
                self.seconds = time.monotonic() - self._begin
                self._end.set()
            self._end.wait(0.02)


class _Memory:
    """Watches the resident memory of this process's children while a command runs."""

    def __init__(self) -> None:
        self.engine = 0
        self.all = 0
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()

    def _watch(self) -> None:
        while not self._stop.wait(0.25):
            engines = [child for child in psutil.Process().children() if _name(child) == "pulumi"]
            for engine in engines:
                with contextlib.suppress(psutil.Error):
                    own = engine.memory_info().rss
                    rest = sum(child.memory_info().rss for child in engine.children(recursive=True))
                    self.engine, self.all = max(self.engine, own), max(self.all, own + rest)


def _names(process: psutil.Process, folder: str) -> bool:
    """Whether the process was given something in the folder."""
    try:
        return any(folder in word for word in process.cmdline())
    except psutil.Error:
        return False


def _cpu_seconds(processes: Sequence[psutil.Process]) -> float:
    times = [process.cpu_times() for process in processes]
    return float(sum(one.user + one.system for one in times))


def _name(process: psutil.Process) -> str:
    try:
        return str(process.name())
    except psutil.Error:
        return ""
