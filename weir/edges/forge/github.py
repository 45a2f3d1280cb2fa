"""Pull requests on GitHub.

https://docs.github.com/en/rest/pulls/pulls and, for labels, https://docs.github.com/en/rest/issues/labels: adding a
label that does not exist creates it where the token may do so. Names of labels are compared without case.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from weir.edges.forge.api import Api, Reply
from weir.edges.forge.errors import MissingError
from weir.edges.forge.found import Found
from weir.edges.forge.names import owner_and_name
from weir.edges.forge.proposal import Proposal
from weir.edges.forge.rows import label_names, read_pull


class GitHub:
    """See Forge."""

    def __init__(self, api: Api) -> None:
        self._api = api

    def find(self, proposal: Proposal) -> Found | None:
        """One request; a filter that the server ignores does not lead to somebody else's pull request."""
        owner, name = owner_and_name(proposal.repository)
        query = {
            "state": "open",
            "head": f"{owner}:{proposal.head}",
            "base": proposal.base,
            "per_page": "100",
        }
        rows = self._api.pages("repos", owner, name, "pulls", seen=_last, **query)
        for row in rows:
            if _is_from_to(row, proposal):
                return read_pull(row, "GET pulls")
        return None

    def create(self, proposal: Proposal) -> Found:
        """See Forge."""
        owner, name = owner_and_name(proposal.repository)
        body = {"title": proposal.title, "head": proposal.head, "base": proposal.base, "body": proposal.body}
        reply = self._api.create("repos", owner, name, "pulls", body=body)
        return read_pull(reply.data, reply.where)

    def update(self, proposal: Proposal, found: Found) -> Found:
        """See Forge."""
        owner, name = owner_and_name(proposal.repository)
        body = {"title": proposal.title, "body": proposal.body}
        reply = self._api.change("PATCH", "repos", owner, name, "pulls", str(found.number), body=body)
        return read_pull(reply.data, reply.where)

    def label(self, proposal: Proposal, found: Found, names: Sequence[str]) -> None:
        """See Forge."""
        owner, name = owner_and_name(proposal.repository)
        path = ("repos", owner, name, "issues", str(found.number), "labels")
        reply = self._api.change("POST", *path, body={"labels": list(names)})
        held = label_names(reply.data)
        missing = [one for one in names if not any(self.same_label(one, other) for other in held)]
        if missing:
            raise MissingError(
                f"{reply.where}: label {missing[0]!r} was not added",
                hint="create it in the repository, or let the token write issues",
            )

    def same_label(self, one: str, other: str) -> bool:
        """See Forge."""
        return one.casefold() == other.casefold()


def _last(reply: Reply, _rows: int) -> bool:
    return 'rel="next"' not in reply.headers.get("link", "")


def _is_from_to(row: dict[str, Any], proposal: Proposal) -> bool:
    """Branches of a fork may have the same names; the repository of a head may be gone."""
    head, base = _part(row, "head"), _part(row, "base")
    from_, to = _part(head, "repo").get("id"), _part(base, "repo").get("id")
    return head.get("ref") == proposal.head and base.get("ref") == proposal.base and from_ == to


def _part(row: dict[str, Any], key: str) -> dict[str, Any]:
    value = row.get(key)
    return value if isinstance(value, dict) else {}
