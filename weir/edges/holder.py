"""Who holds something that several runners want: a name for this process by which its end can be proven later.

The form is `<host>/<pid>/<proof>`, the proof being boot, PID namespace, birth of the process and a random part. Two
processes never have the same name. Who reads it in the same PID namespace of the same boot of the same kernel knows for
certain whether the process is gone: no clock, no host name and no second use of a pid can mislead.
"""

from __future__ import annotations

import contextlib
import os
import secrets
import socket
from pathlib import Path
from typing import Final

from weir.edges.birth import birth

_BOOT: Final = Path("/proc/sys/kernel/random/boot_id")
_PROCESSES: Final = Path("/proc/self/ns/pid")
_LONGEST: Final = 100


def own_identity() -> str:
    """A new name for this process; unique, also among the names of one process."""
    return f"{socket.gethostname()}/{os.getpid()}/{_place()}-{birth(os.getpid())}-{secrets.token_hex(4)}"


def is_gone(identity: str) -> bool:
    """Whether the process that has this name has certainly ended; False when that cannot be told from here."""
    host_and_pid, _, proof = identity.rpartition("/")
    pid = host_and_pid.rpartition("/")[2]
    place, _, rest = proof.partition("-")
    born = rest.partition("-")[0]
    if not place or place != _place() or not pid.isdecimal() or not born.isdecimal():
        return False
    try:
        os.kill(int(pid), 0)
    except ProcessLookupError:
        return True
    except (OSError, OverflowError):
        return False
    ticks = birth(int(pid))
    return _is_zombie(int(pid)) or (ticks is not None and ticks != int(born))


def shown(identity: str) -> str:
    """A holder's name for people, on one line and bounded: `pid 41 on build-7`, or what another program wrote."""
    host, _, rest = identity.partition("/")
    pid, _, proof = rest.partition("/")
    text = f"pid {pid} on {host}" if pid.isdecimal() and proof else identity
    return "".join(letter if letter.isprintable() else "?" for letter in text[:_LONGEST])


def _place() -> str:
    """The boot and the PID namespace, empty where the system does not tell them."""
    try:
        return f"{_BOOT.read_text().replace('-', '')[:12]}.{_PROCESSES.stat().st_ino}"
    except OSError:
        return ""


def _is_zombie(pid: int) -> bool:
    with contextlib.suppress(OSError, IndexError):
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] in "ZX"
    return False
