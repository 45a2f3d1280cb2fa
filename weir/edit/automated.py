"""Flux 1's automation: newer images for the workloads of a file that ask for them in their annotations.

Rule: https://github.com/fluxcd/flux/blob/master/docs/references/automated-image-update.md
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import replace
from typing import Final

from weir.edit.changes import Edited, NewValue, with_values
from weir.edit.image import Image
from weir.edit.nodes import read_text
from weir.edit.workload import Container, Workload, image_values, placed_workloads
from weir.spec.errors import SpecError

TOKEN: Final = b"automated"
"""A file without this text automates nothing and is not read at all."""

ChooseFor = Callable[[Workload, Container], Image | None]
"""The image whose tag and digest a container gets; None leaves it as it is."""


def edit_automated(
    data: bytes, file: str, choose: ChooseFor, followed: Collection[int] = frozenset()
) -> Edited:
    """A file with the images that are chosen for automated workloads, each under the name that the text gives it.

    Locked and ignored workloads stay, and so do images on the lines of `followed`, which belong to markers.

    Raises:
        SpecError: the file is not readable YAML, or would not mean the same after the edit apart from images.
    """
    if TOKEN not in data:
        return Edited(data=data)
    text = read_text(data, file)
    values: list[NewValue] = []
    problems: list[SpecError] = []
    for placed, workload in placed_workloads(text):
        if not workload.policy.automated or workload.policy.locked or workload.policy.ignored:
            continue
        problems += workload.problems
        for container in workload.containers:
            image = choose(workload, container)
            if image is None:
                continue
            new = replace(container.image, tag=image.tag, digest=image.digest)
            try:
                found = image_values(text, placed, container.name, new) if new != container.image else ()
            except SpecError as problem:
                problems.append(problem)
                continue
            if all(value.change.line not in followed for value in found):
                values += found
    return replace(with_values(text, values), problems=tuple(problems))
