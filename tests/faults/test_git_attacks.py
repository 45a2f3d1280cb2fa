"""S47, S51: hostile repositories, servers and documents: nothing leaves the tree, and no credential leaves the host."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.git_server import GitServer, Link, Repo, Submodule, basic
from tests.support.sources import Place, git_spec
from tests.support.tls import Authority
from weir.edges.git.url import parse_url
from weir.spec.errors import SourceError, SpecError, WeirError

pytestmark = pytest.mark.faults

LOGIN = {"username": b"git-user", "password": b"pa55-w0rd"}


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(tmp_path / "place", secrets={"auth": LOGIN})


@pytest.fixture
def server(tmp_path: Path) -> Iterator[GitServer]:
    with GitServer(tmp_path / "server") as running:
        yield running


@pytest.fixture
def other(tmp_path: Path) -> Iterator[GitServer]:
    with GitServer(tmp_path / "other") as running:
        yield running


@pytest.mark.parametrize(
    "url",
    [
        "--upload-pack=touch /tmp/owned", "-oProxyCommand=x", "ext::sh -c id", "git://host/x.git", "ftp://host/x", "file:///etc",
        "/etc", "../x", "host:path", "git@host:team/x.git", "https://", "https:///x", "https://host", "https://-host/x.git",
        "ssh://-oProxyCommand=id/x", "ssh://user@-host/x", "ssh://-user@host/x", "ssh://git@host/-x", "ssh://git@host:99999/x",
        "https://ho st/x", "https://host/x\ny", "https://host/x#frag", "https://host\\@evil/x", "https://host%00/x", "http+unix://x/y",
        "ssh://$(id)@host/x", "ssh://git@$(id)/x", "ssh://git@h;id/x", "HTTPS+x://h/y",
    ],
)  # fmt: skip
def test_urls_that_could_run_or_read_something_are_refused(place: Place, url: str) -> None:
    with pytest.raises(SourceError, match="URL: found"):
        parse_url(url)
    with pytest.raises((SourceError, SpecError)):
        place.sync(git_spec(url))


def test_a_password_in_a_url_is_refused_and_not_repeated(place: Place) -> None:
    with pytest.raises(SourceError, match="found a password inside") as caught:
        place.sync(git_spec("https://user:sup3r-secret@127.0.0.1:1/x.git"))
    assert "sup3r" not in str(caught.value)


def _tree(repo: Repo, *rows: tuple[str, str, str]) -> str:
    """A raw tree of (mode, name, oid), however malformed."""
    return repo.write(
        "tree", b"".join(f"{mode} {name}\0".encode() + bytes.fromhex(oid) for mode, name, oid in rows)
    )


def _push_raw(repo: Repo, tree: str) -> None:
    who = "x <x@x> 1700000000 +0000"
    commit = repo.write("commit", f"tree {tree}\nauthor {who}\ncommitter {who}\n\nraw\n".encode())
    repo.git("update-ref", "refs/heads/main", commit)


@pytest.mark.parametrize("name", [".git", ".GIT", ".Git", "..", ".", "git~1", ".g\u200cit", ".git "])
@pytest.mark.parametrize("nested", [False, True])
def test_tree_entries_that_pose_as_gits_own_folder(
    place: Place, server: GitServer, name: str, nested: bool
) -> None:
    repo = server.repo("evil")
    blob = repo.write("blob", b"#!/bin/sh\nid\n")
    inner = _tree(repo, ("100755", "post-checkout", blob))
    tree = _tree(repo, ("40000", name, inner))
    _push_raw(repo, _tree(repo, ("40000", "sub", tree)) if nested else tree)
    with pytest.raises(WeirError):
        place.sync(git_spec(repo.url, ignore="*"))
    assert list(place.store.trees.all()) == []


@pytest.mark.parametrize("first", ["120000", "100644", "40000"])
@pytest.mark.parametrize("second", ["120000", "100644", "40000"])
def test_entries_of_one_name_are_refused(place: Place, server: GitServer, first: str, second: str) -> None:
    """A link and a folder of one name would have files written through the link."""
    repo = server.repo("evil")
    blob = repo.write("blob", b"/tmp")
    inner = _tree(repo, ("100644", "planted.yaml", blob))
    _push_raw(
        repo, _tree(repo, *((mode, "x", inner if mode == "40000" else blob) for mode in (first, second)))
    )
    with pytest.raises(WeirError):
        place.sync(git_spec(repo.url))
    assert list(place.store.trees.all()) == []


@pytest.mark.parametrize("name", ["../x", "/tmp/x", "sub/../../x", ""])
def test_names_that_are_paths_are_refused(place: Place, server: GitServer, name: str) -> None:
    repo = server.repo("evil")
    _push_raw(repo, _tree(repo, ("100644", name, repo.write("blob", b"x: 1\n"))))
    with pytest.raises(WeirError):
        place.sync(git_spec(repo.url))
    assert list(place.store.trees.all()) == []


def test_names_that_differ_by_case_are_two_files(place: Place, server: GitServer) -> None:
    repo = server.repo("cases")
    repo.commit({"a.yaml": "a: 1\n", "A.yaml": "a: 2\n"})
    assert place.files(place.sync(git_spec(repo.url))) == {"a.yaml": "a: 1\n", "A.yaml": "a: 2\n"}


@pytest.mark.parametrize("path", ["a\nb.yaml", "tab\t.yaml", "esc\x1b[31m.yaml"])
def test_control_characters_in_names_are_refused_unless_ignored(
    place: Place, server: GitServer, path: str
) -> None:
    repo = server.repo("evil")
    repo.commit({path: "x", "good.yaml": "x"})
    with pytest.raises(WeirError, match="control characters") as caught:
        place.sync(git_spec(repo.url))
    assert path not in str(caught.value)
    assert sorted(place.files(place.sync(git_spec(repo.url, ignore="/*\n!good.yaml")))) == ["good.yaml"]


def test_a_name_that_is_not_utf8(place: Place, server: GitServer) -> None:
    repo = server.repo("evil")
    repo.commit({"caf\udce9.yaml": "x"})
    with pytest.raises(WeirError, match="not UTF-8"):
        place.sync(git_spec(repo.url))


def test_gitmodules_that_is_a_link(place: Place, server: GitServer) -> None:
    repo = server.repo("evil")
    repo.commit({".gitmodules": Link("../../etc/passwd"), "x": "x"})
    with pytest.raises(SourceError):
        place.sync(git_spec(repo.url, recurseSubmodules=True))


@pytest.mark.parametrize(
    "url",
    [
        "--upload-pack=id", "ext::sh -c id", "file:///etc", "/etc", "git://127.0.0.1/x", "-x",
        "ssh://-oProxyCommand=id/x", "\\n",
    ],
)  # fmt: skip
def test_submodule_urls_follow_the_same_rules(place: Place, server: GitServer, url: str) -> None:
    repo = server.repo("evil")
    modules = f'[submodule "x"]\n\tpath = x\n\turl = "{url}"\n'
    repo.commit({".gitmodules": modules, "x": Submodule("1" * 40)})
    with pytest.raises(SourceError):
        place.sync(git_spec(repo.url, recurseSubmodules=True))


def test_a_submodule_on_another_host_gets_no_credentials(
    place: Place, server: GitServer, other: GitServer
) -> None:
    public = other.repo("library")
    commit = public.commit({"lib.yaml": "l: 1\n"})
    server.authorization = basic("git-user", "pa55-w0rd")
    repo = server.repo("apps")
    modules = f'[submodule "lib"]\n\tpath = lib\n\turl = {public.url}\n'
    repo.commit({".gitmodules": modules, "lib": Submodule(commit)})
    result = place.sync(git_spec(repo.url, secretRef={"name": "auth"}, recurseSubmodules=True))
    assert place.files(result)["lib/lib.yaml"] == "l: 1\n"
    assert other.requests
    assert not [request for request in other.requests if "authorization" in request.headers]


def test_submodules_without_end(place: Place, server: GitServer) -> None:
    repo = server.repo("loop")
    modules = '[submodule "x"]\n\tpath = x\n\turl = ./\n'
    commit = repo.commit({"a": "a"})
    for _ in range(12):
        commit = repo.commit({".gitmodules": modules, "x": Submodule(commit)})
    with pytest.raises(SourceError, match="submodules"):
        place.sync(git_spec(repo.url, recurseSubmodules=True))


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirect_to_another_host_is_not_followed(
    place: Place, server: GitServer, other: GitServer, status: int
) -> None:
    other.repo("apps").commit({"evil": "x"})
    server.repo("apps").commit({"good": "x"})
    server.trouble.redirect, server.trouble.redirect_status = other.url, status
    with pytest.raises(SourceError, match="redirects to another host"):
        place.sync(git_spec(server.repo("apps").url, secretRef={"name": "auth"}))
    assert other.requests == [], "the second server sees nothing at all"


def test_a_redirect_to_another_scheme_is_not_followed(
    place: Place, server: GitServer, tmp_path: Path
) -> None:
    authority = Authority(tmp_path / "ca")
    with GitServer(tmp_path / "tls", tls=authority.server()) as secure:
        secure.trouble.redirect = server.url
        place.secrets["ca"] = {**LOGIN, "ca.crt": authority.pem}
        with pytest.raises(SourceError, match="redirects to another host"):
            place.sync(git_spec(secure.repo("apps").url, secretRef={"name": "ca"}))
    assert server.requests == []


def test_a_redirect_on_the_same_host_is_followed(place: Place, server: GitServer) -> None:
    server.authorization = basic("git-user", "pa55-w0rd")
    repo = server.repo("renamed")
    repo.commit({"a.yaml": "x"})
    target = f"{server.url}/renamed.git/info/refs?service=git-upload-pack"
    server.moved["/old.git/info/refs"] = target
    result = place.sync(git_spec(f"{server.url}/old.git", secretRef={"name": "auth"}))
    assert place.files(result) == {"a.yaml": "x"}


def test_redirects_without_end(place: Place, server: GitServer) -> None:
    server.trouble.redirect = server.url
    with pytest.raises(SourceError, match="more than 3 redirects"):
        place.sync(git_spec(server.repo("apps").url))


def test_a_fetch_that_redirects_elsewhere_halfway(place: Place, server: GitServer, other: GitServer) -> None:
    repo = server.repo("apps")
    repo.commit({"a": "x"})
    server.moved["/apps.git/git-upload-pack"] = f"{other.url}/apps.git/git-upload-pack"
    with pytest.raises(SourceError):
        place.sync(git_spec(repo.url, secretRef={"name": "auth"}))
    assert other.requests == []


def test_malformed_objects_are_refused(place: Place, server: GitServer) -> None:
    repo = server.repo("evil")
    tree = _tree(repo, ("100644", "a", repo.write("blob", b"x")))
    commit = repo.write("commit", f"tree {tree}\nauthor x\ncommitter x\n\nbroken\n".encode())
    repo.git("update-ref", "refs/heads/main", commit)
    with pytest.raises(SourceError, match="corrupt"):
        place.sync(git_spec(repo.url))


def test_our_git_reads_no_configuration_of_anybody(
    place: Place, server: GitServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    repo = server.repo("apps")
    repo.commit(
        {
            "a.yaml": "x",
            ".gitattributes": "* filter=evil\n",
            ".lfsconfig": "[lfs]\n\turl = http://127.0.0.1:1\n",
        }
    )
    home = tmp_path / "home"
    home.mkdir()
    touched = tmp_path / "touched"
    evil = f"[core]\n\thooksPath = {home}\n\tsshCommand = touch {touched}\n"
    evil += f'[credential]\n\thelper = "!touch {touched}"\n'
    evil += f'[filter "evil"]\n\tsmudge = touch {touched}\n[url "http://127.0.0.1:1/"]\n\tinsteadOf = {server.url}/\n'
    (home / ".gitconfig").write_text(evil)
    (home / ".netrc").write_text("machine 127.0.0.1 login netrc-user password netrc-pass\n")
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", str(home / ".gitconfig"))
    monkeypatch.setenv("GIT_SSH_COMMAND", f"touch {touched}")
    monkeypatch.setenv("GIT_ASKPASS", str(touched))
    result = place.sync(git_spec(repo.url))
    assert "a.yaml" in place.files(result)
    assert not touched.exists()
    server.authorization = basic("netrc-user", "netrc-pass")
    with pytest.raises(SourceError, match="authentication failed"):
        place.sync(git_spec(repo.url, ignore="x"))


def test_a_servers_words_are_shown_without_terminal_codes(place: Place, server: GitServer) -> None:
    repo = server.repo("apps")
    with pytest.raises(SourceError) as caught:
        place.sync(git_spec(repo.url, ref={"branch": "absent"}))
    assert str(caught.value).isprintable()


def test_too_large_a_file_is_refused_while_it_is_read(
    place: Place, server: GitServer, tmp_path: Path
) -> None:
    from weir.edges.store import Store, StoreLimits

    place.store = Store(tmp_path / "small", StoreLimits(file_bytes=1000, total_bytes=2000, files=3))
    repo = server.repo("big")
    repo.commit({"big": "x" * 1001})
    with pytest.raises(WeirError, match="over 1000 bytes"):
        place.sync(git_spec(repo.url))
    repo.commit({"big": None, "a": "a" * 900, "b": "b" * 900, "c": "c" * 900})
    with pytest.raises(WeirError, match="2000 bytes"):
        place.sync(git_spec(repo.url))
    repo.commit({name: name for name in "abcd"})
    with pytest.raises(WeirError, match="at most 3"):
        place.sync(git_spec(repo.url))
    assert list(place.store.trees.all()) == []


def test_messages_hold_no_python_or_machine_details(place: Place) -> None:
    with pytest.raises(SourceError) as caught:
        place.sync(git_spec("http://127.0.0.1:1/x.git"))
    text = json.dumps(str(caught.value))
    assert str(place.root) not in text
    assert "connection is refused" in text
