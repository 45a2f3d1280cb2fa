"""Annotations that automate and lock a workload: read in both spellings, and edited with every other byte kept."""

from __future__ import annotations

import pytest

from weir.edit.annotations import set_annotations, set_policy
from weir.edit.policy import WorkloadPolicy
from weir.edit.workload import read_workloads
from weir.spec.errors import SpecError
from weir.spec.identity import ObjectId

WEB = ObjectId("apps", "Deployment", "prod", "web")
POD = "spec: {template: {spec: {containers: [{name: c, image: 'a:1'}]}}}\n"
KEY = "fluxcd.io/automated"


def deployment(metadata: str) -> str:
    return f"apiVersion: apps/v1\nkind: Deployment\nmetadata:{metadata}{POD}"


def policy(annotations: str) -> WorkloadPolicy:
    text = deployment(f"\n  name: web\n  annotations: {annotations}\n")
    (workload,) = read_workloads(text.encode(), "f.yaml")
    return workload.policy


BARE = "\n  name: web # it\n  namespace: prod\n"
ADDED = {
    "no annotations yet": (BARE, '\n  annotations:\n    fluxcd.io/automated: "true"' + BARE),
    "CRLF": (
        BARE.replace("\n", "\r\n"),
        ('\n  annotations:\n    fluxcd.io/automated: "true"' + BARE).replace("\n", "\r\n"),
    ),
    "others there, and a comment": (
        f"{BARE}  annotations: # why\n    # note\n    a: b\n",
        f'{BARE}  annotations: # why\n    fluxcd.io/automated: "true"\n    # note\n    a: b\n',
    ),
    "deeper indentation": (
        "\n    namespace: prod\n    name: web\n",
        '\n    annotations:\n        fluxcd.io/automated: "true"\n    namespace: prod\n    name: web\n',
    ),
    "an empty key": (f"{BARE}  annotations:\n", f'{BARE}  annotations:\n    fluxcd.io/automated: "true"\n'),
    "empty brackets": (
        f"{BARE}  annotations: {{}}\n",
        f'{BARE}  annotations: {{fluxcd.io/automated: "true"}}\n',
    ),
    "brackets": (
        f"{BARE}  annotations: {{a: b }} # x\n",
        f'{BARE}  annotations: {{fluxcd.io/automated: "true", a: b }} # x\n',
    ),
    "metadata in brackets": (
        " {name: web, namespace: prod}\n",
        ' {annotations: {fluxcd.io/automated: "true"}, name: web, namespace: prod}\n',
    ),
    "another value": (
        f"{BARE}  annotations:\n    fluxcd.io/automated: 'false' # x\n",
        f"{BARE}  annotations:\n    fluxcd.io/automated: 'true' # x\n",
    ),
    "a value that is no text": (
        f"{BARE}  annotations:\n    fluxcd.io/automated: true # x\n",
        f'{BARE}  annotations:\n    fluxcd.io/automated: "true" # x\n',
    ),
}  # fmt: skip

OTHER = f"{BARE}  annotations: {{a: b}}\n"
REMOVED = {
    "the last one": (f"{BARE}  annotations:\n    fluxcd.io/automated: 'x'\n", BARE),
    "the first of two": (
        f"{BARE}  annotations:\n    fluxcd.io/automated: x # gone\n    a: b # stays\n",
        f"{BARE}  annotations:\n    a: b # stays\n",
    ),
    "the last of two": (
        f"{BARE}  annotations:\n    a: |\n      b\n\n    # stays\n    fluxcd.io/automated: x\n",
        f"{BARE}  annotations:\n    a: |\n      b\n\n    # stays\n",
    ),
    "a block of text": (
        f"{BARE}  annotations:\n    fluxcd.io/automated: |\n      x\n      y\n    a: b\n",
        f"{BARE}  annotations:\n    a: b\n",
    ),
    "a value that is no text": (
        f"{BARE}  annotations:\n    fluxcd.io/automated: true\n    a: b\n",
        f"{BARE}  annotations:\n    a: b\n",
    ),
    "first in brackets": (f"{BARE}  annotations: {{fluxcd.io/automated: x, a: b}}\n", OTHER),
    "last in brackets": (f"{BARE}  annotations: {{a: b, fluxcd.io/automated: x}}\n", OTHER),
    "alone in brackets": (f"{BARE}  annotations: {{fluxcd.io/automated: x}}\n", BARE),
    "metadata in brackets": (
        " {name: web, annotations: {fluxcd.io/automated: x}, namespace: prod}\n",
        " {name: web, namespace: prod}\n",
    ),
    "it was not there": (BARE, BARE),
}  # fmt: skip

REFUSED = {
    "an alias": (
        "\n  labels: &x {a: b}\n  annotations: *x\n",
        "line 5: fluxcd.io/automated: found 'an alias'",
    ),
    "a shared mapping": (
        "\n  annotations: &x {a: b}\n  labels: *x\n",
        "would mean something else after the edit",
    ),
    "a null": ("\n  annotations: null\n", "line 4: annotations: found 'a scalar'"),
    "a block of text": ("\n  annotations:\n    fluxcd.io/automated: |\n      x\n", "found 'a block of text'"),
    "keys with question marks": (
        "\n  annotations:\n    ? a\n    : b\n",
        "found 'something before it on its line'",
    ),
}


@pytest.mark.parametrize(("before", "after"), ADDED.values(), ids=list(ADDED))
def test_an_annotation_is_set_and_every_other_byte_stays(before: str, after: str) -> None:
    edited = set_annotations(deployment(before).encode(), "f.yaml", WEB, {KEY: "true"})
    assert edited.data.decode() == deployment(after)
    (change,) = edited.changes
    assert (change.setter, change.new, str(change.object)) == (KEY, "true", "Deployment/prod/web")
    assert KEY in edited.data.decode().splitlines()[change.line - 1]
    again = set_annotations(edited.data, "f.yaml", WEB, {KEY: "true"})
    assert (again.data, again.changes) == (edited.data, ())


@pytest.mark.parametrize(("before", "after"), REMOVED.values(), ids=list(REMOVED))
def test_an_annotation_is_removed_and_every_other_byte_stays(before: str, after: str) -> None:
    edited = set_annotations(deployment(before).encode(), "f.yaml", WEB, {KEY: None})
    assert edited.data.decode() == deployment(after)
    assert len(edited.changes) == (before != after)


@pytest.mark.parametrize(("metadata", "message"), REFUSED.values(), ids=list(REFUSED))
def test_what_cannot_be_edited_in_place_is_refused(metadata: str, message: str) -> None:
    text = deployment(f"{metadata}  name: web\n  namespace: prod\n")
    with pytest.raises(SpecError) as caught:
        set_annotations(text.encode(), "f.yaml", WEB, {KEY: "true"})
    assert str(caught.value).startswith("f.yaml: ")
    assert message in str(caught.value)


def test_json_stays_json() -> None:
    text = '{"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "web", "namespace": "prod"}}'
    edited = set_annotations(text.encode(), "f.yaml", WEB, {KEY: "true"})
    assert '"metadata": {"annotations": {"fluxcd.io/automated": "true"}, "name"' in edited.data.decode()


def test_a_policy_is_read_in_every_spelling() -> None:
    found = policy(
        '{fluxcd.io/automated: "true", fluxcd.io/tag.web: "semver:~1", filter.fluxcd.io/db: "glob:1*"}'
    )
    assert found == WorkloadPolicy(automated=True, tags={"web": "semver:~1", "db": "glob:1*"})
    found = policy(
        "{flux.weave.works/locked: 'true', flux.weave.works/locked_msg: wait, fluxcd.io/locked_user: ann}"
    )
    assert found == WorkloadPolicy(locked=True, locked_message="wait", locked_user="ann")
    found = policy(
        "{fluxcd.io/automated: 'false', flux.weave.works/automated: 'true', flux.weave.works/tag.c: 'glob:*'}"
    )
    assert found == WorkloadPolicy(automated=False, tags={"c": "glob:*"})


@pytest.mark.parametrize("value", ["true", "'yes'", '"True"', "1", "null"])
def test_only_the_text_true_counts(value: str) -> None:
    assert policy(f"{{fluxcd.io/automated: {value}, fluxcd.io/locked: {value}}}") == WorkloadPolicy()


def test_ignored_is_read() -> None:
    assert policy('{fluxcd.io/ignore: "true"}').ignored
    assert not policy("{fluxcd.io/ignore: sync_only}").ignored


def test_locking_with_a_message_and_unlocking_gives_the_first_text_back() -> None:
    text = deployment(BARE).encode()
    locked = set_policy(
        text, "f.yaml", WEB, {"locked": "true", "locked_msg": 'wait: "now" # é\n', "tag.web": "semver:~1.0"}
    )
    (workload,) = read_workloads(locked.data, "f.yaml")
    assert workload.policy == WorkloadPolicy(
        locked=True, locked_message='wait: "now" # é\n', tags={"web": "semver:~1.0"}
    )
    free = set_policy(locked.data, "f.yaml", WEB, {"locked": None, "locked_msg": None, "tag.web": None})
    assert free.data == text


def test_an_old_spelling_is_kept_when_set_and_every_spelling_removed() -> None:
    lines = "    flux.weave.works/automated: 'false'\n    filter.fluxcd.io/c: glob:1\n"
    text = deployment(f"{BARE}  annotations:\n{lines}").encode()
    edited = set_policy(text, "f.yaml", WEB, {"automated": "true", "tag.c": "glob:2"})
    assert edited.data == text.replace(b"'false'", b"'true'").replace(b"glob:1", b"glob:2")
    both = text.replace(b"'false'\n", b"'false'\n    fluxcd.io/automated: 'true'\n")
    gone = set_policy(both, "f.yaml", WEB, {"automated": None, "tag.c": None})
    assert gone.data == deployment(BARE).encode()
