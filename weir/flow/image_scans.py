"""One repository of images as one set of credentials sees it during one run: every question is asked once.

This is the part of image automation that loads the registry's client; `weir.flow.images` imports it when needed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import Final

from weir.edges.kept import Kept
from weir.edges.registry.client import Client
from weir.edges.registry.images import read_created, read_digest
from weir.edges.registry.scan import TagList, last_scan, scan
from weir.flow.once import Once
from weir.spec.image_name import ImageName

_AT_ONCE: Final = 8
"""Questions to one registry at a time, as many as the client keeps connections."""


class Repository:
    """What a registry says about one repository. Thread-safe; each method raises RegistryError or StopRequested."""

    def __init__(self, client: Client, image: ImageName, kept: Kept, now: Callable[[], float]) -> None:
        self._client = client
        self._image = image
        self._kept = kept
        self._now = now
        self._scans: Once[None, TagList] = Once()
        self._digests: Once[str, str] = Once()
        self._births: Once[str, float] = Once()
        self._outage: Exception | None = None

    def scan(self) -> TagList:
        """The present tags, or the last good ones with the error beside them."""
        return self._scans.get(None, self._scan)

    def last_scan(self) -> TagList | None:
        """The last good tags without asking, None when there are none."""
        return last_scan(self._client, self._image, self._kept)

    def digest(self, tag: str) -> str:
        """The digest that a tag stands for now. A registry that did not list its tags is not asked."""
        if self._outage:
            raise self._outage
        return self._digests.get(tag, lambda: read_digest(self._client, self._image, tag))

    def born(self, digest: str) -> float:
        """When the image of a digest was built, in epoch seconds; 0 when it does not say."""
        return self._births.get(digest, lambda: self._born(digest))

    def read_ahead(self, tags: Iterable[str], read: Callable[[str], object]) -> None:
        """Call `read` for all tags, several at a time; the first error ends it."""
        with ThreadPoolExecutor(_AT_ONCE, thread_name_prefix="tags") as pool:
            try:
                for _ in pool.map(read, tags):
                    pass
            except BaseException:
                pool.shutdown(cancel_futures=True)
                raise

    def _scan(self) -> TagList:
        found = scan(self._client, self._image, self._kept, self._now)
        self._outage = found.error
        return found

    def _born(self, digest: str) -> float:
        moment = read_created(self._client, self._image, digest, self._kept)
        return moment.timestamp() if moment else 0.0
