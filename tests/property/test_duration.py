"""Durations: Flux's pattern, nothing else, and nothing that overflows (CVE-2022-39272)."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from weir.spec.duration import format_duration, parse_duration

FLUX = re.compile(r"^([0-9]+(\.[0-9]+)?(ms|s|m|h))+$", re.ASCII)


@given(st.text(alphabet="0123456789.mshx-+ e٣", max_size=12))
def test_only_what_flux_takes_is_taken(text: str) -> None:
    try:
        seconds = parse_duration(text)
    except ValueError:
        return
    assert FLUX.match(text)
    assert 0 <= seconds < 10 * 366 * 86400


@given(st.integers(min_value=0, max_value=10**10))
def test_what_is_written_reads_back(millis: int) -> None:
    assert parse_duration(format_duration(millis / 1000)) == pytest.approx(millis / 1000)


@pytest.mark.parametrize(
    "text", ["1", "-1s", "1e400h", "NaN", "", "1000000000h", "٣s", "1s ", "1.s", " 1s", "1h1"]
)
def test_bad_durations_are_refused(text: str) -> None:
    with pytest.raises(ValueError, match="a duration"):
        parse_duration(text)
