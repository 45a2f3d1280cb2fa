"""Events for pages from an API server that is not well."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from weir.edges.kube.client import Kube
from weir.edges.kube.kubeconfig import load
from weir.spec.errors import ClusterError
from weir.watch.service import Service

KUBECONFIG = """
apiVersion: v1
kind: Config
current-context: one
contexts: [{{name: one, context: {{cluster: one, user: one}}}}]
clusters: [{{name: one, cluster: {{server: "http://127.0.0.1:{port}"}}}}]
users: [{{name: one, user: {{}}}}]
"""


class Overloaded(ThreadingHTTPServer):
    """An API server that is too busy to answer anybody."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Busy)
        self.asked: list[str] = []


class _Busy(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        cast("Overloaded", self.server).asked.append(self.path)
        self.send_error(503)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture
def overloaded() -> Iterator[Overloaded]:
    with Overloaded() as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server
        server.shutdown()


def test_a_page_asks_an_overloaded_server_for_events_once_and_goes_on(
    overloaded: Overloaded, tmp_path: Path
) -> None:
    file = tmp_path / "kubeconfig"
    file.write_text(KUBECONFIG.format(port=overloaded.server_address[1]))
    nobody = cast("Any", None)
    main = Kube(load(str(file)))
    service = Service(
        stack="test",
        clusters=cast("Any", SimpleNamespace(main=main, records=SimpleNamespace(namespace="weir-system"))),
        journal=nobody,
        open_session=nobody,
        engine=nobody,
    )
    with pytest.raises(ClusterError, match="503"):
        service._read_events()
    assert [path.partition("?")[0] for path in overloaded.asked] == ["/api/v1/namespaces/weir-system/events"]
