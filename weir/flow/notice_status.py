"""How the Alerts, Providers and Receivers of a stack are: what is wrong with each, if anything."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import Final

from weir.edges.git.credentials import APP_ID
from weir.edges.kube.errors import KubeStatusError
from weir.flow.git_source import Secrets
from weir.flow.status_name import check_status_name
from weir.notify.commit_status import render_status
from weir.notify.hooks import TOKEN, receiver_path
from weir.notify.messages.render import render
from weir.notify.target import read_target
from weir.objects.hook_targets import check_receiver
from weir.spec.alert import AlertSpec, parse_alert
from weir.spec.documents import Document
from weir.spec.errors import SpecError, WeirError
from weir.spec.event import Event, Severity
from weir.spec.header import read_header
from weir.spec.identity import UnitId
from weir.spec.provider import COMMENT_TYPES, STATUS_TYPES, ProviderSpec, parse_provider
from weir.spec.receiver import ReceiverSpec, parse_receiver

_EVENT: Final = Event(
    unit=UnitId("Kustomization", "flux-system", "web"),
    severity=Severity.ERROR,
    reason="HealthCheckFailed",
    message="what a message is made of, to see whether one can be",
    at="2026-01-01T00:00:00Z",
    stack="production",
    metadata={"revision": f"main@sha1:{'0' * 40}"},
)


@dataclass(frozen=True, slots=True, kw_only=True)
class NoticeStatus:
    """One of them."""

    id: UnitId
    suspended: bool
    ready: bool
    message: str


def notice_status(
    documents: Mapping[UnitId, Document],
    meant: Callable[[UnitId], bool],
    secrets: Secrets,
    *,
    same_namespace: bool,
) -> list[NoticeStatus]:
    """Those of a stack's that are meant, by identity; receivers with the path that their webhooks go to.

    `same_namespace`: whether other namespaces must not be named (the stack's option `noCrossNamespaceRefs`).
    """
    known = _Known(frozenset(_usable(documents.values())), secrets, same_namespace)
    return [known.status(unit, documents[unit]) for unit in sorted(documents) if meant(unit)]


def _usable(documents: Iterable[Document]) -> Iterator[UnitId]:
    """The Providers that can be read."""
    for document in documents:
        with contextlib.suppress(WeirError):
            if read_header(document).id.kind == "Provider":
                provider = parse_provider(document)
                check_status_name(provider)
                yield provider.id


@dataclass(frozen=True, slots=True)
class _Known:
    """What tells how one of them is."""

    providers: frozenset[UnitId]
    secrets: Secrets
    same_namespace: bool

    def status(self, unit: UnitId, document: Document) -> NoticeStatus:
        suspended = False
        try:
            match unit.kind:
                case "Alert":
                    alert = parse_alert(document)
                    suspended, message = alert.suspend, "Alert is Ready"
                    self._check_alert(alert)
                case "Provider":
                    provider = parse_provider(document)
                    suspended, message = provider.suspend, "Provider is Ready"
                    self._check_provider(provider)
                case _:
                    receiver = parse_receiver(document)
                    suspended = receiver.suspend
                    message = f"Receiver initialized for path: {self._path(receiver)}"
        except WeirError as err:
            return NoticeStatus(id=unit, suspended=suspended, ready=False, message=str(err))
        return NoticeStatus(id=unit, suspended=suspended, ready=True, message=message)

    def _check_alert(self, alert: AlertSpec) -> None:
        """Raises SpecError when nobody is there to tell, or events are left out."""
        if alert.provider not in self.providers:
            raise SpecError(f"{alert.where}: spec.providerRef: found no usable {alert.provider}")
        for index, source in enumerate(alert.sources):
            if self.same_namespace and source.namespace != alert.id.namespace:
                raise SpecError.at(
                    alert.where,
                    f"spec.eventSources[{index}].namespace",
                    found=source.namespace,
                    expected=f"{alert.id.namespace} (noCrossNamespaceRefs is set)",
                )

    def _check_provider(self, provider: ProviderSpec) -> None:
        """Raises WeirError when a Secret is missing, no message can be made for it, or its CEL is not valid.

        Whoever may not read Secrets cannot tell how they are.
        """
        check_status_name(provider)
        names = filter(None, (provider.secret, provider.cert_secret, provider.proxy_secret))
        try:
            found = {name: self.secrets(provider.id.namespace, name) for name in names}
        except KubeStatusError as err:
            if err.status != HTTPStatus.FORBIDDEN:
                raise
            return
        _try_message(provider, found.get(provider.secret, {}))

    def _path(self, receiver: ReceiverSpec) -> str:
        """Raises WeirError when the receiver is not served, or its token cannot be read."""
        check_receiver(receiver, same_namespace=self.same_namespace)
        data = self.secrets(receiver.id.namespace, receiver.secret) if receiver.secret else {}
        path = receiver_path(receiver, data)
        if not path:
            where = f"Secret/{receiver.id.namespace}/{receiver.secret}"
            raise SpecError.at(where, "data", found="no token", expected=TOKEN)
        return path


def _try_message(provider: ProviderSpec, secret: Mapping[str, bytes]) -> None:
    """Raises SpecError when the address, the channel or the Secret is not what the type needs."""
    if APP_ID in secret or (provider.type == "googlepubsub" and secret.get(TOKEN)):
        secret = {**secret, TOKEN: b"-"}  # the token is made from a key when it is needed
    if provider.type in COMMENT_TYPES:
        read_target(provider, secret).url()
    elif provider.type in STATUS_TYPES:
        render_status(provider, secret, _EVENT)
    else:
        alert = AlertSpec(id=_EVENT.unit, where=provider.where, provider=provider.id, sources=(), metadata={})
        render(provider, secret, _EVENT, alert)
