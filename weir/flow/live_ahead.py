"""Live objects of a stack's large units, read while the program still resolves and renders."""

from __future__ import annotations

import contextlib
import threading
import time
from collections import Counter
from dataclasses import dataclass
from typing import Final

import orjson

from weir.edges.kube.client import Kube
from weir.edges.kube.reading import FEW, Listed, Lists, list_objects
from weir.flow.clusters import Clusters
from weir.flow.collector import paused
from weir.flow.pruning import owner_selector
from weir.spec.documents import Document
from weir.spec.errors import WeirError
from weir.spec.identity import UnitId
from weir.spec.kustomization import parse_kustomization
from weir.spec.record import UnitRecord

LARGE: Final = 100
"""Objects of a unit from which reading them early pays."""
FRESH: Final = 3.0
"""Seconds for which what was read counts as live; a plan made later reads again."""
_MOST: Final = 20_000
"""Objects read early in one run."""


@dataclass(frozen=True, slots=True)
class _Found:
    kube: Kube
    """Whose eyes it was read with."""
    read_at: float
    lists: Lists


class LiveAhead:
    """Reads in a thread of its own as soon as it is made. What cannot be read is left to those who need it."""

    def __init__(self, clusters: Clusters, stop: threading.Event) -> None:
        self._clusters, self._stop = clusters, stop
        self._found: dict[UnitId, _Found] = {}
        self._news = threading.Condition()
        self._thread = threading.Thread(target=self._read_all, name="live-ahead", daemon=True)
        self._over = False
        self._thread.start()

    def take(self, unit: UnitId, kube: Kube) -> Lists:
        """What LISTs of the unit's kinds by its labels said a moment ago, as `kube` would have read them.

        Nothing when it was read too long ago, by another identity, or not at all.
        """
        with self._news:
            self._news.wait_for(lambda: self._over or unit in self._found, FRESH)
            found = self._found.pop(unit, None)
        if found is None or found.kube is not kube or time.monotonic() - found.read_at > FRESH:
            return {}
        return found.lists

    def drop(self) -> None:
        """Forget everything and read no more: something is written now."""
        with self._news:
            self._over = True
            self._found.clear()

    def _read_all(self) -> None:
        with contextlib.ExitStack() as stack:
            stack.callback(self._end)
            stack.enter_context(contextlib.suppress(WeirError, ValueError))
            stack.enter_context(paused())
            budget = _MOST
            for record in sorted(self._clusters.records.read_all(), key=_size, reverse=True):
                budget -= _size(record)
                if self._over or _size(record) < LARGE or budget < 0:
                    break
                if record.id.kind == "Kustomization" and record.document:
                    self._keep(record.id, self._read(record))

    def _keep(self, unit: UnitId, found: _Found) -> None:
        with self._news:
            if not self._over:
                self._found[unit] = found
            self._news.notify_all()

    def _end(self) -> None:
        with self._news:
            self._over = True
            self._news.notify_all()

    def _read(self, record: UnitRecord) -> _Found:
        spec = parse_kustomization(Document(str(record.id), 0, orjson.loads(record.document)))
        kube, discovery = self._clusters.target(spec)
        counts: Counter[Listed] = Counter()
        for item, version in record.inventory:
            counts[discovery.any_version(item.group, item.kind, version), item.namespace] += 1
        read_at, reader, selector = time.monotonic(), kube.until(self._stop), owner_selector(record.id)
        lists = {
            place: list(list_objects(reader, *place, selector))
            for place, count in counts.items()
            if count > FEW
        }
        return _Found(kube, read_at, lists)


def _size(record: UnitRecord) -> int:
    return len(record.inventory)
