"""Cards: a title, a text and a list of facts, each in the form of its service."""

from __future__ import annotations

import re
from typing import Any, Final
from urllib.parse import parse_qs

from weir.notify.event_json import CONTROLLER
from weir.notify.facts import facts, is_error, title
from weir.notify.http_message import HttpMessage
from weir.notify.messages.post import post
from weir.notify.target import Target
from weir.notify.text import cut, cut_escaped, html
from weir.spec.event import Event

_VALUE: Final = 500
_MARKDOWN: Final = re.compile(r"([\\*_~`|>#\[\]()<:@-])")
_DISCORD_RED, _DISCORD_GREEN = 0xE01E5A, 0x2EB67D


def discord(target: Target, event: Event) -> HttpMessage:
    """https://discord.com/developers/docs/resources/webhook#execute-webhook.

    Limits: 256 characters of author, 4096 of description, 25 fields of 256 and 1024, 6000 in all, 80 of user name.
    Addresses that end in `/slack`, as Flux takes them, mean the same webhook.
    """
    fields = [
        {"name": _discord(key, 256) or "-", "value": _discord(text, 1024) or "-", "inline": False}
        for key, text in facts(event, 900, value=400)
    ]
    embed = {
        "author": {"name": title(event, 256)},
        "description": _discord(event.message, 3500),
        "color": _DISCORD_RED if is_error(event) else _DISCORD_GREEN,
        "fields": fields,
    }
    payload = {
        "username": cut(target.username or CONTROLLER, 80),
        "embeds": [embed],
        "allowed_mentions": {"parse": []},
    }
    return post(target, payload, url=target.url()._replace(path=_webhook(target)).geturl())


def msteams(target: Target, event: Event) -> HttpMessage:
    """https://learn.microsoft.com/microsoftteams/platform/webhooks-and-connectors/how-to/connectors-using.

    Text runs, unlike text blocks and fact sets, hold no markup
    (https://adaptivecards.io/explorer/TextRun.html), and Teams shows cards up to version 1.4.
    """
    colour = {"color": "attention"} if is_error(event) else {}
    body = [
        _rich({"text": title(event), "size": "large", "weight": "bolder"}),
        _rich({"text": event.message or "-", **colour}),
        *(
            _rich({"text": f"{key}: ", "weight": "bolder"}, {"text": text or "-"})
            for key, text in facts(event, 4000, value=_VALUE)
        ),
    ]
    card = {
        "$schema": "http://adaptivecards.io/schemas/adaptive-card.json",
        "type": "AdaptiveCard",
        "version": "1.4",
        "msteams": {"width": "Full"},
        "body": body,
    }
    attachment = {"contentType": "application/vnd.microsoft.card.adaptive", "content": card}
    return post(target, {"type": "message", "attachments": [attachment]})


def googlechat(target: Target, event: Event) -> HttpMessage:
    """https://developers.google.com/workspace/chat/api/reference/rest/v1/cards: texts of widgets are HTML."""
    text = html(event.message)
    message = f'<font color="#d93025">{text}</font>' if is_error(event) else text
    widgets: list[dict[str, Any]] = [{"textParagraph": {"text": message}}]
    widgets += [
        {"decoratedText": {"topLabel": key, "text": html(value), "wrapText": True}}
        for key, value in facts(event, 4000, value=_VALUE)
    ]
    header = {"title": title(event), "subtitle": CONTROLLER}
    card = {"header": header, "sections": [{"widgets": widgets}]}
    return post(target, {"cardsV2": [{"cardId": "event", "card": card}]})


def lark(target: Target, event: Event) -> HttpMessage:
    """https://open.larksuite.com/document/client-docs/bot-v3/add-custom-bot: plain text holds no markup."""
    lines = [event.message, *(f"{key}: {text}" for key, text in facts(event, 4000, value=_VALUE))]
    card = {
        "config": {"wide_screen_mode": True},
        "header": {
            "title": {"tag": "plain_text", "content": title(event)},
            "template": "red" if is_error(event) else "turquoise",
        },
        "elements": [{"tag": "div", "text": {"tag": "plain_text", "content": "\n".join(lines)}}],
    }
    return post(target, {"msg_type": "interactive", "card": card})


def zoom(target: Target, event: Event) -> HttpMessage:
    """https://developers.zoom.us/docs/chat/customizing-messages/: texts hold no markup unless they say that they do.

    The address's own `format` stays.
    """
    url = target.url()
    if "format" not in parse_qs(url.query, keep_blank_values=True):
        url = url._replace(query="&".join(filter(None, (url.query, "format=full"))))
    body: list[dict[str, Any]] = [{"type": "message", "text": cut(event.message, 4000) or "-"}]
    if told := facts(event, 4000, value=_VALUE):
        body.append({"type": "fields", "items": [{"key": key, "value": text} for key, text in told]})
    head = {"text": title(event), "sub_head": {"text": event.severity.value}}
    payload = {"content": {"head": head, "body": body}}
    return post(target, payload, {"Authorization": target.needs("token")}, url=url.geturl())


def _webhook(target: Target) -> str:
    return target.url().path.rstrip("/").removesuffix("/slack")


def _discord(text: str, limit: int) -> str:
    return cut_escaped(text, limit, lambda part: _MARKDOWN.sub(r"\\\1", part))


def _rich(*runs: dict[str, Any]) -> dict[str, Any]:
    return {"type": "RichTextBlock", "inlines": [{"type": "TextRun", **run} for run in runs]}
