"""The plugin in one run, driven as the engine drives it, over units that the run found out about."""

from __future__ import annotations

import json
import threading
from typing import Any

from provider.engine import Engine
from provider.unit import UnitProvider
from tests.support.units import Unit, config_map
from weir.edges.runs import Run, objects_file, unit_file
from weir.flow.digest import canonical, digest_of
from weir.flow.outcome import UnitOutcome, encode
from weir.spec.documents import Document
from weir.spec.record import UnitRecord

URN = "urn:pulumi:test::weir::weir:kustomize:Kustomization::app"


class Plugin:
    """The plugin of a stack whose records are kept where a unit's are. Set `WEIR_CACHE_DIR` before."""

    def __init__(self, unit: Unit) -> None:
        self.run = Run.current()
        cluster = {"kubeconfig": str(unit.kubeconfig), "recordNamespace": unit.namespace}
        settings = {"objects": "none", "cluster": json.dumps(cluster)}
        self.provider = UnitProvider(settings, Engine(""), threading.Event())

    def found(self, unit: Unit, spec: dict[str, Any] | None = None, **outcome: Any) -> None:
        """What the run found out about a unit: ConfigMap `a` at `main@sha1:2`, but for what is said."""
        payload = canonical([unit.label(config_map(unit.namespace, outcome.pop("holds", "a")))])
        self.run.write(objects_file(unit.spec().id), payload)
        given = {"revision": "main@sha1:2", "digest": digest_of(payload), **outcome}
        document = Document("unit.yaml", 0, unit.document(**(spec or {})))
        made = UnitOutcome(spec=unit.spec(**(spec or {})), document=document, **given)
        self.run.write_json(unit_file(made.id), encode(made))

    def update(self, unit: Unit) -> dict[str, Any]:
        """Plan and apply a unit. Raises WeirError."""
        news = {"unit": str(unit.spec().id), "source": "GitRepository/x/repo"}
        inputs = self.provider.check(URN, {}, news)
        return self.provider.apply(URN, inputs, 0)


def record_of(unit: Unit) -> UnitRecord:
    """What the cluster remembers of a unit."""
    found = unit.records.read(unit.spec().id)
    assert found is not None
    return found
