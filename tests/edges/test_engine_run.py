"""`weir up` and its kin around the real Pulumi CLI: what a run does, how it ends, what it gives away."""

from __future__ import annotations

import contextlib
import os
import re
import signal
import stat
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from tests.support.tiny_engine import PASSPHRASE, TinyEngine, descendants, end, engine_below


@pytest.fixture
def tiny(tmp_path: Path) -> Iterator[TinyEngine]:
    engine = TinyEngine(tmp_path)
    yield engine
    engine.let_go()


def test_the_first_up_creates_the_stack_and_the_last_destroy_leaves_nothing(tiny: TinyEngine) -> None:
    tiny.run("up")
    assert sorted(tiny.done) == ["create first", "create second"]
    assert "+ 1 to create" in tiny_preview_with_third(tiny)
    tiny.run("refresh")
    tiny.run("destroy")
    assert sorted(tiny.done)[2:] == ["delete first", "delete second"]
    assert tiny.resources() == []


def tiny_preview_with_third(tiny: TinyEngine) -> str:
    tiny.declare("first second third")
    output = tiny.run("preview", "--diff")
    tiny.declare("first second")
    assert "create third" not in tiny.done
    return output


def test_files_are_private_under_any_umask(tiny: TinyEngine) -> None:
    before = os.umask(0)
    try:
        tiny.run("up")
    finally:
        os.umask(before)
    modes = {path: stat.S_IMODE(path.stat().st_mode) for path in (tiny.backend / ".pulumi").rglob("*")}
    assert modes
    assert not {path: oct(mode) for path, mode in modes.items() if mode & 0o077}


def test_no_process_shows_the_passphrase_and_no_output_holds_it(tiny: TinyEngine) -> None:
    wrapper = tiny.hold_at_slow(lambda: tiny.start("up"))
    below = descendants(wrapper.pid)
    names = {process.name() for process in below}
    assert "pulumi" in names
    assert any(name.startswith("pulumi-language") for name in names)
    for process in below:
        with contextlib.suppress(psutil.NoSuchProcess):
            shown = " ".join(process.cmdline()) + str(process.environ())
            assert PASSPHRASE not in shown, process
    tiny.let_go()
    output, _ = wrapper.communicate(timeout=60)
    assert wrapper.returncode == 0, output
    assert PASSPHRASE not in output
    state = tiny.files.state.read_text()
    assert PASSPHRASE not in state
    assert "canary-output-77aa" not in state


def test_ctrl_c_lets_the_engine_finish_what_it_writes(tiny: TinyEngine) -> None:
    wrapper = tiny.hold_at_slow(lambda: tiny.start("up"))
    wrapper.send_signal(signal.SIGINT)
    assert any("^C received" in line for line in wrapper.stdout or ()), "the engine heard it"
    tiny.let_go()
    output, _ = wrapper.communicate(timeout=60)
    assert wrapper.returncode == 130, output
    assert tiny.locks() == []
    tiny.run("up")
    assert sorted(set(tiny.done)) == ["create first", "create second", "create slow"]


def deaf(wrapper: int) -> set[str]:
    """Names of the processes below that ignore an interrupt."""
    found = set()
    for process in descendants(wrapper):
        with contextlib.suppress(psutil.NoSuchProcess, OSError):
            ignored = re.search(r"(?m)^SigIgn:\s*(\w+)", Path(f"/proc/{process.pid}/status").read_text())
            if ignored and int(ignored[1], 16) & 1 << signal.SIGINT - 1:
                found.add(process.name())
    return found


def test_a_background_job_ignores_ctrl_c_and_its_engine_does_not(tiny: TinyEngine) -> None:
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        wrapper = tiny.start("up")
    finally:
        signal.signal(signal.SIGINT, before)
    seen: set[str] = set()
    while wrapper.poll() is None:
        wrapper.send_signal(signal.SIGINT)
        seen |= deaf(wrapper.pid)
        time.sleep(0.02)
    output, _ = wrapper.communicate(timeout=10)
    assert wrapper.returncode == 0, output
    assert not {name for name in seen if name.startswith("pulumi-language")}
    assert sorted(tiny.done) == ["create first", "create second"]


def test_a_second_ctrl_c_kills_at_once(tiny: TinyEngine) -> None:
    wrapper = tiny.hold_at_slow(lambda: tiny.start("up"))
    below = descendants(wrapper.pid)
    engine = engine_below(wrapper.pid)
    wrapper.send_signal(signal.SIGINT)
    assert any("^C received" in line for line in wrapper.stdout or ()), "the engine heard the first"
    assert engine.is_running()
    wrapper.send_signal(signal.SIGTERM)
    assert wrapper.wait(timeout=10) == 130
    assert not engine.is_running()
    end(below)
    wrapper.communicate(timeout=10)


def test_the_engine_does_not_outlive_a_killed_wrapper(tiny: TinyEngine) -> None:
    wrapper = tiny.hold_at_slow(lambda: tiny.start("up"))
    below = descendants(wrapper.pid)
    engine = engine_below(wrapper.pid)
    wrapper.kill()
    wrapper.wait()
    with contextlib.suppress(psutil.TimeoutExpired):
        engine.wait(timeout=20)
    assert not engine.is_running()
    tiny.let_go()
    end(below)
    wrapper.communicate(timeout=10)
    tiny.run("up")
    assert {resource["urn"].rpartition("::")[2] for resource in tiny.resources()} >= {
        "first",
        "second",
        "slow",
    }


def test_a_wrong_passphrase_is_told_and_nothing_is_written(tiny: TinyEngine) -> None:
    tiny.run("up")
    before = snapshot(tiny.backend)
    tiny.environ["PULUMI_CONFIG_PASSPHRASE"] = "another"
    assert "incorrect passphrase" in tiny.run("up", code=1)
    settings = tiny.root / "Pulumi.dev.yaml"
    salted = settings.read_text()
    settings.unlink()
    assert "is not the one that sealed its secrets" in tiny.run("up", code=1)
    assert not settings.exists()
    settings.write_text(salted)
    del tiny.environ["PULUMI_CONFIG_PASSPHRASE"]
    assert "found no passphrase" in tiny.run("up", code=1)
    assert snapshot(tiny.backend) == before
    assert settings.read_text() == salted


def test_an_empty_passphrase_is_refused_where_the_stack_says_so(tiny: TinyEngine) -> None:
    (tiny.root / "Pulumi.dev.yaml").write_text("config:\n  weir:options:\n    requirePassphrase: true\n")
    tiny.environ["PULUMI_CONFIG_PASSPHRASE"] = ""
    output = tiny.run("up", code=1)
    assert "found an empty passphrase" in output
    assert "PULUMI_CONFIG_PASSPHRASE" in output
    assert not (tiny.backend / ".pulumi").exists()


def test_a_failing_program_is_a_failing_run(tiny: TinyEngine) -> None:
    (tiny.root / "__main__.py").write_text("raise SystemExit('no such thing')\n")
    assert "no such thing" in tiny.run("up", code=1)
    assert "found no stack named" not in tiny.run("up", "--no-such-flag", code=1)


def snapshot(folder: Path) -> dict[str, bytes]:
    return {str(path): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}
