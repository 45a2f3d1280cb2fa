"""Reconcile units now: the stack's watcher does it when one is alive, else `weir up` from here."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from functools import cached_property
from typing import Final

from weir.cli._rollout import roll_out
from weir.cli._units import now
from weir.edges.kube.records import Records
from weir.flow.asking import await_handling, live_watcher, request_time
from weir.flow.clusters import Clusters
from weir.spec.artifact import short_revision
from weir.spec.duration import parse_duration
from weir.spec.errors import SpecError
from weir.spec.record import UnitRecord

_DONE: Final = {
    "GitRepository": "fetched revision",
    "Kustomization": "applied revision",
    "ImagePolicy": "selected image",
    "ImageUpdateAutomation": "pushed",
}
"""Kind -> what is said before its revision."""


def add_waiting_arguments(parser: argparse.ArgumentParser) -> None:
    """`--timeout` and `--here`."""
    parser.add_argument("--timeout", default="5m", help="how long to wait for the watcher (default: 5m)")
    parser.add_argument("--here", action="store_true", help="run `weir up` here although a watcher is alive")


class Reconciling:
    """Reconciliations that one command asks for."""

    def __init__(self, args: argparse.Namespace, clusters: Clusters) -> None:
        self._args = args
        self._clusters = clusters
        self._seconds = _timeout(args)

    @property
    def records(self) -> Records:
        """The records of the stack."""
        return self._clusters.records

    @cached_property
    def watcher(self) -> str:
        """Who watches the stack and is to be asked; empty for nobody. Raises ClusterError."""
        if self._args.here:
            return ""
        records = self.records
        return live_watcher(self._clusters.main, records.namespace, records.stack, now())

    def carry_out(self, units: Sequence[UnitRecord]) -> int:
        """Reconcile and say how it went; 0 when all are ready. Raises WeirError."""
        if self.watcher:
            asked = self.annotate(units)
            results = [self._await(record, at) for record, at in zip(units, asked, strict=True)]
        else:
            print(f"► no watcher is at work on stack {self._args.stack}: running `weir up` here")
            code = roll_out(self._args, [record.id for record in units])
            results = [self.records.read(record.id) or record for record in units]
            if code:
                _say(results)
                return code
        return _say(results)

    def annotate(self, units: Sequence[UnitRecord]) -> list[str]:
        """Ask the watcher for each unit; the times that name the requests. Raises ClusterError."""
        times = []
        for record in units:
            unit = record.id
            print(f"► annotating {unit.kind} {unit.name} in {unit.namespace} namespace")
            times.append(request_time())
            self.records.request(unit, times[-1])
            print(f"✔ {unit.kind} annotated")
        return times

    def _await(self, record: UnitRecord, at: str) -> UnitRecord:
        print(f"◎ waiting for {record.id.kind} reconciliation by {self.watcher}", flush=True)
        return await_handling(self.records, record.id, at, seconds=self._seconds)


def _say(results: Sequence[UnitRecord]) -> int:
    """One line for each unit; 0 when all are ready."""
    failed = 0
    for record in results:
        ready = record.ready
        if ready and ready.status == "True":
            revision = short_revision(record.revision)
            print(f"✔ {_DONE[record.id.kind]} {revision}" if revision else f"✔ {ready.message}")
        else:
            message = ready.message if ready else "it was not reconciled"
            print(f"✗ {record.id}: {message}", file=sys.stderr)
            failed = 1
    return failed


def _timeout(args: argparse.Namespace) -> float:
    try:
        return parse_duration(args.timeout)
    except ValueError as err:
        raise SpecError.at("--timeout", "", found=args.timeout, expected=str(err)) from None
