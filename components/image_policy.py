"""ImagePolicy: one image policy of a stack."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypedDict

import pulumi

from components.dynamic import image_policy

if TYPE_CHECKING:
    from weir.spec.image_policy import ImagePolicySpec


class ImagePolicyArgs(TypedDict):
    """What an ImagePolicy needs."""

    spec: ImagePolicySpec
    """Plain: it names the resource."""


class ImagePolicy(pulumi.ComponentResource):
    """An image policy, resolved on every run."""

    image: pulumi.Output[str]

    def __init__(self, name: str, args: ImagePolicyArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("weir:index:ImagePolicy", name, None, opts)
        spec = args["spec"]
        suspended = "true" if spec.suspend else ""
        child = pulumi.ResourceOptions(parent=self)
        policy = image_policy.ImagePolicy(name, str(spec.id), str(spec.repository), suspended, child)
        self.image = policy.image
        self.register_outputs({"image": self.image})
