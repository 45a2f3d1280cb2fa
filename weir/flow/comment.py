"""Keep the comment of a unit on a pull request up to date, where a Provider's address says."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from typing import Final
from urllib.parse import urlunsplit

from weir.edges.forge.access import ForgeAccess
from weir.edges.forge.comments import put_comment
from weir.edges.forge.errors import ForgeError, UnavailableError
from weir.edges.forge.names import default_api, path_for, repository_of
from weir.edges.http.settings import Settings
from weir.flow.send_errors import FinalError, PostponedError
from weir.notify.comment import comment_for
from weir.notify.target import read_target
from weir.spec.event import Event
from weir.spec.image_automation import ForgeKind
from weir.spec.provider import ProviderSpec

_FORGES: Final[Mapping[str, ForgeKind]] = {
    "githubpullrequestcomment": "github",
    "gitlabmergerequestcomment": "gitlab",
    "giteapullrequestcomment": "gitea",
}


def comment(
    provider: ProviderSpec,
    secret: Mapping[str, bytes],
    settings: Settings,
    event: Event,
    *,
    seconds: float,
    stop: threading.Event,
) -> None:
    """Write what an event, which has its alert's metadata, says; nothing when it belongs to no pull request.

    Raises:
        FinalError: the forge refuses.
        PostponedError: the forge gives no answer now.
        SpecError: the address or the Secret is not what the type needs.
        SourceError: the address names no repository.
        StopRequested: the run was cancelled.
    """
    wanted = comment_for(provider, event)
    if wanted is None:
        return
    access, repository = _place(provider, secret, settings, seconds)
    try:
        put_comment(access, repository, wanted.number, wanted.marker, wanted.body, stop=stop)
    except UnavailableError as err:
        raise PostponedError(err.message) from err
    except ForgeError as err:
        raise FinalError(err.message) from err


def _place(
    provider: ProviderSpec, secret: Mapping[str, bytes], settings: Settings, seconds: float
) -> tuple[ForgeAccess, str]:
    """How the forge is reached, and the repository's path there. Raises SpecError, SourceError."""
    target = read_target(provider, secret)
    url, kind = target.url(), _FORGES[provider.type]
    address, plain = urlunsplit(url), url.scheme == "http"
    api = default_api(kind, repository_of(address)[0])
    api = api.replace("https://", "http://", 1) if plain else api
    access = ForgeAccess(
        kind=kind,
        api=api,
        token=target.needs("token"),
        ca=settings.ca,
        proxy=settings.proxy,
        insecure=plain,
        timeout=seconds,
    )
    return access, path_for(api, address)
