"""The functions and jumps of commit templates, each with what Go's text/template and Sprig print."""

from __future__ import annotations

import re

import pytest

from weir.edit.template import render_template
from weir.edit.template_syntax import TemplateError
from weir.edit.template_values import Record

CHANGES = [
    Record("{app:1 app:2 flux:app}", OldValue="app:1", NewValue="app:2", Setter="flux:app"),
    Record("{1 2 flux:app:tag}", OldValue="1", NewValue="2", Setter="flux:app:tag"),
]
DATA = Record("", Values={"cluster": "prod"}, Changed=Record("", Changes=CHANGES))
STEPS = 50_000

PRINTED = {
    '{{ printf "%s is %d, %v and %q, 100%%" "a" 2 true "b\\"" }}': 'a is 2, true and "b\\"", 100%',
    '{{ printf "%5s|%-5s|%05d|%.2s|%t" "ab" "ab" -42 "abc" false }}{{ printf "%v" (list "a" 1) }}': (
        "   ab|ab   |-0042|ab|false[a 1]"
    ),
    '{{ printf "%s" (index .Changed.Changes 0) }}{{ printf "%v" .Values.none }}': "{app:1 app:2 flux:app}<nil>",
    '{{ .Values.cluster | printf "%s-%s" "a" }}': "a-prod",
    '{{ println "a" 1 2 }}{{ println }}': "a 1 2\n\n",
    '{{ print 1 2 "a" "b" 3 }}{{ print true 1 }}{{ print nil }}': "1 2ab3true 1<nil>",
    "{{ slice (list 1 2 3 4) 1 3 }}{{ slice (list 1 2) 2 }}{{ slice (list 1) }}": "[2 3][][1]",
    "{{ range slice .Changed.Changes 1 }}{{ .NewValue }}{{ end }}": "2",
    '{{ trunc 5 "sha256abc" }} {{ trunc -3 "sha256abc" }} {{ "ab" | trunc 5 }}': "sha25 abc ab",
    '{{ title "hello big-wide wORLD" }}': "Hello Big-Wide WORLD",
    '{{ base "a/b/c.yaml" }} {{ base "a/b/" }} {{ base "" }} {{ base "//" }}': "c.yaml b . /",
    '{{ coalesce .Values.none "" 0 "x" "y" }}{{ coalesce "" }}': "x<no value>",
    '{{ ternary "yes" "no" true }}{{ false | ternary "yes" "no" }}': "yesno",
    '{{ join ", " (list "a" 1 true) }}{{ list "a" "b" | join "" }}': "a, 1, trueab",
    '{{ join "," "a" }}{{ join "," list }}': "a",
    '{{ list "a" 2 nil (list) }}{{ len (list) }}': "[a 2 <nil> []]0",
    '{{ last (list 1 2 3) }}{{ first (list 1 2 3) }}{{ splitList ":" "a:b" | last }}{{ last (list) }}': "31b<no value>",
    '{{ splitList "/" "a/b/" }}{{ splitList "" "ab" }}': "[a b ][a b]",
    '{{ repeat 3 "ab" }}{{ repeat 0 "ab" }}': "ababab",
    '{{ trimAll "$-" "-$5.00-$" }}{{ nospace " a b\tc " }}': "5.00abc",
    '{{ eq "a" "b" "a" }}{{ lt 1 2 }}{{ ge "b" "a" }}': "truetruetrue",
    "{{ range .Changed.Changes }}{{ .OldValue }}{{ break }}{{ .NewValue }}{{ end }}!": "app:1!",
    '{{ range .Changed.Changes }}{{ if eq .OldValue "app:1" }}{{ continue }}{{ end }}{{ .OldValue }}{{ end }}!': "1!",
    "{{ range .Changed.Changes }}{{ range list 1 2 3 }}{{ with . }}{{ if eq . 2 }}{{ break }}{{ end }}{{ . }}"
    "{{ end }}{{ end }};{{ end }}": "1;1;",
    "{{ range list 1 2 }}{{ range list }}{{ else }}{{ break }}{{ end }}x{{ end }}!": "xx!",
    "{{ range list 1 2 }}{{ range list }}{{ else }}{{ continue }}{{ end }}x{{ end }}!": "!",
    "{{ $x := 1 }}{{ range list 5 6 }}{{ $x := 2 }}{{ continue }}{{ end }}{{ $x }}": "1",
}  # fmt: skip

REFUSED = {
    '{{ printf "%d" "a" }}': "printf with arguments it does not take",
    '{{ printf "%s" 1 }}': "printf with arguments it does not take",
    '{{ printf "%s" }}': "printf with arguments it does not take",
    '{{ printf "a" 1 }}': "printf with arguments it does not take",
    '{{ printf "%z" 1 }}': "printf with arguments it does not take",
    "{{ slice (list 1 2 3) 2 1 }}": "slice with arguments it does not take",
    "{{ slice (list 1 2 3) 0 4 }}": "slice with arguments it does not take",
    "{{ slice (list 1) -1 }}": "slice with arguments it does not take",
    '{{ ternary 1 2 "yes" }}': "ternary with arguments it does not take",
    '{{ repeat -1 "a" }}': "repeat with arguments it does not take",
    '{{ slice "abc" 1 }}': "slice with arguments it does not take",
    '{{ join "," 1 }}': "join with arguments it does not take",
    "{{ eq (list 1) (list 1) }}": "eq with arguments it does not take",
    '{{ lt 1 "a" }}': "lt with arguments it does not take",
    "{{ break }}": "{{ break }} outside of range",
    "{{ range .Values }}{{ else }}{{ continue }}{{ end }}": "{{ continue }} outside of range",
    "{{ range .Values }}{{ break 1 }}{{ end }}": "the function break, which is not one of",
    '{{ repeat 1000001 "a" }}': "more than 1000000 characters",
    '{{ $x := repeat 400000 "a" }}{{ print $x $x $x }}': "more than 1000000 characters",
    '{{ $x := list "a" "b" }}' + "{{ $x = list $x $x }}" * 60 + "{{ $x }}": "more than 1000000 characters",
    "{{ $x := list 1 }}" + "{{ $x = list $x }}" * 6000 + "{{ join $x }}": "join with arguments it does not take",
    '{{ $x := repeat 640000 "a" }}' + '{{ if contains "b" $x }}{{ end }}' * 5: "more than 50000 steps",
}  # fmt: skip


@pytest.mark.parametrize(("template", "expected"), PRINTED.items())
def test_a_template_prints_what_go_prints(template: str, expected: str) -> None:
    assert render_template(template, DATA, STEPS) == expected


@pytest.mark.parametrize(("template", "expected"), REFUSED.items(), ids=lambda text: text[:60])
def test_a_template_that_go_cannot_follow_or_that_would_not_end_is_refused(
    template: str, expected: str
) -> None:
    with pytest.raises(TemplateError, match=re.escape(expected)):
        render_template(template, DATA, STEPS)


def test_a_list_in_lists_prints_however_deep_it_is() -> None:
    template = "{{ $x := 1 }}" + "{{ $x = list $x }}" * 3000 + "{{ $x }}"
    assert render_template(template, DATA, STEPS) == "[" * 3000 + "1" + "]" * 3000
