"""`weir diff`: which plans it shows, what it says about names that it does not know, and how it ends."""

from __future__ import annotations

from pathlib import Path

import pytest

from weir.cli import main
from weir.spec.changes import Action, ChangeSet, ObjectChange
from weir.spec.identity import ObjectId, UnitId
from weir.spec.plan import UnitPlan

CHANGE = ChangeSet((ObjectChange(ObjectId("", "ConfigMap", "prod", "a"), Action.CREATE),), 0)
WEB = UnitPlan(id=UnitId("Kustomization", "flux-system", "web"))
API = UnitPlan(id=UnitId("Kustomization", "flux-system", "api"), changes=CHANGE)
OTHER_WEB = UnitPlan(id=UnitId("Kustomization", "prod", "web"), changes=CHANGE)
FAILED = UnitPlan(id=UnitId("GitRepository", "flux-system", "fleet"), error="the server is down")
PROBLEM = UnitPlan(id=UnitId("Stack", "", "production"), error="a.yaml: no YAML")


@pytest.fixture
def plans(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> list[UnitPlan]:
    """The plans of the stack, for a test to fill."""
    made: list[UnitPlan] = [WEB, API, OTHER_WEB]
    monkeypatch.setenv("WEIR_CACHE_DIR", str(tmp_path))
    monkeypatch.setattr("weir.cli.diff.open_stack", lambda *_: None)
    monkeypatch.setattr("weir.cli.diff.plan_stack", lambda _: iter(made))
    return made


@pytest.mark.parametrize(
    ("words", "code", "shown"),
    [
        ("", 1, [WEB, API, OTHER_WEB]),
        ("Kustomization/flux-system/web", 0, [WEB]),
        ("Kustomization/flux-system/web Kustomization/flux-system/api", 1, [WEB, API]),
        ("kustomization web", 1, [WEB, OTHER_WEB]),
        ("ks web -n flux-system", 0, [WEB]),
        ("kustomizations web api -n flux-system", 1, [WEB, API]),
        ("ks", 1, [WEB, API, OTHER_WEB]),
        ("-n prod", 1, [OTHER_WEB]),
    ],
)
def test_plans_that_are_asked_for_decide(
    words: str, code: int, shown: list[UnitPlan], plans: list[UnitPlan], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["diff", *words.split(), "-s", "production"]) == code
    out = capsys.readouterr().out
    assert [plan for plan in plans if f"{plan.id}\n" in out] == shown


@pytest.mark.parametrize(
    ("words", "name"),
    [
        ("Kustomization/flux-system/nobody", "Kustomization/flux-system/nobody"),
        ("kustomization web nobody", "kustomization nobody"),
        ("ks api -n prod", "ks api"),
        ("source git fleet", "source fleet"),
        ("-n nowhere", "namespace nowhere"),
    ],
)
@pytest.mark.usefixtures("plans")
def test_a_name_that_no_plan_has_is_an_error(
    words: str, name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["diff", *words.split(), "-s", "production"]) == 2
    said = capsys.readouterr().err
    assert said.startswith(f"✗ {name}: found nothing, expected a unit of the stack")
    assert "`weir get all -A`" in said
    assert said.count("\n") == 1


@pytest.mark.parametrize("error", [FAILED, PROBLEM], ids=["source", "stack"])
def test_errors_are_shown_whatever_is_asked_for(
    error: UnitPlan, plans: list[UnitPlan], capsys: pytest.CaptureFixture[str]
) -> None:
    plans[:] = [error, WEB, API]
    assert main(["diff", "kustomization", "web", "-s", "production"]) == 2
    shown = capsys.readouterr()
    assert (error.error in shown.out, shown.err) == (True, "")
    assert str(API.id) not in shown.out


@pytest.mark.usefixtures("plans")
def test_wrong_words_and_folders_are_errors_and_no_changes(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for words in (("--path", str(tmp_path / "nowhere")), ("Kustomization/web",), ("helmrelease", "web")):
        assert main(["diff", *words, "-s", "production"]) == 2
        assert "expected" in capsys.readouterr().err
