"""A Lease (coordination.k8s.io/v1): one holder at a time, who must say every few seconds that it is still there.

https://kubernetes.io/docs/concepts/architecture/leases/. The rules by which there are never two holders:

- Every write is a JSON patch that tests what it relies on (no holder, we are the holder, or the very version that was
  read), so of two writers one is refused, and a write that arrives late changes nothing.
- A holder counts its time from before its last renewal was sent, and stops three tenths of the duration early.
- Another takes over only when it has itself seen the lease unchanged for the whole duration, by a clock that also runs
  while the machine sleeps; times written in the lease are for people. Or at once when the holder is proven gone.

Whoever ends its hold, or takes over from one who does not, counts `leaseTransitions` up: every hold has a number above
those before it, its fencing token.
"""

from __future__ import annotations

import hashlib
import re
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from http import HTTPStatus
from typing import Any, Final

from weir.edges.holder import is_gone
from weir.edges.kube.client import JSON_PATCH, Kube
from weir.edges.kube.errors import KubeStatusError
from weir.spec.errors import ClusterError

MARGIN: Final = 0.3
"""Part of the duration by which a holder stops early: clocks of different machines run a little differently."""
_BEATS: Final = 3
"""Renewals in one duration."""
_ANSWER: Final = 0.2
"""Part of the duration in which the answer has to come: after a renewal that got none there is time for another."""
_SOON: Final = 1.0
"""Seconds after a renewal that got no answer."""
_LOST: Final = (HTTPStatus.CONFLICT, HTTPStatus.UNPROCESSABLE_ENTITY)
"""What a patch gets whose test fails, or that lost against another write too often."""
_LONGEST_NAME: Final = 200

Patch = list[dict[str, Any]]


def boot_seconds() -> float:
    """Seconds by a clock that nobody sets and that runs on while the machine sleeps, where there is such a clock."""
    clock = getattr(time, "CLOCK_BOOTTIME", None)
    return time.monotonic() if clock is None else time.clock_gettime(clock)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Seen:
    """A lease as the cluster had it."""

    version: str
    holder: str
    duration: float
    transitions: int
    since: float
    """When this version was first seen here, by our own clock."""


class Lease:
    """One lease from one runner's view. Its threads may ask `remaining`; only one at a time may do the rest."""

    def __init__(
        self,
        kube: Kube,
        namespace: str,
        name: str,
        holder: str,
        duration_seconds: int = 15,
        clock: Callable[[], float] = boot_seconds,
    ) -> None:
        """`holder` must be unique among all runners and all times, as `weir.edges.holder.own_identity` makes it."""
        self._kube = kube.in_a_hurry(duration_seconds * _ANSWER)
        self._namespace = namespace
        self.name = name
        self.identity = holder
        self.duration = duration_seconds
        self._clock = clock
        self._seen: _Seen | None = None
        self._until = float("-inf")

    def try_acquire(self) -> bool:
        """Take the lease if nobody has it, or its holder is silent for too long or gone; one request when it is free.

        Raises:
            ClusterError: it cannot be read or written; nothing is known.
        """
        if (self._seen is None or not self._seen.holder) and self._patch([_is("/spec/holderIdentity", "")]):
            return True
        seen = self._look()
        if seen is None:
            return self._create()
        if seen.holder == self.identity:
            return self.renew()
        if seen.holder and not self._expired(seen):
            return False
        return self._patch([_is_version(seen)], transitions=seen.transitions + 1)

    def renew(self) -> bool:
        """Say that we still hold it; False when we do not any more.

        Raises:
            ClusterError: no answer; it may be tried again, and `remaining` says for how long we hold it.
        """
        if self._patch([_is("/spec/holderIdentity", self.identity)]):
            return True
        seen = self._look()
        if seen is None or seen.holder != self.identity:
            self._until = float("-inf")
        return False

    def release(self) -> None:
        """Give it up at once, if we hold it. Raises ClusterError; then it ends by itself."""
        seen, self._until = self._seen, float("-inf")
        for _ in range(2):
            if seen is None or seen.holder != self.identity:
                return
            count = {"op": "add", "path": "/spec/leaseTransitions", "value": seen.transitions + 1}
            if self._send([_is_version(seen), _set("holderIdentity", ""), _set("renewTime", _now()), count]):
                return
            seen = self._look()

    def keep(self, stop: threading.Event) -> None:
        """Renew until `stop` is set or somebody else has it. Failures are tried again: `remaining` tells them."""
        beat = pause = self.duration / _BEATS
        while not stop.wait(pause):
            pause = beat
            try:
                if not self.renew() and not self.remaining():
                    return
            except ClusterError:
                pause = min(_SOON, beat)

    def remaining(self) -> float:
        """Seconds for which we certainly hold it without a further renewal; 0 when we do not. Asks nobody."""
        return max(0.0, self._until - self._clock())

    @property
    def token(self) -> int:
        """The number of the hold that was last seen, higher than those of all holds before it."""
        return self._seen.transitions if self._seen else 0

    def holder(self) -> str:
        """Who holds it, as the cluster says now; empty when nobody does. Raises ClusterError."""
        seen = self._look()
        return seen.holder if seen else ""

    @property
    def rival(self) -> str:
        """Who else held it when it was last looked at, empty when nobody did. Asks nobody."""
        return self._seen.holder if self._seen and self._seen.holder != self.identity else ""

    def patience(self) -> float:
        """Seconds after which the holder that was last seen may be replaced if it stays silent."""
        if self._seen is None or not self._seen.holder:
            return 0.0
        return max(0.0, self._seen.since + self._seen.duration - self._clock())

    def _expired(self, seen: _Seen) -> bool:
        return self._clock() >= seen.since + seen.duration or is_gone(seen.holder)

    def _patch(self, tests: Patch, transitions: int | None = None) -> bool:
        """Write us as the holder if the tests hold; whether they did."""
        spec = {"leaseDurationSeconds": self.duration, "holderIdentity": self.identity, "renewTime": _now()}
        if self._seen is None or self._seen.holder != self.identity:
            spec["acquireTime"] = spec["renewTime"]
        if transitions is not None:
            spec["leaseTransitions"] = transitions
        began = self._clock()
        if not self._send([*tests, *(_set(key, value) for key, value in spec.items())]):
            return False
        self._until = began + self.duration * (1 - MARGIN)
        return self.remaining() > 0

    def _send(self, patch: Patch) -> bool:
        try:
            self._note(self._kube.request("PATCH", self._path(), None, patch, JSON_PATCH))
        except KubeStatusError as err:
            if err.status in _LOST or err.absent:
                return False
            raise
        return True

    def _look(self) -> _Seen | None:
        try:
            return self._note(self._kube.request("GET", self._path()))
        except KubeStatusError as err:
            if not err.absent:
                raise
            self._seen = None
            return None

    def _create(self) -> bool:
        """Make the lease, and the namespace when even that is missing; whether it is ours then."""
        now = _now()
        spec = {"holderIdentity": self.identity, "leaseDurationSeconds": self.duration, "leaseTransitions": 1}
        body = {
            "apiVersion": "coordination.k8s.io/v1",
            "kind": "Lease",
            "metadata": {"name": self.name, "namespace": self._namespace},
            "spec": {**spec, "acquireTime": now, "renewTime": now},
        }
        began = self._clock()
        try:
            self._note(self._post(body))
        except KubeStatusError as err:
            if err.status in _LOST:
                return False
            raise
        self._until = began + self.duration * (1 - MARGIN)
        return self.remaining() > 0

    def _post(self, body: dict[str, Any]) -> Any:
        try:
            return self._kube.request("POST", self._path(collection=True), None, body)
        except KubeStatusError as err:
            if not err.missing_namespace:
                raise
        from weir.edges.kube.records import Records  # once in the life of a cluster

        Records(self._kube, self._namespace).ensure_namespace()
        return self._kube.request("POST", self._path(collection=True), None, body)

    def _note(self, found: Any) -> _Seen:
        """Remember what the cluster has; a version that was seen before is as old as it was then."""
        spec = found.get("spec") or {}
        version = str(found["metadata"]["resourceVersion"])
        known = self._seen if self._seen and self._seen.version == version else None
        self._seen = _Seen(
            version=version,
            holder=str(spec.get("holderIdentity") or ""),
            duration=float(spec.get("leaseDurationSeconds") or self.duration),
            transitions=int(spec.get("leaseTransitions") or 0),
            since=known.since if known else self._clock(),
        )
        return self._seen

    def _path(self, *, collection: bool = False) -> str:
        base = f"/apis/coordination.k8s.io/v1/namespaces/{self._namespace}/leases"
        return base if collection else f"{base}/{self.name}"


def lease_name(purpose: str, stack: str) -> str:
    """`weir-<purpose>-<stack>`; a stack's name that cannot be part of an object's name is hashed."""
    if len(stack) <= _LONGEST_NAME and re.fullmatch(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?", stack, re.ASCII):
        return f"weir-{purpose}-{stack}"
    return f"weir-{purpose}-{hashlib.sha256(stack.encode()).hexdigest()[:32]}"


def _is(path: str, value: str) -> dict[str, Any]:
    return {"op": "test", "path": path, "value": value}


def _is_version(seen: _Seen) -> dict[str, Any]:
    return _is("/metadata/resourceVersion", seen.version)


def _set(key: str, value: object) -> dict[str, Any]:
    return {"op": "add", "path": f"/spec/{key}", "value": value}


def _now() -> str:
    """The form of MicroTime; for people only."""
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
