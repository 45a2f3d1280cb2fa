"""What keeps the demo from going on, in one line: what was found, and what to do."""

from __future__ import annotations

import subprocess
from typing import Final

from urllib3.exceptions import HTTPError

from demo.rest import RestError
from weir.spec.errors import WeirError

FAULTS: Final = (
    AssertionError,
    WeirError,
    RestError,
    HTTPError,
    OSError,
    RuntimeError,
    subprocess.SubprocessError,
)
"""Everything that the demo's surroundings can do to it; anything else is a fault of the demo itself."""
_FORBIDDEN: Final = (401, 403)


def complaint(fault: BaseException) -> str:
    """The line for one of `FAULTS`; only the API server is asked in a way that raises RestError and HTTPError."""
    if isinstance(fault, RestError) and fault.status in _FORBIDDEN:
        return f"the API server refused with {fault}; choose a context whose account may do anything in the cluster"
    if isinstance(fault, RestError):
        return f"the API server answered with {fault}; correct that, and run again"
    if isinstance(fault, HTTPError):
        return (
            f"the API server gave no answer: {fault}; see that `kubectl get namespaces` works, and run again"
        )
    return str(fault)
