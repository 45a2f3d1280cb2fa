"""The tags of a repository, remembered: what the registry says now, or what it said last and why not now."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

import orjson

from weir.edges.kept import Kept, key_of
from weir.edges.registry.client import Client
from weir.edges.registry.errors import RegistryError
from weir.edges.registry.tags import Page, join, list_pages
from weir.spec.image_name import ImageName

_FORM: Final = "tags 1"


@dataclass(frozen=True, slots=True, kw_only=True)
class TagList:
    """The tags of one repository at one moment."""

    image: ImageName
    tags: tuple[str, ...]
    """In the registry's order, each once."""
    at: float
    """When the registry said so, in seconds since the epoch."""
    error: RegistryError | None = None
    """Why these are the last good tags and not the present ones."""


def scan(client: Client, image: ImageName, kept: Kept, now: Callable[[], float] = time.time) -> TagList:
    """The present tags; when they cannot be read, the last good ones with the error beside them.

    What was read with other credentials is never used.

    Raises:
        RegistryError: the tags cannot be read and were never read before.
        StopRequested: the run was cancelled.
    """
    key = _key(client, image)
    at, known = _load(kept.get(key))
    try:
        pages = list_pages(client, image, known)
    except RegistryError as err:
        if not known:
            raise
        return TagList(image=image, tags=join(known), at=at, error=err)
    at = now()
    kept.put(key, _dump(at, pages))
    return TagList(image=image, tags=join(pages), at=at)


def last_scan(client: Client, image: ImageName, kept: Kept) -> TagList | None:
    """The last good tags that were read with these credentials, None when there are none. Nothing is asked."""
    at, known = _load(kept.get(_key(client, image)))
    return TagList(image=image, tags=join(known), at=at) if known else None


def _key(client: Client, image: ImageName) -> str:
    return key_of(f"{_FORM} {client.base(image)} {image.canonical} {client.access.fingerprint(image)}")


def _dump(at: float, pages: tuple[Page, ...]) -> bytes:
    return orjson.dumps({"at": at, "pages": [(p.query, p.etag, p.tags, p.following) for p in pages]})


def _load(payload: bytes | None) -> tuple[float, tuple[Page, ...]]:
    if payload is None:
        return 0.0, ()
    document: dict[str, Any] = orjson.loads(payload)
    rows = document["pages"]
    return document["at"], tuple(
        Page(query, etag, tuple(tags), following) for query, etag, tags, following in rows
    )
