"""Access to Google's services by the JSON key of a service account, without a request.

Rule: https://developers.google.com/identity/protocols/oauth2/service-account#jwt-auth
"""

from __future__ import annotations

import json
from typing import Final

from weir.edges.signed_jwt import signed_jwt

_LASTS: Final = 3600
"""Seconds, the longest that Google takes."""


def access_token(key: bytes, service: str, now: float) -> str:
    """A token for a service, such as `https://pubsub.googleapis.com/`, at a time in seconds since the epoch.

    Raises:
        ValueError: it is no such key; tells nothing of it.
    """
    try:
        found = json.loads(key)
        email, pem, name = (str(found[field]) for field in ("client_email", "private_key", "private_key_id"))
    except (ValueError, TypeError, KeyError):
        raise ValueError("expected the JSON key of a service account") from None
    begins = int(now) - 60
    claims = {"iss": email, "sub": email, "aud": service, "iat": begins, "exp": begins + _LASTS}
    return signed_jwt(pem.encode(), claims, kid=name)
