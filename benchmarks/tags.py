"""B9.select_10k: one tag out of 10,000."""

from __future__ import annotations

import random
import time
from collections.abc import Mapping
from typing import Final

from benchmarks.session import Sample, Session
from weir.select.semver_range import parse_precedence
from weir.select.tags import TagPolicy
from weir.spec.documents import Document
from weir.spec.image_policy import parse_image_policy

_COUNT: Final = 10_000
_LATEST: Final = "1.50.0"
_POLICY: Final = {
    "apiVersion": "image.toolkit.fluxcd.io/v1",
    "kind": "ImagePolicy",
    "metadata": {"name": "bench"},
    "spec": {"imageRepositoryRef": {"name": "bench"}, "policy": {"semver": {"range": "1.x"}}},
}


def select(_: Session) -> Mapping[str, Sample]:
    """A semver policy over 10,000 tags of which none was read before; the floor is sorting the same strings."""
    tags = _tags()
    parse_precedence.cache_clear()
    begin = time.perf_counter()
    chosen = TagPolicy.parse(parse_image_policy(Document("bench.yaml", 0, _POLICY))).latest(tags)
    seconds = time.perf_counter() - begin
    assert chosen == _LATEST, f"{chosen} is not the latest"
    begin = time.perf_counter()
    sorted(tags)
    floor = time.perf_counter() - begin
    return {"B9.select_10k": Sample(seconds, floor)}


def _tags() -> list[str]:
    """Versions of 20 major releases, some with `v`, a quarter of them pre-releases, in no order."""
    dice = random.Random(9)  # noqa: S311 - repeatable
    found = {_LATEST}
    while len(found) < _COUNT:
        numbers = f"{dice.randrange(20)}.{dice.randrange(50)}.{dice.randrange(100)}"
        found.add(f"{dice.choice(('', 'v'))}{numbers}{dice.choice(('', '', '-rc.1', ''))}")
    ordered = sorted(found)
    dice.shuffle(ordered)
    return ordered
