"""Rounds of deliveries with a clock of the test's own, and Secrets without a cluster."""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping, Sequence
from typing import Final

from tests.support.notices import alert
from weir.edges.outbox import Outbox
from weir.flow.clusters import Clusters
from weir.flow.deliver import Delivered, deliver
from weir.flow.notices import Notices
from weir.spec.alert import AlertSpec
from weir.spec.identity import UnitId
from weir.spec.provider import ProviderSpec
from weir.spec.stack import ClusterConfig, OptionsConfig

NOW: Final = 1_800_000_000.0
NO_LABELS: Final[Mapping[str, str]] = {}
ONCE: Final = 1.9
"""Seconds of a round that are enough for one try: another one needs a second after a pause of a second."""


class Secrets(Clusters):
    """A cluster that holds Secrets and nothing else."""

    def __init__(self, options: OptionsConfig | None = None, **secrets: Mapping[str, bytes]) -> None:
        super().__init__(ClusterConfig(), options or OptionsConfig(), "test")
        self._secrets = secrets

    def find_secret(self, namespace: str, name: str) -> Mapping[str, bytes] | None:
        assert namespace == "flux-system"
        return self._secrets.get(name)


def go(
    outbox: Outbox,
    *providers: ProviderSpec,
    alerts: Sequence[AlertSpec] | None = None,
    unreadable: Mapping[UnitId, str] | None = None,
    clusters: Clusters | None = None,
    at: float = NOW,
    budget: float = 5.0,
    stop: threading.Event | None = None,
) -> Delivered:
    """One round that begins at a time; without `alerts`, every provider has one on all Kustomizations."""
    began = time.monotonic()
    every = tuple(alert(one.id.name, f"to-{one.id.name}") for one in providers)
    known = Notices(
        alerts=every if alerts is None else tuple(alerts),
        providers={one.id: one for one in providers},
        documents={},
        problems=(),
        unreadable=unreadable or {},
    )
    return deliver(
        outbox,
        clusters or Secrets(),
        known,
        budget_seconds=budget,
        stop=stop or threading.Event(),
        clock=lambda: at + time.monotonic() - began,
    )
