"""What `weir up` delivers at its end, and that nothing of it is a failure of the run."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from tests.support.events import event
from tests.support.notices import alert_object, provider_object
from tests.support.sink import Sink
from weir.cli._notify import notify
from weir.edges.outbox import Outbox
from weir.edges.runs import Run
from weir.flow import notices
from weir.spec.documents import Document


@pytest.fixture
def outbox(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, sink: Sink) -> Outbox:
    """The outbox of stack `prod`, with one event and an alert on it."""
    monkeypatch.setenv("WEIR_CACHE_DIR", str(tmp_path / "cache"))
    monkeypatch.delenv(notices.WATCHED, raising=False)
    run = Run.current()
    objects = [alert_object(), provider_object(sink.url)]
    notices.announce(run, [Document("notices.yaml", index, data) for index, data in enumerate(objects)])
    notices.keep(run, "prod", whole=True)
    outbox = Outbox(notices.outbox_folder("prod"))
    outbox.put([(event("told"), {})], datetime.now(UTC).timestamp())
    return outbox


@pytest.fixture
def settings(tmp_path: Path) -> Path:
    """The settings file of the stack."""
    path = tmp_path / "Pulumi.prod.yaml"
    path.write_text("config: {weir:objects: prod}\n")
    return path


def test_what_waits_is_delivered(outbox: Outbox, sink: Sink, settings: Path) -> None:
    notify("prod", settings)
    assert sink.messages() == ["told"]
    assert len(outbox) == 0


def test_what_is_lost_and_what_goes_wrong_is_said_and_no_more(
    outbox: Outbox, sink: Sink, settings: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    notify("prod", settings.with_name("missing.yaml"))
    assert "notifications wait for the next run: " in capsys.readouterr().err
    assert len(outbox) == 1
    sink.answers[:] = [401]
    notify("prod", settings)
    assert "notification lost: Provider/flux-system/sink: 127.0.0.1: the server refuses it (401)" in (
        capsys.readouterr().err
    )
    assert len(outbox) == 0


def test_a_run_of_the_watcher_leaves_the_delivery_to_it(
    outbox: Outbox, sink: Sink, settings: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(notices.WATCHED, "1")
    notify("prod", settings)
    assert sink.got == []
    assert len(outbox) == 1
