"""A plain Kubernetes REST client, so that what Weir did is looked at without Weir."""

from __future__ import annotations

import base64
import json
import os
import ssl
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Self
from urllib.parse import quote

import urllib3
import yaml

from weir.spec.errors import ClusterError

_APPLY: Final = "application/apply-patch+yaml"
_ANSWERS: Final = (200, 201, 202)
_NOT_FOUND: Final = 404
_BUSY: Final = 429
_PATIENCE: Final = 40
"""Tries while the server says that it is busy, a quarter of a second apart: a new kind's storage is."""

Json = Any
"""What JSON decodes to."""


class RestError(Exception):
    """The API server's refusal: status code, then its own message."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(f"{status}: {message}")
        self.status = status


@dataclass(frozen=True, slots=True)
class Kind:
    """One listable resource as discovery names it."""

    api_version: str
    kind: str
    plural: str
    namespaced: bool
    verbs: tuple[str, ...]

    def path(self, namespace: str = "", name: str = "") -> str:
        """The URL path of a collection or of one object."""
        root = f"/apis/{self.api_version}" if "/" in self.api_version else f"/api/{self.api_version}"
        middle = f"/namespaces/{quote(namespace)}" if self.namespaced and namespace else ""
        return f"{root}{middle}/{self.plural}" + (f"/{quote(name)}" if name else "")


class Rest:
    """Pooled connections to one API server. Thread-safe.

    Raises (from every request): RestError for a refusal, urllib3.exceptions.HTTPError when unreachable.
    """

    def __init__(self, server: str, context: ssl.SSLContext | None, headers: Mapping[str, str]) -> None:
        self.server = server.rstrip("/")
        self._pool = urllib3.PoolManager(
            num_pools=2, maxsize=32, ssl_context=context, retries=False, headers=dict(headers), timeout=30.0
        )
        self._kinds: dict[tuple[str, str], Kind] = {}

    @classmethod
    def load(cls, kubeconfig: str | Path, context: str = "") -> Self:
        """A client for one context of a kubeconfig: client certificates, tokens and exec plugins are understood.

        Raises:
            ClusterError: the plugin gives no credential, or the certificates cannot be used.
        """
        base = Path(kubeconfig).expanduser()
        config = yaml.safe_load(base.read_text())
        chosen = _named(config, "contexts", context or config["current-context"])["context"]
        cluster = _named(config, "clusters", chosen["cluster"])["cluster"]
        user = (_named(config, "users", chosen["user"]).get("user") if chosen.get("user") else None) or {}
        if "exec" in user:
            user = {**user, **_exec_user(user["exec"])}
        headers = {"User-Agent": "weir-judge"}
        token = user.get("token") or ""
        if "tokenFile" in user:
            token = _file(base, user["tokenFile"]).read_text().strip()
        if token:
            headers["Authorization"] = f"Bearer {token}"
        server = str(cluster["server"])
        try:
            return cls(server, _tls(base, cluster, user) if server.startswith("https") else None, headers)
        except (ssl.SSLError, ValueError, KeyError) as err:
            raise ClusterError(
                f"{base}: found no usable certificate and key ({err}), expected PEM",
                hint="log in to the cluster",
            ) from err

    def request(
        self, method: str, path: str, body: Json = None, *, content: str = "application/json", query: str = ""
    ) -> Json:
        """The decoded answer of one request; `body` is sent as JSON."""
        data = None if body is None else json.dumps(body).encode()
        url = f"{self.server}{path}" + (f"?{query}" if query else "")
        headers = {**self._pool.headers, "Accept": "application/json", "Content-Type": content}
        for _ in range(_PATIENCE):
            answer = self._pool.request(method, url, body=data, headers=headers)
            if answer.status != _BUSY:
                break
            time.sleep(0.25)
        if answer.status not in _ANSWERS:
            raise RestError(answer.status, _message(answer.data))
        return json.loads(answer.data) if answer.data else None

    def kinds(self) -> tuple[Kind, ...]:
        """Every resource of every served group, in the group's preferred version, with its verbs."""
        groups = [
            "v1",
            *(g["preferredVersion"]["groupVersion"] for g in self.request("GET", "/apis")["groups"]),
        ]
        return tuple(kind for version in groups for kind in self._group_kinds(version))

    def _group_kinds(self, version: str) -> Iterator[Kind]:
        path = f"/apis/{version}" if "/" in version else f"/api/{version}"
        for item in self._if_served(path)["resources"]:
            if "/" not in item["name"]:
                yield Kind(version, item["kind"], item["name"], item["namespaced"], tuple(item["verbs"]))

    def kind(self, api_version: str, kind: str) -> Kind:
        """The resource that serves a kind. Raises KeyError when none does."""
        if (api_version, kind) not in self._kinds:
            found = {(item.api_version, item.kind): item for item in self._group_kinds(api_version)}
            self._kinds.update(found)
        return self._kinds[(api_version, kind)]

    def get(self, api_version: str, kind: str, namespace: str, name: str) -> dict[str, Any] | None:
        """One live object, or None when it (or its kind) does not exist."""
        try:
            found: dict[str, Any] = self.request("GET", self.kind(api_version, kind).path(namespace, name))
        except RestError as err:
            if err.status != _NOT_FOUND:
                raise
            return None
        except KeyError:
            return None
        return found

    def list(self, kind: Kind, selector: str = "", namespace: str = "") -> list[dict[str, Any]]:
        """All live objects of a kind, none when it is not served."""
        query = f"labelSelector={quote(selector)}" if selector else ""
        found: list[dict[str, Any]] = self._if_served(kind.path(namespace), query)["items"]
        return found

    def _if_served(self, path: str, query: str = "") -> dict[str, Any]:
        """The answer; an empty one when the API went away with its definition a moment ago."""
        try:
            found: dict[str, Any] = self.request("GET", path, query=query)
        except RestError as err:
            if err.status != _NOT_FOUND:
                raise
            return {"resources": [], "items": []}
        return found

    def apply(self, obj: Mapping[str, Any], manager: str = "judge") -> dict[str, Any]:
        """Server-side apply of one object, with force."""
        meta = obj["metadata"]
        path = self.kind(obj["apiVersion"], obj["kind"]).path(meta.get("namespace", ""), meta["name"])
        query = f"fieldManager={quote(manager)}&force=true"
        applied: dict[str, Any] = self.request("PATCH", path, obj, content=_APPLY, query=query)
        return applied

    def create(self, obj: Mapping[str, Any], manager: str) -> dict[str, Any]:
        """A plain POST, as client-side tools send it."""
        path = self.kind(obj["apiVersion"], obj["kind"]).path(obj["metadata"].get("namespace", ""))
        made: dict[str, Any] = self.request("POST", path, obj, query=f"fieldManager={quote(manager)}")
        return made

    def patch(
        self, obj: Mapping[str, Any], change: Mapping[str, Any], manager: str = "kubectl-edit"
    ) -> dict[str, Any]:
        """A JSON merge patch, as a person with kubectl would send it."""
        meta = obj["metadata"]
        path = self.kind(obj["apiVersion"], obj["kind"]).path(meta.get("namespace", ""), meta["name"])
        patched: dict[str, Any] = self.request(
            "PATCH",
            path,
            change,
            content="application/merge-patch+json",
            query=f"fieldManager={quote(manager)}",
        )
        return patched

    def delete(self, api_version: str, kind: str, namespace: str, name: str) -> None:
        """Delete one object in the background; absent is fine."""
        try:
            self.request(
                "DELETE",
                self.kind(api_version, kind).path(namespace, name),
                query="propagationPolicy=Background",
            )
        except RestError as err:
            if err.status != _NOT_FOUND:
                raise


def _named(config: Mapping[str, Any], section: str, name: str) -> dict[str, Any]:
    for item in config.get(section) or []:
        if item["name"] == name:
            return dict(item)
    raise KeyError(f"kubeconfig: {section}: found no {name!r}")


def _file(base: Path, name: str) -> Path:
    return base.parent / Path(name).expanduser()


def _tls(base: Path, cluster: Mapping[str, Any], user: Mapping[str, Any]) -> ssl.SSLContext:
    context = ssl.create_default_context()
    if cluster.get("certificate-authority-data"):
        context.load_verify_locations(cadata=base64.b64decode(cluster["certificate-authority-data"]).decode())
    elif cluster.get("certificate-authority"):
        context.load_verify_locations(cafile=_file(base, cluster["certificate-authority"]))
    if cluster.get("insecure-skip-tls-verify"):
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    if user.get("client-certificate-data"):
        with tempfile.TemporaryDirectory() as folder:
            pair = [Path(folder) / name for name in ("tls.crt", "tls.key")]
            for file, key in zip(pair, ("client-certificate-data", "client-key-data"), strict=True):
                file.touch(mode=0o600)
                file.write_bytes(base64.b64decode(user[key]))
            context.load_cert_chain(pair[0], pair[1])
    elif user.get("client-certificate"):
        context.load_cert_chain(_file(base, user["client-certificate"]), _file(base, user["client-key"]))
    return context


def _exec_user(plugin: Mapping[str, Any]) -> dict[str, Any]:
    """What the reader's own credential plugin answers, in the shape of a kubeconfig user."""
    try:
        status = _exec_status(plugin)
    except (OSError, subprocess.SubprocessError, ValueError, KeyError, TypeError) as err:
        said = (getattr(err, "stderr", None) or b"").decode(errors="replace").strip().splitlines()
        reason = said[-1] if said else getattr(err, "strerror", None) or type(err).__name__
        hint = "log in to the cluster, and see that `kubectl get namespaces` works"
        raise ClusterError(
            f"{plugin.get('command')}: found {reason}, expected a credential", hint=hint
        ) from err
    user = {"token": status["token"]} if status.get("token") else {}
    if status.get("clientCertificateData"):
        user["client-certificate-data"] = base64.b64encode(status["clientCertificateData"].encode()).decode()
        user["client-key-data"] = base64.b64encode(status["clientKeyData"].encode()).decode()
    return user


def _exec_status(plugin: Mapping[str, Any]) -> dict[str, Any]:
    extra = {item["name"]: item["value"] for item in plugin.get("env") or []}
    info = {"apiVersion": plugin["apiVersion"], "kind": "ExecCredential", "spec": {"interactive": False}}
    answer = subprocess.run(
        [plugin["command"], *(plugin.get("args") or [])],
        env={**os.environ, **extra, "KUBERNETES_EXEC_INFO": json.dumps(info)},
        capture_output=True,
        timeout=60,
        check=True,
    )
    return dict(json.loads(answer.stdout)["status"])


def _message(data: bytes) -> str:
    try:
        return str(json.loads(data).get("message", ""))
    except ValueError:
        return data[:200].decode(errors="replace")
