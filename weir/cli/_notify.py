"""Deliver the notifications of a stack at the end of a run."""

from __future__ import annotations

import os
import sys
import threading
from pathlib import Path
from typing import Final

from weir.flow import notices
from weir.spec.errors import WeirError

BUDGET: Final = 10.0
"""Seconds; what is left then waits for the next run or the watcher."""


def notify(stack: str, settings: Path) -> None:
    """Deliver what waits, and say what did not arrive. Whatever goes wrong here is no failure of the run."""
    if notices.WATCHED in os.environ or not notices.kept(stack):
        return
    # imported late: a stack without alerts needs none of it
    from weir.flow.clusters import Clusters
    from weir.flow.deliver import deliver_kept
    from weir.flow.settings import read_settings_file

    def connect() -> Clusters:
        config = read_settings_file(stack, settings)
        return Clusters(config.cluster, config.options, stack)

    try:
        done = deliver_kept(stack, connect, budget_seconds=BUDGET, stop=threading.Event())
    except Exception as err:  # noqa: BLE001 - the run is done, and its exit code says how it went
        why = str(err) if isinstance(err, WeirError | OSError) else f"unexpected {type(err).__name__}"
        print(f"► notifications wait for the next run: {why}", file=sys.stderr)
        return
    for sentence in done.lost:
        print(f"✗ notification lost: {sentence}", file=sys.stderr)
    for provider, why in sorted(done.delayed.items()):
        if done.left:
            print(f"► notifications wait: {provider}: {why}", file=sys.stderr)
