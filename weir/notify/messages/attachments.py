"""Messages with an attachment, in Slack's form."""

from __future__ import annotations

from typing import Any, Final

from weir.notify.event_json import CONTROLLER
from weir.notify.facts import facts, is_error, title
from weir.notify.http_message import HttpMessage
from weir.notify.messages.post import post
from weir.notify.target import Target
from weir.notify.text import code_block, cut, cut_escaped, html, one_line
from weir.spec.event import Event

_MAX_TEXT: Final = 4000
"""Beyond it Slack splits a message in two (https://docs.slack.dev/messaging/formatting-message-text)."""
_MAX_FACTS: Final = 4000
_MAX_VALUE: Final = 500
_MAX_USERNAME: Final = 80


def slack(target: Target, event: Event) -> HttpMessage:
    """https://docs.slack.dev/reference/methods/chat.postMessage, and the same for incoming webhooks.

    Only `&`, `<` and `>` need escaping, because no part of the attachment is declared to hold markup.
    """
    attachment = {
        "color": "danger" if is_error(event) else "good",
        "author_name": html(title(event)),
        "fallback": html(cut(one_line(f"{title(event)}: {event.message}"), _MAX_VALUE)),
        "text": cut_escaped(event.message, _MAX_TEXT, html),
        "mrkdwn_in": [],
        "fields": [
            {"title": html(key), "value": html(text), "short": False}
            for key, text in facts(event, _MAX_FACTS, value=_MAX_VALUE)
        ],
    }
    payload = {**_sender(target), "attachments": [attachment]}
    return post(target, payload, target.bearer() or target.basic())


def rocket(target: Target, event: Event) -> HttpMessage:
    """https://docs.rocket.chat/docs/integrations: texts are Markdown there, and code is shown as it is."""
    attachment = {
        "color": "#FF0000" if is_error(event) else "#0076D7",
        "author_name": title(event),
        "text": code_block(cut(event.message, _MAX_TEXT)),
        "fields": [
            {"title": key, "value": code_block(text), "short": False}
            for key, text in facts(event, _MAX_FACTS, value=_MAX_VALUE)
        ],
    }
    return post(target, {**_sender(target), "attachments": [attachment]})


def _sender(target: Target) -> dict[str, Any]:
    sender = {"username": cut(target.username or CONTROLLER, _MAX_USERNAME)}
    return {**sender, "channel": target.channel} if target.channel else sender
