"""What registries are called, which login is for which, what a challenge says, how much a host is asked."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from weir.edges.http.budget import BURST, RATE, RETRIES, TRIES, Budget, retry_after
from weir.edges.http.guard import is_forbidden
from weir.edges.kept import Kept
from weir.edges.registry.challenge import Challenge, read_challenges
from weir.edges.registry.docker_config import DockerConfig, read_docker_config
from weir.edges.registry.login import _related
from weir.spec.errors import SourceError
from weir.spec.image_name import ImageName, parse_image_name


def config(auths: dict[str, Any], key: str = ".dockerconfigjson") -> DockerConfig:
    document: dict[str, Any] = {"auths": auths} if key == ".dockerconfigjson" else auths
    return read_docker_config([{key: json.dumps(document).encode()}])


def auth(user: str, password: str) -> dict[str, str]:
    return {"auth": base64.b64encode(f"{user}:{password}".encode()).decode()}


AUTHS = {
    "https://index.docker.io/v1/": auth("hub", "a:b"),
    "ghcr.io": auth("whole", "x"),
    "ghcr.io/team": auth("team", "x"),
    "https://ghcr.io/team/app": auth("app", "x"),
    "*.example.org": auth("pattern", "x"),
    "one.example.org": auth("exact", "x"),
    "registry:5000": auth("port", "x"),
}
WANTED = [
    ("alpine", "hub"),
    ("ghcr.io/other/app", "whole"),
    ("ghcr.io/teams/app", "whole"),
    ("ghcr.io/team/other", "team"),
    ("ghcr.io/team/app/sub", "app"),
    ("two.example.org/a", "pattern"),
    ("one.example.org/a", "exact"),
    ("registry:5000/a", "port"),
    ("registry:5001/a", None),
    ("a.b.example.org/a", None),
    ("evilghcr.io/team/app", None),
]


@pytest.mark.parametrize(("image", "user"), WANTED)
@pytest.mark.parametrize("key", [".dockerconfigjson", ".dockercfg"])
def test_the_most_exact_login_is_taken(image: str, user: str | None, key: str) -> None:
    login = config(AUTHS, key).login(parse_image_name(image))
    assert (login.username if login else None) == user


def test_hosts_are_compared_by_the_one_name_of_their_registry() -> None:
    logins = config({"Registry-1.Docker.io": auth("hub", "x"), "GHCR.io": auth("other", "x")})
    found = [logins.login(parse_image_name("alpine")), logins.login_at("Index.docker.io")]
    found += [logins.login(parse_image_name("ghcr.io/a")), logins.login_at("Ghcr.io")]
    assert [login.username for login in found if login] == ["hub", "hub", "other", "other"]


def test_a_password_may_hold_a_colon() -> None:
    login = config(AUTHS).login(parse_image_name("alpine"))
    assert login is not None
    assert login.password == "a:b"


BROKEN: list[dict[str, bytes]] = [
    {},
    {".dockerconfigjson": b"s3cret"},
    {".dockerconfigjson": b'"s3cret"'},
    {".dockerconfigjson": b'{"auths": ["s3cret"]}'},
    {".dockerconfigjson": b'{"auths": {"a.example": {"auth": "s3cret!"}}}'},
    {".dockerconfigjson": b'{"auths": {"a.example": {"auth": "czNjcmV0"}}}'},
    {".dockerconfigjson": b'{"auths": {"a.example": {"identitytoken": "s3cret\\n"}}}'},
]


@pytest.mark.parametrize("data", BROKEN)
def test_a_broken_secret_is_named_and_not_shown(data: dict[str, bytes]) -> None:
    with pytest.raises(SourceError, match=r"^Secret: ") as failure:
        read_docker_config([data])
    assert "s3cret" not in str(failure.value)
    assert "czNjcmV0" not in str(failure.value)


CHALLENGES = [
    (
        'Bearer realm="https://a/t",service="s",scope="repository:x/y:pull,push"',
        Challenge("bearer", "https://a/t", "s", "repository:x/y:pull,push"),
    ),
    ("Basic realm=simple", Challenge("basic", "simple")),
    (r'BEARER realm="a \"b\""', Challenge("bearer", 'a "b"')),
    ('Bearer realm="first", realm="second"', Challenge("bearer", "first")),
]


@pytest.mark.parametrize(("header", "challenge"), CHALLENGES)
def test_challenges_are_read(header: str, challenge: Challenge) -> None:
    assert read_challenges(header) == (challenge,)


def test_several_challenges_are_kept_apart() -> None:
    found = read_challenges('Basic realm="a", Bearer realm="https://t",service="s"')
    assert found == (Challenge("basic", "a"), Challenge("bearer", "https://t", "s"))


@given(st.text(max_size=200))
def test_no_challenge_breaks_the_reader(header: str) -> None:
    assert all(isinstance(item, Challenge) for item in read_challenges(header))


RELATED = [
    ("registry-1.docker.io", "auth.docker.io", True),
    ("registry.gitlab.com", "gitlab.com", True),
    ("ghcr.io", "ghcr.io", True),
    ("ghcr.io", "evil.io", False),
    ("mine.co.uk", "yours.co.uk", False),
    ("mine.azurecr.io", "yours.azurecr.io", False),
    ("registry.example.org", "auth.example.org.evil.test", False),
    ("registry.example.org", "evilexample.org", False),
    ("10.0.0.1", "10.0.0.2", False),
    ("localhost", "127.0.0.1", False),
]


@pytest.mark.parametrize(("registry", "service", "related"), RELATED)
def test_a_login_stays_in_its_domain(registry: str, service: str, related: bool) -> None:
    assert _related(registry, service) is related


FORBIDDEN = ["169.254.169.254", "::ffff:169.254.169.254", "fe80::1", "fe80::1%eth0", "0.0.0.0", "224.0.0.1"]


@pytest.mark.parametrize("address", FORBIDDEN)
def test_metadata_services_are_never_asked(address: str) -> None:
    assert is_forbidden(address, loopback=True)


@pytest.mark.parametrize("address", ["127.0.0.1", "127.8.9.1", "::1", "::ffff:127.0.0.1"])
def test_this_machine_is_asked_only_when_it_is_meant(address: str) -> None:
    assert is_forbidden(address, loopback=False)
    assert not is_forbidden(address, loopback=True)


@pytest.mark.parametrize("address", ["10.1.2.3", "192.168.0.1", "140.82.112.3", "2606:50c0::1"])
def test_other_networks_may_be_asked(address: str) -> None:
    assert not is_forbidden(address, loopback=False)


def budget(now: list[float]) -> Budget:
    return Budget(clock=lambda: now[0], spread=lambda _low, high: high)


def test_a_host_is_asked_at_a_bounded_rate() -> None:
    now = [0.0]
    asked = budget(now)
    waits = [asked.take() for _ in range(int(BURST) + 100)]
    assert waits[int(BURST) - 1] == 0.0
    assert waits[-1] == pytest.approx(100 / RATE)


def test_429_slows_down_and_success_speeds_up() -> None:
    asked = budget([0.0])
    asked.failed(0, asked=None, slow_down=True)
    assert asked.rate == RATE / 2
    for _ in range(100):
        asked.succeeded()
    assert asked.rate == RATE


def test_pauses_grow_and_tries_end() -> None:
    asked = budget([0.0])
    pauses = [asked.failed(attempt, asked=None, slow_down=False) for attempt in range(TRIES)]
    assert pauses == [0.25, 0.5, 1.0, None]


def test_retries_of_a_host_are_bounded_and_come_back() -> None:
    now = [0.0]
    asked = budget(now)
    allowed = [asked.failed(0, asked=None, slow_down=False) for _ in range(100)]
    assert sum(pause is not None for pause in allowed) == RETRIES
    now[0] = 10.0
    assert asked.failed(0, asked=None, slow_down=False) is not None


def test_a_pause_that_the_host_asks_for_holds_for_all() -> None:
    now = [0.0]
    asked = budget(now)
    assert asked.failed(0, asked=30.0, slow_down=True) == 33.0
    assert asked.take() == 31.0
    now[0] = 30.0
    assert asked.take() == 0.0


TIMES = [("120", 120.0), ("0", 0.0), ("", None), ("soon", None), ("-1", None), ("9" * 30, 86400.0)]
TIMES += [("Thu, 01 Jan 1970 00:02:00 GMT", 20.0), ("Thu, 01 Jan 1970 00:00:00 GMT", 0.0)]


@pytest.mark.parametrize(("value", "seconds"), TIMES)
def test_retry_after_in_both_forms(value: str, seconds: float | None) -> None:
    assert retry_after(value, 100.0) == seconds


def test_kept_things_are_bounded(tmp_path: Any) -> None:
    kept = Kept(tmp_path / "kept", max_entries=3, trim_every=1)
    for number in range(6):
        assert kept.put(str(number), b"x")
    assert len(list(kept.folder.iterdir())) == 3
    small = Kept(tmp_path / "small", max_bytes=400, trim_every=1)
    for number in range(6):
        small.put(str(number), b"x" * 100)
    assert sum(path.stat().st_size for path in small.folder.iterdir()) <= 400


def test_fingerprints_differ_with_the_login_and_hide_it() -> None:
    image = ImageName("ghcr.io", "team/app")
    logins = [config(AUTHS).login(image), config({"ghcr.io": auth("whole", "y")}).login(image)]
    assert len({login.fingerprint for login in logins if login}) == 2
    assert not any("team" in repr(login) for login in logins)
