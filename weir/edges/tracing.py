"""One run of the engine as an OpenTelemetry trace, for people who name a collector in the standard variables.

Rule: https://opentelemetry.io/docs/specs/otel/protocol/exporter/ and https://www.w3.org/TR/trace-context/

The program and the plugin of a run know nothing of it: they note what their parts took (`timings`), and whoever started
the engine turns the notes into spans once the run is over. So a run without a collector pays nothing.
"""

from __future__ import annotations

import contextlib
import os
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

import orjson

from weir.edges import timings

if TYPE_CHECKING:
    from opentelemetry.sdk.trace.export import SpanExporter

_ENDPOINTS: Final = ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT")
_PROTOCOLS: Final = ("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "OTEL_EXPORTER_OTLP_PROTOCOL")
_PARENT: Final = "TRACEPARENT"
_MOST_NOTES: Final = 16 * 1024 * 1024
"""Bytes of notes that are read."""
_NANO: Final = 1_000_000_000

Say = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Part:
    """What one part of a unit's work took, in epoch seconds."""

    unit: str
    name: str
    began: float
    ended: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Traced:
    """A run that is over."""

    verb: str
    stack: str
    began: float
    ended: float
    code: int
    """The engine's exit code."""
    parts: Sequence[Part]


def is_wanted(environ: Mapping[str, str]) -> bool:
    """Whether the standard variables ask for traces and name where they go."""
    if (
        environ.get("OTEL_SDK_DISABLED", "").lower() == "true"
        or environ.get("OTEL_TRACES_EXPORTER") == "none"
    ):
        return False
    return any(environ.get(name) for name in _ENDPOINTS)


@dataclass(slots=True)
class Trace:
    """A run that is going on."""

    environ: Mapping[str, str]
    """What the engine is to be started with."""
    code: int | None = None
    """The engine's exit code, once it has one; without it there is no trace."""


@contextlib.contextmanager
def traced(verb: str, stack: str, environ: Mapping[str, str], say: Say) -> Iterator[Trace]:
    """Everything inside becomes a trace when one is wanted. What goes wrong with that is told, and fails nothing."""
    if not is_wanted(environ):
        yield Trace(environ)
        return
    with _notes(environ) as (path, extended):
        skip = path.stat().st_size if path.exists() else 0
        began = time.time()
        trace = Trace(extended)
        yield trace
        ended = time.time()
        parts = read_parts(_tail(path, skip))
    if trace.code is not None:
        run = Traced(verb=verb, stack=stack, began=began, ended=ended, code=trace.code, parts=parts)
        export(run, environ, say)


@contextlib.contextmanager
def _notes(environ: Mapping[str, str]) -> Iterator[tuple[Path, Mapping[str, str]]]:
    """The file of the run's notes: the one that is asked for already, or one of our own."""
    if chosen := environ.get(timings.VARIABLE):
        yield Path(chosen), environ
        return
    with tempfile.TemporaryDirectory(prefix="weir-trace-") as folder:
        path = Path(folder) / "notes"
        yield path, {**environ, timings.VARIABLE: str(path)}


def _tail(path: Path, skip: int) -> Iterable[bytes]:
    try:
        with path.open("rb") as file:
            file.seek(skip)
            return file.read(_MOST_NOTES).splitlines()
    except OSError:
        return ()


def read_parts(lines: Iterable[bytes]) -> tuple[Part, ...]:
    """The notes of a run; lines that are none are left out."""
    found = []
    for line in lines:
        with contextlib.suppress(ValueError, KeyError, TypeError):
            note = orjson.loads(line)
            ended = float(note["ended"])
            found.append(Part(str(note["unit"]), str(note["part"]), ended - float(note["seconds"]), ended))
    return tuple(found)


def export(run: Traced, environ: Mapping[str, str], say: Say) -> None:
    """Send the run as one trace: the run, in it every unit, in them their parts. Never raises."""
    try:
        exporter = _exporter(environ)
    except ImportError:
        say(
            "no trace is sent: its exporter is not installed; "
            "run `pip install 'weir[otel]'`, or unset OTEL_EXPORTER_OTLP_ENDPOINT"
        )
        return
    try:
        _send(run, environ, exporter)
    except Exception as err:  # noqa: BLE001 - a collector must not fail a run
        say(f"no trace is sent: {type(err).__name__}")


def _exporter(environ: Mapping[str, str]) -> SpanExporter:
    protocol = next((environ[name] for name in _PROTOCOLS if environ.get(name)), "http/protobuf")
    if protocol == "grpc":
        from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter as GrpcExporter

        return GrpcExporter()
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter

    return OTLPSpanExporter()


def _send(run: Traced, environ: Mapping[str, str], exporter: SpanExporter) -> None:
    from opentelemetry import trace
    from opentelemetry.sdk.resources import Resource
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import BatchSpanProcessor
    from opentelemetry.trace import Status, StatusCode
    from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

    name = os.environ.get("OTEL_SERVICE_NAME") or "weir"
    provider = TracerProvider(resource=Resource.create({"service.name": name}), shutdown_on_exit=False)
    provider.add_span_processor(BatchSpanProcessor(exporter))
    tracer = provider.get_tracer("weir")
    parent = TraceContextTextMapPropagator().extract({"traceparent": environ.get(_PARENT, "")})
    attributes: dict[str, str | int] = {"weir.stack": run.stack, "process.exit.code": run.code}
    root = tracer.start_span(f"weir {run.verb}", parent, attributes=attributes, start_time=_nano(run.began))
    if run.code:
        root.set_status(Status(StatusCode.ERROR))
    inside = trace.set_span_in_context(root)
    for unit, parts in _by_unit(run.parts).items():
        began, ended = min(part.began for part in parts), max(part.ended for part in parts)
        span = tracer.start_span(unit, inside, attributes={"weir.unit": unit}, start_time=_nano(began))
        below = trace.set_span_in_context(span)
        for part in parts:
            one = tracer.start_span(part.name, below, start_time=_nano(part.began))
            one.end(_nano(part.ended))
        span.end(_nano(ended))
    root.end(_nano(run.ended))
    provider.shutdown()


def _by_unit(parts: Iterable[Part]) -> Mapping[str, Sequence[Part]]:
    found: dict[str, list[Part]] = defaultdict(list)
    for part in sorted(parts, key=lambda one: one.began):
        found[part.unit].append(part)
    return found


def _nano(seconds: float) -> int:
    return int(seconds * _NANO)
