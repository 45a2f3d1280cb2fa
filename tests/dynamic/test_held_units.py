"""Units of the resolve side that somebody suspended by hand: what is remembered of that, and that nothing is pushed."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from components.dynamic.git_repository import TRACKED, GitSyncProvider
from components.dynamic.image_automation import ImageAutomationProvider
from weir.edges.kube.client import Kube
from weir.edges.kube.kubeconfig import load
from weir.edges.kube.records import Records
from weir.edges.runs import Run, unit_file
from weir.flow.outcome import AutomationOutcome, SourceOutcome, encode
from weir.flow.tree import UnitTree
from weir.spec.artifact import Artifact
from weir.spec.documents import Document
from weir.spec.git_repository import GitRepositorySpec
from weir.spec.identity import UnitId
from weir.spec.image_automation import parse_image_automation
from weir.spec.record import UnitRecord

FLEET = UnitId("GitRepository", "ns", "fleet")
BOT = UnitId("ImageUpdateAutomation", "ns", "bot")


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """The run of this very process, in a cache of its own."""
    monkeypatch.setenv("WEIR_CACHE_DIR", str(tmp_path))
    return Run.current()


def document(group: str, unit: UnitId, spec: dict[str, Any]) -> Document:
    head = {"apiVersion": f"{group}.toolkit.fluxcd.io/v1", "kind": unit.kind}
    return Document(
        "t.yaml", 0, {**head, "metadata": {"name": unit.name, "namespace": unit.namespace}, "spec": spec}
    )


def checked(run: Run, *, held: bool, **spec: Any) -> dict[str, Any]:
    """The inputs of a source after `check`, as its component registers it."""
    tree = UnitTree(held=frozenset({FLEET} if held else ()))
    source = document("source", FLEET, {"interval": "1m", "url": "https://h/r", **spec})
    (declared,) = tree.declare([source])
    assert isinstance(declared.spec, GitRepositorySpec)
    artifact = Artifact(revision="main@sha1:1", digest="sha256:1")
    outcome = SourceOutcome(spec=declared.spec, document=source, artifact=artifact)
    run.write_json(unit_file(FLEET), encode(outcome))
    given = {"unit": str(FLEET), "stack": "test", "suspended": "true" if declared.spec.suspend else ""}
    return GitSyncProvider().check({}, dict.fromkeys(TRACKED, "") | given).inputs


def test_hold_is_a_change_of_the_source_and_not_of_its_status(run: Run) -> None:
    free, held = checked(run, held=False), checked(run, held=True)
    provider = GitSyncProvider()
    assert provider.diff("id", free, held).changes
    assert provider.diff("id", held, free).changes
    assert not provider.record(held).suspended
    assert held["revision"] == "main@sha1:1"


def test_source_that_its_spec_suspends_stays_suspended_whatever_hands_do(run: Run) -> None:
    free, held = checked(run, held=False, suspend=True), checked(run, held=True, suspend=True)
    assert free == held
    assert GitSyncProvider().record(held).suspended


def test_automation_that_was_held_after_the_run_looked_pushes_nothing(
    run: Run, kubeconfig: Path, namespace: str
) -> None:
    records = Records(Kube(load(str(kubeconfig))), namespace, "test")
    records.write(UnitRecord(id=BOT, stack="test"))
    records.hold(BOT, "ann, 2026-01-01T00:00:00Z: freeze")
    author = {"author": {"email": "a@b.example"}}
    spec = {"interval": "1m", "sourceRef": {"name": "fleet"}, "git": {"commit": author}}
    automation = document("image", BOT, spec)
    outcome = AutomationOutcome(spec=parse_image_automation(automation), document=automation)
    announced = replace(outcome, commit="2" * 40, branch="main", pending={"never": "read"})
    run.write_json(unit_file(BOT), encode(announced))
    provider = ImageAutomationProvider()
    provider._cluster = json.dumps({"kubeconfig": str(kubeconfig), "recordNamespace": namespace})
    given = {"unit": str(BOT), "stack": "test", "source": str(FLEET), "suspended": ""}
    done = provider.update("id", {"revision": "main@sha1:1"}, provider.check({}, given).inputs)
    assert done.outs is not None
    assert done.outs["revision"] == "main@sha1:1"
    assert "suspended by ann, 2026-01-01T00:00:00Z: freeze; nothing was pushed" in done.outs["error"]


def test_automation_of_which_nobody_knows_whether_it_is_held_pushes_nothing(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    author = {"author": {"email": "a@b.example"}}
    spec = {"interval": "1m", "sourceRef": {"name": "fleet"}, "git": {"commit": author}}
    automation = document("image", BOT, spec)
    outcome = AutomationOutcome(spec=parse_image_automation(automation), document=automation)
    run.write_json(
        unit_file(BOT), encode(replace(outcome, commit="2" * 40, branch="main", pending={"x": "y"}))
    )
    pushed: list[object] = []
    monkeypatch.setattr("weir.flow.image_push.push_commit", lambda *given: pushed.append(given))
    provider = ImageAutomationProvider()
    provider._cluster = json.dumps({"kubeconfig": "/no/such/file"})
    given = {"unit": str(BOT), "stack": "test", "source": str(FLEET), "suspended": ""}
    done = provider.update("id", {}, provider.check({}, given).inputs)
    assert done.outs is not None
    assert pushed == []
    assert "/no/such/file" in done.outs["error"]


@pytest.fixture
def theirs(kubeconfig: Path, namespace: str) -> Records:
    """Records of the stack `prod`, with a source that somebody suspended."""
    records = Records(Kube(load(str(kubeconfig))), namespace, "prod")
    records.write(UnitRecord(id=FLEET, stack="prod", revision="main@sha1:0"))
    records.hold(FLEET, "ann: freeze")
    return records


def test_record_of_another_stack_keeps_what_it_says(run: Run, theirs: Records, kubeconfig: Path) -> None:
    provider = GitSyncProvider()
    provider._cluster = json.dumps({"kubeconfig": str(kubeconfig), "recordNamespace": theirs.namespace})
    done = provider.create(checked(run, held=False))
    assert done.outs is not None
    assert "found it in stack prod, expected stack test" in done.outs["error"]
    provider.delete("id", checked(run, held=False))
    assert theirs.holds() == {FLEET}
    kept = theirs.read(FLEET)
    assert kept
    assert kept.revision == "main@sha1:0"


def test_record_of_the_former_stack_is_taken_over(run: Run, theirs: Records, kubeconfig: Path) -> None:
    provider = GitSyncProvider()
    provider._cluster = json.dumps({"kubeconfig": str(kubeconfig), "recordNamespace": theirs.namespace})
    provider._options = json.dumps({"formerStack": "prod"})
    done = provider.create(checked(run, held=False))
    assert done.outs is not None
    assert done.outs["error"] == ""
    taken = theirs.read(FLEET)
    assert taken
    assert (taken.stack, taken.held) == ("test", "ann: freeze")
