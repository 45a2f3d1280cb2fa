"""What `weir get` shows of units, as plain values for programs and as tables for people."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from weir.cli.format_age import moment
from weir.cli.format_status import format_units
from weir.spec.kinds import IMAGE_AUTOMATION, IMAGE_POLICY
from weir.spec.record import UnitRecord

if TYPE_CHECKING:
    from weir.flow.image_status import RepositoryStatus

_UNITS: Final = frozenset({"GitRepository", "Kustomization"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Columns:
    """What is shown of each row."""

    all_namespaces: bool = False
    with_kind: bool = False
    show_source: bool = False
    header: bool = True
    wide: bool = False


def format_found(
    records: Sequence[UnitRecord], repositories: Sequence[RepositoryStatus], columns: Columns, now: float
) -> list[str]:
    """One table for units and one for each kind of image object; empty ones are left out. `now` in epoch seconds."""
    units = [record for record in records if record.id.kind in _UNITS]
    shown: dict[str, Any] = {"all_namespaces": columns.all_namespaces, "header": columns.header}
    tables = []
    if units:
        wide = now if columns.wide else None
        source = columns.show_source or columns.wide
        tables.append(
            format_units(units, with_kind=columns.with_kind, show_source=source, wide_at=wide, **shown)
        )
    if repositories or len(units) < len(records):
        # imported late: most stacks have none
        from weir.cli import format_images

        named = {"with_kind": columns.with_kind, **shown}
        policies = [record for record in records if record.id.kind == IMAGE_POLICY]
        automations = [record for record in records if record.id.kind == IMAGE_AUTOMATION]
        tables.append(format_images.format_repositories(repositories, now, **named))
        tables.append(format_images.format_policy_records(policies, **named))
        tables.append(format_images.format_automation_records(automations, now, **named))
    return [table for table in tables if table]


def record_as_data(record: UnitRecord) -> dict[str, Any]:
    """A unit as plain values; times are RFC 3339, empty where there are none; `held`: who suspended it by hand."""
    ready = record.ready
    return {
        "kind": record.id.kind,
        "namespace": record.id.namespace,
        "name": record.id.name,
        "source": record.source,
        "revision": record.revision,
        "attempted": record.attempted,
        "suspended": record.suspended,
        "held": record.held,
        "ready": ready.status if ready else "Unknown",
        "reason": ready.reason if ready else "",
        "message": ready.message if ready else "",
        "since": ready.at if ready else "",
        "objects": [str(item) for item, _ in record.inventory],
        "history": [
            {
                "revision": entry.revision,
                "status": entry.status,
                "count": entry.count,
                "started": entry.started,
                "seconds": entry.duration,
            }
            for entry in record.history
        ],
    }


def repository_as_data(status: RepositoryStatus) -> dict[str, Any]:
    """An image repository as plain values; `scanned` in RFC 3339, null before the first scan."""
    return {
        "kind": status.id.kind,
        "namespace": status.id.namespace,
        "name": status.id.name,
        "image": status.image,
        "suspended": status.suspended,
        "scanned": None if status.scanned is None else moment(status.scanned),
        "tags": status.tags,
        "ready": "False" if status.error else "True",
        "message": status.error,
    }
