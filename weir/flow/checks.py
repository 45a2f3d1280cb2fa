"""Which objects' health counts for a unit, and what it is.

Units are no objects of the cluster: one in `healthChecks` of a kind that Weir acts on is judged by its record, by the
rule for such objects over the status that Flux would write. Without a record an object of that name counts.
"""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from functools import partial
from typing import Any, Final

import orjson

from weir.edges.kube.client import Kube
from weir.edges.kube.discovery import Discovery, Resource
from weir.edges.kube.errors import UnknownKindError
from weir.edges.kube.reading import read_live
from weir.edges.kube.watching import Judgement, wait_ready
from weir.flow.decisions import Work
from weir.flow.dependencies import flux_status
from weir.objects.health import Health, health
from weir.spec.changes import Action
from weir.spec.errors import ClusterError, HealthError, SpecError, StopRequested
from weir.spec.header import FLUX_KINDS
from weir.spec.identity import ObjectId, UnitId
from weir.spec.kinds import IMAGE_AUTOMATION, IMAGE_POLICY
from weir.spec.kustomization import KIND, HealthCheck, KustomizationSpec
from weir.spec.record import UnitRecord

Obj = dict[str, Any]
ReadUnit = Callable[[UnitId], UnitRecord | None]
"""The record of a unit, None when there is none, or it is not to be seen. Raises ClusterError."""

_UNITS: Final = frozenset(
    (group, kind)
    for group, known in FLUX_KINDS.items()
    for kind in known
    if kind in (KIND, "GitRepository", IMAGE_POLICY, IMAGE_AUTOMATION)
)
"""Kinds that records are kept of."""
_LOOK_SECONDS: Final = 1.0
_LISTED: Final = 5
_WITHOUT_STATUS: Final = frozenset(
    {
        ("", "ConfigMap"),
        ("", "Secret"),
        ("", "ServiceAccount"),
        ("", "LimitRange"),
        ("rbac.authorization.k8s.io", "Role"),
        ("rbac.authorization.k8s.io", "RoleBinding"),
        ("rbac.authorization.k8s.io", "ClusterRole"),
        ("rbac.authorization.k8s.io", "ClusterRoleBinding"),
        ("networking.k8s.io", "NetworkPolicy"),
        ("networking.k8s.io", "IngressClass"),
        ("scheduling.k8s.io", "PriorityClass"),
        ("storage.k8s.io", "StorageClass"),
        ("node.k8s.io", "RuntimeClass"),
    }
)
"""Kinds that are as they should be once they are stored."""


def checked(spec: KustomizationSpec, discovery: Discovery, works: Iterable[Work]) -> dict[ObjectId, Resource]:
    """The objects whose health counts: all that were not skipped with `wait`, else those of `healthChecks`.

    Units are left out, see `checked_units`.

    Raises:
        ClusterError: the API of a health check is not served.
    """
    if spec.wait:
        return {
            work.id: work.resource
            for work in works
            if work.action is not Action.SKIP and tells_health(spec, work.id)
        }
    found: dict[ObjectId, Resource] = {}
    for check in spec.health_checks:
        group, version = _group_version(check)
        if _is_itself(spec, check) or _is_unit(spec, check):
            continue
        resource = discovery.any_version(group, check.kind, version)
        space = check.namespace if resource.namespaced else ""
        found[ObjectId(resource.group, check.kind, space, check.name)] = resource
    return found


def checked_units(spec: KustomizationSpec) -> dict[ObjectId, UnitId]:
    """The units among `healthChecks`, as objects; none for a unit on another cluster, which looks there, as in Flux."""
    if spec.wait:
        return {}
    return {
        ObjectId(_group_version(check)[0], check.kind, check.namespace, check.name): UnitId(
            check.kind, check.namespace, check.name
        )
        for check in spec.health_checks
        if _is_unit(spec, check) and not _is_itself(spec, check)
    }


def _group_version(check: HealthCheck) -> tuple[str, str]:
    group, slash, version = check.api_version.rpartition("/")
    return group if slash else "", version


def _is_itself(spec: KustomizationSpec, check: HealthCheck) -> bool:
    return check.kind == KIND and (check.namespace, check.name) == (spec.id.namespace, spec.id.name)


def _is_unit(spec: KustomizationSpec, check: HealthCheck) -> bool:
    return (_group_version(check)[0], check.kind) in _UNITS and not spec.kube_config_secret


def _unit_object(kube: Kube, discovery: Discovery, item: ObjectId, record: UnitRecord | None) -> Obj | None:
    """A unit as Flux would show it; without a record, what the cluster holds of that name."""
    if record is not None:
        meta = {"name": item.name, "namespace": item.namespace}
        shown = {"apiVersion": f"{item.group}/v1", "kind": item.kind, "metadata": meta}
        return {**shown, **orjson.loads(record.document or "{}"), "status": flux_status(record)}
    try:
        resource = discovery.any_version(item.group, item.kind)
    except UnknownKindError:
        return None
    return read_live(kube, {item: resource}).get(item)


def tells_health(spec: KustomizationSpec, item: ObjectId) -> bool:
    """Whether there is more to an object's health than that it is stored."""
    return (item.group, item.kind) not in _WITHOUT_STATUS or any(
        expr.api_version.rpartition("/")[0] == item.group and expr.kind in ("", item.kind)
        for expr in spec.health_exprs
    )


def is_checked(spec: KustomizationSpec, item: ObjectId) -> bool:
    """Whether an apply of the unit succeeds only once this object of it is healthy."""
    checks = spec.health_checks
    return spec.wait or any(
        (check.api_version.rpartition("/")[0], check.kind, check.namespace, check.name)
        == (item.group, item.kind, item.namespace or check.namespace, item.name)
        for check in checks
    )


def present_health(
    request: tuple[Kube, Discovery, KustomizationSpec], works: Sequence[Work], read_unit: ReadUnit
) -> str:
    """Why objects that an apply would leave alone are not healthy now; empty when they are or nothing is checked."""
    kube, discovery, spec = request
    if not spec.wait and not spec.health_checks:
        return ""
    try:
        wanted = checked(spec, discovery, works)
        live = {work.id: work.live for work in works if work.live is not None}
        if not spec.wait:
            live = {
                **read_live(kube, {item: res for item, res in wanted.items() if item not in live}),
                **live,
            }
        writing = {work.id for work in works if work.action not in (Action.UNCHANGED, Action.SKIP)}
        rule = rules(spec, works)
        verdicts = {item: rule(item, live.get(item)) for item in wanted if item not in writing}
        return _sentence({**verdicts, **_judge_units(request, rule, read_unit)})
    except (ClusterError, SpecError) as err:
        # an expression that fails on what is live keeps nothing from being applied
        return str(err)


def passes(desired: Obj) -> bool:
    """Whether an object is there for a while only: a Job that the cluster removes once it has finished."""
    ttl = (desired.get("spec") or {}).get("ttlSecondsAfterFinished")
    return (ObjectId.of(desired).group, desired.get("kind")) == ("batch", "Job") and ttl is not None


def rules(spec: KustomizationSpec, works: Iterable[Work]) -> Callable[[ObjectId, Obj | None], Health]:
    """The health rule of a unit. A Job that vanishes by its own time to live counts as done, as in Flux."""
    passing = {work.id for work in works if passes(work.desired)}

    def judge(item: ObjectId, live: Obj | None) -> Health:
        if live is None and item in passing:
            return Health("Current", "finished and cleaned up")
        return health(live, spec.health_exprs, now=datetime.now(UTC))

    return judge


def await_health(
    request: tuple[Kube, Discovery, KustomizationSpec],
    works: Sequence[Work],
    read_unit: ReadUnit,
    stop: threading.Event,
    progress: Callable[[str], None],
) -> None:
    """Wait until everything that counts is Current, within spec.timeout; the first failed object ends the wait.

    Units come last: another one of the same run may start after this one, and its record is read until it is ready.

    Raises:
        HealthError: names the objects that failed or were not ready in time, and why.
        ClusterError: the server cannot be read.
        StopRequested: the run was cancelled.
    """
    kube, discovery, spec = request
    wanted = checked(spec, discovery, works)
    began = time.monotonic()
    tell = _teller(progress)
    rule = rules(spec, works)
    verdicts: Mapping[ObjectId, Judgement] = {}
    if wanted:
        verdicts = wait_ready(kube, wanted, rule, timeout=spec.timeout, stop=stop, on_progress=tell)
    if not _sentence(verdicts) and checked_units(spec):
        looks = partial(_judge_units, request, rule, read_unit)
        verdicts = _await_units(looks, began + spec.timeout, stop, tell)
    text = _sentence(verdicts)
    if text:
        failed = any(verdict.status == "Failed" for verdict in verdicts.values())
        when = "" if failed else f" after {time.monotonic() - began:.0f} s (spec.timeout)"
        raise HealthError(
            f"{spec.id}: health check failed{when}: {text}", hint="see the events of these objects"
        )


def _teller(progress: Callable[[str], None]) -> Callable[[Mapping[ObjectId, Judgement]], None]:
    """Says how far a wait has come, at most once a second."""
    shown = [0.0]

    def tell(verdicts: Mapping[ObjectId, Judgement]) -> None:
        if time.monotonic() - shown[0] < 1.0:
            return
        shown[0] = time.monotonic()
        left = [item for item, verdict in verdicts.items() if verdict.status != "Current"]
        with contextlib.suppress(IndexError):
            first = left[0]
            progress(
                f"{len(verdicts) - len(left)} of {len(verdicts)} ready, {first}: {verdicts[first].message}"
            )

    return tell


def _judge_units(
    request: tuple[Kube, Discovery, KustomizationSpec],
    rule: Callable[[ObjectId, Obj | None], Health],
    read_unit: ReadUnit,
) -> dict[ObjectId, Health]:
    """The health of the units that count. Raises ClusterError."""
    kube, discovery, spec = request
    return {
        item: rule(item, _unit_object(kube, discovery, item, read_unit(unit)))
        for item, unit in checked_units(spec).items()
    }


def _await_units(
    look: Callable[[], Mapping[ObjectId, Health]],
    deadline: float,
    stop: threading.Event,
    tell: Callable[[Mapping[ObjectId, Health]], None],
) -> Mapping[ObjectId, Health]:
    """The last look at units: when all are ready, one failed, or time is up. Raises as `await_health`."""
    verdicts = look()
    while {verdict.status for verdict in verdicts.values()} & {"InProgress", "NotFound"}:
        failed = any(verdict.status == "Failed" for verdict in verdicts.values())
        if failed or time.monotonic() >= deadline:
            break
        tell(verdicts)
        if stop.wait(_LOOK_SECONDS):
            raise StopRequested(
                "the run was cancelled while it waited for health", hint="run again to finish"
            )
        with contextlib.suppress(ClusterError):
            verdicts = look()
    return verdicts


def _sentence(verdicts: Mapping[ObjectId, Judgement]) -> str:
    """The failed objects, else those in progress; empty when all are Current."""
    for statuses in (("Failed",), ("InProgress", "NotFound")):
        bad = [(item, verdict) for item, verdict in verdicts.items() if verdict.status in statuses]
        if bad:
            names = "; ".join(f"{item}: {verdict.message}" for item, verdict in bad[:_LISTED])
            return names if len(bad) <= _LISTED else f"{names}; and {len(bad) - _LISTED} more"
    return ""
