"""Tag lists from a real registry: whole, once, remembered, and never a wrong one when things go wrong."""

from __future__ import annotations

import os
import re
import stat
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest

from tests.support.fault_proxy import Fault, FaultProxy
from tests.support.registry import Registry, docker_config, running_registry
from weir.edges.http.budget import Budget
from weir.edges.kept import Kept
from weir.edges.registry import tags
from weir.edges.registry.access import Access
from weir.edges.registry.client import Client
from weir.edges.registry.errors import BadAnswerError, MissingError, RegistryError, UnavailableError
from weir.edges.registry.scan import TagList, scan
from weir.spec.errors import StopRequested
from weir.spec.image_name import ImageName, parse_image_name

VERSIONS = tuple(f"1.0.{number}" for number in range(1, 8))
LIST = "/tags/list"


@pytest.fixture(scope="module")
def registry(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Registry]:
    with running_registry(tmp_path_factory.mktemp("registry")) as running:
        digest = running.push("team/app", VERSIONS[0])
        running.tag("team/app", digest, *VERSIONS[1:])
        yield running


@dataclass
class Place:
    """A registry behind a proxy, and what one user of this machine keeps."""

    proxy: FaultProxy
    kept: Kept
    access: Access = field(default_factory=lambda: Access(insecure=True, timeout=10))
    stop: threading.Event = field(default_factory=threading.Event)
    budget: Budget = field(default_factory=lambda: Budget(spread=lambda low, _high: low))

    def image(self, repository: str = "team/app") -> ImageName:
        return parse_image_name(f"127.0.0.1:{self.proxy.port}/{repository}")

    def client(self) -> Client:
        return Client(self.access, stop=self.stop, budget=lambda _host: self.budget)

    def scan(self, repository: str = "team/app") -> TagList:
        return scan(self.client(), self.image(repository), self.kept)

    def requests(self) -> list[str]:
        return [one.path for one in self.proxy.seen]


@pytest.fixture
def place(registry: Registry, tmp_path: Path) -> Iterator[Place]:
    with FaultProxy(registry.url) as proxy:
        yield Place(proxy, Kept(tmp_path / "kept"))


def test_all_tags_come_in_one_request(place: Place) -> None:
    found = place.scan()
    assert found.tags == VERSIONS
    assert found.error is None
    assert abs(found.at - time.time()) < 30
    assert place.requests() == ["/v2/team/app/tags/list?n=1000"]


def test_a_thousand_tags_and_one(place: Place, registry: Registry) -> None:
    digest = registry.push("team/many", "v0")
    registry.tag_many("team/many", digest, [f"v{n}" for n in range(1, 1001)])
    found = place.scan("team/many")
    assert set(found.tags) == {f"v{n}" for n in range(1001)}
    assert len(found.tags) == 1001
    assert len(place.requests()) == 2


def test_pages_are_followed_to_the_end(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tags, "PAGE_SIZE", 3)
    assert place.scan().tags == VERSIONS
    assert place.requests() == [
        "/v2/team/app/tags/list?n=3",
        "/v2/team/app/tags/list?last=1.0.3&n=3",
        "/v2/team/app/tags/list?last=1.0.6&n=3",
    ]


def test_an_unchanged_list_costs_no_body(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tags, "PAGE_SIZE", 3)
    place.proxy.etags = True
    first = place.scan()
    place.proxy.seen.clear()
    again = place.scan()
    assert again.tags == first.tags
    assert len(place.proxy.seen) == 3
    assert all("if-none-match" in one.headers for one in place.proxy.seen)


def test_a_new_tag_on_a_later_page_is_seen_though_the_first_is_unchanged(
    place: Place, registry: Registry, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tags, "PAGE_SIZE", 3)
    place.proxy.etags = True
    digest = registry.push("team/grows", "a1")
    registry.tag("team/grows", digest, "a2", "a3", "a4")
    assert place.scan("team/grows").tags == ("a1", "a2", "a3", "a4")
    registry.tag("team/grows", digest, "a5")
    assert place.scan("team/grows").tags == ("a1", "a2", "a3", "a4", "a5")
    registry.untag("team/grows", "a1")
    assert place.scan("team/grows").tags == ("a2", "a3", "a4", "a5")


def test_a_registry_that_is_down_leaves_the_last_good_tags(place: Place) -> None:
    good = place.scan()
    place.proxy.down = True
    kept = place.scan()
    assert (kept.tags, kept.at) == (good.tags, good.at)
    assert isinstance(kept.error, UnavailableError)
    place.proxy.down = False
    assert place.scan().error is None


def test_a_registry_that_was_never_seen_and_is_down_is_an_error(place: Place) -> None:
    place.proxy.down = True
    with pytest.raises(UnavailableError, match=rf"127\.0\.0\.1:{place.proxy.port}: .*; "):
        place.scan()


def test_a_missing_repository_is_not_an_outage(place: Place) -> None:
    with pytest.raises(MissingError, match=r"team/nothing: the registry has no tags/list"):
        place.scan("team/nothing")
    assert len(place.requests()) == 1


@pytest.mark.parametrize("status", [429, 500, 502, 503, 504])
def test_a_passing_failure_is_asked_again(place: Place, status: int) -> None:
    place.proxy.faults.append(Fault(path=LIST, status=status, times=2))
    assert place.scan().tags == VERSIONS
    assert len(place.requests()) == 3


@pytest.mark.parametrize("status", [429, 500])
def test_a_lasting_failure_ends_with_the_old_tags_and_few_requests(place: Place, status: int) -> None:
    good = place.scan()
    place.proxy.seen.clear()
    place.proxy.faults.append(Fault(path=LIST, status=status))
    kept = place.scan()
    assert kept.tags == good.tags
    assert str(status) in str(kept.error)
    assert len(place.requests()) == 4


def test_retry_after_is_waited_for(place: Place) -> None:
    place.proxy.faults.append(Fault(path=LIST, status=429, retry_after="1", times=1))
    assert place.scan().tags == VERSIONS
    first, second = place.proxy.seen
    assert 1.0 <= second.at - first.at < 9.0


def test_a_long_retry_after_spares_the_host_for_everybody(place: Place) -> None:
    place.proxy.faults.append(Fault(path=LIST, status=429, retry_after="600", times=1))
    began = time.monotonic()
    for _ in range(5):
        with pytest.raises(UnavailableError, match=r"\b(600|59\d) s"):
            place.scan()
    assert time.monotonic() - began < 5
    assert len(place.requests()) == 1


def test_an_outage_of_one_host_spends_a_bounded_number_of_requests(place: Place) -> None:
    place.proxy.faults.append(Fault(path=LIST, drop=True))
    place.budget = Budget(spread=lambda _low, _high: 0.0)
    for _ in range(40):
        with pytest.raises(UnavailableError):
            place.scan()
    assert len(place.requests()) <= 40 + 25


@pytest.mark.parametrize("cut", [0, 5, 30, 70])
def test_a_cut_off_list_is_never_taken_for_a_short_one(place: Place, cut: int) -> None:
    place.proxy.faults.append(Fault(path=LIST, cut_after=cut))
    with pytest.raises(RegistryError):
        place.scan()
    place.proxy.faults[0].times = 1
    assert place.scan().tags == VERSIONS


def test_a_list_cut_off_between_pages_is_never_taken_for_a_short_one(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tags, "PAGE_SIZE", 3)
    place.proxy.faults.append(Fault(path="last=1.0.6", status=500))
    with pytest.raises(UnavailableError):
        place.scan()


def test_a_silent_registry_ends_in_time(place: Place) -> None:
    place.access = replace(place.access, timeout=1.0)
    place.proxy.faults.append(Fault(path=LIST, stall=threading.Event()))
    began = time.monotonic()
    with pytest.raises(UnavailableError, match="no answer in time"):
        place.scan()
    assert time.monotonic() - began < 15


def test_a_cancelled_run_ends_at_once(place: Place) -> None:
    place.proxy.faults.append(Fault(path=LIST, status=429, retry_after="8"))
    threading.Timer(0.3, place.stop.set).start()
    began = time.monotonic()
    with pytest.raises(StopRequested):
        place.scan()
    assert time.monotonic() - began < 6


def test_a_link_in_a_circle_ends_with_an_error(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tags, "PAGE_SIZE", 3)
    monkeypatch.setattr(tags, "_following", lambda _image, _headers: "last=1.0.3&n=3")
    with pytest.raises(BadAnswerError, match=r"does not end: found the same page again"):
        place.scan()
    assert len(place.requests()) == 3


def test_a_registry_that_ignores_last_ends_with_an_error(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    numbers = iter(range(100))
    monkeypatch.setattr(tags, "_following", lambda _image, _headers: f"page={next(numbers)}")
    with pytest.raises(BadAnswerError, match=r"does not end: found the same page again"):
        place.scan()
    assert len(place.requests()) == 2


@pytest.mark.parametrize(("name", "limit"), [("MAX_PAGES", 2), ("MAX_TAGS", 5)])
def test_lists_are_bounded(place: Place, monkeypatch: pytest.MonkeyPatch, name: str, limit: int) -> None:
    monkeypatch.setattr(tags, "PAGE_SIZE", 3)
    monkeypatch.setattr(tags, name, limit)
    with pytest.raises(BadAnswerError, match="does not end"):
        place.scan()


def test_a_page_that_is_not_a_tag_list_is_refused(place: Place) -> None:
    place.proxy.faults.append(Fault(path=LIST, status=200))
    with pytest.raises(BadAnswerError, match="is no tag list"):
        place.scan()


def test_kept_tags_are_private_and_checked(place: Place) -> None:
    place.scan()
    (entry,) = place.kept.folder.iterdir()
    assert stat.S_IMODE(entry.stat().st_mode) == 0o600
    assert stat.S_IMODE(place.kept.folder.stat().st_mode) == 0o700
    entry.write_bytes(entry.read_bytes().replace(b"1.0.7", b"9.9.9"))
    place.proxy.down = True
    with pytest.raises(UnavailableError):
        place.scan()


def test_other_credentials_do_not_see_what_was_kept(place: Place) -> None:
    place.scan()
    place.proxy.down = True
    place.access = replace(
        place.access, logins=docker_config(place.image().registry, auth="c29tZWJvZHk6ZWxzZQ==")
    )
    with pytest.raises(UnavailableError):
        place.scan()


def test_a_bad_tag_is_left_out(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    page = tags.Page("n=1000", "", ("1.0.0", "", "-x", "a b", "x" * 129, "1.0.0", "1.0.1"), "")
    assert tags.join([page]) == ("1.0.0", "1.0.1")


def test_processes_that_write_at_once_leave_a_whole_entry(tmp_path: Path) -> None:
    workers = []
    for letter in "abcd":
        pid = os.fork()
        if pid == 0:
            kept = Kept(tmp_path / "kept")
            fine = all(kept.put("key", letter.encode() * 50_000) for _ in range(50))
            os._exit(0 if fine else 1)
        workers.append(pid)
    reader = Kept(tmp_path / "kept")
    seen = {reader.get("key") for _ in range(300)}
    assert [os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) for pid in workers] == [0] * 4
    assert {len(content) for content in seen if content} <= {50_000}
    assert all(re.fullmatch(rb"(.)\1*", content) for content in seen if content)
