"""HTTP as registries and forges are spoken to: bounded in time and size, never redirected by itself, polite.

`transport` makes one exchange, `patient` repeats it while that may help. Both load urllib3, so import them where they
are used.
"""
