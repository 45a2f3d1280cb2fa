"""Merge requests on GitLab (https://docs.gitlab.com/api/merge_requests/).

A label that does not exist is created in the project by using it; names of labels are compared with case. A merge
request is addressed by its `iid`, the number within the project.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from weir.edges.forge.api import Api, Reply, number_of, page_url
from weir.edges.forge.errors import BadAnswerError
from weir.edges.forge.found import Found
from weir.edges.forge.proposal import Proposal


class GitLab:
    """See Forge."""

    def __init__(self, api: Api) -> None:
        self._api = api

    def find(self, proposal: Proposal) -> Found | None:
        """See Forge."""
        query = {
            "state": "opened",
            "source_branch": proposal.head,
            "target_branch": proposal.base,
            "per_page": "100",
        }
        path = ("projects", proposal.repository, "merge_requests")
        for row in self._api.pages(*path, seen=_last, **query):
            if _is_from_to(row, proposal):
                return _read(row, "GET merge_requests")
        return None

    def create(self, proposal: Proposal) -> Found:
        """See Forge. The labels are there from the start, for what is triggered by the new merge request."""
        body = {
            "source_branch": proposal.head,
            "target_branch": proposal.base,
            "title": proposal.title,
            "description": proposal.body,
            **({"labels": ",".join(proposal.labels)} if proposal.labels else {}),
        }
        reply = self._api.create("projects", proposal.repository, "merge_requests", body=body)
        return _read(reply.data, reply.where)

    def update(self, proposal: Proposal, found: Found) -> Found:
        """See Forge."""
        return self._put(proposal, found, {"title": proposal.title, "description": proposal.body})

    def label(self, proposal: Proposal, found: Found, names: Sequence[str]) -> None:
        """See Forge."""
        self._put(proposal, found, {"add_labels": ",".join(names)})

    def same_label(self, one: str, other: str) -> bool:
        """See Forge."""
        return one == other

    def _put(self, proposal: Proposal, found: Found, body: dict[str, str]) -> Found:
        path = ("projects", proposal.repository, "merge_requests", str(found.number))
        reply = self._api.change("PUT", *path, body=body)
        return _read(reply.data, reply.where)


def _last(reply: Reply, _rows: int) -> bool:
    """Whether there is no further page (https://docs.gitlab.com/api/rest/#pagination)."""
    return not reply.headers.get("x-next-page", "").strip()


def _is_from_to(row: dict[str, Any], proposal: Proposal) -> bool:
    branches = (row.get("source_branch"), row.get("target_branch"))
    within = row.get("source_project_id") == row.get("target_project_id")
    return branches == (proposal.head, proposal.base) and within


def _read(row: Any, where: str) -> Found:
    if not isinstance(row, dict):
        raise BadAnswerError(f"{where}: the answer is no merge request")
    labels = row.get("labels")
    return Found(
        number=number_of(row.get("iid"), where),
        url=page_url(row.get("web_url"), where),
        title=str(row.get("title") or ""),
        body=str(row.get("description") or ""),
        labels=frozenset(str(name) for name in labels) if isinstance(labels, list) else frozenset(),
        open=row.get("state") == "opened",
    )
