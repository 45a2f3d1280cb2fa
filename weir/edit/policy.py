"""What annotations of a workload say about its images, in Flux 1's words.

Each stands under `fluxcd.io/` or the older `flux.weave.works/`; the newer one counts where both are there. Rule:
https://github.com/fluxcd/flux/blob/master/docs/references/fluxctl.md#workload-policies (values are texts: `"true"`)
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

PREFIX: Final = "fluxcd.io/"
PREFIXES: Final = (PREFIX, "flux.weave.works/")
TAG: Final = "tag."
FILTER: Final = "filter.fluxcd.io/"
"""Another spelling of `fluxcd.io/tag.`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkloadPolicy:
    """What a workload asks for."""

    automated: bool = False
    """Whether newer images are released without asking."""
    locked: bool = False
    """Whether images stay as they are, whoever asks."""
    locked_message: str = ""
    locked_user: str = ""
    ignored: bool = False
    """Whether the object is left alone altogether."""
    tags: Mapping[str, str] = field(default_factory=dict)
    """The pattern of the tags that count by container: `semver:~1.0`, `glob:1.*`, `regexp:^v`."""


def read_policy(data: Mapping[str, Any]) -> WorkloadPolicy:
    """The policy in an object's annotations; anything but `"true"` is no, and a value that is no text is not there."""
    annotations = {key: value for key, value in annotations_of(data).items() if isinstance(value, str)}
    tags: dict[str, str] = {}
    for prefix in spellings(TAG):
        for key, value in annotations.items():
            if key.startswith(prefix):
                tags.setdefault(key.removeprefix(prefix), value)
    found = {name: _first(annotations, name) for name in ("automated", "locked", "ignore")}
    return WorkloadPolicy(
        automated=found["automated"] == "true",
        locked=found["locked"] == "true",
        locked_message=_first(annotations, "locked_msg"),
        locked_user=_first(annotations, "locked_user"),
        ignored=found["ignore"] == "true",
        tags=tags,
    )


def annotations_of(data: Mapping[str, Any]) -> dict[str, Any]:
    """An object's annotations as the text has them, also those that are no texts."""
    meta = data.get("metadata")
    annotations = meta.get("annotations") if isinstance(meta, dict) else None
    return annotations if isinstance(annotations, dict) else {}


def spellings(name: str) -> tuple[str, ...]:
    """The annotations that say a thing such as `locked` or `tag.web`, the one that counts first."""
    keys = tuple(prefix + name for prefix in PREFIXES)
    return (*keys, FILTER + name.removeprefix(TAG)) if name.startswith(TAG) else keys


def _first(annotations: Mapping[str, str], name: str) -> str:
    return next((annotations[key] for key in spellings(name) if key in annotations), "")
