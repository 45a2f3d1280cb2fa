"""What a source yields: a revision that people read, and a digest that machines check."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

_HASH: Final = re.compile(r"\b([0-9a-f]{8})(?:[0-9a-f]{32}|[0-9a-f]{56})\b")


@dataclass(frozen=True, slots=True, kw_only=True)
class Artifact:
    """The content of a source at one revision. The bytes are in the store, keyed by `digest`."""

    revision: str
    """Flux's form: `main@sha1:<hash>`, `tag@sha1:<hash>` or `sha1:<hash>`."""
    digest: str
    """`sha256:<hex>` of the tree's manifest in the store."""

    def as_props(self) -> dict[str, str]:
        """Plain texts for Pulumi inputs; never a machine path."""
        return {"revision": self.revision, "digest": self.digest}


def short_revision(revision: str) -> str:
    """The revision with its hash cut to 8 characters, as Flux's tables show it: `main@sha1:abcd1234`."""
    head, colon, digest = revision.rpartition(":")
    return f"{head}{colon}{digest[:8]}" if colon else revision


def short_hashes(text: str) -> str:
    """The text with every SHA-1 and SHA-256 in it cut to 8 characters."""
    return _HASH.sub(r"\1", text)
