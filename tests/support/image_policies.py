"""Image policies in short, and build dates that remember who asked."""

from __future__ import annotations

from typing import Any, Final

from weir.select.tags import TagPolicy
from weir.spec.identity import UnitId
from weir.spec.image_policy import ImagePolicySpec, Rule, TagFilter

ID: Final = UnitId("ImagePolicy", "apps", "web")
WHERE: Final = f"f.yaml: {ID}"


def policy(rule: Rule, pattern: str = "", extract: str = "") -> TagPolicy:
    """The policy of an ImagePolicy with this rule and filter."""
    wanted = TagFilter(pattern=pattern, extract=extract)
    spec = ImagePolicySpec(
        id=ID, where=WHERE, labels={}, annotations={}, repository=ID, rule=rule, filter_tags=wanted
    )
    return TagPolicy.parse(spec)


class Asked(dict[str, float]):
    """Build dates by tag; `asked` holds the tags that somebody wanted to know about."""

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self.asked: set[str] = set()

    def get(self, tag: str, default: Any = None) -> Any:
        """The date, written down as asked for."""
        self.asked.add(tag)
        return super().get(tag, default)
