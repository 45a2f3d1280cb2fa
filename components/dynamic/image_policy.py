"""An image policy on the resolve side: `check` confirms the image that the run chose ahead."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import pulumi
from pulumi.dynamic import Resource

from components.dynamic.confirmed import ConfirmedProvider, Props
from weir.flow.outcome import Outcome, PolicyOutcome
from weir.spec.identity import UnitId

if TYPE_CHECKING:
    from weir.spec.record import UnitRecord

TRACKED: Final = ("unit", "stack", "repository", "suspended", "image", "reason", "error")


class ImagePolicyProvider(ConfirmedProvider):
    """Nothing to make or change: an image reaches the cluster through a commit only."""

    TRACKED = TRACKED

    def confirmed(self, outcome: Outcome) -> Props:
        """The image, and what is not as usual with it."""
        if not isinstance(outcome, PolicyOutcome):
            return {}
        unusual = "; ".join(filter(None, [outcome.reason, *outcome.warnings]))
        return {"image": outcome.image, "reason": unusual, "error": outcome.error}

    def record(self, props: Props) -> UnitRecord:
        """In Flux's words."""
        from weir.flow.resolved_record import policy_record

        return policy_record(
            UnitId.parse(props["unit"]),
            props["stack"],
            repository=props["repository"],
            image=props["image"],
            reason=props["reason"],
            error=props["error"],
            suspended=props["suspended"] == "true",
        )


class ImagePolicy(Resource, module="weir", name="ImagePolicy"):
    """One image policy: which repository it follows and which image it chose."""

    image: pulumi.Output[str]
    error: pulumi.Output[str]

    def __init__(
        self, name: str, unit: str, repository: str, suspended: str, opts: pulumi.ResourceOptions
    ) -> None:
        given = {"unit": unit, "stack": pulumi.get_stack(), "repository": repository, "suspended": suspended}
        super().__init__(ImagePolicyProvider(), name, dict.fromkeys(TRACKED, "") | given, opts)
