"""Digests and creation times, from a real registry: right, lazily and once."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.fault_proxy import Fault, FaultProxy
from tests.support.registry import Registry, running_registry
from weir.edges.kept import Kept
from weir.edges.registry.access import Access
from weir.edges.registry.client import Client
from weir.edges.registry.errors import BadAnswerError, MissingError, RegistryError
from weir.edges.registry.images import read_created, read_digest
from weir.spec.errors import SpecError
from weir.spec.image_name import ImageName, parse_image_name

MOMENT = dt.datetime(2024, 1, 2, 3, 4, 5, 123456, dt.UTC)
TEXT = "2024-01-02T03:04:05.123456789Z"


@pytest.fixture(scope="module")
def registry(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Registry]:
    with running_registry(tmp_path_factory.mktemp("registry")) as running:
        yield running


@pytest.fixture
def proxy(registry: Registry) -> Iterator[FaultProxy]:
    with FaultProxy(registry.url) as running:
        yield running


@pytest.fixture
def kept(tmp_path: Path) -> Kept:
    return Kept(tmp_path / "kept")


@pytest.fixture
def client() -> Client:
    return Client(Access(insecure=True, timeout=10))


def image(proxy: FaultProxy, repository: str = "team/app") -> ImageName:
    return parse_image_name(f"127.0.0.1:{proxy.port}/{repository}")


def test_the_digest_of_a_tag_follows_the_tag(registry: Registry, proxy: FaultProxy, client: Client) -> None:
    old = registry.push("team/app", "latest", TEXT)
    assert read_digest(client, image(proxy), "latest") == old
    new = registry.push("team/app", "latest", "2025-01-02T03:04:05Z")
    assert read_digest(client, image(proxy), "latest") == new != old
    assert {one.method for one in proxy.seen} == {"HEAD"}


def test_an_index_has_its_own_digest_and_the_time_of_its_first_platform(
    registry: Registry, proxy: FaultProxy, client: Client, kept: Kept
) -> None:
    attestation = registry.push("team/app", "attestation", "2020-01-01T00:00:00Z", os="unknown")
    amd64 = registry.push("team/app", "amd64", TEXT)
    arm64 = registry.push("team/app", "arm64", "2021-01-01T00:00:00Z", architecture="arm64")
    index = registry.push_index(
        "team/app", "multi", [(attestation, "unknown"), (amd64, "linux"), (arm64, "linux")]
    )
    assert read_digest(client, image(proxy), "multi") == index
    assert read_created(client, image(proxy), index, kept) == MOMENT


def test_a_creation_time_is_read_once(
    registry: Registry, proxy: FaultProxy, client: Client, kept: Kept
) -> None:
    digest = registry.push("team/app", "1.0.0", TEXT)
    assert read_created(client, image(proxy), digest, kept) == MOMENT
    assert len(proxy.seen) == 2
    proxy.down = True
    assert read_created(client, image(proxy), digest, Kept(kept.folder)) == MOMENT


@pytest.mark.parametrize("text", [None, "0001-01-01T00:00:00Z", "yesterday"])
def test_an_image_that_does_not_say_is_asked_once(
    registry: Registry, proxy: FaultProxy, client: Client, kept: Kept, text: str | None
) -> None:
    digest = registry.push("team/app", "silent", text)
    assert read_created(client, image(proxy), digest, kept) is None
    asked = len(proxy.seen)
    assert read_created(client, image(proxy), digest, kept) is None
    assert len(proxy.seen) == asked


def test_a_missing_tag_is_named(registry: Registry, proxy: FaultProxy, client: Client) -> None:
    registry.push("team/app", "1.0.0", TEXT)
    with pytest.raises(MissingError, match=r"team/app: the registry has no manifests/9\.9\.9"):
        read_digest(client, image(proxy), "9.9.9")


def test_what_is_no_tag_is_never_asked(proxy: FaultProxy, client: Client) -> None:
    with pytest.raises(SpecError, match="tag"):
        read_digest(client, image(proxy), "../../other/manifests/1")
    assert proxy.seen == []


@pytest.mark.parametrize("path", ["/manifests/", "/blobs/"])
def test_content_that_is_not_what_the_digest_says_is_refused(
    registry: Registry, proxy: FaultProxy, client: Client, kept: Kept, path: str
) -> None:
    digest = registry.push("team/app", "1.0.0", TEXT)
    proxy.faults.append(Fault(path=path, status=200, times=1))
    with pytest.raises(BadAnswerError, match="other content than sha256:"):
        read_created(client, image(proxy), digest, kept)
    assert read_created(client, image(proxy), digest, kept) == MOMENT


@pytest.mark.parametrize("cut", [0, 10])
def test_cut_off_content_is_refused(
    registry: Registry, proxy: FaultProxy, client: Client, kept: Kept, cut: int
) -> None:
    digest = registry.push("team/app", "1.0.0", TEXT)
    proxy.faults.append(Fault(path="/blobs/", cut_after=cut))
    with pytest.raises(RegistryError):
        read_created(client, image(proxy), digest, kept)
    proxy.faults.clear()
    assert read_created(client, image(proxy), digest, kept) == MOMENT


def test_a_registry_that_names_no_digest_is_asked_for_the_content(
    registry: Registry, proxy: FaultProxy, client: Client
) -> None:
    digest = registry.push("team/app", "1.0.0", TEXT)
    proxy.faults.append(Fault(method="HEAD", status=200))
    assert read_digest(client, image(proxy), "1.0.0") == digest
