"""Label selectors as Kubernetes writes them in objects: `matchLabels` and `matchExpressions`.

Rule: https://kubernetes.io/docs/concepts/overview/working-with-objects/labels/#resources-that-support-set-based-requirements
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from weir.spec.fields import Fields

Operator = Literal["In", "NotIn", "Exists", "DoesNotExist"]


@dataclass(frozen=True, slots=True)
class Requirement:
    """What one label has to be."""

    key: str
    operator: Operator
    values: tuple[str, ...] = ()
    """For In and NotIn only."""

    def matches(self, labels: Mapping[str, str]) -> bool:
        """Whether labels meet it. A label that is not there is not in any list of values."""
        found = labels.get(self.key)
        if self.operator in ("In", "NotIn"):
            return (found in self.values) == (self.operator == "In")
        return (found is not None) == (self.operator == "Exists")


@dataclass(frozen=True, slots=True)
class LabelSelector:
    """Which labels are meant: those that meet all of it. An empty selector means all."""

    labels: Mapping[str, str] = field(default_factory=dict)
    requirements: tuple[Requirement, ...] = ()

    def matches(self, labels: Mapping[str, str]) -> bool:
        """Whether these labels are meant."""
        return self.labels.items() <= labels.items() and all(one.matches(labels) for one in self.requirements)


def parse_label_selector(fields: Fields | None) -> LabelSelector:
    """The selector in these fields; the one that means all for none. Raises SpecError."""
    if fields is None:
        return LabelSelector()
    requirements = tuple(_parse_requirement(item) for item in fields.children("matchExpressions"))
    selector = LabelSelector(fields.text_map("matchLabels"), requirements)
    fields.done()
    return selector


def _parse_requirement(fields: Fields) -> Requirement:
    operator = fields.text("operator", one_of=("In", "NotIn", "Exists", "DoesNotExist"))
    found = Requirement(fields.text("key"), operator, fields.texts("values"))
    fields.done()
    listed = operator in ("In", "NotIn")
    if listed != bool(found.values):
        raise fields.error(
            "values", f"{'one or more texts' if listed else 'nothing'} for operator {operator}"
        )
    return found
