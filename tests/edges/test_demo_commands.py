"""The commands of the demo never outlive the one who waits for them."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from types import FrameType

import pytest

from demo import child
from demo.stack import PROJECT, StackRun
from tests.support.processes import kill, members
from tests.support.tiny_engine import wait_until

_HEEDS = (
    "trap 'echo finished >> {0}/heard; exit' TERM; echo ready | tee {0}/ready; while :; do sleep 0.05; done"
)
_DEAF = "trap '' TERM; echo ready | tee {0}/ready; while :; do sleep 0.05; done"


class Ended(BaseException):
    """What the handler of this test raises."""


@pytest.fixture(autouse=True)
def ended_by_sigterm(tmp_path: Path) -> Iterator[None]:
    def end(_number: int, _frame: FrameType | None) -> None:
        raise Ended

    before = signal.signal(signal.SIGTERM, end)
    yield
    signal.signal(signal.SIGTERM, before)
    for one in members(tmp_path):
        kill(one.pid)


def end_when(ready: Path) -> None:
    """Signal this process as soon as a file is there."""

    def wait() -> None:
        wait_until(ready.exists)
        os.kill(os.getpid(), signal.SIGTERM)

    threading.Thread(target=wait, daemon=True).start()


@pytest.mark.parametrize("echo", [False, True])
def test_an_interrupted_command_finishes_what_it_does_and_ends(tmp_path: Path, echo: bool) -> None:
    run = StackRun(folder=tmp_path, kubeconfig=tmp_path / "kubeconfig", echo=echo)
    end_when(tmp_path / "ready")
    with pytest.raises(Ended):
        run.run("sh", "-c", _HEEDS.format(tmp_path))
    assert (tmp_path / "heard").read_text() == "finished\n"
    assert not members(tmp_path)


def test_an_interrupted_command_that_does_not_hear_is_killed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(child, "_GRACE", 0.1)
    run = StackRun(folder=tmp_path, kubeconfig=tmp_path / "kubeconfig")
    end_when(tmp_path / "ready")
    with pytest.raises(Ended):
        run.run("sh", "-c", _DEAF.format(tmp_path))
    assert not members(tmp_path)


class Late(StackRun):
    """A stack whose commands have started already when the signal comes, but nobody knows them yet."""

    def start(self, *command: str, stdin: int = subprocess.DEVNULL) -> subprocess.Popen[str]:
        """See `StackRun`."""
        process = super().start(*command, stdin=stdin)
        wait_until((self.folder / "ready").exists)
        os.kill(os.getpid(), signal.SIGTERM)
        return process


def test_a_signal_between_the_start_and_the_first_look_leaves_no_command(tmp_path: Path) -> None:
    with pytest.raises(Ended):
        Late(folder=tmp_path, kubeconfig=tmp_path / "kubeconfig").run("sh", "-c", _HEEDS.format(tmp_path))
    assert (tmp_path / "heard").read_text() == "finished\n"
    assert not members(tmp_path)


@pytest.mark.parametrize("echo", [False, True])
def test_the_timeout_holds_while_the_output_is_shown(tmp_path: Path, echo: bool) -> None:
    run = StackRun(folder=tmp_path, kubeconfig=tmp_path / "kubeconfig", echo=echo)
    with pytest.raises(AssertionError, match="did not end within 1 s"):
        run.run("sh", "-c", "exec sleep 300", timeout=1.0)
    assert not members(tmp_path)


def test_output_and_exit_code_come_back(tmp_path: Path) -> None:
    run = StackRun(folder=tmp_path, kubeconfig=tmp_path / "kubeconfig")
    done = run.run("sh", "-c", "echo one; echo two >&2; exit 3")
    assert (done.code, done.out) == (3, "one\ntwo\n")


_CLEANS = """
import pathlib, signal, sys, time
from demo.signals import end_on_signals
signal.signal(signal.SIGHUP, signal.SIG_DFL)  # it is ignored where the tests run under nohup
end_on_signals()
folder = pathlib.Path(sys.argv[1])
try:
    (folder / "ready").touch()
    while True:
        time.sleep(0.01)
finally:
    (folder / "cleaning").touch()
    while not (folder / "go-on").exists():
        time.sleep(0.01)
    (folder / "cleaned").touch()
"""


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_the_first_signal_ends_the_demo_and_the_second_lets_it_clean_up(tmp_path: Path, number: int) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", _CLEANS, str(tmp_path)], cwd=PROJECT, stderr=subprocess.PIPE, text=True
    ) as process:
        for file in ("ready", "cleaning"):
            wait_until((tmp_path / file).exists)
            process.send_signal(number)
        (tmp_path / "go-on").touch()
        _, err = process.communicate()
    assert process.returncode == 128 + number
    assert (tmp_path / "cleaned").exists()
    assert (
        err.strip()
        == f"✗ {signal.Signals(number).name}: ending what runs, and removing what the demo made ..."
    )
