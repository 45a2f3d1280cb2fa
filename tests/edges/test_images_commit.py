"""One commit of several automations, on a real Git server: who carries it, and what a mistake in one of them spoils."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import pytest

from tests.support.git_server import GitServer, Repo
from tests.support.image_edits import Listed
from weir.edges.store import Store
from weir.flow.clusters import Clusters
from weir.flow.image_push import push_commit
from weir.flow.image_work import ImageWorker, Policies
from weir.flow.outcome import AutomationOutcome, SourceOutcome
from weir.flow.tree import Declared
from weir.spec.artifact import Artifact
from weir.spec.documents import Document
from weir.spec.errors import ClusterError, StopRequested
from weir.spec.git_repository import parse_git_repository
from weir.spec.identity import UnitId
from weir.spec.image_automation import parse_image_automation
from weir.spec.stack import StackConfig, parse_stack

LINE = 'image: org/app:{} # {{"$imagepolicy": "flux:app"}}\n'
OLD, NEW = LINE.format("1.0.0"), LINE.format("1.1.0")
MOVE = "flux:app  org/app:1.0.0 -> org/app:1.1.0"
PULL = {"weir.dev/pull-request": "gitea", "weir.dev/pull-request-secret": "forge"}
IMAGES: dict[str, Any] = {"push": {"branch": "images"}}
MISTAKES: dict[str, tuple[dict[str, Any], str]] = {
    "a path that is gone": ({"update": {"path": "./gone"}}, "spec.update.path: found 'gone'"),
    "an unknown field": ({"commit": {"messageTemplate": "{{ .Nope }}"}}, "Nope"),
    "no signing key": ({"commit": {"signingKey": {"secretRef": {"name": "none"}}}}, "Secret/flux/none"),
}


class Secretless:
    """A cluster without a single Secret."""

    stopped = False

    def secret(self, namespace: str, name: str) -> Mapping[str, bytes]:
        if self.stopped:
            raise StopRequested("stopped")
        raise ClusterError(f"Secret/{namespace}/{name}: found nothing")


def automation(
    name: str, annotations: dict[str, str] | None = None, git: dict[str, Any] | None = None, **given: Any
) -> Declared:
    commit = {"author": {"email": f"{name}@example.com"}, **given.pop("commit", {})}
    spec = {
        "interval": "1m",
        "sourceRef": {"name": "apps"},
        "git": {"commit": commit, **(git or {})},
        "update": {"path": f"./{name}"},
        **given,
    }
    kind = {"apiVersion": "image.toolkit.fluxcd.io/v1", "kind": "ImageUpdateAutomation"}
    meta = {"name": name, "namespace": "flux", "annotations": annotations or {}}
    document = Document("i.yaml", 0, {**kind, "metadata": meta, "spec": spec})
    return Declared(spec=parse_image_automation(document), document=document, parent="")


class Room:
    """A repository with a folder for each automation, and a run that automates."""

    def __init__(self, repo: Repo) -> None:
        self.repo = repo
        self.config: StackConfig = parse_stack("test", {"cluster": {}, "objects": "."}, "Pulumi.test.yaml")
        self.cluster = Secretless()
        self.files = {f"{name}/app.yaml": OLD for name in ("a", "b", "c")}
        repo.commit(self.files, "first")
        kind = {"apiVersion": "source.toolkit.fluxcd.io/v1", "kind": "GitRepository"}
        spec = {"url": repo.url, "interval": "1m", "ref": {"branch": "main"}}
        head = {"metadata": {"name": "apps", "namespace": "flux"}, "spec": spec}
        document = Document("s.yaml", 0, {**kind, **head})
        artifact = Artifact(revision=f"main@sha1:{repo.head()}", digest="sha256:1")
        self.source = SourceOutcome(spec=parse_git_repository(document), document=document, artifact=artifact)

    @property
    def clusters(self) -> Clusters:
        return cast("Clusters", self.cluster)

    def automate(self, *group: Declared) -> dict[str, AutomationOutcome]:
        worker = ImageWorker(self.config, self.clusters, Store.default())
        policies = cast("Policies", {UnitId("ImagePolicy", "flux", "app"): Listed()})
        done = worker.automate(group, self.source, policies, ())
        return {outcome.id.name: outcome for outcome in done.outcomes}

    def push(self, found: Mapping[str, AutomationOutcome]) -> None:
        """Push what the one that carries the commit has."""
        (carrier,) = (outcome for outcome in found.values() if outcome.pending)
        assert push_commit(carrier, self.config, self.clusters) == f"{carrier.branch}@sha1:{carrier.commit}"

    def changed(self, *names: str) -> dict[str, str]:
        """The files once the folders of these automations follow."""
        return self.files | {f"{name}/app.yaml": NEW for name in names}


@pytest.fixture
def room(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Room]:
    monkeypatch.setenv("WEIR_CACHE_DIR", str(tmp_path / "cache"))
    with GitServer(tmp_path / "server") as server:
        yield Room(server.repo("apps"))


def test_one_automation_carries_the_commit_of_all(room: Room) -> None:
    found = room.automate(automation("a"), automation("b"), automation("c", suspend=True))
    assert (found["a"].error, found["a"].changes) == ("", (f"{MOVE}  (2 places)",))
    assert found["a"].diff.count("+image: org/app:1.1.0") == 2
    others = [(one.commit, one.pending, one.before, one.error) for name, one in found.items() if name != "a"]
    assert others == [("", {}, {}, "")] * 2, "nothing to push for them"
    room.push(found)
    assert room.repo.files() == room.changed("a", "b")


@pytest.mark.parametrize(
    ("bad", "mistake"),
    [
        ("a", "a path that is gone"),
        ("c", "a path that is gone"),
        ("b", "an unknown field"),
        ("a", "no signing key"),
    ],
)
def test_a_mistake_in_one_automation_leaves_the_others(room: Room, bad: str, mistake: str) -> None:
    given, error = MISTAKES[mistake]
    good = sorted({"a", "b", "c"} - {bad})
    found = room.automate(*(automation(name, **(given if name == bad else {})) for name in "abc"))
    assert error in found[bad].error
    assert [found[name].error for name in good] == ["", ""]
    assert (found[bad].pending, found[good[0]].changes) == ({}, (f"{MOVE}  (2 places)",))
    room.push(found)
    assert room.repo.files() == room.changed(*good)


def test_each_of_several_mistakes_is_told_where_it_was_made(room: Room) -> None:
    errors = dict(zip("abc", reversed(MISTAKES.values()), strict=True))
    bad = [automation(name, **given) for name, (given, _) in errors.items()]
    found = room.automate(*bad, automation("d", suspend=True))
    assert [name for name, (_, error) in errors.items() if error not in found[name].error] == []
    assert found["d"].error == ""
    assert not [one for one in found.values() if one.pending]


def test_a_source_that_is_away_is_an_error_of_all_that_would_write(room: Room) -> None:
    room.source = replace(room.source, artifact=None, error="away")
    found = room.automate(automation("a"), automation("b"), automation("c", suspend=True))
    assert ["away" in one.error for one in found.values()] == [True, True, False]


def test_a_run_that_is_cancelled_is_no_mistake_of_an_automation(room: Room) -> None:
    room.cluster.stopped = True
    with pytest.raises(StopRequested):
        room.automate(automation("a", **MISTAKES["no signing key"][0]), automation("b"))


@pytest.mark.parametrize(
    ("who", "writing", "carrier"),
    [("a", "abc", "a"), ("b", "abc", "b"), ("bc", "abc", "b"), ("bc", "ac", "c"), ("b", "ac", "b")],
)
def test_who_wants_a_pull_request_carries_the_commit(
    room: Room, who: str, writing: str, carrier: str
) -> None:
    room.files |= {f"{name}/app.yaml": NEW for name in "abc" if name not in writing}
    room.repo.commit(room.files, "some have it")
    group = [automation(name, PULL if name in who else None, IMAGES) for name in "abc"]
    found = room.automate(*group)
    assert [one.error for one in found.values()] == [""] * 3
    assert [name for name, one in found.items() if one.pending] == [carrier]
    assert [name for name, one in found.items() if one.proposal] == [carrier]
    assert found[carrier].proposal == found[carrier].commit
    room.push(found)
    assert room.repo.files("images") == room.changed(*writing)
    again = room.automate(*group)
    assert {one.commit for one in again.values()} == {""}, "it is pushed"
    assert [name for name, one in again.items() if one.proposal] == [carrier]


def test_a_pull_request_from_a_branch_to_itself_is_refused_for_each(room: Room) -> None:
    main: dict[str, Any] = {"push": {"branch": "main"}}
    found = room.automate(automation("a"), automation("b", PULL, main), automation("c", None, main))
    assert "spec.git.push.branch: found 'main'" in found["b"].error
    assert (found["a"].error, found["c"].error) == ("", "")
    room.push(found)
    assert room.repo.files() == room.changed("a", "c")
