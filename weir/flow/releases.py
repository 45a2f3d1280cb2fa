"""`weir release`: the command that gives a workload other images."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from weir.edit.find_workload import Found
from weir.edit.image import Image
from weir.edit.workload_commands import Released, release
from weir.flow.images import Registries
from weir.flow.look import Present
from weir.flow.workload_images import given, newest
from weir.flow.workload_verbs import Command
from weir.spec.errors import SpecError


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """Which images workloads are to get."""

    image: Image | None = None
    """None for the newest ones that their patterns let through."""
    containers: tuple[str, ...] = ()
    """Empty for all."""
    force: bool = False

    @classmethod
    def parse(cls, image: str, *, containers: Collection[str] = (), force: bool = False) -> Wanted:
        """Read an image's reference, empty for none. Raises SpecError."""
        parsed = Image.parse(image) if image else None
        if parsed and not parsed.version:
            hint = f"such as {parsed.name}:1.2.3"
            raise SpecError.at(
                "--update-image", "", found=image, expected="an image with a tag or a digest", hint=hint
            )
        return cls(image=parsed, containers=tuple(containers), force=force)


def release_command(present: Present, wanted: Wanted) -> Command:
    """Give a workload what is wanted. Registries are asked for the newest images only, each question once."""
    session = present.session
    registries = Registries(session.clusters, same_namespace=session.config.options.no_cross_namespace_refs)

    def command(found: Found) -> Released:
        answer = (
            given(found.file, wanted.image, force=wanted.force)
            if wanted.image
            else newest(found.file, found.name.namespace, registries.choose_for)
        )
        return release(found, answer, containers=wanted.containers, force=wanted.force)

    return command
