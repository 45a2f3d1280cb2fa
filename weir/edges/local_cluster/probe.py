"""The few requests that tell whether a local cluster is up; not a Kubernetes client."""

from __future__ import annotations

import http.client
import json
import ssl
from http import HTTPStatus
from typing import Final

from weir.edges.local_cluster.credentials import admin_token
from weir.edges.local_cluster.layout import Layout

_SECONDS: Final = 3.0

Answer = tuple[int, dict[str, object]]


class Probe:
    """Ask one API server, as administrator, one connection per question."""

    def __init__(self, layout: Layout, port: int) -> None:
        self._port = port
        self._tls = ssl.create_default_context(cafile=str(layout.file("ca.crt")))
        self._headers = {"Authorization": f"Bearer {admin_token(layout)}", "Content-Type": "application/json"}

    def ask(self, method: str, path: str, body: object = None) -> Answer:
        """Status and decoded answer; (0, {}) when nobody answers."""
        connection = http.client.HTTPSConnection("127.0.0.1", self._port, timeout=_SECONDS, context=self._tls)
        try:
            connection.request(method, path, json.dumps(body) if body else None, self._headers)
            response = connection.getresponse()
            text = response.read()
        except (OSError, http.client.HTTPException):
            return 0, {}
        finally:
            connection.close()
        try:
            decoded = json.loads(text)
        except ValueError:
            decoded = {}
        return response.status, decoded if isinstance(decoded, dict) else {}

    def ready(self) -> bool:
        """Whether the API server says so itself."""
        return self.ask("GET", "/readyz")[0] == HTTPStatus.OK

    def exists(self, path: str) -> bool:
        """Whether the object at this path is there."""
        return self.ask("GET", path)[0] == HTTPStatus.OK

    def node_ready(self, name: str) -> bool:
        """Whether the node has the condition Ready."""
        status = self.ask("GET", f"/api/v1/nodes/{name}")[1].get("status")
        conditions = status.get("conditions", []) if isinstance(status, dict) else []
        return any(entry["type"] == "Ready" and entry["status"] == "True" for entry in conditions)
