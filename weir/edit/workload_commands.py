"""What people tell workloads in Flux 1's way: to follow new images or not, to stay as they are, to use an image now.

Each gives the file that holds the workload, edited. Rule:
https://github.com/fluxcd/flux/blob/master/docs/references/fluxctl.md
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass

from weir.edit.annotations import set_policy
from weir.edit.changes import Change, Edited
from weir.edit.find_workload import Found
from weir.edit.image import Image
from weir.edit.workload import Container, Workload, set_image
from weir.spec.errors import SpecError

Answer = Callable[[Workload, Container], Image | str]
"""The image that a container gets, or why it keeps the one it has."""


@dataclass(frozen=True, slots=True)
class Kept:
    """A container whose image stays as it is."""

    container: str
    image: Image
    why: str


@dataclass(frozen=True, slots=True)
class Released:
    """The file of a workload with new images."""

    edited: Edited
    kept: tuple[Kept, ...]


def automate(found: Found) -> Edited:
    """Release newer images without asking. Raises SpecError, as all of these, for a text that cannot be edited."""
    return set_policy(found.data, found.file, found.workload.id, {"automated": "true"})


def deautomate(found: Found) -> Edited:
    """Release images only when somebody says so."""
    return set_policy(found.data, found.file, found.workload.id, {"automated": None})


def lock(found: Found, *, message: str = "", user: str = "") -> Edited:
    """Release no images at all; message and user say why and who, and replace those of a lock that is there."""
    values = {"locked": "true", "locked_msg": message or None, "locked_user": user or None}
    return set_policy(found.data, found.file, found.workload.id, values)


def unlock(found: Found) -> Edited:
    """Take a lock away, with its message and user."""
    return set_policy(
        found.data, found.file, found.workload.id, dict.fromkeys(("locked", "locked_msg", "locked_user"))
    )


def release(
    found: Found, answer: Answer, *, containers: Collection[str] = (), force: bool = False
) -> Released:
    """Set the images that `answer` gives, in all containers or in those that are named.

    A locked workload keeps its images unless forced to; an ignored one always.

    Raises:
        SpecError: a container that is not there, or a text that cannot be edited.
    """
    workload, data = found.workload, found.data
    known = [container.name for container in workload.containers]
    for name in containers:
        if name not in known:
            where, expected = (
                f"{found.file}: {workload.id}: container",
                " or ".join(known) or "a workload with images",
            )
            raise SpecError.at(where, "", found=name, expected=expected)
    refusal = _refusal(workload, force=force)
    changes: list[Change] = []
    kept: list[Kept] = []
    for container in workload.containers:
        if containers and container.name not in containers:
            continue
        image = refusal or answer(workload, container)
        if isinstance(image, str) or image == container.image:
            why = image if isinstance(image, str) else "it is in use already"
            kept.append(Kept(container.name, container.image, why))
            continue
        edited = set_image(data, found.file, workload.id, container.name, image)
        data = edited.data
        changes += edited.changes
    return Released(Edited(data=data, changes=tuple(changes)), tuple(kept))


def _refusal(workload: Workload, *, force: bool) -> str:
    """Why a workload keeps its images, empty when it need not."""
    policy = workload.policy
    if policy.ignored:
        return "the workload is ignored"
    if not policy.locked or force:
        return ""
    by = f" by {policy.locked_user}" if policy.locked_user else ""
    return f"the workload is locked{by}" + (f": {policy.locked_message}" if policy.locked_message else "")
