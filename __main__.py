"""Weir as a Pulumi program: the stack's Flux objects, reconciled on every `pulumi up`."""

import gc

import pulumi

from components.start import start

# what is imported and rendered stays until the end of the run, a few seconds later
gc.set_threshold(100_000, 50, 50)
pulumi.run(start)
