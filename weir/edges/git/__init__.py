"""Git as a client: resolve references, fetch without a work tree, read objects, verify signatures.

Only fixed `git` and `ssh` command lines are run, under a configuration of our own: no hooks, no filters, no helpers, no
user settings, one transport, no redirects. Objects are read from a bare cache repository; nothing is checked out.
"""
