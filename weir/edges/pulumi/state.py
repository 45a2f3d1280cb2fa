"""The files of one stack in a file:// backend (pkg/backend/diy/state.go): found, judged, copied and replaced."""

from __future__ import annotations

import base64
import binascii
import contextlib
import gzip
import hashlib
import json
import os
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from weir.edges.pulumi.integrity import Checkpoint, CorruptError, UncheckedError, read_checkpoint
from weir.edges.pulumi.lock import sync_folder, write_whole
from weir.edges.pulumi.project import EngineError
from weir.spec.errors import SpecError
from weir.spec.identity import UnitId

UNIT_TYPE: Final = "weir:kustomize:Kustomization"
"""Type of the resource whose input `unit` names a unit."""
_ENDINGS: Final = (".json", ".json.gz", ".json.zst")
_MOST_COPIES: Final = 50
"""Copies of each kind that are looked at, newest first."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StackFiles:
    """Where everything about one stack is."""

    backend: Path
    project: str
    stack: str

    @property
    def folder(self) -> Path:
        """Folder of the project's state files."""
        return self.backend / ".pulumi" / "stacks" / self.project

    @property
    def state(self) -> Path:
        """The state file: the newest of the three spellings that Pulumi reads, else the plain one."""
        found = [path for ending in _ENDINGS if (path := self.folder / f"{self.stack}{ending}").is_file()]
        return max(
            found, key=lambda path: path.stat().st_mtime_ns, default=self.folder / f"{self.stack}.json"
        )

    @property
    def locks(self) -> Path:
        """Folder of the stack's locks."""
        return self.backend / ".pulumi" / "locks" / "organization" / self.project / self.stack

    @property
    def meta(self) -> Path:
        """The file that says which layout the backend has."""
        return self.backend / ".pulumi" / "meta.yaml"

    def baks(self) -> list[Path]:
        """The state before the last write."""
        paths = (self.folder / f"{self.stack}{ending}.bak" for ending in _ENDINGS)
        return [path for path in paths if path.is_file()]

    def history(self) -> list[Path]:
        """The state at the end of each run, newest first."""
        return self._kept("history", f"{self.stack}-*.checkpoint.json*")

    def copies(self) -> list[Path]:
        """Every copy of the state."""
        return [*self.baks(), *self.history(), *self._kept("backups", f"{self.stack}.*.json*")]

    def asides(self) -> list[Path]:
        """Corrupt states that were given another name."""
        return list(self.folder.glob(f"{self.stack}.json*.corrupt-*"))

    def _kept(self, kind: str, pattern: str) -> list[Path]:
        folder = self.backend / ".pulumi" / kind / self.project / self.stack
        paths = (path for path in folder.glob(pattern) if path.name.endswith(_ENDINGS))
        return sorted(paths, reverse=True)[:_MOST_COPIES]

    def read(self, path: Path) -> Checkpoint:
        """The checkpoint in a file, also checked against the MD5 that Pulumi noted beside it.

        Raises:
            CorruptError: it is not whole, or it was altered since Pulumi wrote it.
            UncheckedError: it cannot be checked here.
            FileNotFoundError: there is no such file.
        """
        raw = path.read_bytes()
        found = read_checkpoint(raw, self.project, self.stack)
        if self._altered(path, raw):
            raise CorruptError("altered since Pulumi wrote it (its MD5 is another)")
        return found

    def newest_copy(self) -> tuple[Path, Checkpoint] | None:
        """The copy with the newest content that is whole, or None.

        Raises:
            UncheckedError: none is known to be whole, but one cannot be checked here.
        """
        best: tuple[Path, Checkpoint] | None = None
        unchecked = ""
        for path in self.copies():
            try:
                found = self.read(path)
            except UncheckedError as err:
                unchecked = f"{path} is {err}"
                continue
            except (CorruptError, OSError):
                continue
            if best is None or found.time > best[1].time:
                best = (path, found)
        if best is None and unchecked:
            raise UncheckedError(unchecked)
        return best

    def _altered(self, path: Path, raw: bytes) -> bool:
        """Whether the noted MD5 is another and the bytes are no known copy.

        A crash between writing the note and the file leaves a whole older file with a newer note: then the same
        bytes are in the `.bak`. A copy put back by hand is the same case.
        """
        noted = noted_md5(path)
        if noted is None or noted == md5(raw):
            return False
        others = (other for other in self.copies() if other != path and other.stat().st_size == len(raw))
        return not any(other.read_bytes() == raw for other in others)


def sidecar(path: Path) -> Path:
    """The file in which the backend notes a file's MD5 (gocloud.dev/blob/fileblob)."""
    return path.with_name(f"{path.name}.attrs")


def md5(raw: bytes) -> bytes:
    """The checksum that fileblob notes; it guards against decay, not against an attacker."""
    return hashlib.md5(raw, usedforsecurity=False).digest()


def noted_md5(path: Path) -> bytes | None:
    """The MD5 noted beside a file, or None when there is no readable note."""
    with contextlib.suppress(OSError, ValueError, KeyError, TypeError, binascii.Error):
        return base64.b64decode(json.loads(sidecar(path).read_bytes())["md5"], validate=True)
    return None


def replace_state(path: Path, raw: bytes) -> None:
    """Put these bytes in place of a state file: whole or not at all, its permission bits kept, its note renewed."""
    mode = path.stat().st_mode & 0o777 if path.exists() else 0o600
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    note = sidecar(path)
    with contextlib.suppress(OSError):
        note.unlink()
    write_whole(path, raw, mode)
    write_whole(note, json.dumps(_note(raw)).encode(), mode)


def write_checkpoint(path: Path, checkpoint: Checkpoint) -> None:
    """Put a changed checkpoint in place, compressed as the file's name says."""
    raw = json.dumps(checkpoint.document, ensure_ascii=False, separators=(",", ":")).encode()
    replace_state(path, gzip.compress(raw) if path.name.endswith(".gz") else raw)


def set_aside(path: Path, *, keep: bool) -> Path:
    """Give a corrupt state file a second name, `<name>.corrupt-<time>`, and take the first away unless `keep`."""
    stamp = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime())
    aside = path.with_name(f"{path.name}.corrupt-{stamp}-{os.getpid()}")
    if keep:
        try:
            os.link(path, aside)
        except OSError:
            write_whole(aside, path.read_bytes(), path.stat().st_mode & 0o777)
    else:
        path.replace(aside)
        sidecar(path).unlink(missing_ok=True)
    sync_folder(path.parent)
    return aside


def unit_ids_in_state(path: Path) -> set[UnitId]:
    """The units that a state file holds as `weir:kustomize:Kustomization`; empty when there is no such file.

    Raises:
        EngineError: the file is not readable as a checkpoint.
    """
    try:
        raw = path.read_bytes()
    except FileNotFoundError:
        return set()
    try:
        document = json.loads(gzip.decompress(raw) if path.name.endswith(".gz") else raw)
        resources = (document["checkpoint"].get("latest") or {}).get("resources") or []
        texts = [resource["inputs"]["unit"] for resource in resources if resource.get("type") == UNIT_TYPE]
        return {UnitId.parse(text) for text in texts}
    except (ValueError, OSError, EOFError, KeyError, TypeError, AttributeError, SpecError) as err:
        raise EngineError(
            f"{path}: not readable as a state file", hint="run `weir up`, which repairs it"
        ) from err


def _note(raw: bytes) -> dict[str, object]:
    empty = ("cache_control", "content_disposition", "content_encoding", "content_language")
    note: dict[str, object] = {f"user.{key}": "" for key in empty}
    note |= {"user.content_type": "text/plain; charset=utf-8", "user.metadata": None}
    return note | {"md5": base64.b64encode(md5(raw)).decode()}
