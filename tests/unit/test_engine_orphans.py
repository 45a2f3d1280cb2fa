"""Units that the records name and the state does not: looked for in every run, and never left by a destroy."""

from __future__ import annotations

import argparse
import re
from pathlib import Path

import pytest

from weir.cli._engine import Prepared
from weir.cli._orphans import orphan_finder, orphan_refuser
from weir.edges.kube.records import Records
from weir.edges.pulumi.project import EngineError, find_project, read_settings, state_home
from weir.edges.pulumi.state import UNIT_TYPE
from weir.spec.errors import ClusterError
from weir.spec.identity import UnitId
from weir.spec.record import UnitRecord

KUBECONFIG = """
apiVersion: v1
kind: Config
current-context: test
clusters: [{name: test, cluster: {server: "http://127.0.0.1:1"}}]
contexts: [{name: test, context: {cluster: test, user: test}}]
users: [{name: test, user: {}}]
"""


class Remembered:
    """What the cluster's records name, or that they cannot be read."""

    def __init__(self) -> None:
        self.names: list[str] = []
        self.error: ClusterError | None = None
        self.looks = 0

    def read_all(self) -> tuple[UnitRecord, ...]:
        """In place of `Records.read_all`."""
        self.looks += 1
        if self.error:
            raise self.error
        source = UnitRecord(id=UnitId("GitRepository", "flux-system", "apps"), stack="dev")
        return (source, *(UnitRecord(id=unit(name), stack="dev") for name in self.names))


@pytest.fixture
def remembered(monkeypatch: pytest.MonkeyPatch) -> Remembered:
    found = Remembered()
    monkeypatch.setattr(Records, "read_all", found.read_all)
    return found


def unit(name: str) -> UnitId:
    return UnitId("Kustomization", "flux-system", name)


def prepared(folder: Path, *known: str) -> Prepared:
    """A healthy stack whose state holds these units."""
    (folder / "kubeconfig").write_text(KUBECONFIG)
    (folder / "Pulumi.yaml").write_text("name: weir\nruntime: python\n")
    settings = f"config:\n  weir:objects: ./objects\n  weir:cluster: {{kubeconfig: {folder}/kubeconfig}}\n"
    (folder / "Pulumi.dev.yaml").write_text(settings)
    project = find_project(folder)
    return Prepared(
        project=project,
        settings=read_settings(project, "dev", None),
        files=None,
        resources=tuple({"type": UNIT_TYPE, "inputs": {"unit": str(unit(name))}} for name in known),
        lost=False,
        told=(),
    )


def arguments(*targets: str, extra: str = "--continue-on-error") -> argparse.Namespace:
    return argparse.Namespace(stack="dev", target=list(targets), extra=[extra])


def test_a_healthy_state_that_does_not_know_a_unit_is_noticed(tmp_path: Path, remembered: Remembered) -> None:
    remembered.names = ["one", "two", "three"]
    assert orphan_finder(arguments())(prepared(tmp_path, "one", "three")) == {unit("two")}


def test_what_could_not_be_compared_is_compared_by_the_next_run(
    tmp_path: Path, remembered: Remembered, capsys: pytest.CaptureFixture[str]
) -> None:
    remembered.names, remembered.error = ["one", "two"], ClusterError("it is away")
    assert orphan_finder(arguments())(prepared(tmp_path)) == set()
    assert "could not be compared with the state: it is away" in capsys.readouterr().err
    remembered.error = None
    assert orphan_finder(arguments())(prepared(tmp_path, "one")) == {unit("two")}


@pytest.mark.parametrize(
    "args", [arguments(str(unit("one"))), arguments(extra="--target=urn:x"), arguments(extra="-t=urn:x")]
)
def test_a_run_with_targets_leaves_all_others_alone(
    tmp_path: Path, remembered: Remembered, args: argparse.Namespace
) -> None:
    remembered.names = ["one", "two"]
    for look in (orphan_finder(args), orphan_refuser(args)):
        assert look(prepared(tmp_path, "one")) == set()
    assert remembered.looks == 0


def test_a_destroy_that_would_leave_units_is_refused_and_names_them(
    tmp_path: Path, remembered: Remembered
) -> None:
    remembered.names = [f"u{number}" for number in range(8)]
    with pytest.raises(EngineError) as refused:
        orphan_refuser(arguments())(prepared(tmp_path, "u0"))
    assert str(refused.value) == (
        "stack dev: found units in the cluster that its state does not know: Kustomization/flux-system/u1, "
        "Kustomization/flux-system/u2, Kustomization/flux-system/u3, Kustomization/flux-system/u4, "
        "Kustomization/flux-system/u5 and 2 more; nothing was removed; run `weir up` first, which takes them back, "
        "then destroy"
    )
    assert orphan_refuser(arguments())(prepared(tmp_path, *remembered.names)) == set()


def test_a_destroy_that_cannot_compare_is_refused(tmp_path: Path, remembered: Remembered) -> None:
    remembered.error = ClusterError("it is away")
    with pytest.raises(ClusterError, match="it is away"):
        orphan_refuser(arguments())(prepared(tmp_path))


def test_where_states_are_kept_has_one_name_on_every_machine_and_tells_nothing(tmp_path: Path) -> None:
    (tmp_path / "a" / "stacks").mkdir(parents=True)
    (tmp_path / "b").mkdir()
    for name in "ab":
        (tmp_path / name / "Pulumi.yaml").write_text("name: weir\nruntime: python\n")

    def home(folder: str, url: str) -> str:
        return state_home(tmp_path / folder, {"PULUMI_BACKEND_URL": url, "PULUMI_HOME": str(tmp_path)})

    first = home("a/stacks", "s3://states/weir?region=eu-central-1&awssdk=v2")
    assert re.fullmatch("[0-9a-f]{16}", first)
    assert home("b", "s3://states/weir/") == first
    others = [home("a", "s3://states"), home("a", "file://./state"), home("b", "file://./state")]
    assert len({first, *others}) == 4
    assert home("b", f"file://{tmp_path}/a/state") == others[1]
    assert home("a", "") == ""
