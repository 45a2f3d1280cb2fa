"""Serve the plugin: print the port, answer the engine, end with it."""

from __future__ import annotations

import asyncio
import gc
import os
import signal
import sys

import grpc

from provider.engine import Engine
from provider.lifetime import end_with_parent
from provider.protocol import provider_pb2_grpc
from provider.servicer import Servicer

MAX_MESSAGE = 400 * 1024 * 1024
"""Bytes; the engine's own limit."""


async def serve(engine_address: str) -> None:
    """Answer until the engine goes away."""
    options = [
        ("grpc.max_receive_message_length", MAX_MESSAGE),
        ("grpc.max_send_message_length", MAX_MESSAGE),
    ]
    server = grpc.aio.server(options=options)
    servicer = Servicer(Engine(engine_address))
    provider_pb2_grpc.add_ResourceProviderServicer_to_server(servicer, server)
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    sys.stdout.write(f"{port}\n")
    sys.stdout.flush()
    await server.wait_for_termination()


def main() -> None:
    """Start with the engine's address as first argument.

    The engine ends its plugins by an interrupt when all their calls are answered, and waits: tidying up half a million
    values, or ignoring the signal as a background job does, would only keep the person waiting.
    """
    gc.set_threshold(100_000, 50, 50)
    end_with_parent()
    signal.signal(signal.SIGINT, lambda *_: os._exit(0))
    address = next((argument for argument in sys.argv[1:] if not argument.startswith("-")), "")
    asyncio.run(serve(address))


if __name__ == "__main__":
    main()
