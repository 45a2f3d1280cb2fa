"""ImagePolicies against a real registry: what is chosen, what is asked for it, and how often."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from tests.support.fault_proxy import FaultProxy
from tests.support.image_place import DAY, Place, repository_id
from tests.support.registry import Registry, running_registry
from weir.edges.kept import Kept
from weir.spec.errors import SourceError, SpecError
from weir.spec.image_policy import ALLOW_DOWNGRADE, MINIMUM_AGE, MISSING_TAG

OLD, NEW, NEWEST = "2024-01-02T03:04:05Z", "2025-01-02T03:04:05Z", "2025-03-02T03:04:05Z"
AT_NEW = 1735787045.0
LIST = ("GET", "/v2/team/app/tags/list?n=1000")
ALWAYS: dict[str, Any] = {"digestReflectionPolicy": "Always", "interval": "5m"}
KEEP: dict[str, Any] = {"digestReflectionPolicy": "IfNotPresent"}


@pytest.fixture(scope="module")
def registry(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Registry]:
    with running_registry(tmp_path_factory.mktemp("registry")) as running:
        running.push("team/app", "1.0.0", OLD)
        running.push("team/app", "1.1.0", NEW)
        running.push("team/app", "v.sig", NEW)
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


def test_a_repository_is_asked_once_in_a_run_whoever_wants_to_know(place: Place) -> None:
    run = place.run()
    repositories = [place.repository(), place.repository(name="same")]
    policies = [place.policy(imageRepositoryRef={"name": name}, **KEEP) for name in ("app", "same")] * 10
    with ThreadPoolExecutor(8) as pool:
        found = list(
            pool.map(lambda spec: place.candidates(spec, *repositories, run=run).choose(None), policies)
        )
    assert {place.version(one)[:5] for one in found} == {"1.1.0"}
    assert place.requests() == [LIST, ("HEAD", "/v2/team/app/manifests/1.1.0")]


@pytest.mark.parametrize(
    ("excluded", "expected"), [({}, "1.1.0"), ({"exclusionList": [r"^1\.1"]}, "v.sig")], ids=str
)
def test_the_exclusion_list_counts(place: Place, excluded: dict[str, Any], expected: str) -> None:
    policy = place.policy(policy={"alphabetical": {}})
    candidates = place.candidates(policy, place.repository(**excluded))
    assert place.version(candidates.choose(None)) == expected


def test_a_bad_exclusion_list_names_policy_and_repository(place: Place) -> None:
    with pytest.raises(SpecError) as caught:
        place.candidates(place.policy(), place.repository(exclusionList=["("]))
    assert "ImagePolicy/apps/web: " in str(caught.value)
    assert "ImageRepository/apps/app: spec.exclusionList: found '('" in str(caught.value)


def test_the_tag_in_use_stays_when_nothing_is_newer(place: Place) -> None:
    choice = place.choose(":1.1.0")
    assert (choice.image, choice.decision.verdict) == (place.image(version=":1.1.0"), "current")


def test_no_downgrade_unless_the_policy_says_so(place: Place) -> None:
    held = place.choose(":1.1.0@sha256:" + "a" * 64, place.policy("1.0.x"))
    assert place.version(held) == "1.1.0@sha256:" + "a" * 64
    assert held.decision.verdict == "hold"
    assert ALLOW_DOWNGRADE in held.decision.reason
    allowed = place.policy("1.0.x", {ALLOW_DOWNGRADE: "true"})
    assert place.version(place.choose(":1.1.0", allowed)) == "1.0.0"


def test_a_tag_that_is_gone_is_reported_or_rolled_back(place: Place) -> None:
    held = place.choose(":1.2.0")
    assert (place.version(held), held.decision.gone) == ("1.2.0", True)
    back = place.choose(":1.2.0", place.policy(annotations={MISSING_TAG: "rollback"}))
    assert (place.version(back), back.decision.verdict) == ("1.1.0", "rollback")


def test_nothing_that_fits_is_no_image_and_a_reason(place: Place) -> None:
    choice = place.choose(policy=place.policy("9.x"))
    assert choice.image is None
    assert "found no tag for the semver range '9.x' among 2" in choice.decision.reason


def test_digests_are_written_as_the_policy_says(place: Place, registry: Registry) -> None:
    digest = registry.push("team/app", "1.1.0", NEW)
    before = "sha256:" + "b" * 64
    for fields, current, expected in [
        ({}, f":1.1.0@{before}", "1.1.0"),
        (KEEP, ":1.1.0", f"1.1.0@{digest}"),
        (KEEP, f":1.1.0@{before}", f"1.1.0@{before}"),
        (KEEP, f":1.0.0@{before}", f"1.1.0@{digest}"),
        (ALWAYS, f":1.1.0@{before}", f"1.1.0@{digest}"),
        (ALWAYS, "", f"1.1.0@{digest}"),
    ]:
        assert place.version(place.choose(current, place.policy(**fields))) == expected


def test_the_digest_of_another_repository_is_not_kept(place: Place, registry: Registry) -> None:
    digest = registry.push("team/app", "1.1.0", NEW)
    other = place.image("team/former", "@sha256:" + "b" * 64)
    choice = place.candidates(place.policy(**KEEP)).choose(type(other)(name=other.name, tag="1.1.0"))
    assert choice.image == place.image(version=f":1.1.0@{digest}")
    assert choice.moved == ""


@pytest.mark.parametrize("fields", [KEEP, ALWAYS], ids=["IfNotPresent", "Always"])
def test_a_tag_that_was_pushed_again_is_reported(
    place: Place, registry: Registry, fields: dict[str, Any]
) -> None:
    before = registry.push("team/moves", "1.0.0", OLD)
    now = registry.push("team/moves", "1.0.0", NEW)
    candidates = place.candidates(place.policy(**fields), place.repository("team/moves"))
    choice = candidates.choose(place.image("team/moves", f":1.0.0@{before}"))
    assert place.version(choice) == f"1.0.0@{before if fields is KEEP else now}"
    assert choice.moved == now
    (warning,) = choice.warnings
    assert warning.startswith(f"1.0.0 was pushed again: {before[:19]} is in use")


def test_a_policy_that_is_suspended_keeps_what_is_in_use_and_asks_nothing(place: Place) -> None:
    choice = place.choose(":1.0.0", place.policy(suspend=True))
    assert place.version(choice) == "1.0.0"
    assert choice.decision.reason == "ImagePolicy/apps/web is suspended"
    assert place.choose(policy=place.policy(suspend=True)).image is None
    assert place.candidates(place.policy(suspend=True)).name == str(place.image())
    assert place.requests() == []


def test_a_repository_that_is_suspended_keeps_its_last_tags(place: Place, registry: Registry) -> None:
    digest = registry.push("team/paused", "1.0.0")
    paused = place.repository("team/paused", suspend=True)
    with pytest.raises(
        SourceError, match=r"ImagePolicy/apps/web: .*ImageRepository/apps/app: it is suspended"
    ):
        place.candidates(place.policy(), paused)
    place.candidates(place.policy(), place.repository("team/paused"))
    registry.tag("team/paused", digest, "1.0.1")
    place.requests()
    assert place.version(place.candidates(place.policy(), paused).choose(None)) == "1.0.0"
    assert place.requests() == []


def test_a_young_tag_waits_and_only_dates_that_matter_are_read(place: Place) -> None:
    policy = place.policy(annotations={MINIMUM_AGE: "24h"})
    place.now = AT_NEW + DAY / 2
    waits = place.choose(policy=policy)
    assert (place.version(waits), waits.decision.waiting) == ("1.0.0", "1.1.0")
    place.requests()
    place.now = AT_NEW + 2 * DAY
    assert place.version(place.choose(policy=policy)) == "1.1.0"
    assert place.requests() == [LIST, ("HEAD", "/v2/team/app/manifests/1.1.0")]


def test_new_content_under_the_tag_in_use_waits_as_a_new_tag_does(place: Place, registry: Registry) -> None:
    before = registry.push("team/young", "1.0.0", OLD)
    now = registry.push("team/young", "1.0.0", NEW)
    place.now = AT_NEW + DAY / 2
    policy = place.policy(annotations={MINIMUM_AGE: "24h"}, **ALWAYS)

    def choose() -> str:
        found = place.candidates(policy, place.repository("team/young"))
        return place.version(found.choose(place.image("team/young", f":1.0.0@{before}")))

    assert choose() == f"1.0.0@{before}"
    place.now = AT_NEW + 2 * DAY
    assert choose() == f"1.0.0@{now}"


def test_a_repository_that_is_not_declared_is_named(place: Place) -> None:
    missing = place.policy(imageRepositoryRef={"name": "nothing"})
    with pytest.raises(SpecError, match=r"ImagePolicy/apps/web: .*found 'ImageRepository/apps/nothing'"):
        place.run().candidates(missing, {})


def test_references_to_other_namespaces_can_be_forbidden(place: Place) -> None:
    policy = place.policy(imageRepositoryRef={"name": "app", "namespace": "shared"})
    spec = place.repository(namespace="shared", accessFrom={"namespaceSelectors": [{"matchLabels": {}}]})
    with pytest.raises(SpecError, match="noCrossNamespaceRefs"):
        place.run(same_namespace=True).candidates(policy, {repository_id("shared"): spec})


def test_a_stack_without_images_does_not_load_the_client() -> None:
    code = "import sys, weir.flow.images; sys.exit('urllib3' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
