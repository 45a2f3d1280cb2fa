"""A project for a moment: of the same name and backend, where the CLI may write what is not wanted in the real one."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from weir.edges.pulumi.command import PulumiCli
from weir.edges.pulumi.project import PROJECT_FILE, Project, backend_folder, backend_url


@contextmanager
def apart(cli: PulumiCli, project: Project) -> Iterator[PulumiCli]:
    """The same CLI in a folder of its own, which goes when the block ends and is out of the way when it never does."""
    with tempfile.TemporaryDirectory(prefix="weir-project-") as folder:
        written = json.dumps({"name": project.name, "runtime": "python"})
        (Path(folder) / PROJECT_FILE).write_text(written)
        yield replace(cli, root=Path(folder), environ=_environ(cli.environ, project))


def _environ(environ: Mapping[str, str], project: Project) -> Mapping[str, str]:
    """With the backend named, by its whole path where it is a folder beside the project."""
    url = backend_url(project, environ)
    found = backend_folder(url, project.root)
    relative = found is not None and not url.removeprefix("file://").startswith(("/", "~"))
    if relative:
        _, mark, query = url.partition("?")
        url = f"file://{found}{mark}{query}"
    return {**environ, "PULUMI_BACKEND_URL": url} if url else environ
