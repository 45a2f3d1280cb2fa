"""Caches stay bounded, and nothing that is needed goes."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.support.git_server import GitServer
from tests.support.sources import Place, git_spec
from tests.support.writing import NOW, setting, target
from weir.edges.git import cache
from weir.edges.store import Store
from weir.flow import tidy as tidying
from weir.flow.previous import Previous
from weir.flow.resolve import sync
from weir.flow.tidy import tidy
from weir.flow.write_back import Access, prepare
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


def test_git_caches_that_nobody_used_for_a_month_go(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WEIR_CACHE_DIR", str(tmp_path))
    with GitServer(tmp_path / "server") as server:
        repo = server.repo("apps")
        repo.commit({"a.yaml": "v: 1\n"})
        access = Access(secrets=lambda _, __: {})
        store, edit = Store.default(), setting("a.yaml", "v: 2\n")
        sync(
            git_spec(repo.url),
            store=store,
            secrets=access.secrets,
            includes={},
            previous=None,
            allow_file_urls=False,
        )
        assert prepare(target(repo.url), edit, store=store, includes={}, access=access, now=NOW)
    folders = [path.parent for path in (tmp_path / "git").rglob("memo") if path.is_dir()]
    assert len(folders) == 2, "one for the source, one for the commit that waits"
    assert tidy(Store.default()) is False
    now = (tmp_path / "tidied").stat().st_mtime
    assert tidy(Store.default(), now + 2 * DAY) is True
    assert all(folder.is_dir() for folder in folders)
    assert tidy(Store.default(), now + 40 * DAY) is True
    assert not any(folder.exists() for folder in folders)


def test_answers_about_old_commits_are_forgotten_and_found_out_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cache, "_MOST_MEMOS", 8)
    place = Place(tmp_path / "place")
    with GitServer(tmp_path / "server") as server:
        repo = server.repo("apps")
        commits = [repo.commit({"a.yaml": f"v: {number}\n"}) for number in range(12)]
        specs = [git_spec(repo.url, ref={"branch": "main", "commit": commit}) for commit in commits]
        before = [place.sync(spec).artifact for spec in specs]
        assert len(list((tmp_path / "place").rglob("memo/*"))) <= 10
        assert [place.sync(spec).artifact for spec in specs] == before
