"""A run of the engine as a trace, sent to a collector that the standard variables name."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from tests.support.collector import PARENT, Collector, running_collector
from weir.edges import timings
from weir.edges.timings import note
from weir.edges.tracing import Part, is_wanted, read_parts, traced
from weir.spec.identity import UnitId

APPS = UnitId("Kustomization", "shop", "apps")
FLEET = UnitId("GitRepository", "flux-system", "fleet")


@pytest.fixture
def collector() -> Iterator[Collector]:
    with running_collector() as made:
        yield made


@pytest.fixture
def environ(collector: Collector, monkeypatch: pytest.MonkeyPatch) -> Mapping[str, str]:
    for name, value in collector.environ.items():
        monkeypatch.setenv(name, value)
    return collector.environ


def work(monkeypatch: pytest.MonkeyPatch, environ: Mapping[str, str], code: int = 0) -> int:
    """What the engine's children do: note what their parts took."""
    monkeypatch.setenv(timings.VARIABLE, environ.get(timings.VARIABLE, ""))
    note(FLEET, {"resolve": 0.2})
    note(APPS, {"render": 0.1})
    note(APPS, {"plan": 0.25, "apply": 0.5, "wait": 0.125})
    return code


def test_a_run_is_one_trace_of_units_and_their_parts(
    collector: Collector, environ: Mapping[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[str] = []
    with traced("up", "production", environ, told.append) as trace:
        trace.code = work(monkeypatch, trace.environ, 4)
    spans = collector.spans
    assert (told, collector.services) == ([], {"weir"})
    parents = {name: span.parent_span_id for name, span in spans.items()}
    root, apps = spans["weir up"], spans[str(APPS)]
    assert parents == {
        "weir up": bytes.fromhex("00f067aa0ba902b7"),
        str(FLEET): root.span_id,
        str(APPS): root.span_id,
        "resolve": spans[str(FLEET)].span_id,
        **dict.fromkeys(("render", "plan", "apply", "wait"), apps.span_id),
    }
    assert {span.trace_id.hex() for span in spans.values()} == {PARENT.split("-")[1]}
    assert root.status.code == 2
    took = {name: (span.end_time_unix_nano - span.start_time_unix_nano) / 1e9 for name, span in spans.items()}
    assert took["apply"] == pytest.approx(0.5, abs=0.01)
    assert spans["plan"].end_time_unix_nano == pytest.approx(spans["apply"].start_time_unix_nano, abs=1e6)
    assert all(span.end_time_unix_nano <= root.end_time_unix_nano for span in spans.values())


def test_a_run_that_never_started_is_no_trace(collector: Collector, environ: Mapping[str, str]) -> None:
    with traced("up", "production", environ, print):
        pass
    with pytest.raises(KeyError), traced("up", "production", environ, print):
        raise KeyError
    assert collector.spans == {}


def test_notes_that_somebody_wants_are_kept(
    collector: Collector, environ: Mapping[str, str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    file = tmp_path / "notes"
    file.write_bytes(b'{"unit": "before", "part": "old", "seconds": 1, "ended": 2}\n')
    wanted = {**environ, timings.VARIABLE: str(file)}
    with traced("up", "production", wanted, print) as trace:
        trace.code = work(monkeypatch, trace.environ)
    assert len(file.read_bytes().splitlines()) == 6
    assert "old" not in collector.spans


@pytest.mark.parametrize(
    "environ",
    [
        {},
        {"OTEL_EXPORTER_OTLP_ENDPOINT": ""},
        {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://collector:4318", "OTEL_SDK_DISABLED": "true"},
        {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://collector:4318", "OTEL_TRACES_EXPORTER": "none"},
    ],
    ids=["nothing", "empty", "disabled", "none"],
)
def test_without_a_collector_the_run_is_as_it_was(environ: Mapping[str, str]) -> None:
    with traced("up", "s", environ, print) as trace:
        assert trace.environ is environ
    assert not is_wanted(environ)


def test_a_collector_that_is_away_is_told_and_fails_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    environ = {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:9", "OTEL_EXPORTER_OTLP_PROTOCOL": "grpc"}
    for name, value in {**environ, "OTEL_EXPORTER_OTLP_TIMEOUT": "1"}.items():
        monkeypatch.setenv(name, value)
    began = time.monotonic()
    with traced("up", "s", environ, lambda _: None) as trace:
        trace.code = work(monkeypatch, trace.environ, 5)
    assert time.monotonic() - began < 8


def test_an_exporter_that_is_not_installed_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "opentelemetry.exporter.otlp.proto.http.trace_exporter", None)
    told: list[str] = []
    environ = {"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "http://127.0.0.1:9/v1/traces"}
    with traced("up", "s", environ, told.append) as trace:
        trace.code = 0
    assert "pip install 'weir[otel]'" in told[0]


def test_lines_that_are_no_notes_are_left_out() -> None:
    good = json.dumps({"unit": "a", "part": "plan", "seconds": 2, "ended": 10}).encode()
    assert read_parts([b"", b"[1]", b'{"unit": "a"}', b"\xff", good, b'{"unit": 1']) == (
        Part("a", "plan", 8.0, 10.0),
    )


def test_nothing_of_it_is_loaded_until_it_is_wanted() -> None:
    code = "import weir.edges.tracing, sys; sys.exit(any('opentelemetry' in name for name in sys.modules))"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
