"""What people see of an edit: a table of moves and the changed lines, never a secret."""

from __future__ import annotations

from dataclasses import replace

import pytest

from weir.edit.changes import Change
from weir.edit.summary import Move, format_diff, format_moves, moves
from weir.spec.identity import ObjectId

WEB = ObjectId("apps", "Deployment", "prod", "web")
CHANGE = Change(
    setter="flux:app",
    file="a.yaml",
    line=1,
    field="image",
    object=WEB,
    api_version="apps/v1",
    old="app:1",
    new="app:2",
)


def changed(setter: str, old: str = "1", new: str = "2") -> Change:
    return replace(CHANGE, setter=setter, old=old, new=new)


def test_equal_changes_are_one_row_with_the_number_of_places() -> None:
    rows = moves([CHANGE, changed("web", "web:1", "web:2"), CHANGE, changed("flux:app", "app:0", "app:2")])
    assert rows == (
        Move("flux:app", "app:1", "app:2", 2),
        Move("Deployment/prod/web: web", "web:1", "web:2", 1),
        Move("flux:app", "app:0", "app:2", 1),
    )
    assert format_moves(rows) == (
        "flux:app                  app:1 -> app:2  (2 places)\n"
        "Deployment/prod/web: web  web:1 -> web:2\n"
        "flux:app                  app:0 -> app:2\n"
    )


def test_names_and_digests_go_along_with_their_tag_and_show_alone_otherwise() -> None:
    digest = changed("flux:app:digest", "sha256:aa", "")
    assert moves([digest, changed("flux:app:tag"), changed("flux:app:name", "a", "b")]) == (
        Move("flux:app", "1", "2", 1),
    )
    assert moves([digest, CHANGE]) == (Move("flux:app", "app:1", "app:2", 1),)
    assert moves([digest, changed("flux:web:tag")]) == (
        Move("flux:app", "sha256:aa", "", 1),
        Move("flux:web", "1", "2", 1),
    )


def test_an_annotation_that_comes_or_goes_and_no_rows_at_all() -> None:
    rows = moves([changed("fluxcd.io/locked", "", "true"), changed("fluxcd.io/locked_msg", "a\x1b[2J", "")])
    assert format_moves(rows) == (
        "Deployment/prod/web: fluxcd.io/locked      (none) -> true\n"
        "Deployment/prod/web: fluxcd.io/locked_msg  a\\x1b[2J -> (none)\n"
    )
    assert format_moves(()) == ""


def test_what_a_secret_held_is_not_in_the_table() -> None:
    secret = replace(CHANGE, object=ObjectId("", "Secret", "prod", "keys"), old="hunter2")
    assert moves([secret]) == (Move("flux:app", "*** (before)", "*** (after)", 1),)


def diff(before: str, after: str) -> str:
    return format_diff({"a.yaml": before.encode()}, {"a.yaml": after.encode()})


def test_changed_lines_show_with_one_line_around_them_in_the_order_of_the_files() -> None:
    lines = [f"k{number}: v" for number in range(9)]
    before = "\n".join(lines) + "\n"
    files = {path: before.encode() for path in ("b.yaml", "a.yaml", "same.yaml")}
    after = {path: before.replace("k4: v", "k4: w").encode() for path in ("b.yaml", "a.yaml")}
    hunk = "@@ -4,3 +4,3 @@\n k3: v\n-k4: v\n+k4: w\n k5: v\n"
    assert format_diff(files, {**after, "same.yaml": files["same.yaml"]}) == (
        f"--- a/a.yaml\n+++ b/a.yaml\n{hunk}--- a/b.yaml\n+++ b/b.yaml\n{hunk}"
    )


def test_a_file_that_is_new_and_line_ends_of_windows_and_characters_that_move_a_cursor() -> None:
    assert format_diff({}, {"a.yaml": b"a: b\n"}) == "--- a/a.yaml\n+++ b/a.yaml\n@@ -0,0 +1 @@\n+a: b\n"
    shown = diff('a: 1\r\nb: "\u202e"\t# x\r\n', 'a: 2\r\nb: "\u202e"\t# x\r\n')
    assert shown.endswith('@@ -1,2 +1,2 @@\n-a: 1\n+a: 2\n b: "\\u202e"\t# x\n')


SECRET = """\
apiVersion: v1
kind: Secret
metadata:
  name: keys # of the shop
  labels: {a: b}
  annotations:
    kubectl.kubernetes.io/last-applied-configuration: '{"stringData": "hunter2"}'
type: Opaque
stringData: # was hunter2
  image: app:1 # {"$imagepolicy": "flux:app"}
  password: &p "hunter2"
  # token: hunter2
  more: |
    hunter2
      hunter2
  again: *p
  none:
"""
KUSTOMIZATION = """\
secretGenerator:
- name: keys
  literals: [password=hunter2, "image=app:1"] # hunter2
  files: [a.txt]
# hunter2
images: # open
- name: app
  newTag: v1
"""
LIST = """\
kind: List
apiVersion: v1
items:
- {kind: ConfigMap, data: {a: shown}}
- kind: Secret
  data: {a: hunter2, b: 'app:1'}
"""
HIDDEN = {
    "a Secret": (SECRET, "app:1", "app:2", "-  image: *** (before) # ***", "+  image: *** (after) # ***"),
    "what is no secret": (SECRET, "name: keys", "name: kees", "+  name: kees # ***", "   labels: {a: b}"),
    "a block": (
        SECRET,
        "    hunter2\n  ",
        "    hunter2\n    x\n  ",
        "+    *** (after)",
        "-  more: *** (before)",
    ),
    "a Secret in a list": (LIST, "app:1", "app:2", "+  data: {a: ***, b: *** (after)}", " - kind: Secret"),
    "beside a Secret": (
        f"a: shown\n---\n# hunter2\n{SECRET}---\na: shown # too\n",
        "a: shown",
        "a: SHOWN",
        "+a: SHOWN",
        "+a: SHOWN # too",
    ),
    "what Secrets are made of": (
        KUSTOMIZATION,
        "app:1",
        "app:2",
        "+  literals: [***, *** (after)] # ***",
        "   files: [a.txt]",
    ),
    "beside what they are made of": (KUSTOMIZATION, "images:", "images:  ", "+images:   # open", " # ***"),
}


@pytest.mark.parametrize(("text", "old", "new", "line", "other"), HIDDEN.values(), ids=list(HIDDEN))
def test_no_value_of_a_secret_is_shown(text: str, old: str, new: str, line: str, other: str) -> None:
    shown = diff(text, text.replace(old, new))
    assert "hunter2" not in shown
    assert {line, other} <= set(shown.split("\n")), shown


def test_a_whole_secret_is_masked_line_by_line() -> None:
    shown = diff("", SECRET)
    assert "hunter2" not in shown
    assert shown.split("\n")[3:] == [
        "+apiVersion: v1", "+kind: Secret", "+metadata:", "+  name: keys # ***", "+  labels: {a: b}",
        "+  annotations:", "+    kubectl.kubernetes.io/last-applied-configuration: *** (after)", "+type: Opaque",
        "+stringData: # ***", "+  image: *** (after) # ***", "+  password: *** (after)", "+  # ***",
        "+  more: *** (after)", "+    *** (after)", "+      *** (after)", "+  again: *** (after)", "+  none:", "",
    ]  # fmt: skip


def test_of_a_file_that_nobody_can_read_only_the_name_is_shown() -> None:
    assert diff("kind: Secret\n", "kind: Secret\ndata: [hunter2\n") == (
        "--- a/a.yaml\n+++ b/a.yaml\n(not shown: it cannot be read as YAML)\n"
    )
