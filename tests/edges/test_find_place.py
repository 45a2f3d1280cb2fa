"""In which repository a workload is looked for: that of the unit that renders it, a named one, or the only one."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from tests.support.stack import git_repository, kustomization
from weir.edges.folders import private_folder
from weir.edges.runs import Run
from weir.edit.find_workload import WorkloadName
from weir.flow.by_hand import OURSELVES, find_source, target_of
from weir.flow.look import Present
from weir.flow.session import open_session
from weir.flow.tree import UnitTree
from weir.flow.workload_verbs import find_place, rendered_workloads
from weir.spec.documents import Document
from weir.spec.errors import SpecError
from weir.spec.identity import ObjectId, UnitId
from weir.spec.image_automation import Author
from weir.spec.stack import parse_stack

WEB = WorkloadName("prod", "Deployment", "web")
APPS, INFRA = (UnitId("GitRepository", "flux-system", name) for name in ("apps", "infra"))
UNIT, OTHER = (UnitId("Kustomization", "flux-system", name) for name in ("web", "other"))
URL = "https://git.example.com/apps.git"


def present(
    tmp_path: Path, *documents: dict[str, Any], owners: Mapping[ObjectId, tuple[UnitId, ...]] | None = None
) -> Present:
    """A stack that declares these documents."""
    config = parse_stack("test", {"cluster": {}, "objects": "-"}, "test")
    run = Run(private_folder(tmp_path / "runs" / "own"), os.getpid())
    session = open_session(config, tmp_path, run, lambda _: None)
    tree = UnitTree()
    tree.declare(Document("stack.yaml", index, data) for index, data in enumerate(documents))
    assert not tree.problems
    return Present(session=session, units=tree.units, owners=owners or {}, problems=())


def automation(name: str, author: dict[str, str]) -> dict[str, Any]:
    meta = {"name": name, "namespace": "flux-system"}
    git = {"commit": {"author": author}}
    spec = {"interval": "1m", "sourceRef": {"name": "apps"}, "git": git}
    kind = {"apiVersion": "image.toolkit.fluxcd.io/v1", "kind": "ImageUpdateAutomation"}
    return {**kind, "metadata": meta, "spec": spec}


SOURCES = (git_repository("apps", URL), git_repository("infra", "https://git.example.com/infra.git"))
UNITS = (kustomization("web", "apps", "./web"), kustomization("other", "infra", "./other"))


def deployment(name: str = "web") -> ObjectId:
    return ObjectId("apps", "Deployment", "prod", name)


def test_the_unit_that_renders_it_says_where(tmp_path: Path) -> None:
    place = find_place(present(tmp_path, *SOURCES, *UNITS, owners={deployment(): (UNIT,)}), WEB)
    assert (place.source, place.unit, place.path) == (APPS, UNIT, "web")


def test_what_no_unit_renders_is_in_the_only_repository(tmp_path: Path) -> None:
    place = find_place(present(tmp_path, SOURCES[0], UNITS[0]), WEB)
    assert (place.source, place.unit, place.path) == (APPS, None, "")


@pytest.mark.parametrize(
    "owners", [None, {deployment(): (UNIT, OTHER)}], ids=["nobody renders it", "units of two clusters do"]
)
def test_several_repositories_are_named(
    tmp_path: Path, owners: dict[ObjectId, tuple[UnitId, ...]] | None
) -> None:
    stack = present(tmp_path, *SOURCES, *UNITS, owners=owners)
    with pytest.raises(SpecError) as err:
        find_place(stack, WEB)
    assert f"--source namespace/name: {APPS} or {INFRA}" in str(err.value)
    for source, unit in ((APPS, UNIT), (INFRA, OTHER)):
        place = find_place(stack, WEB, source)
        assert (place.source, place.unit) == (source, unit if owners else None)


def test_a_stack_without_repositories_says_so(tmp_path: Path) -> None:
    with pytest.raises(SpecError, match="declare its GitRepository"):
        find_place(present(tmp_path), WEB)


def test_all_workloads_are_those_that_units_render(tmp_path: Path) -> None:
    service = ObjectId("", "Service", "prod", "web")
    owners = dict.fromkeys([deployment("web"), deployment("api"), service], (UNIT,))
    found = rendered_workloads(present(tmp_path, *SOURCES, *UNITS, owners=owners))
    assert [str(name) for name in found] == ["prod:deployment/api", "prod:deployment/web"]


@pytest.mark.parametrize("ref", [{"tag": "v1"}, {"semver": "1.x"}, {"commit": "a" * 40}])
def test_a_source_without_a_branch_is_not_committed_to(tmp_path: Path, ref: dict[str, str]) -> None:
    stack = present(tmp_path, git_repository("apps", URL, ref=ref))
    with pytest.raises(SpecError, match="expected a branch"):
        find_source(stack, APPS)


def test_a_source_that_is_not_declared_is_an_error_that_names_the_others(tmp_path: Path) -> None:
    with pytest.raises(SpecError, match=f"expected {APPS} or {INFRA}"):
        find_source(present(tmp_path, *SOURCES), UnitId("GitRepository", "a", "b"))


def test_the_automation_commits_then_the_person_then_weir(tmp_path: Path) -> None:
    jane, bot = Author(name="Jane", email="jane@example.com"), Author(name="Bot", email="bot@example.com")
    person = "Jane <jane@example.com>"
    stack = present(tmp_path, *SOURCES)
    source = find_source(stack, APPS)
    assert target_of(stack, source, "").author == OURSELVES
    assert target_of(stack, source, person).author == jane
    automated = present(tmp_path, *SOURCES, automation("x", {"name": "Bot", "email": bot.email}))
    assert target_of(automated, source, person).author == bot
    assert target_of(automated, find_source(automated, INFRA), person).author == jane
