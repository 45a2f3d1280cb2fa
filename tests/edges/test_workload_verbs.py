"""Commands for workloads on a real Git server: one commit for all that succeed, a reason for each that does not."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import pytest

from tests.support.git_server import GitServer, Repo
from tests.support.image_objects import workload
from tests.support.stack import git_repository
from weir.edges.folders import private_folder
from weir.edges.runs import Run
from weir.edit import workload_commands
from weir.edit.changes import Edited
from weir.edit.find_workload import Found, WorkloadName
from weir.edit.workload_commands import Released
from weir.flow.look import Present
from weir.flow.releases import Wanted, release_command
from weir.flow.session import open_session
from weir.flow.tree import UnitTree
from weir.flow.workload_verbs import Command, Report, Request, find_place, run_request
from weir.spec.documents import Document
from weir.spec.errors import SourceError
from weir.spec.stack import parse_stack

HELM = """apiVersion: helm.toolkit.fluxcd.io/v2
kind: HelmRelease
metadata: {name: cache, namespace: prod}
spec:
  values:
    image:
      repository: org/app   # keep
      tag: 1.0.0
"""


def text(name: str, namespace: str = "prod", **annotations: str) -> str:
    known = {key.replace("_", "."): value for key, value in annotations.items()}
    return workload(namespace, name, [("main", "org/app:1.0.0")], annotations=known)


FILES = {
    "prod/web.yaml": text("web") + "---\n" + text("api"),
    "prod/held.yaml": text("held", **{"fluxcd_io/locked": "true"}),
    "prod/cache.yaml": HELM,
    "overlay/kustomization.yaml": "namespace: staging\nresources: [../base]\n",
    "base/kustomization.yaml": "resources: [job.yaml]\n",
    "base/job.yaml": text("job", ""),
    "one/twice.yaml": text("twice", ""),
    "two/twice.yaml": text("twice", ""),
}


@pytest.fixture
def server(tmp_path: Path) -> Iterator[GitServer]:
    with GitServer(tmp_path / "server") as running:
        yield running


@pytest.fixture
def repo(server: GitServer) -> Repo:
    made = server.repo("apps")
    made.commit(FILES, "first")
    return made


@pytest.fixture
def present(repo: Repo, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Present:
    monkeypatch.setenv("WEIR_CACHE_DIR", str(tmp_path / "cache"))
    config = parse_stack("test", {"cluster": {"kubeconfig": "/nonexistent"}, "objects": "-"}, "test")
    run = Run(private_folder(tmp_path / "runs" / "own"), os.getpid())
    tree = UnitTree()
    tree.declare([Document("stack.yaml", 0, git_repository("apps", repo.url))])
    session = open_session(config, tmp_path, run, lambda _: None)
    return Present(session=session, units=tree.units, owners={}, problems=())


def do(present: Present, command: Command, *names: str, **fields: object) -> Report:
    places = [find_place(present, WorkloadName.parse(name)) for name in names]
    request = Request(**{"title": "Release", "command": command, **fields})  # type: ignore[arg-type]
    return run_request(present, places, request)


def releasing(present: Present, image: str, *, force: bool = False) -> Command:
    return release_command(present, Wanted.parse(image, force=force))


def simply(edit: Callable[[Found], Edited]) -> Command:
    return lambda found: Released(edit(found), ())


def test_all_that_succeed_are_one_commit_and_the_others_have_a_reason(present: Present, repo: Repo) -> None:
    first = repo.head()
    names = ("prod:deployment/web", "prod:deployment/api", "prod:deployment/held", "prod:helmrelease/cache")
    report = do(present, releasing(present, "org/app:1.1.0"), *names, "staging:deployment/job")
    assert [(result.status, result.why) for result in report.results] == [
        ("success", ""),
        ("success", ""),
        ("skipped", "the workload is locked"),
        ("success", ""),
        ("success", ""),
    ]
    assert not report.failed
    moved = {"prod/web.yaml", "prod/cache.yaml", "base/job.yaml"}
    wanted = {name: body.replace("1.0.0", "1.1.0") if name in moved else body for name, body in FILES.items()}
    assert repo.files() == wanted
    assert repo.git("log", "-1", "--format=%P") == first
    assert [done.revision for done in report.commits] == [f"main@sha1:{repo.head()}"]
    title, _, body = repo.git("log", "-1", "--format=%B").partition("\n\n")
    assert title == (
        "Release prod:deployment/web, prod:deployment/api, prod:helmrelease/cache, staging:deployment/job"
    )
    assert "org/app:1.0.0 -> org/app:1.1.0" in body
    assert repo.git("log", "-1", "--format=%an <%ae>") == "Weir <weir@localhost>"


def test_what_is_not_there_or_there_twice_is_skipped_and_fails_when_it_was_named(
    present: Present, repo: Repo
) -> None:
    names, command = ("prod:deployment/none", "prod:deployment/twice"), releasing(present, "org/app:1.1.0")
    report = do(present, command, *names, "prod:deployment/web")
    missing, twice, web = report.results
    assert (missing.status, twice.status, web.status) == ("skipped", "skipped", "success")
    assert "not in the repository" in missing.why
    assert "one/twice.yaml" in twice.why
    assert "two/twice.yaml" in twice.why
    assert report.failed
    assert not do(present, command, *names, everything=True).failed
    assert repo.files()["prod/web.yaml"].count("1.1.0") == 1


def test_an_error_of_one_workload_leaves_the_others(present: Present, repo: Repo) -> None:
    command = releasing(present, "org/app:1.1.0")

    def failing(found: Found) -> Released:
        if found.name.name == "web":
            raise SourceError("no answer")
        return command(found)

    report = do(present, failing, "prod:deployment/web", "prod:deployment/api")
    assert [(result.status, result.why) for result in report.results] == [
        ("failed", "no answer"),
        ("success", ""),
    ]
    assert report.failed
    assert repo.files()["prod/web.yaml"] == text("web") + "---\n" + text("api").replace("1.0.0", "1.1.0")


def test_a_lock_comes_and_goes_without_a_trace(present: Present, repo: Repo) -> None:
    lock = simply(partial(workload_commands.lock, message="audit", user="Jane <jane@example.com>"))
    person = "Jane <jane@example.com>"
    do(present, lock, "prod:deployment/web", title="Lock", user=person, message="wait for the audit")
    assert repo.git("log", "-1", "--format=%s%n%an <%ae>") == f"wait for the audit\n{person}"
    refused = do(present, releasing(present, "org/app:1.1.0"), "prod:deployment/web")
    assert refused.results[0].why == f"the workload is locked by {person}: audit"
    assert not refused.commits
    forced = do(present, releasing(present, "org/app:1.1.0", force=True), "prod:deployment/web", dry_run=True)
    assert '+          image: "org/app:1.1.0"' in forced.commits[0].diff
    assert forced.commits[0].revision == ""
    do(present, simply(workload_commands.unlock), "prod:deployment/web", title="Unlock")
    assert repo.files() == FILES
    again = do(present, simply(workload_commands.unlock), "prod:deployment/web", title="Unlock")
    assert [(result.status, result.why) for result in again.results] == [("skipped", "up to date")]


def test_a_server_that_declines_says_so(present: Present, repo: Repo) -> None:
    first, hook = repo.head(), repo.path / "hooks" / "pre-receive"
    hook.parent.mkdir(exist_ok=True)
    hook.write_text("#!/bin/sh\necho 'main is protected' >&2\nexit 1\n")
    hook.chmod(0o755)
    with pytest.raises(SourceError, match="main is protected"):
        do(present, releasing(present, "org/app:1.1.0"), "prod:deployment/web")
    assert repo.head() == first
