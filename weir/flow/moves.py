"""Objects that move between units of one run: who renders them is known before anything is pruned."""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass
from typing import Final

from weir.edges.runs import Run, claims_file, unit_file
from weir.edges.store import Store
from weir.flow.outcome import SourceOutcome, decode
from weir.spec.errors import StopRequested, WeirError
from weir.spec.identity import ObjectId, UnitId
from weir.spec.kustomization import KustomizationSpec
from weir.spec.listed import listed
from weir.spec.tree import folder_in_tree

_DEFAULTS: Final = ("", "value.yaml")
"""Keys of a kubeconfig's Secret that say the same as `value`."""
_UNRENDERED: Final = "unrendered.json"
_POLL: Final = 0.05


@dataclass(frozen=True, slots=True)
class Missing:
    """A declared unit that is not rendered as Git has it: not yet, or it failed to be."""

    unit: str
    source: str
    path: str
    """Where in its source it is."""


@dataclass(frozen=True, slots=True)
class Unrendered:
    """Units of one source of which this run does not know what they want. False when it knows of all.

    An object moves from unit to unit by a commit, so within a source.
    """

    units: tuple[Missing, ...] = ()
    pending: bool = False
    """Whether the look ahead goes on: they may still be rendered, and further ones be found."""
    digest: str = ""
    """Of the source's artifact, empty when it has none."""

    def __bool__(self) -> bool:
        """Whether an object may be wanted by somebody who is not known to want it."""
        return bool(self.units)

    @property
    def why(self) -> str:
        """Why an object that nobody is known to want may be wanted nevertheless."""
        names = listed([one.unit for one in self.units])
        verb = "are" if len(self.units) > 1 else "is"
        return f"{names} {verb} not rendered {'yet' if self.pending else 'as Git has it'} and may want it"


ALL_KNOWN: Final = Unrendered()
"""Every unit is known to be rendered."""


def keep_unrendered(run: Run, units: Iterable[Missing], *, pending: bool) -> None:
    """Let whoever is about to delete something know how far this run's look ahead is."""
    rows = [[one.unit, one.source, one.path] for one in units]
    run.write_json(_UNRENDERED, {"units": rows, "pending": pending})


def read_unrendered(run: Run, source: UnitId) -> Unrendered:
    """What is not rendered of a source. Nothing when there is no look ahead: a destroy, which runs no program."""
    found = run.read_json(_UNRENDERED)
    if not isinstance(found, dict):
        return ALL_KNOWN
    units = tuple(one for row in found["units"] if (one := Missing(*row)).source == str(source))
    outcome = run.read_json(unit_file(source))
    resolved = decode(outcome) if units and isinstance(outcome, dict) else None
    artifact = resolved.artifact if isinstance(resolved, SourceOutcome) else None
    return Unrendered(units, bool(units) and found["pending"], artifact.digest if artifact else "")


def mentioned(unknown: Unrendered, names: Collection[str]) -> Collection[str]:
    """Those names of objects that stand in the folders of units that could not be rendered; all while some may yet be.

    A name that is put together, as by a prefix or a generator, is not found.
    """
    if not unknown or unknown.pending or not unknown.digest:
        return names if unknown else ()
    folders = [folder_in_tree(one.path) or "" for one in unknown.units]
    try:
        tree = Store.default().tree(unknown.digest)
        texts = [
            tree.read(path)
            for path, file in tree.files.items()
            if not file.link and any(path.startswith(f"{folder}/" if folder else "") for folder in folders)
        ]
    except WeirError:
        return names
    return [name for name in names if any(_word(name).search(text) for text in texts)]


def _word(name: str) -> re.Pattern[bytes]:
    return re.compile(rb"(?<![-.\w])" + re.escape(name.encode()) + rb"(?![-.\w])")


def await_rendered(read: Callable[[], Unrendered], seconds: float, stop: threading.Event) -> None:
    """Return when the look ahead is over, or after so many seconds. Raises StopRequested when `stop` is set."""
    deadline = time.monotonic() + seconds
    while read().pending and time.monotonic() < deadline:
        if stop.wait(_POLL):
            raise StopRequested("the run was cancelled", hint="run again to finish")


def target_of(spec: KustomizationSpec) -> str:
    """Which cluster a unit applies to: `namespace/name/key` of its kubeconfig's Secret, empty for the stack's own."""
    secret, key = spec.kube_config_secret, spec.kube_config_key
    return f"{spec.id.namespace}/{secret}/{'value' if key in _DEFAULTS else key}" if secret else ""


def wanted_elsewhere(run: Run, spec: KustomizationSpec) -> frozenset[ObjectId]:
    """Objects that other units of this run render for the same cluster: they move there and are not pruned here."""
    wanted: set[ObjectId] = set()
    for name in run.names(".claims.json"):
        claims = run.read_json(name)
        if name != claims_file(spec.id) and isinstance(claims, dict) and claims["cluster"] == target_of(spec):
            wanted.update(ObjectId.from_entry(entry) for entry in claims["ids"])
    return frozenset(wanted)
