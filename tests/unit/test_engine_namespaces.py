"""Where a pid that was noted under this host's name proves something."""

from __future__ import annotations

from pathlib import Path

import pytest

from weir.edges.pulumi import namespaces
from weir.edges.pulumi.namespaces import pids_prove

ID = "0123456789ab" + "c" * 52
MOUNT = f"1 2 8:1 /var/lib/docker/containers/{ID}/hostname /etc/hostname rw - ext4 /dev/sda1 rw"
OWN = {"pid": 4026532001, "uts": 4026532002}
"""Namespaces of a container."""
FIRST = {"pid": 4026531836, "uts": 4026531838}
"""Those of the machine."""


@pytest.mark.parametrize(
    ("inodes", "host", "pod", "want"),
    [
        pytest.param(FIRST, "laptop", False, True, id="a laptop or a virtual machine"),
        pytest.param(FIRST | {"uts": OWN["uts"]}, "db", False, True, id="a container with --pid host"),
        pytest.param(OWN, ID[:12], False, True, id="a container named by its ID"),
        pytest.param(OWN, "watcher-0", True, True, id="a pod"),
        pytest.param(OWN | {"uts": FIRST["uts"]}, "node-1", True, False, id="a pod with hostNetwork"),
        pytest.param(OWN, "laptop", False, False, id="a container with --network host"),
        pytest.param(OWN, "fedcba987654", False, False, id="a name that only looks like an ID"),
        pytest.param({}, "watcher-0", True, False, id="a system that tells nothing"),
    ],
)
def test_where_the_host_name_means_the_same_pids(
    inodes: dict[str, int], host: str, pod: bool, want: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "mounts").write_text(MOUNT)
    monkeypatch.setattr("sys.platform", "linux")
    monkeypatch.setattr(namespaces, "_MOUNTS", tmp_path / "mounts")
    monkeypatch.setattr(namespaces, "_inode", lambda kind: inodes.get(kind, 0))
    monkeypatch.delenv("KUBERNETES_SERVICE_HOST", raising=False)
    if pod:
        monkeypatch.setenv("KUBERNETES_SERVICE_HOST", "10.0.0.1")
    assert pids_prove(host) is want
