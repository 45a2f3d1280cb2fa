"""A stack of five sources on two Git servers, and everything that happens to it while a watcher keeps it."""

from __future__ import annotations

import contextlib
import hashlib
import random
import socket
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Final

import yaml

from demo.rest import RestError
from tests.support import checker
from tests.support.checker import Expected
from tests.support.fault_proxy import Fault, FaultProxy
from tests.support.git_server import GitServer, Repo, Trouble
from tests.support.notices import alert_object, provider_object
from tests.support.sink import Sink
from tests.support.stack import git_repository, kustomization, write_tree
from tests.support.world import Obj, World, config_map, deployment, service

TOKEN: Final = "a-token-for-webhooks"
SOURCES: Final = ("apps", "infra", "tools", "fleet", "guests")
_PARTS: Final = 30
_TOOLS: Final = 6
_GUESTS: Final = 3
_LASTING: Final = 10
"""Objects that stay, so that those that leave are never most of a unit, which Weir refuses to delete."""
_SLOW: Final = 20
"""Webhooks that never end, at once."""
_SECONDS: Final = 15.0


@dataclass
class Source:
    """One repository, and its tree as the judge sees it."""

    name: str
    repo: Repo
    tree: Path

    def commit(self, files: Mapping[str, Sequence[Obj] | None]) -> None:
        """Commit objects by file; None removes one."""
        texts = {name: yaml.safe_dump_all(found) for name, found in files.items() if found is not None}
        gone = [name for name, found in files.items() if found is None]
        write_tree(self.tree, texts)
        for name in gone:
            (self.tree / name).unlink(missing_ok=True)
        self.repo.commit({**texts, **dict.fromkeys(gone)})

    def render(self, path: str) -> tuple[Obj, ...]:
        """The objects of a folder."""
        return checker.render(self.tree, path)


@dataclass
class LongLife:
    """What people, servers and the cluster do. Every name that comes and goes is used once.

    `world` reaches its cluster through `proxy`.
    """

    world: World
    proxy: FaultProxy
    other: GitServer
    """Serves the sources `tools` and `fleet`; the world's own server the rest."""
    sink: Sink
    chance: random.Random
    hour: float
    """How long an hour takes, in seconds."""
    hooks: str = ""
    """`host:port` for webhooks."""
    pages: tuple[str, ...] = ()
    """`host:port/path` of what people look at."""
    sources: dict[str, Source] = field(default_factory=dict)
    counts: dict[str, int] = field(default_factory=dict)
    """What happened, and how often."""
    _number: int = 0
    _guests: list[str] = field(default_factory=list)
    _tools: list[str] = field(default_factory=list)
    _sockets: list[socket.socket] = field(default_factory=list)
    _away: set[int] = field(default_factory=set)

    def declare(self) -> None:
        """The first commits, and the stack's own objects."""
        world = self.world
        for name in SOURCES:
            server = self.other if name in ("tools", "fleet") else world.server
            repo = world.repo if name == "apps" else server.repo(f"{name}-{world.namespace}")
            self.sources[name] = Source(name, repo, world.tree / name)
        for grow in (self.new_web, self.new_infra, self.new_tools, self.new_guest):
            grow()
        spec = {"interval": "1m", "namespace": world.flux}
        sources = [git_repository(one.name, one.repo.url, **spec) for one in self.sources.values()]
        units = [
            kustomization(name, source, f"./{name}", namespace=world.flux, retryInterval="2m")
            for name, source in (("web", "apps"), ("infra", "infra"), ("tools", "tools"), ("fleet", "fleet"))
        ]
        world.units(*sources[1:], *units, *self._notices())

    def wanted(self) -> list[Expected]:
        """What the units should have made by now. Units that units render are never applied."""
        world = self.world
        found = {
            "web": self.sources["apps"].render("web"),
            "infra": self.sources["infra"].render("infra"),
            "tools": self.sources["tools"].render("tools"),
            "fleet": tuple(
                one for one in self.sources["fleet"].render("fleet") if one["kind"] != "Kustomization"
            ),
            **{name: self.sources["guests"].render(name) for name in self._guests},
        }
        return [Expected(name, objects, world.flux) for name, objects in found.items()]

    def note(self, what: str) -> None:
        """Count something that happened."""
        self.counts[what] = self.counts.get(what, 0) + 1

    # commits

    def new_web(self) -> None:
        """Another text, and another size."""
        ns, number = self.world.namespace, self._next()
        size = self.chance.randint(1, 3)
        objects = [config_map(ns, "web", N=str(number)), deployment(ns, "web", size), service(ns, "web")]
        self._commit("apps", {"web/all.yaml": objects})

    def new_infra(self) -> None:
        """The same objects with other content."""
        ns, number = self.world.namespace, str(self._next())
        parts = [config_map(ns, f"part-{part}", N=number) for part in range(_PARTS)]
        self._commit("infra", {"infra/all.yaml": parts})

    def new_tools(self) -> None:
        """Objects with names that never were; the oldest ones leave, and so now and then does a kind."""
        number = self._next()
        kind = self.chance.choice(("ConfigMap", "ConfigMap", "ServiceAccount", "Secret"))
        self._tools = [*self._tools, f"{kind}/tool-{number}"][-_TOOLS:]
        self._commit("tools", {"tools/all.yaml": self._all_tools()})

    def broken_tools(self) -> None:
        """An object that no API server takes; the next commit is good again."""
        broken = {**config_map(self.world.namespace, "broken"), "data": {"A": {"b": "c"}}}
        self._commit("tools", {"tools/all.yaml": [*self._all_tools(), broken]})

    def new_guest(self) -> None:
        """A unit of a new name, rendered by another unit; when there are some, the oldest is declared no more."""
        name, ns = f"guest-{self._next()}", self.world.namespace
        unit = kustomization(name, "guests", f"./{name}", namespace=self.world.flux)
        files: dict[str, Sequence[Obj] | None] = {
            f"fleet/{name}.yaml": [unit],
            "fleet/own.yaml": [config_map(ns, "fleet")],
        }
        self._guests.append(name)
        if len(self._guests) > _GUESTS:
            files[f"fleet/{self._guests.pop(0)}.yaml"] = None
        self._commit("guests", {f"{name}/all.yaml": [config_map(ns, name, A="1")]})
        self._commit("fleet", files)

    # people

    def drift(self) -> None:
        """Somebody edits or deletes an object that a unit owns."""
        world, ns = self.world, self.world.namespace
        part = f"part-{self.chance.randrange(_PARTS)}"
        with contextlib.suppress(RestError):
            match self.chance.choice(("edit", "edit", "delete", "scale", "many")):
                case "edit":
                    world.edit(config_map(ns, part), {"data": {"N": "nonsense"}})
                case "delete":
                    world.rest.delete("v1", "ConfigMap", ns, part)
                case "scale":
                    world.edit(deployment(ns, "web"), {"spec": {"replicas": 5}})
                case _:
                    for number in range(_PARTS):
                        world.edit(config_map(ns, f"part-{number}"), {"data": {"N": "nonsense"}})

    def hook(self) -> None:
        """A webhook: a good one, one of nobody, one that is no HTTP, or one that never ends."""
        digest = hashlib.sha256(f"{TOKEN}git{self.world.flux}".encode()).hexdigest()
        match self.chance.choice(("good", "good", "good", "unknown", "garbage", "slow")):
            case "good":
                call(self.hooks, f"/hook/{digest}", b"{}")
            case "unknown":
                call(self.hooks, f"/hook/{self.chance.randbytes(32).hex()}", b"{}")
            case "garbage":
                with self._connected() as connection:
                    connection.sendall(self.chance.randbytes(3000))
            case _:
                connection = self._connected()
                connection.sendall(f"POST /hook/{digest} HTTP/1.1\r\nContent-Length: 9\r\n\r\n".encode())
                self._sockets.append(connection)
                if len(self._sockets) > _SLOW:
                    self._sockets.pop(0).close()

    def look(self) -> None:
        """Somebody opens the pages, and Prometheus comes by."""
        for page in self.pages:
            address, _, path = page.partition("/")
            call(address, f"/{path}")

    # servers

    def git_trouble(self) -> None:
        """One Git server goes away, or answers badly."""
        server = self.chance.choice((self.world.server, self.other))
        self._heal_git(server)
        match self.chance.choice(("away", "status", "hang", "cut")):
            case "away":
                server.stop()
                self._away.add(id(server))
            case "status":
                server.trouble.status = self.chance.choice((401, 404, 429, 500, 503))
            case "hang":
                server.trouble.hang = threading.Event()
            case _:
                server.trouble.cut_after = self.chance.randrange(2000)

    def git_healed(self) -> None:
        """Both Git servers are well."""
        self._heal_git(self.world.server)
        self._heal_git(self.other)

    def api_trouble(self) -> None:
        """The API server resets, refuses or cuts off."""
        times = self.chance.randint(1, 12)
        kind = self.chance.choice(("down", "reset", "busy", "slow down", "cut", "watches", "writes"))
        faults = {
            "reset": Fault(drop=True, times=times),
            "busy": Fault(status=503, times=times),
            "slow down": Fault(status=429, retry_after="1", times=times),
            "cut": Fault(cut_after=self.chance.randrange(3000), times=times),
            "watches": Fault(path="watch=1", cut_after=0, times=times),
            "writes": Fault(method="PATCH", cut_after=0, times=times),
        }
        if kind == "down":
            self.proxy.down = True
        else:
            self.proxy.faults.append(faults[kind])

    def api_down(self) -> None:
        """The API server goes away."""
        self.proxy.down = True

    def api_healed(self) -> None:
        """The API server is well."""
        self.proxy.down = False
        self.proxy.faults.clear()

    def sink_trouble(self) -> None:
        """Whoever is notified refuses, cuts off or hangs."""
        match self.chance.choice(("down", "answers", "hang")):
            case "down":
                self.sink.down = True
            case "answers":
                self.sink.answers[:] = [self.chance.choice((0, 429, 500, 503)) for _ in range(5)]
            case _:
                self.sink.hang = threading.Event()

    def sink_healed(self) -> None:
        """Whoever is notified listens again."""
        self.sink.down = False
        self.sink.answers.clear()
        if self.sink.hang:
            self.sink.hang.set()
            self.sink.hang = None

    def forget(self) -> None:
        """What the API server does by its own clock: it forgets Events after an hour (kube-apiserver --event-ttl)."""
        space = self.world.checker.record_namespace
        for event in self.world.rest.list(self.world.rest.kind("v1", "Event"), namespace=space):
            last = datetime.fromisoformat(event["lastTimestamp"]).timestamp()
            if last < time.time() - self.hour:
                self.world.rest.delete("v1", "Event", space, event["metadata"]["name"])

    def close(self) -> None:
        """Everything is well again, and nobody asks any more."""
        self.git_healed()
        self.api_healed()
        self.sink_healed()
        for one in self._sockets:
            one.close()

    def _heal_git(self, server: GitServer) -> None:
        if server.trouble.hang:
            server.trouble.hang.set()
        server.trouble = Trouble()
        if id(server) in self._away:
            self._away.discard(id(server))
            server.start()

    def _next(self) -> int:
        self._number += 1
        return self._number

    def _commit(self, name: str, files: Mapping[str, Sequence[Obj] | None]) -> None:
        self.sources[name].commit(files)
        self.note("commits")

    def _all_tools(self) -> list[Obj]:
        lasting = [f"ConfigMap/lasting-{number}" for number in range(_LASTING)]
        return [self._tool(text) for text in (*lasting, *self._tools)]

    def _tool(self, text: str) -> Obj:
        kind, _, name = text.partition("/")
        content = {"stringData": {"a": name}} if kind == "Secret" else {}
        return {
            "apiVersion": "v1",
            "kind": kind,
            "metadata": {"name": name, "namespace": self.world.namespace},
            **content,
        }

    def _connected(self) -> socket.socket:
        host, _, port = self.hooks.partition(":")
        return socket.create_connection((host, int(port)), _SECONDS)

    def _notices(self) -> Iterator[Obj]:
        """A receiver for two sources with its token in the cluster, and an alert about everything."""
        world = self.world
        world.rest.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": world.flux}})
        meta = {"name": "hook", "namespace": world.flux}
        world.rest.apply(
            {"apiVersion": "v1", "kind": "Secret", "metadata": meta, "stringData": {"token": TOKEN}}
        )
        everything = [{"kind": kind, "name": "*"} for kind in ("Kustomization", "GitRepository")]
        receiver = {
            "apiVersion": "notification.toolkit.fluxcd.io/v1",
            "kind": "Receiver",
            "metadata": {"name": "git"},
            "spec": {
                "type": "generic",
                "secretRef": {"name": "hook"},
                "resources": [{"kind": "GitRepository", "name": name} for name in ("apps", "tools")],
            },
        }
        alert, provider = alert_object(eventSources=everything), provider_object(self.sink.url, timeout="5s")
        documents: list[Obj] = [receiver, alert, provider]
        for one in documents:
            yield {**one, "metadata": {**one["metadata"], "namespace": world.flux}}


def call(address: str, path: str, body: bytes | None = None) -> None:
    """One request, whatever comes of it."""
    request = urllib.request.Request(f"http://{address}{path}", data=body)
    with (
        contextlib.suppress(urllib.error.HTTPError, OSError),
        urllib.request.urlopen(request, timeout=_SECONDS) as answer,
    ):
        answer.read()
