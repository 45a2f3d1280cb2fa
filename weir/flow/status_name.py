"""The name of a commit status by a Provider's `commitStatusExpr`. Imported late: CEL takes long to load."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from weir.notify.event_json import event_json
from weir.notify.uid import uid
from weir.objects.cel import compile_check, text
from weir.spec.alert import AlertSpec
from weir.spec.errors import SpecError
from weir.spec.event import Event
from weir.spec.identity import UnitId
from weir.spec.provider import ProviderSpec

_VARIABLES: Final = ("event", "provider", "alert")


def check_status_name(provider: ProviderSpec) -> None:
    """Refuse an expression that has no text for any event.

    Raises:
        SpecError: names the Provider and what is wrong with the expression.
    """
    if not provider.commit_status_expr:
        return
    try:
        compile_check(provider.commit_status_expr, _VARIABLES)
    except SpecError as err:
        raise _refused(provider, err) from err


def status_name(
    provider: ProviderSpec, alert: AlertSpec, event: Event, documents: Mapping[UnitId, Mapping[str, Any]]
) -> str:
    """What the expression gives for an event that has the alert's metadata.

    Rule: https://fluxcd.io/flux/components/notification/providers/#custom-commit-status-messages: it may read `event`,
    `provider` and `alert`, both as they are written, with a `metadata.uid` that stays.

    Raises:
        SpecError: names the Provider and what is wrong with the expression.
    """
    known = (
        event_json(event),
        _object(provider.id, event.stack, documents),
        _object(alert.id, event.stack, documents),
    )
    try:
        return text(provider.commit_status_expr, dict(zip(_VARIABLES, known, strict=True)))
    except SpecError as err:
        raise _refused(provider, err) from err


def _refused(provider: ProviderSpec, err: SpecError) -> SpecError:
    return SpecError(f"{provider.where}: spec.commitStatusExpr: {err.message}", hint=err.hint)


def _object(unit: UnitId, stack: str, documents: Mapping[UnitId, Mapping[str, Any]]) -> dict[str, Any]:
    """A document as a cluster gives it back."""
    written = documents.get(unit, {})
    metadata = {**written.get("metadata", {}), "name": unit.name, "namespace": unit.namespace}
    return {**written, "kind": unit.kind, "metadata": {**metadata, "uid": uid(unit, stack)}}
