"""Credentials that change while a run lasts: tokens in files, and those that an exec plugin of the user hands out."""

from __future__ import annotations

import contextlib
import datetime as dt
import os
import ssl
import subprocess
import tempfile
import threading
import time
from pathlib import Path
from typing import Any, Final

import orjson

from weir.edges.kube.kubeconfig import Access
from weir.spec.errors import ClusterError

_FILE_SECONDS: Final = 60.0
"""How long a token file's content is used; the kubelet rewrites it before it expires."""
_PLUGIN_TIMEOUT: Final = 60.0
_EARLY_SECONDS: Final = 30.0


class Credentials:
    """The bearer token and TLS settings of an access, renewed when due. Thread-safe."""

    def __init__(self, access: Access) -> None:
        self._access = access
        self._lock = threading.Lock()
        self._token = access.token
        self._until = 0.0
        self._tls: ssl.SSLContext | None = None

    def token(self) -> str:
        """The bearer token to send now, empty when there is none. Raises ClusterError."""
        access = self._access
        if access.exec_plugin is None and not access.token_file:
            return access.token
        with self._lock:
            if time.monotonic() >= self._until:
                self._renew()
            return self._token

    def forget(self) -> bool:
        """Renew at the next use (the server said 401); False when there is nothing to renew."""
        if self._access.exec_plugin is None and not self._access.token_file:
            return False
        with self._lock:
            self._until = 0.0
        return True

    def tls(self) -> ssl.SSLContext | None:
        """The TLS settings, None for plain HTTP. Raises ClusterError for unusable certificates."""
        if not self._access.server.startswith("https:"):
            return None
        self.token()
        with self._lock:
            if self._tls is None:
                self._tls = _context(self._access, self._access.certificate, self._access.key)
            return self._tls

    def _renew(self) -> None:
        if self._access.exec_plugin is None:
            self._token = Path(self._access.token_file).read_text("ascii").strip()
            self._until = time.monotonic() + _FILE_SECONDS
            return
        status = _run_plugin(self._access)
        self._token = str(status.get("token") or "")
        if status.get("clientCertificateData"):
            certificate, key = str(status["clientCertificateData"]), str(status.get("clientKeyData") or "")
            self._tls = _context(self._access, certificate, key)
        self._until = time.monotonic() + _lifetime(str(status.get("expirationTimestamp") or ""))


def _lifetime(expires: str) -> float:
    with contextlib.suppress(ValueError):
        end = dt.datetime.fromisoformat(expires)
        return max((end - dt.datetime.now(dt.UTC)).total_seconds() - _EARLY_SECONDS, 0.0)
    return float("inf")


def _run_plugin(access: Access) -> dict[str, Any]:
    """The status of the ExecCredential that the plugin prints (client.authentication.k8s.io)."""
    plugin = access.exec_plugin or {}
    command, where = str(plugin.get("command") or ""), f"{access.where}: user.exec"
    if not command:
        raise ClusterError(f"{where}.command: found none, expected a program")
    if "/" in command and not Path(command).is_absolute():
        command = str(Path(access.folder) / command)
    version = str(plugin.get("apiVersion") or "client.authentication.k8s.io/v1")
    info = {"apiVersion": version, "kind": "ExecCredential", "spec": {"interactive": False}}
    extra = {str(item.get("name")): str(item.get("value", "")) for item in plugin.get("env") or ()}
    try:
        done = subprocess.run(
            [command, *map(str, plugin.get("args") or ())],
            capture_output=True,
            stdin=subprocess.DEVNULL,
            timeout=_PLUGIN_TIMEOUT,
            check=True,
            env={**os.environ, **extra, "KUBERNETES_EXEC_INFO": orjson.dumps(info).decode()},
        )
        status = orjson.loads(done.stdout)["status"]
    except (OSError, subprocess.SubprocessError, ValueError, KeyError, TypeError) as err:
        hint = str(plugin.get("installHint") or "run it by hand to see why")
        raise ClusterError(
            f"{where}: {command} gave no credential ({type(err).__name__})", hint=hint
        ) from err
    return dict(status)


def _context(access: Access, certificate: str, key: str) -> ssl.SSLContext:
    try:
        context = ssl.create_default_context(cadata=access.authority or None)
        if access.insecure:
            context.check_hostname = False
            context.verify_mode = ssl.CERT_NONE
        if certificate:
            _load_pair(context, certificate, key)
    except (ssl.SSLError, ValueError) as err:
        hint = "check the certificate data in it"
        raise ClusterError(
            f"{access.where}: found unusable certificates or key for {access.server}", hint=hint
        ) from err
    return context


def _load_pair(context: ssl.SSLContext, certificate: str, key: str) -> None:
    """The ssl module takes a client certificate from a file only; it exists for a moment, mode 0600."""
    handle, name = tempfile.mkstemp()
    try:
        with os.fdopen(handle, "w") as file:
            file.write(f"{certificate}\n{key}\n")
        context.load_cert_chain(name)
    finally:
        Path(name).unlink()
