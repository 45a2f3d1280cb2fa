"""Units that the cluster remembers and the state does not hold: they must neither be lost nor forgotten.

A recovered, an older or an empty state does not hold them, nor does that of a run that was killed. They are looked for
in every run, so that one whose look failed, or that did not come to its end, is made good by the next.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from typing import Final

from weir.cli._engine import Prepared
from weir.edges.pulumi.project import EngineError
from weir.edges.pulumi.targets import unit_of
from weir.spec.errors import SpecError, WeirError
from weir.spec.identity import UnitId
from weir.spec.listed import listed

_TARGETS: Final = ("-t", "--target")


def orphan_finder(args: argparse.Namespace) -> Callable[[Prepared], set[UnitId]]:
    """For a run of the program, which takes them back or removes them; one with targets leaves all others alone."""

    def find(prepared: Prepared) -> set[UnitId]:
        if _has_targets(args):
            return set()
        try:
            return _unknown(args.stack, prepared)
        except SpecError:
            return set()  # the program says what is wrong with the settings
        except WeirError as err:
            print(f"► the cluster's records could not be compared with the state: {err}", file=sys.stderr)
            return set()

    return find


def orphan_refuser(args: argparse.Namespace) -> Callable[[Prepared], set[UnitId]]:
    """For a run that removes what the state holds: refuses, before anything is removed, when that is not everything.

    What it gives raises EngineError when there are such units, and ClusterError when that cannot be told.
    """

    def find(prepared: Prepared) -> set[UnitId]:
        unknown = set() if _has_targets(args) else _unknown(args.stack, prepared)
        if unknown:
            raise EngineError(
                f"stack {args.stack}: found units in the cluster that its state does not know: "
                f"{listed(sorted(unknown))}; nothing was removed",
                hint="run `weir up` first, which takes them back, then destroy",
            )
        return unknown

    return find


def _has_targets(args: argparse.Namespace) -> bool:
    return bool(args.target) or any(flag.partition("=")[0] in _TARGETS for flag in args.extra)


def _unknown(stack: str, prepared: Prepared) -> set[UnitId]:
    """The Kustomizations among the stack's records that the state does not hold. Raises WeirError."""
    from weir.edges.kube.client import Kube
    from weir.edges.kube.kubeconfig import load
    from weir.edges.kube.records import Records
    from weir.flow.settings import read_settings_file

    cluster = read_settings_file(stack, prepared.settings.file).cluster
    kube = Kube(load(cluster.kubeconfig, cluster.context))
    known = {unit_of(resource) for resource in prepared.resources}
    return {
        record.id
        for record in Records(kube, cluster.record_namespace, stack).read_all()
        if record.id.kind == "Kustomization" and str(record.id) not in known
    }
