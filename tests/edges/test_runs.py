"""The folder of a run on a machine whose clock is set while it goes on."""

from __future__ import annotations

from pathlib import Path

import psutil
import pytest

from weir.edges.runs import Run, sweep


def test_a_step_of_the_clock_ends_no_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WEIR_CACHE_DIR", str(tmp_path))
    before = Run.current()
    before.write("kept", b"1")
    born = psutil.Process.create_time
    monkeypatch.setattr(psutil.Process, "create_time", lambda process: born(process) + 3600.0)
    assert Run.current() == before
    sweep(before.root.parent)
    assert before.read("kept") == b"1"
