"""An OpenTelemetry collector that keeps what it is sent."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any, Final

import grpc
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)

PARENT: Final = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
"""A trace that everything sent here is to be part of (https://www.w3.org/TR/trace-context/)."""
_SERVICE: Final = "opentelemetry.proto.collector.trace.v1.TraceService"


@dataclass
class Collector:
    """Spans by name, and the services that sent them."""

    spans: dict[str, Any] = field(default_factory=dict)
    services: set[str] = field(default_factory=set)
    port: int = 0

    @property
    def environ(self) -> Mapping[str, str]:
        """What leads traces here."""
        return {
            "OTEL_EXPORTER_OTLP_ENDPOINT": f"http://127.0.0.1:{self.port}",
            "OTEL_EXPORTER_OTLP_PROTOCOL": "grpc",
            "TRACEPARENT": PARENT,
        }

    def take(self, request: ExportTraceServiceRequest, _: object) -> ExportTraceServiceResponse:
        """One batch of spans."""
        for group in request.resource_spans:
            self.services |= {
                one.value.string_value for one in group.resource.attributes if one.key == "service.name"
            }
            for scope in group.scope_spans:
                self.spans |= {span.name: span for span in scope.spans}
        return ExportTraceServiceResponse()


@contextlib.contextmanager
def running_collector() -> Iterator[Collector]:
    """A collector on a port of its own."""
    made = Collector()
    method = grpc.unary_unary_rpc_method_handler(
        made.take,
        request_deserializer=ExportTraceServiceRequest.FromString,
        response_serializer=ExportTraceServiceResponse.SerializeToString,
    )
    server = grpc.server(ThreadPoolExecutor(2))
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(_SERVICE, {"Export": method}),))
    made.port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    try:
        yield made
    finally:
        server.stop(None).wait()
