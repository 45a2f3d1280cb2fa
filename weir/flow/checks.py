"""Which objects' health counts for a unit, and what it is."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Final

from weir.edges.kube.client import Kube
from weir.edges.kube.discovery import Discovery, Resource
from weir.edges.kube.reading import read_live
from weir.edges.kube.watching import Judgement, wait_ready
from weir.flow.decisions import Work
from weir.objects.health import Health, health
from weir.spec.changes import Action
from weir.spec.errors import ClusterError, HealthError, SpecError
from weir.spec.identity import ObjectId
from weir.spec.kustomization import KIND, KustomizationSpec

Obj = dict[str, Any]

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
        group, slash, version = check.api_version.rpartition("/")
        if check.kind == KIND and (check.namespace, check.name) == (spec.id.namespace, spec.id.name):
            continue
        resource = discovery.any_version(group if slash else "", check.kind, version)
        space = check.namespace if resource.namespaced else ""
        found[ObjectId(resource.group, check.kind, space, check.name)] = resource
    return found


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


def present_health(kube: Kube, discovery: Discovery, spec: KustomizationSpec, works: Sequence[Work]) -> str:
    """Why objects that an apply would leave alone are not healthy now; empty when they are or nothing is checked."""
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
        return _sentence({item: rule(item, live.get(item)) for item in wanted if item not in writing})
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
    stop: threading.Event,
    progress: Callable[[str], None],
) -> None:
    """Wait until everything that counts is Current, within spec.timeout; the first failed object ends the wait.

    Raises:
        HealthError: names the objects that failed or were not ready in time, and why.
        ClusterError: the server cannot be read.
        StopRequested: the run was cancelled.
    """
    kube, discovery, spec = request
    wanted = checked(spec, discovery, works)
    if not wanted:
        return
    began = time.monotonic()
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

    verdicts = wait_ready(kube, wanted, rules(spec, works), timeout=spec.timeout, stop=stop, on_progress=tell)
    text = _sentence(verdicts)
    if text:
        failed = any(verdict.status == "Failed" for verdict in verdicts.values())
        when = "" if failed else f" after {time.monotonic() - began:.0f} s (spec.timeout)"
        raise HealthError(
            f"{spec.id}: health check failed{when}: {text}", hint="see the events of these objects"
        )


def _sentence(verdicts: Mapping[ObjectId, Judgement]) -> str:
    """The failed objects, else those in progress; empty when all are Current."""
    for statuses in (("Failed",), ("InProgress", "NotFound")):
        bad = [(item, verdict) for item, verdict in verdicts.items() if verdict.status in statuses]
        if bad:
            names = "; ".join(f"{item}: {verdict.message}" for item, verdict in bad[:_LISTED])
            return names if len(bad) <= _LISTED else f"{names}; and {len(bad) - _LISTED} more"
    return ""
