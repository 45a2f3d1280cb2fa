"""Messages that are one text."""

from __future__ import annotations

import hashlib
from typing import Any, Final
from urllib.parse import quote, urlencode

from weir.notify.facts import facts, is_error, title
from weir.notify.http_message import HttpMessage
from weir.notify.messages.post import encoded, post
from weir.notify.target import Target
from weir.notify.text import code, code_block, cut, html, one_line
from weir.spec.errors import SpecError
from weir.spec.event import Event

_TELEGRAM: Final = "https://api.telegram.org"
_TELEGRAM_MESSAGE: Final = 2500
_ZULIP_MESSAGE: Final = 5000
_ZULIP_TOPIC: Final = 60
_FACTS: Final = 700
_VALUE: Final = 300


def telegram(target: Target, event: Event) -> HttpMessage:
    """https://core.telegram.org/bots/api#sendmessage: 4096 characters, `&`, `<` and `>` escaped.

    Names after an `@` are mentions by themselves there, and addresses links; not in code. The channel may name a topic
    of a forum after a colon.
    """
    channel = target.needs_channel("the id of a chat, or @ and the name of a channel")
    chat, _, thread = channel.partition(":")
    lines = [
        f"{_mark(event)} <code>{html(title(event, 400))}</code>",
        f"<pre>{html(cut(event.message, _TELEGRAM_MESSAGE))}</pre>",
        *(
            f"- <code>{html(one_line(key))}: {html(one_line(text))}</code>"
            for key, text in facts(event, _FACTS, value=_VALUE)
        ),
    ]
    payload: dict[str, Any] = {
        "chat_id": chat,
        "text": "\n".join(lines),
        "parse_mode": "HTML",
        "link_preview_options": {"is_disabled": True},
    }
    if thread:
        payload["message_thread_id"] = thread
    method = f"/bot{quote(target.needs('token'), safe=':')}/sendMessage"
    url = target.below(method) if target.address else f"{_TELEGRAM}{method}"
    return post(target, payload, {}, url=url)


def matrix(target: Target, event: Event) -> HttpMessage:
    """https://spec.matrix.org/latest/client-server-api/#put_matrixclientv3roomsroomidsendeventtypetxnid.

    The transaction is named after the event, so that the server takes a repeated request for one message.
    """
    room = quote(target.needs_channel("the id of a room, !<id>:<server>"), safe="")
    payload = {"msgtype": "m.text", "body": _plain(event), "m.mentions": {}}
    transaction = hashlib.sha256(encoded([event.stack, event.at, payload])).hexdigest()[:32]
    path = f"/_matrix/client/v3/rooms/{room}/send/m.room.message/{transaction}"
    headers = {"Authorization": f"Bearer {target.needs('token')}"}
    message = post(target, payload, headers, url=target.below(path))
    return HttpMessage(method="PUT", url=message.url, headers=message.headers, body=message.body)


def webex(target: Target, event: Event) -> HttpMessage:
    """https://developer.webex.com/docs/api/v1/messages/create-a-message: 7439 bytes; `text` holds no markup."""
    payload = {"roomId": target.needs_channel("the id of a room"), "text": _plain(event)}
    return post(target, payload, {"Authorization": f"Bearer {target.needs('token')}"})


def zulip(target: Target, event: Event) -> HttpMessage:
    """https://zulip.com/api/send-message: 10,000 characters, 60 of topic; texts are Markdown, except in code."""
    channel, _, topic = target.needs_channel("<channel>/<topic>").partition("/")
    if not channel or not topic:
        expected = "<channel>/<topic>"
        raise SpecError.at(target.where, "spec.channel", found=target.channel, expected=expected)
    target.needs("password")
    lines = [
        f"{_mark(event)} {code(title(event))}",
        code_block(cut(event.message, _ZULIP_MESSAGE)),
        *(f"- {code(key)}: {code(text)}" for key, text in facts(event, _FACTS, value=_VALUE)),
    ]
    form = {"type": "stream", "to": channel, "topic": cut(topic, _ZULIP_TOPIC), "content": "\n".join(lines)}
    headers = {**target.basic(), "Content-Type": "application/x-www-form-urlencoded"}
    url = target.at("/api/v1/messages")
    return HttpMessage(method="POST", url=url, headers=headers, body=urlencode(form).encode())


def _mark(event: Event) -> str:
    return "🚨" if is_error(event) else "💫"


def _plain(event: Event) -> str:
    lines = [f"{_mark(event)} {title(event)}", event.message]
    return "\n".join([*lines, *(f"- {key}: {text}" for key, text in facts(event, 4000, value=_VALUE))])
