"""How the Alerts, Providers and Receivers of a stack are: what is wrong with each, if anything."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from weir.flow.git_source import Secrets
from weir.flow.status_name import check_status_name
from weir.notify.hooks import TOKEN, receiver_path
from weir.spec.alert import parse_alert
from weir.spec.documents import Document
from weir.spec.errors import SpecError, WeirError
from weir.spec.header import read_header
from weir.spec.identity import UnitId
from weir.spec.provider import parse_provider
from weir.spec.receiver import ReceiverSpec, parse_receiver


@dataclass(frozen=True, slots=True, kw_only=True)
class NoticeStatus:
    """One of them."""

    id: UnitId
    suspended: bool
    ready: bool
    message: str


def notice_status(documents: Iterable[Document], secrets: Secrets) -> list[NoticeStatus]:
    """All of them, by identity; receivers with the path that their webhooks go to."""
    return sorted((_status(document, secrets) for document in documents), key=lambda one: one.id)


def _status(document: Document, secrets: Secrets) -> NoticeStatus:
    unit = read_header(document).id
    suspended = False
    try:
        match unit.kind:
            case "Alert":
                suspended, message = parse_alert(document).suspend, "Alert is Ready"
            case "Provider":
                provider = parse_provider(document)
                suspended, message = provider.suspend, "Provider is Ready"
                check_status_name(provider)
            case _:
                receiver = parse_receiver(document)
                suspended = receiver.suspend
                message = f"Receiver initialized for path: {_path(receiver, secrets)}"
    except WeirError as err:
        return NoticeStatus(id=unit, suspended=suspended, ready=False, message=str(err))
    return NoticeStatus(id=unit, suspended=suspended, ready=True, message=message)


def _path(receiver: ReceiverSpec, secrets: Secrets) -> str:
    """Raises WeirError when the token cannot be read."""
    path = receiver_path(receiver, secrets(receiver.id.namespace, receiver.secret) if receiver.secret else {})
    if not path:
        where = f"Secret/{receiver.id.namespace}/{receiver.secret}"
        raise SpecError.at(where, "data", found="no token", expected=TOKEN)
    return path
