"""Trees changed byte by byte, and what servers say to a push: over HTTP and SSH."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.git_server import GitServer, Link, Repo, Submodule, basic
from tests.support.git_ssh_server import GitSshServer
from tests.support.sources import git_spec
from tests.support.writing import BOT, NOW, Writer, pushing, setting, target
from weir.edges.git.cache import open_cache
from weir.edges.git.refusals import ReadOnlyError, RejectedError
from weir.edges.git.writing import Base, NewCommit, commit_files
from weir.flow.git_source import open_source
from weir.flow.sync_mark import move_tag
from weir.flow.write_back import Edits
from weir.spec.errors import SourceError

FILE = "deploy/app.yaml"
LOGIN = {"username": b"git-user", "password": b"pa55-w0rd"}
EDIT = setting(FILE, "v: 2\n", "bot")


@pytest.fixture
def server(tmp_path: Path) -> Iterator[GitServer]:
    with GitServer(tmp_path / "server") as running:
        yield running


@pytest.fixture
def repo(server: GitServer) -> Repo:
    return filled(server.repo("apps"))


@pytest.fixture
def writer(tmp_path: Path) -> Writer:
    return Writer(tmp_path / "writer")


def filled(repo: Repo) -> Repo:
    repo.commit({FILE: "v: 1\n", "README.md": "hello\n"}, "first")
    return repo


def entries(raw: bytes) -> list[bytes]:
    """The entries of a raw tree, as they are."""
    found = []
    while raw:
        end = raw.index(b"\0") + 21
        found.append(raw[:end])
        raw = raw[end:]
    return found


def hook(repo: Repo, name: str, script: str) -> None:
    path = repo.path / "hooks" / name
    path.parent.mkdir(exist_ok=True)
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)


def refused(writer: Writer, repo: Repo, text: str, hint: str) -> SourceError:
    """The error of a push that leaves the server as it was."""
    tip, wanted = repo.head(), target(repo.url)
    prepared = writer.prepared(wanted, EDIT)
    with pytest.raises(SourceError, match=text) as caught:
        writer.push(prepared, wanted, EDIT)
    assert hint in caught.value.hint
    assert repo.head() == tip
    return caught.value


class TestTrees:
    """Whatever is not edited stays as it is."""

    def test_modes_links_submodules_and_odd_entries_stay(self, writer: Writer, repo: Repo) -> None:
        head = repo.commit(
            {"link": Link(FILE), "module": Submodule("a" * 40), "run.sh": "1\n", "t ä 'b'.yaml": "x"}
        )
        tree = repo.git("rev-parse", f"{head}^{{tree}}")
        odd = repo.raw("tree", tree).replace(b"100644 run.sh", b"100755 run.sh")
        odd += b"100664 zz\0" + bytes.fromhex(repo.write("blob", b"odd\r\n"))
        raw = repo.raw("commit", head).replace(tree.encode(), repo.write("tree", odd).encode())
        base = repo.write("commit", raw)
        repo.git("update-ref", "refs/heads/main", base)
        files = {FILE: b"v: 2\n", "run.sh": b"2\n", "t ä 'b'.yaml": b"y", "zz": b"even\r\n"}
        writer.write(target(repo.url), lambda _: Edits(files=files, message="bot"))
        was, now = (entries(repo.raw("tree", f"{commit}^{{tree}}")) for commit in (base, "main"))
        assert [entry[:-20] for entry in now] == [entry[:-20] for entry in was], "names, modes and order"
        changed = {entry[:-20].split(b" ", 1)[1][:-1].decode() for entry in set(now) - set(was)}
        assert changed == {"deploy", "run.sh", "t ä 'b'.yaml", "zz"}
        assert {path: repo.raw("blob", f"main:{path}") for path in files} == files

    @pytest.mark.parametrize(
        "path", ["link", "linked/app.yaml", "module", "deploy", "absent", "../x", "/x", ".git/config", ""]
    )
    def test_only_files_that_are_there_are_written(self, writer: Writer, repo: Repo, path: str) -> None:
        tip = repo.commit({"link": Link(FILE), "linked": Link("deploy"), "module": Submodule("a" * 40)})
        with pytest.raises(SourceError, match="is no regular file there"):
            writer.prepare(target(repo.url), lambda _: Edits(files={path: b"x"}, message="bot"))
        assert repo.head() == tip

    def test_a_link_is_never_written_through(self, writer: Writer, repo: Repo) -> None:
        tip = repo.commit({"link": Link(FILE)})
        new = NewCommit(base=tip, files={"link": b"x"}, message="bot", author=BOT, at=NOW)
        opened = open_source(git_spec(repo.url), writer.place.secret, writer.root, allow_file=False)
        with opened as session, open_cache(writer.root / "repos", session) as cache:
            cache.fetch(session.url, "refs/heads/main")
            with pytest.raises(SourceError, match="is no regular file there"):
                commit_files(cache, new)

    def test_a_base_lists_and_reads_what_the_commit_holds(self, writer: Writer, repo: Repo) -> None:
        many = {f"deploy/many/{number:03}.yaml": f"n: {number % 7}\n" for number in range(300)}
        repo.commit({**many, "deploy.yaml": "d: 1\n", "link.yaml": Link(FILE), ".sourceignore": "deploy\n"})
        seen: dict[str, str] = {}

        def edit(base: Base) -> None:
            assert base.commit == repo.head()
            assert base.files(FILE) == (FILE,)
            assert sorted(base.files("deploy")) == sorted([FILE, *many])
            assert {".sourceignore", "README.md", "deploy.yaml"} < set(base.files())
            assert "link.yaml" not in base.files()
            seen.update({path: base.read(path).decode() for path in base.files()})
            with pytest.raises(SourceError, match="no regular file"):
                base.read("link.yaml")

        assert writer.prepare(target(repo.url), edit) is None
        assert seen == {path: text for path, text in repo.files().items() if path != "link.yaml"}


def test_over_ssh(writer: Writer, tmp_path: Path) -> None:
    with GitSshServer(tmp_path / "ssh") as ssh:
        writer.place.secrets["ssh"] = {"identity": ssh.identity, "known_hosts": ssh.known_hosts}
        repo = filled(ssh.repo("apps"))
        wanted = target("", spec=git_spec(repo.url, secretRef={"name": "ssh"}))
        human = repo.head()
        prepared = writer.prepared(wanted, EDIT)
        assert writer.push(prepared, wanted, EDIT).commit == repo.head() == prepared.commit
        hook(repo, "pre-receive", "echo not today >&2; exit 1")
        later = writer.prepared(wanted, setting(FILE, "v: 3\n"))
        with pytest.raises(SourceError, match=r"declines refs/heads/main: .*hook declined.*not today"):
            writer.push(later, wanted, setting(FILE, "v: 3\n"))
        assert repo.git("rev-parse", "main^") == human


def test_over_http_with_a_password_that_never_shows(writer: Writer, server: GitServer) -> None:
    server.authorization = basic("git-user", "pa55-w0rd")
    writer.place.secrets["auth"] = LOGIN
    repo = filled(server.repo("apps"))
    wanted = target("", spec=git_spec(repo.url, secretRef={"name": "auth"}))
    pushed = writer.write(wanted, EDIT)
    assert pushed is not None
    assert repo.head() == pushed.commit
    hook(repo, "pre-receive", "echo say pa55-w0rd and; echo $'\\033[31mred' >&2; exit 1")
    with pytest.raises(SourceError, match="say \\*\\*\\* and") as caught:
        writer.write(wanted, setting(FILE, "v: 3\n"))
    assert "pa55-w0rd" not in str(caught.value)
    assert "\x1b" not in str(caught.value)
    kept = [path.read_bytes() for path in writer.root.rglob("*") if path.is_file()]
    assert not any(b"pa55-w0rd" in content for content in kept)


class TestRefusals:
    """Each says what to do; none is retried."""

    def test_a_hook_declines(self, writer: Writer, repo: Repo) -> None:
        hook(repo, "pre-receive", "echo 'commits need a ticket' >&2; exit 1")
        error = refused(
            writer, repo, "declines refs/heads/main: .*hook declined.*commits need a ticket", "hook"
        )
        assert not isinstance(error, RejectedError | ReadOnlyError)

    def test_a_protected_branch(self, writer: Writer, repo: Repo) -> None:
        hook(repo, "update", 'echo "GH006: Protected branch update failed for $1." >&2; exit 1')
        refused(writer, repo, "Protected branch update failed", "git.push.branch")

    def test_a_read_only_account(self, writer: Writer, repo: Repo) -> None:
        repo.git("config", "http.receivepack", "false")
        error = refused(writer, repo, "the credentials may not write", "write access")
        assert isinstance(error, ReadOnlyError)

    def test_a_read_only_key(self, writer: Writer, tmp_path: Path) -> None:
        with GitSshServer(tmp_path / "ssh", read_only=True) as ssh:
            writer.place.secrets["ssh"] = {"identity": ssh.identity, "known_hosts": ssh.known_hosts}
            repo = filled(ssh.repo("apps"))
            wanted = target("", spec=git_spec(repo.url, secretRef={"name": "ssh"}))
            with pytest.raises(ReadOnlyError, match="marked as read only"):
                writer.write(wanted, EDIT)

    def test_a_server_without_forced_pushes(self, writer: Writer, repo: Repo) -> None:
        writer.write(pushing(repo.url, "auto"), EDIT)
        tip = repo.head("auto")
        repo.commit({"README.md": "2\n"})
        repo.git("config", "receive.denyNonFastForwards", "true")
        with pytest.raises(SourceError, match="declines refs/heads/auto") as caught:
            writer.write(pushing(repo.url, "auto"), EDIT)
        assert "forced pushes" in caught.value.hint
        assert repo.head("auto") == tip

    def test_all_or_nothing(self, writer: Writer, repo: Repo) -> None:
        hook(repo, "update", 'test "$1" != refs/heads/deploy')
        wanted = pushing(repo.url, "auto", refspec="auto:deploy")
        with pytest.raises(SourceError, match="declines refs/heads/deploy"):
            writer.write(wanted, EDIT)
        assert repo.head("auto") == ""

    def test_a_server_that_knows_no_all_or_nothing(self, writer: Writer, repo: Repo) -> None:
        repo.git("config", "receive.advertiseAtomic", "false")
        pushed = writer.write(pushing(repo.url, "auto", refspec="auto:deploy"), EDIT)
        assert pushed is not None
        assert repo.head("auto") == repo.head("deploy") == pushed.commit


class TestSyncMark:
    """The tag of what a stack applied."""

    def test_it_is_made_and_moved(self, writer: Writer, repo: Repo, server: GitServer) -> None:
        spec, first = git_spec(repo.url), repo.head()
        assert move_tag(spec, "weir-sync/dev", first, access=writer.access) is True
        assert repo.git("rev-parse", "refs/tags/weir-sync/dev") == first
        server.requests.clear()
        assert move_tag(spec, "weir-sync/dev", first, access=writer.access) is False
        assert not any("receive-pack" in request.path for request in server.requests)
        second = repo.commit({FILE: "v: 2\n"})
        writer.place.sync(spec)
        assert move_tag(spec, "weir-sync/dev", second, access=writer.access) is True
        assert move_tag(spec, "weir-sync/prod", first, access=writer.access) is True
        assert repo.git("rev-parse", "refs/tags/weir-sync/dev") == second
        assert move_tag(spec, "weir-sync/dev", first, access=writer.access) is True, "a rollback moves it too"

    def test_a_read_only_key_is_told_apart(self, writer: Writer, repo: Repo) -> None:
        repo.git("config", "http.receivepack", "false")
        with pytest.raises(ReadOnlyError):
            move_tag(git_spec(repo.url), "weir-sync/dev", repo.head(), access=writer.access)

    def test_two_at_once(self, tmp_path: Path, repo: Repo) -> None:
        commits = [repo.head(), repo.commit({FILE: "v: 2\n"})]
        writers = [Writer(tmp_path / f"writer-{number}") for number in range(2)]
        failed: list[BaseException] = []

        def move(number: int) -> None:
            try:
                move_tag(git_spec(repo.url), "weir-sync/dev", commits[number], access=writers[number].access)
            except SourceError as err:
                failed.append(err)

        threads = [threading.Thread(target=move, args=(number,)) for number in range(2)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(60)
        assert failed == []
        assert repo.git("rev-parse", "refs/tags/weir-sync/dev") in commits
