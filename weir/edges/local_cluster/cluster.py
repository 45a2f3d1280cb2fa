"""One local cluster: start it, wait until it can be used, take its API server away and give it back, remove it."""

from __future__ import annotations

import contextlib
import fcntl
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping
from http import HTTPStatus
from pathlib import Path
from typing import Final

from weir.edges.local_cluster import processes
from weir.edges.local_cluster.commands import APISERVER, ETCD, NAMES, NODE, command
from weir.edges.local_cluster.credentials import write_credentials
from weir.edges.local_cluster.layout import Layout
from weir.edges.local_cluster.probe import Probe
from weir.spec.errors import ClusterError

_READY_SECONDS: Final = 60.0
_POLL_SECONDS: Final = 0.05
_ATTEMPTS: Final = 3


class PortTakenError(ClusterError):
    """Another program took a port between its choice and its use."""


class LocalCluster:
    """A control plane in one folder; any process may hold this object, the folder is the truth."""

    def __init__(self, folder: Path, *, tied: bool = False) -> None:
        """Name the folder; `tied` processes end when the thread that starts them ends (Linux)."""
        self.layout = Layout(folder.absolute())
        self.tied = tied
        self._children: dict[str, subprocess.Popen[bytes]] = {}

    @property
    def kubeconfig(self) -> Path:
        """The administrator's kubeconfig, 0600; its only context is `weir-local`."""
        return self.layout.kubeconfig

    @property
    def server(self) -> str:
        """The URL of the API server."""
        return f"https://127.0.0.1:{self.layout.ports()['api']}"

    def running(self) -> Mapping[str, bool]:
        """For each process by name, whether it is alive."""
        found = {name: processes.Remembered.load(self.layout, name) for name in NAMES}
        return {name: one is not None and one.find(self.layout) is not None for name, one in found.items()}

    def start(self) -> None:
        """Start what is not running and return when Pods could be scheduled; nothing is left running on failure.

        Raises:
            ClusterError: a process ended, or the cluster was not ready within a minute; names the log.
            weir.edges.tools.ToolError: a binary is missing.
        """
        self.layout.create()
        with self._alone():
            for attempt in range(_ATTEMPTS):
                try:
                    self._start_once(new_ports=attempt > 0)
                except PortTakenError:
                    self._end(NAMES)
                    if attempt == _ATTEMPTS - 1:
                        raise
                except BaseException:
                    self._end(NAMES)
                    raise
                else:
                    return

    def stop(self) -> None:
        """End all processes at once and remove the folder; does nothing where there is none.

        Raises:
            ClusterError: the folder is not a local cluster's.
        """
        self._end(NAMES)
        self.layout.remove()

    def stop_apiserver(self) -> None:
        """End the API server at once, as a crash would; the others keep running and retry."""
        self._end([APISERVER])

    def start_apiserver(self) -> None:
        """Start the API server again on the same port and wait until it is ready.

        Raises:
            ClusterError: it ended or was not ready within a minute.
        """
        ports = self.layout.ports()
        self._spawn(APISERVER, ports)
        self._wait("the API server", Probe(self.layout, ports["api"]).ready)

    def _start_once(self, *, new_ports: bool) -> None:
        ports = self.layout.ports(fresh=new_ports)
        write_credentials(self.layout, ports["api"])
        alive = self.running()
        probe = Probe(self.layout, ports["api"])
        # the others give up when they may not read yet: on a busy machine the roles they need come late
        for group in ((ETCD, APISERVER), [name for name in NAMES if name not in (ETCD, APISERVER)]):
            for name in group:
                if not alive[name]:
                    self._spawn(name, ports)
            self._wait("the API server", probe.ready)
        self._wait("the node object", lambda: _has_node(probe))
        self._wait(
            "the default ServiceAccount",
            lambda: probe.exists("/api/v1/namespaces/default/serviceaccounts/default"),
        )
        self._wait("a Ready node", lambda: probe.node_ready("node-1"))

    def _spawn(self, name: str, ports: Mapping[str, int]) -> None:
        self.layout.file(f"{name}.log").unlink(missing_ok=True)
        argv = command(name, self.layout, ports)
        self._children[name] = processes.start(self.layout, name, argv, tied=self.tied)

    def _wait(self, what: str, done: Callable[[], bool]) -> None:
        deadline = time.monotonic() + _READY_SECONDS
        while True:
            self._check_children()
            if done():
                return
            if time.monotonic() > deadline:
                raise ClusterError(
                    f"{self.layout.root}: found no sign of {what} after {_READY_SECONDS:.0f} s",
                    hint=f"see {self.layout.root}/*.log",
                )
            time.sleep(_POLL_SECONDS)

    def _check_children(self) -> None:
        for name, child in self._children.items():
            if child.poll() is not None:
                lines = self.layout.last_lines(name)
                kind = PortTakenError if "address already in use" in lines else ClusterError
                raise kind(f"{name} ended with code {child.returncode}; its log ends with\n{lines}")

    def _end(self, names: tuple[str, ...] | list[str]) -> None:
        processes.end(self.layout, names)
        for name in names:
            child = self._children.pop(name, None)
            if child is not None:
                child.wait()

    @contextlib.contextmanager
    def _alone(self) -> Iterator[None]:
        """Keep a second `up` of the same folder waiting until the first is through."""
        with self.layout.write("lock", "").open() as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield


@contextlib.contextmanager
def running_cluster(folder: Path) -> Iterator[LocalCluster]:
    """A fresh cluster for the length of a `with`, then no process and no folder.

    The processes also end when the calling thread ends, however it ends: enter this in the main thread.

    Raises:
        ClusterError: the cluster does not come up, or the folder is in use for something else.
    """
    cluster = LocalCluster(folder, tied=True)
    cluster.stop()
    try:
        cluster.start()
        yield cluster
    finally:
        cluster.stop()


def _has_node(probe: Probe) -> bool:
    return probe.ask("POST", "/api/v1/nodes", NODE)[0] in {HTTPStatus.CREATED, HTTPStatus.CONFLICT}
