"""S07: no text in a duration field does anything but parse, or be refused with the field's name (CVE-2022-39272)."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.stack import git_repository, kustomization
from weir.spec.documents import Document
from weir.spec.duration import format_duration, parse_duration
from weir.spec.errors import SpecError
from weir.spec.git_repository import parse_git_repository
from weir.spec.kustomization import parse_kustomization

HOSTILE = (
    "1", "-1s", "1e400h", "NaN", "", f"{10**9}h", "9" * 400 + "h", "\u0661s", "\uff11m", "1 s", "s",
    "1h-5m", "+1s", "0x10s",
    "1s\n", "\x001s", "inf", "1.s", ".5s", "1d", "1us", "1ns", "1h" * 1000, "∞s", "1s; rm -rf /",
)  # fmt: skip
NOT_TEXT: tuple[object, ...] = (1, -1, 1.5, True, [], {}, [{}], math.inf, math.nan, 10**400)
FIELDS = ("interval", "timeout", "retryInterval")

pieces = st.tuples(st.integers(0, 9999), st.sampled_from(("ms", "s", "m")))


@given(st.one_of(st.text(max_size=80), st.from_regex(r"[0-9.]{0,30}(ms|s|m|h|d)?", fullmatch=True)))
def test_any_text_is_a_finite_number_of_seconds_or_refused(text: str) -> None:
    try:
        seconds = parse_duration(text)
    except ValueError:
        return
    assert 0 <= seconds < 10**9


@given(st.lists(pieces, min_size=1, max_size=5))
def test_what_is_written_is_the_sum_of_its_parts(parts: list[tuple[int, str]]) -> None:
    unit = {"ms": 0.001, "s": 1.0, "m": 60.0}
    text = "".join(f"{number}{name}" for number, name in parts)
    assert parse_duration(text) == pytest.approx(sum(number * unit[name] for number, name in parts))


@given(st.integers(0, 10**10))
def test_a_formatted_duration_parses_to_itself(millis: int) -> None:
    assert parse_duration(format_duration(millis / 1000)) == pytest.approx(millis / 1000)


@pytest.mark.parametrize("field", FIELDS)
@pytest.mark.parametrize("value", [*HOSTILE, *NOT_TEXT], ids=lambda value: repr(value)[:20])
def test_a_hostile_duration_is_refused_with_object_and_field(field: str, value: object) -> None:
    data = kustomization("app", "apps", "./app")
    data["spec"][field] = value
    with pytest.raises(SpecError) as refused:
        parse_kustomization(Document(file="stack.yaml", index=0, data=data))
    assert f"spec.{field}" in str(refused.value)
    assert "Kustomization/flux-system/app" in str(refused.value)
    assert len(str(refused.value)) < 500, "the hostile value is not repeated in full"


@pytest.mark.parametrize("field", FIELDS[:2])
@pytest.mark.parametrize("value", HOSTILE, ids=lambda value: repr(value)[:20])
def test_a_source_is_as_strict(field: str, value: str) -> None:
    data = git_repository("apps", "https://git.example/apps.git")
    data["spec"][field] = value
    with pytest.raises(SpecError, match=f"spec.{field}"):
        parse_git_repository(Document(file="stack.yaml", index=0, data=data))
