"""Registries that fail in every way: no wrong tag, no leak, a clear word, and the others are fine."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.fault_proxy import Fault, FaultProxy
from tests.support.image_place import Place
from tests.support.registry import Registry, running_registry
from weir.edges.kept import Kept
from weir.spec.errors import SourceError, StopRequested
from weir.spec.image_policy import ALLOW_DOWNGRADE, MINIMUM_AGE

LIST, MANIFEST = "/team/app/tags/list", "/team/app/manifests/"
OLD = "2024-01-02T03:04:05Z"
KEEP: dict[str, Any] = {"digestReflectionPolicy": "IfNotPresent"}
HOSTILE = ("9.9.9\n", "-9.9.9", "9.9.9 ", "$(id)", '9.9.9"', "9.9.9#", "9.9.9 @sha256", "é9.9.9", "9" * 200)


@pytest.fixture(scope="module")
def registry(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Registry]:
    with running_registry(tmp_path_factory.mktemp("registry")) as running:
        running.push("team/app", "1.0.0", OLD)
        running.push("team/other", "2.0.0", OLD)
        yield running


@pytest.fixture
def place(registry: Registry, tmp_path: Path) -> Iterator[Place]:
    with FaultProxy(registry.url) as proxy:
        yield Place(registry, proxy, Kept(tmp_path / "kept"))


FAULTS = {
    "429": Fault(path=LIST, status=429, retry_after="600"),
    "500": Fault(path=LIST, status=500),
    "truncated": Fault(path=LIST, cut_after=20),
    "no list": Fault(path=LIST, status=200),
    "reset": Fault(path=LIST, drop=True),
    "slow": Fault(path=LIST, delay=3),
    "away": Fault(path=LIST, status=307, headers={"Location": "http://evil.test/v2/"}),
    "denied": Fault(path=LIST, status=403),
    "gone": Fault(path=LIST, status=404),
}


@pytest.mark.parametrize("name", FAULTS)
def test_a_failing_list_leaves_the_last_good_tags_and_says_so(place: Place, name: str) -> None:
    assert place.version(place.choose(":0.9.0")) == "1.0.0"
    place.proxy.faults.append(FAULTS[name])
    candidates = place.candidates(place.policy(), place.repository(timeout="1s"))
    for current in (":0.9.0", ":1.0.0"):
        choice = candidates.choose(place.image(version=current))
        assert place.version(choice) == "1.0.0"
        (warning,) = choice.warnings
        assert warning.startswith("ImageRepository/apps/app: these are the tags of 20")
    place.proxy.faults.clear()
    if name != "429":
        assert place.choose(":1.0.0").warnings == ()


@pytest.mark.parametrize("name", FAULTS)
def test_a_list_that_was_never_good_is_an_error_that_names_policy_and_repository(
    place: Place, name: str
) -> None:
    place.proxy.faults.append(FAULTS[name])
    with pytest.raises(SourceError) as caught:
        place.candidates(place.policy(), place.repository(timeout="1s"))
    assert str(caught.value).startswith(
        "f.yaml: ImagePolicy/apps/web: f.yaml: ImageRepository/apps/app: 127.0.0.1:"
    )
    assert caught.value.hint


def test_retry_after_is_waited_for(place: Place) -> None:
    place.proxy.faults.append(Fault(path=LIST, status=429, retry_after="1", times=1))
    assert place.version(place.choose()) == "1.0.0"
    first, second = place.proxy.seen
    assert second.at - first.at >= 1.0


def test_a_registry_that_is_down_is_not_asked_for_digests_too(place: Place) -> None:
    place.choose()
    place.requests()
    place.proxy.faults.append(Fault(status=429, retry_after="600"))
    candidates = place.candidates(place.policy(**KEEP))
    held = candidates.choose(place.image(version=":0.9.0"))
    assert (place.version(held), held.decision.verdict) == ("0.9.0", "hold")
    assert "429" in held.decision.reason
    assert len(place.requests()) == 1
    with pytest.raises(SourceError, match=r"ImagePolicy/apps/web: ImageRepository/apps/app: .*429"):
        candidates.choose(None)


def test_what_is_in_use_stays_when_its_digest_cannot_be_read(place: Place) -> None:
    place.proxy.faults.append(Fault(path=MANIFEST, status=500))
    digest = "sha256:" + "c" * 64
    choice = place.choose(f":1.0.0@{digest}", place.policy(**KEEP))
    assert place.version(choice) == f"1.0.0@{digest}"
    assert choice.warnings[0].startswith("the digest of 1.0.0 stays as it is: 127.0.0.1:")


def test_one_repository_that_fails_leaves_the_other_alone(place: Place) -> None:
    run = place.run()
    place.proxy.faults.append(Fault(path=LIST, status=500))
    repositories = place.repository(), place.repository("team/other", name="other")
    began = time.monotonic()
    with pytest.raises(SourceError, match="ImageRepository/apps/app"):
        place.candidates(place.policy(), *repositories, run=run)
    fine = place.policy(imageRepositoryRef={"name": "other"})
    choice = place.candidates(fine, *repositories, run=run).choose(None)
    assert place.version(choice) == "2.0.0"
    with pytest.raises(SourceError):
        place.candidates(place.policy(), *repositories, run=run)
    assert len([path for _, path in place.requests() if LIST in path]) == 4
    assert time.monotonic() - began < 15


@pytest.mark.parametrize("host", ["0x7f.1", "127.0.0.2"])
def test_a_name_that_turns_out_to_be_this_machine_is_not_asked(place: Place, host: str) -> None:
    sneaky = place.repository(image=f"{host}:{place.proxy.port}/team/app", timeout="2s")
    with pytest.raises(SourceError, match=r"ImagePolicy/apps/web: .*ImageRepository/apps/app: "):
        place.candidates(place.policy(), sneaky)
    assert place.requests() == []


def test_names_that_are_no_tags_are_never_chosen(place: Place, registry: Registry) -> None:
    digest = registry.push("team/hostile", "1.0.0", OLD)
    registry.tag_many("team/hostile", digest, HOSTILE)
    spec = place.repository("team/hostile")
    assert place.run().scan(spec).tags == ("1.0.0",)
    rules: list[dict[str, Any]] = [{"alphabetical": {}}, {"numerical": {}}, {"semver": {"range": "*"}}]
    for policy in rules:
        choice = place.candidates(place.policy(policy=policy), spec).choose(None)
        assert choice.image is None or place.version(choice) == "1.0.0"


@pytest.mark.parametrize("fields", [KEEP, {"annotations": {MINIMUM_AGE: "1h"}}], ids=str)
def test_a_tag_that_cannot_be_read_is_passed_over(
    place: Place, registry: Registry, fields: dict[str, Any]
) -> None:
    good = registry.push("team/broken", "1.0.0", OLD)
    registry.tag_many("team/broken", "sha256:" + "d" * 64, ["9.9.9"] if "9.9.9" not in _tags(place) else [])
    choice = place.candidates(place.policy(**fields), place.repository("team/broken")).choose(None)
    assert place.version(choice) == ("1.0.0" if "annotations" in fields else f"1.0.0@{good}")
    assert any("9.9.9" in warning for warning in choice.warnings)


def test_the_tag_in_use_stays_when_it_cannot_be_read(place: Place, registry: Registry) -> None:
    registry.push("team/half", "1.0.0", OLD)
    registry.tag_many("team/half", "sha256:" + "d" * 64, ["2.0.0"])
    policy = place.policy(annotations={ALLOW_DOWNGRADE: "true"}, **KEEP)
    in_use = place.image("team/half", ":2.0.0")
    held = place.candidates(policy, place.repository("team/half")).choose(in_use)
    assert (held.image, held.decision.verdict) == (in_use, "hold")


def test_a_registry_full_of_tags_that_cannot_be_read_is_given_up(place: Place, registry: Registry) -> None:
    registry.push("team/ruin", "0.1.0", OLD)
    registry.tag_many("team/ruin", "sha256:" + "d" * 64, [f"1.0.{n}" for n in range(100)])
    candidates = place.candidates(place.policy(**KEEP), place.repository("team/ruin"))
    held = candidates.choose(place.image("team/ruin", ":0.1.0"))
    assert (place.version(held), held.decision.verdict) == ("0.1.0", "hold")
    assert len(place.requests()) < 20


def test_a_cancelled_run_ends_as_one(place: Place) -> None:
    place.proxy.faults.append(Fault(path=LIST, status=429, retry_after="8"))
    threading.Timer(0.3, place.stop.set).start()
    began = time.monotonic()
    with pytest.raises(StopRequested):
        place.choose()
    assert time.monotonic() - began < 6


def test_a_run_that_is_cancelled_later_does_not_hold_but_end(place: Place) -> None:
    candidates = place.candidates(place.policy(**KEEP))
    place.stop.set()
    with pytest.raises(StopRequested):
        candidates.choose(place.image(version=":1.0.0"))


def _tags(place: Place) -> tuple[str, ...]:
    return place.run().scan(place.repository("team/broken")).tags
