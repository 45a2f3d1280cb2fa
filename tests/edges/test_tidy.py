"""Caches stay bounded, and nothing that is needed goes."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from weir.edges.store import Store
from weir.flow import tidy as tidying
from weir.flow.previous import Previous
from weir.flow.tidy import tidy
from weir.spec.artifact import Artifact
from weir.spec.documents import Document
from weir.spec.git_repository import parse_git_repository

DAY = 24 * 3600.0
SPEC = parse_git_repository(
    Document(
        "a.yaml",
        0,
        {
            "apiVersion": "source.toolkit.fluxcd.io/v1",
            "kind": "GitRepository",
            "metadata": {"name": "a", "namespace": "b"},
            "spec": {"interval": "1m", "url": "https://h/r"},
        },
    )
)


def test_what_a_source_needs_stays_and_the_rest_goes_once_a_day(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WEIR_CACHE_DIR", str(tmp_path))
    monkeypatch.setattr(tidying, "MOST", 0)
    store = Store.default()
    needed, unused = store.put({"a": b"needed"}), store.put({"a": b"unused"})
    Previous("stack").write(SPEC, Artifact(revision="main@sha1:1", digest=needed))
    assert tidy(store) is False, "the first run on a machine has nothing to clean"
    mark = tmp_path / "tidied"
    now = mark.stat().st_mtime
    assert tidy(store, now + DAY / 2) is False
    for path in (tmp_path / "store").rglob("*"):
        os.utime(path, (now - DAY, now - DAY))
    assert tidy(store, now + DAY + 1) is True
    assert store.holds(needed)
    assert store.tree(needed).read("a") == b"needed"
    assert not store.holds(unused)
