"""A small REST client for checking what is in a cluster; it shares no code with Weir, so that it can disagree."""

from __future__ import annotations

import base64
import json
import ssl
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final, TypeVar

import yaml

Obj = dict[str, Any]
T = TypeVar("T")

MERGE: Final = "application/merge-patch+json"
JSON_PATCH: Final = "application/json-patch+json"
APPLY: Final = "application/apply-patch+yaml"
NOT_FOUND: Final = 404
CONFLICT: Final = 409


class KubeError(Exception):
    """The API server answered with a failure; `status` is the HTTP code, `body` its decoded answer."""

    def __init__(self, status: int, body: Obj) -> None:
        super().__init__(f"{status} {body.get('reason', '')}: {body.get('message', body)}")
        self.status = status
        self.body = body


class Kube:
    """One cluster through one kubeconfig (token or client certificate data of its current context)."""

    def __init__(self, kubeconfig: Path, token: str | None = None) -> None:
        document = yaml.safe_load(kubeconfig.read_text())
        context = _named(document["contexts"], document["current-context"])["context"]
        cluster = _named(document["clusters"], context["cluster"])["cluster"]
        user = _named(document["users"], context["user"])["user"]
        self.server: str = cluster["server"]
        authority = base64.b64decode(cluster["certificate-authority-data"]).decode()
        self._tls = ssl.create_default_context(cadata=authority)
        self._token = token or user["token"]
        self._plurals: dict[tuple[str, str], tuple[str, bool]] = {}

    def request(
        self, method: str, path: str, body: object = None, content_type: str = "application/json"
    ) -> Any:
        """The decoded answer; raises KubeError for 4xx and 5xx."""
        data = None if body is None else json.dumps(body).encode()
        headers = {"Authorization": f"Bearer {self._token}", "Content-Type": content_type}
        request = urllib.request.Request(self.server + path, data=data, method=method, headers=headers)
        opener = urllib.request.build_opener(
            urllib.request.ProxyHandler({}), urllib.request.HTTPSHandler(context=self._tls)
        )
        try:
            with opener.open(request, timeout=30) as response:
                text = response.read()
        except urllib.error.HTTPError as error:
            with error:
                raise KubeError(error.code, _decode(error.read())) from None
        return _decode(text)

    def path(self, api_version: str, kind: str, namespace: str | None = None, name: str | None = None) -> str:
        """The URL path of an object, or of its collection without a name; the plural comes from discovery."""
        base = f"/api/{api_version}" if "/" not in api_version else f"/apis/{api_version}"
        plural, namespaced = self._plural(base, kind)
        parts = [base, *(["namespaces", namespace] if namespaced and namespace else []), plural]
        return "/".join([*parts, urllib.parse.quote(name)] if name else parts)

    def get(self, api_version: str, kind: str, name: str, namespace: str | None = None) -> Obj | None:
        """The live object, or None when it or its kind is not there."""
        try:
            found: Obj = self.request("GET", self.path(api_version, kind, namespace, name))
        except KubeError as error:
            if error.status == NOT_FOUND:
                return None
            raise
        return found

    def list(
        self, api_version: str, kind: str, namespace: str | None = None, selector: str = ""
    ) -> Sequence[Obj]:
        """All objects of a kind, in one namespace or everywhere, by label selector."""
        query = f"?labelSelector={urllib.parse.quote(selector)}" if selector else ""
        items: Sequence[Obj] = self.request("GET", self.path(api_version, kind, namespace) + query)["items"]
        return items

    def apply(self, obj: Mapping[str, Any]) -> Obj:
        """Create the object, or replace the one that is there, as its present content says."""
        wanted = dict(obj)
        try:
            done: Obj = self.request("POST", self._path_of(wanted, named=False), wanted)
        except KubeError as error:
            if error.status != CONFLICT:
                raise
            path = self._path_of(wanted, named=True)
            version = self.request("GET", path)["metadata"]["resourceVersion"]
            wanted["metadata"] = {**wanted["metadata"], "resourceVersion": version}
            done = self.request("PUT", path, wanted)
        return done

    def apply_as(self, manager: str, obj: Mapping[str, Any], *, force: bool = True) -> Obj:
        """Server-side apply under a field manager."""
        query = urllib.parse.urlencode({"fieldManager": manager, "force": str(force).lower()})
        done: Obj = self.request("PATCH", f"{self._path_of(obj, named=True)}?{query}", dict(obj), APPLY)
        return done

    def patch(
        self,
        api_version: str,
        kind: str,
        name: str,
        namespace: str | None,
        patch: object,
        content_type: str = MERGE,
    ) -> Obj:
        """Merge (or JSON) patch one object."""
        done: Obj = self.request("PATCH", self.path(api_version, kind, namespace, name), patch, content_type)
        return done

    def delete(self, api_version: str, kind: str, name: str, namespace: str | None = None) -> bool:
        """Delete in the background; False when it was not there."""
        options = {"apiVersion": "v1", "kind": "DeleteOptions", "propagationPolicy": "Background"}
        try:
            self.request("DELETE", self.path(api_version, kind, namespace, name), options)
        except KubeError as error:
            if error.status == NOT_FOUND:
                return False
            raise
        return True

    def _path_of(self, obj: Mapping[str, Any], *, named: bool) -> str:
        meta = obj["metadata"]
        return self.path(
            obj["apiVersion"], obj["kind"], meta.get("namespace"), meta["name"] if named else None
        )

    def _plural(self, base: str, kind: str) -> tuple[str, bool]:
        if (base, kind) not in self._plurals:
            for resource in self.request("GET", base)["resources"]:
                if "/" not in resource["name"]:
                    self._plurals[base, resource["kind"]] = (resource["name"], resource["namespaced"])
        if (base, kind) not in self._plurals:
            raise KubeError(NOT_FOUND, {"message": f"no kind {kind} in {base}"})
        return self._plurals[base, kind]


def wait_for(look: Callable[[], T], *, seconds: float = 20, every: float = 0.05) -> T:
    """The first truthy answer of `look`; AssertionError with the last one after that many seconds."""
    deadline = time.monotonic() + seconds
    while True:
        answer = look()
        if answer:
            return answer
        if time.monotonic() > deadline:
            raise AssertionError(f"still {answer!r} after {seconds} s")
        time.sleep(every)


def _named(entries: Sequence[Obj], name: str) -> Obj:
    return next(entry for entry in entries if entry["name"] == name)


def _decode(text: bytes) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return {"message": text.decode(errors="replace")}
