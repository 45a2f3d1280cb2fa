"""Receivers in short, and webhooks as each service sends them."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from typing import Any, Final

from weir.notify.hooks import HookRequest
from weir.notify.id_token import Identity
from weir.spec.documents import Document
from weir.spec.header import Header
from weir.spec.identity import UnitId
from weir.spec.receiver import OIDC, TOKEN_TYPES, ReceiverSpec, parse_receiver

V1: Final = "notification.toolkit.fluxcd.io/v1"
TOKEN: Final = b"t0ken-\xe9-of-the-receiver"
SECRET: Final = {"token": TOKEN}
FLEET: Final = UnitId("GitRepository", "apps", "fleet")

ISSUER: Final = "https://issuer.example"
PROVIDER: Final[dict[str, Any]] = {
    "issuerURL": ISSUER,
    "validations": [{"expression": "claims.repository_owner == 'us'", "message": "not ours"}],
}


def pushed(event: Any) -> dict[str, Any]:
    """What Pub/Sub sends of an event."""
    data = base64.b64encode(json.dumps(event).encode()).decode()
    return {"message": {"data": data, "messageId": "1"}, "subscription": "projects/a/subscriptions/b"}


BODIES: Final[dict[str, Any]] = {
    "dockerhub": {"push_data": {"tag": "1.2"}, "repository": {"repo_url": "https://hub.docker.com/r/a/b"}},
    "quay": {"docker_url": "quay.io/a/b", "updated_tags": ["1.2"]},
    "gcr": pushed({"action": "INSERT", "digest": "gcr.io/a/b@sha256:c", "tag": "gcr.io/a/b:1.2"}),
    "acr": {"action": "push", "target": {"repository": "a/b", "tag": "1.2"}},
    "nexus": {"action": "CREATED", "repositoryName": "docker"},
    "cdevents": {
        "context": {
            "version": "0.4.1",
            "id": "1",
            "source": "ci",
            "type": "dev.cdevents.change.merged.0.2.0",
            "timestamp": "2026-01-01T00:00:00Z",
        },
        "subject": {"id": "c1", "type": "change", "content": {}},
    },
}
"""What senders of a type send, as far as it is looked at."""


def receiver_document(version: str = V1, /, **spec: Any) -> Document:
    oidc = spec.get("type") == OIDC
    base = {
        "type": "github",
        **({"oidcProviders": [PROVIDER]} if oidc else {"secretRef": {"name": "hook-token"}}),
        "resources": [{"kind": "GitRepository", "name": "fleet"}],
    }
    metadata = {"name": "push", "namespace": "apps"}
    return Document(
        "f.yaml",
        0,
        {"apiVersion": version, "kind": "Receiver", "metadata": metadata, "spec": {**base, **spec}},
    )


def receiver(**spec: Any) -> ReceiverSpec:
    return parse_receiver(receiver_document(**spec))


def identity(kind: str) -> Identity | None:
    """What the ID token of a genuine webhook of this type has proven."""
    claims = {"iss": ISSUER, "repository_owner": "us"}
    return Identity(claims=claims, signed=b"head.claims") if kind in TOKEN_TYPES else None


def units(*names: str, **labels: str) -> dict[UnitId, Header]:
    """GitRepositories of the receiver's namespace, all with these labels."""
    made = (UnitId("GitRepository", "apps", name) for name in names)
    return {unit: Header(id=unit, labels=labels, annotations={}) for unit in made}


def signature(body: bytes, algorithm: str = "sha256", token: bytes = TOKEN) -> str:
    return hmac.new(token, body, getattr(hashlib, algorithm)).hexdigest()


def genuine(kind: str, body: bytes | None = None, **headers: str) -> HookRequest:
    """A webhook of this type that proves all it can; underscores in header names stand for hyphens."""
    sent = json.dumps(BODIES.get(kind, {"ref": "refs/heads/main"})).encode() if body is None else body
    proof = {
        "generic-hmac": {"x-signature": f"sha256={signature(sent)}"},
        "github": {"x-hub-signature-256": f"sha256={signature(sent)}", "x-github-event": "push"},
        "gitlab": {"x-gitlab-token": TOKEN.decode("latin-1"), "x-gitlab-event": "Push Hook"},
        "bitbucket": {"x-hub-signature": f"sha256={signature(sent)}", "x-event-key": "repo:refs_changed"},
        "harbor": {"authorization": TOKEN.decode("latin-1")},
        "nexus": {"x-nexus-webhook-signature": signature(sent, "sha1")},
        "cdevents": {"ce-type": "dev.cdevents.change.merged.0.2.0", "ce-id": "1"},
    }.get(kind, {})
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return HookRequest(headers={"content-type": "application/json", **proof, **named}, body=sent)
