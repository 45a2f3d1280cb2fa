"""Laws of image policy markers."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.property.edit_strategies import IMAGES, Slot, Text, marked_texts
from weir.edit.changes import Edited
from weir.edit.image import Image
from weir.edit.markers import edit_markers
from weir.edit.splice import quoted, written
from weir.spec.documents import load_yaml

pytestmark = pytest.mark.property


def edited_with(data: bytes, images: Mapping[str, Image]) -> Edited:
    """As Flux edits: the chosen images, whatever is in use."""
    names = {policy: image.name for policy, image in images.items()}
    return edit_markers(data, "f.yaml", names, lambda policy, _current: images[policy])


@given(marked_texts(), IMAGES)
def test_bytes_outside_the_marked_scalars_are_identical(text: Text, images: Mapping[str, Image]) -> None:
    def expected(slot: Slot) -> str:
        new = images[slot.policy].part(slot.part)
        return slot.quote + slot.old + slot.quote if new == slot.old else slot.text(new)

    edited = edited_with(text.before(), images)
    assert edited.problems == ()
    assert edited.data == text.written(expected)


@given(marked_texts(), IMAGES)
def test_a_second_edit_with_the_same_images_changes_nothing(text: Text, images: Mapping[str, Image]) -> None:
    once = edited_with(text.before(), images)
    again = edited_with(once.data, images)
    assert (again.data, again.changes, again.problems) == (once.data, (), ())


@given(marked_texts(), IMAGES)
def test_the_data_differs_in_exactly_the_marked_places(text: Text, images: Mapping[str, Image]) -> None:
    before = dict(_flat(load_yaml(text.before(), "f.yaml").values))
    edited = edited_with(text.before(), images)
    after = dict(_flat(load_yaml(edited.data, "f.yaml").values))
    expected = dict(before)
    for slot in text.slots:
        new = images[slot.policy].part(slot.part)
        if new != slot.old:
            expected[slot.path] = new
    expected |= {alias: expected[slot] for alias, slot in text.aliases.items()}
    assert after == expected
    assert len(edited.changes) == sum(images[slot.policy].part(slot.part) != slot.old for slot in text.slots)


@given(marked_texts(), IMAGES)
def test_the_way_back_restores_the_values(text: Text, images: Mapping[str, Image]) -> None:
    """Markers follow the policy in both directions, so the first image's text comes back with the first image."""
    first = edited_with(text.before(), images).data
    other = {policy: Image(name="other", tag="v0") for policy in images}
    back = edited_with(edited_with(first, other).data, images).data
    assert load_yaml(back, "f.yaml").values == _as_texts(first, text, images)


@given(marked_texts(), IMAGES)
def test_keeping_what_is_in_use_keeps_every_byte(text: Text, images: Mapping[str, Image]) -> None:
    names = {policy: image.name for policy, image in images.items()}
    for keep in (lambda _policy, current: current, lambda _policy, _current: None):
        edited = edit_markers(text.before(), "f.yaml", names, keep)
        assert (edited.data, edited.changes, edited.unknown) == (text.before(), (), ())


@given(marked_texts(), IMAGES, st.sets(st.sampled_from(["1.10", "v2.0.1", "latest", "1"])))
def test_only_marked_scalars_change_whichever_tags_are_held(
    text: Text, images: Mapping[str, Image], held: set[str]
) -> None:
    """And what changes is what the policy chose."""

    def choose(policy: str, current: Image | None) -> Image | None:
        return current if current and current.tag in held else images[policy]

    names = {policy: image.name for policy, image in images.items()}
    edited = edit_markers(text.before(), "f.yaml", names, choose)
    before, after = (dict(_flat(load_yaml(data, "f.yaml").values)) for data in (text.before(), edited.data))
    chosen = {slot.path: images[slot.policy].part(slot.part) for slot in text.slots}
    chosen |= {alias: chosen[slot] for alias, slot in text.aliases.items()}
    assert before.keys() == after.keys()
    assert [path for path in before if after[path] not in (before[path], chosen.get(path))] == []


def _as_texts(data: bytes, text: Text, images: Mapping[str, Image]) -> tuple[Any, ...]:
    """The data of a file, marked values as texts: a plain `1.10` that was left alone comes back in quotes."""
    values = load_yaml(data, "f.yaml").values
    places = [(slot.path, images[slot.policy].part(slot.part)) for slot in text.slots]
    named = dict(places)
    places += [(alias, named[slot]) for alias, slot in text.aliases.items()]
    for path, value in places:
        target: Any = values
        for step in path[:-1]:
            target = target[step]
        target[path[-1]] = value
    return values


@given(st.text(st.characters(codec="utf-8", exclude_characters="\0")))
def test_a_text_is_written_on_one_line_and_read_as_itself(value: str) -> None:
    for scalar in (written(value), quoted(value)):
        assert len(scalar.splitlines()) <= 1
        assert load_yaml(f"a: {scalar} # b\n", "f.yaml", old_booleans=True).values == ({"a": value},)


def _flat(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[tuple[Any, ...], Any]]:
    if isinstance(value, dict) and value:
        for key, item in value.items():
            yield from _flat(item, (*path, key))
    elif isinstance(value, list | tuple) and value:
        for index, item in enumerate(value):
            yield from _flat(item, (*path, index))
    else:
        yield path, value
