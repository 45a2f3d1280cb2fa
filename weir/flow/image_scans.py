"""One repository of images as one set of credentials sees it during one run: every question is asked once.

This is the part of image automation that loads the registry's client; `weir.flow.images` imports it when needed.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Final

import orjson

from weir.edges.kept import Kept, key_of
from weir.edges.registry.client import Client
from weir.edges.registry.images import read_created, read_digest
from weir.edges.registry.scan import TagList, last_scan, scan
from weir.flow.once import Once
from weir.spec.image_name import ImageName

LOOKED_AT_AGAIN: Final = 100
"""Tags with a known build date that a run looks at again: those that nobody looked at for longest."""

_AT_ONCE: Final = 8
"""Questions to one registry at a time, as many as the client keeps connections."""
_FORM: Final = "dates 1"


@dataclass(frozen=True, slots=True)
class Built:
    """What a tag stood for when somebody looked."""

    digest: str
    born: float
    """Epoch seconds, 0 when the image does not say."""
    looked: float
    """Epoch seconds."""


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
        self._trusted: dict[str, Built] = {}
        self._lock = threading.Lock()

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

    def built(self, tag: str) -> float:
        """When the image of a tag was built, as far as `read_ahead` looked; `confirm` makes sure."""
        known = self._trusted.get(tag)
        return known.born if known else self.born(self.digest(tag))

    def read_ahead(self, tags: Sequence[str], read: Callable[[str], object]) -> None:
        """Call `read`, which asks for `built`, for all tags, several at a time; the first error ends it.

        Of many tags that were seen before only some are looked at again, so that a run asks for what is new and a
        little more, however long the list is.
        """
        if not tags:
            return
        with self._lock:
            known = self._load()
            again = sorted((tag for tag in tags if tag in known), key=lambda tag: (known[tag].looked, tag))
            self._trusted |= {tag: known[tag] for tag in again[LOOKED_AT_AGAIN:]}
            with ThreadPoolExecutor(_AT_ONCE, thread_name_prefix="tags") as pool:
                try:
                    for _ in pool.map(read, tags):
                        pass
                finally:
                    pool.shutdown(cancel_futures=True)
                    self._store(known, tags)

    def confirm(self, tag: str) -> bool:
        """Whether a tag still stands for what `built` said; when not, `built` is right from now on."""
        known = self._trusted.pop(tag, None)
        return known is None or known.digest == self.digest(tag)

    def _scan(self) -> TagList:
        found = scan(self._client, self._image, self._kept, self._now)
        self._outage = found.error
        return found

    def _born(self, digest: str) -> float:
        moment = read_created(self._client, self._image, digest, self._kept)
        return moment.timestamp() if moment else 0.0

    def _key(self) -> str:
        client, image = self._client, self._image
        return key_of(f"{_FORM} {client.base(image)} {image.canonical} {client.access.fingerprint(image)}")

    def _load(self) -> dict[str, Built]:
        payload = self._kept.get(self._key())
        return {tag: Built(*values) for tag, values in orjson.loads(payload or b"{}").items()}

    def _store(self, known: dict[str, Built], tags: Sequence[str]) -> None:
        """Remember what was looked at now, and of the rest what the registry still lists."""
        listed, now = set(self.scan().tags), self._now()
        rest = {tag: one for tag, one in known.items() if tag in listed}
        found = {tag: self._digests.known(tag) for tag in tags}
        fresh = {
            tag: Built(digest, born, now)
            for tag, digest in found.items()
            if digest and (born := self._births.known(digest)) is not None
        }
        entries = {tag: (one.digest, one.born, one.looked) for tag, one in (rest | fresh).items()}
        self._kept.put(self._key(), orjson.dumps(entries))
