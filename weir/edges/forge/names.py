"""Where a Git repository lives on a forge, and where that forge's API answers. Pure.

GitHub: https://docs.github.com/en/rest/using-the-rest-api/getting-started-with-the-rest-api and, for Enterprise Server,
https://docs.github.com/en/enterprise-server@latest/rest/enterprise-admin (`/api/v3`); `*.ghe.com`:
https://docs.github.com/en/enterprise-cloud@latest/admin/data-residency/network-details-for-ghecom
GitLab: https://docs.gitlab.com/api/rest/ (`/api/v4`). Gitea: https://docs.gitea.com/development/api-usage (`/api/v1`).
"""

from __future__ import annotations

import re
from typing import Final
from urllib.parse import unquote, urlsplit

from weir.edges.git.url import parse_url
from weir.spec.errors import SourceError
from weir.spec.forge_hosts import ALIASES
from weir.spec.image_automation import ForgeKind

_SEGMENT: Final = re.compile(r"[^\x00-\x20\x7f/?#%\\]+")
_VERSIONS: Final[dict[ForgeKind, str]] = {"github": "api/v3", "gitlab": "api/v4", "gitea": "api/v1"}
_DATA_RESIDENCY: Final = ".ghe.com"


def repository_of(git_url: str) -> tuple[str, str]:
    """The host (with a port that HTTP is reached at) and the path `group/sub/name` of a repository, or its number.

    Raises:
        SourceError: the URL is none, or names no repository within a group or an account.
    """
    url = parse_url(git_url)
    host = url.authority if url.http else url.host
    path = unquote(url.path.strip("/")).removesuffix(".git")
    parts = path.split("/")
    # an owner and a name, or a project's number on GitLab
    if (len(parts) == 1 and not path.isdecimal()) or not all(map(_is_segment, parts)):
        raise SourceError(
            f"URL: found no repository of a forge in {url.text}, expected a path such as team/name",
            hint="correct spec.url, or leave the pull request out",
        )
    return ALIASES.get(host, host), path


def default_api(kind: ForgeKind, host: str) -> str:
    """The URL of the API that a host has, without a slash at its end."""
    if kind == "github" and host == "github.com":
        return "https://api.github.com"
    if kind == "github" and host.endswith(_DATA_RESIDENCY):
        return f"https://api.{host}"
    return f"https://{host}/{_VERSIONS[kind]}"


def path_for(api: str, git_url: str) -> str:
    """The repository's path for an API that may be below a folder, as at `https://host/git/api/v1`.

    Git over HTTP then has that folder in its URL too, which is no part of the repository's name.
    """
    host, path = repository_of(git_url)
    parts = urlsplit(api)
    folder = re.sub(r"/?api/v\d+$", "", parts.path.strip("/"))
    below = path.removeprefix(f"{folder}/")
    same = parse_url(git_url).http and parts.hostname == host.partition(":")[0]
    return below if folder and same and "/" in below else path


def owner_and_name(path: str) -> tuple[str, str]:
    """The two parts that a repository has on GitHub and Gitea.

    Raises:
        SourceError: there are more or fewer.
    """
    parts = path.split("/")
    if len(parts) != 2:  # noqa: PLR2004
        raise SourceError(
            f"pull request: found repository {path!r}, expected an owner and a name",
            hint="correct spec.url, or the kind of forge",
        )
    return parts[0], parts[1]


def _is_segment(text: str) -> bool:
    return bool(_SEGMENT.fullmatch(text)) and text not in (".", "..")
