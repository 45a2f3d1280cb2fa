"""Whether an apply would change a live object, decided without asking the server.

The one promise: SAME is said only when a server-side apply of the desired object as `weir` would change nothing.
Everything unclear is UNSURE; then the server's dry-run decides. Ownership carries the proof: the API server takes a
field away from `weir` as soon as another manager changes it, and names every field of the last apply.
"""

from __future__ import annotations

from enum import StrEnum
from functools import lru_cache
from typing import Any, Final

from weir.objects import equal, managed, takeover
from weir.objects.values import Json, Obj

owned_paths = managed.owned_paths

_ROOT: Final = frozenset({"apiVersion", "kind", "metadata", "status"})
_IDENTITY: Final = frozenset({"name", "namespace"})
_GRANULAR: Final = frozenset(
    {
        "metadata",
        "resources",
        "rollingUpdate",
        "securityContext",
        "spec",
        "strategy",
        "template",
        "updateStrategy",
    }
)
"""Fields of built-in kinds that are merged key by key, so that an empty map asks for nothing."""
_KEY_DEFAULTS: Final = {"protocol": "TCP"}
_SCALARS: Final = (str, int, float, bool)


Key = str | tuple[tuple[type, Json], ...]


class Verdict(StrEnum):
    """What `compare` can say."""

    SAME = "same"
    UNSURE = "unsure"


def compare(desired: Obj, live: Obj) -> Verdict:
    """SAME when applying `desired` (normalised) would certainly leave `live` as it is, else UNSURE.

    Certain means: one API version, the object is not being deleted, no takeover or clean-up is due, `weir` owns exactly
    the fields of `desired`, and each has the desired value. Nothing is written to either.
    """
    entry = managed.applied(live)
    version = desired.get("apiVersion")
    if entry is None or not isinstance(version, str) or live.get("kind") != desired.get("kind"):
        return Verdict.UNSURE
    if live.get("apiVersion") != version or entry.get("apiVersion") != version:
        return Verdict.UNSURE
    meta = live.get("metadata") or {}
    if meta.get("deletionTimestamp") or takeover.due(live, desired):
        return Verdict.UNSURE
    same = _Walk(built_in=equal.is_built_in(version)).root(desired, live, managed.trie(entry))
    return Verdict.SAME if same else Verdict.UNSURE


class _Walk:
    """One comparison: desired value, live value and owned trie, side by side."""

    __slots__ = ("built_in",)

    def __init__(self, *, built_in: bool) -> None:
        self.built_in = built_in

    def root(self, desired: Obj, live: Obj, trie: managed.Trie) -> bool:
        """The top level, where identity fields are not owned by anyone."""
        if "status" in desired or not trie:
            return False
        body = {key: value for key, value in desired.items() if key not in _ROOT}
        owned = {step: below for step, below in trie.items() if step != "f:metadata"}
        meta = desired.get("metadata") or {}
        wanted = {key: value for key, value in meta.items() if key not in _IDENTITY}
        loose, self.built_in = self.built_in, False
        same = self.fields(wanted, live.get("metadata") or {}, trie.get("f:metadata", {}), "metadata")
        self.built_in = loose
        return same and self.fields(body, live, owned, "")

    def fields(self, desired: Obj, live: Obj, trie: managed.Trie, parent: str) -> bool:
        """A map merged key by key: the owned keys are the desired ones, and each is the same."""
        seen = 1 if "." in trie else 0
        for key, value in desired.items():
            below = trie.get("f:" + key)
            if below is None:
                if live.get(key) or not self.unrecorded(key, value):
                    return False
                continue
            seen += 1
            if key in live:
                found = live[key]
                if (
                    not below
                    and type(value) is type(found)
                    and value.__class__ in _SCALARS
                    and value == found
                ):
                    continue
                if not self.value(value, found, below, parent, key):
                    return False
            elif below or not self.built_in or not equal.is_dropped(key, value):
                return False
        return seen == len(trie)

    def unrecorded(self, key: str, desired: Json) -> bool:
        """A desired field of which an apply leaves no trace: an empty list that the server does not keep."""
        return self.built_in and isinstance(desired, list) and equal.is_dropped(key, desired)

    def value(self, desired: Json, live: Json, trie: managed.Trie, parent: str, key: str) -> bool:
        """One field: owned as a whole, or by its parts."""
        if not trie or (len(trie) == 1 and "." in trie):
            if desired == {} and isinstance(live, dict) and self.built_in and key in _GRANULAR:
                return True
            return equal.same_value(desired, live, parent=parent, key=key, built_in=self.built_in)
        if isinstance(desired, dict) and isinstance(live, dict):
            return self.fields(desired, live, trie, key)
        if isinstance(desired, list) and isinstance(live, list):
            first = next(step for step in trie if step != ".")
            if first.startswith("k:"):
                return self.keyed(desired, live, trie, key)
            return first.startswith("v:") and _same_set(desired, live, trie)
        return False

    def keyed(self, desired: list[Any], live: list[Any], trie: managed.Trie, parent: str) -> bool:
        """A list merged by key: the owned elements are the desired ones, in their order among the live ones."""
        steps = [step for step in trie if step != "."]
        names = tuple(name for name, _ in managed.key_fields(steps[0]))
        if not names or len(steps) != len(desired):
            return False
        owned = {_step_key(step, names): trie[step] for step in steps}
        places = {_key(item, names): place for place, item in enumerate(live)}
        if None in owned or len(owned) != len(desired) or len(places) != len(live):
            return False
        last = -1
        for item in desired:
            key = _key(item, names)
            below, place = owned.pop(key, None), places.get(key, -1)
            if below is None or place <= last or not self.element(item, live[place], below, parent):
                return False
            last = place
        return True

    def element(self, desired: Obj, live: Obj, trie: managed.Trie, parent: str) -> bool:
        """One element of a keyed list; its key fields may be defaults that nobody wrote."""
        return bool(trie) and self.fields(desired, live, trie, parent)


@lru_cache(maxsize=65536)
def _step_key(step: str, names: tuple[str, ...]) -> Key | None:
    """The key in a `k:` step of fieldsV1."""
    return _key(dict(managed.key_fields(step)), names)


def _key(item: Json, names: tuple[str, ...]) -> Key | None:
    """The element's key; None when it has none."""
    if not isinstance(item, dict):
        return None
    if len(names) == 1:
        only = item.get(names[0])
        if only.__class__ is str:
            return only
    return _typed_key(item, names)


def _typed_key(item: Obj, names: tuple[str, ...]) -> Key | None:
    """A key with the types of its parts: 1, "1" and true are three keys."""
    found = [item.get(name, _KEY_DEFAULTS.get(name)) for name in names]
    if any(value.__class__ not in _SCALARS for value in found):
        return None
    return tuple((value.__class__, value) for value in found)


def _same_set(desired: list[Any], live: list[Any], trie: managed.Trie) -> bool:
    """A list that is a set: the owned values are the desired ones, in their order among the live ones."""
    owned = [managed.set_value(step) for step in trie if step != "."]
    if len(owned) != len(desired) or len(set(map(repr, owned))) != len(owned):
        return False
    if {repr(value) for value in owned} != {repr(value) for value in desired}:
        return False
    last = -1
    for value in desired:
        places = [place for place, item in enumerate(live) if repr(item) == repr(value)]
        if len(places) != 1 or places[0] <= last:
            return False
        last = places[0]
    return True
