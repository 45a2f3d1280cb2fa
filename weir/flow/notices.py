"""The Alerts, Providers and Receivers of a stack: where a run leaves them, for whoever delivers or listens later.

They hold references to Secrets and no Secret. A stack without any pays two looks for what is not there.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote

from weir.edges.folders import cache_root, private_folder, write_whole
from weir.spec.errors import SpecError
from weir.spec.identity import UnitId

if TYPE_CHECKING:
    from weir.edges.runs import Run
    from weir.spec.alert import AlertSpec
    from weir.spec.documents import Document
    from weir.spec.provider import ProviderSpec

WATCHED: Final = "WEIR_WATCHED"
"""Environment variable of runs that a watcher starts: it delivers what they tell, and they need not wait for that."""
_FILE: Final = "notices.json"
_NEVER_SENT_TO: Final = "nats"
"""Flux's type that is not there: nothing waits for such a Provider, for it will never be read."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Notices:
    """What events are matched with."""

    alerts: tuple[AlertSpec, ...]
    providers: Mapping[UnitId, ProviderSpec]
    documents: Mapping[UnitId, Mapping[str, Any]]
    """What is written of each of them, as it stands."""
    problems: tuple[str, ...]
    """What is wrong with the others, one sentence each."""
    unreadable: Mapping[UnitId, str]
    """Alerts and Providers that are there and cannot be read, and why: what is for them waits until they can be."""


def outbox_folder(stack: str) -> Path:
    """Where the notifications of a stack wait, and what they are matched with is kept."""
    return cache_root() / "outbox" / quote(stack, safe="")


def announce(run: Run, documents: Iterable[Document]) -> None:
    """Leave what a look ahead met so far in the run's folder, so that events are kept from the first one on."""
    run.write_json(_FILE, [[one.file, one.index, one.data] for one in documents])


def wanted(run: Run, stack: str) -> bool:
    """Whether there is anybody that events may be for, in this run or since an earlier one."""
    return (run.root / _FILE).exists() or kept(stack)


def kept(stack: str) -> bool:
    """Whether an earlier run of the stack left any, or notifications that wait for one that is gone."""
    folder = outbox_folder(stack)
    if not folder.exists():
        return False
    if (folder / _FILE).exists():
        return True
    from weir.edges.outbox import Outbox

    return len(Outbox(folder)) > 0


def keep(run: Run, stack: str, *, whole: bool) -> None:
    """Keep what a look ahead met for the deliverer; of an incomplete tree, also what was there before.

    Raises:
        OSError: they cannot be written.
    """
    payload, path = run.read(_FILE), outbox_folder(stack) / _FILE
    if payload is None:
        if whole:
            path.unlink(missing_ok=True)
        return
    if not whole and path.exists():
        found = {_name(row[2]): row for row in (*_rows(path.read_bytes()), *_rows(payload))}
        payload = json.dumps(list(found.values())).encode()
    if not path.exists() or path.read_bytes() != payload:
        private_folder(path.parent)
        write_whole(path, payload)


def read_kept(stack: str) -> Notices:
    """What was kept last. Unreadable files are as none."""
    try:
        return _parse(_documents((outbox_folder(stack) / _FILE).read_bytes()))
    except OSError:
        return Notices(alerts=(), providers={}, documents={}, problems=(), unreadable={})


def read_announced(run: Run) -> Notices:
    """What the look ahead of a run met."""
    return _parse(_documents(run.read(_FILE) or b"[]"))


def _rows(payload: bytes) -> list[list[object]]:
    try:
        found: list[list[object]] = json.loads(payload)
    except ValueError:
        return []
    return found


def _name(data: object) -> str:
    meta = data.get("metadata") if isinstance(data, dict) else None
    return json.dumps([data.get("kind") if isinstance(data, dict) else "", meta])


def _documents(payload: bytes) -> list[Document]:
    from weir.spec.documents import Document

    return [Document(*row) for row in _rows(payload)]  # type: ignore[arg-type]


def _parse(documents: Iterable[Document]) -> Notices:
    from weir.flow.status_name import check_status_name
    from weir.spec.alert import parse_alert
    from weir.spec.provider import parse_provider

    alerts: list[AlertSpec] = []
    providers: dict[UnitId, ProviderSpec] = {}
    written: dict[UnitId, Mapping[str, Any]] = {}
    unreadable: dict[UnitId, str] = {}
    problems: list[str] = []
    for document in documents:
        try:
            match document.data.get("kind"):
                case "Alert":
                    alert = parse_alert(document, lambda err: problems.append(str(err)))
                    alerts.append(alert)
                    written[alert.id] = document.data
                case "Provider":
                    provider = parse_provider(document)
                    check_status_name(provider)
                    providers[provider.id] = provider
                    written[provider.id] = document.data
        except SpecError as err:
            problems.append(str(err))
            if unit := _waited_for(document):
                unreadable[unit] = str(err)
    problems += [
        f"{alert.where}: spec.providerRef: found no usable {alert.provider}"
        for alert in alerts
        if alert.provider not in providers
    ]
    return Notices(
        alerts=tuple(alerts),
        providers=providers,
        documents=written,
        problems=tuple(problems),
        unreadable={unit: why for unit, why in unreadable.items() if unit not in written},
    )


def _waited_for(document: Document) -> UnitId | None:
    """What a document that cannot be read may become once it can be; None for what will never be sent to."""
    from weir.spec.header import DEFAULT_NAMESPACE

    meta, spec = document.data.get("metadata"), document.data.get("spec")
    if not isinstance(meta, dict) or (isinstance(spec, dict) and spec.get("type") == _NEVER_SENT_TO):
        return None
    kind, namespace = document.data.get("kind"), meta.get("namespace", DEFAULT_NAMESPACE)
    return UnitId(str(kind), str(namespace), str(meta.get("name")))
