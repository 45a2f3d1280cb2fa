"""What the watcher's loop does with news that cross: one look, and a poll that knows better."""

from __future__ import annotations

import time
from dataclasses import replace
from pathlib import Path

import pytest

from tests.support.watched_loop import SOURCE, WEB, blind, looked, resolved
from weir.spec.errors import WeirError
from weir.watch.loop import Watcher
from weir.watch.seen import present


@pytest.fixture
def watcher(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Watcher:
    """A watcher that has looked at revision A, and is not due to poll for ten minutes."""
    monkeypatch.setenv("WEIR_CACHE_DIR", str(tmp_path))
    made = blind()
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
    (web,) = (unit for unit in present(watcher, "me", None, 0.0).units if unit.id == WEB)
    assert web.checked is not None
    return time.time() - web.checked


def test_while_looks_fail_nothing_counts_as_looked_at_and_why_is_shown(watcher: Watcher) -> None:
    watcher.reached_at = time.time() - 100.0
    assert checked(watcher) < 50.0
    assert present(watcher, "me", None, 0.0).problems == ()
    watcher._take_look(WeirError("no space left on device"))
    assert watcher.failing
    watcher.failing = (watcher.failing[0] - 100.0, watcher.failing[1])
    watcher._take_look(WeirError("no space left, still"))
    assert checked(watcher) >= 100.0
    assert present(watcher, "me", None, 0.0).problems == ("the last look failed: no space left, still",)
    watcher._take_look(replace(looked("A"), problems=("a.yaml: not YAML",)))
    assert checked(watcher) < 50.0
    assert present(watcher, "me", None, 0.0).problems == ("a.yaml: not YAML",)
    watcher._take_look(WeirError("no space left on device"))
    assert len(present(watcher, "me", None, 0.0).problems) == 2
    watcher._take_look(looked("A"))
    assert present(watcher, "me", None, 0.0).problems == ()
