"""What services say in the body of an answer whose status is fine."""

from __future__ import annotations

import pytest

from weir.notify.refusals import refusal

OFFICE = "acme.webhook.office.com"
BUSY = b"Webhook message delivery failed with error: Microsoft Teams endpoint returned HTTP error 429 with ContextId"


@pytest.mark.parametrize(
    ("kind", "host", "body"),
    [
        ("slack", "slack.com", b'{"ok": true}'),
        ("slack", "hooks.slack.com", b"ok"),
        (
            "lark",
            "open.larksuite.com",
            b'{"StatusCode":0,"StatusMessage":"success","code":0,"msg":"success"}',
        ),
        ("lark", "open.larksuite.com", b'{"Extra":null,"StatusCode":0,"StatusMessage":"success"}'),
        ("lark", "open.larksuite.com", b"[]"),
        ("otel", "otel.example", b'{"partialSuccess":{}}'),
        ("otel", "otel.example", b'{"partialSuccess":{"rejectedSpans":"0","errorMessage":"slow"}}'),
        ("otel", "otel.example", b""),
        ("msteams", OFFICE, b"1"),
        ("msteams", OFFICE, b"1700000000000\n"),
        ("msteams", "prod-1.westeurope.logic.azure.com", b""),
        ("generic", "open.larksuite.com", b'{"code":19024}'),
    ],
)
def test_what_was_taken_is_no_refusal(kind: str, host: str, body: bytes) -> None:
    assert refusal(kind, host, body) is None


@pytest.mark.parametrize(
    ("kind", "body", "why", "passing"),
    [
        ("slack", b'{"ok": false, "error": "channel_not_found"}', "channel_not_found", False),
        ("slack", b'{"ok": false, "error": "You sent t0ken"}', "no reason given", False),
        ("lark", b'{"code":19024,"msg":"Key Words Not Found, t0ken"}', "code 19024", False),
        ("lark", b'{"StatusCode":19001,"StatusMessage":"t0ken"}', "code 19001", False),
        ("lark", b'{"code":9499,"msg":"Bad Request"}', "code 9499", False),
        ("lark", b'{"code":9499,"msg":"too many request"}', "code 9499", True),
        ("lark", b'{"code":11232,"msg":"frequency limited"}', "code 11232", True),
        (
            "otel",
            b'{"partialSuccess":{"rejectedSpans":"1","errorMessage":"t0ken"}}',
            "the span was rejected",
            False,
        ),
        ("msteams", BUSY, "Teams said 429", True),
        ("msteams", BUSY.replace(b"429", b"503"), "Teams said 503", True),
        ("msteams", BUSY.replace(b"429", b"413"), "Teams said 413", False),
        ("msteams", b"t0ken", "no reason given", True),
    ],
)
def test_a_refusal_is_final_or_passes_and_repeats_no_text(
    kind: str, body: bytes, why: str, *, passing: bool
) -> None:
    found = refusal(kind, OFFICE, body)
    assert found is not None
    assert (found.why, found.passing) == (why, passing)
