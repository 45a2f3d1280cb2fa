"""One Pulumi stack of this project with everything of its own: state, Pulumi home, caches, settings."""

from __future__ import annotations

import json
import os
import secrets
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import yaml

from demo.child import Child
from demo.screen import Screen
from demo.signals import held_signals
from weir.edges.tools import PROGRAMS, bin_dirs, link_plugins

PROJECT: Final = Path(__file__).resolve().parents[1]
"""The folder that holds Pulumi.yaml."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """One finished command."""

    command: tuple[str, ...]
    code: int
    out: str
    """Standard output and standard error as they came."""
    seconds: float

    def must(self) -> Outcome:
        """The same outcome. Raises AssertionError with all output unless the command succeeded."""
        assert self.code == 0, f"{' '.join(self.command)} ended with {self.code}:\n{self.out}"
        return self

    def must_fail(self) -> Outcome:
        """The same outcome. Raises AssertionError if the command succeeded."""
        assert self.code != 0, f"{' '.join(self.command)} succeeded:\n{self.out}"
        return self


@dataclass(kw_only=True)
class StackRun:
    """A stack in a folder of its own, driven by the `weir` command or by plain `pulumi`.

    `settings` are the stack's `weir:` keys without the prefix (`cluster` is filled in from `kubeconfig`).
    """

    folder: Path
    kubeconfig: Path
    name: str = ""
    context: str = ""
    settings: dict[str, Any] = field(default_factory=dict)
    extra_environment: dict[str, str] = field(default_factory=dict)
    echo: bool = False
    """Whether the part of the output that is worth reading is shown while it comes."""

    def __post_init__(self) -> None:
        self.name = self.name or f"t{secrets.token_hex(4)}"
        for path in (self.folder, self.backend, self.objects):
            path.mkdir(mode=0o700, parents=True, exist_ok=True)
        if "objects" not in self.settings and "source" not in self.settings:
            self.settings["objects"] = str(self.objects)
        link_plugins(self.folder / "pulumi-home")
        self.write_settings()

    @property
    def objects(self) -> Path:
        """The folder of Flux objects that the stack reads, unless its settings say otherwise."""
        return self.folder / "objects"

    @property
    def backend(self) -> Path:
        """The folder of Pulumi's file backend."""
        return self.folder / "state"

    @property
    def config_file(self) -> Path:
        """The stack's settings file."""
        return self.folder / f"Pulumi.{self.name}.yaml"

    @property
    def state_file(self) -> Path:
        """Where the file backend keeps the stack's state."""
        return self.backend / ".pulumi" / "stacks" / "weir" / f"{self.name}.json"

    @property
    def cache(self) -> Path:
        """All of Weir's own caches; delete it for a cold run."""
        return self.folder / "cache"

    @property
    def timings_file(self) -> Path:
        """Where Weir says how long each part of each unit took."""
        return self.folder / "timings.jsonl"

    def write_settings(self) -> None:
        """Write the settings file, keeping what Pulumi itself put there (its encryption salt)."""
        known = yaml.safe_load(self.config_file.read_text()) if self.config_file.exists() else {}
        cluster = {"kubeconfig": str(self.kubeconfig), **({"context": self.context} if self.context else {})}
        settings = {**self.settings, "cluster": {**cluster, **self.settings.get("cluster", {})}}
        known["config"] = {f"weir:{key}": value for key, value in settings.items()}
        self.config_file.write_text(yaml.safe_dump(known, sort_keys=False))

    def write_objects(self, name: str, documents: Sequence[Mapping[str, Any]]) -> None:
        """Replace one file of the stack's Flux objects."""
        (self.objects / name).write_text(yaml.safe_dump_all(documents, sort_keys=False))

    def init(self) -> None:
        """Create the stack in the backend, for plain `pulumi`; `weir up` does it by itself.

        Run beside the settings file, so that Pulumi writes its encryption salt there and not into stacks/.
        """
        (self.folder / "Pulumi.yaml").write_text("name: weir\nruntime: python\n")
        words = ("pulumi", "--cwd", str(self.folder), "stack", "init", self.name, "--non-interactive")
        self.run(*words).must()

    def environment(self) -> dict[str, str]:
        """The whole environment of a command: no part of the caller's Pulumi settings leaks in."""
        kept = {
            key: value
            for key, value in os.environ.items()
            if not key.startswith(("PULUMI_", "WEIR_", "GIT_"))
        }
        bins = [str(Path(sys.executable).parent), *(str(path) for path in bin_dirs(PROGRAMS))]
        return {
            **kept,
            "PATH": os.pathsep.join([*bins, os.environ.get("PATH", "")]),
            "PULUMI_BACKEND_URL": self.backend.as_uri(),
            "PULUMI_HOME": str(self.folder / "pulumi-home"),
            "PULUMI_CONFIG_PASSPHRASE": "",
            "PULUMI_SKIP_UPDATE_CHECK": "true",
            "PULUMI_DISABLE_AUTOMATIC_PLUGIN_ACQUISITION": "true",
            "WEIR_CACHE_DIR": str(self.cache),
            "WEIR_TIMINGS": str(self.timings_file),
            "NO_COLOR": "1",
            **self.extra_environment,
        }

    def start(self, *command: str, stdin: int = subprocess.DEVNULL) -> subprocess.Popen[str]:
        """Start a command in a session of its own, output piped."""
        return subprocess.Popen(
            command,
            cwd=PROJECT,
            env=self.environment(),
            stdin=stdin,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            start_new_session=True,
        )

    def run(self, *command: str, timeout: float = 300.0) -> Outcome:
        """Run a command to its end; at the timeout its whole process group is killed.

        It also ends when whatever else is raised here, as by Ctrl-C: asked first, so that it finishes its writes.
        """
        begin, lines, child = time.monotonic(), list[str](), None
        show = Screen().show if self.echo else None
        try:
            with held_signals():  # one that came between the start and the name would leave nobody to end it
                child = Child(self.start(*command))
            for line in child.lines(timeout):
                lines.append(line)
                if show:
                    show(line)
        except BaseException as err:
            if child and isinstance(err, TimeoutError):
                text = "".join(lines) + child.kill()
                words = " ".join(command)
                raise AssertionError(f"{words} did not end within {timeout:.0f} s:\n{text}") from err
            if child:
                child.end()
            raise
        return Outcome(command, child.code, "".join(lines), time.monotonic() - begin)

    def weir(self, command: str, *arguments: str, timeout: float = 300.0) -> Outcome:
        """`weir COMMAND` on this stack."""
        return self.run(*self._words(command, *arguments), timeout=timeout)

    def start_weir(self, command: str, *arguments: str) -> subprocess.Popen[str]:
        """`weir COMMAND` on this stack, as `start` does it."""
        return self.start(*self._words(command, *arguments))

    def pulumi(self, command: str, *arguments: str, timeout: float = 300.0) -> Outcome:
        """Plain `pulumi COMMAND` on this stack, without any of Weir's healing."""
        return self.run("pulumi", command, "--non-interactive", *self.selection, *arguments, timeout=timeout)

    def _words(self, command: str, *arguments: str) -> tuple[str, ...]:
        return (sys.executable, "-m", "weir.cli", command, *self.selection, *arguments)

    @property
    def selection(self) -> tuple[str, ...]:
        """The flags that name the stack."""
        return ("--stack", self.name, "--config-file", str(self.config_file))

    def up(self, *arguments: str, timeout: float = 300.0) -> Outcome:
        """`weir up`."""
        return self.weir("up", *arguments, timeout=timeout)

    def preview(self, *arguments: str, timeout: float = 300.0) -> Outcome:
        """`weir preview`."""
        return self.weir("preview", *arguments, timeout=timeout)

    def destroy(self, *arguments: str, timeout: float = 300.0) -> Outcome:
        """`weir destroy --yes`."""
        return self.weir("destroy", "--yes", *arguments, timeout=timeout)

    def refresh(self, *arguments: str, timeout: float = 300.0) -> Outcome:
        """`weir refresh`."""
        return self.weir("refresh", *arguments, timeout=timeout)

    def state(self) -> dict[str, Any]:
        """The stack's checkpoint as the file backend holds it."""
        checkpoint: dict[str, Any] = json.loads(self.state_file.read_text())
        return checkpoint

    def resources(self) -> list[dict[str, Any]]:
        """The resources of the checkpoint."""
        latest = self.state()["checkpoint"]["latest"] or {}
        return list(latest.get("resources") or [])

    def timings(self) -> list[dict[str, Any]]:
        """What Weir wrote about its own parts since the file was last removed."""
        if not self.timings_file.exists():
            return []
        return [json.loads(line) for line in self.timings_file.read_text().splitlines() if line.strip()]
