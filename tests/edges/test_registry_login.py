"""Logging in at a real registry in every way, and who never sees the login."""

from __future__ import annotations

import base64
import http.server
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest

from tests.support.fault_proxy import Fault, FaultProxy
from tests.support.proxy import running_proxy
from tests.support.registry import (
    Registry,
    TokenService,
    docker_config,
    htpasswd,
    running_registry,
    token_service,
)
from tests.support.tls import Authority
from weir.edges.registry.access import Access, read_certificates, read_proxy
from weir.edges.registry.client import Client
from weir.edges.registry.docker_config import DockerConfig
from weir.edges.registry.errors import BadAnswerError, DeniedError, RegistryError, UntrustedError
from weir.edges.registry.tags import join, list_pages
from weir.spec.errors import WeirError
from weir.spec.image_name import ImageName, parse_image_name

USER, PASSWORD = "robot", "pa55-w0rd$x"
BASIC = "Basic " + base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode()
REFRESH = "refresh-t0ken-123"
SECRETS = (PASSWORD, REFRESH, BASIC.removeprefix("Basic "))


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TokenService]:
    with token_service(tmp_path_factory.mktemp("tokens")) as running:
        yield running


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory, service: TokenService) -> Iterator[Registry]:
    """A registry that takes tokens of the service."""
    with running_registry(tmp_path_factory.mktemp("guarded"), service.auth()) as running:
        pusher = f"Bearer {service.token('team/app', ['pull', 'push'])}"
        replace(running, authorization=pusher).push("team/app", "1.0.0")
        yield running


@pytest.fixture(autouse=True)
def fresh(service: TokenService) -> None:
    """The token service as it is by default."""
    service.accepted = {BASIC: ["pull"], REFRESH: ["pull"]}
    service.anonymous, service.lifetime, service.redirect = False, 300, ""
    service.asked.clear()


@pytest.fixture(scope="module")
def basic(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Registry]:
    """A registry that asks for a username and password."""
    folder = tmp_path_factory.mktemp("basic")
    with running_registry(folder, htpasswd(folder, USER, PASSWORD), BASIC) as running:
        running.push("team/app", "2.0.0")
        yield running


def login_for(place: str) -> DockerConfig:
    return docker_config(place, username=USER, password=PASSWORD)


def client_of(logins: DockerConfig | None = None, **changed: object) -> Client:
    access = Access(logins=logins or DockerConfig(), insecure=True, timeout=10)
    return Client(replace(access, **changed))  # type: ignore[arg-type]


def tags_of(client: Client, host: str, repository: str = "team/app") -> tuple[str, ...]:
    return join(list_pages(client, parse_image_name(f"{host}/{repository}")))


def test_a_token_is_fetched_with_the_login_and_used_until_it_ends(
    guarded: Registry, service: TokenService
) -> None:
    client = client_of(login_for(guarded.host))
    assert [tags_of(client, guarded.host) for _ in range(3)] == [("1.0.0",)] * 3
    (asked,) = service.asked
    assert (asked["method"], asked["authorization"]) == ("GET", BASIC)
    assert (asked["scope"], asked["service"]) == ("repository:team/app:pull", "test-registry")


def test_a_token_near_its_end_is_renewed(guarded: Registry, service: TokenService) -> None:
    now = [0.0]
    access = Access(logins=login_for(guarded.host), insecure=True, timeout=10)
    client = Client(access, clock=lambda: now[0])
    tags_of(client, guarded.host)
    now[0] = 289.0
    tags_of(client, guarded.host)
    assert len(service.asked) == 1
    now[0] = 291.0
    assert tags_of(client, guarded.host) == ("1.0.0",)
    assert len(service.asked) == 2


def test_a_token_that_the_registry_no_longer_takes_is_renewed(
    guarded: Registry, service: TokenService
) -> None:
    with FaultProxy(guarded.url) as proxy:
        client = client_of(login_for(f"127.0.0.1:{proxy.port}"))
        host = f"127.0.0.1:{proxy.port}"
        tags_of(client, host)
        challenge = f'Bearer realm="http://127.0.0.1:{service.port}/token",service="test-registry"'
        proxy.faults.append(Fault(status=401, headers={"WWW-Authenticate": challenge}, times=1))
        assert tags_of(client, host) == ("1.0.0",)
    assert len(service.asked) == 2


def test_threads_share_one_client(guarded: Registry, service: TokenService) -> None:
    client, found = client_of(login_for(guarded.host)), []
    threads = [threading.Thread(target=lambda: found.append(tags_of(client, guarded.host))) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(10)
    assert found == [("1.0.0",)] * 8


def test_an_anonymous_token(guarded: Registry, service: TokenService) -> None:
    service.anonymous = True
    assert tags_of(client_of(), guarded.host) == ("1.0.0",)
    assert service.asked[0]["authorization"] == ""


def test_an_identity_token_is_exchanged(guarded: Registry, service: TokenService) -> None:
    client = client_of(docker_config(guarded.host, identitytoken=REFRESH, auth="PHRva2VuPjo="))
    assert tags_of(client, guarded.host) == ("1.0.0",)
    (asked,) = service.asked
    assert (asked["method"], asked["grant_type"], asked["authorization"]) == ("POST", "refresh_token", "")


def test_a_registry_token_is_sent_as_it_is(guarded: Registry, service: TokenService) -> None:
    token = service.token("team/app", ["pull"])
    assert tags_of(client_of(docker_config(guarded.host, registrytoken=token)), guarded.host) == ("1.0.0",)
    assert service.asked == []


def test_basic_login(basic: Registry) -> None:
    assert tags_of(client_of(login_for(basic.host)), basic.host) == ("2.0.0",)


def test_the_login_of_the_longer_path_is_used(basic: Registry) -> None:
    wrong = docker_config(basic.host, username="other", password="wrong")
    logins = DockerConfig(wrong.entries + login_for(f"{basic.host}/team").entries)
    assert tags_of(client_of(logins), basic.host) == ("2.0.0",)


WRONG = {"none": {}, "password": {"username": USER, "password": "wr0ng-secret"}}


@pytest.mark.parametrize("login", WRONG.values(), ids=WRONG)
@pytest.mark.parametrize("kind", ["basic", "guarded"])
def test_a_wrong_login_says_so_once_and_stays_secret(
    login: dict[str, str], kind: str, request: pytest.FixtureRequest
) -> None:
    with FaultProxy(request.getfixturevalue(kind).url) as proxy:
        host = f"127.0.0.1:{proxy.port}"
        with pytest.raises(DeniedError, match=r"team/app: .*(denied|refuses)") as failure:
            tags_of(client_of(docker_config(host, **login)), host)
        assert len(proxy.seen) <= 2
    assert_secret(failure.value, "wr0ng-secret")


def assert_secret(failure: WeirError, *values: str) -> None:
    error: BaseException | None = failure
    while error is not None:
        assert not any(value in f"{error!s} {error!r}" for value in (*SECRETS, *values))
        error = None if error.__suppress_context__ else error.__cause__


@dataclass
class Listener:
    """Another host: takes down every request's headers and answers as a registry would."""

    status: int = 200
    seen: list[dict[str, str]] = field(default_factory=list)
    headers: dict[str, str] = field(default_factory=dict)
    port: int = 0


@contextmanager
def listening(authority: Authority | None = None, **settings: object) -> Iterator[Listener]:
    listener = Listener(**settings)  # type: ignore[arg-type]

    class Handler(http.server.BaseHTTPRequestHandler):
        def log_message(self, format: str, *args: object) -> None:  # noqa: A002
            """Quiet."""

        def do_GET(self) -> None:
            listener.seen.append({name.lower(): value for name, value in self.headers.items()})
            body = b'{"name": "team/app", "tags": ["9.9.9"], "token": "evil"}'
            self.send_response(listener.status)
            for name, value in listener.headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        do_POST = do_GET  # noqa: N815

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    if authority:
        server.socket = authority.server().wrap_socket(server.socket, server_side=True)
    listener.port = server.server_address[1]
    threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
    try:
        yield listener
    finally:
        server.shutdown()
        server.server_close()


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirect_to_another_host_gets_nothing_and_gives_no_tag(basic: Registry, status: int) -> None:
    with FaultProxy(basic.url) as proxy, listening() as other:
        host = f"127.0.0.1:{proxy.port}"
        client = client_of(login_for(host))
        assert tags_of(client, host) == ("2.0.0",)
        where = f"http://localhost:{other.port}/v2/team/app/tags/list"
        proxy.faults.append(Fault(status=status, headers={"Location": where}))
        with pytest.raises(BadAnswerError, match=r"redirects to another host over plain HTTP \(localhost\)"):
            tags_of(client, host)
        assert other.seen == []


def test_a_redirect_to_another_host_over_tls_is_followed_without_the_login(
    basic: Registry, tmp_path: Path
) -> None:
    authority = Authority(tmp_path / "ca")
    with (
        FaultProxy(basic.url, tls=authority.server()) as proxy,
        listening(authority) as other,
    ):
        host = f"127.0.0.1:{proxy.port}"
        client = client_of(login_for(host), insecure=False, ca=authority.pem)
        assert tags_of(client, host) == ("2.0.0",)
        where = f"https://127.0.0.1:{other.port}/v2/team/app/tags/list"
        proxy.faults.append(Fault(status=307, headers={"Location": where}))
        assert tags_of(client, host) == ("9.9.9",)
        other.status = 401
        other.headers = {"WWW-Authenticate": 'Basic realm="give it to me"'}
        with pytest.raises(DeniedError):
            tags_of(client, host)
        other.headers = {"WWW-Authenticate": f'Bearer realm="https://127.0.0.1:{other.port}/token"'}
        with pytest.raises(RegistryError):
            tags_of(client, host)
        assert other.seen
        assert not any("authorization" in one and "Basic" in one["authorization"] for one in other.seen)


def test_a_redirect_on_the_same_host_keeps_the_login(basic: Registry) -> None:
    with FaultProxy(basic.url) as proxy:
        host = f"127.0.0.1:{proxy.port}"
        proxy.faults.append(
            Fault(path="n=1000", status=307, headers={"Location": "/v2/team/app/tags/list?n=5"})
        )
        assert tags_of(client_of(login_for(host)), host) == ("2.0.0",)


def test_endless_redirects_end(basic: Registry) -> None:
    with FaultProxy(basic.url) as proxy:
        host = f"127.0.0.1:{proxy.port}"
        proxy.faults.append(Fault(status=307, headers={"Location": "/v2/team/app/tags/list?again"}))
        with pytest.raises(BadAnswerError, match="redirects more than 5 times"):
            tags_of(client_of(), host)
        assert len(proxy.seen) == 6


@pytest.mark.parametrize("scheme", ["Bearer", "bearer"])
def test_a_token_service_on_another_host_does_not_get_the_login(basic: Registry, scheme: str) -> None:
    with FaultProxy(basic.url) as proxy, listening() as other:
        host = f"127.0.0.1:{proxy.port}"
        challenge = f'{scheme} realm="http://localhost:{other.port}/token",service="x"'
        proxy.faults.append(Fault(status=401, headers={"WWW-Authenticate": challenge}))
        with pytest.raises(
            DeniedError, match=r"another host \(localhost:\d+\), which does not get it"
        ) as err:
            tags_of(client_of(login_for(host)), host)
        assert other.seen == []
        assert_secret(err.value)


def test_a_token_service_on_another_host_gets_a_login_of_its_own(basic: Registry) -> None:
    with FaultProxy(basic.url) as proxy, listening() as other:
        host, there = f"127.0.0.1:{proxy.port}", f"localhost:{other.port}"
        challenge = f'Bearer realm="http://{there}/token",service="x"'
        proxy.faults.append(Fault(status=401, headers={"WWW-Authenticate": challenge}, times=1))
        own = docker_config(there, username="auth-user", password="auth-pass")
        logins = DockerConfig(login_for(host).entries + own.entries)
        assert tags_of(client_of(logins), host) == ("2.0.0",)
        (seen,) = other.seen
        assert base64.b64decode(seen["authorization"].removeprefix("Basic ")) == b"auth-user:auth-pass"


def test_a_token_service_that_redirects_is_not_followed(guarded: Registry, service: TokenService) -> None:
    with listening() as other:
        service.redirect = f"http://127.0.0.1:{other.port}/token"
        with pytest.raises(BadAnswerError, match="answers 307 instead of a token"):
            tags_of(client_of(login_for(guarded.host)), guarded.host)
        assert other.seen == []


def test_a_registry_on_tls_may_not_ask_for_the_login_in_clear(basic: Registry, tmp_path: Path) -> None:
    authority = Authority(tmp_path / "ca")
    with FaultProxy(basic.url, tls=authority.server()) as proxy, listening() as other:
        host = f"127.0.0.1:{proxy.port}"
        challenge = f'Bearer realm="http://127.0.0.1:{other.port}/token"'
        proxy.faults.append(Fault(status=401, headers={"WWW-Authenticate": challenge}))
        client = client_of(login_for(host), insecure=False, ca=authority.pem)
        with pytest.raises(BadAnswerError, match="names no usable token service"):
            tags_of(client, host)
        assert other.seen == []


def test_plain_http_only_when_asked(basic: Registry) -> None:
    with pytest.raises(UntrustedError, match=r"not trusted; .*spec\.insecure"):
        tags_of(client_of(insecure=False), basic.host)


def test_an_unknown_authority_is_not_trusted(basic: Registry, tmp_path: Path) -> None:
    authority = Authority(tmp_path / "ca")
    with FaultProxy(basic.url, tls=authority.server()) as proxy:
        host = f"127.0.0.1:{proxy.port}"
        with pytest.raises(UntrustedError, match=r"put the issuer's certificate in ca\.crt"):
            tags_of(client_of(login_for(host), insecure=False), host)
        assert proxy.seen == []


def test_a_client_certificate_is_shown_to_the_registry_only(basic: Registry, tmp_path: Path) -> None:
    authority = Authority(tmp_path / "ca")
    certificate, key = authority.issue("weir")
    data = {"ca.crt": authority.pem, "tls.crt": certificate, "tls.key": key}
    strict = authority.server(require_client=True)
    with (
        FaultProxy(basic.url, tls=strict) as proxy,
        FaultProxy(basic.url, tls=authority.server(require_client=True)) as other,
    ):
        host = f"127.0.0.1:{proxy.port}"
        client = client_of(login_for(host), insecure=False, **read_certificates(data))
        assert tags_of(client, host) == ("2.0.0",)
        with pytest.raises(RegistryError):
            tags_of(client_of(login_for(host), insecure=False, ca=authority.pem), host)
        where = f"https://127.0.0.1:{other.port}/v2/team/app/tags/list"
        proxy.faults.append(Fault(status=307, headers={"Location": where}))
        with pytest.raises(RegistryError):
            tags_of(client, host)
        assert other.seen == []


def test_a_proxy_with_a_password(basic: Registry, tmp_path: Path) -> None:
    authority = Authority(tmp_path / "ca")
    login = "Basic " + base64.b64encode(b"proxy-user:proxy-pass").decode()
    with FaultProxy(basic.url, tls=authority.server()) as server, running_proxy(login) as proxy:
        data = {"address": proxy.url.encode(), "username": b"proxy-user", "password": b"proxy-pass"}
        host = f"127.0.0.1:{server.port}"
        client = client_of(login_for(host), insecure=False, ca=authority.pem, proxy=read_proxy(data))
        assert tags_of(client, host) == ("2.0.0",)
        assert proxy.seen
        assert BASIC not in "".join(proxy.seen)
        wrong = read_proxy({**data, "password": b"wr0ng-secret"})
        with pytest.raises(RegistryError, match="proxy") as failure:
            tags_of(client_of(login_for(host), insecure=False, ca=authority.pem, proxy=wrong), host)
        assert_secret(failure.value, "wr0ng-secret", "proxy-pass")


def test_nothing_that_is_printed_shows_a_secret() -> None:
    access = Access(logins=login_for("a.example"), key=b"KEY-PEM", proxy="http://u:pr0xy-pass@p")
    shown = f"{access!r} {access.logins!r} {access.fingerprint(ImageName('a.example', 'x'))}"
    assert not any(value in shown for value in (*SECRETS, "KEY-PEM", "pr0xy-pass", USER))
