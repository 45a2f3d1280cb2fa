"""Edits become commits on real servers: what is foreseen is what is pushed, and nobody's commit is lost."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.git_server import GitServer, Repo
from tests.support.sources import git_spec
from tests.support.writing import BOT, NOW, Writer, pushing, setting, target
from weir.edges.git.refusals import RejectedError
from weir.edges.git.writing import Base
from weir.flow.write_back import Edits, Target, read_prepared
from weir.spec.errors import SourceError, SpecError, VerificationError
from weir.spec.git_repository import GitRef
from weir.spec.image_automation import Push

FILE = "deploy/app.yaml"


@pytest.fixture
def server(tmp_path: Path) -> Iterator[GitServer]:
    with GitServer(tmp_path / "server") as running:
        yield running


@pytest.fixture
def repo(server: GitServer) -> Repo:
    made = server.repo("apps")
    made.commit({FILE: "v: 1\n", "README.md": "hello\n", "deploy/deep/er/x.yaml": "x: 1\n"}, "first")
    return made


@pytest.fixture
def writer(tmp_path: Path) -> Writer:
    return Writer(tmp_path / "writer")


def log(repo: Repo, branch: str = "main") -> list[str]:
    return repo.git("log", "--format=%s", f"refs/heads/{branch}").splitlines()


def test_what_is_prepared_is_pushed_and_followed(writer: Writer, repo: Repo, server: GitServer) -> None:
    wanted, edit = target(repo.url), setting(FILE, "v: 2\n", "Update images\n\nweb: 1 -> 2")
    base = repo.head()
    prepared = writer.prepared(wanted, edit)
    assert repo.head() == base, "nothing is pushed yet"
    assert (prepared.base, prepared.same_branch, prepared.published) == (base, True, False)
    assert prepared.diff == f"--- a/{FILE}\n+++ b/{FILE}\n@@ -1 +1 @@\n-v: 1\n+v: 2\n"
    assert writer.place.store.tree(prepared.artifact.digest).read(FILE) == b"v: 2\n"
    pushed = writer.push(prepared, wanted, edit)
    assert (pushed.commit, pushed.rebased, pushed.nothing) == (prepared.commit, False, False)
    assert repo.head() == prepared.commit
    assert writer.place.sync(wanted.spec).artifact == prepared.artifact
    assert pushed.revision == prepared.artifact.revision == f"main@sha1:{prepared.commit}"
    who = f"{BOT.name} <{BOT.email}> {NOW}"
    assert repo.git("log", "-1", "--format=%an <%ae> %at%n%cn <%ce> %ct", "main").splitlines() == [who, who]
    assert repo.git("log", "-1", "--format=%B", "main").strip() == "Update images\n\nweb: 1 -> 2"
    assert repo.git("diff", "--name-only", base, "main") == FILE


def test_an_edit_that_changes_nothing_is_no_commit(writer: Writer, repo: Repo) -> None:
    assert writer.prepare(target(repo.url), lambda _: None) is None
    same = Edits(files={FILE: b"v: 1\n"}, message="same")
    assert writer.prepare(target(repo.url), lambda _: same) is None


def test_another_process_pushes_what_was_prepared(writer: Writer, repo: Repo, tmp_path: Path) -> None:
    wanted, edit = target(repo.url), setting(FILE, "v: 2\n")
    text = json.dumps(writer.prepared(wanted, edit).as_json())
    other = Writer(tmp_path / "other", now=NOW + 3600)
    pushed = other.push(read_prepared(json.loads(text)), wanted, edit)
    assert pushed.commit == json.loads(text)["commit"] == repo.head(), "an empty cache makes the same commit"


def test_a_cache_that_is_gone_makes_the_same_commit(writer: Writer, repo: Repo) -> None:
    wanted, edit = target(repo.url), setting(FILE, "v: 2\n")
    prepared = writer.prepared(wanted, edit)
    shutil.rmtree(writer.place.cache)
    writer.now += 60
    pushed = writer.push(prepared, wanted, edit)
    assert pushed.commit == prepared.commit == repo.head()


def test_an_edit_that_comes_out_otherwise_after_the_cache_is_gone(writer: Writer, repo: Repo) -> None:
    wanted = target(repo.url)
    prepared = writer.prepared(wanted, setting(FILE, "v: 2\n"))
    shutil.rmtree(writer.place.cache)
    pushed = writer.push(prepared, wanted, setting(FILE, "v: 3\n"))
    assert (pushed.commit, pushed.rebased) == (repo.head(), True)
    assert repo.files()[FILE] == "v: 3\n"


def test_a_commit_that_was_not_pushed_is_no_source(writer: Writer, repo: Repo) -> None:
    prepared = writer.prepared(target(repo.url), setting(FILE, "v: 2\n"))
    with pytest.raises(SourceError, match="not there"):
        writer.place.sync(git_spec(repo.url, ref={"commit": prepared.commit}))


def test_a_human_in_between(writer: Writer, repo: Repo) -> None:
    wanted, edit = target(repo.url), setting(FILE, "v: 2\n", "bot")
    prepared = writer.prepared(wanted, edit)
    human = repo.commit({"README.md": "by hand\n"}, "human")
    pushed = writer.push(prepared, wanted, edit)
    assert (pushed.rebased, pushed.nothing) == (True, False)
    assert log(repo) == ["bot", "human", "first"]
    assert repo.git("rev-parse", "main^") == human
    assert repo.files() == {FILE: "v: 2\n", "README.md": "by hand\n", "deploy/deep/er/x.yaml": "x: 1\n"}


def test_somebody_else_made_the_same_change(writer: Writer, repo: Repo) -> None:
    wanted, edit = target(repo.url), setting(FILE, "v: 2\n", "bot")
    prepared = writer.prepared(wanted, edit)
    human = repo.commit({FILE: "v: 2\n"}, "human")
    pushed = writer.push(prepared, wanted, edit)
    assert (pushed.commit, pushed.nothing) == (human, True)
    assert log(repo) == ["human", "first"]


def test_pushing_twice_is_pushing_once(writer: Writer, repo: Repo) -> None:
    wanted, edit = target(repo.url), setting(FILE, "v: 2\n", "bot")
    prepared = writer.prepared(wanted, edit)
    writer.push(prepared, wanted, edit)
    again = writer.push(prepared, wanted, edit)
    assert (again.commit, again.nothing, again.rebased) == (prepared.commit, True, False)
    assert log(repo) == ["bot", "first"]
    assert writer.prepare(wanted, edit) is None, "a run that was killed before it noted its push goes on here"


def test_a_branch_that_was_deleted_stays_deleted(writer: Writer, repo: Repo) -> None:
    repo.commit({}, "other", "other")
    wanted, edit = target(repo.url), setting(FILE, "v: 2\n")
    prepared = writer.prepared(wanted, edit)
    repo.git("update-ref", "-d", "refs/heads/main")
    with pytest.raises(SourceError, match="found no reference refs/heads/main") as caught:
        writer.push(prepared, wanted, edit)
    assert str(caught.value).startswith("auto.yaml: ImageUpdateAutomation/flux-system/apps: ")
    assert repo.head() == ""


class TestAnotherBranch:
    """`git.push.branch` that is not the one checked out: made anew from there each time."""

    def test_it_is_made_and_made_anew(self, writer: Writer, repo: Repo) -> None:
        wanted = pushing(repo.url, "auto")
        first = writer.prepared(wanted, setting(FILE, "v: 2\n", "bot"))
        assert (first.same_branch, first.artifact.revision) == (False, f"auto@sha1:{first.commit}")
        assert writer.push(first, wanted, setting(FILE, "v: 2\n", "bot")).commit == repo.head("auto")
        human = repo.commit({"README.md": "by hand\n"}, "human")
        writer.write(wanted, setting(FILE, "v: 3\n", "bot"))
        assert log(repo, "auto") == ["bot", "human", "first"]
        assert (repo.head(), repo.git("rev-parse", "auto^")) == (human, human)

    def test_the_same_change_on_the_same_base_is_not_pushed_again(
        self, writer: Writer, repo: Repo, tmp_path: Path
    ) -> None:
        wanted, edit = pushing(repo.url, "auto"), setting(FILE, "v: 2\n")
        first = writer.write(wanted, edit)
        assert first is not None
        for number, one in enumerate((writer, Writer(tmp_path / "other"))):
            one.now = NOW + 600 * (number + 1)
            again = one.prepared(wanted, edit)
            assert (again.commit, again.published) == (first.commit, True)
            pushed = one.push(again, wanted, edit)
            assert (pushed.commit, pushed.nothing) == (first.commit, True)

    def test_somebody_moved_it_meanwhile(self, writer: Writer, repo: Repo) -> None:
        wanted, edit = pushing(repo.url, "auto"), setting(FILE, "v: 2\n", "bot")
        prepared = writer.prepared(wanted, edit)
        repo.commit({"README.md": "by hand\n"}, "human", "auto")
        assert writer.push(prepared, wanted, edit).rebased is False, "the same commit, made again"
        assert log(repo, "auto") == ["bot", "first"]

    def test_the_branch_that_is_checked_out_moved(self, writer: Writer, repo: Repo) -> None:
        wanted, edit = pushing(repo.url, "auto"), setting(FILE, "v: 2\n", "bot")
        prepared = writer.prepared(wanted, edit)
        repo.commit({"README.md": "by hand\n"}, "human")
        assert writer.push(prepared, wanted, edit).commit == prepared.commit == repo.head("auto")

    def test_a_tag_is_checked_out(self, writer: Writer, repo: Repo) -> None:
        tagged = repo.head()
        repo.tag("v1.0.0", tagged, message="one")
        repo.commit({FILE: "v: 9\n"}, "later")
        wanted = target(repo.url, checkout=GitRef(semver="1.x"), push=Push(branch="auto"))
        writer.write(wanted, setting(FILE, "v: 2\n", "bot"))
        assert log(repo, "auto") == ["bot", "first"]


class TestRefspec:
    """`git.push.refspec` and `git.push.options`."""

    def test_alone_it_is_all_that_is_pushed(self, writer: Writer, repo: Repo) -> None:
        base = repo.head()
        wanted = target(repo.url, push=Push(refspec="refs/heads/main:refs/for/main"))
        pushed = writer.write(wanted, setting(FILE, "v: 2\n"))
        assert pushed is not None
        assert repo.git("rev-parse", "refs/for/main") == pushed.commit
        assert repo.head() == base

    def test_beside_a_branch(self, writer: Writer, repo: Repo) -> None:
        wanted = pushing(repo.url, "auto", refspec="refs/heads/auto:refs/heads/deploy")
        pushed = writer.write(wanted, setting(FILE, "v: 2\n"))
        assert pushed is not None
        assert repo.head("auto") == repo.head("deploy") == pushed.commit

    def test_it_takes_no_commits_away(self, writer: Writer, repo: Repo) -> None:
        repo.commit({"README.md": "2\n"})
        repo.git("update-ref", "refs/heads/deploy", "main^")
        wanted = target(repo.url, push=Push(refspec="main:deploy"))
        pushed = writer.write(wanted, setting(FILE, "v: 2\n"))
        assert pushed is not None
        assert repo.head("deploy") == pushed.commit, "what it held is in the history"
        human = repo.commit({"x": "1"}, "human", "deploy")
        with pytest.raises(
            SourceError, match="refs/heads/deploy holds commits that are not in what is checked"
        ):
            writer.write(wanted, setting(FILE, "v: 3\n"))
        assert repo.head("deploy") == human

    def test_options_reach_the_server(self, writer: Writer, repo: Repo) -> None:
        hook(
            repo,
            "pre-receive",
            'echo "$GIT_PUSH_OPTION_COUNT $GIT_PUSH_OPTION_0 $GIT_PUSH_OPTION_1" > options',
        )
        options = {"merge_request.create": "", "merge_request.target": "main"}
        wanted = pushing(repo.url, "auto", options=options)
        with pytest.raises(SourceError, match="takes no push options") as caught:
            writer.write(wanted, setting(FILE, "v: 2\n"))
        assert "git.push.options" in caught.value.hint
        repo.git("config", "receive.advertisePushOptions", "true")
        writer.write(wanted, setting(FILE, "v: 2\n"))
        said = (repo.path / "options").read_text()
        assert said == "2 merge_request.create merge_request.target=main\n"


NO_BRANCH = [GitRef(tag="v1"), GitRef(semver="*"), GitRef(commit="a" * 40)]


@pytest.mark.parametrize("ref", NO_BRANCH, ids=["tag", "semver", "commit"])
def test_no_branch_to_push_to(writer: Writer, ref: GitRef) -> None:
    wanted = target("https://127.0.0.1:1/x.git", checkout=ref)
    with pytest.raises(SpecError, match=r"spec.git.push.branch: found nothing, expected a branch") as caught:
        writer.prepare(wanted, setting(FILE, "v: 2\n"))
    assert "git.checkout.ref.branch" in caught.value.hint


def test_a_fixed_commit_behind_its_branch(writer: Writer, repo: Repo) -> None:
    old = repo.head()
    tip = repo.commit({"README.md": "2\n"}, "human")
    wanted = target(repo.url, checkout=GitRef(branch="main", commit=old))
    with pytest.raises(SourceError, match="refs/heads/main holds commits"):
        writer.write(wanted, setting(FILE, "v: 2\n"))
    assert repo.head() == tip


def hook(repo: Repo, name: str, script: str) -> None:
    path = repo.path / "hooks" / name
    path.parent.mkdir(exist_ok=True)
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)


def test_a_server_that_rejects_for_ever_is_not_asked_for_ever(
    writer: Writer, repo: Repo, server: GitServer
) -> None:
    hook(repo, "update", 'echo "cannot lock ref: is at 0 but expected 1" >&2; exit 1')
    wanted, edit = target(repo.url), setting(FILE, "v: 2\n")
    prepared = writer.prepared(wanted, edit)
    server.requests.clear()
    with pytest.raises(RejectedError):
        writer.push(prepared, wanted, edit)
    assert sum("git-receive-pack" in request.path for request in server.requests) < 14


def test_a_push_waits_for_a_lock_that_somebody_holds(writer: Writer, repo: Repo) -> None:
    count = "n=$(cat count 2>/dev/null || echo 0); echo $((n + 1)) > count; test $n -ge 4 && exit 0"
    hook(
        repo,
        "update",
        f'{count}\necho "cannot lock ref: Unable to create main.lock: File exists" >&2; exit 1',
    )
    before = repo.head()
    wanted, edit = target(repo.url), setting(FILE, "v: 2\n")
    done = writer.push(writer.prepared(wanted, edit), wanted, edit)
    assert repo.git("log", "--format=%H %P", f"{before}..main") == f"{done.commit} {before}"


class TestVerification:
    """A GitRepository with `spec.verify` gets only what it takes, and lends its trust to nobody."""

    def verifying(self, repo: Repo) -> Target:
        return target(repo.url, git={"verify": {"mode": "HEAD", "secretRef": {"name": "keys"}}})

    def test_an_unsigned_commit_is_not_pushed(self, writer: Writer, repo: Repo) -> None:
        from tests.support.signing import PgpKey

        key = PgpKey()
        writer.place.secrets["keys"] = {"a.asc": key.public}
        signed = repo.commit({FILE: "v: 1\n"}, sign=key.sign)
        with pytest.raises(VerificationError, match="is not signed"):
            writer.prepare(self.verifying(repo), setting(FILE, "v: 2\n"))
        assert repo.head() == signed

    def test_nothing_is_built_on_an_unsigned_commit(self, writer: Writer, repo: Repo) -> None:
        from tests.support.signing import PgpKey

        writer.place.secrets["keys"] = {"a.asc": PgpKey().public}
        asked: list[str] = []

        def edit(base: Base) -> Edits | None:
            asked.append(base.commit)
            return None

        with pytest.raises(VerificationError, match=f"commit {repo.head()[:8]} is not signed"):
            writer.prepare(self.verifying(repo), edit)
        assert asked == []
