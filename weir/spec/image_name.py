"""Names of images: which registry holds them, under which path, and what tags and digests look like.

Grammar: https://github.com/distribution/reference; Docker Hub's short names as in
https://fluxcd.io/flux/components/image/imagerepositories/#image (`alpine` is `docker.io/library/alpine`). Names that
mean the same compare equal: hosts are in lower case, and Docker Hub has one name.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from weir.spec.errors import SpecError

HUB: Final = "docker.io"
TAG: Final = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}", re.ASCII)
DIGEST: Final = re.compile(r"[a-z0-9]+(?:[.+_-][a-z0-9]+)*:[0-9a-f]{32,}", re.ASCII)
"""`sha256:<hexadecimal digits>`, or another algorithm."""

_HUB_HOST: Final = "registry-1.docker.io"
_HUB_HOSTS: Final = frozenset({"index.docker.io", _HUB_HOST})
_LABEL: Final = r"(?:[A-Za-z0-9]|[A-Za-z0-9][A-Za-z0-9-]*[A-Za-z0-9])"
_HOST: Final = re.compile(rf"(?:{_LABEL}(?:\.{_LABEL})*|\[[0-9A-Fa-f:]+\])(?::([0-9]{{1,5}}))?", re.ASCII)
_PART: Final = r"[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*"
_PATH: Final = re.compile(rf"{_PART}(?:/{_PART})*", re.ASCII)
_SHA256: Final = re.compile(r"sha256:[0-9a-f]{64}", re.ASCII)
_LONGEST: Final = 255
_HIGHEST_PORT: Final = 65535


@dataclass(frozen=True, slots=True)
class ImageName:
    """A repository of images. It holds no tag and no secret."""

    registry: str
    """`host` or `host:port` in lower case; `docker.io` for Docker Hub."""
    repository: str

    @property
    def canonical(self) -> str:
        """The full name: `docker.io/library/alpine`."""
        return f"{self.registry}/{self.repository}"

    @property
    def host(self) -> str:
        """The `host[:port]` that answers for this registry."""
        return _HUB_HOST if self.registry == HUB else self.registry


def parse_image_name(text: str, where: str = "image") -> ImageName:
    """The repository that a name such as `ghcr.io/team/app` or `alpine` means; `where` is for messages.

    The first part is a host when it holds a dot or a colon or is `localhost`.

    Raises:
        SpecError: a scheme, a tag or a digest, or what no repository is called.
    """
    first, slash, rest = text.partition("/")
    if not slash or not (set(".:") & set(first) or first.lower() == "localhost"):
        first, rest = HUB, text
    registry = registry_name(first)
    path = f"library/{rest}" if registry == HUB and "/" not in rest else rest
    if "://" in text or set(":@") & set(path):
        raise _refusal(text, where, "an image name without scheme, tag and digest")
    if not _is_host(registry) or not _PATH.fullmatch(path):
        raise _refusal(text, where, "an image name, [host[:port]/]path in lower case")
    if len(path) > _LONGEST:
        raise _refusal(text, where, f"an image name with a path of at most {_LONGEST} characters")
    return ImageName(registry, path)


def registry_name(host: str) -> str:
    """The one name of the registry at `host[:port]`: in lower case, `docker.io` for any of Docker Hub's hosts."""
    name = host.lower()
    return HUB if name in _HUB_HOSTS else name


def is_tag(value: object) -> bool:
    """Whether it is a tag as the OCI distribution specification allows."""
    return isinstance(value, str) and TAG.fullmatch(value) is not None


def is_sha256(value: object) -> bool:
    """Whether it is a sha256 digest, the only kind that registries answer with."""
    return isinstance(value, str) and _SHA256.fullmatch(value) is not None


def _is_host(text: str) -> bool:
    match = _HOST.fullmatch(text)
    return match is not None and int(match[1] or 1) in range(1, _HIGHEST_PORT + 1)


def _refusal(text: str, where: str, expected: str) -> SpecError:
    return SpecError.at(where, "", found=text, expected=expected, hint="such as ghcr.io/team/app")
