"""To whom an event goes, and with which metadata.

Rule: https://fluxcd.io/flux/components/notification/alerts/
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Final

from weir.spec.alert import ANY, AlertSpec, EventSource
from weir.spec.errors import SpecError
from weir.spec.event import ANNOTATION, Event, Severity
from weir.spec.go_regexp import Pattern
from weir.spec.identity import UnitId
from weir.spec.provider import ProviderSpec

SUMMARY: Final = "summary"
"""The metadata key of an alert's summary."""


def recipients(
    event: Event,
    labels: Mapping[str, str],
    alerts: Iterable[AlertSpec],
    providers: Mapping[UnitId, ProviderSpec],
) -> tuple[tuple[AlertSpec, ProviderSpec], ...]:
    """The alerts that an event with its unit's labels sets off, each with its provider.

    Alerts whose provider does not exist in their namespace or is suspended are left out.
    """
    found = ((alert, providers.get(alert.provider)) for alert in alerts if sets_off(alert, event, labels))
    return tuple((alert, provider) for alert, provider in found if provider and not provider.suspend)


def sets_off(alert: AlertSpec, event: Event, labels: Mapping[str, str]) -> bool:
    """Whether an event with its unit's labels sets off an alert. Exclusion beats inclusion."""
    if alert.suspend or (alert.severity is Severity.ERROR and event.severity is not Severity.ERROR):
        return False
    if not any(_is_meant(source, event.unit, labels) for source in alert.sources):
        return False
    if _fits(alert, "exclusionList", alert.exclusion_list, event.message):
        return False
    return not alert.inclusion_list or _fits(alert, "inclusionList", alert.inclusion_list, event.message)


def with_metadata(event: Event, alert: AlertSpec) -> Event:
    """The event as an alert tells it.

    Of two values for one key the later in this order counts: the annotations of the object, the alert's
    `eventMetadata`, its `summary`, and what the event itself says, such as its revision.
    """
    annotations = {
        key.removeprefix(ANNOTATION): text
        for key, text in event.metadata.items()
        if key.startswith(ANNOTATION)
    }
    own = {key: text for key, text in event.metadata.items() if not key.startswith(ANNOTATION)}
    summary = {SUMMARY: alert.summary} if alert.summary else {}
    return replace(event, metadata={**annotations, **alert.metadata, **summary, **own})


def _is_meant(source: EventSource, unit: UnitId, labels: Mapping[str, str]) -> bool:
    return (
        source.kind == unit.kind
        and source.namespace in (ANY, unit.namespace)
        and source.name in (ANY, unit.name)
        and source.labels.items() <= labels.items()
    )


def _fits(alert: AlertSpec, field: str, patterns: tuple[str, ...], message: str) -> bool:
    """Whether a message fits one of the patterns that can be read."""
    for text in patterns:
        with contextlib.suppress(SpecError):
            if Pattern.parse(text, alert.where, f"spec.{field}").matches(message):
                return True
    return False
