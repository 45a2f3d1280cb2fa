"""What the pids of this process's PID namespace prove about a pid that another process wrote down.

A container has pids of its own, and may have the host name of its machine (`docker run --network host`, `hostNetwork`
in Kubernetes): the same host name does not mean the same pids. They do mean the same

- in the machine's own PID namespace, where the processes of all containers are seen too, each with all its numbers;
- in a container whose host name is certainly no other's: Docker's and Podman's default, which is the container's ID,
  and that of a pod. Containers of one pod that share a state must share their processes (`shareProcessNamespace`).

A name that was given to a container by hand (`--hostname`) may be given twice, and proves nothing.
"""

from __future__ import annotations

import contextlib
import os
import re
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Final

import psutil

_NAMESPACES: Final = Path("/proc/self/ns")
_MOUNTS: Final = Path("/proc/self/mountinfo")
_FIRST: Final = {"pid": 0xEFFFFFFC, "uts": 0xEFFFFFFE}
"""Inodes of the machine's own namespaces (include/uapi/linux/nsfs.h); the same in every kernel since 3.8."""
_SHORT_ID: Final = re.compile(r"[0-9a-f]{12}")
_POD: Final = "KUBERNETES_SERVICE_HOST"


def pids_prove(host: str) -> bool:
    """Whether a pid that was noted under this process's host name is certainly one that would be seen from here."""
    if sys.platform != "linux" or sees_all():
        return True
    if _inode("uts") in (0, _FIRST["uts"]):
        return False
    return _POD in os.environ or _is_container_id(host)


def sees_all() -> bool:
    """Whether we are in the machine's own PID namespace, where process 1 is its init."""
    return _inode("pid") == _FIRST["pid"]


def runs_inside(pid: int, counts: Callable[[int], bool]) -> bool:
    """Whether a process in a container on this machine has this pid there; `counts` is asked with the pid seen here."""
    return any(_has_inside(outer, pid) and counts(outer) for outer in psutil.pids())


def _has_inside(outer: int, pid: int) -> bool:
    with contextlib.suppress(OSError, KeyError):
        lines = Path(f"/proc/{outer}/status").read_text(errors="replace").splitlines()
        fields = {key: value.strip() for key, _, value in (line.partition(":") for line in lines)}
        return str(pid) in fields["NSpid"].split()[1:] and fields["State"][:1] not in "ZX"
    return False


def _inode(kind: str) -> int:
    """The number of one of our namespaces; 0 where the system does not tell it."""
    with contextlib.suppress(OSError):
        return (_NAMESPACES / kind).stat().st_ino
    return 0


def _is_container_id(host: str) -> bool:
    """Whether the host name begins the ID under which a container runtime keeps the files that are mounted here."""
    with contextlib.suppress(OSError):
        return (
            bool(_SHORT_ID.fullmatch(host))
            and re.search(rf"/{host}[0-9a-f]{{52}}/", _MOUNTS.read_text()) is not None
        )
    return False
