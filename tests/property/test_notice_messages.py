"""Laws of messages to services, for any text that an event may hold."""

from __future__ import annotations

import json
import re
from html import unescape
from typing import Any
from urllib.parse import parse_qs

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from tests.support.alerts import SECRET, alert, event, provider, written
from weir.notify.http_message import HttpMessage
from weir.notify.messages.render import FORMS, render
from weir.notify.text import clean, code_block, cut, cut_escaped, html, width
from weir.spec.event import Severity
from weir.spec.identity import UnitId

pytestmark = pytest.mark.property

HIDDEN = [*(text.decode() for key, text in SECRET.items() if key != "username"), "hooks.example"]
any_char = st.characters(categories=("L", "N", "P", "S", "Z", "Cc", "Cf", "Cs", "Co"))
markup = st.sampled_from(
    ["&", "<@U1>", "<!channel>", "*", "`", "```", "\x1b[31m", "\x00", "\ud800", "𝄞", '"', "\\"]
)
texts = st.lists(markup | st.text(any_char, max_size=20), max_size=6).map("".join)
long_texts = st.builds(lambda text, times: text * times, texts, st.sampled_from([1, 1, 1, 400, 5000]))
names = st.text(any_char, max_size=300)
events = st.builds(
    lambda unit, message, metadata, severity: event(message, metadata, unit=UnitId(*unit), severity=severity),
    st.tuples(names, names, names),
    long_texts,
    st.dictionaries(texts, long_texts, max_size=6) | st.just({f"key-{n:04}": "&" * 999 for n in range(300)}),
    st.sampled_from(list(Severity)),
)


def decoded(kind: str, message: HttpMessage) -> list[Any]:
    if kind == "zulip":
        return [parse_qs(message.body.decode(), strict_parsing=True)]
    lines = message.body.splitlines() if kind == "sentry" else [message.body]
    return [json.loads(line) for line in lines]


def strings(value: Any) -> list[str]:
    if isinstance(value, str):
        return [value]
    items = [*value, *value.values()] if isinstance(value, dict) else value
    return [text for item in items for text in strings(item)] if isinstance(items, list) else []


@pytest.mark.parametrize("kind", FORMS)
@settings(max_examples=15)
@example(told=event("x" * 3_000_000))
@example(told=event("", {}))
@given(told=events)
def test_every_body_is_well_formed_bounded_and_without_the_secret(kind: str, told: Any) -> None:
    """Whatever happened, a service is sent something that it can read and that tells nobody a secret."""
    spec = provider(kind, username="\ud800\x00", channel=f"{provider(kind).channel}\ud800")
    messages = render(spec, SECRET, told, alert(summary="&" * 255))
    assert messages
    for message in messages:
        assert len(message.body) <= FORMS[kind].largest
        values = decoded(kind, message)
        assert values
        assert not any(hidden in message.body.decode() for hidden in HIDDEN)
        assert all(clean(text) == text for text in strings(values))
        headers = message.headers.values()
        assert all("\r" not in text and "\n" not in text and text.isascii() for text in headers)


@settings(max_examples=30)
@given(told=events)
def test_limits_of_single_fields_hold(told: Any) -> None:
    """https://core.telegram.org/bots/api#sendmessage, https://discord.com/developers/docs/resources/message."""
    telegram = json.loads(written(provider("telegram"), SECRET, told, alert()).body)["text"]
    assert width(unescape(re.sub("</?(pre|code)>", "", telegram))) <= 4096
    [embed] = json.loads(written(provider("discord"), SECRET, told, alert()).body)["embeds"]
    assert width("".join(strings(embed))) <= 6000
    assert len(embed["fields"]) <= 25
    assert all(
        0 < width(field["name"]) <= 256 and 0 < width(field["value"]) <= 1024 for field in embed["fields"]
    )
    opsgenie = json.loads(written(provider("opsgenie"), SECRET, told, alert()).body)
    assert width(opsgenie["message"]) <= 130
    assert width(opsgenie["description"]) <= 15_000
    zulip = parse_qs(written(provider("zulip"), SECRET, told, alert()).body.decode())
    assert len(zulip["content"][0]) <= 10_000


@settings(max_examples=30)
@given(told=events)
def test_telegram_is_told_nothing_outside_of_code(told: Any) -> None:
    """Code holds no mention and no link (https://core.telegram.org/bots/api#formatting-options)."""
    text = json.loads(written(provider("telegram"), SECRET, told, alert()).body)["text"]
    outside = re.sub("<(pre|code)>[^<>]*</\\1>", "", text)
    assert set(outside) <= set("🚨💫- \n")


@given(text=texts.map(clean), limit=st.integers(0, 60))
def test_a_cut_text_is_a_beginning_that_fits(text: str, limit: int) -> None:
    short = cut(text, limit)
    assert width(short) <= max(limit, 0)
    assert short == text if width(text) <= limit else text.startswith(short.removesuffix("…"))
    assert width(cut_escaped(text, limit, html)) <= limit
    assert not set("<>") & set(html(text))


@given(text=texts)
def test_nothing_ends_a_block_of_code_before_its_end(text: str) -> None:
    block = code_block(text)
    assert block.startswith("```\n")
    assert block.endswith("\n```")
    assert "```" not in block[3:-3]
