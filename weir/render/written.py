"""The files that a build gets with other content than the artifact's: kustomizations, and texts that stand in them."""

from __future__ import annotations

import posixpath
from collections.abc import Callable, Collection, Sequence
from typing import Any, Final

from weir.render.emit import to_json
from weir.spec.documents import read_yaml
from weir.spec.errors import RenderError, SpecError

MAX_BYTES: Final = 64 * 1024**2
"""Of all files written for one unit together."""
MAX_BESIDE: Final = 10_000
"""Texts and plugin files written beside kustomizations for one unit."""

Origin = tuple[str, str, str]
"""A folder, the use that its kustomization makes of a text or a file, and the text or the file's path."""


class Written:
    """Files by path; what is written again from the same text for the same folder is written once."""

    def __init__(self, taken: Collection[str]) -> None:
        self.files: dict[str, bytes] = {}
        self._taken = taken
        self._beside: dict[Origin, str] = {}
        self._bytes = 0
        self._number = 0

    def put(self, path: str, values: Sequence[Any], file: str) -> None:
        """Write values as the documents of a file; `file` is the kustomization that asks for it. Raises RenderError."""
        try:
            content = b"\n---\n".join(to_json(value) for value in values) + b"\n"
        except TypeError as err:
            raise RenderError(
                f"{file}: holds a value that JSON cannot hold: {err}", hint="correct it"
            ) from err
        self._bytes += len(content)
        if self._bytes > MAX_BYTES:
            problem = f"found over {MAX_BYTES} bytes of kustomizations, plugins and inline patches"
            raise RenderError(f"{file}: {problem}", hint="split the unit, or name files in patches")
        self.files[path] = content

    def beside(self, origin: Origin, file: str, read: Callable[[], Sequence[Any]]) -> str:
        """The path of the file beside a kustomization that holds what `read` gives.

        kustomize takes a text that is no YAML object for a path, so texts do not stay where they are.
        """
        if origin not in self._beside:
            if len(self._beside) >= MAX_BESIDE:
                problem = f"found over {MAX_BESIDE} plugins and inline patches"
                raise RenderError(f"{file}: {problem}", hint="split the unit, or name files in patches")
            path = self._free(origin[0])
            self.put(path, read(), file)
            self._beside[origin] = path
        return self._beside[origin]

    def _free(self, folder: str) -> str:
        while True:
            self._number += 1
            path = posixpath.join(folder, f".weir-inline-{self._number}.yaml")
            if path not in self._taken:
                return path


def is_inline(text: str) -> bool:
    """Whether an entry is YAML and not a path."""
    return "\n" in text or text.lstrip().startswith("{") or ": " in text


def parse_inline(text: str, where: str) -> list[Any]:
    """The mappings in a text. Raises RenderError."""
    try:
        documents = read_yaml(text, where)
    except SpecError as err:
        raise RenderError(err.message, hint=err.hint) from err
    if not documents or not all(isinstance(document, dict) for document in documents):
        raise RenderError(
            f"{where}: found no mapping, expected YAML with kind and name", hint="or name a file"
        )
    return documents
