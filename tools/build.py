"""Build the pinned tools that Weir needs and that are not on PATH: `python3 tools/build.py [--only NAME ...]`.

Each tool is a Go module of its own in this folder. Standard library only: this runs before the virtual environment
exists.
"""

from __future__ import annotations

import argparse
import contextlib
import fcntl
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from weir.edges.tools import (
    SOURCES,
    TABLE,
    TOOLS,
    Copied,
    Tool,
    ToolError,
    build_folder,
    built_together,
    find_installed,
)

LONG = {"kubernetes": "5 min", "pulumi": "3 min", "pulumi-resource-kubernetes": "7 min"}


def main(argv: Sequence[str] | None = None) -> int:
    """Make sure that every tool, or every named one, is there; 1 when one is not."""
    parser = argparse.ArgumentParser(description="Build the pinned tools that are not on PATH.")
    parser.add_argument(
        "--only", nargs="+", metavar="NAME", choices=[tool.name for tool in TABLE], default=None
    )
    names = parser.parse_args(argv).only or list(TOOLS)
    wanted = {TOOLS[name].beside or name for name in names}
    try:
        for tool in TABLE:
            if tool.name in wanted:
                ensure(tool)
    except ToolError as error:
        print(f"✗ {error}", file=sys.stderr)
        return 1
    return 0


def ensure(tool: Tool) -> None:
    """Find the tool on this machine or in the cache, or build it, and say which."""
    label = f"{tool.name} {tool.version}".ljust(36)
    installed = find_installed(tool)
    if installed is not None:
        print(f"{tool.name.ljust(36)}installed: {installed}", flush=True)
        return
    folder = build_folder(tool)
    if not folder.is_dir():
        with _only_one(folder):
            if not folder.is_dir():
                print(f"{label}building, about {LONG.get(tool.name, '1 min')} the first time", flush=True)
                start = time.monotonic()
                _build(tool, folder)
                print(f"{label}built in {time.monotonic() - start:.1f} s", flush=True)
                return
    print(f"{label}already built", flush=True)


@contextlib.contextmanager
def _only_one(folder: Path) -> Iterator[None]:
    folder.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    with (folder.parent / f".{folder.name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        for left_by_a_crash in folder.parent.glob(f".{folder.name}.new-*"):
            shutil.rmtree(left_by_a_crash, ignore_errors=True)
        yield


def _build(tool: Tool, folder: Path) -> None:
    """Build in a folder beside the final one, then rename: a folder with the final name is always complete."""
    new = Path(tempfile.mkdtemp(prefix=f".{folder.name}.new-", dir=folder.parent))
    try:
        for part in built_together(tool):
            _compile(part, new)
        new.rename(folder)
    finally:
        shutil.rmtree(new, ignore_errors=True)


def _compile(tool: Tool, folder: Path) -> None:
    with tempfile.TemporaryDirectory(prefix="weir-build-") as scratch:
        source = Path(scratch) / tool.name
        shutil.copytree(SOURCES / tool.name, source)
        for copied in tool.copied:
            _copy(copied, source if copied.embedded else folder)
        link = "-ldflags=" + " ".join(f"-X={variable}" for variable in tool.variables)
        _go("build", "-p=2", "-trimpath", link, f"-o={folder / tool.name}", tool.package, cwd=source)


def _copy(copied: Copied, folder: Path) -> None:
    pins = SOURCES / copied.pinned_by
    _go("mod", "download", copied.module, cwd=pins)
    module = Path(_go("list", "-m", "-f={{.Dir}}", copied.module, cwd=pins).strip())
    target = folder / copied.target
    target.write_text("\n---\n".join((module / path).read_text() for path in copied.paths))
    target.chmod(0o755 if copied.executable else 0o644)


def _go(*arguments: str, cwd: Path) -> str:
    """Run the Go command and return what it printed.

    Raises:
        ToolError: Go is missing, or it failed; the text ends with its last lines.
    """
    settings = {"CGO_ENABLED": "0", "GOWORK": "off", "GOFLAGS": "-mod=readonly -buildvcs=false"}
    try:
        done = subprocess.run(
            ["go", *arguments],
            cwd=cwd,
            env={**os.environ, **settings},
            capture_output=True,
            text=True,
            stdin=subprocess.DEVNULL,
            check=False,
        )
    except FileNotFoundError as error:
        raise ToolError(
            f"{cwd.name}: found no `go` command", hint="install Go 1.26 or newer, then run again"
        ) from error
    if done.returncode != 0:
        last = "\n  ".join(done.stderr.strip().splitlines()[-15:])
        raise ToolError(
            f"{cwd.name}: `go {arguments[0]}` failed\n  {last}\n",
            hint="check that Go is 1.26 or newer, that GOPROXY answers and that 12 GB of disk are free, then run again",
        )
    return done.stdout


if __name__ == "__main__":
    sys.exit(main())
