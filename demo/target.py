"""Which cluster the demo writes to, told by a kubeconfig and settled before the first write."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from weir.edges.kube import kubeconfig
from weir.spec.documents import read_yaml
from weir.spec.errors import ClusterError, SpecError


@dataclass(frozen=True, slots=True)
class Target:
    """One context of one file; it stays the same when the reader's current context changes meanwhile."""

    file: Path
    context: str
    server: str
    """The URL of the API server."""
    foreign: bool
    """Whether it is the reader's, and not the demo's own control plane."""


def readers_target(listed: str) -> Target:
    """The current context of the file that $KUBECONFIG names.

    Raises:
        SpecError: it names several files, or the file does not say what it must.
        ClusterError: the file cannot be read.
    """
    if os.pathsep in listed:
        raise SpecError.at(
            "$KUBECONFIG", "", found=listed, expected="one file", hint="run KUBECONFIG=FILE make demo"
        )
    return target(Path(listed).expanduser().absolute(), foreign=True)


def target(file: Path, *, foreign: bool) -> Target:
    """The current context of a file. Raises as `readers_target`."""
    try:
        documents = read_yaml(file.read_bytes(), str(file))
    except OSError as err:
        hint = "correct $KUBECONFIG, or unset it for a local control plane"
        raise ClusterError(f"{file}: found {err.strerror}, expected a kubeconfig", hint=hint) from err
    context = documents[0].get("current-context") if documents and isinstance(documents[0], dict) else None
    if not context:
        hint = "choose one: kubectl config use-context NAME"
        raise SpecError.at(str(file), "current-context", found=None, expected="a context", hint=hint)
    return Target(file, str(context), kubeconfig.load(str(file), str(context)).server, foreign)
