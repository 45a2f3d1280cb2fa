"""Objects of one kind followed for as long as the watcher lives: a LIST, then watches that go on from it.

Rule: https://kubernetes.io/docs/reference/using-api/api-concepts/#efficient-detection-of-changes. Bookmarks keep the
version fresh; 410 means that it is too old, and everything is listed again. A connection on which nothing comes, not
even a bookmark, is taken for dead.
"""

from __future__ import annotations

import random
import threading
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any, Final
from urllib.parse import urlencode

from weir.edges.kube.client import Kube
from weir.edges.kube.discovery import Resource
from weir.edges.kube.errors import KubeStatusError
from weir.edges.kube.records import CONFIG_MAPS, STACK, Records, label_value
from weir.spec.errors import StopRequested, WeirError

Obj = dict[str, Any]

WATCH_SECONDS: Final = 290
"""How long the server is asked to keep one watch open."""
SILENCE_SECONDS: Final = 100.0
"""Without an event or bookmark (the API server sends one a minute) the connection is half-open."""
_PAGE: Final = 500
_LONGEST_PAUSE: Final = 30.0
_REFUSED: Final = (
    HTTPStatus.UNAUTHORIZED,
    HTTPStatus.FORBIDDEN,
    HTTPStatus.NOT_FOUND,
    HTTPStatus.METHOD_NOT_ALLOWED,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """What one watch covers."""

    resource: Resource
    namespace: str = ""
    """Empty for all."""
    selector: str = ""
    """Label selector."""
    name: str = ""
    """One object only; empty for all."""

    @property
    def query(self) -> dict[str, str]:
        """The query of LIST and WATCH."""
        fields = {"fieldSelector": f"metadata.name={self.name}"} if self.name else {}
        return fields | ({"labelSelector": self.selector} if self.selector else {})


def record_place(records: Records) -> Place:
    """Where the records of a stack are; two long names may share a label, so each record is asked for its stack."""
    selector = f"{STACK}={label_value(records.stack)}"
    return Place(resource=CONFIG_MAPS, namespace=records.namespace, selector=selector)


@dataclass(slots=True)
class Follower:
    """One place followed in a thread of its own, from `start` until `end`.

    `on_object` gets every object that is there or changed; `on_gone` every one that was deleted or was missing in a
    later LIST, perhaps with its identity only; `on_state` a sentence when it cannot be followed, "" when it can.
    `on_forbidden` is asked when the server does not allow it: whether another way was found, and this one is to end.
    They are called in the follower's thread and must not raise.
    """

    kube: Kube
    place: Place
    on_object: Callable[[Obj], None]
    on_gone: Callable[[Obj], None]
    on_state: Callable[[str], None]
    on_forbidden: Callable[[], bool] = lambda: False
    expected: Collection[tuple[str, str]] = ()
    """(namespace, name) of what should be there: what a LIST lacks of it is told as gone. It may be replaced."""
    stop: threading.Event = field(default_factory=threading.Event)
    listed: threading.Event = field(default_factory=threading.Event)
    """Set once everything was listed, or refused, for the first time."""
    _known: set[tuple[str, str]] = field(default_factory=set)
    """(namespace, name) of what was there."""
    _open: list[Any] = field(default_factory=list)
    _anew: bool = False

    def start(self) -> None:
        """Begin."""
        self.kube = self.kube.until(self.stop)
        name = f"follow {self.place.resource.plural}"
        threading.Thread(target=self._run, name=name, daemon=True).start()

    def end(self) -> None:
        """Stop following: no callback begins after the one that may be running."""
        self.stop.set()
        Kube.hang_up(self._open)

    def relist(self) -> None:
        """Report everything that is there once more, and what is not of what should be."""
        self._anew = True
        Kube.hang_up(self._open)

    def _run(self) -> None:
        failures, stale = 0, False
        version = ""
        while not self.stop.is_set():
            try:
                if self._anew or not version:
                    self._anew, version = False, ""
                    version = self._list()
                self.listed.set()
                events = self._watch(version)
                self.on_state("")
                failures, stale = 0, False
                version = self._report(events, version)
            except StopRequested:
                return
            except WeirError as err:
                if _is_forbidden(err) and self.on_forbidden():
                    return
                failures += 1
                gone = isinstance(err, KubeStatusError) and err.status == HTTPStatus.GONE
                version = "" if gone else version
                at_once, stale = gone and not stale, gone
                if not (at_once or self._anew or self.stop.is_set()):
                    if failures > 1 or isinstance(err, KubeStatusError):
                        self.on_state(str(err))
                    self._after_refusal(err)
                    pause = min(0.25 * 2.0 ** min(failures, 8), _LONGEST_PAUSE)
                    self.stop.wait(pause * random.uniform(0.5, 1.0))  # noqa: S311 - spreads load only

    def _after_refusal(self, err: WeirError) -> None:
        if isinstance(err, KubeStatusError) and err.status in _REFUSED:
            self.listed.set()

    def _list(self) -> str:
        """Report everything, then what is missing; the version to watch from."""
        place, token = self.place, ""
        found: set[tuple[str, str]] = set()
        while True:
            query = {"limit": str(_PAGE), **place.query, **({"continue": token} if token else {})}
            answer = self.kube.request("GET", place.resource.path(place.namespace), urlencode(query))
            for obj in answer.get("items") or ():
                obj["apiVersion"], obj["kind"] = place.resource.api_version, place.resource.kind
                found.add(_key(obj))
                self.on_object(obj)
            token = (answer.get("metadata") or {}).get("continue") or ""
            if not token:
                break
        missing = {*self._known, *self.expected} - found
        self._known = found
        for key in sorted(missing):
            self._report_gone(*key)
        return str(answer["metadata"]["resourceVersion"])

    def _watch(self, version: str) -> Iterator[Obj]:
        """The events from a version on; the watch is open when this returns."""
        place = self.place
        query = {
            "watch": "1",
            "allowWatchBookmarks": "true",
            "timeoutSeconds": str(WATCH_SECONDS),
            "resourceVersion": version,
            **place.query,
        }
        self._open.clear()
        path = place.resource.path(place.namespace)
        return self.kube.stream(path, urlencode(query), timeout=SILENCE_SECONDS, on_open=self._open)

    def _report(self, events: Iterator[Obj], version: str) -> str:
        """Report events until the server ends the watch; the version to go on from, empty to list again."""
        if self._anew or self.stop.is_set():
            # asked while the connection was made, when there was nothing to hang up on yet
            Kube.hang_up(self._open)
        for event in events:
            if self.stop.is_set():
                return version
            obj, kind = event.get("object") or {}, event.get("type")
            if kind == "ERROR":
                return ""
            version = str((obj.get("metadata") or {}).get("resourceVersion") or version)
            if kind == "DELETED":
                self._known.discard(_key(obj))
                self.on_gone(obj)
            elif kind != "BOOKMARK":
                self._known.add(_key(obj))
                self.on_object(obj)
        return version

    def _report_gone(self, namespace: str, name: str) -> None:
        meta = {"name": name, **({"namespace": namespace} if namespace else {})}
        resource = self.place.resource
        self.on_gone({"apiVersion": resource.api_version, "kind": resource.kind, "metadata": meta})


def _is_forbidden(err: WeirError) -> bool:
    return isinstance(err, KubeStatusError) and err.status == HTTPStatus.FORBIDDEN


def _key(obj: Obj) -> tuple[str, str]:
    meta = obj["metadata"]
    return str(meta.get("namespace", "")), str(meta["name"])
