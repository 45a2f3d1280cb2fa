"""Whether anybody but the cluster's own controllers wrote to an object."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

REVISION = "deployment.kubernetes.io/revision"


def version(live: Mapping[str, Any]) -> str:
    """What changes with each write to a live object that is not its controller's.

    An object without a status: its resourceVersion. An object with one gets writes of its controller at any
    time after an apply, so there it is everything but the status, the revision that the Deployment controller
    notes, and their entries of managedFields.
    """
    if "status" not in live:
        return str(live["metadata"]["resourceVersion"])
    meta = {name: value for name, value in live["metadata"].items() if name != "resourceVersion"}
    meta["annotations"] = {
        name: value for name, value in meta.get("annotations", {}).items() if name != REVISION
    }
    meta["managedFields"] = [entry for entry in meta.get("managedFields", ()) if not _controller(entry)]
    rest = {name: value for name, value in live.items() if name not in ("status", "metadata")}
    return json.dumps({**rest, "metadata": meta}, sort_keys=True)


def _controller(entry: Mapping[str, Any]) -> bool:
    return entry.get("subresource") == "status" or entry.get("manager") == "kube-controller-manager"
