"""Weir as a Pulumi program: the stack's Flux objects, reconciled on every `pulumi up`."""

import pulumi

from components.program import declare

pulumi.run(declare)
