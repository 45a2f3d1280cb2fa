"""What an ImageUpdateAutomation would commit, over files and lists of tags that are plain values."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.support.image_edits import AUTOMATION, Commit, Listed
from weir.edit.image import Image
from weir.flow.image_choice import Choice
from weir.flow.image_edits import ImageEdits, edit_images
from weir.flow.images import Container
from weir.select.tag_move import decide
from weir.spec.errors import SourceError, SpecError, StopRequested
from weir.spec.image_automation import ImageAutomationSpec
from weir.spec.image_policy import MoveRules
from weir.spec.label_selector import LabelSelector

WHOLE = 'image: org/app:{} # {{"$imagepolicy": "flux:app"}}\n'
OLD, NEW = WHOLE.format("1.0.0"), WHOLE.format("1.1.0")


def newest(container: Container) -> Choice:
    """Of a container's images 1.0.0 and 1.1.0 the newer one that its pattern lets through."""
    policy = container.pattern.policy({"1.0.0": 1.0, "1.1.0": 2.0})
    decision = decide(policy, ("1.0.0", "1.1.0"), container.image.tag, container.moves)
    return Choice(image=Image(name="other/name", tag=decision.tag), decision=decision)


def edits(
    files: dict[str, str], *, automation: ImageAutomationSpec = AUTOMATION, **policies: Listed
) -> ImageEdits:
    known = {f"{policy.namespace}:{name}": policy for name, policy in policies.items()}
    return edit_images(Commit(files), automation, known, newest)


def texts(found: ImageEdits) -> dict[str, str]:
    return {path: data.decode() for path, data in found.files.items()}


def test_marked_files_below_the_path_change_and_no_others() -> None:
    names = ("a.yaml", "b.yml", "Kustomization", "deep/er/c.yaml", "d.json", "e.yaml.bak", "kustomization")
    files = {f"apps/{name}": OLD for name in names} | {"apps-too/x.yaml": OLD, "x.yaml": OLD}
    found = edits(files, automation=replace(AUTOMATION, path="apps"), app=Listed())
    changed = ["apps/Kustomization", "apps/a.yaml", "apps/b.yml", "apps/deep/er/c.yaml"]
    assert texts(found) == dict.fromkeys(changed, NEW)
    assert [(change.file, change.old, change.new) for change in found.changes] == [
        (path, "org/app:1.0.0", "org/app:1.1.0") for path in changed
    ]
    assert (found.problems, found.notes, found.message) == ((), (), "Update from image update automation")


def test_a_path_may_be_one_file_and_without_one_all_files_count() -> None:
    files = {"apps/a.yaml": OLD, "x.yaml": OLD}
    assert set(edits(files, automation=replace(AUTOMATION, path="apps/a.yaml"), app=Listed()).files) == {
        "apps/a.yaml"
    }
    assert set(edits(files, app=Listed()).files) == set(files)


def test_a_path_that_does_not_exist_is_an_error_that_names_it() -> None:
    with pytest.raises(SpecError, match=r"all: spec\.update\.path: found 'app', expected a folder"):
        edits({"apps/a.yaml": OLD}, automation=replace(AUTOMATION, path="app"), app=Listed())


def test_nothing_to_change_is_nothing_to_commit() -> None:
    found = edits({"a.yaml": NEW, "b.yaml": "x: y\n"}, app=Listed())
    assert (found.files, found.changes, found.message, found.notes) == ({}, (), "", ())


def test_a_file_that_cannot_be_read_is_a_problem_that_names_it_and_the_others_change() -> None:
    broken = f"{{{{ .Values }}}}: [\n{OLD}"
    found = edits({"a.yaml": broken, "b.yaml": OLD, "c.yaml": "{{ no marker"}, app=Listed())
    assert texts(found) == {"b.yaml": NEW}
    assert [str(problem).partition(":")[0] for problem in found.problems] == ["a.yaml"]


def test_a_marker_that_cannot_be_followed_is_a_problem() -> None:
    found = edits({"a.yaml": f'{OLD}b: [x] # {{"$imagepolicy": "flux:app"}}\n'}, app=Listed())
    assert texts(found)["a.yaml"].startswith(NEW)
    assert ["a.yaml: line 2" in str(problem) for problem in found.problems] == [True]


def test_a_tag_in_use_that_is_higher_stays_with_a_note_and_another_file_moves() -> None:
    files = {"a.yaml": WHOLE.format("1.5.0"), "b.yaml": OLD}
    found = edits(files, app=Listed(("1.0.0", "1.1.0", "1.5.0-rc.1")))
    assert texts(found) == {"b.yaml": NEW}
    assert [note.startswith("ImagePolicy/flux/app: 1.5.0 is gone") for note in found.notes] == [True]
    back = edits(files, app=Listed(moves=MoveRules(missing_tag="rollback")))
    assert texts(back) == dict.fromkeys(files, NEW)


@pytest.mark.parametrize(
    ("marker", "policy", "noted"),
    [
        ("flux:app", Listed(labels={"team": "b"}), False),
        ("prod:app", Listed(namespace="prod", labels={"team": "a"}), False),
        ("flux:web", Listed(labels={"team": "a"}), True),
    ],
)
def test_a_marker_of_a_policy_that_is_not_there_is_a_note_and_anothers_is_left(
    marker: str, policy: Listed, noted: bool
) -> None:
    automation = replace(AUTOMATION, policy_selector=LabelSelector({"team": "a"}))
    text = f'x: y\nimage: org/app:1.0.0 # {{"$imagepolicy": "{marker}"}}\n'
    found = edits({"a.yaml": text}, automation=automation, app=policy)
    note = f"a.yaml: line 2: {marker} is not followed: no such policy can choose"
    assert found.notes == ((note,) if noted else ())
    assert (found.files, found.problems) == ({}, ())


def test_a_policy_that_fails_is_one_problem_and_the_others_choose() -> None:
    text = f'{OLD}b: org/web:1.0.0 # {{"$imagepolicy": "flux:web"}}\n'
    down = Listed(error=SourceError("ImagePolicy/flux/web: the registry gives no answer"))
    found = edits({"a.yaml": text, "b.yaml": text}, app=Listed(), web=down)
    assert texts(found) == dict.fromkeys(("a.yaml", "b.yaml"), text.replace(OLD, NEW))
    assert [str(problem) for problem in found.problems] == [str(down.error)]
    with pytest.raises(StopRequested):
        edits({"a.yaml": text}, app=Listed(), web=Listed(error=StopRequested("stop")))


def test_the_message_sees_files_below_the_path_and_a_template_that_fails_is_an_error() -> None:
    template = "{{ range $file, $_ := .Changed.FileChanges }}{{ $file }};{{ end }} [{{ .Values.env }}]"
    automation = replace(AUTOMATION, path="apps", message_template=template, message_values={"env": "prod"})
    files = {"apps/b/x.yaml": OLD, "apps/a.yaml": OLD}
    assert edits(files, automation=automation, app=Listed()).message == "a.yaml;b/x.yaml; [prod]"
    with pytest.raises(SpecError, match="messageTemplate"):
        edits(files, automation=replace(automation, message_template="{{ .Updated }}"), app=Listed())
    assert edits({"apps/a.yaml": NEW}, automation=automation, app=Listed()).message == ""


def test_the_order_of_files_and_policies_does_not_matter() -> None:
    text = f'{OLD}b: org/web:1.0.0 # {{"$imagepolicy": "flux:web"}}\n'
    files = {"b.yaml": text, "a.yaml": text, "c.yaml": "x: {{ # $imagepolicy\n" + OLD}
    one = edits(files, app=Listed(), web=Listed(("1.2.0",)))
    other = edits(dict(reversed(files.items())), web=Listed(("1.2.0",)), app=Listed())
    assert replace(one, problems=()) == replace(other, problems=())
    assert [str(problem) for problem in one.problems] == [str(problem) for problem in other.problems]
    assert [(change.file, change.line) for change in one.changes] == [
        ("a.yaml", 1), ("a.yaml", 2), ("b.yaml", 1), ("b.yaml", 2)
    ]  # fmt: skip
