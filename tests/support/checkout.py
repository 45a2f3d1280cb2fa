"""A person's checkout of the project, with all that the pages take for granted: a home, a cluster, a repository."""

from __future__ import annotations

import contextlib
import os
import pty
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import pytest
import yaml

from demo.rest import Rest
from demo.stack import PROJECT, Outcome
from tests.support.git_server import GitServer, basic
from tests.support.image_objects import API
from tests.support.registry import Registry
from tests.support.stack import kustomization, write_tree
from weir.edges.local_cluster.cluster import LocalCluster
from weir.edges.tools import PROGRAMS, bin_dirs, cache_root, link_plugins
from weir.watch.journal import Journal

STACK: Final = "production"
TOKEN: Final = "a-password-for-git"
FLUX: Final = "flux-system"
RECORDS: Final = "weir-system"
WORKLOADS: Final = "prod"
COPIED: Final = ("components", "docs", "stacks")
"""Folders that commands write to, and the one that looks for others beside it; the rest is the project's own."""
_LATER: Final = 120.0
"""Seconds until a command that goes on shows what it is to show, and until it ends when it is asked to."""


@dataclass(frozen=True, slots=True)
class Running:
    """A command that goes on until somebody interrupts it."""

    text: str
    process: subprocess.Popen[bytes]
    log: Path

    @property
    def said(self) -> str:
        """Everything it said so far."""
        return self.log.read_text()

    def wait_for(self, shown: str) -> None:
        """Wait until it shows a text, while it goes on."""
        end = time.monotonic() + _LATER
        while shown not in self.said:
            assert self.process.poll() is None, f"{self.text} ended by itself:\n{self.said}"
            assert time.monotonic() < end, f"{self.text} did not show {shown!r}:\n{self.said}"
            time.sleep(0.05)

    def interrupt(self) -> int:
        """Its exit code after Ctrl-C, negative when it does not care and is killed."""
        if self.process.poll() is None:
            os.killpg(self.process.pid, signal.SIGINT)
        try:
            return self.process.wait(_LATER)
        except subprocess.TimeoutExpired:
            os.killpg(self.process.pid, signal.SIGKILL)
            return self.process.wait()


class Checkout:
    """The project's files, and one shell that goes from command to command: variables and the folder stay."""

    def __init__(self, folder: Path, kubeconfig: Path, server: GitServer, registry: Registry) -> None:
        """The cluster must not have the stack `production`; the registry gets the images of the workloads."""
        self.folder, self.home, self.state = folder / "weir", folder / "home", folder / "state"
        self.registry, self.etc = registry, folder / "etc"
        self.repo = server.repo("platform/fleet")
        self.rest = Rest.load(kubeconfig)
        self._scratch, self._replicas = folder, 1
        self._variables, self._place = folder / "variables", folder / "place"
        self._variables.touch()
        server.authorization = basic("git", TOKEN)
        self._copy_project()
        self._place.write_text(f"{self.folder}\n")
        self._fill_home(kubeconfig)
        self._fill_registry()
        self._fill_repository()
        self._fill_stacks()
        self._namespace(WORKLOADS)

    def _copy_project(self) -> None:
        self.folder.mkdir()
        (self.etc / "systemd" / "system").mkdir(parents=True)
        for path in PROJECT.iterdir():
            if path.name in COPIED:
                shutil.copytree(path, self.folder / path.name)
            elif path.name != ".git":
                (self.folder / path.name).symlink_to(path)
        for name in ("passphrase", "kubeconfig", "id_ed25519", "known_hosts"):
            (self.folder / name).write_text(f"{name} of a test\n")

    def _fill_home(self, kubeconfig: Path) -> None:
        config = yaml.safe_load(kubeconfig.read_text())
        context = config["contexts"][0]["context"]
        config["contexts"] = [{"name": name, "context": context} for name in (STACK, "staging")]
        config["current-context"] = STACK
        texts = {
            ".kube/config": yaml.safe_dump(config),
            ".config/weir/passphrase": "a passphrase of a test\n",
            f".config/weir/{STACK}.passphrase": "a passphrase of a test\n",
        }
        write_tree(self.home, texts)
        link_plugins(self.home / ".pulumi")

    def _fill_registry(self) -> None:
        for tag in ("1.4.0", "1.4.1", "1.4.2"):
            self.registry.push("org/web", tag, created="2026-01-02T03:04:05Z")
        for tag in ("6.4.0", "6.5.0"):
            self.registry.push("org/podinfo", tag)

    def _fill_repository(self) -> None:
        apps = kustomization("apps", "fleet", "./apps")
        apps["metadata"]["labels"] = {"team": "a"}
        files = {
            "clusters/production/apps.yaml": yaml.safe_dump(apps),
            "clusters/staging/settings.yaml": _config_map("staging"),
            "apps/settings.yaml": _config_map("settings"),
            "api/settings.yaml": _config_map("api"),
            "web/web.yaml": self._web(),
        }
        self.repo.commit(files, "first")
        self.repo.commit({"apps/more.yaml": _config_map("more")}, "proposed", ref="refs/pull/7/head")
        write_tree(self.folder / "fleet", files)

    def _web(self) -> str:
        labels = {"app": "web"}
        container = {"name": "web", "image": f"{self.registry.host}/org/web:1.4.1"}
        template = {"metadata": {"labels": labels}, "spec": {"containers": [container]}}
        spec = {"replicas": self._replicas, "selector": {"matchLabels": labels}, "template": template}
        meta = {"name": "web", "namespace": WORKLOADS}
        return yaml.safe_dump(
            {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": meta, "spec": spec}, sort_keys=False
        )

    def _fill_stacks(self) -> None:
        for stack in (STACK, "staging"):  # which share a cluster here
            entry = self.folder / "stacks" / stack / "fleet.yaml"
            text = entry.read_text()
            assert "https://git.example.com/platform/fleet.git" in text
            entry.write_text(text.replace("https://git.example.com/platform/fleet.git", self.repo.url))
        settings = self.folder / "stacks" / "Pulumi.staging.yaml"
        known = yaml.safe_load(settings.read_text())
        known["config"]["weir:cluster"]["recordNamespace"] = "weir-staging"
        settings.write_text(yaml.safe_dump(known))
        image = {"image": f"{self.registry.host}/org/podinfo", "interval": "5m", "insecure": True}
        choice = {"imageRepositoryRef": {"name": "podinfo"}, "policy": {"semver": {"range": "6.4.x"}}}
        self.declare(
            "images.yaml", _image("ImageRepository", "podinfo", image), _image("ImagePolicy", "six", choice)
        )
        self.declare("web.yaml", kustomization("web", "fleet", "./web", wait=True))
        self.declare("api.yaml", kustomization("api", "fleet", "./api"))

    def declare(self, file: str, *documents: dict[str, Any]) -> None:
        """Write a file of the stack's own folder."""
        (self.folder / "stacks" / STACK / file).write_text(yaml.safe_dump_all(documents))

    def credentials(self) -> None:
        """Make the Secret that the source asks for, and its namespace."""
        self._namespace(FLUX)
        meta = {"name": "fleet-credentials", "namespace": FLUX}
        login = {"username": "git", "password": TOKEN}
        self.rest.apply({"apiVersion": "v1", "kind": "Secret", "metadata": meta, "stringData": login})

    def _namespace(self, name: str) -> None:
        self.rest.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}})

    def remember(self, error: str) -> None:
        """Let a watcher that ran here before have said this."""
        with pytest.MonkeyPatch.context() as here:
            here.setenv("WEIR_CACHE_DIR", self.environment()["WEIR_CACHE_DIR"])
            Journal(STACK, quiet=True).error(error)

    def install(self) -> None:
        """Bring the stack to what Git says."""
        self.run(f"weir up --stack {STACK}").must()

    def install_twice(self) -> None:
        """The same, and again after a commit, so that there is a way back."""
        self.install()
        self._replicas += 1
        self.repo.commit({"web/web.yaml": self._web()}, "one more")
        self.install()

    def environment(self) -> dict[str, str]:
        """That of a person who has the programs on the PATH, and a backend."""
        programs = [str(Path(sys.executable).parent), *(str(path) for path in bin_dirs(PROGRAMS))]
        return {
            "PATH": os.pathsep.join([*programs, os.environ["PATH"]]),
            "HOME": str(self.home),
            "LANG": "C.UTF-8",
            "XDG_CACHE_HOME": str(cache_root().parents[1]),
            "WEIR_CACHE_DIR": str(self._scratch / "cache"),
            "PULUMI_HOME": str(self.home / ".pulumi"),
            "PULUMI_BACKEND_URL": self.state.as_uri(),
            "PULUMI_CONFIG_PASSPHRASE_FILE": str(self.home / ".config" / "weir" / "passphrase"),
            "PULUMI_SKIP_UPDATE_CHECK": "true",
            "PULUMI_DISABLE_AUTOMATIC_PLUGIN_ACQUISITION": "true",
            "GOGC": "400",
            "NO_COLOR": "1",
            "TOKEN": TOKEN,
            "ID": "an-id",
            "KEY": "a-key",
        }

    def run(self, command: str, answer: str = "", timeout: float = 240.0) -> Outcome:
        """Run a line of a page to its end, in the shell; `answer` is what a person types when asked."""
        begin = time.monotonic()
        log = self._scratch / "output"
        with _typing(answer) as stdin:
            process = self._start(command, log, stdin)
            try:
                code = process.wait(timeout)
            except subprocess.TimeoutExpired as err:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()
                raise AssertionError(f"{command} did not end:\n{log.read_text()}") from err
        return Outcome((command,), code, log.read_text(), time.monotonic() - begin)

    @contextlib.contextmanager
    def running(self, command: str) -> Iterator[Running]:
        """A line of a page that goes on; interrupted at the latest at the end."""
        log = self._scratch / "output-running"
        one = Running(command, self._start(command, log, subprocess.DEVNULL), log)
        try:
            yield one
        finally:
            one.interrupt()

    def _start(self, command: str, log: Path, stdin: int) -> subprocess.Popen[bytes]:
        keep = f"export -p > '{self._variables}'\npwd > '{self._place}'\n"
        with log.open("wb") as output:
            return subprocess.Popen(
                ["bash", "-c", f"set -aeo pipefail\nsource '{self._variables}'\n{command}\n{keep}"],
                cwd=self._place.read_text().strip(),
                env=self.environment(),
                stdin=stdin,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def close(self) -> None:
        """End what commands started, and ask for the removal of what they made in the cluster."""
        LocalCluster(self.home / ".local" / "state" / "weir" / "cluster").stop()
        for name in (WORKLOADS, FLUX):
            self.rest.delete("v1", "Namespace", "", name)
        records = self.rest.kind("v1", "ConfigMap")
        for record in self.rest.list(records, f"weir.dev/stack={STACK}", RECORDS):
            self.rest.delete("v1", "ConfigMap", RECORDS, record["metadata"]["name"])
        self.rest.delete("coordination.k8s.io/v1", "Lease", RECORDS, f"weir-run-{STACK}")


@contextlib.contextmanager
def _typing(answer: str) -> Iterator[int]:
    """A standard input: a terminal with an answer typed ahead, or nothing at all."""
    if not answer:
        yield subprocess.DEVNULL
        return
    person, terminal = pty.openpty()
    try:
        os.write(person, f"{answer}\n".encode())
        yield terminal
    finally:
        os.close(person)
        os.close(terminal)


def _config_map(name: str) -> str:
    meta = {"name": name, "namespace": WORKLOADS}
    return yaml.safe_dump({"apiVersion": "v1", "kind": "ConfigMap", "metadata": meta, "data": {"A": "1"}})


def _image(kind: str, name: str, spec: dict[str, Any]) -> dict[str, Any]:
    return {"apiVersion": API, "kind": kind, "metadata": {"name": name, "namespace": FLUX}, "spec": spec}
