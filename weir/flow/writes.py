"""Carrying out decisions: one object at a time, each write safe to repeat."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from http import HTTPStatus
from itertools import groupby, islice
from typing import Any, Final

from weir.edges.kube import writing
from weir.edges.kube.client import Kube
from weir.edges.kube.errors import KubeStatusError
from weir.edges.kube.parallel import each
from weir.edges.kube.reading import read_one
from weir.edges.kube.watching import wait_absent
from weir.flow.decisions import WRITES, Work
from weir.flow.faults import fault
from weir.flow.refusals import refusal_text
from weir.objects import annotations as marks
from weir.objects import takeover
from weir.objects.rank import rank
from weir.spec.changes import Action
from weir.spec.errors import ApplyError
from weir.spec.identity import ObjectId

Obj = dict[str, Any]

_TRIES: Final = 5
_GONE_SECONDS: Final = 60.0
"""How long a recreated object may take to go."""
_API_SECONDS: Final = 10.0
"""How long the API of a new definition may take to answer once it is established."""
_PAUSE: Final = 0.1
_CHUNK: Final = 400


@dataclass(frozen=True, slots=True, kw_only=True)
class Writer:
    """Writes of one run of one unit."""

    kube: Kube
    stop: threading.Event
    force: bool
    confidential: frozenset[ObjectId]
    progress: Callable[[str], None]
    exact: bool = False
    """Write only what is still as `Work.live` has it; a live object that moved on is a conflict, and stays."""

    def carry_out(self, works: Sequence[Work]) -> int:
        """Write what is to be written, kind by kind in apply order, objects of a kind in parallel; how many.

        Raises:
            ApplyError: objects were refused although the dry-run was not; names all of one kind's.
            ClusterError: the server cannot be reached.
            StopRequested: the run was cancelled.
        """
        todo = [work for work in works if work.action in WRITES]
        done = 0
        for _, batch in groupby(todo, key=lambda work: rank(work.id)[0]):
            rest = iter(batch)
            while chunk := list(islice(rest, _CHUNK)):
                errors = [text for text in each(self.kube, self._write, chunk, self.stop) if text]
                if errors:
                    raise ApplyError(
                        "\n".join(errors), hint="what was applied stays, and the next run goes on"
                    )
                done += len(chunk)
                if len(todo) > 1:
                    self.progress(f"applied {done} of {len(todo)} objects")
        return done

    def _write(self, work: Work) -> str:
        """Write one object; the refusal as a text, empty when it was taken."""
        live, kube = work.live, self.kube
        try:
            if work.action is Action.RECREATE and live is not None:
                self._recreate(work, live)
            else:
                if live is None and self.exact:
                    live = writing.create(kube, work.resource, work.desired)
                    # what a stop leaves between these writes looks like somebody else's
                    kube = kube.to_the_end()
                if live is not None:
                    live = self._prepare(kube, work, live)
                self._apply(kube, work, _as_of(work.desired, live) if self.exact else work.desired)
        except ApplyError as err:
            return str(err)
        except KubeStatusError as err:
            may_force = self.force or marks.force_enabled(work.desired, live)
            if err.immutable and may_force and live is not None and work.action is not Action.RECREATE:
                return self._write_again(work, live)
            return self._text(work, err)
        fault("patched")
        return ""

    def _write_again(self, work: Work, live: Obj) -> str:
        try:
            self._recreate(work, live)
        except ApplyError as err:
            return str(err)
        except KubeStatusError as err:
            return self._text(work, err)
        return ""

    def _text(self, work: Work, err: KubeStatusError) -> str:
        confidential = work.id.kind == "Secret" or work.id in self.confidential
        return refusal_text(work.id, err, work.desired, work.live, confidential=confidential)

    def _prepare(self, kube: Kube, work: Work, live: Obj) -> Obj:
        """The object after metadata: managedFields of one version, and former managers' claims as ours."""
        steps: list[Callable[[Obj], list[Obj] | None]] = []
        if work.migrate:
            steps.append(takeover.migrate_patch)
        steps.append(lambda found: takeover.takeover_patch(found, work.desired))
        for step in steps:
            found: Obj | None = live
            for attempt in range(_TRIES):
                patch = step(found) if found is not None else None
                if patch is None:
                    break
                try:
                    found = writing.json_patch(kube, work.resource, work.id, patch)
                    break
                except KubeStatusError as err:
                    if err.status not in (409, 422) or attempt == _TRIES - 1 or self.exact:
                        raise
                    found = read_one(kube, work.resource, work.id)
            live = found if found is not None else live
        return live

    def _apply(self, kube: Kube, work: Work, desired: Obj) -> None:
        """Server-side apply, again when it met another writer or when the API of a new kind does not answer yet."""
        began, attempt = time.monotonic(), 0
        while True:
            try:
                writing.apply(kube, work.resource, desired, brief=True)
                return
            except KubeStatusError as err:
                attempt += 1
                starting = err.status == HTTPStatus.NOT_FOUND and not err.details.get("name")
                busy = err.status == HTTPStatus.CONFLICT and attempt < _TRIES and not self.exact
                if not busy and not (starting and time.monotonic() - began < _API_SECONDS):
                    raise
            self.stop.wait(_PAUSE)

    def _recreate(self, work: Work, live: Obj) -> None:
        """Delete exactly this object, wait until it is gone, create it anew. A crash in between is healed by a run."""
        rest = writing.delete(self.kube, work.resource, live, exact=False)
        if rest is not None:
            uid = {work.id: live["metadata"]["uid"]}
            left = wait_absent(
                self.kube, {work.id: work.resource}, uid, timeout=_GONE_SECONDS, stop=self.stop
            )
            for obj in left.values():
                held = ", ".join(obj["metadata"].get("finalizers") or ()) or "its grace period"
                raise ApplyError(
                    f"{work.id}: still there {_GONE_SECONDS:.0f} s after its deletion, held by {held}",
                    hint="remove what holds it, then run again",
                )
        self._apply(self.kube, work, work.desired)


def _as_of(desired: Obj, live: Obj | None) -> Obj:
    """The desired object, to be taken only while the live one has this version."""
    if live is None:
        return desired
    return {
        **desired,
        "metadata": {**desired["metadata"], "resourceVersion": live["metadata"]["resourceVersion"]},
    }


def refused(unit: object, problems: Iterable[str]) -> ApplyError:
    """The error of a stage in which something was refused before anything of it was written."""
    found = list(dict.fromkeys(problems))
    if len(found) == 1:
        return ApplyError(f"{unit}: nothing was applied: {found[0]}")
    return ApplyError(f"{unit}: nothing was applied, {len(found)} objects are refused:\n" + "\n".join(found))
