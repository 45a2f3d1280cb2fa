"""Manifests that nobody here wrote, as their Go modules carry them, downloaded through the ordinary go command."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterable
from pathlib import Path
from typing import Final

_HELM: Final = "helm.sh/helm/v3/cmd/helm@v3.18.4"
"""Renders cert-manager's chart, which its module carries as templates only."""


def module(name: str) -> Path:
    """The read-only folder of `path@version` in the Go module cache."""
    return Path(json.loads(_go("mod", "download", "-json", name))["Dir"])


def texts(root: Path, folders: Iterable[str]) -> dict[str, str]:
    """The YAML files under some folders of a module, by their path in the module."""
    return {
        str(path.relative_to(root)): path.read_text()
        for folder in folders
        for path in sorted((root / folder).rglob("*"))
        if path.is_file() and (path.suffix in {".yaml", ".yml"} or path.name == "Kustomization")
    }


def helm() -> Path:
    """The helm binary, built once per user."""
    base = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    folder = base / "weir" / "test-tools" / _HELM.rpartition("@")[2]
    if not (folder / "helm").exists():
        folder.mkdir(parents=True, exist_ok=True)
        _go("install", _HELM, GOBIN=str(folder))
    return folder / "helm"


def cert_manager(version: str) -> str:
    """All manifests of a cert-manager release, CRDs included: what `helm template` makes of the module's chart."""
    root = module(f"github.com/cert-manager/cert-manager@{version}")
    with tempfile.TemporaryDirectory() as scratch:
        chart = Path(scratch) / "cert-manager"
        for path in (root / "deploy/charts/cert-manager").rglob("*"):
            if path.is_file():
                _copy(path, chart / path.relative_to(root / "deploy/charts/cert-manager"))
        for path in (root / "deploy/crds").glob("*.yaml"):
            _copy(path, chart / "templates" / path.name)
        text = (chart / "Chart.template.yaml").read_text().replace("{{IS_PRERELEASE}}", "false")
        (chart / "Chart.yaml").write_text(text.replace("v0.0.0", version))
        words = (
            "template",
            "cert-manager",
            str(chart),
            "--namespace=cert-manager",
            "--no-hooks",
            "--kube-version=1.36.0",
        )
        return _run((str(helm()), *words, "--set=crds.enabled=true,crds.keep=false"), {})


def _copy(source: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(source, target)


def _go(*words: str, **environment: str) -> str:
    return _run(("go", *words), {"GOFLAGS": "-mod=mod", **environment})


def _run(words: tuple[str, ...], environment: dict[str, str]) -> str:
    with tempfile.TemporaryDirectory() as elsewhere:
        done = subprocess.run(
            words,
            cwd=elsewhere,
            env={**os.environ, **environment},
            capture_output=True,
            text=True,
            timeout=900,
            check=False,
        )
    assert done.returncode == 0, done.stderr
    return done.stdout
