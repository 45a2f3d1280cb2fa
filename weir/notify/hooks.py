"""What a webhook must prove before it asks for anything: its path, its signature or token, its event and its form.

Rule: https://fluxcd.io/flux/components/notification/receivers/. Beyond it, SHA-1 counts only where a service signs with
nothing else, tokens are compared in constant time, and an empty token proves nothing.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Final

from weir.notify.hook_payload import Payload, Shape, is_json, known_shape, read_form, read_object, read_push
from weir.notify.id_token import Identity
from weir.spec.receiver import OIDC, TOKEN_TYPES, ReceiverSpec

PREFIX: Final = "/hook/"
TOKEN: Final = "token"  # noqa: S105 - the name of a key
"""The key of a receiver's Secret."""
BAD: Final = 400
"""Flux's answer to a webhook that proves nothing, or that is about something else."""
NOT_READY: Final = 503
"""Flux's answer for a receiver that is suspended, or cannot judge."""

_HASHES: Final = ("sha256", "sha512")
_SHOWN: Final = 60
"""Characters of an event's name in a reason."""


@dataclass(frozen=True, slots=True, kw_only=True)
class HookRequest:
    """What a sender sent. Its `repr` shows nothing of it."""

    headers: Mapping[str, str] = field(repr=False)
    """By lower-case name."""
    body: bytes = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Accepted:
    """The webhook is what it says."""

    event: str = ""
    """As the sender calls it; empty where senders of this type do not say."""
    payload: Payload = field(repr=False, default_factory=dict)
    """The body as filters see it; empty when no filter looks at it."""
    claims: Payload = field(repr=False, default_factory=dict)
    """What the sender's ID token says; empty for all types but OIDC."""
    delivery: bytes = b""
    """The same for the same delivery only; empty when this one cannot be told from another one that says the same."""


@dataclass(frozen=True, slots=True)
class Refused:
    """The webhook asks for nothing."""

    status: int
    """HTTP."""
    why: str
    """For those who run the receiver; the sender is not told."""


Proof = Callable[[bytes, HookRequest], str]
"""Why a request proves nothing, empty when it does."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Sender:
    """How a service sends its webhooks."""

    proof: Proof | None = None
    """None where the path is the only proof."""
    signed: bool = False
    """Whether two equal bodies are one delivery: the proof covers the body, or the body names the delivery."""
    event: str = ""
    """The header that names the event."""
    delivery: tuple[str, ...] = ("idempotency-key",)
    """Headers that name the delivery, the first that is there counts."""
    shape: Shape | None = None
    forms: bool = False
    """Whether the body may be a form whose field `payload` is the JSON."""
    unwrap: Callable[[bytes], bytes] | None = None
    """Takes the JSON that filters see out of the body; None where that is the body."""


def hook_path(token: bytes, name: str, namespace: str) -> str:
    """Where the webhook of a receiver arrives: Flux's own formula, so that webhooks that exist keep their URL."""
    return PREFIX + hashlib.sha256(token + name.encode() + namespace.encode()).hexdigest()


def receiver_path(spec: ReceiverSpec, secret: Mapping[str, bytes]) -> str:
    """Where the webhook of this receiver arrives, empty when its Secret has no token. OIDC needs none."""
    if spec.type == OIDC:
        return hook_path(b"", spec.id.name, spec.id.namespace)
    token = secret.get(TOKEN, b"")
    return hook_path(token, spec.id.name, spec.id.namespace) if token else ""


def judge(
    spec: ReceiverSpec, secret: Mapping[str, bytes], request: HookRequest, identity: Identity | None = None
) -> Accepted | Refused:
    """Whether a request that came to the receiver's own path counts. Never raises, whatever is in the request.

    `identity`: what the request's ID token proved, for TOKEN_TYPES.
    """
    sender = _SENDERS[spec.type]
    token = secret.get(TOKEN, b"")
    if not token and spec.type != OIDC:
        return Refused(NOT_READY, f"the Secret has no {TOKEN}")
    if spec.type in TOKEN_TYPES and identity is None:
        return Refused(BAD, "no ID token proves anything")
    if sender.proof is not None and (why := sender.proof(token, request)):
        return Refused(BAD, why)
    event = request.headers.get(sender.event, "") if sender.event else ""
    if sender.event and spec.events and event.lower() not in {name.lower() for name in spec.events}:
        return Refused(BAD, f"the event {event[:_SHOWN]!r} is not in spec.events")
    payload = _payload(spec, sender, request)
    if isinstance(payload, str):
        return Refused(BAD, payload)
    return Accepted(
        event=event,
        payload=payload,
        claims=identity.claims if identity and spec.type == OIDC else {},
        delivery=_delivery(spec, sender, request, identity),
    )


def _payload(spec: ReceiverSpec, sender: _Sender, request: HookRequest) -> Payload | str:
    """The body's JSON as far as anybody looks at it, or what is wrong with it."""
    kind = request.headers.get("content-type", "")
    filtered = bool(spec.resource_filter) or any(item.filter for item in spec.resources)
    body = read_form(request.body) if sender.forms and not is_json(kind) else request.body
    body = sender.unwrap(body) if sender.unwrap else body
    if sender.shape is None and not (filtered and (is_json(kind) or sender.forms)):
        return {}
    payload = read_object(body)
    if payload is None:
        return "the body is not a JSON object"
    if sender.shape is not None and not sender.shape(payload):
        return f"the body is not what senders of type {spec.type} send"
    return payload


def _delivery(spec: ReceiverSpec, sender: _Sender, request: HookRequest, identity: Identity | None) -> bytes:
    """What stays the same when a delivery arrives again: what is signed, or what its sender says it is."""
    named = next((request.headers[name] for name in sender.delivery if request.headers.get(name)), "")
    mark = identity.signed if identity else named.encode("utf-8", "replace")
    if not (sender.signed or mark):
        return b""
    digest = hashlib.sha256(hashlib.sha256(request.body).digest())
    digest.update(str(spec.id).encode())
    if not sender.signed:
        digest.update(b"\0" + mark)
    return digest.digest()


def _same(given: str, expected: bytes) -> bool:
    """Whether a header holds exactly these bytes, in a time that does not depend on where they differ."""
    try:
        raw = given.encode("latin-1")
    except UnicodeEncodeError:
        return False
    return hmac.compare_digest(raw, expected)


def _token_in(header: str) -> Proof:
    def proof(token: bytes, request: HookRequest) -> str:
        given = request.headers.get(header, "")
        return "" if _same(given, token) else f"{header} is not the receiver's token"

    return proof


def _signature_in(*headers: str) -> Proof:
    """The body's HMAC as `sha256=<hex>` or `sha512=<hex>`, in the first of these headers that is there."""

    def proof(token: bytes, request: HookRequest) -> str:
        found = next((name for name in headers if name in request.headers), "")
        if not found:
            return f"found no {headers[0]}"
        algorithm, _, given = request.headers[found].partition("=")
        if algorithm not in _HASHES:
            return f"{found} is not sha256=<hex> or sha512=<hex>"
        expected = hmac.new(token, request.body, algorithm).hexdigest()
        return "" if _same(given.lower(), expected.encode()) else f"{found} does not match the body"

    return proof


def _nexus_signature(token: bytes, request: HookRequest) -> str:
    """HMAC-SHA-1, for Nexus signs with nothing else; a key's holder is not proven by collisions, so it still holds.

    Rule: https://help.sonatype.com/en/working-with-hmac-payloads.html
    """
    given = request.headers.get("x-nexus-webhook-signature", "")
    expected = hmac.new(token, request.body, "sha1").hexdigest()
    return (
        "" if _same(given.lower(), expected.encode()) else "x-nexus-webhook-signature does not match the body"
    )


_HUB: Final = _signature_in("x-hub-signature-256", "x-hub-signature")
_SENDERS: Final[Mapping[str, _Sender]] = {
    "generic": _Sender(),
    "generic-hmac": _Sender(proof=_signature_in("x-signature"), signed=True),
    OIDC: _Sender(),
    "github": _Sender(
        proof=_HUB, signed=True, event="x-github-event", shape=known_shape("github"), forms=True
    ),
    "gitlab": _Sender(
        proof=_token_in("x-gitlab-token"),
        event="x-gitlab-event",
        delivery=("idempotency-key", "x-gitlab-event-uuid"),
    ),
    "bitbucket": _Sender(proof=_HUB, signed=True, event="x-event-key"),
    "harbor": _Sender(proof=_token_in("authorization")),
    "nexus": _Sender(proof=_nexus_signature, signed=True, shape=known_shape("nexus")),
    "dockerhub": _Sender(shape=known_shape("dockerhub")),
    "quay": _Sender(shape=known_shape("quay")),
    "gcr": _Sender(signed=True, shape=known_shape("gcr"), unwrap=read_push),
    "acr": _Sender(shape=known_shape("acr")),
    "cdevents": _Sender(event="ce-type", delivery=("ce-id",), shape=known_shape("cdevents")),
}
