"""How long each part of a run took, one JSON line each, for people and benchmarks that ask by `WEIR_TIMINGS`."""

from __future__ import annotations

import os
import time
from collections.abc import Mapping
from typing import Final

import orjson

from weir.spec.identity import UnitId

VARIABLE: Final = "WEIR_TIMINGS"
"""Environment variable with the file to append to."""


def note(unit: UnitId, parts: Mapping[str, float]) -> None:
    """Append the seconds of a unit's parts, which were done one after the other and end now; nothing unless asked.

    Lines of several processes do not mix.
    """
    path = os.environ.get(VARIABLE)
    if not path:
        return
    ended = time.time() - sum(parts.values())
    lines = []
    for part, took in parts.items():
        ended += took
        lines.append(orjson.dumps({"unit": str(unit), "part": part, "seconds": took, "ended": ended}))
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    try:
        os.write(handle, b"".join(line + b"\n" for line in lines))
    finally:
        os.close(handle)
