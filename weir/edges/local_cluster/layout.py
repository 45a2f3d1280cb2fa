"""The folder of a local cluster: where each file is, and the rule that only such a folder is ever removed."""

from __future__ import annotations

import json
import os
import random
import shutil
import socket
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from weir.spec.errors import ClusterError

_MARKER: Final = "weir-local-cluster"
_PORTS: Final = ("api", "etcd", "peer")


def default_folder() -> Path:
    """`$XDG_STATE_HOME/weir/cluster`, else `~/.local/state/weir/cluster`."""
    return Path(os.environ.get("XDG_STATE_HOME") or "~/.local/state").expanduser() / "weir" / "cluster"


@dataclass(frozen=True, slots=True)
class Layout:
    """Names inside one cluster's folder."""

    root: Path

    @property
    def kubeconfig(self) -> Path:
        """The administrator's kubeconfig."""
        return self.root / "kubeconfig"

    def file(self, name: str) -> Path:
        """A file of the cluster by its name, for example `ca.crt` or `etcd.log`."""
        return self.root / name

    def create(self) -> None:
        """Make the folder, 0700.

        Raises:
            ClusterError: the folder holds something that is not a local cluster.
        """
        if self.root.is_dir() and any(self.root.iterdir()):
            self._must_be_ours()
        self.root.mkdir(mode=0o700, parents=True, exist_ok=True)
        self.root.chmod(0o700)
        self.write(_MARKER, "")

    def remove(self) -> None:
        """Delete the folder if it is there.

        Raises:
            ClusterError: the folder is not a local cluster's.
        """
        if self.root.is_dir():
            self._must_be_ours()
            shutil.rmtree(self.root)

    def write(self, name: str, content: str | bytes) -> Path:
        """Write a file that only this user can read."""
        path = self.file(name)
        data = content.encode() if isinstance(content, str) else content
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(handle, "wb") as file:
            file.write(data)
        return path

    def ports(self, *, fresh: bool = False) -> dict[str, int]:
        """The loopback ports of this cluster: chosen once, then kept, so that the kubeconfig stays true."""
        path = self.file("ports.json")
        if path.is_file() and not fresh:
            return {name: int(port) for name, port in json.loads(path.read_text()).items()}
        chosen = dict(zip(_PORTS, free_ports(len(_PORTS)), strict=True))
        self.write(path.name, json.dumps(chosen))
        return chosen

    def last_lines(self, name: str, count: int = 8) -> str:
        """The end of a process's log, for an error message."""
        path = self.file(f"{name}.log")
        return "\n".join(path.read_text(errors="replace").splitlines()[-count:]) if path.is_file() else ""

    def _must_be_ours(self) -> None:
        if not self.file(_MARKER).is_file():
            raise ClusterError(
                f"{self.root}: found a folder that is not a local cluster's", hint="choose another --dir"
            )


def free_ports(count: int) -> Sequence[int]:
    """Loopback ports that nobody listens on, below the range from which outgoing connections take theirs.

    Such a port stays free while a server that had it is down for a moment.
    """
    ports: list[int] = []
    while len(ports) < count:
        port = random.SystemRandom().randrange(20000, 32000)
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            if port not in ports and probe.connect_ex(("127.0.0.1", port)) != 0:
                ports.append(port)
    return ports
