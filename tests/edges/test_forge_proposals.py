"""One pull request per head and base, whoever comes in between.

No forge runs here: the servers of `tests/support/forge_kinds` behave as the documented APIs do, and refuse more. The
one of Gitea answers as a real Gitea 1.26.0 did to the same calls.
"""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest

from tests.support.fault_proxy import Fault, FaultProxy
from tests.support.forge import Forge, Pull, Repository, running_forge
from weir.edges.forge.proposal import Proposal, PullRequest
from weir.edges.forge.propose import propose
from weir.spec.image_automation import ForgeKind

KINDS: tuple[ForgeKind, ...] = ("github", "gitlab", "gitea")
PROPOSAL = Proposal(
    repository="team/app",
    head="image-updates",
    base="main",
    title="New images",
    body="| policy | old | new |\n",
    labels=("images", "bot"),
)
WHERE = {"github": "pull", "gitlab": "-/merge_requests", "gitea": "pulls"}


@pytest.fixture(params=KINDS)
def forge(request: pytest.FixtureRequest) -> Iterator[Forge]:
    with running_forge(request.param) as running:
        yield running


@pytest.fixture
def repository(forge: Forge) -> Repository:
    return forge.repository("team/app", "main", "image-updates", "staging")


def the_only(repository: Repository) -> Pull:
    (pull,) = repository.pulls
    return pull


def test_a_new_one_has_everything(forge: Forge, repository: Repository) -> None:
    made = propose(PROPOSAL, forge.access())
    url = f"{forge.root}/team/app/{WHERE[forge.kind]}/1"
    assert made == PullRequest(number=1, url=url, created=True)
    pull = the_only(repository)
    assert (pull.head, pull.base, pull.title, pull.body) == (
        "image-updates",
        "main",
        "New images",
        "| policy | old | new |\n",
    )
    assert pull.labels == ["images", "bot"]


def test_without_labels_none_are_touched(forge: Forge, repository: Repository) -> None:
    propose(replace(PROPOSAL, labels=()), forge.access())
    assert len(forge.writes()) == 1
    assert repository.labels == {}


def test_the_second_time_nothing_is_written(forge: Forge, repository: Repository) -> None:
    propose(PROPOSAL, forge.access())
    forge.asked.clear()
    again = propose(PROPOSAL, forge.access())
    assert (again.number, again.created) == (1, False)
    assert [one.method for one in forge.asked] == ["GET"]


CHANGES = [{"title": "Other images"}, {"body": "other\n"}, {"body": ""}, {"title": "T", "body": "b"}]


@pytest.mark.parametrize("changed", CHANGES, ids=str)
def test_the_open_one_is_brought_up_to_date(
    forge: Forge, repository: Repository, changed: dict[str, str]
) -> None:
    propose(PROPOSAL, forge.access())
    forge.asked.clear()
    wanted = replace(PROPOSAL, **changed)  # type: ignore[arg-type]
    assert propose(wanted, forge.access()).number == 1
    pull = the_only(repository)
    assert (pull.title, pull.body) == (wanted.title, wanted.body)
    assert len(forge.writes()) == 1


def test_labels_are_added_and_those_of_people_stay(forge: Forge, repository: Repository) -> None:
    pull = repository.add("image-updates", "main", "New images", PROPOSAL.body)
    pull.labels.append("reviewed")
    repository.labels |= {"reviewed": 1, "images": 2}
    propose(PROPOSAL, forge.access())
    assert pull.labels == ["reviewed", "images", "bot"]
    assert sorted(repository.labels) == ["bot", "images", "reviewed"]


def test_a_label_in_other_letters(forge: Forge, repository: Repository) -> None:
    repository.labels["Images"] = 1
    propose(PROPOSAL, forge.access())
    propose(PROPOSAL, forge.access())
    other = [] if forge.kind == "github" else ["images"]
    assert sorted(repository.labels) == ["Images", "bot", *other]


def test_a_closed_one_is_left_alone(forge: Forge, repository: Repository) -> None:
    for state in ("closed", "merged"):
        repository.add("image-updates", "main", state, "").state = state
    made = propose(PROPOSAL, forge.access())
    assert (made.number, made.created) == (3, True)
    assert [pull.title for pull in repository.pulls] == ["closed", "merged", "New images"]


def test_others_are_left_alone(forge: Forge, repository: Repository) -> None:
    repository.add("image-updates", "staging", "another base", "")
    repository.add("staging", "main", "another head", "")
    repository.add("image-updates", "main", "from a fork", "", source=999)
    repository.add("image-updates", "main", "from a fork that is gone", "", source=-1)
    before = [replace(pull) for pull in repository.pulls]
    assert propose(PROPOSAL, forge.access()).number == 5
    assert repository.pulls[:4] == before


def test_the_open_one_is_found_on_a_later_page(forge: Forge, repository: Repository) -> None:
    forge.page = 2
    for number in range(9):
        source = 0 if number == 4 else 900 + number
        repository.add("image-updates", "main", f"number {number}", "", source)
    assert propose(PROPOSAL, forge.access()).number == 5
    assert len(repository.pulls) == 9


NAMES = ["feature/a#b%20c", "ünï/x", "a&base=staging", "a+b", "über:x".replace(":", "")]


@pytest.mark.parametrize("name", NAMES)
def test_unusual_branches(forge: Forge, repository: Repository, name: str) -> None:
    repository.branches += [name, f"to/{name}"]
    wanted = replace(PROPOSAL, head=name, base=f"to/{name}")
    assert propose(wanted, forge.access()).created
    assert not propose(wanted, forge.access()).created
    assert (the_only(repository).head, the_only(repository).base) == (name, f"to/{name}")


def test_subgroups() -> None:
    with running_forge("gitlab") as forge:
        repository = forge.repository("group/sub.x/deeper/app", "main", "image-updates")
        made = propose(replace(PROPOSAL, repository=repository.path), forge.access())
        assert made.url.endswith("/group/sub.x/deeper/app/-/merge_requests/1")
        assert "/projects/group%2Fsub.x%2Fdeeper%2Fapp/merge_requests" in forge.lines[0]


def test_a_label_of_the_organisation_is_not_created_again() -> None:
    with running_forge("gitea") as forge:
        repository = forge.repository("team/app", "main", "image-updates")
        repository.organisation["images"] = 77
        propose(PROPOSAL, forge.access())
        assert the_only(repository).labels == ["images", "bot"]
        assert list(repository.labels) == ["bot"]


def test_a_body_that_is_too_long_is_cut(forge: Forge, repository: Repository) -> None:
    wanted = replace(PROPOSAL, body="x" * 99 + "\n" + "y\n" * 600_000)
    propose(wanted, forge.access())
    body = the_only(repository).body
    assert body == wanted.body if forge.kind == "gitea" else "The rest is left out" in body[-150:]
    forge.asked.clear()
    propose(wanted, forge.access())
    assert forge.writes() == []


def test_somebody_else_creates_it_between_look_and_create(forge: Forge, repository: Repository) -> None:
    forge.before_create.append(lambda there: there.add("image-updates", "main", "by hand", ""))
    made = propose(PROPOSAL, forge.access())
    assert (made.number, made.created) == (1, False)
    pull = the_only(repository)
    assert (pull.title, pull.body, pull.labels) == ("New images", PROPOSAL.body, ["images", "bot"])


def test_many_at_once_make_one(forge: Forge, repository: Repository) -> None:
    with ThreadPoolExecutor(6) as pool:
        made = list(pool.map(lambda _: propose(PROPOSAL, forge.access()), range(12)))
    assert {one.number for one in made} == {1}
    assert sum(one.created for one in made) == 1
    the_only(repository)


def test_it_is_merged_while_it_is_brought_up_to_date(forge: Forge, repository: Repository) -> None:
    first = repository.add("image-updates", "main", "old", "")
    forge.before_update.append(lambda pull: setattr(pull, "state", "merged"))
    made = propose(PROPOSAL, forge.access())
    assert (made.number, made.created) == (2, True)
    assert first.state == "merged"
    assert repository.pulls[1].title == "New images"


def test_an_answer_that_is_lost_makes_no_second_one(forge: Forge, repository: Repository) -> None:
    with FaultProxy(forge.root) as proxy:
        proxy.faults.append(Fault(method="POST", path=r"(pulls|merge_requests)$", cut_after=20, times=1))
        made = propose(PROPOSAL, forge.access(root=proxy.url))
    assert made.number == 1
    assert the_only(repository).labels == ["images", "bot"]


def test_a_request_that_is_lost_is_sent_again(forge: Forge, repository: Repository) -> None:
    with FaultProxy(forge.root) as proxy:
        proxy.faults.append(Fault(method="POST", path=r"(pulls|merge_requests)$", drop=True, times=1))
        made = propose(PROPOSAL, forge.access(root=proxy.url))
    assert (made.number, made.created) == (1, True)
    the_only(repository)


def test_a_failing_forge_is_asked_again(forge: Forge, repository: Repository) -> None:
    with FaultProxy(forge.root) as proxy:
        proxy.faults += [
            Fault(method="GET", status=502, times=1),
            Fault(method="POST", path=r"(pulls|merge_requests)$", status=503, times=1),
        ]
        made = propose(PROPOSAL, forge.access(root=proxy.url))
    assert made.created
    assert the_only(repository).labels == ["images", "bot"]
