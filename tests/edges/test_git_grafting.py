"""A folder brought back to what it was in an earlier commit, on a real server: all of it, and nothing else."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.git_repo import Link, Submodule
from tests.support.git_server import GitServer, Repo
from tests.support.writing import Writer, setting, target
from weir.edges.git.grafting import Graft
from weir.edges.git.writing import Base
from weir.flow.write_back import Edit, Edits
from weir.spec.errors import SourceError

OLD = {"app/web/a.yaml": "a: 1\n", "app/web/b.yaml": "b: 1\n", "app/run.sh": "one\n", "README.md": "old\n"}


@pytest.fixture
def repo(tmp_path: Path) -> Iterator[Repo]:
    with GitServer(tmp_path / "server") as server:
        yield server.repo("apps")


@pytest.fixture
def writer(tmp_path: Path) -> Writer:
    return Writer(tmp_path / "writer")


def restoring(path: str, commit: str) -> Edit:
    def edit(_base: Base) -> Edits:
        return Edits(files={}, message="Roll back", graft=Graft(path, commit))

    return edit


def entries(repo: Repo, path: str) -> str:
    """Modes, kinds and ids of all that a folder of the branch holds."""
    return repo.git("ls-tree", "-r", "-t", f"refs/heads/main:{path}")


def test_a_folder_is_as_it_was_and_the_rest_as_it_is(writer: Writer, repo: Repo) -> None:
    old = repo.commit({**OLD, "app/web/link": Link("a.yaml")})
    before = entries(repo, "app/web")
    gone = {"app/web/link": None, "app/web/b.yaml": None}
    tip = repo.commit({"app/web/a.yaml": "a: 2\n", "app/web/c.yaml": "c: 2\n", "app/run.sh": "two\n", **gone})
    wanted, edit = target(repo.url), restoring("app/web", old)
    prepared = writer.prepared(wanted, edit)
    assert repo.head() == tip, "nothing is pushed"
    for line in ("-a: 2", "+a: 1", "-c: 2", "+b: 1"):
        assert f"\n{line}\n" in prepared.diff
    assert "two" not in prepared.diff
    done = writer.push(prepared, wanted, edit)
    assert repo.head() == done.commit == prepared.commit
    assert repo.git("log", "-1", "--format=%P") == tip
    assert entries(repo, "app/web") == before
    assert repo.files()["app/run.sh"] == "two\n"


def test_a_folder_that_was_removed_comes_back_with_those_above_it(writer: Writer, repo: Repo) -> None:
    old = repo.commit(OLD)
    repo.commit({name: None for name in OLD if name != "README.md"} | {"README.md": "new\n"})
    writer.write(target(repo.url), restoring("app/web", old))
    assert repo.files() == {"app/web/a.yaml": "a: 1\n", "app/web/b.yaml": "b: 1\n", "README.md": "new\n"}


def test_the_whole_tree_may_be_brought_back(writer: Writer, repo: Repo) -> None:
    old = repo.commit(OLD)
    repo.commit({"app/web/a.yaml": None, "z.yaml": "z: 1\n"})
    writer.write(target(repo.url), restoring("", old))
    assert repo.files() == OLD


def test_nothing_is_committed_when_the_folder_is_the_same(writer: Writer, repo: Repo) -> None:
    old = repo.commit(OLD)
    repo.commit({"README.md": "new\n"})
    assert writer.prepare(target(repo.url), restoring("app", old)) is None


def test_a_submodule_goes_back_too(writer: Writer, repo: Repo) -> None:
    old = repo.commit({**OLD, "app/module": Submodule("1" * 40)})
    before = entries(repo, "app")
    repo.commit({"app/module": Submodule("2" * 40)})
    assert writer.write(target(repo.url), restoring("app", old))
    assert entries(repo, "app") == before


@pytest.mark.parametrize("path", ["nowhere", "README.md"])
def test_what_was_no_folder_then_is_an_error(writer: Writer, repo: Repo, path: str) -> None:
    old = repo.commit(OLD)
    repo.commit({"README.md": "new\n"})
    with pytest.raises(SourceError, match=f"commit {old} has no folder {path}"):
        writer.prepare(target(repo.url), restoring(path, old))


def test_a_commit_that_is_not_in_the_repository_is_an_error(writer: Writer, repo: Repo) -> None:
    tip = repo.commit(OLD)
    with pytest.raises(SourceError):
        writer.prepare(target(repo.url), restoring("app", "0123456789" * 4))
    assert repo.head() == tip


@pytest.mark.parametrize("lost", [False, True])
def test_who_comes_in_between_keeps_the_commit(
    writer: Writer, repo: Repo, tmp_path: Path, *, lost: bool
) -> None:
    old = repo.commit(OLD)
    repo.commit({"app/web/a.yaml": "a: 2\n"})
    wanted, edit = target(repo.url), restoring("app/web", old)
    prepared = writer.prepared(wanted, edit)
    other = Writer(tmp_path / "other")
    assert other.write(wanted, setting("README.md", "theirs\n"))
    if lost:
        shutil.rmtree(writer.access.outbox)
    done = writer.push(prepared, wanted, edit)
    assert done.rebased
    assert repo.files() == {**OLD, "README.md": "theirs\n"}
    assert repo.git("log", "--format=%s", "refs/heads/main").splitlines()[:2] == [
        "Roll back",
        "Update images",
    ]
