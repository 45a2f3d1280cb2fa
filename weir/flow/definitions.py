"""Between stages: definitions become usable, and what had to be guessed about later objects is decided for good."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Final

from weir.edges.kube.discovery import Discovery
from weir.edges.kube.errors import UnknownKindError
from weir.edges.kube.reading import read_live
from weir.edges.kube.watching import wait_ready
from weir.flow.decisions import WRITES, Work
from weir.flow.plan import Request, decide_placed
from weir.flow.pruning import owner_selector
from weir.flow.staging import new_kinds, place
from weir.objects.health import health
from weir.spec.changes import Action
from weir.spec.errors import ApplyError, StopRequested

_SECONDS: Final = 60.0
"""How long definitions may take to become usable (ssa WaitTimeout)."""
_SERVED_SECONDS: Final = 15.0
_TAKEN_UP_SECONDS: Final = 3.0
"""How long the API server may still check objects by what their definition said before it was changed."""
_PAUSE: Final = 0.05
_CALM_PAUSE: Final = 0.2
_WAITED: Final = {("apiextensions.k8s.io", "CustomResourceDefinition"), ("", "Namespace")}


def settle(request: Request, works: Sequence[Work], later: Sequence[Work], stop: threading.Event) -> None:
    """Wait until CustomResourceDefinitions are established and served and Namespaces are active, where that matters.

    Raises:
        ApplyError: they were not within a minute; names them.
        ClusterError, StopRequested: as everywhere.
    """
    open_kinds = {(work.resource.api_version, work.id.kind) for work in later if work.guessed}
    waited = {
        work.id: work.resource
        for work in works
        if (work.id.group, work.id.kind) in _WAITED
        and work.action is not Action.SKIP
        and (work.action in WRITES or open_kinds)
    }
    if not waited:
        return
    verdicts = wait_ready(request.kube, waited, lambda _, live: health(live), timeout=_SECONDS, stop=stop)
    bad = [f"{item}: {verdict.message}" for item, verdict in verdicts.items() if verdict.status != "Current"]
    if bad:
        text = "; ".join(bad)
        raise ApplyError(f"{request.spec.id}: definitions are not usable after {_SECONDS:.0f} s: {text}")
    if any(item.kind == "CustomResourceDefinition" for item in waited):
        _await_served(request.discovery, open_kinds, stop)


def _await_served(discovery: Discovery, kinds: Iterable[tuple[str, str]], stop: threading.Event) -> None:
    """Read the cluster's kinds until the new ones are among them; what stays missing is refused in its own stage."""
    deadline = time.monotonic() + _SERVED_SECONDS
    while True:
        discovery.refresh()
        if all(_serves(discovery, *kind) for kind in kinds) or time.monotonic() > deadline:
            return
        if stop.wait(_PAUSE):
            raise StopRequested("the run was cancelled", hint="run again to finish")


def _serves(discovery: Discovery, api_version: str, kind: str) -> bool:
    try:
        discovery.resource(api_version, kind)
    except UnknownKindError:
        return False
    return True


def rework(
    request: Request, works: Sequence[Work], before: Iterable[Work], stop: threading.Event
) -> list[Work]:
    """Decide again about objects that were refused or guessed about, now that earlier stages are in place.

    The API server takes up a changed definition a moment after it stored it (apiextensions' handler follows a watch):
    what it refuses of such a kind is asked about for a while.

    Args:
        request: of the unit.
        works: the stage that comes next.
        before: the earlier stages, carried out.
        stop: ends the wait.

    Raises:
        ClusterError, StopRequested: as everywhere.
    """
    changed = new_kinds(work.desired for work in before if work.action in WRITES)
    deadline = time.monotonic() + _TAKEN_UP_SECONDS
    while True:
        works = _decide_again(request, works)
        late = any(work.problem and (work.resource.api_version, work.id.kind) in changed for work in works)
        if not late or time.monotonic() > deadline:
            return list(works)
        if stop.wait(_CALM_PAUSE):
            raise StopRequested("the run was cancelled", hint="run again to finish")


def _decide_again(request: Request, works: Sequence[Work]) -> list[Work]:
    again = [work for work in works if work.problem or work.guessed]
    if not again:
        return list(works)
    placed, refused = place([work.desired for work in again], request.discovery)
    wanted = {item.id: item.resource for item in placed if not item.pending}
    live = read_live(request.kube, wanted, selector=owner_selector(request.spec.id), stop=request.stop)
    fresh = {work.id: work for work in decide_placed(request, placed, live)}
    errors = {item.id: str(item.error) for item in refused}
    return [
        replace(work, problem=errors[work.id]) if work.id in errors else fresh.get(work.id, work)
        for work in works
    ]
