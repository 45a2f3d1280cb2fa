"""One document taken out of a file of several; every other byte stays."""

from __future__ import annotations

import re
from typing import Final

from weir.spec.documents import Document, read_documents, read_yaml
from weir.spec.errors import SpecError
from weir.spec.header import is_flux_object, read_header
from weir.spec.identity import UnitId

_SEPARATOR: Final = re.compile(rb"^---(?=[ \t\r\n]|\Z)", re.MULTILINE)
"""At the start of a line it always begins a document: no block text may hold it there (YAML 1.2, rule 206)."""
_UNUSUAL: Final = re.compile(rb"^(%|\.\.\.(?=[ \t\r\n]|\Z))", re.MULTILINE)


def without_document(data: bytes, file: str, unit: UnitId) -> bytes:
    """The file without the document of a unit, from its `---` to the next one; empty when nothing else is in it.

    Raises:
        SpecError: no document of its own is the unit's, or the file has directives or end marks.
    """
    hint = "remove it by hand"
    if _UNUSUAL.search(data):
        raise SpecError.at(
            file, "", found="a directive or an end mark", expected="plain documents", hint=hint
        )
    starts = [0, *(found.start() for found in _SEPARATOR.finditer(data) if found.start())]
    parts = [data[start:end] for start, end in zip(starts, [*starts[1:], len(data)], strict=True)]
    kept = [part for part in parts if not _is(part, file, unit)]
    if len(kept) == len(parts):
        raise SpecError.at(file, "", found=f"no document of its own for {unit}", expected="one", hint=hint)
    return b"".join(kept) if any(read_documents(part, file) for part in kept) else b""


def _is(part: bytes, file: str, unit: UnitId) -> bool:
    values = read_yaml(part, file)
    if len(values) != 1 or not isinstance(values[0], dict) or not is_flux_object(values[0]):
        return False
    return read_header(Document(file, 0, values[0])).id == unit
