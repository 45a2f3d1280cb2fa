"""Which processes may be the Pulumi CLI, whatever they are called.

A name proves nothing: the CLI is renamed, wrapped (`.pulumi-wrapped`), linked into programs and run by emulators. What
certainly is not the CLI has neither Pulumi's name in its first arguments nor Pulumi's code in its executable, where Go
keeps the names of packages in every build.
"""

from __future__ import annotations

import mmap
import sys
from pathlib import Path
from typing import Final

import psutil

from weir.edges.pulumi.namespaces import sees_all

_HELPERS: Final = ("pulumi-language", "pulumi-resource", "pulumi-analyzer", "pulumi-converter")
_WORDS: Final = 3
"""Arguments that may name the program: behind an emulator or an interpreter, and an option of theirs."""
_INIT: Final = 1
_SIGNS: Final = (b"pulumi", b"UPX!")
"""In the CLI's executable; the second when it is packed."""

Known = dict[tuple[int, int, int], bool]
"""(device, inode, change time) of executables that were read -> whether they may be the CLI."""


def is_engine(name: str) -> bool:
    """Whether a program of this name is to be taken for the Pulumi CLI; its helpers take no locks."""
    return "pulumi" in name and not name.startswith(_HELPERS)


def may_be_engine(process: psutil.Process, known: Known, *, unread: bool = True) -> bool:
    """Whether a process may be the Pulumi CLI; `unread` is the answer when its executable cannot be read.

    Raises:
        psutil.Error: the process is gone, or the system hides it.
    """
    name = process.name()
    if name.startswith(_HELPERS) or (process.pid == _INIT and sees_all()):
        return False
    if is_engine(name):
        return True
    try:
        words = process.cmdline()[:_WORDS]
        program = f"/proc/{process.pid}/exe" if sys.platform == "linux" else process.exe()
        return any(is_engine(Path(word).name) for word in words) or _has_signs(Path(program), known)
    except (OSError, ValueError, psutil.AccessDenied):
        return unread


def _has_signs(program: Path, known: Known) -> bool:
    with program.open("rb") as file:
        stat = program.stat()
        key = (stat.st_dev, stat.st_ino, stat.st_ctime_ns)
        if key not in known:
            with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
                known[key] = any(content.find(sign) >= 0 for sign in _SIGNS)
        return known[key]
