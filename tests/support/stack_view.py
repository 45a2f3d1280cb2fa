"""A stack as its watcher would show it, with one unit in every state."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import Final

from weir.flow.reporting import SUCCEEDED
from weir.flow.resolved_record import latest_image
from weir.spec.changes import Action, ChangeSet, FieldChange, ObjectChange
from weir.spec.event import Event, Severity
from weir.spec.identity import ObjectId, UnitId
from weir.spec.record import Condition, HistoryEntry, UnitRecord
from weir.watch.view import Finding, Known, ObjectNote, StackView, Watched, view_of

NOW: Final = 1_800_000_000.0
FLEET: Final = UnitId("GitRepository", "flux-system", "fleet")
INFRA: Final = UnitId("Kustomization", "flux-system", "infrastructure")
SHOP: Final = UnitId("Kustomization", "shop", "storefront")
PAY: Final = UnitId("Kustomization", "shop", "payments")
SEARCH: Final = UnitId("Kustomization", "shop", "search")
LEGACY: Final = UnitId("Kustomization", "legacy", "reports")
FRESH: Final = UnitId("Kustomization", "shop", "reviews")
POLICY: Final = UnitId("ImagePolicy", "flux-system", "storefront")
AUTOMATION: Final = UnitId("ImageUpdateAutomation", "flux-system", "fleet")
OLD: Final = "main@sha1:4c1a9f3e" + "0" * 32
NEW: Final = "main@sha1:9be27d01" + "1" * 32
IMAGE: Final = "ghcr.io/example/storefront:2.14.1"
DRIFTED: Final = ObjectId("apps", "Deployment", "shop", "payments-worker")


def at(seconds_ago: float) -> str:
    """RFC 3339 of a moment before NOW."""
    return datetime.fromtimestamp(NOW - seconds_ago, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def ready(
    message: str, status: str = "True", reason: str = "ReconciliationSucceeded", ago: float = 600
) -> Condition:
    """A Ready condition."""
    return Condition(status=status, reason=reason, message=message, at=at(ago))


def record(unit: UnitId, condition: Condition | None, **facts: object) -> UnitRecord:
    """The record of a unit that was applied at NEW, unless `facts` say otherwise."""
    given: dict[str, object] = {"source": str(FLEET), "revision": NEW, "attempted": NEW, **facts}
    return UnitRecord(id=unit, stack="production", ready=condition, **given)  # type: ignore[arg-type]


def objects(namespace: str, *names: str) -> tuple[tuple[ObjectId, str], ...]:
    """A Deployment, a Service and a ConfigMap of each name."""
    found: list[tuple[ObjectId, str]] = [(ObjectId("", "Namespace", "", namespace), "v1")]
    for name in names:
        found.append((ObjectId("", "ConfigMap", namespace, f"{name}-settings"), "v1"))
        found.append((ObjectId("", "Service", namespace, name), "v1"))
        found.append((ObjectId("apps", "Deployment", namespace, name), "v1"))
    return tuple(found)


def history(*entries: tuple[str, str, float, int, float]) -> tuple[HistoryEntry, ...]:
    """(revision, status, seconds ago, count, duration) each."""
    return tuple(
        HistoryEntry(
            revision=revision, digest="sha256:1", status=status, count=count, started=at(ago), duration=took
        )
        for revision, status, ago, count, took in entries
    )


REFUSED: Final = (
    'Deployment/shop/payments: admission webhook "policy.example.com" denied the request: unsigned image'
)
TIMEOUT: Final = (
    "Deployment/shop/search is not ready: 1 of 3 replicas are updated; container search: CrashLoopBackOff"
)


def records() -> tuple[UnitRecord, ...]:
    """One record per unit; FRESH has none."""
    applied = ready(f"Applied revision: {NEW}")
    unhealthy = ready(TIMEOUT, "False", "HealthCheckFailed", 240)
    chosen = ready(latest_image(IMAGE), reason="Succeeded")
    past = history((NEW, SUCCEEDED, 600, 3, 1.42), (OLD, SUCCEEDED, 86_000, 12, 0.9))
    return (
        record(FLEET, ready(f"stored artifact for revision '{NEW}'", reason="Succeeded"), source=""),
        record(INFRA, applied, inventory=objects("ingress", "controller", "certificates"), history=past),
        record(SHOP, applied, inventory=objects("shop", "storefront", "assets")),
        _payments(),
        record(SEARCH, unhealthy, inventory=objects("shop", "search")),
        record(
            LEGACY,
            ready(f"Applied revision: {OLD}", ago=900_000),
            revision=OLD,
            attempted=OLD,
            suspended=True,
            held="ada at 2027-01-15T07:00:00Z: end of year",
            inventory=objects("legacy", "reports"),
        ),
        record(
            POLICY, chosen, revision=IMAGE, attempted=IMAGE, source="ImageRepository/flux-system/storefront"
        ),
        record(AUTOMATION, ready(f"pushed commit {NEW}", reason="Succeeded")),
    )


def _payments() -> UnitRecord:
    return record(
        PAY,
        ready(REFUSED, "False", "ReconciliationFailed", 95),
        revision=OLD,
        inventory=objects("shop", "payments", "payments-worker", "ledger"),
        history=history(
            (NEW, "ReconciliationFailed", 95, 2, 0.61),
            (OLD, SUCCEEDED, 4_000, 1, 2.35),
            (OLD, "HealthCheckFailed", 4_500, 1, 120.2),
        ),
    )


def watched() -> dict[UnitId, Watched]:
    """What a loop would know: everything looked at twelve seconds ago."""
    each = Watched(interval=60.0, checked=NOW - 12, due=NOW + 18, wanted=NEW)
    image = Watched(interval=300.0, checked=NOW - 80, due=NOW + 200)
    search = ObjectId("apps", "Deployment", "shop", "search")
    failed = ObjectNote(Finding.FAILED, "1 of 3 replicas are updated")
    drifted = ObjectNote(Finding.DRIFTED, "spec.replicas: 2 -> 5, changed by kubectl-scale")
    return {
        FLEET: each,
        INFRA: each,
        POLICY: image,
        AUTOMATION: image,
        SHOP: replace(each, dependencies=(INFRA,)),
        PAY: replace(each, behind=True, dependencies=(INFRA, SHOP), notes={DRIFTED: (drifted,)}),
        SEARCH: replace(each, dependencies=(INFRA,), notes={search: (failed,)}),
        LEGACY: Watched(interval=600.0, checked=NOW - 12),
        FRESH: replace(each, due=NOW + 2, dependencies=(SHOP,)),
    }


def plan(unit: UnitId) -> ChangeSet | None:
    """What a run would change in PAY; nobody can plan SEARCH."""
    if unit != PAY:
        return None
    image = "spec.template.spec.containers[0].image"
    fields = (
        FieldChange("spec.replicas", "2", "3"),
        FieldChange(image, "ghcr.io/example/pay:4.1.0", "ghcr.io/example/pay:4.2.0"),
    )
    deployment = ObjectId("apps", "Deployment", "shop", "payments")
    budget = ObjectId("policy", "PodDisruptionBudget", "shop", "payments")
    changes = (ObjectChange(deployment, Action.CONFIGURE, fields), ObjectChange(budget, Action.CREATE))
    return ChangeSet(changes=changes, unchanged=9)


def events() -> tuple[Event, ...]:
    """A few, the latest first."""
    told = (
        (
            PAY,
            Severity.ERROR,
            "ReconciliationFailed",
            "Deployment/shop/payments: admission webhook denied the request",
            95,
        ),
        (PAY, Severity.INFO, "DriftCorrected", "Deployment/shop/payments-worker: spec.replicas: 5 -> 2", 130),
        (SEARCH, Severity.ERROR, "HealthCheckFailed", "Deployment/shop/search is not ready", 240),
        (
            INFRA,
            Severity.INFO,
            "ReconciliationSucceeded",
            "Deployment/ingress/controller configured\nService/ingress/controller created",
            600,
        ),
        (FLEET, Severity.INFO, "NewArtifact", "stored artifact for commit 'Sign every image'", 610),
    )
    return tuple(
        Event(unit=unit, severity=severity, reason=reason, message=message, at=at(ago), stack="production")
        for unit, severity, reason, message, ago in told
    )


def viewed(*units: UnitRecord, each: Watched) -> StackView:
    """A stack of these units, read at NOW, of which the same is known."""
    known = Known(stack="production", leader="", at=NOW, records=units)
    return view_of(known, {unit.id: each for unit in units}, NOW)


def sample() -> StackView:
    """The whole stack, as of NOW."""
    known = Known(stack="production", leader="weir-0", at=NOW - 12, records=records())
    return view_of(known, watched(), NOW)
