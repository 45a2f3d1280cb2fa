"""JSON Web Tokens that are signed with an RSA key (RS256, https://www.rfc-editor.org/rfc/rfc7515)."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from typing import Final

import orjson

LEAST_BITS: Final = 2048


def signed_jwt(pem: bytes, claims: Mapping[str, object], **header: str) -> str:
    """The token; `header` is what its header says beside type and algorithm.

    Raises:
        ValueError: the key is no PEM private key, or no RSA key of enough bits; tells nothing of it.
    """
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import padding, rsa

    try:
        key = serialization.load_pem_private_key(pem, password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        raise ValueError("it is no PEM private key") from None
    if not isinstance(key, rsa.RSAPrivateKey) or key.key_size < LEAST_BITS:
        raise ValueError(f"expected an RSA key of at least {LEAST_BITS} bits")
    body = ".".join(
        _encoded(orjson.dumps(part)) for part in ({"alg": "RS256", "typ": "JWT", **header}, claims)
    )
    return f"{body}.{_encoded(key.sign(body.encode(), padding.PKCS1v15(), hashes.SHA256()))}"


def _encoded(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()
