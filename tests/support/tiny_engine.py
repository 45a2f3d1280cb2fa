"""A tiny Pulumi project on a file backend: a few dynamic resources that note what is done to them.

Creating the resource `slow` waits while the file `wait` exists, so that a run can be held, looked at and killed.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Final

import psutil

from tests.support.engine_driver import TOOLS
from weir.edges.pulumi.state import StackFiles
from weir.edges.tools import bin_dirs, locate

REPOSITORY: Final = Path(__file__).resolve().parents[2]
PASSPHRASE: Final = "canary-passphrase-5d1f"
THINGS: Final = '''
"""Dynamic resources that write a line for everything done to them."""
import pathlib, time
from pulumi.dynamic import CreateResult, Resource, ResourceProvider

HERE = pathlib.Path(__file__).parent

class ThingProvider(ResourceProvider):
    serialize_as_secret_always = False

    def create(self, props):
        note("create", props)
        while props["name"] == "slow" and (HERE / "wait").exists():
            time.sleep(0.05)
        return CreateResult(props["name"], props)

    def delete(self, _id, props):
        note("delete", props)

def note(verb, props):
    with (HERE / "done.log").open("a") as file:
        file.write(f"{verb} {props['name']}\\n")

class Thing(Resource):
    def __init__(self, name, opts=None):
        super().__init__(ThingProvider(), name, {"name": name}, opts)
'''
PROGRAM: Final = """
import pathlib, pulumi
from things import Thing
for name in pathlib.Path("names").read_text().split():
    Thing(name)
pulumi.export("token", pulumi.Output.secret("canary-output-77aa"))
"""


class TinyEngine:
    """One project, one stack `dev`, one backend folder."""

    def __init__(self, folder: Path) -> None:
        self.root = folder / "project"
        self.backend = folder / "backend"
        self.root.mkdir(parents=True)
        self.backend.mkdir()
        (self.root / "Pulumi.yaml").write_text("name: tiny\nruntime: python\n")
        (self.root / "things.py").write_text(THINGS)
        (self.root / "__main__.py").write_text(PROGRAM)
        self.declare("first second")
        self.files = StackFiles(backend=self.backend, project="tiny", stack="dev")
        self.environ = {key: value for key, value in os.environ.items() if not key.startswith("PULUMI_")}
        self.environ |= {
            "PULUMI_BACKEND_URL": f"file://{self.backend}",
            "PULUMI_HOME": str(folder / "home"),
            "PULUMI_CONFIG_PASSPHRASE": PASSPHRASE,
            "PYTHONPATH": str(self.root),
        }

    def declare(self, names: str) -> None:
        """What the program declares from now on."""
        (self.root / "names").write_text(names)

    @property
    def done(self) -> list[str]:
        """Everything ever done to the resources."""
        log = self.root / "done.log"
        return log.read_text().splitlines() if log.exists() else []

    def start(self, verb: str, *flags: str) -> subprocess.Popen[str]:
        """Start the wrapper."""
        return subprocess.Popen(
            [sys.executable, "-m", "tests.support.engine_driver", verb, str(self.root), *flags],
            cwd=REPOSITORY,
            env=self.environ | {"PYTHONPATH": f"{REPOSITORY}:{self.root}"},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def run(self, verb: str, *flags: str, code: int = 0) -> str:
        """Run the wrapper to its end and give its output."""
        child = self.start(verb, *flags)
        output, _ = child.communicate(timeout=100)
        assert child.returncode == code, output
        return output

    def bare(self, *arguments: str) -> list[str]:
        """The argument vector of the plain CLI."""
        return [str(locate("pulumi")), *arguments, "--non-interactive"]

    def start_bare(self) -> subprocess.Popen[str]:
        """Start a plain `pulumi up`, as somebody else would."""
        path = os.pathsep.join(
            [str(Path(sys.executable).parent), *map(str, bin_dirs(TOOLS)), self.environ["PATH"]]
        )
        return subprocess.Popen(
            self.bare("up", "--yes", "--skip-preview", "--stack=dev"),
            cwd=self.root,
            env=self.environ | {"PATH": path, "PULUMI_SKIP_UPDATE_CHECK": "true"},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )

    def resources(self) -> list[dict[str, Any]]:
        """What the state holds."""
        found = json.loads(self.files.state.read_bytes())["checkpoint"].get("latest") or {}
        return list(found.get("resources") or [])

    def locks(self) -> list[Path]:
        """Lock files."""
        return sorted(self.files.locks.glob("*.json"))

    def hold_at_slow(self, start: Callable[[], subprocess.Popen[str]]) -> subprocess.Popen[str]:
        """Start a run and wait until it is creating `slow`."""
        (self.root / "wait").touch()
        self.declare("first second slow")
        child = start()
        wait_until(lambda: "create slow" in self.done or child.poll() is not None)
        assert child.poll() is None, child.communicate()[0]
        return child

    def let_go(self) -> None:
        """Let `slow` be created."""
        (self.root / "wait").unlink(missing_ok=True)


def wait_until(ready: Callable[[], object], seconds: float = 60.0) -> None:
    """Wait for something, or fail."""
    end = time.monotonic() + seconds
    while not ready():
        assert time.monotonic() < end, "waited too long"
        time.sleep(0.05)


def descendants(pid: int) -> list[psutil.Process]:
    """All processes below one."""
    return psutil.Process(pid).children(recursive=True)


def engine_below(pid: int) -> psutil.Process:
    """The CLI that a wrapper runs."""
    return next(process for process in descendants(pid) if process.name() == "pulumi")


def end(processes: Sequence[psutil.Process]) -> None:
    """Kill what a test left."""
    for process in processes:
        with contextlib.suppress(psutil.NoSuchProcess):
            process.send_signal(signal.SIGKILL)
