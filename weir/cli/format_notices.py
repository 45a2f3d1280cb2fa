"""Alerts, Providers and Receivers in the columns of `flux get`, and as plain values."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from weir.cli.format_status import format_table

if TYPE_CHECKING:
    from weir.flow.notice_status import NoticeStatus


def format_notices(
    found: Sequence[NoticeStatus], *, all_namespaces: bool = False, header: bool = True, wide: bool = False
) -> str:
    """`NAME SUSPENDED READY MESSAGE`, of Providers without SUSPENDED unless `wide`; NAMESPACE first when asked."""
    suspended = wide or any(one.id.kind != "Provider" for one in found)
    titles = ["NAMESPACE"] * all_namespaces + ["NAME"] + ["SUSPENDED"] * suspended + ["READY", "MESSAGE"]
    rows = [
        [one.id.namespace] * all_namespaces
        + [one.id.name]
        + [str(one.suspended)] * suspended
        + [str(one.ready), one.message]
        for one in found
    ]
    return format_table(titles if header else None, rows)


def notice_as_data(one: NoticeStatus) -> dict[str, Any]:
    """One as plain values."""
    return {
        "kind": one.id.kind,
        "namespace": one.id.namespace,
        "name": one.id.name,
        "suspended": one.suspended,
        "ready": str(one.ready),
        "message": one.message,
    }
