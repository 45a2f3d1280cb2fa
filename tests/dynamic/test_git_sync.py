"""The resolve-side provider: what it answers, and that old states still find it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from pulumi.dynamic.dynamic import serialize_provider

from components.dynamic.git_repository import TRACKED, GitSyncProvider
from weir.edges.runs import Run, unit_file
from weir.flow.outcome import SourceOutcome, encode
from weir.spec.artifact import Artifact
from weir.spec.documents import Document
from weir.spec.git_repository import parse_git_repository

DATA: dict[str, Any] = {
    "apiVersion": "source.toolkit.fluxcd.io/v1",
    "kind": "GitRepository",
    "metadata": {"name": "fleet", "namespace": "flux-system"},
    "spec": {"interval": "1m", "url": "https://git.example.com/fleet.git"},
}
DOCUMENT = Document("fleet.yaml", 0, DATA)
UNIT = "GitRepository/flux-system/fleet"
PROJECT = Path(__file__).resolve().parents[2]


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """The run of this very process, in a cache of its own."""
    monkeypatch.setenv("WEIR_CACHE_DIR", str(tmp_path))
    return Run.current()


def resolved(artifact: Artifact | None, error: str = "") -> dict[str, Any]:
    """What the look ahead leaves for the provider."""
    spec = parse_git_repository(DOCUMENT)
    return encode(SourceOutcome(spec=spec, document=DOCUMENT, artifact=artifact, error=error))


def checked(olds: dict[str, Any] | None = None) -> dict[str, Any]:
    """The inputs that `check` answers with."""
    news = dict.fromkeys(TRACKED, "") | {"unit": UNIT, "url": "https://git.example.com/fleet.git"}
    result = GitSyncProvider().check(olds or {}, news)
    assert result.failures == []
    return result.inputs


def test_check_answers_with_the_revision_of_this_run(run: Run) -> None:
    artifact = Artifact(revision="main@sha1:1111", digest="sha256:2222")
    run.write_json(unit_file(parse_git_repository(DOCUMENT).id), resolved(artifact))
    inputs = checked()
    assert (inputs["revision"], inputs["digest"]) == ("main@sha1:1111", "sha256:2222")


def test_a_moved_revision_is_a_change_and_never_a_replacement() -> None:
    olds = dict.fromkeys(TRACKED, "") | {"revision": "main@sha1:1111"}
    news = olds | {"revision": "main@sha1:2222"}
    found = GitSyncProvider().diff("id", olds, news)
    assert found.changes is True
    assert found.replaces == []
    assert GitSyncProvider().diff("id", olds, olds | {"__provider": "other"}).changes is False


def test_an_outage_is_an_input_and_not_a_failure(run: Run) -> None:
    run.write_json(unit_file(parse_git_repository(DOCUMENT).id), resolved(None, "cannot reach the server"))
    inputs = checked()
    assert inputs["error"] == "cannot reach the server"
    created = GitSyncProvider().create(inputs)
    assert created.outs is not None
    assert created.outs["revision"] == ""


def test_an_outage_leaves_the_last_good_revision_where_it_is_seen(run: Run) -> None:
    run.write_json(unit_file(parse_git_repository(DOCUMENT).id), resolved(None, "cannot reach the server"))
    inputs = checked({"revision": "main@sha1:1111", "digest": "sha256:2222", "verified": "by a key"})
    assert (inputs["revision"], inputs["digest"]) == ("main@sha1:1111", "sha256:2222")
    assert inputs["verified"] == "", "nothing was verified now"


def test_read_gives_inputs_too_so_that_a_refresh_shows_no_change(run: Run) -> None:
    state = dict.fromkeys(TRACKED, "x")
    found = GitSyncProvider().read("id", state)
    assert found.inputs == found.outs == state


def test_the_provider_is_pickled_by_reference_and_equal_in_every_process() -> None:
    text = serialize_provider(GitSyncProvider())
    assert len(text) < 1024
    script = (
        "from pulumi.dynamic.dynamic import serialize_provider;"
        "from components.dynamic.git_repository import GitSyncProvider;"
        "print(serialize_provider(GitSyncProvider()))"
    )
    other = subprocess.run(
        [sys.executable, "-c", script], cwd=PROJECT, capture_output=True, text=True, timeout=60, check=True
    )
    assert other.stdout.strip() == text


def test_the_paths_in_old_states_stay_importable() -> None:
    known = {"components.dynamic.git_repository:GitSyncProvider"}
    assert f"{GitSyncProvider.__module__}:{GitSyncProvider.__qualname__}" in known


def test_loading_a_provider_alone_imports_no_component_and_no_kubernetes_package() -> None:
    script = (
        "import sys, components.dynamic.git_repository;"
        "bad = [m for m in sys.modules if m.startswith(('pulumi_kubernetes', 'components.')) "
        "and not m.startswith('components.dynamic')];"
        "print(bad)"
    )
    other = subprocess.run(
        [sys.executable, "-c", script], cwd=PROJECT, capture_output=True, text=True, timeout=60, check=True
    )
    assert other.stdout.strip() == "[]"
