"""`weir get`: which units are meant, in which form they are shown, and colour."""

from __future__ import annotations

import io
import json
from dataclasses import replace

import pytest
import yaml

from weir.cli._kinds import kind_of, read_selection
from weir.cli._show import as_data, painted, wants_colour
from weir.cli._status_selector import StatusSelector
from weir.cli.format_age import since
from weir.cli.format_get import Columns, format_found, record_as_data, repository_as_data
from weir.flow.image_status import RepositoryStatus
from weir.spec.errors import SpecError
from weir.spec.identity import ObjectId, UnitId
from weir.spec.record import Condition, HistoryEntry, UnitRecord

COMMIT = "67e2c98a" + "0" * 32
NOW = 1_767_232_800.0
"""2026-01-01T02:00:00Z."""
APPS = UnitRecord(
    id=UnitId("Kustomization", "flux-system", "apps"),
    stack="prod",
    source="GitRepository/flux-system/fleet",
    revision=f"main@sha1:{COMMIT}",
    attempted=f"main@sha1:{COMMIT}",
    inventory=((ObjectId("apps", "Deployment", "prod", "web"), "v1"),),
    ready=Condition(
        status="True", reason="ReconciliationSucceeded", message="fine", at="2026-01-01T00:00:00Z"
    ),
    history=(
        HistoryEntry(
            revision=f"main@sha1:{COMMIT}",
            digest="sha256:aa",
            status="ReconciliationSucceeded",
            count=3,
            started="2026-01-01T00:00:00Z",
            duration=1.5,
        ),
    ),
)


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize(
    ("words", "meant", "not_meant"),
    [
        ("kustomizations", "Kustomization/a/x", "GitRepository/a/x"),
        ("ks x", "Kustomization/a/x", "Kustomization/a/y"),
        ("kustomization x", "Kustomization/a/x", "Kustomization/b/x"),
        ("sources", "GitRepository/a/x", "Kustomization/a/x"),
        ("source git x", "GitRepository/a/x", "GitRepository/a/y"),
        ("images policy", "ImagePolicy/a/x", "ImageRepository/a/x"),
        ("image update x", "ImageUpdateAutomation/a/x", "ImageUpdateAutomation/a/y"),
        ("images all", "ImageRepository/a/x", "Kustomization/a/x"),
        ("all", "GitRepository/a/x", "ImageRepository/a/x"),
    ],
)
def test_words_mean_kinds_and_names(words: str, meant: str, not_meant: str) -> None:
    selection = read_selection("weir get", words.split(), "a")
    assert UnitId.parse(meant) in selection
    assert UnitId.parse(not_meant) not in selection


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("helmreleases", "sources"),
        ("sources oci", "all or git"),
        ("images web", "policy"),
        ("all web", "nothing"),
    ],
)
def test_other_words_are_refused(words: str, expected: str) -> None:
    with pytest.raises(SpecError, match=expected):
        read_selection("weir get", words.split())


def test_a_kind_is_known_by_its_short_name_too() -> None:
    words = ("ks", "kustomization", "Kustomization", "gitrepository", "Deployment")
    assert [kind_of(word) for word in words] == [
        "Kustomization",
        "Kustomization",
        "Kustomization",
        "GitRepository",
        "Deployment",
    ]


@pytest.mark.parametrize(
    ("text", "passes"),
    [
        ("ready=true", {"True"}),
        ("Ready=False", {"False"}),
        ("ready!=true", {"False", "Unknown"}),
        ("ready=unknown", {"Unknown"}),
    ],
)
def test_a_status_selector_chooses_by_state(text: str, passes: set[str]) -> None:
    selector = StatusSelector.parse(text)
    assert {status for status in ("True", "False", "Unknown") if selector.lets_through(status)} == passes


@pytest.mark.parametrize("text", ["ready", "ready==true", "healthy=true", "ready=maybe", "ready=true "])
def test_a_status_selector_of_another_form_is_refused(text: str) -> None:
    with pytest.raises(SpecError, match="ready=false"):
        StatusSelector.parse(text)


def test_wide_adds_source_objects_and_age() -> None:
    [table] = format_found([APPS], [], Columns(wide=True), NOW)
    titles, row = ([cell.strip() for cell in line.split("\t")] for line in table.splitlines())
    assert titles[5:] == ["SOURCE", "OBJECTS", "AGE"]
    assert row[5:] == ["GitRepository/flux-system/fleet", "1", "2h"]


def test_json_and_yaml_say_the_same() -> None:
    value = [record_as_data(APPS)]
    assert json.loads(as_data(value, "json")) == value
    assert yaml.safe_load(as_data(value, "yaml")) == value
    assert (value[0]["ready"], value[0]["objects"]) == ("True", ["Deployment/prod/web"])
    assert value[0]["history"][0]["seconds"] == 1.5


def test_a_time_that_is_none_has_no_age() -> None:
    assert [since(text, NOW) for text in ("", "soon", "2026-01-01T00:00:00")] == ["", "", ""]


def test_colour_is_for_terminals_whose_owner_wants_it() -> None:
    assert wants_colour(Terminal(), {})
    assert not wants_colour(io.StringIO(), {})
    assert not wants_colour(Terminal(), {"NO_COLOR": "1"})
    assert not wants_colour(Terminal(), {"TERM": "dumb"})


def test_colour_goes_to_states_and_marks_and_changes_no_letter() -> None:
    [table] = format_found([APPS], [], Columns(all_namespaces=True), NOW)
    shown = painted(table)
    assert "\x1b[32mTrue" in shown
    assert "\x1b[33mFalse" not in shown, "a unit that is not suspended is nothing to see"
    plain = shown
    for code in ("\x1b[32m", "\x1b[0m"):
        plain = plain.replace(code, "")
    assert plain == table
    assert painted("✔ fine\nno ✔ here\n") == "\x1b[32m✔\x1b[0m fine\nno ✔ here\n"


def test_an_image_repository_is_data_with_a_state_and_a_time() -> None:
    unit = UnitId("ImageRepository", "flux-system", "web")
    fine = RepositoryStatus(
        id=unit, image="ghcr.io/org/web", suspended=False, scanned=NOW + 0.5, tags=3, error=""
    )
    found = repository_as_data(fine)
    assert (found["scanned"], found["ready"], found["tags"]) == ("2026-01-01T02:00:00Z", "True", 3)
    failed = repository_as_data(replace(fine, scanned=None, error="the registry is down"))
    assert (failed["scanned"], failed["ready"]) == (None, "False")
