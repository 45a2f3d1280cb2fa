"""Tags as people list them, from a real registry: in order, with as many build dates read as are shown."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.fault_proxy import FaultProxy
from tests.support.image_place import Place
from tests.support.registry import Registry, running_registry
from weir.edges.kept import Kept
from weir.flow.image_choice import BuildDates
from weir.flow.image_list import ImageTree, list_line, list_versions

BORN = "2024-01-01T00:00:00Z"
AT = 1704067200.0
VERSIONS = tuple(f"1.{minor}.0" for minor in range(12))


@pytest.fixture(scope="module")
def registry(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Registry]:
    with running_registry(tmp_path_factory.mktemp("registry")) as running:
        for tag in (*VERSIONS, "2.0.0-rc.1", "latest", "nightly"):
            running.push("team/app", tag, BORN)
        running.push("team/dated", "blue", "2024-01-01T00:00:00Z")
        running.push("team/dated", "red", "2024-03-01T00:00:00Z")
        running.push("team/dated", "green", "2024-02-01T00:00:00Z")
        running.push("team/dated", "grey")
        yield running


@pytest.fixture
def place(registry: Registry, tmp_path: Path, kubeconfig: Path, namespace: str) -> Iterator[Place]:
    with FaultProxy(registry.url) as proxy:
        yield Place(registry, proxy, Kept(tmp_path / "kept"), kubeconfig, namespace)


def tree(running: str) -> ImageTree:
    return ImageTree(owner="prod:deployment/web", part="web", image="app", running=running)


def followed(place: Place, running: str, pattern: str, limit: int, repository: str = "team/app") -> ImageTree:
    container = place.container(f":{running}", pattern, repository=repository)
    return list_line(tree(running), place.run().line_of(container), limit)


def whole(place: Place, running: str, limit: int) -> ImageTree:
    dates: BuildDates = place.run().dates_of(place.repository())
    return list_versions(tree(running), dates, limit)


def looked_at(place: Place) -> set[str]:
    """Tags whose manifests were asked for."""
    found = (path for _, path in place.requests() if "/manifests/" in path and "sha256:" not in path)
    return {path.rpartition("/")[2] for path in found}


def tags(found: ImageTree) -> list[str]:
    return [row.tag for row in found.tags]


def test_dates_are_read_of_what_is_shown_only(place: Place) -> None:
    found = followed(place, "1.2.0", "semver:~1", 3)
    assert tags(found) == ["1.11.0", "1.10.0", "1.9.0", "1.2.0"]
    assert [row.created for row in found.tags] == [AT] * 4
    assert [row.skipped for row in found.tags] == [0, 0, 0, 6]
    assert (found.omitted, found.others) == (2, 3)
    assert looked_at(place) == set(tags(found))


def test_without_a_pattern_versions_come_first_and_need_no_dates(place: Place) -> None:
    found = whole(place, "latest", 2)
    assert tags(found) == ["2.0.0-rc.1", "1.11.0", "latest"]
    assert (found.tags[-1].skipped, found.omitted, found.others) == (12, 0, 0)
    assert looked_at(place) == set(tags(found))
    assert tags(whole(place, "latest", 0))[-2:] == ["nightly", "latest"]


def test_a_pattern_that_goes_by_date_puts_the_youngest_first(place: Place) -> None:
    found = followed(place, "blue", "glob:*", 1, "team/dated")
    assert tags(found) == ["red", "blue"]
    assert found.tags[-1].skipped == 1
    assert found.others == 1, "grey has no date"


@pytest.mark.parametrize(("running", "created"), [("latest", AT), ("0.9.9", None)])
def test_what_runs_is_shown_where_the_pattern_has_no_place_for_it(
    place: Place, running: str, created: float | None
) -> None:
    found = followed(place, running, "semver:~1", 1)
    assert tags(found) == ["1.11.0", running]
    assert (found.tags[-1].created, found.tags[-1].running, found.tags[-1].skipped) == (created, True, 0)
    assert found.omitted == len(VERSIONS) - 1
