"""What the watcher's loop does with news that cross: one look, and a poll that knows better."""

from __future__ import annotations

import time
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Final, cast

import pytest

from weir.flow.outcome import SourceOutcome
from weir.spec.artifact import Artifact
from weir.spec.documents import Document
from weir.spec.errors import WeirError
from weir.spec.git_repository import parse_git_repository
from weir.spec.identity import UnitId
from weir.watch.behind import Wanted
from weir.watch.journal import Journal
from weir.watch.looking import Looked
from weir.watch.loop import Watcher
from weir.watch.schedule import Timing
from weir.watch.seen import present

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
    artifact = Artifact(revision=revision, digest=f"sha256:{revision}")
    return SourceOutcome(spec=parse_git_repository(DOCUMENT), document=DOCUMENT, artifact=artifact)


def looked(revision: str) -> Looked:
    nothing: Any = {}
    return Looked(
        wanted={SOURCE: Wanted(id=SOURCE, revision=revision), WEB: Wanted(id=WEB)},
        sources={SOURCE: resolved(revision)},
        timings={SOURCE: Timing(interval=600.0)},
        held=nothing, values=frozenset(), problems=(), declared=nothing, receivers=(), headers=nothing,
        worker=cast("Any", None),
    )  # fmt: skip


@pytest.fixture
def watcher(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Watcher:
    """A watcher that has looked at revision A, and is not due to poll for ten minutes."""
    monkeypatch.setenv("WEIR_CACHE_DIR", str(tmp_path))
    made = Watcher(
        clusters=cast("Any", SimpleNamespace(secret=None, records=SimpleNamespace(stack="test"))),
        journal=Journal("test", quiet=True),
        open_session=cast("Any", None),
        engine=cast("Any", SimpleNamespace(busy=False, get_ready=lambda: None)),
        go_on=lambda: True,
    )
    made._take_look(looked("A"))
    assert not is_due(made)
    return made


def is_due(watcher: Watcher) -> bool:
    due = watcher.next_due(SOURCE)
    return due is not None and due <= time.monotonic()


def test_a_source_that_moved_while_a_look_went_on_is_asked_again(watcher: Watcher) -> None:
    watcher._looking = True
    watcher._polled_source(SOURCE, resolved("B"), 0.1)
    watcher._take_look(looked("A"))
    assert is_due(watcher), "the look resolved it before it moved"


def test_a_look_alone_has_nobody_asked_again(watcher: Watcher) -> None:
    watcher._polled_source(SOURCE, resolved("B"), 0.1)
    assert watcher.looked
    assert watcher.looked.wanted[SOURCE].revision == "B"
    watcher._looking = True
    watcher._polled_source(SOURCE, resolved("B"), 0.1)
    watcher._take_look(looked("B"))
    assert not is_due(watcher)


def checked(watcher: Watcher) -> float:
    """Seconds since the Kustomization was last known to be as shown, as pages have it."""
    (web,) = (unit for unit in present(watcher, "me", None).units if unit.id == WEB)
    assert web.checked is not None
    return time.time() - web.checked


def test_while_looks_fail_nothing_counts_as_looked_at_and_why_is_shown(watcher: Watcher) -> None:
    watcher.reached_at = time.time() - 100.0
    assert checked(watcher) < 0.2
    assert present(watcher, "me", None).problems == ()
    watcher._take_look(WeirError("no space left on device"))
    time.sleep(0.3)
    watcher._take_look(WeirError("no space left, still"))
    assert checked(watcher) >= 0.3
    assert present(watcher, "me", None).problems == ("the last look failed: no space left, still",)
    watcher._take_look(replace(looked("A"), problems=("a.yaml: not YAML",)))
    assert checked(watcher) < 0.2
    assert present(watcher, "me", None).problems == ("a.yaml: not YAML",)
    watcher._take_look(WeirError("no space left on device"))
    assert len(present(watcher, "me", None).problems) == 2
    watcher._take_look(looked("A"))
    assert present(watcher, "me", None).problems == ()
