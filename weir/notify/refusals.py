"""Services that say no in an answer whose status is fine."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import Any, Final

_WORD: Final = re.compile(r"[a-z_]{1,60}")
_OFFICE: Final = ".webhook.office.com"
_OFFICE_ERROR: Final = re.compile(rb"HTTP error ([0-9]{3})")
_FINAL: Final = frozenset(range(400, 500)) - {408, 429}
"""Statuses that the next try ends in too."""
_TOO_OFTEN: Final = 11232
"""Lark's code for its frequency limit."""
_BAD_OR_TOO_OFTEN: Final = 9499
"""Lark's code for what cannot be read, and in some of its regions for its frequency limit: `too many request`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusal:
    """Why a notification did not arrive. Holds none of the answer's sentences: they may repeat what was sent."""

    why: str
    passing: bool
    """Whether the same may be taken later."""


def refusal(kind: str, host: str, body: bytes) -> Refusal | None:
    """What the answer of a provider of such a type says in its body; None when it took the notification."""
    match kind:
        case "slack":
            return _slack(_mapping(body))
        case "lark":
            return _lark(_mapping(body))
        case "otel":
            return _otel(_mapping(body))
        case "msteams" if host.endswith(_OFFICE):
            return _office(body)
    return None


def _slack(said: dict[str, Any]) -> Refusal | None:
    """https://docs.slack.dev/apis/web-api/#responses."""
    if said.get("ok") is not False:
        return None
    why = str(said.get("error"))
    return Refusal(why=why if _WORD.fullmatch(why) else "no reason given", passing=False)


def _lark(said: dict[str, Any]) -> Refusal | None:
    """https://open.larksuite.com/document/client-docs/bot-v3/add-custom-bot."""
    codes = [said[key] for key in ("code", "StatusCode") if isinstance(said.get(key), int) and said[key]]
    if not codes:
        return None
    often = codes[0] == _BAD_OR_TOO_OFTEN and "too many" in str(said.get("msg")).lower()
    return Refusal(why=f"code {codes[0]}", passing=often or codes[0] == _TOO_OFTEN)


def _otel(said: dict[str, Any]) -> Refusal | None:
    """https://opentelemetry.io/docs/specs/otlp/#partial-success-1: what it rejected it rejects again."""
    partial = said.get("partialSuccess")
    rejected = partial.get("rejectedSpans") if isinstance(partial, dict) else 0
    return Refusal(why="the span was rejected", passing=False) if rejected not in (0, "0", None) else None


def _office(body: bytes) -> Refusal | None:
    """A connector of Office 365 answers with 1 or the number of the message, else with a sentence.

    https://learn.microsoft.com/microsoftteams/platform/webhooks-and-connectors/how-to/connectors-using
    """
    if body.strip().isdigit():
        return None
    found = _OFFICE_ERROR.search(body)
    if found is None:
        return Refusal(why="no reason given", passing=True)
    return Refusal(why=f"Teams said {found[1].decode()}", passing=int(found[1]) not in _FINAL)


def _mapping(body: bytes) -> dict[str, Any]:
    """An answer that is a JSON object; empty for any other."""
    try:
        said = json.loads(body)
    except ValueError:
        return {}
    return said if isinstance(said, dict) else {}
