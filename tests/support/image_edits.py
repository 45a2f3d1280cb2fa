"""Commits, policies and an automation as plain values, for edits of images without Git and registries."""

from __future__ import annotations

from dataclasses import dataclass, field

from weir.edit.image import Image
from weir.flow.image_choice import Choice
from weir.select.tag_move import decide
from weir.select.tags import TagPolicy
from weir.spec.identity import UnitId
from weir.spec.image_automation import Author, ImageAutomationSpec
from weir.spec.image_policy import ImagePolicySpec, MoveRules, SemverRule

AUTOMATION = ImageAutomationSpec(
    id=UnitId("ImageUpdateAutomation", "flux", "all"),
    where="images.yaml: ImageUpdateAutomation/flux/all",
    annotations={},
    source=UnitId("GitRepository", "flux", "apps"),
    interval=60.0,
    author=Author(email="bot@example.com"),
)


class Commit(dict[str, str]):
    """The text of each file of a commit."""

    def files(self, prefix: str) -> tuple[str, ...]:
        return tuple(path for path in self if path.startswith(prefix))

    def read(self, path: str) -> bytes:
        return self[path].encode()


@dataclass
class Listed:
    """A policy over a list of tags."""

    tags: tuple[str, ...] = ("1.0.0", "1.1.0")
    namespace: str = "flux"
    labels: dict[str, str] = field(default_factory=dict)
    moves: MoveRules = field(default_factory=MoveRules)
    error: Exception | None = None
    name: str = "org/app"

    @property
    def spec(self) -> ImagePolicySpec:
        unit = UnitId("ImagePolicy", self.namespace, "app")
        return ImagePolicySpec(
            id=unit,
            where=f"images.yaml: {unit}",
            labels=self.labels,
            annotations={},
            repository=UnitId("ImageRepository", self.namespace, "app"),
            rule=SemverRule("1.x"),
        )

    def choose(self, current: Image | None) -> Choice:
        if self.error:
            raise self.error
        decision = decide(TagPolicy.parse(self.spec), self.tags, current.tag if current else "", self.moves)
        image = Image(name=self.name, tag=decision.tag) if decision.moves else current
        return Choice(image=image, decision=decision)
