"""Kubeconfig files: the user's own, read as kubectl reads them, and those of tenants, which may hold inline data only.

A kubeconfig can name programs to run and files to read. That is fine in the file of the person who starts Weir, and a
hole in one that comes out of a Secret (CVE-2022-24817), so there are two doors.
"""

from __future__ import annotations

import base64
import binascii
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote, urlsplit

from weir.spec.documents import read_yaml
from weir.spec.errors import ClusterError, SpecError

_ACCOUNT: Final = Path("/var/run/secrets/kubernetes.io/serviceaccount")
_UNSAFE_USER: Final = (
    "exec",
    "auth-provider",
    "tokenFile",
    "client-certificate",
    "client-key",
    "username",
    "password",
    "as",
    "as-uid",
    "as-groups",
    "as-user-extra",
)
_UNSAFE_CLUSTER: Final = ("certificate-authority", "proxy-url", "insecure-skip-tls-verify")
_LARGEST: Final = 1024 * 1024
_LEGAL: Final = "!#$&'*+^`|"
"""What may stand in the name of a header beside letters, digits and `_.-~` (RFC 9110 5.6.2), but for %."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Access:
    """Where an API server is and how to be let in. PEM texts are inline; `repr` shows no credential."""

    server: str
    where: str
    """The file or Secret it was read from, for texts."""
    authority: str = ""
    """PEM certificates to trust; empty means those of the system."""
    tls_name: str = ""
    insecure: bool = False
    proxy: str = ""
    certificate: str = ""
    key: str = ""
    token: str = ""
    token_file: str = ""
    exec_plugin: Mapping[str, Any] | None = None
    acting_as: tuple[tuple[str, str], ...] = ()
    """Headers of whom the user acts as; a call that acts as somebody else leaves them out."""
    folder: str = ""
    """Where relative commands of `exec_plugin` are looked for."""

    def __repr__(self) -> str:
        """Names only."""
        return f"Access(server={self.server!r}, where={self.where!r})"


def load(path: str = "", context: str = "") -> Access:
    """The access that the user's own kubeconfig gives.

    `path` empty: `$KUBECONFIG` (several files are merged, the first word on anything wins), else `~/.kube/config`, else
    the ServiceAccount of the Pod Weir runs in; `~` and `$VARIABLES` in it are replaced. `context` empty: the file's
    current context.

    Raises:
        ClusterError: there is no such file.
        SpecError: the file does not say what it must; names file and field.
    """
    paths = [Path(os.path.expandvars(path)).expanduser()] if path else _default_paths()
    found = [(item, _read(item)) for item in paths if path or item.is_file()]
    if not found:
        return _in_cluster(paths)
    where = str(found[0][0])
    name = context or _current_context([doc for _, doc in found], where)
    chosen, file = _named(found, "contexts", "context", name)
    cluster, cluster_file = _named(
        found, "clusters", "cluster", _text(chosen, "cluster", f"{file}: context {name}")
    )
    user_name = chosen.get("user")
    user, user_file = _named(found, "users", "user", str(user_name)) if user_name else ({}, file)
    return Access(
        server=_server(cluster, str(cluster_file)),
        where=str(cluster_file),
        tls_name=str(cluster.get("tls-server-name") or ""),
        authority=_pem(cluster, "certificate-authority", cluster_file),
        proxy=str(cluster.get("proxy-url") or ""),
        insecure=cluster.get("insecure-skip-tls-verify") is True,
        certificate=_pem(user, "client-certificate", user_file),
        key=_pem(user, "client-key", user_file),
        token=str(user.get("token") or ""),
        token_file=str(user_file.parent / user["tokenFile"]) if user.get("tokenFile") else "",
        exec_plugin=user.get("exec") or None,
        acting_as=_acting_as(user, f"{user_file}: user {user_name}"),
        folder=str(user_file.parent),
    )


def _acting_as(user: Mapping[str, Any], where: str) -> tuple[tuple[str, str], ...]:
    """The headers of `as`, `as-uid`, `as-groups` and `as-user-extra` (client-go transport.ImpersonationConfig)."""
    name, uid = str(user.get("as") or ""), str(user.get("as-uid") or "")
    groups, extra = user.get("as-groups") or [], user.get("as-user-extra") or {}
    if not name and (uid or groups or extra):
        raise SpecError.at(
            where, "as", found=None, expected="a user name beside as-uid, as-groups, as-user-extra"
        )
    if not isinstance(groups, list):
        raise SpecError.at(where, "as-groups", found=groups, expected="a list of names")
    if not isinstance(extra, dict) or not all(isinstance(values, list) for values in extra.values()):
        raise SpecError.at(where, "as-user-extra", found=extra, expected="a list of texts for each key")
    pairs = [("Impersonate-User", name), ("Impersonate-Uid", uid)]
    pairs += [("Impersonate-Group", str(group)) for group in groups]
    pairs += [
        (f"Impersonate-Extra-{quote(str(key), safe=_LEGAL)}", str(value))
        for key, values in extra.items()
        for value in values
    ]
    return tuple((header, value) for header, value in pairs if value)


def _current_context(documents: list[dict[str, Any]], where: str) -> str:
    for document in documents:
        if document.get("current-context"):
            return str(document["current-context"])
    raise SpecError.at(
        where, "current-context", found=None, expected="a context", hint="set weir:cluster context"
    )


def load_untrusted(text: str, where: str) -> Access:
    """The access that a tenant's kubeconfig gives (Kustomization kubeConfig.secretRef): inline data over TLS, no more.

    Raises:
        SpecError: it is no kubeconfig, or holds anything that would run a program, read a file of this machine, send
            traffic elsewhere or skip the check of the server's certificate. Values are never repeated.
    """
    documents = read_yaml(text[:_LARGEST], where) if len(text) <= _LARGEST else []
    if len(documents) != 1 or not isinstance(documents[0], dict):
        raise SpecError(
            f"{where}: found no kubeconfig, expected one YAML document with clusters, users and contexts"
        )
    found = [(Path(where), documents[0])]
    name = _text(documents[0], "current-context", where)
    chosen, _ = _named(found, "contexts", "context", name)
    cluster, _ = _named(found, "clusters", "cluster", _text(chosen, "cluster", f"{where}: context {name}"))
    user, _ = _named(found, "users", "user", _text(chosen, "user", f"{where}: context {name}"))
    _refuse(user, _UNSAFE_USER, f"{where}: user")
    _refuse(cluster, _UNSAFE_CLUSTER, f"{where}: cluster")
    server = _server(cluster, where)
    if not server.startswith("https://"):
        raise SpecError(f"{where}: cluster.server: found no https URL, expected one", hint="use the TLS port")
    return Access(
        server=server,
        where=where,
        tls_name=str(cluster.get("tls-server-name") or ""),
        authority=_inline(cluster, "certificate-authority-data", where),
        certificate=_inline(user, "client-certificate-data", where),
        key=_inline(user, "client-key-data", where),
        token=str(user.get("token") or ""),
    )


def _refuse(data: Mapping[str, Any], keys: tuple[str, ...], where: str) -> None:
    for key in keys:
        if data.get(key):
            raise SpecError(
                f"{where}.{key}: found it set, expected a kubeconfig with inline data only",
                hint="use certificate-authority-data, client-certificate-data, client-key-data or token",
            )


def _default_paths() -> list[Path]:
    listed = [part for part in os.environ.get("KUBECONFIG", "").split(os.pathsep) if part]
    return [Path(part) for part in listed] or [Path.home() / ".kube" / "config"]


def _read(path: Path) -> dict[str, Any]:
    try:
        documents = read_yaml(path.read_bytes(), str(path))
    except OSError as err:
        hint = "correct weir:cluster kubeconfig or $KUBECONFIG"
        raise ClusterError(f"{path}: found {err.strerror}, expected a kubeconfig", hint=hint) from err
    if len(documents) != 1 or not isinstance(documents[0], dict):
        raise SpecError(
            f"{path}: found no kubeconfig, expected one YAML document with clusters, users and contexts"
        )
    return dict(documents[0])


def _in_cluster(paths: list[Path]) -> Access:
    host, port = os.environ.get("KUBERNETES_SERVICE_HOST"), os.environ.get("KUBERNETES_SERVICE_PORT", "443")
    token = _ACCOUNT / "token"
    if not host or not token.is_file():
        tried = ", ".join(map(str, paths))
        hint = "set $KUBECONFIG or weir:cluster kubeconfig; `weir cluster up` starts a local cluster"
        raise ClusterError(f"found no kubeconfig at {tried}, expected one", hint=hint)
    address = f"[{host}]" if ":" in host else host
    return Access(
        server=f"https://{address}:{port}",
        where=str(_ACCOUNT),
        authority=(_ACCOUNT / "ca.crt").read_text(),
        token_file=str(token),
    )


def _named(
    found: list[tuple[Path, dict[str, Any]]], part: str, key: str, name: str
) -> tuple[dict[str, Any], Path]:
    """The entry of that name in the first file that has it."""
    known: list[str] = []
    for path, document in found:
        entries = document.get(part)
        for entry in entries if isinstance(entries, list) else ():
            if isinstance(entry, dict) and entry.get("name") == name and isinstance(entry.get(key), dict):
                return dict(entry[key]), path
            known.append(str(entry.get("name")) if isinstance(entry, dict) else "?")
    listed = ", ".join(dict.fromkeys(known)) or f"any {part}"
    raise SpecError.at(str(found[0][0]), part, found=name, expected=f"one of {listed}", hint="check the name")


def _text(data: Mapping[str, Any], key: str, where: str) -> str:
    value = data.get(key)
    if not isinstance(value, str) or not value:
        raise SpecError(f"{where}: {key}: found none, expected a name", hint="correct the kubeconfig")
    return value


def _server(cluster: Mapping[str, Any], where: str) -> str:
    server = str(cluster.get("server") or "")
    parts = urlsplit(server)
    if parts.scheme not in ("https", "http") or not parts.hostname or parts.username:
        raise SpecError(f"{where}: cluster.server: found no usable URL, expected https://host:port")
    return server.rstrip("/")


def _inline(data: Mapping[str, Any], key: str, where: str) -> str:
    value = data.get(key)
    if not value:
        return ""
    try:
        return base64.b64decode(str(value), validate=False).decode("ascii")
    except (binascii.Error, ValueError) as err:
        raise SpecError(f"{where}: {key}: found no base64 of a PEM text, expected one") from err


def _pem(data: Mapping[str, Any], key: str, file: Path) -> str:
    inline = _inline(data, f"{key}-data", str(file))
    if inline or not data.get(key):
        return inline
    path = file.parent / str(data[key])
    try:
        return path.read_text("ascii")
    except (OSError, ValueError) as err:
        raise ClusterError(
            f"{file}: {key}: cannot read {path}", hint="correct the path in the kubeconfig"
        ) from err
