"""Units that the cluster remembers and a recovered state does not hold: they must neither be lost nor forgotten."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable

from weir.cli._engine import Prepared
from weir.edges.pulumi.targets import unit_of
from weir.spec.errors import WeirError
from weir.spec.identity import UnitId


def orphan_finder(args: argparse.Namespace) -> Callable[[Prepared], set[UnitId]]:
    """Looks only when the state is empty or had to be put right: a healthy state knows all its units."""

    def find(prepared: Prepared) -> set[UnitId]:
        if prepared.resources and not (prepared.lost or prepared.told):
            return set()
        from weir.flow.clusters import Clusters
        from weir.flow.settings import read_settings_file

        known = {unit_of(resource) for resource in prepared.resources}
        try:
            config = read_settings_file(args.stack, prepared.settings.file)
            records = Clusters(config.cluster, config.options, config.name).records.read_all()
        except WeirError as err:
            print(f"► the cluster's records could not be compared with the state: {err}", file=sys.stderr)
            return set()
        return {
            record.id
            for record in records
            if record.id.kind == "Kustomization" and str(record.id) not in known
        }

    return find
