"""The example workflow's own scripts: the plan of a pull request's ref, and one comment that is kept up to date."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any, Final

import pytest
import yaml

from demo.stack import PROJECT
from tests.support.world import World, config_map

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(300)]

WORKFLOW: Final = PROJECT / "docs" / "examples" / "workflows" / "preview.yml"
EVIL: Final = """apiVersion: v1
kind: ConfigMap
metadata: {name: web, namespace: %s}
data: {A: '2', B: '| @team <b>'}
"""
GH: Final = """#!/bin/sh
# stands where GitHub's command line stands: notes what it was asked, answers with the comments of a file
echo "$*" >> "$LOG"
case "$*" in *--paginate*) shift 4; jq -r "$1" < "$COMMENTS" ;; esac
"""


def step(job: str, name: str) -> str:
    """The script of a step."""
    found: dict[str, Any] = yaml.safe_load(WORKFLOW.read_text())
    return next(str(item["run"]) for item in found["jobs"][job]["steps"] if item.get("name") == name)


def bash(script: str, folder: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run a script as a GitHub runner does."""
    return subprocess.run(
        ["bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", script],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def checkout(world: World, folder: Path) -> Path:
    """A base branch's checkout with its virtual environment and its settings."""
    (folder / ".venv" / "bin").mkdir(parents=True)
    (folder / ".venv" / "bin" / "weir").symlink_to(Path(sys.executable).parent / "weir")
    (folder / "stacks").mkdir()
    settings = yaml.safe_load(world.stack.config_file.read_text())
    del settings["config"]["weir:cluster"]["kubeconfig"]
    (folder / "stacks" / world.stack.config_file.name).write_text(yaml.safe_dump(settings))
    (folder / "temp").mkdir()
    return folder


def plan(world: World, folder: Path) -> tuple[dict[str, str], str]:
    """Run the step `Plan` for pull request 7: its outputs, and the plan."""
    outputs, temp = folder / "outputs", folder / "temp"
    environment = {key: value for key, value in world.stack.environment().items() if key != "KUBECONFIG"}
    done = bash(
        step("plan", "Plan"),
        folder,
        **environment,
        STACK=world.stack.name,
        SOURCE=f"GitRepository/{world.flux}/apps",
        NUMBER="7",
        KUBECONFIG_TEXT=world.kubeconfig.read_text(),
        RUNNER_TEMP=str(temp),
        GITHUB_OUTPUT=str(outputs),
        GITHUB_STEP_SUMMARY=str(folder / "summary"),
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert not (temp / "kubeconfig").exists()
    found = dict(line.split("=", 1) for line in outputs.read_text().splitlines())
    text = (temp / "plan.md").read_text()
    assert (folder / "summary").read_text() == text
    return found, text


def test_the_plan_of_a_pull_request_is_that_of_its_ref(world: World, tmp_path: Path) -> None:
    ns = world.namespace
    world.commit({"web/all.yaml": [config_map(ns, "web", A="1")]})
    world.units(web="./web")
    world.stack.up().must()
    world.repo.commit({"web/all.yaml": EVIL % ns}, ref="refs/pull/7/head")
    before = world.versions()
    outputs, text = plan(world, checkout(world, tmp_path / "base"))
    assert outputs == {"code": "1"}
    assert text.startswith("<!-- weir diff -->")
    assert f"`ConfigMap/{ns}/web`" in text
    assert "| `data.A` | `1` | `2` |" in text
    assert "`\\| @team <b>`" in text, "what is not ours stays inside a code span"
    assert "refs/pull/7/head@sha1:" in text
    assert world.versions() == before


def test_a_pull_request_that_cannot_be_rendered_is_told_apart(world: World, tmp_path: Path) -> None:
    world.commit({"web/all.yaml": [config_map(world.namespace, "web", A="1")]})
    world.units(web="./web")
    world.repo.commit({"web/all.yaml": "kind: [unreadable"}, ref="refs/pull/7/head")
    outputs, text = plan(world, checkout(world, tmp_path / "base"))
    assert outputs == {"code": "2"}
    assert "failed" in text
    assert "web/all.yaml" in text


@pytest.mark.skipif(shutil.which("jq") is None, reason="GitHub's runners have jq, this machine does not")
@pytest.mark.parametrize(
    ("comments", "asked"),
    [
        ([], "--method POST repos/o/r/issues/7/comments"),
        (
            [("someone", "<!-- weir diff -->"), ("github-actions[bot]", "hello")],
            "--method POST repos/o/r/issues/7",
        ),
        (
            [("github-actions[bot]", "<!-- weir diff -->\nold")],
            "--method PATCH repos/o/r/issues/comments/100",
        ),
    ],
)
def test_one_comment_is_written_and_then_updated(
    tmp_path: Path, comments: list[tuple[str, str]], asked: str
) -> None:
    (tmp_path / "plan.md").write_text('<!-- weir diff -->\n"quoted" `code`\n')
    found = [{"id": 100 + n, "user": {"login": who}, "body": body} for n, (who, body) in enumerate(comments)]
    (tmp_path / "comments.json").write_text(json.dumps(found))
    gh = tmp_path / "bin" / "gh"
    gh.parent.mkdir()
    gh.write_text(GH)
    gh.chmod(0o755)
    log = tmp_path / "log"
    done = bash(
        step("comment", "Write or update the comment"),
        tmp_path,
        PATH=f"{gh.parent}{os.pathsep}{os.environ['PATH']}",
        LOG=str(log),
        COMMENTS=str(tmp_path / "comments.json"),
        GITHUB_REPOSITORY="o/r",
        NUMBER="7",
    )
    assert done.returncode == 0, done.stderr
    assert log.read_text().splitlines()[-1].startswith(f"api {asked}")
    assert json.loads((tmp_path / "comment.json").read_text())["body"] == (tmp_path / "plan.md").read_text()
