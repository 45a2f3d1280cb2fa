"""Credentials of every kind against real servers, and where they must never show."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import psutil
import pytest

from tests.support.git_server import GitServer, Repo, basic, bearer
from tests.support.git_ssh_server import GitSshServer
from tests.support.proxy import running_proxy
from tests.support.sources import Place, git_spec
from tests.support.tls import Authority
from tests.support.writing import Writer, setting, target
from weir.edges.git.credentials import read_credentials
from weir.edges.git.session import open_session
from weir.edges.git.submodules import credentials_for
from weir.edges.git.url import parse_url
from weir.spec.errors import SourceError, WeirError

PASSWORD = "pa55-w0rd'\"\\ $x"
LOGIN = {"username": b"git-user", "password": PASSWORD.encode()}


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(tmp_path / "place")


@pytest.fixture
def server(tmp_path: Path) -> Iterator[GitServer]:
    with GitServer(tmp_path / "server", authorization=basic("git-user", PASSWORD)) as running:
        yield running


def made(server: GitServer | GitSshServer) -> Repo:
    repo = server.repo("apps")
    repo.commit({"a.yaml": "a: 1\n"})
    return repo


def test_username_and_password(place: Place, server: GitServer) -> None:
    place.secrets["auth"] = LOGIN
    result = place.sync(git_spec(made(server).url, secretRef={"name": "auth"}))
    assert place.files(result) == {"a.yaml": "a: 1\n"}
    assert "unencrypted" in result.warnings[0]


def test_a_bearer_token(place: Place, server: GitServer) -> None:
    server.authorization = bearer("t0ken-abc")
    place.secrets["auth"] = {"bearerToken": b"t0ken-abc\n"}
    assert place.sync(git_spec(made(server).url, secretRef={"name": "auth"})).changed


WRONG = [{}, {"username": b"git-user", "password": b"wrong-password"}, {"bearerToken": b"wrong-token"}]


@pytest.mark.parametrize("data", WRONG, ids=["none", "password", "token"])
def test_wrong_credentials_say_so_and_stay_secret(
    place: Place, server: GitServer, data: dict[str, bytes]
) -> None:
    place.secrets["auth"] = data
    with pytest.raises(
        SourceError, match=r"GitRepository/flux-system/apps: .*authentication failed"
    ) as caught:
        place.sync(git_spec(made(server).url, secretRef={"name": "auth"}))
    assert "secretRef" in caught.value.hint
    assert "wrong-" not in str(caught.value)


@pytest.mark.parametrize(
    ("data", "text"),
    [
        ({"password": b"x"}, "password without username"),
        ({"bearerToken": b"a\r\nX-Evil: 1"}, "bearerToken holds characters"),
        ({"username": b"\xff", "password": b"x"}, "username is not UTF-8"),
        ({"tls.crt": b"x"}, r"one of tls.crt and tls.key"),
        ({"githubAppID": b"1"}, "go together"),
    ],
)
def test_secrets_that_do_not_fit_are_refused(place: Place, data: dict[str, bytes], text: str) -> None:
    place.secrets["auth"] = data
    with pytest.raises(SourceError, match=text):
        place.sync(git_spec("https://127.0.0.1:1/x.git", secretRef={"name": "auth"}))


def test_a_missing_secret_is_named(place: Place) -> None:
    with pytest.raises(WeirError, match="Secret/flux-system/absent"):
        place.sync(git_spec("https://127.0.0.1:1/x.git", secretRef={"name": "absent"}))


def test_other_credentials_have_another_cache(place: Place, server: GitServer) -> None:
    place.secrets |= {"good": LOGIN, "bad": {"username": b"git-user", "password": b"wrong"}}
    repo = made(server)
    commit = {"commit": repo.head()}
    place.sync(git_spec(repo.url, ref=commit, secretRef={"name": "good"}))
    with pytest.raises(SourceError, match="authentication failed"):
        place.sync(git_spec(repo.url, ref=commit, secretRef={"name": "bad"}))


def test_tls_with_a_private_authority(place: Place, tmp_path: Path) -> None:
    authority = Authority(tmp_path / "ca")
    with GitServer(tmp_path / "tls", tls=authority.server()) as server:
        repo = made(server)
        with pytest.raises(SourceError, match="TLS connection is not trusted"):
            place.sync(git_spec(repo.url))
        place.secrets["ca"] = {"ca.crt": authority.pem}
        assert place.sync(git_spec(repo.url, secretRef={"name": "ca"})).warnings == ()
        place.secrets["ca"] = {"ca.crt": Authority(tmp_path / "other").pem}
        with pytest.raises(SourceError, match="TLS connection is not trusted"):
            place.sync(git_spec(repo.url, secretRef={"name": "ca"}))


def test_tls_client_certificates(place: Place, tmp_path: Path) -> None:
    authority = Authority(tmp_path / "ca")
    certificate, key = authority.issue("client")
    with GitServer(tmp_path / "tls", tls=authority.server(require_client=True)) as server:
        repo = made(server)
        place.secrets["tls"] = {"ca.crt": authority.pem, "tls.crt": certificate, "tls.key": key}
        assert place.sync(git_spec(repo.url, secretRef={"name": "tls"})).changed
        place.secrets["tls"] = {"ca.crt": authority.pem}
        with pytest.raises(SourceError):
            place.sync(git_spec(repo.url, secretRef={"name": "tls"}))


SSH_KEYS = [(None, "ssh-ed25519"), ("s3cret", "ssh-ed25519"), (None, "ecdsa-sha2-nistp256")]


@pytest.mark.parametrize(("passphrase", "key_type"), SSH_KEYS)
def test_ssh_with_a_deploy_key(place: Place, tmp_path: Path, passphrase: str | None, key_type: str) -> None:
    with GitSshServer(tmp_path / "ssh", passphrase=passphrase, key_type=key_type) as server:
        place.secrets["ssh"] = {"identity": server.identity, "known_hosts": server.known_hosts}
        if passphrase:
            with pytest.raises(SourceError, match="identity is encrypted"):
                place.sync(git_spec(made(server).url, secretRef={"name": "ssh"}))
            place.secrets["ssh"] = {**place.secrets["ssh"], "password": passphrase.encode()}
        result = place.sync(git_spec(made(server).url, secretRef={"name": "ssh"}))
        assert place.files(result) == {"a.yaml": "a: 1\n"}
        assert set(server.users) == {"git"}


def test_ssh_refuses_an_unknown_or_changed_host_key(place: Place, tmp_path: Path) -> None:
    with GitSshServer(tmp_path / "ssh") as server:
        spec = git_spec(made(server).url, secretRef={"name": "ssh"})
        place.secrets["ssh"] = {"identity": server.identity}
        with pytest.raises(SourceError, match="found no known_hosts"):
            place.sync(spec)
        place.secrets["ssh"] = {"identity": server.identity, "known_hosts": server.known_hosts}
        place.sync(spec)
        server.renew_host_key()
        asked = len(server.commands)
        with pytest.raises(SourceError, match="host key is not in known_hosts"):
            place.sync(spec)
        assert len(server.commands) == asked
        wrong_port = server.known_hosts.replace(f":{server.port} ".encode(), b":22 ")
        place.secrets["ssh"] = {"identity": server.identity, "known_hosts": wrong_port}
        with pytest.raises(SourceError, match="host key is not in known_hosts"):
            place.sync(spec)


def test_ssh_with_another_key_is_denied(place: Place, tmp_path: Path) -> None:
    with GitSshServer(tmp_path / "ssh") as server:
        foreign = GitSshServer(tmp_path / "other").identity
        place.secrets["ssh"] = {"identity": foreign, "known_hosts": server.known_hosts}
        with pytest.raises(SourceError, match="authentication failed"):
            place.sync(git_spec(made(server).url, secretRef={"name": "ssh"}))


def test_a_proxy_with_a_password(place: Place, server: GitServer) -> None:
    server.authorization = ""
    repo = made(server)
    with running_proxy(basic("proxy-user", "pr@xy:pass")) as proxy:
        place.secrets["proxy"] = {
            "address": proxy.url.encode(),
            "username": b"proxy-user",
            "password": b"pr@xy:pass",
        }
        assert place.sync(git_spec(repo.url, proxySecretRef={"name": "proxy"})).changed
        assert len(proxy.seen) >= 1
        place.secrets["proxy"] = {
            "address": proxy.url.encode(),
            "username": b"proxy-user",
            "password": b"wrong-pass",
        }
        with pytest.raises(SourceError, match="proxy") as caught:
            place.sync(git_spec(repo.url, proxySecretRef={"name": "proxy"}))
        assert "wrong-pass" not in str(caught.value)


TOKEN = "x-0123456789abcdef"
ECHOED = [
    (LOGIN, None, f"got {basic('git-user', PASSWORD)} from git-user", "got Basic *** from git-user"),
    (
        {"username": TOKEN.encode(), "password": b"x-oauth-basic"},
        None,
        f"{TOKEN} has no access, {basic(TOKEN, 'x-oauth-basic')}",
        "*** has no access, Basic ***",
    ),
    (
        {},
        {"address": b"http://p.example", "username": b"me", "password": b"pr@xy:pass"},
        f"no proxy http://me:pr%40xy%3Apass@p.example, {basic('me', 'pr@xy:pass')}, pr@xy:pass",
        "no proxy http://me:***@p.example, Basic ***, ***",
    ),
    (
        {},
        {"address": b"http://me:pr%40xy@p.example"},
        f"no proxy http://me:pr%40xy@p.example, {basic('me', 'pr@xy')}, pr@xy",
        "no proxy http://me:***@p.example, Basic ***, ***",
    ),
]


@pytest.mark.parametrize(
    ("data", "proxy", "said", "shown"), ECHOED, ids=["password", "user", "proxy", "address"]
)
def test_what_is_sent_is_masked_in_every_form(
    data: dict[str, bytes], proxy: dict[str, bytes] | None, said: str, shown: str
) -> None:
    credentials = read_credentials(parse_url("https://git.example/x.git"), data, proxy)
    assert credentials.masked(said).replace("=", "") == shown


def test_the_token_of_an_app_is_masked() -> None:
    url = parse_url("https://git.example/x.git")
    credentials = read_credentials(url, {}, None, basic("x-access-token", "ghs_abc"))
    said = f"x-access-token:ghs_abc as {basic('x-access-token', 'ghs_abc')}"
    assert credentials.masked(said).replace("=", "") == "x-access-token:*** as Basic ***"


def test_a_submodule_elsewhere_gets_no_login_and_its_messages_are_masked(place: Place) -> None:
    own, elsewhere = parse_url("https://git.example/x.git"), parse_url("https://other.example/x.git")
    with open_session(place.root, own, read_credentials(own, LOGIN, None), 20.0) as session:
        given = credentials_for(session, elsewhere)
    assert not given.any
    assert given.masked(f"no {PASSWORD}") == "no ***"


def test_a_token_in_the_query_goes_to_git_and_into_no_message(place: Place, server: GitServer) -> None:
    server.authorization = ""
    spec = git_spec(f"{made(server).url}?private_token={TOKEN}")
    with pytest.raises(SourceError, match=r"/apps\.git: .*/apps\.git\?\*\*\*/") as caught:
        place.sync(spec)
    assert TOKEN in server.requests[0].path
    assert TOKEN not in f"{caught.value} {caught.value.__cause__}"


def test_a_repository_that_a_query_names_is_read_and_written(tmp_path: Path) -> None:
    repo = Repo(tmp_path / f"x?private_token={TOKEN}", f"file://{tmp_path}/x?private_token={TOKEN}")
    repo.commit({"a.yaml": "a: 1\n"})
    writer = Writer(tmp_path / "writer")
    writer.access = replace(writer.access, allow_file_urls=True)
    wanted, edit = target(repo.url), setting("a.yaml", "a: 2\n")
    prepared = writer.prepared(wanted, edit)
    assert writer.place.store.tree(prepared.artifact.digest).read("a.yaml") == b"a: 2\n"
    assert writer.push(prepared, wanted, edit).commit == repo.head() == prepared.commit
    result = writer.place.sync(wanted.spec, allow_file_urls=True)
    assert writer.place.files(result) == {"a.yaml": "a: 2\n"}


def _watch(secrets: tuple[str, ...], seconds: float) -> tuple[list[str], set[str]]:
    """Programs that show a secret to others, and those that were looked at, for that long from the first git on."""
    found: list[str] = []
    looked: set[str] = set()
    end, enough = time.monotonic() + 40, float("inf")
    while time.monotonic() < min(end, enough):
        for child in psutil.Process().children(recursive=True):
            with contextlib.suppress(psutil.Error):
                shown = " ".join(child.cmdline()) + repr(child.environ())
                looked.add(child.name())
                found += [child.name() for secret in secrets if secret in shown]
        if "git" in looked:
            enough = min(enough, time.monotonic() + seconds)
    return found, looked


def test_no_secret_in_arguments_environments_or_left_on_disk(place: Place, server: GitServer) -> None:
    place.secrets["auth"] = LOGIN
    spec = git_spec(made(server).url, secretRef={"name": "auth"}, timeout="60s")
    secrets = (basic("git-user", PASSWORD).removeprefix("Basic "), PASSWORD)
    server.trouble.hang = threading.Event()

    def sync() -> None:
        with contextlib.suppress(SourceError):
            place.sync(spec)

    worker = threading.Thread(target=sync)
    worker.start()
    found, looked = _watch(secrets, 1.0)
    assert found == []
    assert "git" in looked
    during = [path for path in (place.cache / "calls").rglob("*") if path.is_file()]
    assert {path.stat().st_mode & 0o777 for path in during} == {0o600}
    server.trouble.hang.set()
    worker.join(30)
    left = [path.read_bytes() for path in place.root.rglob("*") if path.is_file()]
    assert not [content for content in left for secret in secrets if secret.encode() in content]
    assert list((place.cache / "calls").iterdir()) == []
