"""The CI examples: valid workflows with the least rights, whose commands the command line takes."""

from __future__ import annotations

import argparse
import configparser
import importlib
import re
import shlex
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import pytest
import yaml

from demo.stack import PROJECT
from weir.cli import VERBS, Verb

EXAMPLES: Final = PROJECT / "docs" / "examples"
WORKFLOWS: Final = sorted([*(EXAMPLES / "ci").glob("*.yml"), *(EXAMPLES / "workflows").glob("*.yml")])
UNIT: Final = EXAMPLES / "weir-watch.service"

each_workflow = pytest.mark.parametrize("file", WORKFLOWS, ids=lambda file: str(file.stem))


def workflow(file: Path) -> dict[str, Any]:
    """Every scalar as text: YAML 1.1 takes the key `on` for true."""
    found: dict[str, Any] = yaml.load(file.read_text(), yaml.BaseLoader)  # noqa: TID251 - as explicit as it gets
    return found


def steps(file: Path) -> list[dict[str, Any]]:
    return [step for job in workflow(file)["jobs"].values() for step in job["steps"]]


def commands(script: str) -> Iterator[list[str]]:
    """The words after `weir` of every command of a script, without what the shell does with them."""
    for line in script.replace("\\\n", " ").splitlines():
        for part in re.split(r"&&|\|\||[|;>]| 2>", line):
            if re.match(r"\s*(\S*/)?weir ", part):
                yield shlex.split(part)[1:]


def parse(words: list[str]) -> argparse.Namespace:
    """What the command line makes of a command; SystemExit when it refuses."""
    module: Verb = importlib.import_module(VERBS[words[0]][0])
    parser = argparse.ArgumentParser()
    module.add_arguments(parser)
    return parser.parse_args(words[1:])


@each_workflow
def test_every_command_of_a_workflow_is_one_that_weir_takes(file: Path) -> None:
    found = [words for step in steps(file) for words in commands(step.get("run", ""))]
    assert found
    for words in found:
        assert parse(words).stack == "$STACK"
    assert workflow(file)["env"]["STACK"]


def test_a_command_that_weir_does_not_take_would_be_found() -> None:
    (words,) = commands('.venv/bin/weir up --stack "$STACK" --nonsense || exit 1')
    with pytest.raises(SystemExit):
        parse(words)


@each_workflow
def test_a_workflow_gives_no_more_than_it_must(file: Path) -> None:
    found = workflow(file)
    assert found["permissions"] == {}
    for job in found["jobs"].values():
        assert "write" not in job["permissions"].get("contents", "")
        assert int(job["timeout-minutes"]) <= 60
        assert "environment" in job or "secrets." not in str(job), "secrets belong to an environment"
    for step in steps(file):
        if "uses" in step:
            assert re.fullmatch(r"actions/[a-z-]+@[0-9a-f]{40}", step["uses"]), step
        if step.get("uses", "").startswith("actions/checkout@"):
            assert step["with"]["persist-credentials"] == "false"


@each_workflow
def test_scripts_are_shell_and_nothing_is_pasted_into_them(file: Path) -> None:
    for script in [step["run"] for step in steps(file) if "run" in step]:
        assert "${{" not in script, "an expression in a script is code from outside"
        subprocess.run(["bash", "-n"], input=script, text=True, check=True, timeout=10)


def test_up_waits_for_others_and_is_never_cancelled_halfway() -> None:
    found = workflow(EXAMPLES / "ci" / "up.yml")
    assert found["concurrency"]["cancel-in-progress"] == "false"
    (up,) = [
        words
        for step in steps(EXAMPLES / "ci" / "up.yml")
        for words in commands(step.get("run", ""))
        if words[0] == "up"
    ]
    minutes = parse(up).lock_timeout / 60
    assert 0 < minutes < int(found["jobs"]["up"]["timeout-minutes"])


def test_drift_fails_when_something_would_change_and_writes_nothing() -> None:
    found = [
        words for step in steps(EXAMPLES / "ci" / "drift.yml") for words in commands(step.get("run", ""))
    ]
    (preview,) = found
    assert preview[0] == "preview"
    assert parse(preview).extra == ["--expect-no-changes"]


def test_the_systemd_unit_starts_a_command_that_exists_with_few_rights() -> None:
    unit = configparser.ConfigParser(strict=False, interpolation=None)
    unit.optionxform = str  # type: ignore[assignment, method-assign]
    unit.read_string(UNIT.read_text())
    service = unit["Service"]
    (words,) = commands(service["ExecStart"])
    assert words[0] == "watch"
    assert parse(words).stack == ["production"]
    assert service["User"] == "weir"
    assert service["NoNewPrivileges"] == "yes"
    assert service["CapabilityBoundingSet"] == ""
    assert service["ProtectSystem"] == "strict"
    assert not re.search(r"PASSPHRASE=", UNIT.read_text()), "the passphrase is a credential, not a setting"
