"""One `weir up` on the real engine as one trace."""

from __future__ import annotations

import pytest

from tests.support.collector import running_collector
from tests.support.world import World, config_map

pytestmark = [pytest.mark.e2e, pytest.mark.slow, pytest.mark.timeout(300)]


def test_a_run_of_the_engine_is_one_trace(world: World) -> None:
    world.units(world.unit("web", "./web"))
    world.commit({"web/all.yaml": [config_map(world.namespace, "web")]})
    with running_collector() as collector:
        world.stack.extra_environment |= collector.environ
        world.stack.up().must()
    spans = collector.spans
    assert {"weir up", "resolve", "render", "plan", "record", "apply", "prune", "wait"} <= spans.keys()
    unit, source = f"Kustomization/{world.flux}/web", f"GitRepository/{world.flux}/apps"
    run = spans["weir up"]
    assert spans[unit].parent_span_id == spans[source].parent_span_id == run.span_id
    assert spans["resolve"].parent_span_id == spans[source].span_id
    assert spans["apply"].parent_span_id == spans[unit].span_id
    for span in spans.values():
        assert run.start_time_unix_nano <= span.start_time_unix_nano
        assert span.start_time_unix_nano <= span.end_time_unix_nano <= run.end_time_unix_nano
