"""A stack for verbs that read: units that were applied by Weir's own code, a Git server, and `weir` in this process."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import yaml

from tests.support.git_server import GitServer, Repo
from tests.support.stack import git_repository
from tests.support.units import Unit, config_map
from weir.cli import main
from weir.flow.resolved_record import source_record

Obj = dict[str, Any]


class ReadingStack:
    """Stack `test` with source `repo` and unit `app` in the test's own namespace, where its records are too."""

    def __init__(self, folder: Path, kubeconfig: Path, namespace: str, server: GitServer) -> None:
        self.folder, self.namespace = folder, namespace
        self.unit = Unit(kubeconfig, namespace)
        self.repo: Repo = server.repo(namespace)
        (folder / "objects").mkdir()
        cluster = {"kubeconfig": str(kubeconfig), "recordNamespace": namespace}
        config = {"config": {"weir:cluster": cluster, "weir:objects": str(folder / "objects")}}
        self.config = folder / "Pulumi.test.yaml"
        self.config.write_text(yaml.safe_dump(config))

    def declare(self, *documents: Obj, **spec: Any) -> None:
        """Have source, unit and these documents in the stack's own folder."""
        source = git_repository("repo", self.repo.url, namespace=self.namespace)
        unit = self.unit.document(path="./app", **spec)
        text = yaml.safe_dump_all([source, unit, *documents])
        (self.folder / "objects" / "stack.yaml").write_text(text)

    def pin(self, commit: str) -> None:
        """Have the source follow one commit."""
        file = self.folder / "objects" / "stack.yaml"
        source, *rest = yaml.safe_load_all(file.read_text())
        source["spec"]["ref"] = {"commit": commit}
        file.write_text(yaml.safe_dump_all([source, *rest]))

    def commit(self, name: str = "web", data: Mapping[str, str] | None = None) -> str:
        """Commit a ConfigMap of the unit; the commit's hash."""
        body = yaml.safe_dump(config_map(self.namespace, name, data))
        return self.repo.commit({f"app/{name}.yaml": body}, f"Have {name}")

    def fetched(self, commit: str, error: str = "", digest: str = "sha256:aa") -> None:
        """Write the source's record as a run does."""
        record = source_record(
            self.unit.spec(path="./app").source,
            "test",
            revision=f"main@sha1:{commit}",
            digest=digest,
            error=error,
            suspended=False,
        )
        self.unit.records.write(record)

    def applied(self, commit: str, *names: str) -> None:
        """Apply ConfigMaps by Weir's own code, and so write the unit's record."""
        objects = [config_map(self.namespace, name) for name in names or ("web",)]
        self.unit.must_apply(objects, f"main@sha1:{commit}", path="./app")
        record = self.unit.records.read(self.unit.spec().id)
        assert record
        self.unit.records.write(replace(record, source=str(self.unit.spec().source)))

    def weir(self, verb: str, *words: str) -> int:
        """`weir VERB` on this stack, in this process."""
        return main([verb, *words, "--stack", "test", "--config-file", str(self.config)])


def cells(text: str) -> list[list[str]]:
    """The cells of a table, without padding."""
    return [[cell.strip() for cell in line.split("\t")] for line in text.splitlines()]
