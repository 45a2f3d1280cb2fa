"""What this machine is called from within."""

from __future__ import annotations

from typing import Final
from urllib.parse import urlsplit

LOOPBACK: Final = frozenset({"localhost", "127.0.0.1", "::1"})
"""Host names, IPv6 without brackets, that reach no other machine."""


def is_local(host: str) -> bool:
    """Whether a host, its port left aside, as in a Host header, is this machine by a name that reaches no other.

    What answers this machine alone must see to it: any web page could read it by letting its own name lead here (DNS
    rebinding).
    """
    try:
        return urlsplit(f"//{host}").hostname in LOOPBACK
    except ValueError:
        return False
