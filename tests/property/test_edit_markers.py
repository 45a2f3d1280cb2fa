"""Laws of image policy markers."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.property.edit_strategies import IMAGES, Slot, Text, marked_texts
from weir.edit.image import Image
from weir.edit.markers import edit_markers
from weir.edit.splice import quoted, written
from weir.spec.documents import load_yaml

pytestmark = pytest.mark.property


@given(marked_texts(), IMAGES)
def test_bytes_outside_the_marked_scalars_are_identical(text: Text, images: Mapping[str, Image]) -> None:
    def expected(slot: Slot) -> str:
        new = images[slot.policy].part(slot.part)
        return slot.quote + slot.old + slot.quote if new == slot.old else slot.text(new)

    edited = edit_markers(text.before(), "f.yaml", images)
    assert edited.problems == ()
    assert edited.data == text.written(expected)


@given(marked_texts(), IMAGES)
def test_a_second_edit_with_the_same_images_changes_nothing(text: Text, images: Mapping[str, Image]) -> None:
    once = edit_markers(text.before(), "f.yaml", images)
    again = edit_markers(once.data, "f.yaml", images)
    assert (again.data, again.changes, again.problems) == (once.data, (), ())


@given(marked_texts(), IMAGES)
def test_the_data_differs_in_exactly_the_marked_places(text: Text, images: Mapping[str, Image]) -> None:
    before = dict(_flat(load_yaml(text.before(), "f.yaml").values))
    edited = edit_markers(text.before(), "f.yaml", images)
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
    first = edit_markers(text.before(), "f.yaml", images).data
    other = {policy: Image(name="other", tag="v0") for policy in images}
    back = edit_markers(edit_markers(first, "f.yaml", other).data, "f.yaml", images).data
    assert load_yaml(back, "f.yaml").values == _as_texts(first, text, images)


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
