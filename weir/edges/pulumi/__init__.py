"""The Pulumi CLI as a subprocess, and the files of its file:// backend. Imports no Pulumi package.

project      Pulumi.yaml, a stack's settings and where its state is
lock         locks of the file backend: which owners are dead, and a lock of our own
integrity    whether the bytes of a state file are whole (pure)
state        the files of one stack, read and replaced atomically
heal         what is put right before the engine starts
references   which pickled providers a state may name
passphrase   checked without Pulumi, before anything is written
command      the CLI itself, with its environment and signals
"""
