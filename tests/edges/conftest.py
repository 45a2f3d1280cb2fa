"""Fixtures that several files of edges share."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.support.serving import Served


@pytest.fixture
def served() -> Iterator[Served]:
    """A listener that serves."""
    place = Served()
    with place.listener:
        yield place
        place.wait.set()
