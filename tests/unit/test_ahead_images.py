"""The look ahead with image automation: who waits for it, who starts anew, and what happens when a push fails."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import pytest

from tests.unit.test_ahead import Scripted, source, unit
from weir.edges.runs import Run
from weir.flow.ahead import GRACE, Ahead
from weir.flow.image_side import Automated, Chosen
from weir.flow.load import Loaded
from weir.flow.outcome import (
    AutomationOutcome,
    Outcome,
    PolicyOutcome,
    Problem,
    SourceOutcome,
    UnitOutcome,
    encode,
)
from weir.flow.tree import Declared
from weir.flow.work import RenderedUnit, Worker
from weir.spec.artifact import Artifact
from weir.spec.documents import Document
from weir.spec.image_automation import ImageAutomationSpec
from weir.spec.image_policy import ImagePolicySpec

AFTER = Artifact(revision="main@sha1:2", digest="sha256:after")


def image(kind: str, name: str, spec: dict[str, Any]) -> Document:
    head = {"apiVersion": "image.toolkit.fluxcd.io/v1", "kind": kind}
    return Document("i.yaml", 0, {**head, "metadata": {"name": name, "namespace": "ns"}, "spec": spec})


def repository() -> Document:
    return image("ImageRepository", "app", {"image": "example.com/app", "interval": "1m"})


def policy(of: str = "app") -> Document:
    spec = {"imageRepositoryRef": {"name": of}, "policy": {"alphabetical": {}}}
    return image("ImagePolicy", "app", spec)


def automation(of: str = "src", name: str = "bot", **git: Any) -> Document:
    given = {"commit": {"author": {"email": "a@example.com"}}, **git}
    spec = {"interval": "1m", "sourceRef": {"kind": "GitRepository", "name": of}, "git": given}
    return image("ImageUpdateAutomation", name, spec)


TWO = (
    source("src"),
    unit("web"),
    source("other"),
    unit("far", of="other"),
    repository(),
    policy(),
    automation(),
)
"""A source with an automation and one without, and a unit of each."""


class Images(Scripted):
    """Jobs of which one automation writes a commit that gives its source another artifact."""

    def __init__(self) -> None:
        super().__init__()
        self.registry: threading.Event | None = None
        self.given: list[str] = []
        self.groups: list[list[str]] = []
        self.policies: list[str] = []

    @property
    def images(self) -> Images:
        return self

    def unit(self, declared: Declared, source: SourceOutcome, before: Sequence[RenderedUnit]) -> RenderedUnit:
        found = super().unit(declared, source, before)
        if waiting := self.hanging.get(f"unit {declared.spec.id.name}"):
            waiting.wait(30)
        artifact = source.artifact or Artifact(revision="", digest="")
        self.given.append(f"{declared.spec.id.name}@{artifact.digest}")
        if declared.spec.id.name == "moving":
            found = replace(found, children=(unit("inner", prune=artifact is not AFTER),))
        return replace(found, outcome=replace(found.outcome, revision=artifact.revision))

    def policy(self, declared: Declared, _repositories: object) -> Chosen:
        if self.registry:
            self.registry.wait(20)
        spec = cast("ImagePolicySpec", declared.spec)
        return Chosen(outcome=PolicyOutcome(spec=spec, document=declared.document, image="app:2"))

    def automate(
        self,
        group: Sequence[Declared],
        source: SourceOutcome,
        _policies: object,
        documents: Sequence[Document],
    ) -> Automated:
        self.groups.append([declared.spec.id.name for declared in group])
        self.policies += [
            one.data["metadata"]["name"] for one in documents if one.data["kind"] == "ImagePolicy"
        ]
        spec = cast("ImageAutomationSpec", group[0].spec)
        outcome = AutomationOutcome(
            spec=spec,
            document=group[0].document,
            commit="2",
            branch="main",
            pending={"prepared": {}},
            before=encode(source),
        )
        return Automated(outcomes=(outcome,), source=replace(source, artifact=AFTER))


@pytest.fixture
def run(tmp_path: Path) -> Run:
    return Run(tmp_path, 0)


def ahead(run: Run, script: Images, *documents: Document, automate: bool = True) -> Ahead:
    return Ahead(cast("Worker", script), run, lambda: Loaded(documents, ()), automate=automate)


def revisions(outcomes: Sequence[Outcome]) -> dict[str, str]:
    """The revision of each source and unit."""
    found: dict[str, str] = {}
    for item in outcomes:
        if isinstance(item, SourceOutcome) and item.artifact:
            found[item.id.name] = item.artifact.revision
        elif isinstance(item, UnitOutcome):
            found[item.id.name] = item.revision
    return found


def order(outcomes: Sequence[Outcome]) -> list[str]:
    return [item.id.name for item in outcomes if not isinstance(item, Problem)]


def test_units_are_rendered_from_the_commit_that_an_automation_announces(run: Run) -> None:
    outcomes = list(ahead(run, Images(), *TWO))
    assert revisions(outcomes) == {
        "src": "main@sha1:2",
        "web": "main@sha1:2",
        "other": "main@sha1:1",
        "far": "main@sha1:1",
    }
    names = order(outcomes)
    assert names.index("bot") < names.index("src") < names.index("web"), "the push comes first"
    assert order(list(ahead(run, Images(), *TWO))) == names, "the second pass repeats the first"


def test_an_automation_found_in_what_its_source_renders_is_followed_in_the_same_run(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("weir.flow.ahead.GRACE", 30.0)
    script = Images()
    script.automates = True
    script.children = {"top": (repository(), policy(), automation(), unit("leaf"))}
    outcomes = list(ahead(run, script, source("src"), unit("top")))
    assert revisions(outcomes) == dict.fromkeys(("src", "top", "leaf"), "main@sha1:2")
    assert not [item for item in outcomes if isinstance(item, Problem)]
    assert sorted(order(outcomes)) == ["app", "bot", "leaf", "src", "top"], "each once"


def test_what_a_unit_declares_may_change_with_the_commit(run: Run) -> None:
    outcomes = list(ahead(run, Images(), source("src"), unit("moving"), repository(), policy(), automation()))
    assert not [item for item in outcomes if isinstance(item, Problem)]
    inner = next(item for item in outcomes if isinstance(item, UnitOutcome) and item.id.name == "inner")
    assert inner.spec.prune is False, "as the commit has it"


def test_a_hanging_registry_holds_up_only_what_it_may_change(run: Run) -> None:
    script = Images()
    script.registry = threading.Event()
    outcomes = iter(ahead(run, script, *TWO))
    assert order([next(outcomes) for _ in range(2)]) == ["other", "far"]
    script.registry.set()
    assert order(list(outcomes)) == ["app", "bot", "src", "web"]


@pytest.mark.parametrize("slow", ["other", "unit far"])
def test_an_automation_waits_for_whoever_may_still_declare_policies(run: Run, slow: str) -> None:
    script = Images()
    script.children = {"far": (repository(), policy())}
    let_go = script.hanging[slow] = threading.Event()
    timer = threading.Timer(4 * GRACE, let_go.set)
    timer.start()
    outcomes = list(ahead(run, script, source("src"), unit("web"), automation(), *TWO[2:4]))
    timer.join()
    assert script.policies == ["app"]
    assert revisions(outcomes)["web"] == "main@sha1:2"
    names = order(outcomes)
    assert names.index("app") < names.index("bot") < names.index("src") < names.index("web")


@pytest.mark.parametrize("passes", [1, 2])
def test_a_commit_that_is_not_in_git_leaves_the_units_where_they_are(run: Run, passes: int) -> None:
    if passes == 2:
        assert revisions(list(ahead(run, Images(), *TWO)))["web"] == "main@sha1:2"
    script = Images()
    outcomes = list(ahead(run, script, *TWO).outcomes(lambda _: False))
    assert revisions(outcomes) == dict.fromkeys(("src", "web", "other", "far"), "main@sha1:1")
    assert sorted(order(outcomes)) == ["app", "bot", "far", "other", "src", "web"]
    assert "web@sha256:1" in script.given, "what is in the run's folder is what Git has"


def test_nothing_is_automated_when_other_content_is_looked_at(run: Run) -> None:
    documents = (source("src"), unit("web"), repository(), policy(), automation())
    outcomes = list(ahead(run, Images(), *documents, automate=False))
    assert revisions(outcomes) == {"src": "main@sha1:1", "web": "main@sha1:1"}
    assert order(outcomes) == ["src", "web"]


def test_what_an_automation_or_a_policy_names_must_be_there(run: Run) -> None:
    outcomes = list(
        ahead(run, Images(), source("src"), unit("web"), policy(of="none"), automation(of="none"))
    )
    errors = {item.id.name: item.error for item in outcomes if not isinstance(item, Problem)}
    assert "spec.imageRepositoryRef: found 'ImageRepository/ns/none'" in errors["app"]
    assert "spec.sourceRef: found 'GitRepository/ns/none'" in errors["bot"]
    assert errors["web"] == ""


BRANCH: dict[str, Any] = {"checkout": {"ref": {"branch": "main"}}}
FULL_NAME: dict[str, Any] = {"checkout": {"ref": {"name": "refs/heads/main"}}}
MAIN: dict[str, Any] = {"push": {"branch": "main"}}
IMAGES: dict[str, Any] = {"push": {"branch": "images"}}
REVIEW: dict[str, Any] = {"push": {"refspec": "refs/heads/main:refs/for/main"}}


@pytest.mark.parametrize(
    ("one", "other", "together"),
    [
        ({}, BRANCH, True),
        ({}, FULL_NAME, True),
        ({}, MAIN, True),
        (IMAGES, {**BRANCH, **IMAGES}, True),
        (BRANCH, {**FULL_NAME, **MAIN}, True),
        (REVIEW, {**BRANCH, **REVIEW}, True),
        ({"push": {"options": {"a": "", "b": ""}}}, {"push": {"options": {"b": "", "a": ""}}}, True),
        ({}, IMAGES, False),
        (REVIEW, {"push": {**MAIN["push"], **REVIEW["push"]}}, False),
        (IMAGES, {"checkout": {"ref": {"branch": "dev"}}, **IMAGES}, False),
        (IMAGES, {"push": {**IMAGES["push"], "options": {"ci.skip": ""}}}, False),
    ],
    ids=str,
)
def test_automations_share_a_commit_when_they_mean_the_same_branches(
    run: Run, one: dict[str, Any], other: dict[str, Any], together: bool
) -> None:
    script = Images()
    documents = (automation(**one), automation(name="other", **other))
    list(ahead(run, script, source("src", ref={"branch": "main"}), *documents))
    assert sorted(script.groups) == ([["bot", "other"]] if together else [["bot"], ["other"]])
