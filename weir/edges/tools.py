"""Where the tool binaries are: on PATH when new enough, else in a per-user cache that `tools/build.py` fills.

A cached build is keyed by everything it is made of (go.mod, go.sum, main.go and its row below), so a changed pin is a
new folder and a second checkout of the same revision finds the first one's builds. Standard library only: the build
script uses this module before a virtual environment exists.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import pwd
import re
import shutil
import subprocess
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from weir.spec.errors import WeirError

SOURCES: Final = Path(__file__).resolve().parents[2] / "tools"
"""The folder with one Go module per tool; absent when Weir is installed without its repository."""

Version = tuple[int, ...]


class ToolError(WeirError):
    """A tool binary is missing or cannot be built."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Copied:
    """A file, or several joined as YAML documents, that a build takes from a Go module."""

    pinned_by: str
    """The tool whose go.mod and go.sum pin the module."""
    module: str
    paths: tuple[str, ...]
    target: str
    """File name beside the binary; with `embedded`, beside main.go while it is compiled."""
    embedded: bool = False
    executable: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Tool:
    """One row: what is built, from which package, and when the one on PATH will do."""

    name: str
    version: str
    package: str = "."
    variables: tuple[str, ...] = ()
    """Go linker assignments, `import/path.Name=value`."""
    copied: tuple[Copied, ...] = ()
    minimum: Version | None = None
    """The oldest version taken from PATH, asked with `<name> version`."""
    beside: str = ""
    """Lives in the folder of this other tool, on PATH as in the cache: they are released together."""
    plugin: str = ""
    """The name of the Pulumi plugin this is: one on PATH, or of this version in Pulumi's own cache, will do."""


_SDK: Final = "github.com/pulumi/pulumi/sdk/v3"
_PROVIDER: Final = "github.com/pulumi/pulumi-kubernetes/provider/v4"
_PROVIDER_FILES: Final = "cmd/pulumi-resource-kubernetes"
_VERSION: Final = "k8s.io/component-base/version"

TABLE: Final[tuple[Tool, ...]] = (
    Tool(name="kustomize", version="5.8.1", package="sigs.k8s.io/kustomize/kustomize/v5", minimum=(5, 4)),
    Tool(name="etcd", version="3.7.3", package="go.etcd.io/etcd/server/v3"),
    Tool(
        name="kubernetes",
        version="1.36.3",
        variables=(f"{_VERSION}.gitVersion=v1.36.3", f"{_VERSION}.gitMajor=1", f"{_VERSION}.gitMinor=36"),
    ),
    Tool(
        name="kwok",
        version="0.8.0",
        package="sigs.k8s.io/kwok/cmd/kwok",
        copied=(
            Copied(
                pinned_by="kwok",
                module="sigs.k8s.io/kwok",
                paths=(
                    "kustomize/stage/node/fast/node-initialize.yaml",
                    "kustomize/stage/node/heartbeat/node-heartbeat.yaml",
                    "kustomize/stage/pod/fast/pod-ready.yaml",
                    "kustomize/stage/pod/fast/pod-complete.yaml",
                    "kustomize/stage/pod/fast/pod-delete.yaml",
                ),
                target="stages.yaml",
            ),
        ),
    ),
    Tool(name="registry", version="3.0.0"),
    Tool(
        name="pulumi",
        version="3.259.0",
        package="github.com/pulumi/pulumi/pkg/v3/cmd/pulumi",
        variables=(f"{_SDK}/go/common/version.Version=v3.259.0",),
        minimum=(3, 259),
    ),
    Tool(
        name="pulumi-language-python",
        version="3.79.0",
        package=f"{_SDK}/python/cmd/pulumi-language-python",
        variables=(f"{_SDK}/go/common/version.Version=v3.259.0",),
        copied=tuple(
            Copied(
                pinned_by="pulumi",
                module=_SDK,
                paths=(f"python/{path}",),
                target=Path(path).name,
                executable=True,
            )
            for path in ("cmd/pulumi-language-python-exec", "dist/pulumi-resource-pulumi-python")
        ),
        beside="pulumi",
    ),
    Tool(
        name="pulumi-resource-kubernetes",
        version="4.25.0",
        variables=(f"{_PROVIDER}/pkg/version.Version=4.25.0",),
        copied=tuple(
            Copied(
                pinned_by="pulumi-resource-kubernetes",
                module=_PROVIDER,
                paths=(f"{_PROVIDER_FILES}/{name}",),
                target=name,
                embedded=True,
            )
            for name in ("schema.json", "terraform-mapping.json")
        ),
        plugin="resource-kubernetes",
    ),
)

TOOLS: Final = {tool.name: tool for tool in TABLE}
PROGRAMS: Final = ("pulumi", "pulumi-language-python", "kustomize")
"""What the Pulumi engine and its programs look for on PATH."""

ENGINE: Final = (*PROGRAMS, "pulumi-resource-kubernetes")
"""The same with the resource plugin, for an engine whose home does not hold it."""


def cache_root() -> Path:
    """The per-user folder that holds all builds."""
    base = os.environ.get("XDG_CACHE_HOME") or "~/.cache"
    return Path(base).expanduser().resolve() / "weir" / "tools"


def built_together(tool: Tool) -> list[Tool]:
    """The tool and those that share its folder."""
    return [tool, *(other for other in TABLE if other.beside == tool.name)]


def build_folder(tool: Tool) -> Path:
    """Where this exact build belongs, whether it exists or not.

    Raises:
        ToolError: Weir is installed without its `tools` folder, so the key cannot be computed.
    """
    if tool.beside:
        return build_folder(TOOLS[tool.beside])
    digest = hashlib.sha256()
    for part in built_together(tool):
        folder = SOURCES / part.name
        if not (folder / "go.mod").is_file():
            raise ToolError(
                f"{part.name}: found no Go module at {folder}", hint=f"put {part.name} on PATH instead"
            )
        digest.update(f"{part.package} {part.variables} {part.copied}".encode())
        for name in ("go.mod", "go.sum", "main.go"):
            file = folder / name
            digest.update(file.read_bytes() if file.is_file() else b"")
    return cache_root() / f"{tool.name}-{digest.hexdigest()[:12]}"


def locate(name: str) -> Path:
    """The absolute path of a tool's binary: an installed one when it is new enough, else the cached build.

    Raises:
        ToolError: there is neither; the text names the command that builds it.
    """
    tool = TOOLS[name]
    installed = find_installed(tool)
    if installed is not None:
        return installed
    built = build_folder(tool) / name
    if built.is_file():
        return built
    wanted = "" if tool.minimum is None else f" {'.'.join(map(str, tool.minimum))} or newer on PATH"
    raise ToolError(
        f"{name}: found no{wanted or 'ne'} and no build in {cache_root()}",
        hint=f"run `make tools` or `python3 tools/build.py --only {name}`",
    )


def bin_dirs(names: tuple[str, ...] = ENGINE) -> list[Path]:
    """The folders to put first on PATH so that these tools are found, in order and without repeats.

    Raises:
        ToolError: one of the tools is missing.
    """
    return list(dict.fromkeys(locate(name).parent for name in names))


def user_home() -> Path:
    """The home that the engine goes by: what the system says of this user, and `HOME` only when it knows none.

    They differ in jobs of CI that run in a container, under `sudo`, and for users of services (Go's os/user).
    """
    with contextlib.suppress(KeyError):
        if known := pwd.getpwuid(os.getuid()).pw_dir:
            return Path(known)
    return Path.home()


def pulumi_home(environ: Mapping[str, str]) -> Path:
    """Where an engine with these variables keeps its plugins and logins (sdk/go/common/util/pulumihome)."""
    named = environ.get("PULUMI_HOME")
    return Path(named) if named else user_home() / ".pulumi"


def link_plugins(home: Path) -> None:
    """Put the built resource plugins where an engine with this `pulumi_home` looks for downloaded ones.

    With them there, leave them off PATH (`bin_dirs(PROGRAMS)`): the engine warns about each plugin it takes from PATH.

    Raises:
        ToolError: a plugin is missing.
    """
    for tool in TABLE:
        link = home / "plugins" / f"{tool.plugin}-v{tool.version}" / tool.name
        if tool.plugin and not link.exists():
            target = locate(tool.name).resolve()  # not another link, which may go before this one
            link.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            temporary = link.with_name(f".{link.name}.{os.getpid()}")
            temporary.symlink_to(target)
            temporary.replace(link)


def find_installed(tool: Tool) -> Path | None:
    """The binary that this machine has anyway, when it is new enough for Weir, else None."""
    if tool.plugin:
        return _installed_plugin(tool)
    main = TOOLS[tool.beside] if tool.beside else tool
    found = shutil.which(main.name)
    if found is None or main.minimum is None:
        return None
    folder = Path(found).absolute().parent
    if not all((folder / part.name).is_file() for part in built_together(main)):
        return None
    version = version_of(Path(found).absolute())
    return folder / tool.name if version is not None and version >= main.minimum else None


def _installed_plugin(tool: Tool) -> Path | None:
    cached = pulumi_home(os.environ) / "plugins" / f"{tool.plugin}-v{tool.version}" / tool.name
    found = shutil.which(tool.name)
    if found is not None:
        return Path(found).absolute()
    return cached if cached.is_file() else None


def version_of(binary: Path) -> Version | None:
    """What the binary says it is, None for nothing; remembered per file: asking costs a quarter of a second."""
    memory = cache_root() / "versions.json"
    stat = binary.stat()
    key = f"{binary}:{stat.st_mtime_ns}:{stat.st_size}"
    known: dict[str, list[int]] = {}
    with contextlib.suppress(OSError, ValueError):
        known = dict(json.loads(memory.read_text()))
    if key not in known:
        version = _ask_version(binary)
        if version is None:
            return None
        known[key] = list(version)
        with contextlib.suppress(OSError):
            write_atomically(memory, json.dumps(known))
    return tuple(known[key])


def _ask_version(binary: Path) -> Version | None:
    try:
        answer = subprocess.run(
            [str(binary), "version"],
            capture_output=True,
            text=True,
            timeout=20,
            check=True,
            stdin=subprocess.DEVNULL,
        )
    except (OSError, subprocess.SubprocessError):
        return None
    match = re.search(r"v(\d+)\.(\d+)\.(\d+)", answer.stdout)
    return tuple(int(part) for part in match.groups()) if match else None


def write_atomically(path: Path, text: str) -> None:
    """Replace a file so that a reader sees the old or the new text, never a part; mode 0600."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    with os.fdopen(handle, "w") as file:
        file.write(text)
    Path(temporary).replace(path)
