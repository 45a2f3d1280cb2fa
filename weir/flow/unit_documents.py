"""The YAML of units: as their records keep it, else as the stack declares it at present."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Mapping
from functools import cached_property
from typing import Any

import orjson

from weir.flow.look import Present, look
from weir.flow.session import Session
from weir.spec.errors import WeirError
from weir.spec.header import read_header
from weir.spec.identity import UnitId
from weir.spec.record import UnitRecord

Data = Mapping[str, Any]


class UnitDocuments:
    """Finds documents at the least price: in a record, in the stack's own files, and only then in what units render."""

    def __init__(self, open_session: Callable[[], Session]) -> None:
        self._open_session = open_session

    @cached_property
    def session(self) -> Session:
        """The stack. Raises WeirError."""
        return self._open_session()

    @cached_property
    def present(self) -> Present:
        """What the stack declares and renders. Raises WeirError."""
        return look(self.session)

    @cached_property
    def _own(self) -> Mapping[UnitId, Data]:
        found: dict[UnitId, Data] = {}
        for document in self.session.load().documents:
            with contextlib.suppress(WeirError):
                found.setdefault(read_header(document).id, document.data)
        return found

    def of(self, record: UnitRecord) -> Data:
        """The document of a unit, empty when nobody knows it. Raises WeirError."""
        if record.document:
            found: Data = orjson.loads(record.document)
            return found
        return self.declared(record.id)

    def declared(self, unit: UnitId) -> Data:
        """The document as the stack declares it, empty when it does not. Raises WeirError."""
        if unit in self._own:
            return self._own[unit]
        known = self.present.units.get(unit)
        return known.document.data if known else {}


def labels_of(document: Data) -> Mapping[str, str]:
    """The labels of a document, texts only."""
    meta = document.get("metadata")
    labels = meta.get("labels") if isinstance(meta, dict) else None
    return {str(key): str(value) for key, value in labels.items()} if isinstance(labels, dict) else {}
