"""From an artifact's tree to the final objects of one Kustomization."""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

from weir.edges.build_cache import BuildCache, build_key
from weir.edges.kustomize import MAX_SECONDS, build, kustomize_id
from weir.flow.digest import canonical, digest_of
from weir.render.bombs import refuse_bombs
from weir.render.closure import Closure, close
from weir.render.finish import finish
from weir.render.layout import Layout
from weir.render.overlay import overlay
from weir.render.plain import read_plain
from weir.render.substitute import LookUp, Substituted, collect_variables, substitute
from weir.render.top import find_top
from weir.spec.documents import Document, load_yaml
from weir.spec.errors import RenderError, SpecError
from weir.spec.header import is_flux_object
from weir.spec.identity import ObjectId
from weir.spec.kustomization import KustomizationSpec
from weir.spec.tree import Tree

_LARGE: Final = 256 * 1024
"""Bytes of YAML from which reading them takes longer than finding the objects in the cache."""
_FLUX_KIND: Final = re.compile(rb"(?m)^apiVersion:.*\.fluxcd\.io/")
_READER: Final = "weir"
"""Stands for the program that builds when it is this one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rendered:
    """What a unit renders to."""

    objects: tuple[dict[str, Any], ...]
    """To be applied; sorted, and the same for the same input."""
    children: tuple[Document, ...]
    """Flux's own kinds: units, never applied."""
    digest: str
    """`sha256:<hex>` of the objects, see `weir.flow.digest`."""
    secret_ids: frozenset[ObjectId]
    """Objects whose values must not be shown: Secrets, and what holds a secret variable's value."""
    warnings: tuple[str, ...]
    timings: Mapping[str, float]
    """Seconds by step: closure, build, substitute, finish."""


def render_unit(
    spec: KustomizationSpec,
    layout: Layout,
    *,
    lookup: LookUp,
    scratch_root: Path,
    cache: BuildCache | None,
    stop: threading.Event | None = None,
) -> Rendered:
    """The objects of a unit, from its artifact's layout: build, variables, labels.

    Rule: https://fluxcd.io/flux/components/kustomize/kustomizations/

    Raises:
        RenderError: the artifact cannot be turned into objects; the text starts with where the unit is declared.
        ArtifactError: the artifact does not hold what it says.
        StopRequested: `stop` was set.
    """
    timings: dict[str, float] = {}
    try:
        with _timed(timings, "closure"):
            top = overlay(find_top(layout, spec.path), spec, layout)
            closure = close(layout, top)
        with _timed(timings, "build"):
            documents = _build(closure, layout.tree, _allowed(cache, spec), scratch_root, spec.timeout, stop)
        with _timed(timings, "substitute"):
            always = spec.post_build and spec.substitute_strategy == "Always"
            filled = substitute(documents, collect_variables(spec, lookup), always=always)
        with _timed(timings, "finish"):
            finished = finish(filled.documents, spec, _secret(spec, filled))
    except RenderError as err:
        raise type(err)(f"{spec.where}: {err.message}", hint=err.hint) from err
    return Rendered(
        objects=finished.objects,
        children=finished.children,
        digest=digest_of(canonical(finished.objects)),
        secret_ids=finished.secret_ids,
        warnings=(*top.warnings, *(f"{spec.id}: {text}" for text in filled.warnings), *finished.warnings),
        timings=timings,
    )


def build_folder(
    layout: Layout, path: str, *, scratch_root: Path, cache: BuildCache | None
) -> tuple[Document, ...]:
    """What a folder of an artifact builds to, as a unit of that path starts from.

    Raises:
        RenderError: it cannot be built; names the file.
        ArtifactError: the artifact does not hold what it says.
    """
    closure = close(layout, find_top(layout, path))
    return _build(closure, layout.tree, cache, scratch_root, MAX_SECONDS, None)


def _with_files(documents: Sequence[Document], closure: Closure, tree: Tree) -> tuple[Document, ...]:
    """What kustomize built, with the files of Flux's objects: whoever reads them says where they stand."""
    if not any(is_flux_object(document.data) for document in documents):
        return tuple(documents)
    files = _declaring(closure, tree)
    return tuple(replace(item, file=files.get(_names(item.data), item.file)) for item in documents)


def _declaring(closure: Closure, tree: Tree) -> dict[tuple[str, str], str]:
    """Kind and name of Flux's objects -> the file that declares them, where it is the only one that does."""
    found: dict[tuple[str, str], str] = {}
    for file in closure.parsed:
        text = tree.read(file)
        values: Sequence[Any] = ()
        if _FLUX_KIND.search(text):
            with suppress(SpecError):  # kustomize took it, and said what it holds
                values = load_yaml(text, file).values
        for value in values:
            if isinstance(value, dict) and is_flux_object(value):
                names = _names(value)
                found[names] = file if found.get(names, file) == file else ""
    return {names: file for names, file in found.items() if file}


def _names(data: Mapping[str, Any]) -> tuple[str, str]:
    meta = data.get("metadata")
    return str(data.get("kind")), str(meta.get("name")) if isinstance(meta, dict) else ""


def _allowed(cache: BuildCache | None, spec: KustomizationSpec) -> BuildCache | None:
    """The cache, but none for a unit whose own document may put a secret into the build."""
    built = spec.patches or spec.images or spec.components or spec.name_prefix or spec.name_suffix
    return None if spec.confidential and built else cache


def _secret(spec: KustomizationSpec, filled: Substituted) -> Iterable[int]:
    """Positions of what holds a secret. Patches may put one of their own anywhere."""
    return range(len(filled.documents)) if spec.confidential and spec.patches else filled.secret


@contextmanager
def _timed(timings: dict[str, float], step: str) -> Iterator[None]:
    started = time.perf_counter()
    yield
    timings[step] = time.perf_counter() - started


def _build(
    closure: Closure,
    tree: Tree,
    cache: BuildCache | None,
    scratch_root: Path,
    timeout: float,
    stop: threading.Event | None,
) -> tuple[Document, ...]:
    """The documents of a closure: from the cache, read as they are, or built by kustomize."""
    if (
        closure.resources is not None
        and (plain := _plain(closure, closure.resources, tree, cache)) is not None
    ):
        return plain
    key = build_key(closure, tree, kustomize_id())
    if cache is not None and (kept := cache.get(key)) is not None:
        return _with_files(kept, closure, tree)
    refuse_bombs(closure, tree)
    documents = _read_output(
        build(closure, tree, scratch_root=scratch_root, timeout=timeout, stop=stop), closure
    )
    if cache is not None:
        cache.put(key, documents)
    return _with_files(documents, closure, tree)


def _plain(
    closure: Closure, files: Sequence[str], tree: Tree, cache: BuildCache | None
) -> tuple[Document, ...] | None:
    """The documents read as they are, None when only kustomize can tell; kept when reading them takes long."""
    large = sum(tree.files[path].size for path in files) >= _LARGE
    keep = cache if large else None
    key = build_key(closure, tree, _READER) if keep else ""
    if keep and (kept := keep.get(key)) is not None:
        return kept
    documents = read_plain(tree, files)
    if keep and documents is not None:
        keep.put_late(key, documents)
    return documents


def _read_output(text: bytes, closure: Closure) -> tuple[Document, ...]:
    folder = closure.folder or "."
    try:
        values = load_yaml(text, folder).values
    except SpecError as err:
        raise RenderError(err.message, hint=err.hint) from err
    found = [value for value in values if value is not None]
    for value in found:
        if not isinstance(value, dict):
            raise RenderError(f"{folder}: kustomize gave {type(value).__name__}, expected Kubernetes objects")
    return tuple(Document(folder, index, value) for index, value in enumerate(found))
