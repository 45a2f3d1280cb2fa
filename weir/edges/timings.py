"""How long each part of a run took, one JSON line each, for people and benchmarks that ask by `WEIR_TIMINGS`."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Final

import orjson

from weir.spec.identity import UnitId

VARIABLE: Final = "WEIR_TIMINGS"
"""Environment variable with the file to append to."""


def note(unit: UnitId, parts: Mapping[str, float]) -> None:
    """Append the seconds of a unit's parts; nothing unless asked. Lines of several processes do not mix."""
    path = os.environ.get(VARIABLE)
    if not path:
        return
    lines = [orjson.dumps({"unit": str(unit), "part": part, "seconds": took}) for part, took in parts.items()]
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    try:
        os.write(handle, b"".join(line + b"\n" for line in lines))
    finally:
        os.close(handle)
