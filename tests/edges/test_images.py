"""ImagePolicies against a real registry: what is chosen, what is asked for it, and how often."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.fault_proxy import FaultProxy
from tests.support.image_place import Place
from tests.support.registry import Registry, running_registry
from weir.edges.kept import Kept

OLD, NEW = "2024-01-02T03:04:05Z", "2025-01-02T03:04:05Z"
LIST = ("GET", "/v2/team/app/tags/list?n=1000")


@pytest.fixture(scope="module")
def registry(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Registry]:
    with running_registry(tmp_path_factory.mktemp("registry")) as running:
        running.push("team/app", "1.0.0", OLD)
        running.push("team/app", "1.1.0", NEW)
        running.push("team/app", "1.1.0.sig", NEW)
        yield running


@pytest.fixture
def place(registry: Registry, tmp_path: Path) -> Iterator[Place]:
    with FaultProxy(registry.url) as proxy:
        proxy.etags = True
        yield Place(registry, proxy, Kept(tmp_path / "kept"))


def test_the_newest_version_is_chosen_with_one_request(place: Place) -> None:
    choice = place.choose(":1.0.0")
    assert choice.image == place.image(version=":1.1.0")
    assert (choice.decision.verdict, choice.warnings, choice.moved) == ("move", (), "")
    assert place.requests() == [LIST]


def test_a_second_run_downloads_no_tags_again(place: Place) -> None:
    place.choose()
    place.requests()
    assert place.version(place.choose()) == "1.1.0"
    (seen,) = place.proxy.seen
    assert "if-none-match" in seen.headers
