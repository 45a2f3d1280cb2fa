"""A watcher whose loop does not run: what it knows is what a test tells it."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, Final, cast

from weir.flow.outcome import SourceOutcome
from weir.spec.artifact import Artifact
from weir.spec.documents import Document
from weir.spec.git_repository import parse_git_repository
from weir.spec.identity import UnitId
from weir.watch.behind import Wanted
from weir.watch.journal import Journal
from weir.watch.looking import Looked
from weir.watch.loop import Watcher
from weir.watch.schedule import Timing

SOURCE: Final = UnitId("GitRepository", "flux", "repo")
WEB: Final = UnitId("Kustomization", "flux", "web")
DOCUMENT: Final = Document(
    "repo.yaml",
    0,
    {
        "apiVersion": "source.toolkit.fluxcd.io/v1",
        "kind": "GitRepository",
        "metadata": {"name": "repo", "namespace": "flux"},
        "spec": {"interval": "10m", "url": "https://git.example.com/repo"},
    },
)


def resolved(revision: str) -> SourceOutcome:
    """What a poll of SOURCE finds."""
    artifact = Artifact(revision=revision, digest=f"sha256:{revision}")
    return SourceOutcome(spec=parse_git_repository(DOCUMENT), document=DOCUMENT, artifact=artifact)


def looked(revision: str) -> Looked:
    """What a look finds: SOURCE at this revision, and WEB made from it."""
    nothing: Any = {}
    return Looked(
        wanted={SOURCE: Wanted(id=SOURCE, revision=revision), WEB: Wanted(id=WEB)},
        sources={SOURCE: resolved(revision)},
        timings={SOURCE: Timing(interval=600.0)},
        held=nothing, values=frozenset(), problems=(), declared=nothing, receivers=(), headers=nothing,
        worker=cast("Any", None),
    )  # fmt: skip


def blind() -> Watcher:
    """One that has looked at nothing yet; it makes files in the cache directory."""
    return Watcher(
        clusters=cast("Any", SimpleNamespace(secret=None, records=SimpleNamespace(stack="test"))),
        journal=Journal("test", quiet=True),
        open_session=cast("Any", None),
        engine=cast("Any", SimpleNamespace(busy=False, get_ready=lambda: None)),
        go_on=lambda: True,
    )
