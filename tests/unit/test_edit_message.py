"""Commit messages from templates: what Flux's documentation shows, and clear errors for the rest."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.support.calls import calls_of
from weir.edit.changes import Change
from weir.edit.message import DEFAULT, render_message
from weir.spec.errors import SpecError
from weir.spec.identity import ObjectId, UnitId

AUTOMATION = UnitId("ImageUpdateAutomation", "flux-system", "apps")


def change(file: str, kind: str, old: str, new: str, *, setter: str = "flux:app", line: int = 1) -> Change:
    return Change(
        setter=setter, file=file, line=line, field="spec.image", object=ObjectId("apps", kind, "prod", "web"),
        api_version="apps/v1", old=old, new=new,
    )  # fmt: skip


CHANGES = (
    change("b.yaml", "StatefulSet", "app:1", "app:2"),
    change("a.yaml", "Deployment", "app:1", "app:2"),
    change("a.yaml", "Deployment", "1", "2", setter="flux:app:tag", line=2),
)


def message(template: str, **values: str) -> str:
    return render_message(
        template, AUTOMATION, CHANGES, values, "f.yaml: ImageUpdateAutomation/flux-system/apps"
    )


DOCUMENTED = """\
Automated image update

Automation name: {{ .AutomationObject }}

Files:
{{ range $filename, $_ := .Changed.FileChanges -}}
- {{ $filename }}
{{ end -}}

Objects:
{{ range $resource, $changes := .Changed.Objects -}}
- {{ $resource.Kind | lower }} {{ $resource.Name }}
  Changes:
{{- range $_, $change := $changes }}
    - {{ $change.OldValue }} -> {{ $change.NewValue }}
{{ end -}}
{{ end -}}
"""
SHOWN = """\
Automated image update

Automation name: flux-system/apps

Files:
- a.yaml
- b.yaml
Objects:
- deployment web
  Changes:
    - app:1 -> app:2

    - 1 -> 2
- statefulset web
  Changes:
    - app:1 -> app:2
"""

TEMPLATES = {
    "no template": ("", DEFAULT),
    "values": ("for {{ .Values.cluster }}{{ .Values.none }}", "for prod<no value>"),
    "a missing value has a default": ('{{ default "x" .Values.none }} {{ .Values.none | default "y" }}', "x y"),
    "names": ("{{ .AutomationObject.Namespace }}:{{ .AutomationObject.Name }}", "flux-system:apps"),
    "each change once": (
        "{{ range .Changed.Changes }}{{ .Setter }} {{ .OldValue }}->{{ .NewValue }}; {{ end }}",
        "flux:app app:1->app:2; flux:app:tag 1->2; ",
    ),
    "an index": ("{{ range $i, $c := .Changed.Changes }}{{ $i }}={{ $c.NewValue }} {{ end }}", "0=app:2 1=2 "),
    "a condition": (
        '{{ if contains "5" "15" }}a{{ else }}b{{ end }}{{ if not true }}c{{ else if eq 1 2 1 }}d{{ else }}e{{ end }}',
        "ad",
    ),
    "with": ("{{ with .Values.cluster }}{{ . }}{{ else }}none{{ end }}", "prod"),
    "with nothing": ("{{ with .Values.x }}{{ . }}{{ else }}no {{ .Values.cluster }}{{ end }}", "no prod"),
    "an empty range": ("{{ range .Values.none }}x{{ else }}nothing{{ end }}", "nothing"),
    "variables": ('{{ $x := "a" }}{{ if true }}{{ $x = "b" }}{{ $x := "c" }}{{ end }}{{ $x }}', "b"),
    "trimming": ("a \n{{- /* note */ -}}\n b {{ 1 -}} c{{- `d` }}", "ab 1cd"),
    "braces in texts": ("""{{ "}}" }}{{ `{{` }}{{ "\\"\\u00e9" }}""", '}}{{"é'),
    "parentheses": ("{{ if and (gt (len .Changed.Changes) 1) (hasPrefix `p` .Values.cluster) }}many{{ end }}", "many"),
    "text functions": ('{{ "AbA" | lower | replace "a" "x" | quote }}{{ trimPrefix "v" "v1" | upper }}', '"xbx"1'),
    "a field of what parentheses give": (
        "{{ (index .Changed.Changes 0).NewValue }} {{ ((index .Changed.Changes 1).Setter | upper) }}",
        "app:2 FLUX:APP:TAG",
    ),
    "fields of fields of parentheses": ("{{ len (.).Changed.Changes }}", "2"),
    "an argument behind parentheses": ("{{ with .Values }}{{ eq (print `prod`) .cluster }}{{ end }}", "true"),
    "an index that is not in the map": ('{{ index .Values "x" }}|{{ len (index .Changed.FileChanges "x") }}', "|0"),
    "an index into a map": ("{{ index .Values `cluster` }} {{ .Changed.FileChanges | len }}", "prod 2"),
}  # fmt: skip

REFUSED = {
    "not closed": ("{{ .Values", "found '{{ .Values' without }}"),
    "no end": ("{{ if true }}", "{{ if }} without {{ end }}"),
    "an end of nothing": ("{{ end }}", "{{ end }} of nothing"),
    "an else of range": ("{{ range .Values }}{{ else if true }}{{ end }}{{ end }}", "'else if true' in {{ range }}"),
    "what Flux removed": ("{{ .Updated.Files }}", "the field Updated, where there are AutomationObject"),
    "a result that Flux removed": ("{{ .Changed.ImageResult }}", "the field ImageResult, where there are Changes"),
    "a field of a text": ("{{ .Values.cluster.name }}", "the field name, of something without fields"),
    "another function": ("{{ env `HOME` }}", "the function env, which is not one of and, or"),
    "wrong arguments": ("{{ lower 1 }}", "the function lower with arguments it does not take"),
    "too many arguments": ("{{ lower `a` `b` }}", "the function lower with arguments it does not take"),
    "an index below nothing": ("{{ index .Changed.Changes -1 }}", "the function index with arguments it does not take"),
    "an index above all": ("{{ index .Changed.Changes 2 }}", "the function index with arguments it does not take"),
    "another key than the map's": ("{{ index .Values 1 }}", "the function index with arguments it does not take"),
    "an index into a text": ("{{ index .Values.cluster 0 }}", "the function index with arguments it does not take"),
    "a field that parentheses do not have": ("{{ (index .Changed.Changes 0).Old }}", "the field Old, where there are"),
    "no function": ("{{ .Values `x` }}", "arguments for something that is not a function"),
    "an unknown variable": ("{{ $x }}", "the variable $x, which is not defined"),
    "a variable outside of its block": ("{{ if true }}{{ $x := 1 }}{{ end }}{{ $x }}", "the variable $x, which"),
    "an empty action": ("{{ }}", "an empty action"),
    "another character": ("{{ a ! b }}", "found '! b '"),
    "nothing after a bar": ("{{ 1 | }}", "nothing where a value should be"),
    "a range over a text": ("{{ range .Values.cluster }}{{ end }}", "range over something that is neither"),
    "deep blocks": ("{{ if true }}" * 50 + "{{ end }}" * 50, "more than 30 levels of blocks"),
    "deep parentheses": ("{{ " + "(" * 50 + "1" + ")" * 50 + " }}", "more than 30 levels of parentheses"),
    "a text that grows": ("{{ `aaaaaaaaaa`" + ' | replace "a" "aaaaaaaaaa"' * 9 + " }}", "a text of more than"),
    "much output": (
        "{{ range $.Changed.Changes }}" * 20 + "x" + "{{ end }}" * 20,
        "more than 50300 steps",
    ),
}  # fmt: skip


def test_the_documented_template_gives_what_flux_gives() -> None:
    assert message(DOCUMENTED).rstrip() == SHOWN.rstrip()


@pytest.mark.parametrize(("template", "expected"), TEMPLATES.values(), ids=list(TEMPLATES))
def test_a_template_prints(template: str, expected: str) -> None:
    assert message(template, cluster="prod") == expected


@pytest.mark.parametrize(("template", "expected"), REFUSED.values(), ids=list(REFUSED))
def test_a_template_that_asks_for_what_is_not_there_is_refused(template: str, expected: str) -> None:
    with pytest.raises(SpecError) as caught:
        message(template, cluster="prod")
    start = "f.yaml: ImageUpdateAutomation/flux-system/apps: spec.git.commit.messageTemplate: found "
    assert str(caught.value).startswith(start)
    assert expected in str(caught.value)


def many(count: int) -> tuple[Change, ...]:
    """One change in each of so many objects, each in a file of its own."""
    return tuple(
        replace(change(f"{number:05}.yaml", "Deployment", "app:1", "app:2"),
                object=ObjectId("apps", "Deployment", "prod", f"web{number:05}"))
        for number in range(count)
    )  # fmt: skip


def test_a_commit_of_thousands_of_changes_has_its_message() -> None:
    found = render_message(DOCUMENTED, AUTOMATION, many(5000), {}, "f.yaml")
    assert found.count("app:1 -> app:2") == found.count("- deployment web") == 5000


def test_the_work_of_a_message_grows_with_the_changes_and_not_with_their_square() -> None:
    def work(count: int) -> int:
        changes = many(count)
        return calls_of(lambda: render_message(DOCUMENTED, AUTOMATION, changes, {}, "f.yaml"))

    assert work(200) < 5 * work(50)


@pytest.mark.parametrize(
    "inner", ["{{ range $.Changed.Changes }}{{ end }}", "{{ $x := print $.Changed.Objects }}"]
)
def test_a_template_that_takes_the_square_of_many_changes_is_refused(inner: str) -> None:
    template = "{{ range .Changed.FileChanges }}" + inner + "{{ end }}"
    changes = tuple(replace(one, setter=f"flux:{number}") for number, one in enumerate(many(2000)))
    with pytest.raises(SpecError, match="more than 250000 steps"):
        render_message(template, AUTOMATION, changes, {}, "f.yaml")


def test_the_same_object_in_two_files_keeps_all_its_changes() -> None:
    twice = (change("a.yaml", "Deployment", "1", "2"), change("b.yaml", "Deployment", "3", "4"))
    template = "{{ range $o, $changes := .Changed.Objects }}{{ $o }}: {{ len $changes }}{{ end }}"
    assert render_message(template, AUTOMATION, twice, {}, "f.yaml") == "Deployment/prod/web: 2"
