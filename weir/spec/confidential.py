"""What of a unit's own document may be kept, when a parent's secret variable was put into it.

A secret may stand in any value of such a document. What says where the unit's objects come from, where they are and how
they end is kept as it is, for its removal and for whoever depends on it; the rest is neither kept nor shown.
"""

from __future__ import annotations

from typing import Any, Final

from weir.spec.documents import Document

_OPEN: Final = frozenset(
    {
        "deletionPolicy", "dependsOn", "force", "interval", "kubeConfig", "path", "prune", "retryInterval",
        "serviceAccountName", "sourceRef", "suspend", "targetNamespace", "timeout", "wait",
    }
)  # fmt: skip


def is_open(document: Document, field: str) -> bool:
    """Whether a field of the document's spec certainly holds no secret."""
    return not document.confidential or field in _OPEN


def open_data(document: Document) -> dict[str, Any]:
    """The document without the fields that may hold a secret."""
    if not document.confidential:
        return document.data
    spec = {key: value for key, value in document.data["spec"].items() if key in _OPEN}
    return {**document.data, "spec": spec}


def open_text(document: Document, message: str) -> str:
    """An error about the document, without the value that was found."""
    subject, found, rest = message.partition(": found ")
    if not (document.confidential and found):
        return message
    _, _, expected = rest.rpartition(", expected ")
    return f"{subject}: found a value that is not shown, expected {expected}"
