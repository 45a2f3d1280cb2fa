"""What a tag stands for: its digest now, and for ever when the image behind a digest was made.

https://github.com/opencontainers/distribution-spec/blob/main/spec.md#pulling-manifests and
https://github.com/opencontainers/image-spec/blob/main/config.md (`created`). All content is checked against its digest.
"""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime
from typing import Any, Final

import orjson

from weir.edges.kept import Kept, key_of
from weir.edges.registry.client import Client, Question
from weir.edges.registry.errors import BadAnswerError
from weir.spec.errors import SpecError
from weir.spec.image_name import ImageName, is_sha256, is_tag

MANIFESTS: Final = (
    "application/vnd.oci.image.index.v1+json, application/vnd.docker.distribution.manifest.list.v2+json, "
    "application/vnd.oci.image.manifest.v1+json, application/vnd.docker.distribution.manifest.v2+json"
)
"""Every form of manifest: without the indexes, a registry answers with one platform's digest."""

_LARGEST: Final = 4 * 1024 * 1024
_DEEPEST: Final = 3
_FORM: Final = "created 1 "


def read_digest(client: Client, image: ImageName, tag: str) -> str:
    """The digest (`sha256:<hex>`) that a tag stands for now; of the index when there are several platforms.

    Raises:
        MissingError: there is no such tag.
        RegistryError: no usable answer.
        SpecError: it is no tag.
    """
    if not is_tag(tag):
        raise SpecError.at(image.canonical, "tag", found=tag, expected="letters, digits and . _ -")
    deadline = client.deadline()
    head = Question(image=image, path=f"manifests/{tag}", method="HEAD", accept=MANIFESTS)
    digest = client.ask(head, deadline).headers.get("docker-content-digest", "")
    if is_sha256(digest):
        return digest
    whole = Question(image=image, path=f"manifests/{tag}", accept=MANIFESTS, largest=_LARGEST)
    return _digest_of(client.ask(whole, deadline).body)


def read_created(client: Client, image: ImageName, digest: str, kept: Kept) -> datetime | None:
    """When the image of a digest was made (of an index: its first platform's); None when it does not say.

    Raises:
        RegistryError: no usable answer, or content that is not what the digest says.
    """
    key = key_of(_FORM + digest)
    known = kept.get(key)
    if known is not None:
        return _moment(known.decode("ascii", "replace"))
    config = _config(client, image, digest, client.deadline())
    text = config.get("created") if config else None
    moment = _moment(text if isinstance(text, str) else "")
    kept.put(key, moment.isoformat().encode() if moment else b"")
    return moment


def _config(client: Client, image: ImageName, digest: str, deadline: float) -> dict[str, Any] | None:
    """The configuration of an image, of the first platform of an index; None for what is no image."""
    for _ in range(_DEEPEST):
        manifest = _fetch(client, image, f"manifests/{digest}", digest, deadline)
        if not isinstance(manifest.get("manifests"), list):
            config = manifest.get("config")
            found = config.get("digest") if isinstance(config, dict) else None
            return _fetch(client, image, f"blobs/{found}", str(found), deadline) if is_sha256(found) else None
        following = _first_platform(manifest["manifests"])
        if following is None:
            return None
        digest = following
    raise BadAnswerError(f"{image.canonical}: found an index in an index in an index", hint="push it again")


def _first_platform(manifests: list[Any]) -> str | None:
    """The first entry that is an image: attestations stand in an index with the platform `unknown`."""
    for entry in manifests:
        if isinstance(entry, dict) and is_sha256(entry.get("digest")):
            platform = entry.get("platform")
            if not isinstance(platform, dict) or platform.get("os") != "unknown":
                return str(entry["digest"])
    return None


def _fetch(client: Client, image: ImageName, path: str, digest: str, deadline: float) -> dict[str, Any]:
    accept = MANIFESTS if path.startswith("manifests/") else "*/*"
    body = client.ask(Question(image=image, path=path, accept=accept, largest=_LARGEST), deadline).body
    if _digest_of(body) != digest:
        raise BadAnswerError(
            f"{image.canonical}: the registry answers with other content than {digest}",
            hint="tell who runs the registry",
        )
    try:
        document: Any = orjson.loads(body)
    except ValueError:
        document = {}
    return document if isinstance(document, dict) else {}


def _digest_of(content: bytes) -> str:
    return "sha256:" + hashlib.sha256(content).hexdigest()


def _moment(text: str) -> datetime | None:
    """The time in RFC 3339 form; the zero time of Go programs says nothing."""
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return None
    moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return moment if moment.year > 1 else None
