"""What is proposed, and what came of it. Pure."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import Final

from weir.spec.errors import SourceError
from weir.spec.image_automation import ForgeKind

LONGEST_TITLE: Final = 255
"""Characters. GitLab: https://docs.gitlab.com/api/merge_requests/; the others allow about as much."""

LONGEST_BODY: Final[dict[ForgeKind, int]] = {"github": 65_536, "gitlab": 1_048_576}
"""Characters. GitHub refuses more with 422; GitLab: https://docs.gitlab.com/api/merge_requests/#create-mr"""

_BRANCH: Final = re.compile(r"[^\x00-\x20\x7f~^:?*\[\\]+")
_LABEL: Final = re.compile(r"[^\x00-\x1f\x7f,]*[^\x00-\x20\x7f,]")
_FENCE: Final = re.compile(r" {0,3}(`{3,}|~{3,})(.*)")
_NOTE: Final = (
    "\n*The rest is left out, {lines} lines: no more than {limit:,} characters are allowed here.*\n"
)
_LONGEST_NOTE: Final = 160


@dataclass(frozen=True, slots=True, kw_only=True)
class Proposal:
    """One pull request, as it should be. Branches are of the same repository."""

    repository: str
    """`group/sub/name`."""
    head: str
    """The branch with the change."""
    base: str
    title: str
    body: str
    """Markdown."""
    labels: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class PullRequest:
    """The open pull request."""

    number: int
    url: str
    """Where people look at it."""
    created: bool
    """Whether this very call made it. False also when its own answer got lost and it was found afterwards."""


def fitted(proposal: Proposal, kind: ForgeKind) -> Proposal:
    """The proposal within the limits of a forge.

    Raises:
        SourceError: branches or labels that no forge takes.
    """
    for field, branch in (("head", proposal.head), ("base", proposal.base)):
        if not _BRANCH.fullmatch(branch):
            raise SourceError(f"pull request: {field}: found {branch!r}, expected the name of a branch")
    if proposal.head == proposal.base:
        raise SourceError(
            f"pull request: head and base are both {proposal.base!r}, expected two branches",
            hint="set spec.git.push.branch to another branch",
        )
    for label in proposal.labels:
        if not _LABEL.fullmatch(label):
            raise SourceError(f"pull request: found label {label!r}, expected a name without commas")
    title = " ".join(proposal.title.split())
    if not title:
        raise SourceError("pull request: found no title, expected one")
    return replace(
        proposal,
        title=title if len(title) <= LONGEST_TITLE else f"{title[: LONGEST_TITLE - 3]}...",
        body=cut_body(proposal.body, LONGEST_BODY.get(kind)),
        labels=tuple(dict.fromkeys(proposal.labels)),
    )


def cut_body(text: str, limit: int | None) -> str:
    """The text, or its first lines and a note when it is longer than `limit` characters.

    A code block that the cut leaves open is closed, so that the note is seen as one.
    """
    if limit is None or len(text) <= limit:
        return text
    lines = text.splitlines(keepends=True)
    kept, size, fence = 0, 0, ""
    while kept < len(lines):
        after = _after(fence, lines[kept])
        if size + len(lines[kept]) + len(after) + _LONGEST_NOTE > limit:
            break
        size += len(lines[kept])
        fence = after
        kept += 1
    closing = f"{fence}\n" if fence else ""
    return "".join(lines[:kept]) + closing + _NOTE.format(lines=len(lines) - kept, limit=limit)


def _after(fence: str, line: str) -> str:
    """The fence that is open after a line, given the one before (https://spec.commonmark.org/0.31.2/#fenced-code-blocks)."""
    found = _FENCE.match(line)
    if not found:
        return fence
    marks, rest = found[1], found[2].strip()
    if not fence:
        return "" if marks[0] == "`" and "`" in rest else marks
    closes = marks[0] == fence[0] and len(marks) >= len(fence) and not rest
    return "" if closes else fence
