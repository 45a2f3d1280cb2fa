"""Runs `kustomize build` on exactly the files a unit needs, in a private folder, without network or plugins."""

from __future__ import annotations

import os
import shutil
import tempfile
import threading
from pathlib import Path
from typing import Final

from weir.edges.process import Completed, Limits, OutputTooLargeError, ProcessTimeoutError, run
from weir.edges.tools import locate
from weir.render.closure import Closure
from weir.render.complaint import explain
from weir.spec.errors import RenderError
from weir.spec.tree import Tree

MAX_MEMORY: Final = 4 * 1024**3
"""Bytes of address space."""
MAX_OUTPUT: Final = 64 * 1024**2
"""Bytes of YAML."""
MAX_SECONDS: Final = 120
"""CPU time and wall time of one build."""

_ENVIRONMENT: Final = {
    "PATH": "/nonexistent",
    "HOME": "/nonexistent",
    "XDG_CONFIG_HOME": "/nonexistent",
    "GOMEMLIMIT": "1GiB",
    "GOGC": "400",
}
"""No program to start, no configuration to find."""


def kustomize_id() -> str:
    """Which kustomize runs here: changes with its path, size and time. Raises ToolError when there is none."""
    binary = locate("kustomize")
    stat = binary.stat()
    return f"{binary}:{stat.st_size}:{stat.st_mtime_ns}"


def build(
    closure: Closure,
    tree: Tree,
    *,
    scratch_root: Path,
    timeout: float = MAX_SECONDS,
    stop: threading.Event | None = None,
) -> bytes:
    """The YAML that kustomize makes of a closure. `timeout` in seconds, at most `MAX_SECONDS`.

    Raises:
        RenderError: kustomize refused it, or took more time, memory or output than it may; the text names files as
            the artifact does, and shows no Secret data.
        ArtifactError: the artifact does not hold what it says.
        StopRequested: `stop` was set.
    """
    folder = closure.folder or "."
    seconds = min(timeout, MAX_SECONDS)
    scratch = Path(tempfile.mkdtemp(dir=scratch_root, prefix="build-")).resolve()
    try:
        secrets = _write(closure, tree, scratch)
        done = _run(scratch / closure.folder, seconds, stop)
        if done.returncode == 0:
            return done.stdout
        reason = explain(done.stderr, str(scratch), may_show_secrets=secrets)
        hint = f"run `kustomize build {folder}` in the source to see it all"
        raise RenderError(f"{folder}: kustomize build failed: {reason}", hint=hint)
    except ProcessTimeoutError as err:
        problem = f"kustomize was still building after {seconds:g} s"
        raise RenderError(f"{folder}: {problem}", hint="make the unit smaller") from err
    except OutputTooLargeError as err:
        problem = f"kustomize wrote more than {MAX_OUTPUT} bytes"
        raise RenderError(f"{folder}: {problem}", hint="make the unit smaller") from err
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


def _run(folder: Path, seconds: float, stop: threading.Event | None) -> Completed:
    # the folder is the working directory, so no data stands in the arguments
    argv = [str(locate("kustomize")), "build", "--load-restrictor", "LoadRestrictionsNone", "--", "."]
    limits = Limits(memory=MAX_MEMORY, cpu_seconds=int(seconds) + 1, file_size=0, open_files=256)
    return run(
        argv,
        env=_ENVIRONMENT,
        cwd=folder,
        timeout=seconds,
        stop=stop,
        limits=limits,
        max_stdout=MAX_OUTPUT,
    )


def _write(closure: Closure, tree: Tree, scratch: Path) -> bool:
    """Put the files of a closure into the scratch folder; whether any of them may hold a Secret."""
    secrets = closure.makes_secrets
    folders = {closure.folder: None}
    for path in (*closure.written, *closure.files):
        folders[path.rpartition("/")[0]] = None
    for folder in folders:
        _make_folders(scratch, folder)
    for path, content in closure.written.items():
        secrets = secrets or b"Secret" in content
        _write_file(scratch / path, content)
    for path in closure.files:
        if path not in closure.written:
            content = tree.read(path)
            secrets = secrets or b"Secret" in content
            _write_file(scratch / path, content)
    return secrets


def _make_folders(scratch: Path, folder: str) -> None:
    here = scratch
    for name in folder.split("/") if folder else ():
        here /= name
        here.mkdir(mode=0o700, exist_ok=True)


def _write_file(path: Path, content: bytes) -> None:
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
    with os.fdopen(handle, "wb") as file:
        file.write(content)
