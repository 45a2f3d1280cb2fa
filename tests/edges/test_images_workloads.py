"""Containers that follow their image as in Flux 1: by pattern, by build date, and only forward."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.fault_proxy import Fault, FaultProxy
from tests.support.image_place import DAY, Place
from tests.support.registry import Registry, running_registry
from weir.edges.kept import Kept
from weir.flow import image_scans
from weir.flow.image_choice import Choice
from weir.spec.errors import SourceError
from weir.spec.image_policy import MINIMUM_AGE, MISSING_TAG

FIRST, SECOND, THIRD = "2024-01-01T00:00:00Z", "2024-02-01T00:00:00Z", "2024-03-01T00:00:00Z"
AT_THIRD = 1709251200.0
LIST = ("GET", "/v2/team/app/tags/list?n=1000")


@pytest.fixture(scope="module")
def registry(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Registry]:
    with running_registry(tmp_path_factory.mktemp("registry")) as running:
        running.push("team/app", "main-c", FIRST)
        running.push("team/app", "main-a", SECOND)
        running.push("team/app", "main-x.sig", "2025-01-01T00:00:00Z")
        running.push("team/app", "dev-1", THIRD)
        running.push("team/app", "main-undated")
        running.push("team/app", "1.2", FIRST)
        running.push("team/app", "v1.10", FIRST)
        yield running


@pytest.fixture
def place(registry: Registry, tmp_path: Path, kubeconfig: Path, namespace: str) -> Iterator[Place]:
    with FaultProxy(registry.url) as proxy:
        proxy.etags = True
        yield Place(registry, proxy, Kept(tmp_path / "kept"), kubeconfig, namespace)


def choose(place: Place, version: str, pattern: str, **fields: Any) -> Choice:
    return place.run().choose_for(place.container(version, pattern, **fields))


def manifests(place: Place) -> set[str]:
    return {path.rpartition("/")[2] for _, path in place.requests() if "/manifests/" in path}


def test_a_semver_pattern_needs_no_dates(place: Place) -> None:
    assert place.version(choose(place, ":1.2", "semver:~1")) == "v1.10"
    assert place.requests() == [LIST]


def test_a_glob_means_the_image_that_was_built_last(place: Place) -> None:
    assert place.version(choose(place, ":main-c", "glob:main-*")) == "main-a"
    assert place.version(choose(place, ":main-a", "regexp:^main-")) == "main-a"
    assert place.version(choose(place, ":main-c", "glob:*")) == "dev-1"


def test_only_dates_of_tags_that_match_are_read_and_only_once(place: Place) -> None:
    choose(place, ":main-c", "glob:main-*")
    tags = {"main-c", "main-a", "main-undated"}
    assert {name for name in manifests(place) if not name.startswith("sha256:")} == tags
    assert place.version(choose(place, ":main-c", "glob:main-*")) == "main-a"
    assert all(method == "HEAD" or path == LIST[1] for method, path in place.requests())


def test_containers_of_one_image_share_a_scan(place: Place) -> None:
    run = place.run()
    for pattern in ("semver:~1", "semver:1.2.x", "semver:*"):
        run.choose_for(place.container(":1.2", pattern))
    assert place.requests() == [LIST]


def test_an_image_without_a_date_is_skipped_with_a_note(place: Place) -> None:
    choice = choose(place, ":main-undated", "glob:main-*")
    assert (place.version(choice), choice.decision.verdict) == ("main-undated", "hold")
    assert "the build date of main-undated, which is in use, is not known" in choice.decision.reason


def test_an_image_that_is_gone_is_held_or_rolled_back(place: Place) -> None:
    held = choose(place, ":main-z", "glob:main-*")
    assert (place.version(held), held.decision.gone) == ("main-z", True)
    back = choose(place, ":main-z", "glob:main-*", annotations={MISSING_TAG: "rollback"})
    assert (place.version(back), back.decision.verdict) == ("main-a", "rollback")


def test_a_younger_image_in_use_stays(place: Place) -> None:
    choice = choose(place, ":dev-1", "glob:main-*")
    assert (place.version(choice), choice.decision.verdict) == ("dev-1", "hold")


def test_an_image_without_a_tag_stays(place: Place) -> None:
    choice = choose(place, "", "glob:*")
    assert (choice.image, choice.decision.verdict) == (place.image(), "hold")
    assert "it names no tag" in choice.decision.reason
    assert place.version(choose(place, "", "semver:~1")) == "v1.10"


def test_a_pinned_image_stays_pinned(place: Place, registry: Registry) -> None:
    digest = registry.push("team/app", "v1.10", FIRST)
    pin = "@sha256:" + "a" * 64
    assert place.version(choose(place, f":1.2{pin}", "semver:~1")) == f"v1.10@{digest}"
    assert place.version(choose(place, f":v1.10{pin}", "semver:~1")) == f"v1.10{pin}"


def test_a_young_image_waits(place: Place) -> None:
    place.now = AT_THIRD + DAY / 2
    choice = choose(place, ":main-c", "glob:*", annotations={MINIMUM_AGE: "24h"})
    assert (place.version(choice), choice.decision.waiting) == ("main-a", "dev-1")


def test_a_broken_tag_has_no_date_and_spoils_nothing(place: Place, registry: Registry) -> None:
    digest = registry.push("team/broken", "main-1", FIRST)
    registry.push("team/broken", "main-2", SECOND)
    registry.tag_many("team/broken", "sha256:" + digest[7:][::-1], ["main-9", "main-8"])
    choice = choose(place, ":main-1", "glob:main-*", repository="team/broken")
    assert place.version(choice) == "main-2"
    (warning,) = choice.warnings
    assert warning.startswith("the build date of main-8 cannot be read (and of 1 more): ")


@pytest.mark.parametrize(
    "fault", [Fault(path="main-a", status=503), Fault(path="main-a", status=403)], ids=str
)
def test_a_registry_that_fails_over_dates_moves_nothing(place: Place, fault: Fault) -> None:
    place.proxy.faults.append(fault)
    choice = choose(place, ":main-c", "glob:*")
    assert (place.version(choice), choice.decision.verdict) == ("main-c", "hold")
    assert choice.decision.reason.startswith("stays as it is: 127.0.0.1:")


def test_a_registry_that_is_down_is_reported_for_the_container(place: Place) -> None:
    place.proxy.down = True
    with pytest.raises(SourceError, match=r"^web.yaml: Deployment/.*/web: container web: 127"):
        choose(place, ":1.2", "semver:~1")
    place.proxy.down = False
    choose(place, ":1.2", "semver:~1")
    place.proxy.down = True
    choice = choose(place, ":1.2", "semver:~1")
    assert place.version(choice) == "v1.10"
    assert "these are the tags of 20" in choice.warnings[0]


def test_of_many_known_tags_a_run_looks_at_a_few_again_each_in_its_turn(
    place: Place, registry: Registry, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(image_scans, "LOOKED_AT_AGAIN", 2)
    digest = registry.push("team/many", "b-0", FIRST)
    registry.tag("team/many", digest, *(f"b-{n}" for n in range(1, 6)))
    seen = []
    for _ in range(4):
        choose(place, ":b-5", "glob:b-*", repository="team/many")
        seen.append({name for name in manifests(place) if name.startswith("b-")})
        place.now += 60
    assert seen[0] == set.union(*seen[1:])
    assert [len(tags) for tags in seen] == [6, 2, 2, 2]
    registry.push("team/many", "b-new", SECOND)
    assert place.version(choose(place, ":b-5", "glob:b-*", repository="team/many")) == "b-new"


def test_a_tag_is_looked_at_again_before_it_is_chosen(
    place: Place, registry: Registry, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(image_scans, "LOOKED_AT_AGAIN", 0)
    for tag, created in (("c-1", FIRST), ("c-2", SECOND), ("c-3", THIRD)):
        registry.push("team/again", tag, created)
    assert place.version(choose(place, ":c-1", "glob:c-*", repository="team/again")) == "c-3"
    registry.push("team/again", "c-3", "2023-01-01T00:00:00Z")
    assert place.version(choose(place, ":c-1", "glob:c-*", repository="team/again")) == "c-2"
