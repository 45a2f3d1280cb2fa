"""How trees, events, logs, figures and rendered objects look."""

from __future__ import annotations

import argparse
import importlib
import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from weir.cli import VERBS, main
from weir.cli.completion import _words
from weir.cli.format_build import masked, ordered
from weir.cli.format_completion import format_completion
from weir.cli.format_events import event_as_data, format_events
from weir.cli.format_logs import LogFilter, format_entry, read_entry
from weir.cli.format_stats import format_stats, stats_as_data
from weir.cli.format_tree import format_tree, tree_as_data
from weir.edges.log_lines import follow_lines, read_lines
from weir.flow.object_tree import Node
from weir.flow.stats import KindStats
from weir.spec.event import Event, Severity
from weir.spec.identity import ObjectId, UnitId
from weir.watch.journal import Journal

NOW = 1_767_232_800.0
"""2026-01-01T02:00:00Z."""
HASH = "67e2c98a" + "0" * 32
FLUX = "kustomize.toolkit.fluxcd.io"
TREE = Node(
    ObjectId(FLUX, "Kustomization", "flux-system", "all"),
    (
        Node(ObjectId("", "Namespace", "", "prod")),
        Node(
            ObjectId(FLUX, "Kustomization", "flux-system", "apps"),
            (
                Node(ObjectId("apps", "Deployment", "prod", "web")),
                Node(ObjectId("", "Service", "prod", "web")),
            ),
        ),
        Node(ObjectId("", "ConfigMap", "prod", "x\x1b[2J")),
    ),
)
ENTRY = {
    "ts": "2026-01-01T01:59:00Z",
    "level": "error",
    "unit": "Kustomization/flux-system/apps",
    "msg": "apply failed",
    "error": "quota\nexceeded",
}


def cells(text: str) -> list[list[str]]:
    return [[cell.strip() for cell in line.split("\t")] for line in text.splitlines()]


def test_a_tree_is_drawn_as_flux_draws_it() -> None:
    assert format_tree(TREE).splitlines() == [
        "Kustomization/flux-system/all",
        "├── Namespace/prod",
        "├── Kustomization/flux-system/apps",
        "│   ├── Deployment/prod/web",
        "│   └── Service/prod/web",
        "└── ConfigMap/prod/x\\x1b[2J",
    ]


def test_a_tree_is_data_too() -> None:
    data = tree_as_data(TREE)
    assert (data["kind"], data["group"], data["namespace"], data["name"]) == (
        "Kustomization",
        FLUX,
        "flux-system",
        "all",
    )
    assert [one["kind"] for one in data["resources"][1]["resources"]] == ["Deployment", "Service"]
    assert "resources" not in data["resources"][0]


def test_events_have_fluxs_columns() -> None:
    event = Event(
        unit=UnitId("Kustomization", "flux-system", "apps"),
        severity=Severity.ERROR,
        reason="HealthCheckFailed",
        message=f"main@sha1:{HASH}: Deployment/prod/web\nis late",
        at="2026-01-01T01:43:00Z",
        stack="prod",
        metadata={"revision": f"main@sha1:{HASH}"},
    )
    row = [
        "17m",
        "Warning",
        "HealthCheckFailed",
        "Kustomization/apps",
        "main@sha1:67e2c98a: Deployment/prod/web, is late",
    ]
    assert cells(format_events([event], NOW)) == [["LAST SEEN", "TYPE", "REASON", "OBJECT", "MESSAGE"], row]
    wide = format_events([event], NOW, all_namespaces=True, header=False)
    assert cells(wide) == [["flux-system", *row]]
    assert event_as_data(event)["type"] == "Warning"


def test_a_line_of_the_log_is_fluxs() -> None:
    said = "2026-01-01T01:59:00Z error Kustomization/apps.flux-system - apply failed quota\\nexceeded\n"
    assert format_entry(ENTRY) == said
    assert format_entry({"ts": "t", "level": "info", "unit": "", "msg": "started"}) == "t info started\n"


@pytest.mark.parametrize(
    ("wanted", "passes"),
    [
        (LogFilter(), True),
        (LogFilter(level="error", kind="kustomization", name="apps", namespace="flux-system"), True),
        (LogFilter(level="info"), False),
        (LogFilter(kind="GitRepository"), False),
        (LogFilter(name="app"), False),
        (LogFilter(namespace="default"), False),
        (LogFilter(since=NOW - 61), True),
        (LogFilter(since=NOW - 59), False),
    ],
    ids=str,
)
def test_a_filter_lets_through_what_is_asked_for(wanted: LogFilter, passes: bool) -> None:
    assert wanted.lets_through(ENTRY) is passes


def test_lines_that_are_no_entries_are_left_out() -> None:
    assert [read_entry(text) for text in ('{"ts": "t"}', '{"ts": ', "[1]", "")] == [
        {"ts": "t"},
        None,
        None,
        None,
    ]


def test_a_log_is_followed_over_its_replacement(tmp_path: Path) -> None:
    file = tmp_path / "a.jsonl"
    assert list(read_lines(file)) == []
    file.write_text("one\ntwo\nhalf")
    assert list(read_lines(file)) == ["one", "two"]
    lines = follow_lines(file)
    assert [next(lines), next(lines), next(lines)] == ["one", "two", None]
    with file.open("a") as more:
        more.write(" a line\n")
    assert _next(lines) == "half a line"
    file.rename(tmp_path / "a.old.jsonl")
    file.write_text("new\n")
    assert _next(lines) == "new"


def _next(lines: object) -> str:
    return next(line for line in lines if line is not None)  # type: ignore[attr-defined, no-any-return]


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("", ["started", "one", "two"]),
        ("--tail 1", ["two"]),
        ("--tail 0", []),
        ("--kind ks --name apps", ["one", "two"]),
        ("--level error", ["two"]),
        ("-A --level error", ["two"]),
        ("--since 1h -n flux-system --tail 1", ["two"]),
        ("--since-time 2999-01-01T00:00:00Z", []),
    ],
)
def test_logs_are_those_of_the_watcher(
    words: str,
    expected: list[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("WEIR_CACHE_DIR", str(tmp_path))
    journal = Journal("prod", quiet=True)
    unit = UnitId("Kustomization", "flux-system", "apps")
    journal.info("started")
    journal.info("one", unit)
    journal.path.rename(journal.path.with_suffix(".old.jsonl"))
    journal.error("two", unit)
    assert main(["logs", *words.split(), "--stack", "prod", "-o", "json"]) == 0
    assert [json.loads(line)["msg"] for line in capsys.readouterr().out.splitlines()] == expected
    assert main(["logs", *words.split(), "--stack", "prod", "-o", "yaml"]) == 0
    assert [entry["msg"] for entry in yaml.safe_load(capsys.readouterr().out) or ()] == expected


def test_a_stack_without_a_watcher_has_no_log(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("WEIR_CACHE_DIR", str(tmp_path))
    assert main(["logs", "--stack", "prod"]) == 1
    assert "`weir watch --stack prod` writes it" in capsys.readouterr().err
    assert main(["logs", "--stack", "../../etc/passwd"]) == 1
    assert "expected letters, digits" in capsys.readouterr().err


def test_figures_have_fluxs_columns() -> None:
    kinds = [
        KindStats(kind="GitRepository", running=2, failing=1, suspended=1, storage=1_300_000),
        KindStats(kind="Kustomization", running=3, failing=0, suspended=0, storage=None),
        KindStats(kind="ImagePolicy", running=0, failing=0, suspended=0, storage=12),
    ]
    assert cells(format_stats(kinds)) == [
        ["RECONCILERS", "RUNNING", "FAILING", "SUSPENDED", "STORAGE"],
        ["GitRepository", "2", "1", "1", "1.2 MiB"],
        ["Kustomization", "3", "0", "0", "-"],
        ["ImagePolicy", "0", "0", "0", "12 B"],
    ]
    assert stats_as_data(kinds[0])["storage"] == 1_300_000


def test_secret_values_are_masked_and_everything_else_is_not() -> None:
    notes = {"kubectl.kubernetes.io/last-applied-configuration": '{"data": "aHVzaA=="}', "a": "b"}
    secret = {
        "apiVersion": "v1",
        "kind": "Secret",
        "type": "Opaque",
        "metadata": {"name": "s", "namespace": "prod", "annotations": notes},
        "data": {"key": "aHVzaA=="},
        "stringData": {"plain": "hush"},
    }
    shown = masked(secret, ())
    assert (shown["data"], shown["stringData"], shown["type"]) == ({"key": "***"}, {"plain": "***"}, "Opaque")
    assert shown["metadata"]["annotations"]["a"] == "b"
    assert "aHVzaA" not in json.dumps(shown)
    assert "hush" not in json.dumps(shown)
    config = {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": "c", "namespace": "prod", "annotations": {"note": "hush"}},
        "data": {"url": "https://me:hush@db"},
    }
    assert masked(config, ()) == config
    assert list(ordered({"data": {}, "kind": "a", "apiVersion": "b"})) == ["apiVersion", "kind", "data"]
    hidden = masked(config, {ObjectId.of(config)})
    assert hidden["metadata"] == {"name": "c", "namespace": "prod"}
    assert hidden["data"] == "***"


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_knows_every_verb_and_its_flags(shell: str) -> None:
    script = format_completion(shell, [_words(name) for name in VERBS])
    for name in VERBS:
        assert name in script
    assert ("-l status-selector" if shell == "fish" else "--status-selector") in script
    assert "kustomizations" in script


def test_a_reader_that_leaves_early_gets_no_complaint() -> None:
    command = [sys.executable, "-m", "weir.cli", "completion", "bash"]
    reading, writing = os.pipe()
    os.close(reading)
    with subprocess.Popen(command, stdout=writing, stderr=subprocess.PIPE) as running:
        os.close(writing)
        assert running.stderr
        assert running.stderr.read() == b""
    assert running.returncode == 128 + signal.SIGPIPE


@pytest.mark.parametrize(
    ("words", "some", "others"),
    [
        ("tr", {"tree", "trace"}, {"get"}),
        ("get --show", {"--show-source"}, set()),
        ("get kust", {"kustomizations", "kustomization"}, set()),
        ("get images ", {"policy", "repository", "update", "all", "--watch"}, {"kustomizations"}),
        ("reconcile ", {"kustomization", "source", "image", "--with-source"}, {"alert", "helmrelease"}),
        ("reconcile image ", {"repository", "policy", "--with-source"}, {"kustomization", "git"}),
        ("suspend -s prod source ", {"git"}, {"kustomization"}),
        ("delete ", {"receiver", "alert-provider", "kustomization"}, set()),
        ("build ku", {"kustomization"}, set()),
        ("create ", {"source", "kustomization", "receiver"}, {"--url", "git"}),
        ("create source ", {"git"}, {"--url", "kustomization"}),
        ("create source git ", {"--url", "--recurse-submodules"}, {"git", "--image"}),
        ("create source git podinfo --ur", {"--url"}, set()),
        ("create image policy web ", {"--select-semver"}, {"--url"}),
        ("watch --", {"--listen", "--metrics"}, {"--slots"}),
        ("nobody ", set(), {"--stack", "get"}),
    ],
)
def test_the_bash_script_completes(words: str, some: set[str], others: set[str], tmp_path: Path) -> None:
    script = format_completion("bash", [_words(name) for name in VERBS])
    ask = 'COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _weir; echo "${COMPREPLY[*]}"'
    file = tmp_path / "weir.bash"
    file.write_text(f"{script}\n{ask}\n")
    typed = ["weir", *words.split(" ")]
    done = subprocess.run(["bash", str(file), *typed], capture_output=True, text=True, check=True)
    offered = set(done.stdout.split())
    assert some <= offered
    assert not others & offered


def test_kinds_are_completed_wherever_a_verb_takes_them() -> None:
    for name in set(VERBS) - {"trace"}:  # which takes all kinds of a cluster
        parser = argparse.ArgumentParser()
        importlib.import_module(VERBS[name][0]).add_arguments(parser)
        words = [action for action in parser._actions if not action.option_strings]
        if any(str(action.metavar).startswith("KIND") for action in words):
            assert "kustomization" in _words(name).words, name
