"""The records of units: one ConfigMap each on the stack's main cluster, in one namespace.

The form is an ApplySet parent (KEP-3659): an id label, the tool, and which group-kinds and namespaces to look in. It is
written before the first object, so what a crash leaves behind is always found again.
"""

from __future__ import annotations

import base64
import contextlib
import hashlib
import re
import threading
from collections.abc import Mapping
from dataclasses import dataclass, replace
from http import HTTPStatus
from typing import Any, Final

import orjson

from weir.edges.kube import hand, record_codec
from weir.edges.kube.client import APPLY, Kube
from weir.edges.kube.discovery import Resource
from weir.edges.kube.errors import KubeStatusError
from weir.edges.kube.reading import list_objects
from weir.spec.errors import ClusterError
from weir.spec.identity import UnitId
from weir.spec.record import UnitRecord

MANAGER: Final = "weir-record"
STACK: Final = "weir.dev/stack"
UNIT_KIND: Final = "weir.dev/unit-kind"
UNIT_NAMESPACE: Final = "weir.dev/unit-namespace"
UNIT_NAME: Final = "weir.dev/unit-name"
_QUERY: Final = f"fieldManager={MANAGER}&force=true"
_TRIES: Final = 5
"""Writes of a record that hands keep touching meanwhile."""
_LONGEST_LABEL: Final = 63
_LONGEST_NAME: Final = 253
CONFIG_MAPS: Final = Resource(
    group="", version="v1", kind="ConfigMap", plural="configmaps", namespaced=True, verbs=frozenset()
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Running:
    """A run that says it is at work on a unit; drift repair keeps away meanwhile."""

    holder: str
    """Host and process, and something that makes it unique."""
    started: str
    """RFC 3339."""
    revision: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Stored:
    """A record with what only its keeper needs."""

    record: UnitRecord
    version: str
    """metadata.resourceVersion and a digest of what the record says: a hand that touches only annotations moves the
    first, another run the second too."""
    running: Running | None
    requested: str = ""
    """When somebody asked for a reconciliation, RFC 3339; empty when nobody ever did."""
    handled: str = ""
    """The request that a watcher answered last."""

    @property
    def held(self) -> str:
        """Who suspended the unit by hand, when and why; empty when nobody did."""
        return self.record.held


class Records:
    """The records of one stack, or of all stacks when `stack` is empty. Always on the main cluster, as ourselves."""

    def __init__(self, kube: Kube, namespace: str = "weir-system", stack: str = "") -> None:
        self._kube = kube
        self._namespace = namespace
        self._stack = stack

    def in_a_hurry(self, seconds: float) -> Records:
        """The same, but a call that takes longer fails, and none is retried."""
        return Records(self._kube.in_a_hurry(seconds), self._namespace, self._stack)

    def until(self, stop: threading.Event) -> Records:
        """The same, but every call raises StopRequested once `stop` is set."""
        return Records(self._kube.until(stop), self._namespace, self._stack)

    @property
    def server(self) -> str:
        """The URL of the cluster that keeps them."""
        return self._kube.server

    @property
    def stack(self) -> str:
        """The stack whose records these are."""
        return self._stack

    @property
    def namespace(self) -> str:
        """The namespace they are in."""
        return self._namespace

    def read(self, unit: UnitId) -> UnitRecord | None:
        """The record of a unit, None when there is none. Raises ClusterError."""
        stored = self.load(unit)
        return stored.record if stored else None

    def read_own(self, unit: UnitId) -> UnitRecord | None:
        """The record of a unit, None when there is none or it is another stack's. Raises ClusterError."""
        record = self.read(unit)
        return record if record and record.stack == self._stack else None

    def load(self, unit: UnitId) -> Stored | None:
        """The record with its version and running mark. Raises ClusterError."""
        try:
            found = self._kube.request("GET", self._path(unit))
        except KubeStatusError as err:
            if err.absent:
                return None
            raise
        return stored_of(found)

    def read_all(self, stack: str | None = None) -> tuple[UnitRecord, ...]:
        """All records of this stack (or of `stack`; `""` for all stacks), by unit. Raises ClusterError."""
        wanted = self._stack if stack is None else stack
        selector = f"{STACK}={label_value(wanted)}" if wanted else UNIT_KIND
        items = list_objects(self._kube, CONFIG_MAPS, self._namespace, selector)
        records = [stored_of(item).record for item in items]
        return tuple(
            sorted((one for one in records if not wanted or one.stack == wanted), key=lambda one: one.id)
        )

    def write(
        self, record: UnitRecord, *, running: Running | None = None, expected: str | None = None
    ) -> str:
        """Store a record in one write and return its new version; the namespace is made when it is missing.

        `expected` is the version read before, empty when there was none, None to not care.

        Raises:
            ClusterError: another run wrote in between (names it), or the server refused.
        """
        body = self._body(record, running)
        for _ in range(_TRIES):
            if expected:
                body["metadata"]["resourceVersion"] = expected.partition("/")[0]
            try:
                return self._put(record.id, body, fresh=expected == "")
            except KubeStatusError as err:
                if err.missing_namespace:
                    self.ensure_namespace()
                elif err.status == HTTPStatus.CONFLICT and expected:
                    now = self._touched(record.id, expected, _content(body), err)
                    if now.version.endswith(f"/{_content(body)}"):
                        return now.version  # stored, but the answer was lost and the request sent again
                    expected = now.version
                elif err.status == HTTPStatus.CONFLICT:
                    raise self._overtaken(record.id) from err
                else:
                    raise
        raise self._overtaken(record.id)

    def delete(self, unit: UnitId) -> None:
        """Remove a record; fine when there is none. Raises ClusterError."""
        try:
            self._kube.request("DELETE", self._path(unit), body={"propagationPolicy": "Background"})
        except KubeStatusError as err:
            if not err.absent:
                raise

    def delete_own(self, unit: UnitId) -> None:
        """Remove a record of this stack, damaged or not; fine when there is none. Raises ClusterError."""
        try:
            meta = self._kube.request("GET", self._path(unit))["metadata"]
            if (meta.get("labels") or {}).get(STACK) == label_value(self._stack):
                seen = {"uid": meta["uid"], "resourceVersion": meta["resourceVersion"]}
                self._kube.request("DELETE", self._path(unit), body={"preconditions": seen})
        except KubeStatusError as err:
            if not err.absent:
                raise

    def hold(self, unit: UnitId, message: str) -> None:
        """Suspend a unit by hand: no run touches it until `release`. `message` says who, when and why.

        Raises:
            ClusterError: there is no record of the unit, or the server refused.
        """
        self._touch(unit, hand.hold_patch(message))

    def release(self, unit: UnitId) -> None:
        """End a suspension by hand; fine when there is none. Raises as `hold`."""
        self._touch(unit, hand.release_patch())

    def request(self, unit: UnitId, at: str) -> None:
        """Ask the watcher for a reconciliation; `at` is RFC 3339 and differs each time. Raises as `hold`."""
        self._touch(unit, hand.note_patch(hand.REQUESTED, at))

    def handle(self, unit: UnitId, at: str) -> None:
        """Note that the request `at` was answered. Raises as `hold`."""
        self._touch(unit, hand.note_patch(hand.HANDLED, at))

    def holds(self) -> frozenset[UnitId]:
        """The units of this stack that are suspended by hand. Raises ClusterError."""
        selector = f"{STACK}={label_value(self._stack)},{hand.HELD}"
        found = set()
        for item in list_objects(self._kube, CONFIG_MAPS, self._namespace, selector):
            try:
                record = stored_of(item).record
                found |= {record.id} if record.held and record.stack == self._stack else set()
            except ClusterError:
                # a Kustomization reports its damaged record itself; others would move on
                labels = item["metadata"]["labels"]
                unit = UnitId(*(labels.get(key, "") for key in (UNIT_KIND, UNIT_NAMESPACE, UNIT_NAME)))
                found |= set() if unit.kind == "Kustomization" else {unit}
        return frozenset(found)

    def of_others(self) -> Mapping[UnitId, UnitRecord]:
        """The records of sources and images that other stacks keep here. Raises ClusterError."""
        selector = f"{UNIT_KIND},{UNIT_KIND}!=Kustomization,{STACK}!={label_value(self._stack)}"
        found = {}
        for item in list_objects(self._kube, CONFIG_MAPS, self._namespace, selector):
            with contextlib.suppress(ClusterError):
                record = stored_of(item).record
                found[record.id] = record
        return found

    def ensure_namespace(self) -> None:
        """Make the record namespace when it is missing. Raises ClusterError."""
        body = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": self._namespace}}
        self._kube.request("PATCH", f"/api/v1/namespaces/{self._namespace}", _QUERY, body, APPLY)

    def _put(self, unit: UnitId, body: dict[str, Any], *, fresh: bool) -> str:
        if fresh:
            with contextlib.suppress(KubeStatusError):
                if self._kube.request("GET", self._path(unit)):
                    raise self._overtaken(unit)
        answer = self._kube.request("PATCH", self._path(unit), _QUERY, body, APPLY)
        return _version(answer)

    def _touch(self, unit: UnitId, patch: dict[str, Any]) -> None:
        try:
            self._kube.request("PATCH", self._path(unit), hand.QUERY, patch, hand.MERGE)
        except KubeStatusError as err:
            if not (err.absent or err.missing_namespace):
                raise
            hint = "it was never reconciled; until then only spec.suspend in Git keeps it still"
            raise ClusterError(f"{unit}: found no record in namespace {self._namespace}", hint=hint) from err

    def _touched(self, unit: UnitId, expected: str, wanted: str, err: KubeStatusError) -> Stored:
        """A record that says what it said at `expected`, or what is `wanted`. Raises ClusterError for another."""
        now = self.load(unit)
        if now is None or now.version.partition("/")[2] not in (expected.partition("/")[2], wanted):
            raise self._overtaken(unit) from err
        return now

    def _overtaken(self, unit: UnitId) -> ClusterError:
        other = ""
        with contextlib.suppress(ClusterError):
            stored = self.load(unit)
            if stored and stored.running:
                other = (
                    f": {stored.running.holder}, started {stored.running.started}, {stored.running.revision}"
                )
        return ClusterError(
            f"{unit}: another run wrote its record meanwhile{other}",
            hint="wait for it to end, then run again",
        )

    def _path(self, unit: UnitId) -> str:
        return CONFIG_MAPS.path(self._namespace, record_name(unit))

    def _body(self, record: UnitRecord, running: Running | None) -> dict[str, Any]:
        name = record_name(record.id)
        kinds = sorted({f"{item.kind}.{item.group}".rstrip(".") for item, _ in record.inventory})
        spaces = sorted(
            {item.namespace for item, _ in record.inventory if item.namespace} - {self._namespace}
        )
        annotations = {
            "applyset.kubernetes.io/tooling": "weir/v1",
            "applyset.kubernetes.io/contains-group-kinds": ",".join(kinds),
            "applyset.kubernetes.io/additional-namespaces": ",".join(spaces),
        }
        labels = {
            "applyset.kubernetes.io/id": applyset_id(name, self._namespace),
            STACK: label_value(record.stack),
            UNIT_KIND: label_value(record.id.kind),
            UNIT_NAMESPACE: label_value(record.id.namespace),
            UNIT_NAME: label_value(record.id.name),
        }
        mark = (
            {"holder": running.holder, "started": running.started, "revision": running.revision}
            if running
            else None
        )
        data, binary = record_codec.encode(record, mark)
        return {
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "metadata": {
                "name": name,
                "namespace": self._namespace,
                "labels": labels,
                "annotations": annotations,
            },
            "data": data,
            **({"binaryData": binary} if binary else {}),
        }


def stored_of(obj: dict[str, Any]) -> Stored:
    """The record in a ConfigMap as a LIST or WATCH gives it. Raises ClusterError when it is damaged."""
    record, mark = record_codec.decode(obj)
    running = Running(**mark) if mark else None
    said = hand.read_hand(obj)
    if said.held:
        record = replace(record, suspended=True, held=said.held)
    return Stored(
        record=record,
        version=_version(obj),
        running=running,
        requested=said.requested,
        handled=said.handled,
    )


def _version(obj: dict[str, Any]) -> str:
    return f"{obj['metadata']['resourceVersion']}/{_content(obj)}"


def _content(obj: dict[str, Any]) -> str:
    """A digest of what a record says."""
    said = orjson.dumps([obj.get("data"), obj.get("binaryData")], option=orjson.OPT_SORT_KEYS)
    return hashlib.sha256(said).hexdigest()[:32]


def record_name(unit: UnitId) -> str:
    """The name of a unit's ConfigMap: its key, or its start and a hash when that is too long for a name."""
    key = unit.key
    if len(key) <= _LONGEST_NAME:
        return key
    return f"{key[:200].rstrip('.-')}-{hashlib.sha256(key.encode()).hexdigest()[:32]}"


def label_value(text: str) -> str:
    """The text when it can be a label's value, else its start and a hash."""
    if len(text) <= _LONGEST_LABEL and re.fullmatch(r"([A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?)?", text):
        return text
    start = re.sub(r"[^A-Za-z0-9_.-]", "-", text)[:40].strip("-_.")
    return f"{start}-{hashlib.sha256(text.encode()).hexdigest()[:16]}".lstrip("-")


def applyset_id(name: str, namespace: str) -> str:
    """`applyset-<base64 of sha256 of name.namespace.kind.group>-v1` (KEP-3659)."""
    digest = hashlib.sha256(f"{name}.{namespace}.ConfigMap.".encode()).digest()
    return f"applyset-{base64.urlsafe_b64encode(digest).rstrip(b'=').decode()}-v1"
