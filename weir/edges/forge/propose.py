"""Open a pull request, or bring the open one up to date: never a second one."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from typing import Final

from weir.edges.forge.access import ForgeAccess
from weir.edges.forge.api import Api
from weir.edges.forge.errors import RefusedError, UnavailableError
from weir.edges.forge.found import Forge, Found
from weir.edges.forge.gitea import Gitea
from weir.edges.forge.github import GitHub
from weir.edges.forge.gitlab import GitLab
from weir.edges.forge.proposal import Proposal, PullRequest, fitted
from weir.spec.image_automation import ForgeKind

FORGES: Final[Mapping[ForgeKind, Callable[[Api], Forge]]] = {
    "github": GitHub,
    "gitlab": GitLab,
    "gitea": Gitea,
}

_TRIES: Final = 3
_PAUSE: Final = 1.0
"""Seconds for a list to show what was just created."""


def propose(request: Proposal, access: ForgeAccess, *, stop: threading.Event | None = None) -> PullRequest:
    """The one open pull request from head to base, with this title, this body and at least these labels.

    Nothing is written when it is so already. Once `stop` is set, StopRequested is raised.

    Raises:
        ForgeError: one of its kinds (see errors). When only the labels failed, the next call adds them.
        SourceError: a branch, a label, the title or the API's URL is unusable.
    """
    proposal = fitted(request, access.kind)
    api = Api(access, stop=stop)
    forge = FORGES[access.kind](api)
    found, created = _current(forge, api, proposal)
    missing = [name for name in proposal.labels if not any(forge.same_label(name, it) for it in found.labels)]
    if missing:
        forge.label(proposal, found, missing)
    return PullRequest(number=found.number, url=found.url, created=created)


def _current(forge: Forge, api: Api, proposal: Proposal) -> tuple[Found, bool]:
    """The open one with title and body as proposed, and whether it was created here."""
    found = forge.find(proposal)
    for left in reversed(range(_TRIES)):
        if found is None:
            try:
                return forge.create(proposal), True
            except (RefusedError, UnavailableError) as err:
                found = _look_again(forge, api, proposal)
                if found is None and (not left or isinstance(err, RefusedError)):
                    raise
        if found is not None and (found.title, found.body) != (proposal.title, proposal.body):
            found = forge.update(proposal, found)
        if found is not None and found.open:
            return found, False
        found = None
    raise UnavailableError(
        f"{proposal.repository}: its pull requests close as fast as they are opened", hint="run again later"
    )


def _look_again(forge: Forge, api: Api, proposal: Proposal) -> Found | None:
    """The one that somebody else created meanwhile, or that was created although its answer got lost."""
    found = forge.find(proposal)
    if found is None:
        api.pause(_PAUSE)
        found = forge.find(proposal)
    return found
