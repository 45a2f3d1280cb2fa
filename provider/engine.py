"""Log lines for a resource, shown by the CLI beside its URN."""

from __future__ import annotations

import contextlib
from typing import Any

import grpc

from provider.protocol import engine_pb2, engine_pb2_grpc

_SEVERITY = {
    "debug": engine_pb2.DEBUG,
    "info": engine_pb2.INFO,
    "warning": engine_pb2.WARNING,
    "error": engine_pb2.ERROR,
}


class Engine:
    """The engine's logging endpoint. Losing a line never loses work."""

    def __init__(self, address: str) -> None:
        self._stub: Any = engine_pb2_grpc.EngineStub(grpc.insecure_channel(address)) if address else None

    def log(self, severity: str, urn: str, message: str, *, ephemeral: bool = False) -> None:
        """Show one line; an ephemeral one is the resource's live status."""
        if self._stub is None:
            return
        request = engine_pb2.LogRequest(
            severity=_SEVERITY[severity], urn=urn, message=message, ephemeral=ephemeral
        )
        with contextlib.suppress(grpc.RpcError):
            self._stub.Log(request, timeout=5)
