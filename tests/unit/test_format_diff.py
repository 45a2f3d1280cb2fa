"""Plans as a table, as JSON and as Markdown."""

from __future__ import annotations

import json
import re

import pytest
import yaml

from weir.cli.format import OUTPUTS, format_diff
from weir.cli.format_markdown import code_span
from weir.spec.changes import Action, ChangeSet, FieldChange, ObjectChange
from weir.spec.identity import ObjectId, UnitId
from weir.spec.plan import UnitPlan

WEB = ObjectId("apps", "Deployment", "prod", "web")
CONFIG = ObjectId("", "ConfigMap", "prod", "settings")
OLD, NEW = "main@sha1:" + "a" * 40, "main@sha1:" + "b" * 40
REPLICAS = FieldChange("spec.replicas", "2", "3")


def plan(
    *changes: ObjectChange, name: str = "apps", error: str = "", warnings: tuple[str, ...] = ()
) -> UnitPlan:
    return UnitPlan(
        id=UnitId("Kustomization", "flux-system", name),
        revision_old=OLD,
        revision_new=NEW,
        changes=ChangeSet(changes, unchanged=41, warnings=warnings),
        error=error,
    )


APPS = plan(
    ObjectChange(CONFIG, Action.CREATE),
    ObjectChange(WEB, Action.CONFIGURE, (REPLICAS, FieldChange("spec.paused", None, "true"))),
    ObjectChange(ObjectId("", "Secret", "prod", "old"), Action.DELETE),
    warnings=("CRD of Widget/prod/a is not installed yet",),
)


def test_table_names_objects_fields_and_short_revisions() -> None:
    assert format_diff([APPS], "table").splitlines() == [
        "Kustomization/flux-system/apps  main@sha1:aaaaaaaa -> main@sha1:bbbbbbbb",
        "  + create    ConfigMap/prod/settings",
        "  ~ configure Deployment/prod/web      spec.replicas: 2 -> 3",
        "                                       spec.paused: (none) -> true",
        "  - delete    Secret/prod/old",
        "    41 unchanged",
        "  ⚠ CRD of Widget/prod/a is not installed yet",
        "",
        "Summary: 1 unit: 1 to create, 1 to configure, 1 to delete, 41 unchanged",
    ]


def test_table_of_nothing_says_so() -> None:
    assert format_diff([], "table") == "Summary: 0 units: no objects\n"


def test_table_shows_the_error_of_a_unit_without_a_plan() -> None:
    unit = UnitPlan(id=UnitId("Kustomization", "flux-system", "apps"), revision_new=NEW, error="no such path")
    text = format_diff([unit], "table")
    assert "(new) -> main@sha1:bbbbbbbb" in text
    assert "  ✗ no such path" in text
    assert text.endswith("Summary: 1 unit: 1 failed\n")


@pytest.mark.parametrize("evil", ["a\x1b[2Jb", "a\nSummary: 0 units", "a\u202eb", "a\x00b", "a\u2028b"])
@pytest.mark.parametrize("output", ["table", "markdown"])
def test_values_cannot_move_the_cursor_or_start_a_line(evil: str, output: str) -> None:
    unit = plan(
        ObjectChange(WEB, Action.CONFIGURE, (FieldChange("data.x", "1", evil),), why=evil), error=evil
    )
    text = format_diff([unit], output)  # type: ignore[arg-type]
    assert all(line.isprintable() for line in text.split("\n"))
    assert not any(line.startswith("Summary: 0") for line in text.split("\n"))


def test_json_follows_the_documented_schema() -> None:
    document = json.loads(format_diff([APPS], "json", stack="prod"))
    assert document["version"] == 1
    assert document["stack"] == "prod"
    (unit,) = document["units"]
    assert unit["unit"] == "Kustomization/flux-system/apps"
    assert unit["revision"] == {"old": OLD, "new": NEW}
    assert unit["changes"][1] == {
        "object": "Deployment/prod/web",
        "group": "apps",
        "action": "configure",
        "why": "",
        "fields": [
            {"path": "spec.replicas", "old": "2", "new": "3"},
            {"path": "spec.paused", "old": None, "new": "true"},
        ],
    }
    assert (unit["unchanged"], unit["error"], len(unit["warnings"])) == (41, "", 1)
    assert document["summary"] == {
        "units": 1, "changed": 1, "errors": 0, "create": 1, "configure": 1, "recreate": 0, "adopt": 0,
        "delete": 1, "skip": 0, "unchanged": 41,
    }  # fmt: skip


def test_skips_alone_are_not_a_change() -> None:
    unit = plan(ObjectChange(WEB, Action.SKIP, why="reconcile: disabled"))
    assert json.loads(format_diff([unit], "json"))["summary"]["changed"] == 0
    assert "skip      Deployment/prod/web  (reconcile: disabled)" in format_diff([unit], "table")


def test_markdown_has_the_summary_table_first_and_one_closed_section_per_changed_unit() -> None:
    text = format_diff([APPS, plan(name="quiet")], "markdown", stack="prod")
    assert text.startswith("<!-- weir diff -->\n### Weir: `prod`\n")
    assert (
        "| `Kustomization/flux-system/apps` | `main@sha1:aaaaaaaa` → `main@sha1:bbbbbbbb` | 1 | 1 | 1 | ⚠ |"
        in text
    )
    assert text.index("| Unit |") < text.index("<details>")
    assert text.count("<details>") == text.count("</details>") == 1
    assert "| configure | `Deployment/prod/web` | `spec.replicas` | `2` | `3` |" in text


HOSTILE = [
    "a | b", "`x` ``y``", "</details><script>alert(1)</script>", "@everyone #1 [x](http://e)", "line\n| new | row |",
    " ", "", "`", "|`|", "\\|", "*" * 5000,
]  # fmt: skip


@pytest.mark.parametrize("value", HOSTILE)
def test_hostile_values_stay_in_their_cell(value: str) -> None:
    unit = plan(ObjectChange(WEB, Action.CONFIGURE, (FieldChange("data.x", value, value),)), error=value)
    text = format_diff([unit], "markdown")
    (row,) = [line for line in text.splitlines() if line.startswith("| configure")]
    assert len(re.findall(r"(?<!\\)\|", row)) == 6
    assert text.count("</details>") == 1 + value.count("</details>") * 3
    outside = re.sub(r"(?<!`)(`+)(?!`).*?(?<!`)\1(?!`)", "", text)
    assert "<script>" not in outside
    assert "@everyone" not in outside


def test_code_span_fence_is_longer_than_any_run_of_backticks() -> None:
    assert code_span("a``b`c") == "```a``b`c```"
    assert code_span("`a") == "`` `a ``"


@pytest.mark.parametrize("limit", [2_000, 5_000, 60_000])
def test_markdown_is_cut_on_whole_rows_at_the_limit(limit: int) -> None:
    change = ObjectChange(
        WEB, Action.CONFIGURE, tuple(FieldChange(f"data.k{i}", "x" * 50, "y" * 50) for i in range(4))
    )
    units = [plan(*[change] * 40, name=f"unit-{i}") for i in range(40)]
    text = format_diff(units, "markdown", limit=limit)
    assert limit // 3 < len(text) <= limit
    assert text.count("<details>") == text.count("</details>")
    assert re.search(r"_\d+ more (units|objects)", text)
    assert "`weir diff`" in text
    assert all(line.endswith("|") for line in text.splitlines() if line.startswith("|"))


def test_yaml_says_what_json_says() -> None:
    assert yaml.safe_load(format_diff([APPS], "yaml")) == json.loads(format_diff([APPS], "json"))


@pytest.mark.parametrize("output", OUTPUTS)
def test_same_plan_same_bytes(output: str) -> None:
    assert format_diff([APPS], output) == format_diff([APPS], output)  # type: ignore[arg-type]
    assert format_diff([APPS], output).endswith("\n")  # type: ignore[arg-type]
