"""What else the watcher follows on the stack's own cluster: its units' records, and values that units refer to."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import replace
from functools import partial
from typing import Any, Final

from weir.edges.kube.following import Follower, Place, record_place
from weir.edges.kube.records import CONFIG_MAPS, Stored, stored_of
from weir.flow.clusters import Clusters
from weir.spec.errors import WeirError
from weir.spec.identity import UnitId

Obj = dict[str, Any]
Value = tuple[str, str, str]
"""(kind, namespace, name) of a ConfigMap or Secret."""

RECORDS: Final = "the records of the stack's units"
_RESOURCES: Final = {
    "ConfigMap": CONFIG_MAPS,
    "Secret": replace(CONFIG_MAPS, kind="Secret", plural="secrets"),
}
_MOST_VALUES: Final = 64
"""Objects with a watch of their own; what is beyond is seen with the next look."""


class Inputs:
    """Follows them until `close`. The callbacks run in the followers' threads."""

    def __init__(
        self,
        clusters: Clusters,
        *,
        on_record: Callable[[Stored], None],
        on_record_gone: Callable[[UnitId], None],
        on_value: Callable[[], None],
        on_state: Callable[[str, str], None],
    ) -> None:
        self._clusters = clusters
        self._on_record, self._on_record_gone = on_record, on_record_gone
        self._on_value, self._on_state = on_value, on_state
        self._records: Follower | None = None
        self._values: dict[Value, Follower] = {}
        self._versions: dict[Value, str] = {}
        self._units: dict[str, UnitId] = {}
        """Name of a record -> its unit."""

    @property
    def ready(self) -> bool:
        """Whether all records were told once."""
        return self._records is not None and self._records.listed.is_set()

    def follow_records(self) -> None:
        """Begin with the records of the stack."""
        self._records = self._follow(
            RECORDS,
            record_place(self._clusters.records),
            self._seen_record,
            lambda obj: self._gone_record(str(obj["metadata"]["name"])),
        )

    def follow_values(self, values: Collection[Value]) -> None:
        """Follow exactly these ConfigMaps and Secrets, as far as there are not too many."""
        wanted = set(sorted(values)[:_MOST_VALUES])
        for value in self._values.keys() - wanted:
            self._values.pop(value).end()
            self._versions.pop(value, None)
        for value in wanted - self._values.keys():
            kind, namespace, name = value
            self._values[value] = self._follow(
                f"{kind} {namespace}/{name}",
                Place(resource=_RESOURCES[kind], namespace=namespace, name=name),
                partial(self._seen, value),
                partial(self._gone, value),
            )

    def close(self) -> None:
        """End all threads."""
        for follower in (*self._values.values(), *([self._records] if self._records else [])):
            follower.end()

    def _follow(
        self, what: str, place: Place, on_object: Callable[[Obj], None], on_gone: Callable[[Obj], None]
    ) -> Follower:
        follower = Follower(
            kube=self._clusters.main,
            place=place,
            on_object=on_object,
            on_gone=on_gone,
            on_state=lambda text: self._on_state(what, text),
        )
        follower.start()
        return follower

    def _seen_record(self, obj: Obj) -> None:
        name = str(obj["metadata"]["name"])
        try:
            stored = stored_of(obj)
        except WeirError as err:
            self._on_state(f"the record {name}", str(err))
            return
        if stored.record.stack == self._clusters.records.stack:
            self._units[name] = stored.record.id
            self._on_record(stored)

    def _gone_record(self, name: str) -> None:
        if unit := self._units.pop(name, None):
            self._on_record_gone(unit)

    def _seen(self, value: Value, obj: Obj) -> None:
        """A look is due when the object changed; not when it is listed first, for a look just read it."""
        version = str(obj["metadata"].get("resourceVersion", ""))
        before = self._versions.get(value)
        self._versions[value] = version
        follower = self._values.get(value)
        listed = follower is not None and follower.listed.is_set()
        if before != version and (before is not None or listed):
            self._on_value()

    def _gone(self, value: Value, _: Obj) -> None:
        self._versions[value] = ""
        self._on_value()
