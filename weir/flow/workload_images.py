"""Which images the containers of Flux 1's workloads get: the newest that their patterns let through, or a given one."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Final

from weir.edit.image import Image
from weir.edit.policy import PREFIX, TAG
from weir.edit.workload import Container as Named
from weir.edit.workload import Workload
from weir.edit.workload_commands import Answer
from weir.flow.image_choice import Choice
from weir.flow.images import Container
from weir.select.workload_tags import ALL, WorkloadPattern
from weir.spec.errors import SpecError
from weir.spec.image_name import parse_image_name
from weir.spec.image_policy import MOVES, parse_move_rules

ChooseFor = Callable[[Container], Choice]
"""What a container of a workload should use, as `Registries.choose_for` says it."""

ANOTHER: Final = "it is another image"


def container_of(file: str, namespace: str, workload: Workload, container: Named) -> Container:
    """A container as registries want to know it. Raises SpecError for annotations that cannot be followed."""
    where = _where(file, workload, container)
    moves = {key: value for key, value in workload.annotations.items() if key in MOVES}
    return Container(
        where=where,
        namespace=namespace,
        image=container.image,
        pattern=_pattern(where, workload, container),
        moves=parse_move_rules(moves, where),
        pull_secrets=workload.pull_secrets,
        service_account=workload.service_account,
    )


def newest(file: str, namespace: str, choose_for: ChooseFor) -> Answer:
    """The newest image of each container that its pattern lets through, as automation chooses it."""

    def answer(workload: Workload, container: Named) -> Image | str:
        choice = choose_for(container_of(file, namespace, workload, container))
        found = choice.image or container.image
        image = replace(container.image, tag=found.tag, digest=found.digest)
        return choice.decision.reason or image if image == container.image else image

    return answer


def given(file: str, image: Image, *, force: bool = False) -> Answer:
    """One image, for the containers that use another tag of it; their patterns have to let it through unless forced.

    Raises:
        SpecError: an image without tag and digest; later, a pattern that is none.
    """
    if not image.version:
        expected = "an image with a tag or a digest"
        raise SpecError.at(
            "image", "", found=str(image), expected=expected, hint=f"such as {image.name}:1.2.3"
        )
    name = parse_image_name(image.name)

    def answer(workload: Workload, container: Named) -> Image | str:
        if parse_image_name(container.image.name) != name:
            return ANOTHER
        pattern = _pattern(_where(file, workload, container), workload, container)
        if image.tag and not force and not pattern.matches(image.tag):
            return f"the tag {image.tag} does not match {pattern.text}"
        return replace(container.image, tag=image.tag, digest=image.digest)

    return answer


def _where(file: str, workload: Workload, container: Named) -> str:
    return f"{file}: {workload.id}: {container.name}"


def _pattern(where: str, workload: Workload, container: Named) -> WorkloadPattern:
    text = workload.policy.tags.get(container.name, ALL)
    return WorkloadPattern.parse(text, where, f"{PREFIX}{TAG}{container.name}")
