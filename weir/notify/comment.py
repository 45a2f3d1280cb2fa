"""The comment on a pull request that shows how one unit is: written once, and brought up to date after that.

Rule: https://fluxcd.io/flux/components/notification/providers/#git-pull-request-comment-updates
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from typing import Final

from weir.notify.facts import cleaned, facts, is_about_drift, is_error, within
from weir.notify.text import code, code_block
from weir.spec.event import Event
from weir.spec.provider import ProviderSpec

CHANGE_REQUEST: Final = "change_request"
"""Metadata key: the number of the pull request."""

_NUMBER: Final = re.compile(r"[1-9][0-9]{0,17}", re.ASCII)
_LARGEST: Final = 20_000
"""Characters of a message; the forges take 65,536 or more."""
_FACTS: Final = 4_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Comment:
    """What is to be on a pull request."""

    number: str
    marker: str
    """The first line: shown to nobody, and the same for each comment about a unit by a provider."""
    body: str
    """With the marker."""


def comment_for(provider: ProviderSpec, event: Event) -> Comment | None:
    """The comment of an event that has its alert's metadata; None when it belongs to no pull request.

    None too for what drifts: it must not put a tick over a failure.
    """
    number = event.metadata.get(CHANGE_REQUEST, "")
    if is_about_drift(event) or not _NUMBER.fullmatch(number):
        return None
    parts = (event.stack, str(event.unit), str(provider.id))
    marker = f"<!-- weir:{hashlib.sha256(repr(parts).encode()).hexdigest()[:32]} -->"
    return Comment(number=number, marker=marker, body=f"{marker}\n{_body(event)}\n")


def _body(event: Event) -> str:
    told = within(cleaned(event), _LARGEST)
    sign = "❌" if is_error(told) else "✅"
    pairs = facts(told, _FACTS, value=500)
    rows = [f"- {code(key)}: {code(text)}" for key, text in pairs if key != CHANGE_REQUEST]
    head = (
        f"### {sign} {code(str(told.unit))}\n\n{code(told.reason)} at {code(told.at)} in {code(told.stack)}"
    )
    return "\n\n".join(filter(None, [head, code_block(told.message), "\n".join(rows)]))
