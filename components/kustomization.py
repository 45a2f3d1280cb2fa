"""Kustomization: one unit that renders, applies, prunes and waits, as one resource."""

from __future__ import annotations

from typing import TypedDict

import pulumi

from weir.spec.identity import UnitId


class Unit(pulumi.CustomResource):
    """The plugin's resource. Its provider fills in what the run rendered ahead and what would change."""

    revision: pulumi.Output[str]
    ready: pulumi.Output[str]
    message: pulumi.Output[str]
    objects: pulumi.Output[str]

    def __init__(self, name: str, props: dict[str, pulumi.Input[str]], opts: pulumi.ResourceOptions) -> None:
        outputs = dict.fromkeys(("revision", "ready", "message", "objects"))
        super().__init__("weir:kustomize:Kustomization", name, {**outputs, **props}, opts)


class KustomizationArgs(TypedDict):
    """What a Kustomization needs."""

    unit: UnitId
    """Plain: it names the resource."""
    source: str
    """`Kind/namespace/name` of its source."""
    orphan: bool
    """Whether the unit is known from the cluster only, and is to be removed."""


class Kustomization(pulumi.ComponentResource):
    """One unit. When it fails, its outputs are empty and `ready` is False; what depends on it is not started."""

    revision: pulumi.Output[str]
    ready: pulumi.Output[str]
    objects: pulumi.Output[str]

    def __init__(
        self, name: str, args: KustomizationArgs, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        super().__init__("weir:index:Kustomization", name, None, opts)
        props: dict[str, pulumi.Input[str]] = {"unit": str(args["unit"]), "source": args["source"]}
        if args["orphan"]:
            props["orphan"] = "true"
        unit = self._unit = Unit(name, props, pulumi.ResourceOptions(parent=self))
        self.revision = unit.revision.recover(lambda _: "")
        self.ready = unit.ready.recover(lambda _: "False")
        self.objects = unit.objects.recover(lambda _: "")
        self.register_outputs({"revision": self.revision, "ready": self.ready, "objects": self.objects})

    async def succeeded(self) -> bool:
        """Whether the unit was applied and is ready; waits for it."""
        try:
            await self._unit.urn.future()
        except Exception:  # noqa: BLE001 - the engine has shown the error beside the unit
            return False
        return True
