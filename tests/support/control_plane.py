"""Namespaces of a test's own in the session's control plane."""

from __future__ import annotations

import contextlib
import re
import secrets
from collections.abc import Iterator

from tests.support.kube import Kube, KubeError, wait_for


@contextlib.contextmanager
def fresh_namespace(kube: Kube, label: str = "test") -> Iterator[str]:
    """A new namespace with what its controllers put there; deleted afterwards without waiting for its end."""
    stem = re.sub(r"[^a-z0-9]+", "-", label.lower()).strip("-")[:40].strip("-") or "test"
    name = f"{stem}-{secrets.token_hex(3)}"
    kube.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}})
    wait_for(lambda: kube.get("v1", "ServiceAccount", "default", name))
    wait_for(lambda: kube.get("v1", "ConfigMap", "kube-root-ca.crt", name))
    try:
        yield name
    finally:
        with contextlib.suppress(KubeError, OSError):
            kube.delete("v1", "Namespace", name)
