"""Live objects, many at a time.

Absent means that the server answered for this object and said so. A kind that is not served, a refusal or a broken
connection raises: it must never look as if objects were gone.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from http import HTTPStatus
from typing import Any, Final, TypeVar
from urllib.parse import urlencode

from weir.edges.kube.client import Kube
from weir.edges.kube.discovery import Resource
from weir.edges.kube.errors import GoneApiError, KubeStatusError
from weir.edges.kube.parallel import each
from weir.spec.errors import ClusterError
from weir.spec.identity import ObjectId

Obj = dict[str, Any]

Listed = tuple[Resource, str]
"""What one LIST names: a kind, and a namespace or nothing."""
Lists = Mapping[Listed, list[Obj]]
Made = TypeVar("Made")

FEW: Final = 4
"""Objects of one kind and namespace that are read one by one rather than with a LIST."""
_PAGE: Final = 500
_RESTARTS: Final = 3


def read_live(
    kube: Kube,
    wanted: Mapping[ObjectId, Resource],
    *,
    selector: str = "",
    lists: Lists | None = None,
    stop: threading.Event | None = None,
) -> dict[ObjectId, Obj]:
    """The live objects among `wanted`; those that are absent are left out.

    Few objects of a kind and namespace are read with GET, more with one paged LIST: first of those that carry
    `selector` (a label selector that most are expected to match, so that a crowded namespace costs nothing), and of
    all only when more than a few are missing from it. `lists` are answers to the first of these that came just now.

    Raises:
        KubeStatusError: a read was refused.
        GoneApiError: an API that served a kind is gone.
        ClusterError: the server cannot be reached.
    """
    groups: dict[tuple[Resource, str], list[ObjectId]] = {}
    for item, resource in wanted.items():
        groups.setdefault((resource, item.namespace), []).append(item)
    tasks = [(resource, space, part) for (resource, space), items in groups.items() for part in _tasks(items)]
    tasks.sort(key=lambda task: len(task[2]), reverse=True)

    def read(task: tuple[Resource, str, list[ObjectId]]) -> dict[ObjectId, Obj]:
        return _read_group(kube, *task, selector=selector, first=(lists or {}).get(task[:2]))

    found: dict[ObjectId, Obj] = {}
    for part in each(kube, read, tasks, stop):
        found.update(part)
    return found


def _tasks(items: list[ObjectId]) -> list[list[ObjectId]]:
    return [[item] for item in items] if len(items) <= FEW else [items]


def read_one(kube: Kube, resource: Resource, item: ObjectId) -> Obj | None:
    """One live object, None when it is absent. Raises as `read_live`."""
    try:
        live: Obj = kube.request("GET", resource.path(item.namespace, item.name))
    except KubeStatusError as err:
        if err.absent:
            return None
        raise _gone_api(err, resource) from err
    return live


def _read_one(kube: Kube, resource: Resource, item: ObjectId) -> dict[ObjectId, Obj]:
    live = read_one(kube, resource, item)
    return {} if live is None else {item: live}


def _read_group(
    kube: Kube,
    resource: Resource,
    namespace: str,
    items: list[ObjectId],
    *,
    selector: str,
    first: list[Obj] | None,
) -> dict[ObjectId, Obj]:
    if len(items) == 1:
        return _read_one(kube, resource, items[0])
    by_name = {item.name: item for item in items}
    found: dict[ObjectId, Obj] = {}
    try:
        for query in dict.fromkeys((selector, "")):
            if query != selector and len(by_name) - len(found) <= FEW:
                break
            known = first if query == selector else None
            live = list_objects(kube, resource, namespace, query) if known is None else known
            found = {by_name[name]: obj for obj in live if (name := obj["metadata"]["name"]) in by_name}
            if len(found) == len(by_name):
                return found
        else:
            return found
    except KubeStatusError as err:
        if err.status != HTTPStatus.FORBIDDEN:
            raise
    missing = [item for item in items if item not in found]
    for part in each(kube, lambda item: _read_one(kube, resource, item), missing):
        found.update(part)
    return found


def list_objects(kube: Kube, resource: Resource, namespace: str = "", selector: str = "") -> Iterable[Obj]:
    """All objects of a kind in a namespace (or everywhere), each with apiVersion and kind. Raises as `read_live`."""
    return list_as(kube, resource, namespace, selector, lambda obj: obj)


def list_as(
    kube: Kube, resource: Resource, namespace: str, selector: str, make: Callable[[Obj], Made]
) -> list[Made]:
    """What `make` makes of each object that `list_objects` gives; what it does not keep is freed with its page."""
    for _ in range(_RESTARTS):
        try:
            return [make(obj) for obj in _pages(kube, resource, namespace, selector)]
        except KubeStatusError as err:
            if err.status != HTTPStatus.GONE:
                raise _gone_api(err, resource) from err
    raise ClusterError(f"{resource.plural}: the list changed too fast to be read", hint="run again")


def _pages(kube: Kube, resource: Resource, namespace: str, selector: str) -> Iterator[Obj]:
    token = ""
    while True:
        query = {"limit": str(_PAGE)}
        if selector:
            query["labelSelector"] = selector
        if token:
            query["continue"] = token
        answer = kube.request("GET", resource.path(namespace), urlencode(query))
        for item in answer.get("items") or ():
            item["apiVersion"], item["kind"] = resource.api_version, resource.kind
            yield item
        token = (answer.get("metadata") or {}).get("continue") or ""
        if not token:
            return


def _gone_api(err: KubeStatusError, resource: Resource) -> ClusterError:
    """A 404 that names no object says that the API itself is missing; nothing follows about its objects."""
    if err.status != HTTPStatus.NOT_FOUND:
        return err
    return GoneApiError(
        f"{resource.kind}: {resource.api_version} was served a moment ago and is not any more",
        hint="run again once its CustomResourceDefinition or APIService is back",
    )
