"""Aliases of aliases, refused before kustomize reads them: it expands them for minutes (CVE-2022-28948)."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, Final

import orjson

from weir.render.closure import Closure
from weir.spec.documents import load_yaml
from weir.spec.errors import RenderError, SpecError
from weir.spec.tree import Tree

_ALIAS: Final = re.compile(rb"(?m)(?:^|[\s\x85\xa8\xa9\[{,:-])\*[A-Za-z0-9_-]")
"""An alias, also after the line breaks of Unicode; some text that only looks like one fits too."""
_MANY_ALIASES: Final = 16
"""Aliases below which nothing can explode: each at most doubles what it stands for."""
_MARKS: Final = (b"\xff\xfe", b"\xfe\xff")
"""Begin a text in UTF-16, and are never part of one in UTF-8."""
_PATCHES: Final = ("patches", "patchesJson6902")
_PLUGIN_TEXTS: Final = frozenset(("patch", "patches", "jsonop"))
"""Fields of built-in plugins that hold YAML as a text, in lower case."""


def refuse_bombs(closure: Closure, tree: Tree) -> None:
    """Check everything that kustomize will read as YAML; what only fills ConfigMaps and Secrets may be anything.

    Raises:
        RenderError: aliases that stand for too much, or what cannot be judged; names the file and the place in it.
    """
    for file in closure.parsed:
        _refuse_bomb(_utf8(tree.read(file), file), file)
    for file, content in closure.written.items():
        if content.count(b"*") >= _MANY_ALIASES:
            for at, text in _inline_texts(content):
                _refuse_bomb(text.encode(), f"{file}: {at}")


def _refuse_bomb(text: bytes, where: str) -> None:
    if text.count(b"*") < _MANY_ALIASES or len(_ALIAS.findall(text)) < _MANY_ALIASES:
        return
    try:
        load_yaml(text, where)
    except SpecError as err:
        raise RenderError(err.message, hint=err.hint) from err


def _utf8(text: bytes, file: str) -> bytes:
    """A text as kustomize decodes it. It looks for a mark in every document, so only one document may have one."""
    if not any(mark in text for mark in _MARKS):
        return text
    try:
        if text.startswith(_MARKS) and b"\n---" not in text:
            return text.decode("utf-16").encode()
    except UnicodeDecodeError:
        pass
    raise RenderError(f"{file}: found UTF-16, expected UTF-8 text", hint="save the file as UTF-8")


def _inline_texts(content: bytes) -> Iterator[tuple[str, str]]:
    """The texts in a written file that kustomize reads as YAML, each with its field."""
    for line in content.split(b"\n---\n"):
        data: dict[str, Any] = orjson.loads(line)
        for field in _PATCHES:
            entries = data.get(field)
            for index, entry in enumerate(entries if isinstance(entries, list) else ()):
                if isinstance(entry, dict) and isinstance(entry.get("patch"), str):
                    yield f"{field}[{index}].patch", entry["patch"]
        for key, value in data.items():
            if isinstance(value, str) and key.lower() in _PLUGIN_TEXTS:
                yield key, value
