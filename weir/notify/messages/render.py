"""The message for one provider, whatever its type."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Final

from weir.notify.facts import cleaned, within
from weir.notify.http_message import HttpMessage
from weir.notify.match import with_metadata
from weir.notify.messages import attachments, cards, chats, generic, incidents, monitoring, spans, streams
from weir.notify.target import Target, check_headers, read_target
from weir.spec.alert import AlertSpec
from weir.spec.event import Event
from weir.spec.provider import ProviderSpec

Writer = Callable[[Target, Event], HttpMessage | None]
"""None when it has nothing to say to the service."""


@dataclass(frozen=True, slots=True)
class Form:
    """How a service wants its messages."""

    write: Writer
    largest: int
    """Bytes of a body that the service takes, or that are enough for anybody where it names no limit."""
    then: Writer | None = None
    """A second message after that. When it fails, both are sent again: the first must not mind."""


FORMS: Final[Mapping[str, Form]] = {
    "generic": Form(generic.generic, 1_000_000),
    "generic-hmac": Form(generic.generic_hmac, 1_000_000),
    "azureeventhub": Form(streams.azureeventhub, 200_000),
    "googlepubsub": Form(streams.googlepubsub, 1_000_000),
    "githubdispatch": Form(generic.githubdispatch, 60_000),
    "slack": Form(attachments.slack, 64_000),
    "rocket": Form(attachments.rocket, 64_000),
    "discord": Form(cards.discord, 32_000),
    # 28 KB, of which one may count two for a character
    "msteams": Form(cards.msteams, 14_000),
    "googlechat": Form(cards.googlechat, 32_000),
    "lark": Form(cards.lark, 20_000),
    "zoom": Form(cards.zoom, 32_000),
    "telegram": Form(chats.telegram, 32_000),
    "matrix": Form(chats.matrix, 60_000),
    "webex": Form(chats.webex, 7439),
    "zulip": Form(chats.zulip, 64_000),
    "pagerduty": Form(incidents.pagerduty, 400_000, incidents.pagerduty_change),
    "incident.io": Form(incidents.incident_io, 100_000),
    "opsgenie": Form(incidents.opsgenie, 100_000),
    "sentry": Form(incidents.sentry, 200_000),
    "alertmanager": Form(monitoring.alertmanager, 100_000),
    "grafana": Form(monitoring.grafana, 64_000),
    "otel": Form(spans.otel, 1_000_000),
    "datadog": Form(monitoring.datadog, 64_000),
}


def render(
    provider: ProviderSpec, secret: Mapping[str, bytes], event: Event, alert: AlertSpec
) -> tuple[HttpMessage, ...]:
    """The requests that tell a provider of one of MESSAGE_TYPES about an event that set off an alert, in order.

    `secret` is the data of the provider's Secret, empty without one. What is too long for the service is cut. None
    when there is nothing to say to it.

    Raises:
        SpecError: the provider or its Secret lacks what the service needs; no secret text is in it.
    """
    form = FORMS[provider.type]
    target = replace(read_target(provider, secret), alert=alert.id)
    told = cleaned(with_metadata(event, alert))
    writers = filter(None, (form.write, form.then))
    messages = tuple(filter(None, (_fitting(write, form.largest, target, told) for write in writers)))
    for message in messages:
        check_headers(provider.where, message.headers)
    return messages


def _fitting(write: Writer, largest: int, target: Target, told: Event) -> HttpMessage | None:
    """The message with as much of the event as there is room for."""
    room = largest
    message = write(target, within(told, room))
    while message and len(message.body) > largest and room:
        room = room * 2 // 3
        message = write(target, within(told, room))
    return message
