"""Serve the plugin: print the port, answer the engine, end with it."""

from __future__ import annotations

import asyncio
import contextlib
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
    """Start with the engine's address as first argument."""
    end_with_parent()
    address = next((argument for argument in sys.argv[1:] if not argument.startswith("-")), "")
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(serve(address))


if __name__ == "__main__":
    main()
