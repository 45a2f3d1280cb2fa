"""The one runner of subprocesses: fixed argv, own environment and process group, a deadline, caps on output.

A program never sees this process's environment, terminal or standard input, and whatever it started dies with it:
at the deadline, on a stop request, when it says too much, and when the caller leaves early. It carries the mark of
the run, so that it dies too when the whole run is killed: a push that goes on then would write behind the next run.
"""

from __future__ import annotations

import contextlib
import os
import resource
import shutil
import signal
import subprocess
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import IO, Any, Final, Required, Self, TypedDict, Unpack

from weir.spec.errors import StopRequested, WeirError

DEFAULT_MAX_STDOUT: Final = 64 * 1024 * 1024
"""Bytes of standard output that `run` accepts unless told otherwise."""

MARK: Final = "WEIR_RUN_MARK"
"""Variable whose value is the run's own, in the environment of every process of a run."""

_STDERR_TAIL: Final = 64 * 1024
_GRACE: Final = 0.3
_STOP_POLL: Final = 0.05
_CHUNK: Final = 1024 * 1024


class ProcessError(WeirError):
    """A program could not be run to its end."""


class ProgramMissingError(ProcessError):
    """The program is not installed."""


class ProcessTimeoutError(ProcessError):
    """The program was still running at its deadline and was killed with everything it started."""


class OutputTooLargeError(ProcessError):
    """The program wrote more than was allowed and was killed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """Resource limits of a program and its children; None leaves the system's own."""

    file_size: int | None = None
    """Largest file it may write, in bytes."""
    memory: int | None = None
    """Address space in bytes."""
    cpu_seconds: int | None = None
    open_files: int | None = None


class Setting(TypedDict, total=False):
    """What a program runs with. Times are in seconds."""

    env: Required[Mapping[str, str]]
    """The whole of its environment."""
    timeout: Required[float]
    """Until it is killed with everything it started."""
    cwd: Path | None
    """None, as when left out, is `/`."""
    stdin: bytes
    """Fed beside; nothing when left out."""
    stop: threading.Event | None
    """Ends it once set."""
    limits: Limits | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Completed:
    """What a program left behind. A code that is not 0 is the caller's to judge."""

    returncode: int
    """Exit code; minus the signal's number when a signal ended it."""
    stdout: bytes
    stderr: str
    """At most the last 64 KiB."""


class Running:
    """A program at work, from `start`, used in a `with` block. Afterwards `returncode` and `stderr` are final."""

    def __init__(self, child: subprocess.Popen[bytes], name: str, timeout: float) -> None:
        if child.stdin is None or child.stdout is None or child.stderr is None:
            raise ProcessError(f"{name}: has no pipes")
        self.stdout: IO[bytes] = child.stdout
        self.returncode: int | None = None
        self._stdin, self._errors = child.stdin, child.stderr
        self._child = child
        self._name = name
        self._timeout = timeout
        self._reason: WeirError | None = None
        self._tail: deque[bytes] = deque()
        self._ended = threading.Event()
        self._threads: list[threading.Thread] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is not None:
            self._signal(signal.SIGKILL)
        self._reap()
        for thread in self._threads:
            thread.join()
        self.stdout.close()
        self._errors.close()
        if self._reason is not None:
            raise self._reason from error

    def begin(self, stdin: bytes, stop: threading.Event | None) -> None:
        """Start feeding, listening and watching; called once, by `start`."""
        jobs: tuple[tuple[Callable[..., None], tuple[Any, ...]], ...] = (
            (self._collect_stderr, ()),
            (self._feed, (stdin,)),
            (self._watch, (stop,)),
        )
        for job, arguments in jobs:
            thread = threading.Thread(target=job, args=arguments, daemon=True)
            thread.start()
            self._threads.append(thread)

    def limit(self, limits: Limits | None) -> None:
        """Set limits from outside right after the start: a hook between fork and exec is unsafe beside threads."""
        if limits is None or not hasattr(resource, "prlimit"):
            return
        wanted = (
            (resource.RLIMIT_FSIZE, limits.file_size),
            (resource.RLIMIT_AS, limits.memory),
            (resource.RLIMIT_CPU, limits.cpu_seconds),
            (resource.RLIMIT_NOFILE, limits.open_files),
        )
        for kind, value in wanted:
            if value is not None:
                with contextlib.suppress(ProcessLookupError, PermissionError):
                    resource.prlimit(self._child.pid, kind, (value, value))

    @property
    def stderr(self) -> str:
        """The last 64 KiB of standard error so far, as text."""
        return b"".join(self._tail)[-_STDERR_TAIL:].decode("utf-8", "replace")

    def _collect_stderr(self) -> None:
        kept = 0
        while chunk := os.read(self._errors.fileno(), 65536):
            self._tail.append(chunk)
            kept += len(chunk)
            while kept - len(self._tail[0]) >= _STDERR_TAIL:
                kept -= len(self._tail.popleft())

    def _feed(self, data: bytes) -> None:
        with contextlib.suppress(OSError):
            self._stdin.write(data)
        with contextlib.suppress(OSError):
            self._stdin.close()

    def _watch(self, stop: threading.Event | None) -> None:
        deadline = time.monotonic() + self._timeout
        while not self._ended.wait(
            max(0.0, min(_STOP_POLL if stop else self._timeout, deadline - time.monotonic()))
        ):
            if stop is not None and stop.is_set():
                self._end(StopRequested(f"{self._name}: stopped on request"))
                return
            if time.monotonic() >= deadline:
                hint = "raise the timeout, or see what holds it up"
                self._end(
                    ProcessTimeoutError(f"{self._name}: still running after {self._timeout:g} s", hint=hint)
                )
                return

    def _end(self, reason: WeirError) -> None:
        """Ask the group to end, then make it; the first reason is the one reported."""
        if self._reason is None:
            self._reason = reason
        self._signal(signal.SIGTERM)
        if not self._ended.wait(_GRACE):
            self._signal(signal.SIGKILL)

    def _signal(self, number: int) -> None:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self._child.pid, number)

    def _reap(self) -> None:
        """Wait for the leader, then kill what it left behind while its group number cannot be anybody else's."""
        os.waitid(os.P_PID, self._child.pid, os.WEXITED | os.WNOWAIT)
        self._signal(signal.SIGKILL)
        self.returncode = self._child.wait()
        self._ended.set()


def start(argv: Sequence[str], **setting: Unpack[Setting]) -> Running:
    """A program whose output is read while it runs.

    Use it in a `with` block: leaving waits for the end, leaving by an exception kills the program first.

    Raises:
        ProgramMissingError: no such program.
        ProcessTimeoutError: not ended after `timeout`; raised when the block is left, in place of other errors.
        StopRequested: `stop` was set; raised when the block is left.
    """
    running = _spawn(argv, setting["env"], setting.get("cwd"), setting["timeout"])
    running.limit(setting.get("limits"))
    running.begin(setting.get("stdin", b""), setting.get("stop"))
    return running


def run(
    argv: Sequence[str], *, max_stdout: int = DEFAULT_MAX_STDOUT, **setting: Unpack[Setting]
) -> Completed:
    """Run a program to its end.

    Raises:
        OutputTooLargeError: more than `max_stdout` bytes of standard output.
        ProgramMissingError, ProcessTimeoutError, StopRequested: as `start`.
    """
    chunks: list[bytes] = []
    size = 0
    with start(argv, **setting) as running:
        while chunk := os.read(running.stdout.fileno(), _CHUNK):
            size += len(chunk)
            if size > max_stdout:
                raise OutputTooLargeError(f"{_name(argv)}: wrote more than {max_stdout} bytes")
            chunks.append(chunk)
    returncode = running.returncode if running.returncode is not None else -1
    return Completed(returncode=returncode, stdout=b"".join(chunks), stderr=running.stderr)


def search_path() -> str:
    """Where programs are looked for: this process's PATH, the one thing of its environment that children get."""
    return os.environ.get("PATH") or os.defpath


def _spawn(argv: Sequence[str], env: Mapping[str, str], cwd: Path | None, timeout: float) -> Running:
    program = argv[0] if os.sep in argv[0] else shutil.which(argv[0], path=env.get("PATH", os.defpath))
    if program is None:
        raise ProgramMissingError(f"{argv[0]}: found no such program on PATH", hint=f"install {argv[0]}")
    try:
        child = subprocess.Popen(
            [program, *argv[1:]],
            env={**env, **{name: os.environ[name] for name in (MARK,) if name in os.environ}},
            cwd=cwd or "/",
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            start_new_session=True,
        )
    except OSError as err:
        raise ProgramMissingError(
            f"{argv[0]}: cannot be started: {err.strerror}", hint=f"install {argv[0]}"
        ) from err
    return Running(child, _name(argv), timeout)


def _name(argv: Sequence[str]) -> str:
    """`git fetch` of `/usr/bin/git --git-dir=x fetch url`: the program and its first word that is no option."""
    word = next((item for item in argv[1:] if not item.startswith("-") and item.isalpha()), "")
    return f"{Path(argv[0]).name} {word}".strip()
