"""Which files `kustomize build` will read, found before it runs, and the kustomizations it will see.

kustomize gets exactly these files and nothing else. Kustomization files and plugin configurations are parsed once,
checked against closed tables and written again from what was checked, with every path spelled out: whatever another
parser would have made of the original text does not matter (CVE-2022-24877, CVE-2022-24878).
"""

from __future__ import annotations

import posixpath
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from weir.render.layout import Layout, Place, relative
from weir.render.schema import BUILTINS, ENTRY_FIELDS, FIELDS, PLAIN_FIELDS, REFUSED, path_field
from weir.render.top import Top, kustomization_in, read_file, read_kustomization
from weir.render.written import Written, is_inline, parse_inline
from weir.spec.errors import RenderError

MAX_KUSTOMIZATIONS: Final = 1000
"""Kustomizations loaded for one unit, each counted as often as it is referred to."""
MAX_LEVELS: Final = 50
"""Kustomizations inside kustomizations."""
MAX_PATHS: Final = 100_000
"""Entries and paths followed for one unit, each as often as it is referred to."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Closure:
    """Everything a build reads."""

    folder: str
    """Where the build starts."""
    written: Mapping[str, bytes]
    """Files with the content they are to have: kustomizations, plugin configurations, inline patches."""
    files: tuple[str, ...]
    """Files that are read as they are; real paths, sorted."""
    parsed: tuple[str, ...]
    """Those of them that kustomize reads as YAML; the others are content of ConfigMaps and Secrets."""
    resources: tuple[str, ...] | None
    """The files to read in order when nothing at all is transformed, else None."""
    makes_secrets: bool
    """Whether a kustomization generates a Secret."""


@dataclass(slots=True)
class _Walk:
    layout: Layout
    written: Written
    files: dict[str, bool] = field(default_factory=dict)
    """Whether kustomize reads a file as YAML, by its path."""
    resources: list[str] = field(default_factory=list)
    plain: bool = True
    makes_secrets: bool = False
    visits: int = 0
    paths: int = 0
    read: dict[str, dict[str, Any]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class _Site:
    """One kustomization file while it is read."""

    folder: str
    file: str
    chain: tuple[str, ...]

    def error(self, at: str, problem: str, hint: str = "correct the field") -> RenderError:
        """An error in this file at a field."""
        return RenderError(f"{self.file}: {at}: {problem}", hint=hint)


def close(layout: Layout, top: Top) -> Closure:
    """Everything that a build of this kustomization reads.

    Raises:
        RenderError: a path that leaves the artifact or leads nowhere, a remote base, a plugin, a Helm chart, a field
            that is not known, a cycle, or more than can be bounded; names file and field.
    """
    walk = _Walk(layout, Written(layout.tree.files))
    site = _Site(top.folder, top.file, (top.folder,))
    _visit(walk, site, top.data)
    return Closure(
        folder=top.folder,
        written=walk.written.files,
        files=tuple(sorted(walk.files)),
        parsed=tuple(sorted(path for path, parsed in walk.files.items() if parsed)),
        resources=tuple(walk.resources) if walk.plain else None,
        makes_secrets=walk.makes_secrets,
    )


def _visit(walk: _Walk, site: _Site, data: dict[str, Any]) -> None:
    walk.visits += 1
    if walk.visits > MAX_KUSTOMIZATIONS:
        raise RenderError(
            f"{site.file}: found over {MAX_KUSTOMIZATIONS} kustomizations", hint="split the unit"
        )
    if len(site.chain) > MAX_LEVELS:
        raise RenderError(
            f"{site.file}: found over {MAX_LEVELS} levels of kustomizations", hint="flatten them"
        )
    for key in data:
        if key in REFUSED:
            raise site.error(key, "is not supported", REFUSED[key])
        if key not in FIELDS:
            raise site.error(str(key), "found an unknown field", "correct the spelling or remove the field")
    walk.plain = walk.plain and _is_plain(data)
    followed = {
        name: follow(walk, site, name, data[name]) for name, follow in _FOLLOWERS.items() if name in data
    }
    if site.file not in walk.written.files:
        walk.written.put(site.file, [{**data, **followed}], site.file)


def _is_plain(data: dict[str, Any]) -> bool:
    fields = data.keys() - {"apiVersion", "kind"}
    version = data.get("apiVersion", "kustomize.config.k8s.io/v1beta1")
    same = (
        version == "kustomize.config.k8s.io/v1beta1" and data.get("kind", "Kustomization") == "Kustomization"
    )
    return bool(fields) and fields <= PLAIN_FIELDS and same


def _texts(site: _Site, name: str, value: Any) -> list[str]:
    if not isinstance(value, list):
        raise site.error(name, f"found {type(value).__name__}, expected a list")
    for index, item in enumerate(value):
        if not isinstance(item, str) or not item:
            raise site.error(f"{name}[{index}]", f"found {item!r}, expected a path")
    return value


def _place(walk: _Walk, site: _Site, at: str, path: str) -> Place:
    """Where a path leads. Raises RenderError when it is remote, leaves the artifact or leads nowhere."""
    _count(walk, site, at)
    try:
        place = walk.layout.find(site.folder, path)
    except RenderError as err:
        raise site.error(at, err.message, err.hint) from err
    if place is None and _looks_remote(path):
        hint = "copy it into the repository, or make it a source and a Kustomization of its own"
        raise site.error(at, f"found the remote base {path!r}, and remote bases are not supported", hint)
    if place is None:
        raise site.error(
            at, f"found {path!r}, expected something that exists", "correct the path or commit the file"
        )
    return place


def _count(walk: _Walk, site: _Site, at: str) -> None:
    walk.paths += 1
    if walk.paths > MAX_PATHS:
        raise site.error(at, f"found over {MAX_PATHS} entries and paths", "split the unit")


def _looks_remote(path: str) -> bool:
    return (
        "://" in path
        or "git@" in path
        or "?" in path
        or path.startswith(("git::", "github.com/", "bitbucket.org/"))
    )


def _file(walk: _Walk, site: _Site, at: str, path: Any, *, parsed: bool = True) -> str:
    """The path of a plain file, spelled out; the file becomes part of the closure. `parsed`: it is read as YAML."""
    if not isinstance(path, str) or not path:
        raise site.error(at, f"found {path!r}, expected a path")
    place = _place(walk, site, at, path)
    if place.is_folder:
        raise site.error(at, f"found the folder {path!r}, expected a file")
    walk.files[place.path] = walk.files.get(place.path, False) or parsed
    return relative(site.folder, place.path)


def _follow_resources(walk: _Walk, site: _Site, name: str, value: Any) -> list[str]:
    paths = []
    for index, path in enumerate(_texts(site, name, value)):
        at = f"{name}[{index}]"
        place = _place(walk, site, at, path)
        if place.is_folder:
            _descend(walk, site, at, place.path)
        else:
            walk.files[place.path] = True
            walk.resources.append(place.path)
        paths.append(relative(site.folder, place.path))
    return paths


def _follow_components(walk: _Walk, site: _Site, name: str, value: Any) -> list[str]:
    paths = []
    for index, path in enumerate(_texts(site, name, value)):
        at = f"{name}[{index}]"
        place = _place(walk, site, at, path)
        if not place.is_folder:
            raise site.error(at, f"found the file {path!r}, expected a folder")
        _descend(walk, site, at, place.path)
        paths.append(relative(site.folder, place.path))
    return paths


def _descend(walk: _Walk, site: _Site, at: str, folder: str) -> None:
    for ancestor in site.chain:
        if not folder or ancestor == folder or ancestor.startswith(f"{folder}/"):
            raise site.error(
                at, f"found {folder or '.'}, which is built already: a cycle", "remove the reference"
            )
    name = kustomization_in(walk.layout, folder)
    if not name:
        problem = f"found the folder {folder} without a kustomization file, expected one"
        raise site.error(at, problem, "add kustomization.yaml to it, or list its files")
    inner = _Site(folder, posixpath.join(folder, name), (*site.chain, folder))
    if inner.file not in walk.read:
        walk.read[inner.file] = read_kustomization(walk.layout, inner.file)
    _visit(walk, inner, walk.read[inner.file])


def _follow_files(walk: _Walk, site: _Site, name: str, value: Any) -> list[str]:
    return [_file(walk, site, f"{name}[{i}]", path) for i, path in enumerate(_texts(site, name, value))]


def _entries(site: _Site, name: str, value: Any) -> list[dict[str, Any]]:
    if not isinstance(value, list):
        raise site.error(name, f"found {type(value).__name__}, expected a list")
    for index, entry in enumerate(value):
        if not isinstance(entry, dict):
            raise site.error(f"{name}[{index}]", f"found {type(entry).__name__}, expected a mapping")
        for key in entry:
            if key not in ENTRY_FIELDS[name]:
                at = f"{name}[{index}].{key}"
                raise site.error(at, "found an unknown field", "correct the spelling or remove it")
    return value


def _follow_entries(walk: _Walk, site: _Site, name: str, value: Any) -> list[dict[str, Any]]:
    checked = []
    for index, entry in enumerate(_entries(site, name, value)):
        _count(walk, site, f"{name}[{index}]")
        path = entry.get("path")
        extra = {"path": _file(walk, site, f"{name}[{index}].path", path)} if path is not None else {}
        checked.append({**entry, **extra})
    return checked


def _follow_openapi(walk: _Walk, site: _Site, name: str, value: Any) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise site.error(name, f"found {type(value).__name__}, expected a mapping")
    path = value.get("path")
    return {**value, **({"path": _file(walk, site, f"{name}.path", path)} if path is not None else {})}


def _follow_generators(walk: _Walk, site: _Site, name: str, value: Any) -> list[dict[str, Any]]:
    walk.makes_secrets = walk.makes_secrets or name == "secretGenerator"
    checked = []
    for index, entry in enumerate(_entries(site, name, value)):
        at = f"{name}[{index}]"
        _count(walk, site, at)
        copy = dict(entry)
        if entry.get("files") is not None:
            files = _texts(site, f"{at}.files", entry["files"])
            copy["files"] = [
                _keyed_file(walk, site, f"{at}.files[{i}]", text) for i, text in enumerate(files)
            ]
        if entry.get("envs") is not None:
            envs = _texts(site, f"{at}.envs", entry["envs"])
            copy["envs"] = [
                _file(walk, site, f"{at}.envs[{i}]", path, parsed=False) for i, path in enumerate(envs)
            ]
        if entry.get("env") is not None:
            copy["env"] = _file(walk, site, f"{at}.env", entry["env"], parsed=False)
        checked.append(copy)
    return checked


def _keyed_file(walk: _Walk, site: _Site, at: str, text: str) -> str:
    key, equals, path = text.partition("=")
    if not equals:
        key, path = posixpath.basename(text), text
    if not key or not path or "=" in path:
        raise site.error(at, f"found {text!r}, expected a path or key=path")
    found = _file(walk, site, at, path, parsed=False)
    if "=" in found:
        raise site.error(at, f"found {found!r}, expected a path without '='", "rename the file")
    return f"{key}={found}"


def _follow_merge_patches(walk: _Walk, site: _Site, name: str, value: Any) -> list[str]:
    paths = []
    for index, text in enumerate(_texts(site, name, value)):
        at = f"{name}[{index}]"
        paths.append(_beside(walk, site, at, text) if is_inline(text) else _file(walk, site, at, text))
    return paths


def _follow_plugins(walk: _Walk, site: _Site, name: str, value: Any) -> list[str]:
    paths = []
    for index, text in enumerate(_texts(site, name, value)):
        at = f"{name}[{index}]"
        paths.append(
            _beside(walk, site, at, text, plugin=True)
            if is_inline(text)
            else _plugin_file(walk, site, at, text)
        )
    return paths


def _beside(walk: _Walk, site: _Site, at: str, text: str, *, plugin: bool = False) -> str:
    """The path of a file beside the kustomization with what an inline text says."""
    where = f"{site.file}: {at}"
    _count(walk, site, at)

    def read() -> list[Any]:
        documents = parse_inline(text, where)
        return _check_plugins(walk, documents, where) if plugin else documents

    path = walk.written.beside((site.folder, "plugin" if plugin else "patch", text), site.file, read)
    return relative(site.folder, path)


def _plugin_file(walk: _Walk, site: _Site, at: str, text: str) -> str:
    """The path of a file beside the kustomization with what a file of plugins says."""
    place = _place(walk, site, at, text)
    if place.is_folder:
        hint = "name the files in it one by one"
        raise site.error(at, f"found the folder {text!r}, expected a file with built-in plugins", hint)

    def read() -> list[Any]:
        return _check_plugins(walk, read_file(walk.layout, place.path), place.path)

    path = walk.written.beside((site.folder, "plugin file", place.path), site.file, read)
    return relative(site.folder, path)


def _check_plugins(walk: _Walk, documents: list[Any], where: str) -> list[Any]:
    for document in documents:
        walk.makes_secrets |= _check_plugin(document, where)
    return documents


def _check_plugin(config: Any, where: str) -> bool:
    """Let pass only what runs inside kustomize and reads no file; whether it generates a Secret."""
    kind = config.get("kind") if isinstance(config, dict) else None
    if not isinstance(config, dict) or config.get("apiVersion") != "builtin" or kind not in BUILTINS:
        version = config.get("apiVersion") if isinstance(config, dict) else type(config).__name__
        problem = (
            f"found the plugin {version} {kind}, expected apiVersion builtin and a kind of kustomize's own"
        )
        raise RenderError(f"{where}: {problem}", hint="plugins that run programs are refused")
    if path := path_field(config):
        problem = "names a file, and built-in plugins may not"
        raise RenderError(
            f"{where}: {kind}: {path}: {problem}", hint="write its content inline, or use patches"
        )
    return bool(kind == "SecretGenerator")


_FOLLOWERS: Final = {
    "resources": _follow_resources,
    "bases": _follow_resources,
    "components": _follow_components,
    "crds": _follow_files,
    "configurations": _follow_files,
    "patches": _follow_entries,
    "patchesJson6902": _follow_entries,
    "replacements": _follow_entries,
    "patchesStrategicMerge": _follow_merge_patches,
    "openapi": _follow_openapi,
    "configMapGenerator": _follow_generators,
    "secretGenerator": _follow_generators,
    "generators": _follow_plugins,
    "transformers": _follow_plugins,
    "validators": _follow_plugins,
}
"""How each field that names files is followed; what it returns is what kustomize gets."""
