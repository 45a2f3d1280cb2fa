"""Comments on pull requests: one that starts with a marker is written once and kept up to date.

GitHub https://docs.github.com/en/rest/issues/comments, Gitea https://docs.gitea.com/api/ (issueGetComments, ...),
GitLab https://docs.gitlab.com/api/notes/#merge-requests
"""

from __future__ import annotations

import threading
from dataclasses import dataclass
from typing import Any, Final

from weir.edges.forge.access import ForgeAccess
from weir.edges.forge.api import Api, Reply, number_of
from weir.edges.forge.names import owner_and_name
from weir.spec.image_automation import ForgeKind


@dataclass(frozen=True, slots=True)
class _Paths:
    """Where comments are."""

    all: tuple[str, ...]
    one: tuple[str, ...]
    """Without the comment's id at its end."""
    change: str
    """The method that changes one."""


def put_comment(
    access: ForgeAccess,
    repository: str,
    number: str,
    marker: str,
    body: str,
    *,
    stop: threading.Event | None = None,
) -> None:
    """Have one comment on a pull request that starts with `marker`, and says `body`, which starts so too.

    Nothing is written when it says so already.

    Raises:
        ForgeError: one of its kinds (see errors).
        SourceError: the repository has no owner and name.
        StopRequested: the run was cancelled.
    """
    api = Api(access, stop=stop)
    paths = _paths(access.kind, repository, number)
    found = next((row for row in _rows(api, access.kind, paths) if _said(row).startswith(marker)), None)
    if found is None:
        api.create(*paths.all, body={"body": body})
    elif _said(found).strip() != body.strip():
        comment = number_of(found.get("id"), "comment")
        api.change(paths.change, *paths.one, str(comment), body={"body": body})


def _paths(kind: ForgeKind, repository: str, number: str) -> _Paths:
    if kind == "gitlab":
        notes = ("projects", repository, "merge_requests", number, "notes")
        return _Paths(notes, notes, "PUT")
    issues = ("repos", *owner_and_name(repository), "issues")
    return _Paths((*issues, number, "comments"), (*issues, "comments"), "PATCH")


_OLDEST_FIRST: Final = {"sort": "asc", "order_by": "created_at"}


def _rows(api: Api, kind: ForgeKind, paths: _Paths) -> list[dict[str, Any]]:
    if kind == "gitea":
        # its list has no pages
        rows = api.get(*paths.all).data
        return [row for row in rows if isinstance(row, dict)] if isinstance(rows, list) else []
    order = _OLDEST_FIRST if kind == "gitlab" else {}
    return api.pages(*paths.all, seen=_last, per_page="100", **order)


def _last(reply: Reply, _rows: int) -> bool:
    more = reply.headers.get("x-next-page", "").strip() or 'rel="next"' in reply.headers.get("link", "")
    return not more


def _said(row: dict[str, Any]) -> str:
    return str(row.get("body") or "").replace("\r\n", "\n")
