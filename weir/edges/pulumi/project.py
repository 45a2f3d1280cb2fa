"""Pulumi.yaml, a stack's settings, and the backend, as the Pulumi CLI itself finds them (pkg/workspace/creds.go)."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from weir.edges.tools import pulumi_home, user_home
from weir.spec.documents import read_yaml
from weir.spec.errors import SpecError, WeirError

PROJECT_FILE: Final = "Pulumi.yaml"
_STACK: Final = re.compile(r"[A-Za-z0-9_.][A-Za-z0-9_.-]{0,99}", re.ASCII)
_PASSPHRASE_KINDS: Final = ("", "default", "passphrase")


class EngineError(WeirError):
    """The engine cannot be started, or was not started on purpose; nothing was changed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Project:
    """A folder with a Pulumi.yaml."""

    root: Path
    name: str
    stack_folder: Path
    """Where the stacks' own files are (`stackConfigDir`)."""
    backend: str = ""
    """`backend.url` of Pulumi.yaml, empty when it has none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StackSettings:
    """What Pulumi.<stack>.yaml says about secrets."""

    file: Path
    salt: str = ""
    """`encryptionsalt`: proves a passphrase right or wrong; not itself a secret."""
    secrets_provider: str = ""
    require_passphrase: bool = False
    """`weir:options: {requirePassphrase: true}`."""

    @property
    def uses_passphrase(self) -> bool:
        """Whether secrets are sealed with a passphrase rather than by a key service."""
        return self.secrets_provider in _PASSPHRASE_KINDS


def find_project(start: Path) -> Project:
    """The project that `start` is in, looking upwards.

    Raises:
        EngineError: there is none.
        SpecError: Pulumi.yaml is not readable or has no name.
    """
    for folder in (start.absolute(), *start.absolute().parents):
        if (folder / PROJECT_FILE).is_file():
            return _read_project(folder)
    raise EngineError(
        f"{start}: found no {PROJECT_FILE} here or above",
        hint="change into the project's folder or pass --cwd",
    )


def _read_project(root: Path) -> Project:
    data = _mapping(root / PROJECT_FILE)
    name = data.get("name")
    if not isinstance(name, str) or not name:
        raise SpecError.at(str(root / PROJECT_FILE), "name", found=name, expected="a project name")
    folder = data.get("stackConfigDir") or data.get("config")
    backend = data.get("backend")
    url = backend.get("url") if isinstance(backend, dict) else ""
    stack_folder = root / folder if isinstance(folder, str) else root
    return Project(root=root, name=name, stack_folder=stack_folder, backend=str(url or ""))


def check_stack_name(stack: str) -> str:
    """The name itself. Raises EngineError when it is not one that Pulumi takes."""
    if not _STACK.fullmatch(stack) or stack in (".", ".."):
        raise EngineError(
            f"stack {stack[:100]!r}: expected letters, digits, '-', '_' and '.'", hint="pass --stack NAME"
        )
    return stack


def stack_file(project: Project, stack: str, override: Path | None = None) -> Path:
    """Where a stack's settings are, or would be."""
    return override.absolute() if override else project.stack_folder / f"Pulumi.{stack}.yaml"


def read_settings(project: Project, stack: str, override: Path | None = None) -> StackSettings:
    """The stack's settings; defaults when its file does not exist. Raises SpecError."""
    file = stack_file(project, stack, override)
    if not file.exists():
        if override:
            raise EngineError(
                f"{file}: found no such file, expected the stack's settings", hint="correct --config-file"
            )
        return StackSettings(file=file)
    data = _mapping(file)
    config = data.get("config") or {}
    options = config.get("weir:options") if isinstance(config, dict) else None
    return StackSettings(
        file=file,
        salt=str(data.get("encryptionsalt") or ""),
        secrets_provider=str(data.get("secretsprovider") or ""),
        require_passphrase=_required(options, file),
    )


def _required(options: object, file: Path) -> bool:
    """`requirePassphrase` of `weir:options`, which `pulumi config set` stores as a JSON text."""
    if isinstance(options, str):
        try:
            options = json.loads(options)
        except ValueError:
            options = None
    required = options.get("requirePassphrase", False) if isinstance(options, dict) else False
    if not isinstance(required, bool):
        field = "weir:options.requirePassphrase"
        raise SpecError.at(str(file), field, found=required, expected="true or false")
    return required


def backend_url(project: Project, environ: Mapping[str, str]) -> str:
    """$PULUMI_BACKEND_URL, else the project's, else that of the last `pulumi login`; empty when there is none."""
    if url := environ.get("PULUMI_BACKEND_URL") or project.backend:
        return url
    try:
        stored = json.loads((pulumi_home(environ) / "credentials.json").read_bytes())
    except (OSError, ValueError):
        return ""
    current = stored.get("current") if isinstance(stored, dict) else ""
    return current if isinstance(current, str) else ""


def backend_folder(url: str, root: Path) -> Path | None:
    """The folder of a file:// backend, or None for every other kind (pkg/backend/diy massageBlobPath)."""
    if not url.startswith("file://"):
        return None
    path = url.removeprefix("file://").partition("?")[0]
    if path.startswith("~"):
        path = str(user_home() / path[2:])
    return Path(root, path).resolve()


def state_home(start: Path, environ: Mapping[str, str]) -> str:
    """A name for the backend where the stacks of the project that `start` is in are kept, which tells nothing of it.

    It is the same on every machine. Empty when the backend is not known.

    Raises: as find_project.
    """
    project = find_project(start)
    url = backend_url(project, environ)
    place = backend_folder(url, project.root) or url.partition("?")[0].rstrip("/")
    return hashlib.sha256(str(place).encode()).hexdigest()[:16] if url else ""


def _mapping(file: Path) -> dict[str, Any]:
    try:
        documents = read_yaml(file.read_bytes(), str(file))
    except OSError as err:
        raise EngineError(
            f"{file}: cannot be read: {err.strerror}", hint="check the path and its permissions"
        ) from err
    found = documents[0] if documents else {}
    if not isinstance(found, dict):
        raise SpecError.at(str(file), "", found=type(found).__name__, expected="a mapping")
    return found
