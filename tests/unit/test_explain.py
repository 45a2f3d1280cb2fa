"""`weir explain`: the first thing that keeps a commit from being live, decided without any server."""

from __future__ import annotations

import json
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest

from tests.support.stack import git_repository, kustomization
from weir.cli.format_explain import explanation_as_data, format_explanation
from weir.flow.explain import Explanation, SourceHistory, ancestors, explain
from weir.flow.find_commit import explain_elsewhere
from weir.flow.look import Present
from weir.flow.outcome import AutomationOutcome
from weir.flow.tree import Declared
from weir.spec.documents import Document
from weir.spec.git_repository import parse_git_repository
from weir.spec.identity import UnitId
from weir.spec.image_automation import parse_image_automation
from weir.spec.kustomization import KustomizationSpec, parse_kustomization
from weir.spec.record import Condition, UnitRecord

OLD, WANTED, NEW, SIDE = (letter * 40 for letter in "abcd")
PARENTS = {NEW: (WANTED, SIDE), WANTED: (OLD,), SIDE: (OLD,), OLD: ()}
"""NEW merges SIDE into what WANTED is on."""
LATE = "fleet: not fetched: the last run found"
FLEET = UnitId("GitRepository", "flux-system", "fleet")
APPS = UnitId("Kustomization", "flux-system", "apps")
BASE = UnitId("Kustomization", "flux-system", "base")


def source(**spec: Any) -> SourceHistory:
    document = git_repository("fleet", "https://git.example/fleet", **spec)
    parsed = parse_git_repository(Document("a.yaml", 0, document))
    return SourceHistory(spec=parsed, revision=f"main@sha1:{NEW}", parents=PARENTS)


def unit(name: str = "apps", **spec: Any) -> KustomizationSpec:
    return parse_kustomization(Document("a.yaml", 0, kustomization(name, "fleet", "./", **spec)))


def record(
    which: UnitId, commit: str, ready: str = "True", message: str = "fine", **fields: Any
) -> UnitRecord:
    return UnitRecord(
        id=which,
        stack="prod",
        revision=f"main@sha1:{commit}" if commit else "",
        attempted=fields.pop("attempted", f"main@sha1:{commit}"),
        ready=Condition(status=ready, reason="x", message=message),
        **fields,
    )


def told(*records: UnitRecord, units: tuple[KustomizationSpec, ...] = (), **spec: Any) -> Explanation:
    known = {one.id: one for one in records}
    return explain(WANTED, [source(**spec)], units or (unit(),), known)


def first(found: Explanation) -> str:
    assert found.obstacle
    return f"{found.obstacle.unit.name}: {found.obstacle.text}"


@pytest.mark.parametrize("commit", [WANTED, NEW])
def test_a_commit_is_live_where_it_or_one_on_top_of_it_is_applied(commit: str) -> None:
    found = told(record(FLEET, commit), record(APPS, commit))
    assert found.obstacle is None
    assert [step.passed for step in found.steps] == [True, True]


@pytest.mark.parametrize(
    ("records", "spec", "expected"),
    [
        ([], {}, "fleet: not fetched: no run has looked at the source yet"),
        (
            [record(FLEET, OLD)],
            {},
            f"{LATE} main@sha1:aaaaaaaa; the next one fetches it",
        ),
        (
            [record(FLEET, SIDE)],
            {},
            f"{LATE} main@sha1:dddddddd; the next one fetches it",
        ),
        ([record(FLEET, OLD)], {"suspend": True}, "fleet: not fetched: the source is suspended"),
        ([record(FLEET, OLD, suspended=True)], {}, "fleet: not fetched: the source is suspended"),
        ([record(FLEET, OLD, "False", "no route")], {}, "fleet: not fetched: no route"),
        ([record(FLEET, NEW)], {}, "apps: not applied yet: the next run does it"),
        ([record(FLEET, NEW), record(APPS, OLD)], {}, "apps: not applied yet: the next run does it"),
        ([record(FLEET, NEW), record(APPS, OLD, suspended=True)], {}, "apps: suspended"),
        (
            [record(FLEET, NEW), record(APPS, OLD, "False", "bad image", attempted=f"main@sha1:{NEW}")],
            {},
            "apps: failed: bad image",
        ),
        (
            [record(FLEET, NEW), record(APPS, "", "False", "bad image", attempted=f"main@sha1:{OLD}")],
            {},
            "apps: failed with what was there before: bad image",
        ),
    ],
)
def test_the_first_obstacle_is_named(records: list[UnitRecord], spec: dict[str, Any], expected: str) -> None:
    assert first(told(*records, **spec)) == expected


def test_of_a_chain_the_unit_that_fails_comes_before_those_that_wait_for_it() -> None:
    units = (unit("apps", dependsOn=[{"name": "base"}]), unit("base"))
    failed = record(BASE, OLD, "False", "quota", attempted=f"main@sha1:{NEW}")
    found = told(record(FLEET, NEW), record(APPS, OLD), failed, units=units)
    assert first(found) == "base: failed: quota"
    assert found.steps[-1].text == f"dependency {BASE} is not ready: quota"
    never = told(record(FLEET, NEW), record(APPS, OLD), units=units)
    assert never.steps[-1].text == f"dependency {BASE} is not ready: it was never applied"


def test_a_suspended_unit_is_told_before_what_else_is_wrong_with_it() -> None:
    found = told(record(FLEET, OLD), units=(unit(suspend=True),))
    assert found.steps[-1].text == "suspended"


def test_units_that_wait_for_each_other_end() -> None:
    units = (unit("apps", dependsOn=[{"name": "base"}]), unit("base", dependsOn=[{"name": "apps"}]))
    assert len(told(record(FLEET, NEW), units=units).steps) == 3


def test_units_of_other_sources_and_sources_without_the_commit_do_not_count() -> None:
    other = replace(source(), parents={OLD: ()})
    assert explain(WANTED, [other], [unit()], {}).steps == ()


def test_everything_below_a_merge_is_in_it() -> None:
    assert ancestors(PARENTS, NEW) == {NEW, WANTED, SIDE, OLD}
    assert ancestors(PARENTS, SIDE) == {SIDE, OLD}


def test_the_answer_comes_first() -> None:
    waiting = told(record(FLEET, NEW), record(APPS, OLD))
    assert format_explanation(waiting).splitlines() == [
        "✗ bbbbbbbb is not live: Kustomization/flux-system/apps: not applied yet: the next run does it",
        "  ✔ GitRepository/flux-system/fleet: fetched: at main@sha1:cccccccc",
        "  ✗ Kustomization/flux-system/apps: not applied yet: the next run does it",
    ]
    live = told(record(FLEET, NEW), record(APPS, NEW))
    assert format_explanation(live).startswith("✔ bbbbbbbb is live\n")
    data = json.loads(json.dumps(explanation_as_data(waiting)))
    assert (data["live"], data["obstacle"]["unit"]) == (False, str(APPS))
    assert explanation_as_data(live)["obstacle"] is None


AUTOMATION = UnitId("ImageUpdateAutomation", "flux-system", "images")
PUSHED, BUILT = "e" * 40, "f" * 40


def elsewhere(text: str, *records: UnitRecord, automates: bool = False) -> Explanation:
    """What is said of a commit that the source does not have; a run would build `BUILT`."""
    git = {"commit": {"author": {"name": "w", "email": "w@example.com"}}, "push": {"branch": "updates"}}
    data = {
        "apiVersion": "image.toolkit.fluxcd.io/v1",
        "kind": AUTOMATION.kind,
        "metadata": {"name": AUTOMATION.name, "namespace": AUTOMATION.namespace},
        "spec": {"interval": "1m", "sourceRef": {"kind": "GitRepository", "name": "fleet"}, "git": git},
    }
    document = Document("a.yaml", 0, data)
    spec = parse_image_automation(document)
    built = AutomationOutcome(spec=spec, document=document, commit=BUILT, branch="updates")
    session: Any = SimpleNamespace(ahead=[built])
    units = {AUTOMATION: Declared(spec=spec, document=document, parent="")} if automates else {}
    present = Present(session=session, units=units, owners={}, problems=())
    return explain_elsewhere(session, present, text, [source()], {one.id: one for one in records})


def test_a_commit_that_an_automation_pushed_beside_waits_to_be_merged() -> None:
    pushed = UnitRecord(id=AUTOMATION, stack="prod", revision=f"updates@sha1:{PUSHED}")
    found = elsewhere(PUSHED[:8], pushed)
    assert found.commit == PUSHED
    assert first(found) == "images: pushed to updates, which no source follows: it waits to be merged"


def test_a_commit_that_a_run_would_push_is_known() -> None:
    found = elsewhere(BUILT[:8], automates=True)
    assert found.commit == BUILT
    assert first(found) == "images: built and not pushed yet: the next `weir up` pushes it to updates"


def test_a_commit_that_nobody_has_is_told_for_each_source() -> None:
    for automates in (True, False):
        found = elsewhere("0123", automates=automates)
        assert first(found).startswith("fleet: not in its history: it is at main@sha1:cccccccc")
