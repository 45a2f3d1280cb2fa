"""What streams of events are sent, and how it is signed."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from typing import Any
from urllib.parse import quote

import pytest
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa

from tests.support.alerts import HUB, TOKEN, alert, body, event, provider, sent, written
from weir.edges.google_key import access_token
from weir.notify.event_json import event_json
from weir.notify.match import with_metadata
from weir.spec.errors import SpecError

TOLD = event_json(with_metadata(event(), alert(summary="Production")))
UNTIL = 1795294800 + 25 * 3600


def test_an_event_hub_is_signed_in_to_by_its_connection_string() -> None:
    message = sent("azureeventhub", event())
    assert message.url == "https://acme.servicebus.windows.net/flux/messages?api-version=2014-01"
    assert json.loads(message.body) == TOLD
    resource = "https%3A%2F%2Facme.servicebus.windows.net%2Fflux"
    digest = hmac.new(b"k3y=", f"{resource}\n{UNTIL}".encode(), hashlib.sha256).digest()
    signature = quote(base64.b64encode(digest), safe="")
    expected = f"SharedAccessSignature sr={resource}&sig={signature}&se={UNTIL}&skn=send"
    assert message.headers["Authorization"] == expected
    assert message.headers["Content-Type"] == "application/atom+xml;type=entry;charset=utf-8"


def test_an_event_hub_is_signed_in_to_by_a_token() -> None:
    message = sent("azureeventhub", event(), address="flux", channel="acme")
    assert message.url == "https://acme.servicebus.windows.net/flux/messages?api-version=2014-01"
    assert message.headers["Authorization"] == TOKEN


def test_google_pubsub_gets_the_event_with_headers_as_attributes() -> None:
    message = sent("googlepubsub", event())
    assert message.url == "https://pubsub.googleapis.com/v1/projects/acme-prod/topics/deploys:publish"
    assert message.headers == {"Content-Type": "application/json", "Authorization": TOKEN}
    ((published,),) = body("googlepubsub", event()).values()
    assert json.loads(base64.b64decode(published["data"])) == TOLD
    assert "attributes" not in published
    secret = {"token": b"t", "headers": b"env: prod"}
    message = written(provider("googlepubsub"), secret, event(), alert())
    assert json.loads(message.body)["messages"][0]["attributes"] == {"env": "prod"}
    assert "env" not in message.headers


@pytest.mark.parametrize(
    ("kind", "spec", "expected"),
    [
        (
            "azureeventhub",
            {"address": HUB.replace("EntityPath", "Path")},
            "spec.address: found 'another text'",
        ),
        (
            "azureeventhub",
            {"address": HUB.replace("sb://", "sb://hid@")},
            "spec.address: found 'another text'",
        ),
        (
            "azureeventhub",
            {"address": "flux", "channel": "hid.example/"},
            "spec.channel: found 'another text'",
        ),
        ("azureeventhub", {"address": "../flux", "channel": "acme"}, "spec.address: found 'another text'"),
        ("azureeventhub", {"address": "flux", "channel": "acme"}, "spec.secretRef: found nothing"),
        ("googlepubsub", {"channel": ""}, "spec.channel: found nothing, expected the id of a topic"),
        ("googlepubsub", {"address": "a/b"}, "spec.address: found 'another text'"),
        ("googlepubsub", {}, "spec.secretRef: found nothing, expected a Secret with a token"),
    ],
    ids=str,
)
def test_what_a_stream_lacks_is_told_without_the_secret(
    kind: str, spec: dict[str, Any], expected: str
) -> None:
    with pytest.raises(SpecError) as caught:
        written(provider(kind, **spec), {}, event(), alert())
    assert str(caught.value).startswith(f"f.yaml: Provider/flux-system/ops: {expected}")
    assert "hid" not in str(caught.value)
    assert "k3y" not in str(caught.value)


KEY = rsa.generate_private_key(public_exponent=65537, key_size=2048)
ACCOUNT = {
    "type": "service_account",
    "client_email": "weir@acme.example",
    "private_key_id": "1",
    "private_key": KEY.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    ).decode(),
}


def decoded(part: str) -> bytes:
    return base64.urlsafe_b64decode(part + "=" * (-len(part) % 4))


def test_a_service_account_signs_its_own_token() -> None:
    token = access_token(json.dumps(ACCOUNT).encode(), "https://pubsub.googleapis.com/", 1000.5)
    header, claims, signature = token.split(".")
    assert json.loads(decoded(header)) == {"alg": "RS256", "typ": "JWT", "kid": "1"}
    assert json.loads(decoded(claims)) == {
        "iss": "weir@acme.example",
        "sub": "weir@acme.example",
        "aud": "https://pubsub.googleapis.com/",
        "iat": 940,
        "exp": 4540,
    }
    signed = f"{header}.{claims}".encode()
    KEY.public_key().verify(decoded(signature), signed, padding.PKCS1v15(), hashes.SHA256())


@pytest.mark.parametrize(
    ("key", "expected"),
    [
        ("hidden", "expected the JSON key of a service account"),
        ("[]", "expected the JSON key of a service account"),
        (json.dumps({**ACCOUNT, "client_email": None, "private_key": "hidden"}), "it is no PEM private key"),
        (json.dumps({"client_email": "a"}), "expected the JSON key of a service account"),
    ],
)
def test_what_is_no_key_of_a_service_account_is_told_without_it(key: str, expected: str) -> None:
    with pytest.raises(ValueError, match=expected) as caught:
        access_token(key.encode(), "https://pubsub.googleapis.com/", 0.0)
    assert "hidden" not in str(caught.value)
