"""Names of image repositories, and the hosts that serve them.

Grammar: https://github.com/distribution/reference; Docker Hub's short names as in
https://fluxcd.io/flux/components/image/imagerepositories/#image (`alpine` is `docker.io/library/alpine`).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from weir.spec.errors import SpecError

HUB: Final = "docker.io"
_HUB_NAMES: Final = frozenset({HUB, "index.docker.io", "registry-1.docker.io"})
_HUB_HOST: Final = "registry-1.docker.io"

_LABEL: Final = r"(?:[A-Za-z0-9]|[A-Za-z0-9][A-Za-z0-9-]*[A-Za-z0-9])"
_HOST: Final = re.compile(rf"(?:{_LABEL}(?:\.{_LABEL})*|\[[0-9A-Fa-f:]+\])(?::([0-9]{{1,5}}))?", re.ASCII)
_PART: Final = r"[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*"
_PATH: Final = re.compile(rf"{_PART}(?:/{_PART})*", re.ASCII)
_TAG: Final = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,127}", re.ASCII)
_DIGEST: Final = re.compile(r"sha256:[0-9a-f]{64}", re.ASCII)
_LONGEST: Final = 255
_HIGHEST_PORT: Final = 65535


@dataclass(frozen=True, slots=True)
class ImageName:
    """A repository of images. It holds no tag and no secret."""

    registry: str
    """`host` or `host:port` as people write it; `docker.io` for Docker Hub."""
    repository: str

    @property
    def canonical(self) -> str:
        """The full name: `docker.io/library/alpine`."""
        return f"{self.registry}/{self.repository}"

    @property
    def host(self) -> str:
        """The `host[:port]` that answers for this registry."""
        return _HUB_HOST if self.registry == HUB else self.registry


def parse_image(text: str, where: str = "image") -> ImageName:
    """The repository that `spec.image` names, such as `ghcr.io/team/app` or `alpine`.

    Raises:
        SpecError: a scheme, a tag or a digest, or characters that no repository name has.
    """

    def refuse(expected: str) -> SpecError:
        return SpecError.at(where, "", found=text, expected=expected, hint="such as ghcr.io/team/app")

    if "://" in text:
        raise refuse("an image name without a scheme")
    first, slash, rest = text.partition("/")
    if not slash or not (set(".:[") & set(first) or first == "localhost" or first != first.lower()):
        first, rest = HUB, text
    registry = HUB if first.lower() in _HUB_NAMES else first.lower()
    path = f"library/{rest}" if registry == HUB and "/" not in rest else rest
    if set(":@") & set(path):
        raise refuse("an image name without a tag or digest")
    if not is_host(registry) or not _PATH.fullmatch(path) or len(path) > _LONGEST:
        raise refuse("[host[:port]/]path in lower case")
    return ImageName(registry, path)


def is_host(text: str) -> bool:
    """Whether it is `host` or `host:port`, with a port that exists."""
    match = _HOST.fullmatch(text)
    return match is not None and int(match[1] or 1) in range(1, _HIGHEST_PORT + 1)


def is_tag(text: object) -> bool:
    """Whether the value is a tag as the OCI distribution specification allows."""
    return isinstance(text, str) and _TAG.fullmatch(text) is not None


def is_digest(text: object) -> bool:
    """Whether the value is a sha256 digest, the only kind that registries answer with."""
    return isinstance(text, str) and _DIGEST.fullmatch(text) is not None


def hub_name(host: str) -> str:
    """`docker.io` for any of Docker Hub's names, other hosts as they are."""
    return HUB if host in _HUB_NAMES else host
