"""The Pulumi CLI as a child process: its arguments, its environment, and its end.

The child is the head of a process group of its own, so that Ctrl-C on a terminal reaches it once, through us. The
first SIGINT, SIGTERM or SIGHUP is passed on and lets it finish what it writes; the second kills the whole group. When
this process is gone, whatever killed it, a guardian of a few lines of sh ends the child: SIGTERM, then SIGKILL after
a second. The engine starts its plugins in process groups of their own, as these start programs, and they outlive it
when it is killed; so all of a run carry a mark in their environment, by which what is left of it is found and killed.
"""

from __future__ import annotations

import contextlib
import json
import os
import secrets
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import Any, Final, Protocol, Self

import psutil

from weir.edges.process import MARK
from weir.edges.pulumi.passphrase import handed_over
from weir.edges.pulumi.project import EngineError
from weir.edges.tools import PROGRAMS, ToolError, bin_dirs, link_plugins, locate, pulumi_home

DEFAULTS: Final = {"PULUMI_PARALLEL": "64", "PULUMI_PARALLEL_DIFF": "true", "GOGC": "400"}
"""Set unless the caller's environment says otherwise.

The CLI lives for seconds: collecting its garbage less often saves a tenth of a run's processor time.
"""
FIXED: Final = {"PULUMI_DISABLE_AUTOMATIC_PLUGIN_ACQUISITION": "true", "PULUMI_SKIP_UPDATE_CHECK": "true"}
_HIDDEN: Final = "[secret]"
"""What the CLI prints for a secret output."""
SHORT: Final = 120.0
"""Seconds that a command which only reads or creates a stack may take."""
GRACE: Final = 1
"""Seconds between the guardian's SIGTERM and its SIGKILL."""
_SIGNALS: Final = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
_GUARDIAN: Final = f"""
read -r _
kill -TERM "$1" 2>/dev/null
n=0
while kill -0 "$1" 2>/dev/null && [ "$n" -lt {GRACE * 5} ]; do sleep 0.2; n=$((n + 1)); done
kill -KILL "-$1" 2>/dev/null
for file in $(grep -ls "{MARK}=$3" /proc/[0-9]*/environ 2>/dev/null); do
  file=${{file#/proc/}}
  kill -KILL "${{file%/environ}}" 2>/dev/null
done
[ -z "$2" ] || rm -rf -- "$2"
"""
_OWNED: Final = ("resources", "pending_operations")
"""Keys of a deployment."""
_DEPLOYMENT: Final = 3
"""Version of a deployment's form."""
_ABSENT: Final = ("no stack named", "not found")


class Host(Protocol):
    """Runs the program in this process when the engine calls, so that the engine starts none for it."""

    @property
    def address(self) -> str:
        """`host:port` of a language runtime, as `pulumi up --client` takes it; it listens once it was asked for."""

    def begin(self, pid: int, environ: Mapping[str, str]) -> None:
        """The engine that will call is this process, with this environment."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PulumiCli:
    """The CLI in one project with one environment."""

    root: Path
    environ: Mapping[str, str]
    """The caller's environment; the child's is made from it."""
    tools: tuple[str, ...] = PROGRAMS
    """Tools whose folders come first on PATH."""

    def run(self, arguments: Sequence[str], host: Host | None = None) -> int:
        """Run one command to its end with our output as its output, and give its exit code (128+n for a signal).

        The program runs where `host` says, else in a process that the engine starts.

        Raises:
            EngineError: the CLI or a tool it needs is missing.
        """
        client = [f"--client={host.address}"] if host else []
        with self._child_setup() as (environ, handles, remove), _Relay() as relay:
            child = subprocess.Popen(
                self._argv([*arguments, *client]),
                cwd=self.root,
                env=environ,
                stdin=subprocess.DEVNULL,
                pass_fds=handles,
                process_group=0,
                umask=0o077,
            )
            with _guarded(child.pid, remove, environ[MARK]):
                relay.start(child.pid)
                if host:
                    host.begin(child.pid, environ)
                code = child.wait()
                if code < 0:  # killed, so it told none of its plugins to end
                    _kill_marked(environ[MARK])
        if relay.received and code != 0:
            return 128 + relay.received[0]
        return 128 - code if code < 0 else code

    def create_stack(self, stack: str) -> None:
        """`pulumi stack init`, without selecting it. Raises EngineError with what Pulumi said."""
        answer = self._ask(["stack", "init", "--no-select", f"--stack={stack}"])
        if answer.returncode:
            raise EngineError(
                f"stack {stack} cannot be created: {_last_words(answer.stderr)}", hint="check the backend"
            )

    def forget_resources(self, stack: str) -> None:
        """Let a stack of any backend own nothing; what it owned stays as it is, and so do the copies of its state.

        Raises:
            EngineError: another run holds the stack, or the backend cannot be reached or written.
        """
        deployment = self.export(stack) or {}
        kept = {key: value for key, value in deployment.items() if key not in _OWNED}
        with tempfile.NamedTemporaryFile("w", suffix=".json") as file:
            json.dump({"version": _DEPLOYMENT, "deployment": kept}, file)
            file.flush()
            answer = self._ask(["stack", "import", f"--stack={stack}", f"--file={file.name}"])
        if answer.returncode:
            raise EngineError(
                f"stack {stack} cannot be emptied: {_last_words(answer.stderr)}", hint="nothing was changed"
            )

    def export(self, stack: str) -> dict[str, Any] | None:
        """The stack's deployment as any backend has it, secrets still sealed; None when there is no such stack.

        Raises:
            EngineError: the backend cannot be reached or read.
        """
        answer = self._ask(["stack", "export", f"--stack={stack}"])
        if answer.returncode:
            said = _last_words(answer.stderr)
            if any(word in said for word in _ABSENT):
                return None
            raise EngineError(
                f"stack {stack} cannot be read: {said}", hint="check the backend and your login"
            )
        try:
            found = json.loads(answer.stdout)["deployment"]
        except (ValueError, KeyError, TypeError) as err:
            raise EngineError(
                f"stack {stack}: its export is not readable", hint="run `pulumi stack export`"
            ) from err
        return found if isinstance(found, dict) else {}

    def outputs(self, stack: str) -> dict[str, Any]:
        """The stack's outputs as JSON values, without the secret ones.

        Raises:
            EngineError: there is no such stack, or the backend cannot be reached or read.
        """
        answer = self._ask(["stack", "output", "--json", f"--stack={stack}"])
        if answer.returncode:
            raise EngineError(
                f"stack {stack} cannot be read: {_last_words(answer.stderr)}", hint="check its name"
            )
        try:
            found = json.loads(answer.stdout)
        except ValueError as err:
            raise EngineError(
                f"stack {stack}: its outputs are not readable", hint="run `pulumi stack output`"
            ) from err
        return (
            {key: value for key, value in found.items() if value != _HIDDEN}
            if isinstance(found, dict)
            else {}
        )

    def _ask(self, arguments: Sequence[str]) -> subprocess.CompletedProcess[str]:
        with self._child_setup() as (environ, handles, _):
            try:
                return subprocess.run(
                    self._argv(arguments),
                    cwd=self.root,
                    env=environ,
                    stdin=subprocess.DEVNULL,
                    pass_fds=handles,
                    capture_output=True,
                    text=True,
                    errors="replace",
                    timeout=SHORT,
                    check=False,
                    umask=0o077,
                )
            except subprocess.TimeoutExpired as err:
                raise EngineError(
                    f"pulumi {arguments[0]} took over {SHORT:.0f} s", hint="check the backend"
                ) from err

    def _argv(self, arguments: Sequence[str]) -> list[str]:
        return [str(locate("pulumi")), *arguments, "--non-interactive"]

    @contextmanager
    def _child_setup(self) -> Iterator[tuple[dict[str, str], tuple[int, ...], str]]:
        own = Path(sys.executable).absolute().parent
        with contextlib.suppress(ToolError, OSError):  # the engine says it better, when it needs one
            link_plugins(pulumi_home(self.environ))
        folders = [str(folder) for folder in (own, *bin_dirs(self.tools))]
        path = os.pathsep.join([*folders, self.environ.get("PATH", os.defpath)])
        mark = secrets.token_hex(16)
        with handed_over({**DEFAULTS, **self.environ, **FIXED, MARK: mark, "PATH": path}) as ready:
            yield ready


@contextmanager
def _guarded(pid: int, remove: str, mark: str) -> Iterator[None]:
    """End a process and all that carry a mark when we are gone, and remove a folder then."""
    reading, writing = os.pipe()
    guardian = subprocess.Popen(
        ["/bin/sh", "-c", _GUARDIAN, "weir-guardian", str(pid), remove, mark],
        stdin=reading,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
        cwd="/",
        env={"PATH": os.defpath},
    )
    os.close(reading)
    try:
        yield
    finally:
        guardian.kill()
        guardian.wait()
        os.close(writing)


def _kill_marked(mark: str) -> None:
    """Kill every process that carries a mark; those of other users cannot be read, and are not ours."""
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error, OSError):
            if process.environ().get(MARK) == mark:
                process.kill()


class _Relay:
    """Passes the first signal on to the child and kills its group at the second; a no-op outside the main thread.

    It is in place before the child is, so that no signal is lost; one that is ignored stays ignored (nohup). The child
    must not inherit an ignored interrupt, as every background job of a script has it: by this signal the engine ends
    its own children, and waits five seconds for those that do not hear it.
    """

    def __init__(self) -> None:
        self.received: list[int] = []
        self._pid = 0
        self._before: dict[signal.Signals, Any] = {}

    def __enter__(self) -> Self:
        if threading.current_thread() is threading.main_thread():
            wanted = [number for number in _SIGNALS if signal.getsignal(number) is not signal.SIG_IGN]
            self._before = {number: signal.signal(number, self._pass_on) for number in wanted}
            if signal.SIGINT not in wanted:
                self._before[signal.SIGINT] = signal.signal(signal.SIGINT, lambda *_: None)
        return self

    def __exit__(self, *_: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def start(self, pid: int) -> None:
        """The child runs now; what came before is passed on."""
        self._pid = pid
        if self.received:
            self._send(self.received[0])

    def _pass_on(self, number: int, _frame: FrameType | None) -> None:
        self.received.append(number)
        if self._pid:
            self._send(number)

    def _send(self, number: int) -> None:
        with contextlib.suppress(ProcessLookupError):
            if len(self.received) == 1:
                os.kill(self._pid, signal.SIGINT if number == signal.SIGHUP else number)
            else:
                os.killpg(self._pid, signal.SIGKILL)


def _last_words(text: str) -> str:
    """The last line that says something, without Pulumi's `error:`."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return (lines[-1].removeprefix("error: ") if lines else "no reason given")[:300]
