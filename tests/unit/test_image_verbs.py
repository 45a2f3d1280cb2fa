"""Verbs about images and commits: what is refused before anything is read, and how answers look."""

from __future__ import annotations

from pathlib import Path

import pytest

from weir.cli import main
from weir.cli.format_age import age, epoch
from weir.cli.format_images import (
    format_automation_records,
    format_policies,
    format_policy_records,
    format_repositories,
    format_results,
    format_trees,
    tree_as_json,
)
from weir.edit.find_workload import WorkloadName
from weir.edit.summary import Move
from weir.flow.by_hand import parse_person, with_person
from weir.flow.image_list import ImageTree, TagLine
from weir.flow.image_status import PolicyStatus, RepositoryStatus
from weir.flow.resolved_record import automation_record, policy_record
from weir.flow.rollback import find_revision
from weir.flow.workload_verbs import Result
from weir.spec.errors import SpecError
from weir.spec.identity import UnitId
from weir.spec.image_automation import Author
from weir.spec.record import HistoryEntry, UnitRecord

WEB = WorkloadName("prod", "Deployment", "web")
UNIT = UnitId("Kustomization", "flux-system", "web")
COMMITS = tuple(letter * 40 for letter in "abcd")
DAY = 86_400.0


def cells(text: str) -> list[list[str]]:
    return [[cell.strip() for cell in line.split("\t")] for line in text.splitlines()]


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("release -w a:deployment/b", "either --update-image or --update-all-images"),
        (
            "release -w a:deployment/b --update-image x:1 --update-all-images",
            "either --update-image or --update-all-images",
        ),
        ("release --update-all-images", "either --workload or --all"),
        ("release --all -w a:deployment/b --update-all-images", "either --workload or --all"),
        ("release -w web --update-all-images", "expected namespace:kind/name"),
        ("release -w a:deployment/b --update-image registry/app", "an image with a tag or a digest"),
        ("lock -m why", "one workload or more"),
        ("automate -w a:pod/b", "expected namespace:kind/name"),
        ("image policies -w a:deployment/b", "it is for weir image list"),
        ("image list --dry-run", "only update writes"),
        ("image list -w a:deployment/b --repository a/b", "either --workload or --repository"),
        ("image list --limit=-1", "0 or more"),
        ("get images git", "all or repository or policy or update"),
        ("get all policy", "expected nothing"),
        ("get alerts --watch", "expected a kind that keeps its status"),
    ],
)
def test_wrong_usage_says_what_was_expected(
    words: str, expected: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    nowhere = ("--stack", "x", "--config-file", str(tmp_path / "none.yaml"))
    assert main([*words.split(), *nowhere]) == 1
    assert expected in capsys.readouterr().err


@pytest.mark.parametrize(
    ("text", "author"),
    [
        ("Jane Doe <jane@example.com>", Author(name="Jane Doe", email="jane@example.com")),
        ("jane@example.com", Author(email="jane@example.com")),
        ("Jane Doe", Author(name="Jane Doe", email="jane-doe@localhost")),
    ],
)
def test_a_person_is_a_name_an_address_or_both(text: str, author: Author) -> None:
    assert parse_person(text) == author


@pytest.mark.parametrize("text", ["", "Jane <", "Jane <a b>", "a\nb", "<>"])
def test_what_git_could_not_keep_is_no_person(text: str) -> None:
    with pytest.raises(SpecError, match="--user"):
        parse_person(text)


def test_who_asked_is_named_when_somebody_else_commits() -> None:
    bot = Author(name="Bot", email="bot@example.com")
    text = with_person("Release web", "Jane <jane@example.com>", bot)
    assert text == "Release web\n\nRequested-by: Jane <jane@example.com>"
    assert with_person("Release web", "Bot <bot@example.com>", bot) == "Release web"
    assert with_person("Release web", "", bot) == "Release web"


def test_results_say_what_moved_or_why_nothing_did() -> None:
    moved = (
        Move("Deployment/prod/web: main", "app:1", "app:2", 1),
        Move("Deployment/prod/web: proxy", "p:1", "p:2", 1),
    )
    db = WorkloadName("prod", "StatefulSet", "db")
    results = [
        Result(workload=WEB, status="success", moves=moved),
        Result(workload=db, status="skipped", why="the workload is locked"),
    ]
    assert cells(format_results(results)) == [
        ["WORKLOAD", "STATUS", "UPDATES"],
        ["prod:deployment/web", "success", "main: app:1 -> app:2"],
        ["", "", "proxy: p:1 -> p:2"],
        ["prod:statefulset/db", "skipped", "the workload is locked"],
    ]


def test_tags_are_listed_with_the_one_in_use_marked() -> None:
    tags = (
        TagLine("1.3.0", 97 * DAY, running=False),
        TagLine("1.2.0", None, running=False),
        TagLine("1.0.0", 10 * DAY, running=True, skipped=3),
    )
    tree = ImageTree(
        owner=str(WEB), part="web", image="org/web", running="1.0.0", tags=tags, omitted=2, others=4
    )
    broken = ImageTree(owner=str(WEB), part="proxy", image="org/proxy", running="1", error="no answer")
    text = format_trees([tree, broken], ("WORKLOAD", "CONTAINER"), 100 * DAY)
    assert cells(text) == [
        ["WORKLOAD", "CONTAINER", "IMAGE", "CREATED"],
        ["prod:deployment/web", "web", "org/web", ""],
        ["", "", "|   1.3.0", "3d"],
        ["", "", "|   1.2.0", "?"],
        ["", "", ":   (3 more)", ""],
        ["", "", "'-> 1.0.0", "90d"],
        ["", "", "(2 more, 4 that do not count)", ""],
        ["", "proxy", "org/proxy", "no answer"],
    ]
    found = tree_as_json(tree, ("WORKLOAD", "CONTAINER"))
    assert (found["workload"], found["container"], found["omitted"], found["others"]) == (
        str(WEB),
        "web",
        5,
        4,
    )
    assert found["tags"][1] == {"tag": "1.2.0", "created": None, "running": False}
    assert found["tags"][2] == {"tag": "1.0.0", "created": "1970-01-11T00:00:00Z", "running": True}


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(-3, "0s"), (59, "59s"), (60, "1m"), (7200, "2h"), (DAY, "1d"), (729 * DAY, "729d"), (730 * DAY, "2y")],
)
def test_ages_are_short(seconds: float, text: str) -> None:
    assert age(seconds) == text


def policy(chosen: str, reason: str = "", warnings: tuple[str, ...] = ()) -> PolicyStatus:
    return PolicyStatus(
        id=UnitId("ImagePolicy", "flux-system", "web"),
        repository=UnitId("ImageRepository", "flux-system", "web"),
        in_use="org/web:1.0.0",
        chosen=chosen,
        reason=reason,
        warnings=warnings,
        error="",
        suspended=False,
    )


@pytest.mark.parametrize(
    ("status", "message"),
    [
        (policy("org/web:1.0.0"), "up to date"),
        (policy("org/web:1.1.0"), "new"),
        (policy("org/web:1.0.0", "1.1.0 waits"), "1.1.0 waits"),
    ],
)
def test_policies_say_what_is_chosen_and_why(status: PolicyStatus, message: str) -> None:
    version = status.chosen.rpartition(":")[2]
    assert cells(format_policies([status])) == [
        ["NAME", "IMAGE", "IN USE", "CHOSEN", "MESSAGE"],
        ["flux-system/web", "org/web", "1.0.0", version, message],
    ]


def test_warnings_of_policies_follow_the_table() -> None:
    text = format_policies([policy("org/web:1.0.0", warnings=("1.0.0 was pushed again",))])
    assert text.endswith("\n⚠ flux-system/web: 1.0.0 was pushed again\n")


def test_columns_of_get_images_are_those_of_flux() -> None:
    chosen = policy_record(
        UnitId("ImagePolicy", "flux-system", "web"),
        "prod",
        repository="ImageRepository/flux-system/web",
        image=f"org/web:1.0.0@sha256:{'c' * 64}",
        reason="",
        error="",
        suspended=False,
    )
    assert cells(format_policy_records([chosen], with_kind=True)) == [
        ["NAME", "IMAGE", "TAG", "READY", "MESSAGE"],
        [
            "imagepolicy/web",
            "org/web",
            "1.0.0@sha256:cccccccc",
            "True",
            "Latest image tag for org/web resolved to 1.0.0 with digest sha256:cccccccc",
        ],
    ]


def test_automations_and_repositories_say_when_they_ran() -> None:
    pushed = automation_record(
        UnitId("ImageUpdateAutomation", "flux-system", "apps"),
        "prod",
        source="GitRepository/flux-system/apps",
        revision=f"main@sha1:{COMMITS[0]}",
        error="",
        suspended=True,
    )
    assert pushed.ready
    later = (epoch(pushed.ready.at) or 0) + 2 * 3600
    titles, row = cells(format_automation_records([pushed], later, all_namespaces=True))
    assert titles == ["NAMESPACE", "NAME", "LAST RUN", "SUSPENDED", "READY", "MESSAGE"]
    assert row == ["flux-system", "apps", "2h", "True", "True", "pushed commit main@sha1:aaaaaaaa"]
    status = RepositoryStatus(
        id=UnitId("ImageRepository", "flux-system", "web"),
        image="org/web",
        suspended=False,
        scanned=DAY,
        tags=3,
        error="",
    )
    assert cells(format_repositories([status], DAY + 90, header=False)) == [
        ["web", "1m", "False", "True", "successful scan: found 3 tags"]
    ]
    assert format_policy_records([]) + format_automation_records([], 0) + format_repositories([], 0) == ""


def record(*results: tuple[str, str, str]) -> UnitRecord:
    """The record of a unit with these results (commit, digest, status), the newest first."""
    history = tuple(
        HistoryEntry(
            revision=f"main@sha1:{commit}", digest=digest, status=status, count=1, started="", duration=1.0
        )
        for commit, digest, status in results
    )
    return UnitRecord(id=UNIT, stack="prod", digest=history[0].digest if history else "", history=history)


GOOD, BAD = "ReconciliationSucceeded", "ReconciliationFailed"


def test_without_a_revision_it_is_the_last_good_one_that_differs() -> None:
    known = record(
        (COMMITS[0], "3", BAD), (COMMITS[1], "3", GOOD), (COMMITS[2], "2", BAD), (COMMITS[3], "1", GOOD)
    )
    assert find_revision(UNIT, known, "") == f"main@sha1:{COMMITS[3]}"


@pytest.mark.parametrize("known", [None, record((COMMITS[0], "1", GOOD)), record()])
def test_a_unit_without_an_earlier_result_says_so(known: UnitRecord | None) -> None:
    with pytest.raises(SpecError, match="expected an earlier result that differs"):
        find_revision(UNIT, known, "")


@pytest.mark.parametrize("to", [COMMITS[1], COMMITS[1][:7], f"main@sha1:{COMMITS[1]}", "main@sha1:bbbbbbbb"])
def test_a_revision_of_the_history_has_many_spellings(to: str) -> None:
    known = record((COMMITS[0], "2", GOOD), (COMMITS[1], "1", BAD))
    assert find_revision(UNIT, known, to) == f"main@sha1:{COMMITS[1]}"


def test_any_whole_commit_may_be_named_and_nothing_else() -> None:
    known = record((COMMITS[0], "2", GOOD))
    assert find_revision(UNIT, known, COMMITS[2]) == f"sha1:{COMMITS[2]}"
    for text in (COMMITS[2][:12], "aaa", "main", "v1.0.0"):
        with pytest.raises(SpecError, match="its history holds main@sha1:aaaaaaaa"):
            find_revision(UNIT, known, text)
