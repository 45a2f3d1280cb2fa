"""Pull requests on Gitea and Forgejo: https://docs.gitea.com/api/ (repoListPullRequests, repoCreatePullRequest, ...).

Labels of the repository or of its organisation are added by name (Gitea 1.23, Forgejo 9; reading those of an
organisation would take another scope); one that is in neither is created in the repository.
The list is asked for instead of `/pulls/{base}/{head}`, which also finds closed ones and those only.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from weir.edges.forge.api import Api, Reply
from weir.edges.forge.errors import MissingError
from weir.edges.forge.found import Found
from weir.edges.forge.names import owner_and_name
from weir.edges.forge.proposal import Proposal
from weir.edges.forge.rows import label_names, read_pull

COLOUR: Final = "#1d76db"
"""Of labels that are created; Gitea asks for one."""
_PAGE: Final = "50"


class Gitea:
    """See Forge."""

    def __init__(self, api: Api) -> None:
        self._api = api

    def find(self, proposal: Proposal) -> Found | None:
        """See Forge. Old versions know no `base_branch` and list all open ones."""
        path = ("repos", *owner_and_name(proposal.repository), "pulls")
        query = {"state": "open", "base_branch": proposal.base, "limit": _PAGE}
        for row in self._api.pages(*path, seen=_all_seen, **query):
            if _is_from_to(row, proposal):
                return read_pull(row, "GET pulls")
        return None

    def create(self, proposal: Proposal) -> Found:
        """See Forge."""
        path = ("repos", *owner_and_name(proposal.repository), "pulls")
        body = {"title": proposal.title, "head": proposal.head, "base": proposal.base, "body": proposal.body}
        reply = self._api.create(*path, body=body)
        return read_pull(reply.data, reply.where)

    def update(self, proposal: Proposal, found: Found) -> Found:
        """See Forge."""
        path = ("repos", *owner_and_name(proposal.repository), "pulls", str(found.number))
        body = {"title": proposal.title, "body": proposal.body}
        reply = self._api.change("PATCH", *path, body=body)
        return read_pull(reply.data, reply.where)

    def label(self, proposal: Proposal, found: Found, names: Sequence[str]) -> None:
        """See Forge."""
        owner, name = owner_and_name(proposal.repository)
        missing = self._add(owner, name, found, names)
        for label in missing:
            self._api.create("repos", owner, name, "labels", body={"name": label, "color": COLOUR})
        if missing and self._add(owner, name, found, missing):
            raise MissingError(
                f"{proposal.repository}: label {missing[0]!r} was not added to pull request {found.number}",
                hint="create it in the repository, or update the forge",
            )

    def same_label(self, one: str, other: str) -> bool:
        """See Forge."""
        return one == other

    def _add(self, owner: str, name: str, found: Found, names: Sequence[str]) -> list[str]:
        """Those that do not exist: they are passed over in silence."""
        path = ("repos", owner, name, "issues", str(found.number), "labels")
        held = label_names(self._api.change("POST", *path, body={"labels": list(names)}).data)
        return [label for label in names if label not in held]


def _all_seen(reply: Reply, rows: int) -> bool:
    """The server may give less on a page than asked for, so a short one is not the end."""
    total = reply.headers.get("x-total-count", "")
    return total.isascii() and total.isdigit() and rows >= int(total[:9])


def _is_from_to(row: dict[str, Any], proposal: Proposal) -> bool:
    head, base = _part(row.get("head")), _part(row.get("base"))
    within = head.get("repo_id") == base.get("repo_id")
    return (head.get("ref"), base.get("ref")) == (proposal.head, proposal.base) and within


def _part(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}
