"""Ask the watcher of a stack to reconcile a unit now, and wait until it has done so."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from http import HTTPStatus
from typing import Final

from weir.edges.holder import shown
from weir.edges.kube.client import Kube
from weir.edges.kube.errors import KubeStatusError
from weir.edges.kube.lease import lease_name
from weir.edges.kube.records import Records
from weir.spec.duration import format_duration
from weir.spec.errors import ClusterError
from weir.spec.identity import UnitId
from weir.spec.record import UnitRecord

_EVERY: Final = 0.3
"""Seconds between two looks at a record."""
_NO_WATCHER: Final = (HTTPStatus.NOT_FOUND, HTTPStatus.FORBIDDEN)


def live_watcher(kube: Kube, namespace: str, stack: str, now: datetime) -> str:
    """Who watches the stack at present, for people; empty when nobody renews its watch lease or it cannot be read.

    Raises:
        ClusterError: the cluster cannot be reached.
    """
    path = f"/apis/coordination.k8s.io/v1/namespaces/{namespace}/leases/{lease_name('watch', stack)}"
    try:
        spec = kube.request("GET", path).get("spec") or {}
    except KubeStatusError as err:
        if err.status in _NO_WATCHER:
            return ""
        raise
    holder, renewed = str(spec.get("holderIdentity") or ""), str(spec.get("renewTime") or "")
    if not holder or not renewed:
        return ""
    silent = (now - datetime.fromisoformat(renewed)).total_seconds()
    return shown(holder) if silent <= float(spec.get("leaseDurationSeconds") or 0) else ""


def request_time() -> str:
    """Now, as RFC 3339 to the nanosecond: no two requests have the same."""
    seconds, rest = divmod(time.time_ns(), 1_000_000_000)
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%dT%H:%M:%S}.{rest:09}Z"


def await_handling(records: Records, unit: UnitId, at: str, *, seconds: float) -> UnitRecord:
    """The unit's record once the watcher has answered the request `at`.

    Raises:
        ClusterError: it has not in that many seconds, the record is gone, or the cluster cannot be reached.
    """
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        stored = records.load(unit)
        if stored is None:
            raise ClusterError(f"{unit}: its record is gone, so it was removed meanwhile")
        if stored.handled == at:
            return stored.record
        time.sleep(_EVERY)
    hint = "look at the watcher's log, wait longer with --timeout, or reconcile from here with --here"
    raise ClusterError(f"{unit}: no answer from the watcher in {format_duration(seconds)}", hint=hint)
