"""Weir as a Pulumi program: the stack's Flux objects, reconciled on every `pulumi up`."""

import pulumi

from components.start import start

pulumi.run(start)
