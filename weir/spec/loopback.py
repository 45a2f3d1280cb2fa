"""What this machine is called from within."""

from __future__ import annotations

from typing import Final

LOOPBACK: Final = frozenset({"localhost", "127.0.0.1", "::1"})
"""Host names, IPv6 without brackets, that reach no other machine."""
