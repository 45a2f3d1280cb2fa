"""A stack under test: `StackRun` with the questions tests ask of it."""

from __future__ import annotations

import re
import time
from pathlib import Path
from typing import Any, Final

from demo import stack
from demo.stack import Outcome

_CHANGES: Final = re.compile(
    r"^\s*(?:[+~-]|\+-|-\+)\s*(\d+) to (?:create|update|delete|replace)", re.MULTILINE
)
_DONE: Final = re.compile(r"^\s*(?:[+~-]|\+-|-\+)\s*(\d+) (?:created|updated|deleted|replaced)", re.MULTILINE)


class StackRun(stack.StackRun):
    """See `demo.stack.StackRun`."""

    __test__ = False

    def environment(self) -> dict[str, str]:
        """As of the base class; plain `pulumi` too collects its garbage as seldom as under `weir`."""
        return {"GOGC": "400", **super().environment()}

    def lose_caches(self, *, put_back: Path | None = None) -> None:
        """Take the caches away, or put others in their place.

        They are moved, not removed: a run's janitor may be at work in them for a moment after the run.
        """
        self.cache.rename(self.folder / f"lost-{time.monotonic_ns()}")
        if put_back:
            put_back.rename(self.cache)

    def bare(self, command: str, *arguments: str, timeout: float = 300.0) -> Outcome:
        """Plain `pulumi`, as a person without the `weir` command would type it."""
        return self.pulumi(command, *arguments, timeout=timeout)

    def expect_clean(self) -> None:
        """A preview that shows no change, and nothing pending in the state."""
        outcome = self.preview("--diff").must()
        assert not _CHANGES.search(outcome.out), outcome.out
        latest = self.state()["checkpoint"]["latest"]
        assert not latest.get("pending_operations"), latest["pending_operations"]

    def units(self) -> dict[str, dict[str, Any]]:
        """Resources of Weir's own provider by their Pulumi name."""
        found = self.resources()
        return {
            item["urn"].rpartition("::")[2]: item
            for item in found
            if item["urn"].split("::")[2].split("$")[-1].startswith("weir:kustomize:Kustomization")
            and item.get("custom")
        }


def changed(outcome: Outcome) -> bool:
    """Whether Pulumi's summary of an up or a preview counts any change."""
    return bool(_CHANGES.search(outcome.out) or _DONE.search(outcome.out))


def git_repository(name: str, url: str, *, namespace: str = "flux-system", **spec: Any) -> dict[str, Any]:
    """A GitRepository document on branch main unless `ref` is given."""
    return {
        "apiVersion": "source.toolkit.fluxcd.io/v1",
        "kind": "GitRepository",
        "metadata": {"name": name, "namespace": namespace},
        "spec": {"interval": "1m", "url": url, "ref": {"branch": "main"}, **spec},
    }


def kustomization(
    name: str, source: str, path: str, *, namespace: str = "flux-system", **spec: Any
) -> dict[str, Any]:
    """A pruning Kustomization document on a GitRepository of the same namespace."""
    return {
        "apiVersion": "kustomize.toolkit.fluxcd.io/v1",
        "kind": "Kustomization",
        "metadata": {"name": name, "namespace": namespace},
        "spec": {
            "interval": "10m",
            "prune": True,
            "path": path,
            "sourceRef": {"kind": "GitRepository", "name": source},
            **spec,
        },
    }


def write_tree(folder: Path, files: dict[str, str]) -> None:
    """Write files under a folder, making the folders on the way."""
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
