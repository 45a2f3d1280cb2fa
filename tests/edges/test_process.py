"""The runner of subprocesses, with real programs."""

from __future__ import annotations

import os
import threading
import time
from pathlib import Path

import psutil
import pytest

from weir.edges import process
from weir.spec.errors import StopRequested

ENV = {"PATH": os.environ["PATH"], "ONLY": "this"}


def test_output_and_exit_code_come_back() -> None:
    done = process.run(["sh", "-c", "cat; echo oops >&2; exit 3"], env=ENV, timeout=10, stdin=b"in")
    assert (done.returncode, done.stdout, done.stderr) == (3, b"in", "oops\n")


def test_the_environment_is_only_what_was_given(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GITHUB_TOKEN", "s3cret")
    done = process.run(["env"], env=ENV, timeout=10)
    names = {line.partition("=")[0] for line in done.stdout.decode().splitlines()}
    assert names <= {"PATH", "ONLY", "PWD", "SHLVL", "_"}


def test_the_mark_of_the_run_goes_along_so_that_killing_the_run_finds_the_program(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv(process.MARK, "abc")
    assert f"{process.MARK}=abc\n".encode() in process.run(["env"], env=ENV, timeout=10).stdout


def test_a_missing_program_is_named() -> None:
    with pytest.raises(process.ProgramMissingError, match="no-such-program"):
        process.run(["no-such-program"], env=ENV, timeout=10)


def gone(pid: int) -> bool:
    """Whether a killed process is dead, or dies within five seconds."""
    deadline = time.monotonic() + 5
    while time.monotonic() < deadline:
        try:
            if psutil.Process(pid).status() == psutil.STATUS_ZOMBIE:
                return True
        except psutil.NoSuchProcess:
            return True
        time.sleep(0.01)
    return False


def test_the_deadline_kills_grandchildren_too(tmp_path: Path) -> None:
    script = f"sh -c 'trap \"\" TERM; echo $$ > {tmp_path}/pid; sleep 60; sleep 60' & wait"
    with pytest.raises(process.ProcessTimeoutError, match="still running after 6 s"):
        process.run(["sh", "-c", script], env=ENV, timeout=6)
    assert gone(int((tmp_path / "pid").read_text()))


def test_a_child_left_behind_dies_with_its_parent(tmp_path: Path) -> None:
    process.run(["sh", "-c", f"sleep 60 >/dev/null 2>&1 & echo $! > {tmp_path}/pid"], env=ENV, timeout=10)
    assert gone(int((tmp_path / "pid").read_text()))


def test_a_stop_request_ends_it_at_once() -> None:
    stop = threading.Event()
    threading.Timer(0.1, stop.set).start()
    before = time.monotonic()
    with pytest.raises(StopRequested):
        process.run(["sleep", "60"], env=ENV, timeout=50, stop=stop)
    assert time.monotonic() - before < 10


def test_too_much_output_is_refused_while_it_comes() -> None:
    with pytest.raises(process.OutputTooLargeError, match="more than 1000 bytes"):
        process.run(["yes"], env=ENV, timeout=20, max_stdout=1000)


def test_standard_error_is_a_bounded_tail() -> None:
    done = process.run(["sh", "-c", "yes | head -c 3000000 >&2; echo END >&2"], env=ENV, timeout=20)
    assert len(done.stderr) <= 64 * 1024
    assert done.stderr.endswith("END\n")


def test_large_input_and_output_do_not_deadlock() -> None:
    data = os.urandom(3_000_000)
    assert process.run(["cat"], env=ENV, timeout=20, stdin=data).stdout == data


def test_leaving_the_block_early_kills(tmp_path: Path) -> None:
    class LeaveError(Exception):
        pass

    seen: list[int] = []

    def leave() -> None:
        with process.start(["sh", "-c", "echo $$; sleep 60"], env=ENV, timeout=50) as running:
            seen.append(int(running.stdout.readline()))
            raise LeaveError

    with pytest.raises(LeaveError):
        leave()
    assert gone(seen[0])


@pytest.mark.skipif(not hasattr(__import__("resource"), "prlimit"), reason="the system has no prlimit")
def test_the_file_size_limit_holds(tmp_path: Path) -> None:
    limits = process.Limits(file_size=100_000)
    target = tmp_path / "big"
    script = f'while [ "$(ulimit -f)" = unlimited ]; do sleep 0.01; done; yes > {target}'
    done = process.run(["sh", "-c", script], env=ENV, timeout=20, limits=limits)
    assert done.returncode != 0
    assert target.stat().st_size <= 100_000
