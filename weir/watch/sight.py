"""Which places are followed so that every object of the held units is seen, and which are not needed any more.

A kind with objects in a few namespaces gets a watch for each of them, another one watch of all namespaces; whoever may
not read all namespaces, as the service account of a tenant, gets one for each namespace whatever their number.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from weir.edges.kube.client import Kube
from weir.edges.kube.discovery import Resource
from weir.edges.kube.following import Follower, Place
from weir.flow.repair import Held
from weir.objects.annotations import OWNER_NAME
from weir.spec.identity import UnitId

Obj = dict[str, Any]

_FEW_NAMESPACES: Final = 4
"""Namespaces of one kind that get a watch each although all of them could be read at once."""

_Key = tuple[str, str]
"""Namespace and name of an object."""
_Kind = tuple[str, str, Resource]
"""Server, identity there, kind."""
_Covered = tuple[str, str, Place]


@dataclass(slots=True)
class Sight:
    """What is followed. The callbacks are called by the threads that follow."""

    on_object: Callable[[str, Obj], None]
    """(server, object)."""
    on_gone: Callable[[str, Obj], None]
    on_state: Callable[[str, str, str], None]
    """(server, what is followed, why it cannot be; empty when it can)."""
    _objects: dict[_Kind, set[_Key]] = field(default_factory=dict)
    _kubes: dict[tuple[str, str], Kube] = field(default_factory=dict)
    _followers: dict[_Covered, Follower] = field(default_factory=dict)
    _narrow: set[_Kind] = field(default_factory=set)
    """Kinds that may not be read in all namespaces."""
    _changing: threading.Lock = field(default_factory=threading.Lock)

    def cover(self, units: Mapping[UnitId, Held], fresh: Mapping[UnitId, Held]) -> None:
        """Follow exactly the objects of `units`; those of `fresh` are told once more, there or missing."""
        anew = _objects(fresh)
        with self._changing:
            self._objects = _objects(units)
            self._kubes = {
                (held.request.kube.server, held.request.kube.user): held.request.kube
                for held in units.values()
            }
            self._follow(anew)

    def close(self) -> None:
        """Follow nothing more."""
        with self._changing:
            for follower in self._followers.values():
                follower.end()

    def _follow(self, anew: Mapping[_Kind, set[_Key]]) -> None:
        wanted = set(self._places())
        for key in self._followers.keys() - wanted:
            self._followers.pop(key).end()
        for key in sorted(wanted, key=str):
            expected = _inside(key, self._objects)
            if key in self._followers and self._has_another_login(key):
                self._followers.pop(key).end()
            if key not in self._followers:
                self._followers[key] = self._begin(key, expected)
                continue
            self._followers[key].expected = expected
            if _inside(key, anew):
                self._followers[key].relist()

    def _has_another_login(self, key: _Covered) -> bool:
        """Whether the kubeconfig by which a place is followed was replaced, as by one with a new token."""
        return self._followers[key].kube.access is not self._kubes[key[0], key[1]].access

    def _places(self) -> Iterator[_Covered]:
        for kind, objects in self._objects.items():
            server, user, resource = kind
            found = {namespace for namespace, _ in objects}
            each = len(found) <= _FEW_NAMESPACES or kind in self._narrow
            for namespace in found if each else [""]:
                yield server, user, Place(resource=resource, namespace=namespace, selector=OWNER_NAME)

    def _begin(self, key: _Covered, expected: set[_Key]) -> Follower:
        server, user, place = key
        what = f"{place.resource.kind} in {place.namespace or 'all namespaces'}"
        follower = Follower(
            kube=self._kubes[server, user],
            place=place,
            on_object=lambda obj: self.on_object(server, obj),
            on_gone=lambda obj: self.on_gone(server, obj),
            on_state=lambda text: self.on_state(server, what, text),
            on_forbidden=lambda: self._forbidden(key),
            expected=expected,
        )
        follower.start()
        return follower

    def _forbidden(self, key: _Covered) -> bool:
        """Follow the namespaces one by one; whether that is another way than was refused."""
        server, user, place = key
        with self._changing:
            if place.namespace or not place.resource.namespaced or key not in self._followers:
                return False
            self._narrow.add((server, user, place.resource))
            self._follow({})
            return True


def _objects(units: Mapping[UnitId, Held]) -> dict[_Kind, set[_Key]]:
    """The units' objects by kind."""
    found: dict[_Kind, set[_Key]] = {}
    for held in units.values():
        kube = held.request.kube
        for item, (resource, _) in held.placed.items():
            found.setdefault((kube.server, kube.user, resource), set()).add((item.namespace, item.name))
    return found


def _inside(key: _Covered, objects: Mapping[_Kind, set[_Key]]) -> set[_Key]:
    """Those of the objects that a place covers."""
    server, user, place = key
    of_kind = objects.get((server, user, place.resource), set())
    return {one for one in of_kind if place.namespace in ("", one[0])}
