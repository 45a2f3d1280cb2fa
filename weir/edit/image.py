"""An image reference in its parts: name, tag and digest.

Rule: https://github.com/distribution/reference (the grammar of names, tags and digests). Flux writes a whole reference
as `name:tag`, and as `name:tag@digest` when a digest is known.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from weir.spec.errors import SpecError
from weir.spec.image_name import DIGEST, TAG, parse_image_name

Part = Literal["", "name", "tag", "digest"]
"""What a field holds of an image; empty for the whole reference."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Image:
    """One image. Raises SpecError when built from parts that no registry could hold."""

    name: str
    """Registry and repository, in the form that a person chose: `nginx`, `ghcr.io/org/app`."""
    tag: str = ""
    digest: str = ""
    """`sha256:<hexadecimal digits>`."""

    def __post_init__(self) -> None:
        parse_image_name(self.name, "an image: name")
        for field, value, form in (("tag", self.tag, TAG), ("digest", self.digest, DIGEST)):
            if value and not form.fullmatch(value):
                expected = f"the {field} of an image"
                hint = "correct the reference, for example ghcr.io/org/app:1.2.3"
                raise SpecError.at("an image", field, found=value, expected=expected, hint=hint)

    @classmethod
    def parse(cls, reference: str) -> Image:
        """The image that a text such as `ghcr.io/org/app:1.2.3@sha256:...` names. Raises SpecError."""
        rest, _, digest = reference.partition("@")
        head, colon, tag = rest.rpartition(":")
        if not colon or "/" in tag:
            head, tag = rest, ""
        return cls(name=head, tag=tag, digest=digest)

    def __str__(self) -> str:
        """The whole reference."""
        return self.name + (f":{self.tag}" if self.tag else "") + (f"@{self.digest}" if self.digest else "")

    @property
    def version(self) -> str:
        """Tag and digest, as they stand in a field of their own: `1.2.3` or `1.2.3@sha256:...`."""
        return str(self)[len(self.name) :].removeprefix(":")

    def part(self, part: Part) -> str:
        """One part as text; empty when the image does not have it."""
        return {"": str(self), "name": self.name, "tag": self.tag, "digest": self.digest}[part]
