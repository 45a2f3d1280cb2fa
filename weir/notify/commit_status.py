"""The status of the commit that an event is about, on the forge that a Provider names.

Rule: https://fluxcd.io/flux/components/notification/providers/#git-commit-status-updates. Requests:
GitHub https://docs.github.com/en/rest/commits/statuses,
GitLab https://docs.gitlab.com/api/commits/#set-the-pipeline-status-of-a-commit,
Gitea https://docs.gitea.com/api/ (repoCreateStatus),
Bitbucket https://developer.atlassian.com/cloud/bitbucket/rest/api-group-commit-statuses/,
Bitbucket Server https://developer.atlassian.com/server/bitbucket/rest/v811/api-group-builds-and-deployments/,
Azure DevOps https://learn.microsoft.com/rest/api/azure/devops/git/statuses/create
"""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import quote, unquote, urlunsplit

from weir.notify.facts import is_about_drift, is_error, revision
from weir.notify.http_message import HttpMessage
from weir.notify.match import SUMMARY
from weir.notify.messages.post import encoded
from weir.notify.target import Target, check_headers, read_target
from weir.notify.text import clean, cut, one_line
from weir.notify.uid import uid
from weir.spec.errors import SpecError
from weir.spec.event import Event
from weir.spec.provider import ProviderSpec

PROGRESSING: Final = "Progressing"
"""The reason of what is not over yet."""

_COMMIT: Final = re.compile(r"(?:.*[@/])?(?:sha1:|sha256:|)([0-9a-f]{64}|[0-9a-f]{40})")
_WORD: Final = re.compile(r"[A-Z]+(?![a-z])|[A-Z][a-z0-9]*|[a-z0-9]+")
_LONGEST: Final = 140
"""Characters of a description, GitHub's limit, and the least of all."""
_LONGEST_NAME: Final = 200
_GENRE: Final = "fluxcd"
"""What tells Flux's statuses from others on Azure DevOps, where rules of branches name it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Status:
    """What is said about a commit."""

    commit: str
    name: str
    state: str
    """`pending`, `success` or `failure`."""
    description: str
    unit: str
    """`kind/name`, which people read where the name is a digest."""
    summary: str


def render_status(
    provider: ProviderSpec, secret: Mapping[str, bytes], event: Event, name: Callable[[], str] = str
) -> HttpMessage | None:
    """The request that sets the status of the event's commit; None when it names none, or says nothing about it.

    What drifts says nothing: a commit is as its last apply and the health of its objects are.

    `name` gives what tells this status from others of the commit, empty for the usual one: `kind/name/<provider>`. It
    is asked only where there is a status to set.

    Raises:
        SpecError: the address is no repository of such a forge, or the Secret lacks what it needs; tells no secret.
    """
    commit = commit_of(revision(event))
    if not commit or is_about_drift(event):
        return None
    status = _Status(
        commit=commit,
        name=cut(one_line(clean(name())), _LONGEST_NAME) or status_name(provider, event),
        state=_state(event),
        description=cut(_words(event.reason), _LONGEST),
        unit=cut(one_line(clean(f"{event.unit.kind}/{event.unit.name}".lower())), _LONGEST),
        summary=cut(one_line(clean(event.metadata.get(SUMMARY, ""))), _LONGEST),
    )
    message = _FORMS[provider.type](read_target(provider, secret), status)
    check_headers(provider.where, message.headers)
    return message


def commit_of(text: str) -> str:
    """The commit in `branch@sha1:<hash>`, `tag@sha1:<hash>`, `sha1:<hash>` and the like; empty when there is none."""
    found = _COMMIT.fullmatch(text)
    return found[1] if found else ""


def status_name(provider: ProviderSpec, event: Event) -> str:
    """`kind/name/<8 characters of the provider's uid>`: differs from those of other clusters' providers."""
    short = uid(provider.id, event.stack)[:8]
    return cut(f"{event.unit.kind}/{event.unit.name}/{short}".lower(), _LONGEST_NAME)


def _state(event: Event) -> str:
    if event.reason == PROGRESSING:
        return "pending"
    return "failure" if is_error(event) else "success"


def _words(reason: str) -> str:
    """`HealthCheckFailed` as `health check failed`."""
    return " ".join(_WORD.findall(clean(reason))).lower()


def _send(url: str, payload: Mapping[str, Any], headers: Mapping[str, str]) -> HttpMessage:
    sent = {"Content-Type": "application/json", "Accept": "application/json", **headers}
    return HttpMessage(method="POST", url=url, headers=sent, body=encoded(payload))


def _parts(target: Target, least: int, expected: str) -> list[str]:
    """The path of the repository that the address names, without `.git`. Raises SpecError."""
    parts = [unquote(part) for part in target.url().path.strip("/").removesuffix(".git").split("/") if part]
    if len(parts) < least or any(part in (".", "..") for part in parts):
        raise SpecError.at(target.where, "spec.address", found="another path", expected=expected)
    return parts


def _path(*parts: str) -> str:
    return "/" + "/".join(quote(part, safe="") for part in parts)


def _at(target: Target, path: str, host: str = "") -> str:
    """The URL of a path that is quoted already."""
    parts = target.url()
    return urlunsplit((parts.scheme, host or parts.netloc, path, "", ""))


def _github(target: Target, status: _Status) -> HttpMessage:
    *_, owner, name = _parts(target, 2, "https://github.com/OWNER/REPOSITORY")
    host = str(target.url().hostname)
    repository = ("repos", owner, name, "statuses", status.commit)
    if host in ("github.com", "www.github.com"):
        url = _at(target, _path(*repository), "api.github.com")
    elif host.endswith(".ghe.com"):
        url = _at(target, _path(*repository), f"api.{host}")
    else:
        url = _at(target, _path("api", "v3", *repository))
    headers = {"Authorization": f"Bearer {target.needs('token')}", "X-GitHub-Api-Version": "2022-11-28"}
    payload = {"state": status.state, "context": status.name, "description": status.description}
    return _send(url, payload, {**headers, "Accept": "application/vnd.github+json"})


_GITLAB: Final = "https://gitlab.com/GROUP/PROJECT or https://gitlab.com/PROJECT-ID"


def _gitlab(target: Target, status: _Status) -> HttpMessage:
    parts = _parts(target, 1, _GITLAB)
    if len(parts) == 1 and not parts[0].isdecimal():
        raise SpecError.at(target.where, "spec.address", found="another path", expected=_GITLAB)
    project = "/".join(parts)
    url = _at(target, _path("api", "v4", "projects", project, "statuses", status.commit))
    state = {"pending": "running", "failure": "failed"}.get(status.state, status.state)
    payload = {"state": state, "name": status.name, "description": status.description}
    return _send(url, payload, {"PRIVATE-TOKEN": target.needs("token")})


def _gitea(target: Target, status: _Status) -> HttpMessage:
    *before, owner, name = _parts(target, 2, "https://gitea.example/OWNER/REPOSITORY")
    url = _at(target, _path(*before, "api", "v1", "repos", owner, name, "statuses", status.commit))
    payload = {"state": status.state, "context": status.name, "description": status.description}
    return _send(url, payload, {"Authorization": f"token {target.needs('token')}"})


_BITBUCKET_STATES: Final = {"pending": "INPROGRESS", "success": "SUCCESSFUL", "failure": "FAILED"}


def _bitbucket(target: Target, status: _Status) -> HttpMessage:
    *_, workspace, name = _parts(target, 2, "https://bitbucket.org/WORKSPACE/REPOSITORY")
    host = "api.bitbucket.org" if target.url().hostname == "bitbucket.org" else ""
    path = _path("2.0", "repositories", workspace, name, "commit", status.commit, "statuses", "build")
    token = target.needs("token")
    # an app password comes as `username:password`, an access token by itself
    login = f"Basic {_base64(token)}" if ":" in token else f"Bearer {token}"
    payload = {**_build(status, status.unit), "url": "https://bitbucket.org"}
    return _send(_at(target, path, host), payload, {"Authorization": login})


def _bitbucket_server(target: Target, status: _Status) -> HttpMessage:
    *before, scm, project, name = _parts(target, 3, "https://bitbucket.example/scm/PROJECT/REPOSITORY.git")
    if scm != "scm":
        expected = "https://bitbucket.example/scm/PROJECT/REPOSITORY.git"
        raise SpecError.at(target.where, "spec.address", found="a path without scm", expected=expected)
    path = _path(
        *before,
        "rest",
        "api",
        "latest",
        "projects",
        project,
        "repos",
        name,
        "commits",
        status.commit,
        "builds",
    )
    headers = target.bearer() or target.basic()
    if not headers:
        expected = "a Secret with a token, or with username and password"
        raise SpecError.at(target.where, "spec.secretRef", found=None, expected=expected)
    # pages show no description there
    shown = f"{status.unit} [{status.description}]"
    payload = {**_build(status, shown), "url": urlunsplit(target.url())}
    return _send(_at(target, path), payload, {**headers, "X-Atlassian-Token": "no-check"})


def _build(status: _Status, name: str) -> dict[str, str]:
    """A key is of 40 characters at most (Cloud), so Flux takes a SHA-1 of the name."""
    return {
        "key": hashlib.sha1(status.name.encode(), usedforsecurity=False).hexdigest(),
        "state": _BITBUCKET_STATES[status.state],
        "name": name,
        "description": status.description,
    }


def _azure(target: Target, status: _Status) -> HttpMessage:
    expected = "https://dev.azure.com/ORGANISATION/PROJECT/_git/REPOSITORY"
    parts = _parts(target, 3, expected)
    if "_git" not in parts[1:-1]:
        raise SpecError.at(target.where, "spec.address", found="a path without _git", expected=expected)
    before, name = parts[: parts.index("_git")], parts[-1]
    path = _path(*before, "_apis", "git", "repositories", name, "commits", status.commit, "statuses")
    state = {"pending": "pending", "success": "succeeded", "failure": "error"}[status.state]
    genre = f"{_GENRE}:{status.summary}" if status.summary else _GENRE
    payload = {
        "state": state,
        "description": status.description,
        "context": {"genre": genre, "name": status.name},
    }
    login = {"Authorization": f"Basic {_base64(':' + target.needs('token'))}"}
    return _send(f"{_at(target, path)}?api-version=7.1", payload, login)


def _base64(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


_FORMS: Final[Mapping[str, Callable[[Target, _Status], HttpMessage]]] = {
    "github": _github,
    "gitlab": _gitlab,
    "gitea": _gitea,
    "bitbucket": _bitbucket,
    "bitbucketserver": _bitbucket_server,
    "azuredevops": _azure,
}
