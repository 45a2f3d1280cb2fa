"""ImageUpdateAutomation: one automation of a stack, which commits what policies chose."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypedDict

import pulumi

from components.dynamic import image_automation

if TYPE_CHECKING:
    from weir.spec.image_automation import ImageAutomationSpec


class ImageUpdateAutomationArgs(TypedDict):
    """What an ImageUpdateAutomation needs."""

    spec: ImageAutomationSpec
    """Plain: it names the resource."""


class ImageUpdateAutomation(pulumi.ComponentResource):
    """An automation. Its commit was built ahead; the provider pushes it."""

    revision: pulumi.Output[str]
    pull_request: pulumi.Output[str]
    error: pulumi.Output[str]

    def __init__(
        self, name: str, args: ImageUpdateAutomationArgs, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        super().__init__("weir:index:ImageUpdateAutomation", name, None, opts)
        spec = args["spec"]
        suspended = "true" if spec.suspend else ""
        child = pulumi.ResourceOptions(parent=self)
        automation = image_automation.ImageUpdateAutomation(
            name, str(spec.id), str(spec.source), suspended, child
        )
        self.revision = automation.revision
        self.pull_request = automation.pull_request
        self.error = automation.error
        self.register_outputs({"revision": self.revision, "pull_request": self.pull_request})

    async def pushed(self) -> tuple[str, str]:
        """What is in Git after the push, and what went wrong; waits for it."""
        try:
            return str(await self.revision.future() or ""), str(await self.error.future() or "")
        except Exception:  # noqa: BLE001 - the engine has shown the error beside the resource
            return "", ""
