"""The resolve-side providers of image automation: what they announce, when they act, and that they never fail."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from pulumi.dynamic.dynamic import serialize_provider

from components.dynamic.image_automation import ImageAutomationProvider
from components.dynamic.image_policy import TRACKED, ImagePolicyProvider
from weir.edges.pulumi.references import OWN, reference
from weir.edges.runs import Run, unit_file
from weir.flow.outcome import AutomationOutcome, PolicyOutcome, encode
from weir.spec.documents import Document
from weir.spec.identity import UnitId
from weir.spec.image_automation import parse_image_automation
from weir.spec.image_policy import parse_image_policy

BOT = UnitId("ImageUpdateAutomation", "ns", "bot")
GONE = "https://127.0.0.1:1/team/app.git"


def document(kind: str, name: str, spec: dict[str, Any], group: str = "image") -> Document:
    head = {"apiVersion": f"{group}.toolkit.fluxcd.io/v1", "kind": kind}
    return Document("i.yaml", 0, {**head, "metadata": {"name": name, "namespace": "ns"}, "spec": spec})


POLICY = document(
    "ImagePolicy", "app", {"imageRepositoryRef": {"name": "app"}, "policy": {"alphabetical": {}}}
)
AUTOMATION = document(
    "ImageUpdateAutomation",
    "bot",
    {"interval": "1m", "sourceRef": {"name": "src"}, "git": {"commit": {"author": {"email": "a@b.example"}}}},
)
SOURCE = document("GitRepository", "src", {"interval": "1m", "url": GONE, "timeout": "1s"}, "source")


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """The run of this very process, in a cache of its own."""
    monkeypatch.setenv("WEIR_CACHE_DIR", str(tmp_path))
    return Run.current()


def announce(run: Run, **found: Any) -> dict[str, Any]:
    """The inputs after `check` of an automation that found this."""
    outcome = AutomationOutcome(spec=parse_image_automation(AUTOMATION), document=AUTOMATION, **found)
    run.write_json(unit_file(BOT), encode(outcome))
    given = {"unit": str(BOT), "stack": "test", "source": "GitRepository/ns/src", "suspended": ""}
    return ImageAutomationProvider().check({}, given).inputs


@pytest.mark.parametrize("provider", [ImagePolicyProvider, ImageAutomationProvider])
def test_the_state_names_them_by_reference(provider: type[Any]) -> None:
    assert reference(serialize_provider(provider())) in OWN


def test_a_policy_announces_its_image(run: Run) -> None:
    outcome = PolicyOutcome(
        spec=parse_image_policy(POLICY), document=POLICY, image="app:2", reason="app:3 waits"
    )
    run.write_json(unit_file(outcome.id), encode(outcome))
    news = dict.fromkeys(TRACKED, "") | {"unit": str(outcome.id)}
    inputs = ImagePolicyProvider().check({}, news).inputs
    assert (inputs["image"], inputs["reason"], inputs["error"]) == ("app:2", "app:3 waits", "")
    assert ImagePolicyProvider().diff("id", {**inputs, "image": "app:1"}, inputs).changes
    assert not ImagePolicyProvider().diff("id", inputs, inputs).changes


def test_an_automation_acts_when_a_commit_or_a_proposal_waits(run: Run) -> None:
    provider = ImageAutomationProvider()
    calm = announce(run)
    outputs = {**calm, "revision": "main@sha1:1", "proposed": "a", "pull_request": "https://forge/1"}
    assert not provider.diff("id", outputs, calm).changes
    waiting = announce(run, commit="2" * 40, branch="main")
    assert waiting["commit"] == f"main@sha1:{'2' * 40}"
    assert provider.diff("id", outputs, waiting).changes
    assert provider.diff("id", outputs, announce(run, proposal="b")).changes
    assert not provider.diff("id", outputs, announce(run, proposal="a")).changes, "it is open already"
    assert provider.diff("id", {**outputs, "error": "refused"}, calm).changes, "the error is over"


def test_a_push_that_fails_is_an_output_and_leaves_the_rest(
    run: Run, kubeconfig: Path, namespace: str
) -> None:
    update = {"ref": "refs/heads/main", "commit": "2" * 40, "old": "1" * 40}
    prepared = {
        "commit": "2" * 40,
        "base": "1" * 40,
        "raw": "",
        "diff": "",
        "artifact": {"revision": f"main@sha1:{'2' * 40}", "digest": "sha256:2"},
        "same_branch": True,
        "published": False,
        "updates": [update],
    }
    documents = [[one.file, one.index, one.data] for one in (SOURCE, AUTOMATION)]
    news = announce(
        run, commit="2" * 40, branch="main", pending={"prepared": prepared, "documents": documents}
    )
    provider = ImageAutomationProvider()
    provider._cluster = json.dumps({"kubeconfig": str(kubeconfig), "recordNamespace": namespace})
    done = provider.update("id", {"revision": "main@sha1:1"}, news)
    assert done.outs is not None
    assert done.outs["revision"] == "main@sha1:1"
    assert "i.yaml: ImageUpdateAutomation/ns/bot" in done.outs["error"]
    assert "127.0.0.1:1" in done.outs["error"]
