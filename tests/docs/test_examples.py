"""The examples are what they say: stacks parse, roles are exact, the workflow treats a pull request as data."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path
from typing import Any, Final

import pytest
import yaml

from demo.stack import PROJECT
from weir.flow.load import load_folder
from weir.flow.settings import read_settings_file
from weir.flow.tree import UnitTree

EXAMPLES: Final = PROJECT / "docs" / "examples"
WORKFLOW: Final = EXAMPLES / "workflows" / "preview.yml"
ROLES: Final = sorted((EXAMPLES / "roles").glob("*.yaml"))
READS: Final = {"get", "list", "watch"}
_BLOCK: Final = re.compile(r"^```yaml\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def workflow() -> dict[str, Any]:
    """The workflow with every scalar as text: YAML 1.1 takes the key `on` for true."""
    found: dict[str, Any] = yaml.load(WORKFLOW.read_text(), yaml.BaseLoader)  # noqa: TID251 - as explicit as it gets
    return found


def steps() -> list[dict[str, Any]]:
    return [step for job in workflow()["jobs"].values() for step in job["steps"]]


def rules(file: Path) -> list[dict[str, Any]]:
    documents = [item for item in yaml.safe_load_all(file.read_text()) if item]
    return [rule for item in documents for rule in item.get("rules") or () if item["kind"].endswith("Role")]


def everywhere(file: Path) -> list[dict[str, Any]]:
    """The rules that hold in all namespaces."""
    documents = [item for item in yaml.safe_load_all(file.read_text()) if item]
    return [rule for item in documents if item["kind"] == "ClusterRole" for rule in item["rules"]]


def test_flux_documents_of_examples_and_stacks_parse() -> None:
    for folder in (EXAMPLES / "stack", PROJECT / "stacks" / "production", PROJECT / "stacks" / "staging"):
        loaded = load_folder(folder)
        assert not loaded.problems
        tree = UnitTree()
        assert len(tree.declare(loaded.documents)) == 2
        assert not tree.problems


def test_the_example_stack_is_that_of_the_checkout_but_for_its_address() -> None:
    ours, theirs = (
        list(yaml.safe_load_all((folder / "fleet.yaml").read_text()))
        for folder in (EXAMPLES / "stack", PROJECT / "stacks" / "production")
    )
    ours[0]["spec"]["url"] = theirs[0]["spec"]["url"]
    assert ours == theirs


def test_settings_shown_on_pages_are_read(tmp_path: Path) -> None:
    shown = 0
    for page in (PROJECT / "docs").glob("*.md"):
        for block in _BLOCK.findall(page.read_text()):
            if block.startswith("config:"):
                file = tmp_path / "Pulumi.a.yaml"
                file.write_text(block if "weir:objects" in block else f"{block}  weir:objects: a\n")
                read_settings_file("a", file)
                shown += 1
    assert shown >= 2


@pytest.mark.parametrize("file", ROLES, ids=lambda file: str(file.stem))
def test_roles_name_what_they_allow(file: Path) -> None:
    assert rules(file)
    for rule in rules(file):
        assert "*" not in rule["verbs"]
        assert "*" not in rule["apiGroups"]
        assert rule["apiGroups"] != [""] or "*" not in rule["resources"], (
            "core includes Secrets and pods/exec"
        )
        assert not {"update", "deletecollection"} & set(rule["verbs"])


def test_only_the_roles_for_it_write_or_read_secrets() -> None:
    allowed = {file.stem: {verb for rule in rules(file) for verb in rule["verbs"]} for file in ROLES}
    assert allowed["preview"] == {"get", "list"}
    assert allowed["preview-secrets"] == {"get"}
    assert allowed["preview-dry-run"] == {"create", "patch"}
    assert allowed["watcher"] == READS | {"create", "patch", "delete"}
    for rule in everywhere(EXAMPLES / "roles" / "watcher.yaml"):
        assert set(rule["verbs"]) <= READS, "it writes in its own namespace only"
    assert allowed["apply"] == READS | {"create", "patch", "delete", "escalate", "bind", "impersonate"}
    secrets = {file.stem for file in ROLES for rule in rules(file) if "secrets" in rule["resources"]}
    assert secrets == {"preview-secrets", "apply", "watcher"}


def test_the_dry_run_role_leaves_out_what_no_policy_watches_over() -> None:
    groups = {
        group for rule in rules(EXAMPLES / "roles" / "preview-dry-run.yaml") for group in rule["apiGroups"]
    }
    assert not {"admissionregistration.k8s.io", "rbac.authorization.k8s.io"} & groups


def test_the_workflow_checks_out_the_base_and_nothing_else() -> None:
    assert list(workflow()["on"]) == ["pull_request_target"]
    checkouts = [step["with"] for step in steps() if step.get("uses", "").startswith("actions/checkout@")]
    assert [item["ref"] for item in checkouts] == ["${{ github.event.pull_request.base.sha }}"]
    assert checkouts[0]["persist-credentials"] == "false"
    text = WORKFLOW.read_text()
    assert "pull_request.head.sha" not in text
    assert "pull_request.head.ref" not in text


def test_the_workflow_has_the_least_rights() -> None:
    found = workflow()
    assert found["permissions"] == {}
    assert {name: job["permissions"] for name, job in found["jobs"].items()} == {
        "plan": {"contents": "read"},
        "comment": {"pull-requests": "write"},
    }
    with_secrets = [name for name, job in found["jobs"].items() if "secrets." in str(job)]
    assert with_secrets == ["plan"]
    assert "head.repo.full_name == github.repository" in found["jobs"]["plan"]["if"]


def test_actions_are_pinned_by_commit() -> None:
    used = [step["uses"] for step in steps() if "uses" in step]
    assert len(used) == 4
    for name in used:
        assert re.fullmatch(r"actions/[a-z-]+@[0-9a-f]{40}", name), name


@pytest.mark.parametrize("step", [step for step in steps() if "run" in step], ids=lambda step: step["name"])
def test_scripts_are_shell_and_nothing_is_pasted_into_them(step: dict[str, Any]) -> None:
    assert "${{" not in step["run"], "an expression in a script is code from outside"
    subprocess.run(["bash", "-n"], input=step["run"], text=True, check=True, timeout=10)
