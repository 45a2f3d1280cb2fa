"""GitRepository to artifact, against a real server."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.git_server import GitServer, Link, Repo, Submodule
from tests.support.sources import Place, git_spec
from weir.spec.errors import SourceError


@pytest.fixture
def server(tmp_path: Path) -> Iterator[GitServer]:
    with GitServer(tmp_path / "server") as running:
        yield running


@pytest.fixture
def repo(server: GitServer) -> Repo:
    made = server.repo("apps")
    made.commit({"deploy/app.yaml": "v: 1\n", "README.md": "hello\n", "logo.png": b"\x89PNG"}, "first")
    return made


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(tmp_path / "place")


def posts(server: GitServer) -> int:
    """How many packs were asked for (a POST without one only lists references)."""
    return sum(request.method == "POST" for request in server.requests)


def test_a_branch_becomes_an_artifact(place: Place, repo: Repo) -> None:
    result = place.sync(git_spec(repo.url))
    assert result.artifact.revision == f"main@sha1:{repo.head()}"
    assert place.files(result) == {"README.md": "hello\n", "deploy/app.yaml": "v: 1\n"}
    assert (result.changed, result.warnings, result.verified, result.subject) == (True, (), "", "first")


def test_nothing_is_downloaded_twice(place: Place, repo: Repo, server: GitServer) -> None:
    first = place.sync(git_spec(repo.url))
    server.requests.clear()
    second = place.sync(git_spec(repo.url))
    assert (second.artifact, second.changed) == (first.artifact, False)
    assert [request.method for request in server.requests] == ["GET", "POST"], "one ls-refs exchange"


def test_a_source_that_may_declare_an_automation_says_so(place: Place, repo: Repo) -> None:
    repo.commit({"a.yaml": "kind: ConfigMap\n", "notes.txt": "kind: ImageUpdateAutomation\n"})
    assert not place.sync(git_spec(repo.url)).automates
    repo.commit({"deep/er/b.yaml": "kind: ImageUpdateAutomation\n"})
    assert place.sync(git_spec(repo.url)).automates
    assert place.sync(git_spec(repo.url)).automates, "also when it is remembered"
    repo.commit({"deep/er/b.yaml": "kind: ConfigMap\n"})
    assert not place.sync(git_spec(repo.url)).automates


def test_a_commit_brings_only_the_delta(place: Place, repo: Repo) -> None:
    repo.commit({f"f/{number}.yaml": f"n: {number}\n" * 50 for number in range(300)})
    place.sync(git_spec(repo.url))
    blobs = {sha256: found.st_mtime_ns for sha256, found in place.store.blobs.all()}
    repo.commit({"deploy/app.yaml": "v: 2\n"})
    result = place.sync(git_spec(repo.url))
    assert place.files(result)["deploy/app.yaml"] == "v: 2\n"
    after = {sha256: found.st_mtime_ns for sha256, found in place.store.blobs.all()}
    assert len(after.keys() - blobs.keys()) == 1
    assert all(after[sha256] == written for sha256, written in blobs.items())


def test_deleted_files_disappear_and_links_stay_links(place: Place, repo: Repo) -> None:
    place.sync(git_spec(repo.url))
    repo.commit({"README.md": None, "link.yaml": Link("../../../etc/passwd")})
    assert place.files(place.sync(git_spec(repo.url))) == {
        "deploy/app.yaml": "v: 1\n",
        "link.yaml": "-> ../../../etc/passwd",
    }


def test_equal_content_of_another_commit_has_an_equal_digest(place: Place, repo: Repo) -> None:
    first = place.sync(git_spec(repo.url))
    repo.commit({"deploy/app.yaml": "v: 2\n"})
    repo.commit({"deploy/app.yaml": "v: 1\n"})
    third = place.sync(git_spec(repo.url))
    assert third.artifact.digest == first.artifact.digest
    assert third.artifact.revision != first.artifact.revision


def test_refs_of_every_kind(place: Place, repo: Repo) -> None:
    one = repo.head()
    repo.tag("v1.0.0", one, message="one")
    two = repo.commit({"deploy/app.yaml": "v: 2\n"})
    repo.tag("v1.1.0", two)
    pull = repo.commit({"deploy/app.yaml": "v: 3\n"}, ref="refs/pull/420/head")
    old = git_spec(repo.url, ref={"tag": "v1.0.0"})
    assert place.sync(old).artifact.revision == f"v1.0.0@sha1:{one}"
    newest = place.sync(git_spec(repo.url, ref={"semver": ">=1.0.0"}))
    assert newest.artifact.revision == f"v1.1.0@sha1:{two}"
    named = place.sync(git_spec(repo.url, ref={"name": "refs/pull/420/head"}))
    assert named.artifact.revision == f"refs/pull/420/head@sha1:{pull}"
    assert place.files(named)["deploy/app.yaml"] == "v: 3\n"
    pinned = place.sync(git_spec(repo.url, ref={"commit": one}))
    assert pinned.artifact.revision == f"sha1:{one}"
    assert place.files(pinned)["deploy/app.yaml"] == "v: 1\n"
    on_branch = place.sync(git_spec(repo.url, ref={"commit": one, "branch": "main"}))
    assert on_branch.artifact.revision == f"main@sha1:{one}"


def test_a_pinned_commit_asks_the_server_once(place: Place, repo: Repo, server: GitServer) -> None:
    spec = git_spec(repo.url, ref={"commit": repo.head()})
    place.sync(spec)
    server.requests.clear()
    assert place.sync(spec).changed is False
    assert server.requests == []


def test_a_pinned_commit_must_be_on_its_branch(place: Place, repo: Repo) -> None:
    foreign = repo.commit({"x": "from a fork\n"}, ref="refs/pull/1/head")
    with pytest.raises(SourceError, match="is not on branch main"):
        place.sync(git_spec(repo.url, ref={"commit": foreign, "branch": "main"}))


def test_a_server_that_hands_out_no_single_commits(place: Place, repo: Repo) -> None:
    old = repo.head()
    repo.commit({"deploy/app.yaml": "v: 2\n"})
    repo.git("config", "protocol.version", "0")
    result = place.sync(git_spec(repo.url, ref={"commit": old}))
    assert place.files(result)["deploy/app.yaml"] == "v: 1\n"


def test_ties_between_tags_go_to_the_younger_commit(place: Place, repo: Repo) -> None:
    young = repo.commit({"deploy/app.yaml": "young\n"}, at=1_800_000_000)
    old = repo.commit({"deploy/app.yaml": "old\n"}, at=1_600_000_000)
    repo.tag("1.0.0+a", young)
    repo.tag("1.0.0+b", old)
    result = place.sync(git_spec(repo.url, ref={"semver": "1.x"}))
    assert result.artifact.revision == f"1.0.0+a@sha1:{young}"


def test_an_override_is_a_branch_a_tag_a_commit_or_a_ref(place: Place, repo: Repo) -> None:
    first = repo.head()
    repo.tag("v1.0.0", first, message="x")
    feature = repo.commit({"deploy/app.yaml": "feature\n"}, branch="feature", parent=first)
    spec = git_spec(repo.url)
    revisions = [
        place.sync(spec, ref_override=text).artifact.revision
        for text in ("feature", "v1.0.0", feature, "refs/heads/feature")
    ]
    assert revisions == [
        f"feature@sha1:{feature}",
        f"v1.0.0@sha1:{first}",
        f"sha1:{feature}",
        f"refs/heads/feature@sha1:{feature}",
    ]
    with pytest.raises(SourceError, match="no reference refs/heads/nowhere"):
        place.sync(spec, ref_override="nowhere")


def test_changed_configuration_rebuilds_without_a_download(
    place: Place, repo: Repo, server: GitServer
) -> None:
    place.sync(git_spec(repo.url))
    before = posts(server)
    result = place.sync(git_spec(repo.url, ignore="!*.png\n*.md\n"))
    assert sorted(place.files(result)) == ["deploy/app.yaml", "logo.png"]
    assert result.changed
    assert posts(server) == before + 1, "references only"


def test_source_ignore_files_count(place: Place, repo: Repo) -> None:
    repo.commit(
        {".sourceignore": "*.md\n", "deploy/.sourceignore": "/secret\n", "deploy/secret": "x", "secret": "y"}
    )
    files = place.files(place.sync(git_spec(repo.url)))
    assert sorted(files) == [".sourceignore", "deploy/.sourceignore", "deploy/app.yaml", "logo.png", "secret"]


def test_sparse_checkout(place: Place, repo: Repo) -> None:
    repo.commit({"deploying/x": "no", "other/y": "yes"})
    result = place.sync(git_spec(repo.url, sparseCheckout=["./deploy", "other"]))
    assert sorted(place.files(result)) == ["deploy/app.yaml", "other/y"]
    with pytest.raises(SourceError, match="no folder absent"):
        place.sync(git_spec(repo.url, sparseCheckout=["absent"]))


def test_includes_are_copied_in_and_a_change_there_rebuilds(
    place: Place, repo: Repo, server: GitServer
) -> None:
    library = server.repo("library")
    library.commit({"charts/a/Chart.yaml": "name: a\n", "docs/x": "x"})
    place.includes["library"] = place.sync(git_spec(library.url, "library")).artifact
    included = [{"repository": {"name": "library"}, "fromPath": "charts", "toPath": "vendor"}]
    spec = git_spec(repo.url, include=included)
    first = place.sync(spec)
    assert sorted(place.files(first)) == ["README.md", "deploy/app.yaml", "vendor/a/Chart.yaml"]
    library.commit({"charts/a/Chart.yaml": "name: b\n"})
    place.includes["library"] = place.sync(git_spec(library.url, "library")).artifact
    second = place.sync(spec)
    assert place.files(second)["vendor/a/Chart.yaml"] == "name: b\n"
    assert second.artifact.revision == first.artifact.revision
    whole = place.sync(git_spec(repo.url, include=[{"repository": {"name": "library"}}]))
    assert "library/charts/a/Chart.yaml" in place.files(whole)


def test_an_include_that_is_not_ready_is_named(place: Place, repo: Repo) -> None:
    with pytest.raises(SourceError, match="GitRepository library has no artifact"):
        place.sync(git_spec(repo.url, include=[{"repository": {"name": "library"}}]))


def test_submodules_only_when_asked(place: Place, repo: Repo, server: GitServer) -> None:
    inner = server.repo("inner")
    inner_commit = inner.commit({"deep.yaml": "deep: 1\n"})
    library = server.repo("library")
    modules = '[submodule "inner"]\n\tpath = inner\n\turl = ../inner.git\n'
    library_commit = library.commit(
        {"lib.yaml": "l: 1\n", ".gitmodules": modules, "inner": Submodule(inner_commit)}
    )
    library.commit({"lib.yaml": "l: 2\n"})
    modules = f'[submodule "lib"]\n\tpath = vendor/lib\n\turl = {library.url}\n'
    repo.commit({".gitmodules": modules, "vendor/lib": Submodule(library_commit)})
    assert sorted(place.files(place.sync(git_spec(repo.url)))) == ["README.md", "deploy/app.yaml"]
    files = place.files(place.sync(git_spec(repo.url, recurseSubmodules=True)))
    assert files["vendor/lib/lib.yaml"] == "l: 1\n"
    assert files["vendor/lib/inner/deep.yaml"] == "deep: 1\n"


def test_a_store_and_caches_that_lost_things_are_filled_again(
    place: Place, repo: Repo, server: GitServer
) -> None:
    library = server.repo("library")
    commit = library.commit({"lib.yaml": "l: 1\n"})
    modules = f'[submodule "lib"]\n\tpath = lib\n\turl = {library.url}\n'
    repo.commit({".gitmodules": modules, "lib": Submodule(commit)})
    spec = git_spec(repo.url, recurseSubmodules=True)
    first = place.sync(spec)
    tree = place.store.tree(first.artifact.digest)
    for path in ("lib/lib.yaml", "deploy/app.yaml"):
        place.store.blobs.remove(tree.files[path].sha256)
    assert place.sync(spec).artifact == first.artifact
    assert place.store.holds(first.artifact.digest)
    for lost in place.cache.glob("repos/*/git/objects/*/*"):
        lost.unlink()
    place.store.blobs.remove(tree.files["lib/lib.yaml"].sha256)
    assert place.sync(spec).artifact == first.artifact
    assert place.store.holds(first.artifact.digest)


def test_suspend_freezes_the_artifact(place: Place, repo: Repo, server: GitServer) -> None:
    frozen = place.sync(git_spec(repo.url)).artifact
    repo.commit({"deploy/app.yaml": "v: 2\n"})
    server.requests.clear()
    result = place.sync(git_spec(repo.url, suspend=True))
    assert (result.artifact, result.changed, server.requests) == (frozen, False, [])
    with pytest.raises(SourceError, match="suspended before it was ever fetched"):
        place.sync(git_spec(repo.url, suspend=True), previous=None)


def test_a_moved_tag_is_followed_and_named(place: Place, repo: Repo) -> None:
    spec = git_spec(repo.url, ref={"tag": "stable"})
    repo.tag("stable")
    place.sync(spec)
    moved = repo.commit({"deploy/app.yaml": "v: 2\n"})
    repo.tag("stable", moved)
    result = place.sync(spec)
    assert place.files(result)["deploy/app.yaml"] == "v: 2\n"
    assert [warning for warning in result.warnings if warning.startswith("tag stable moved from sha1:")]


def test_a_rewritten_history_is_followed_and_named(place: Place, repo: Repo) -> None:
    place.sync(git_spec(repo.url))
    for number in range(3):
        repo.commit({"deploy/app.yaml": f"v: 1{number}\n"})
    assert place.sync(git_spec(repo.url)).warnings == (), "three commits further is a fast-forward"
    repo.commit({"deploy/app.yaml": "v: 9\n"}, parent="")
    result = place.sync(git_spec(repo.url))
    assert place.files(result) == {"deploy/app.yaml": "v: 9\n"}
    assert "history was rewritten" in result.warnings[0]


def test_file_urls_need_the_switch(place: Place, repo: Repo) -> None:
    spec = git_spec(f"file://{repo.path}")
    with pytest.raises(SourceError, match="transport 'file'"):
        place.sync(spec)
    assert place.sync(spec, allow_file_urls=True).artifact.revision == f"main@sha1:{repo.head()}"
