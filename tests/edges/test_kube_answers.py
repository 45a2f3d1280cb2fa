"""Answers that are not an API server's, as of a proxy in front of it: they say nothing about any object."""

from __future__ import annotations

import socketserver
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from weir.edges.kube.client import Kube
from weir.edges.kube.discovery import Resource
from weir.edges.kube.errors import KubeStatusError, UnreachableError
from weir.edges.kube.kubeconfig import load
from weir.edges.kube.reading import read_one
from weir.spec.identity import ObjectId

MAPS = Resource(
    group="", version="v1", kind="ConfigMap", plural="configmaps", namespaced=True, verbs=frozenset({"get"})
)
ITEM = ObjectId("", "ConfigMap", "prod", "a")
GOOD = b'HTTP/1.1 200 OK\r\nContent-Length: 30\r\n\r\n{"metadata":{"name":"a"}}     '


class Script(socketserver.ThreadingTCPServer):
    """Says what is given, one answer for each connection, the last one again and again."""

    daemon_threads = allow_reuse_address = True

    def __init__(self, *answers: bytes) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.answers, self.asked = list(answers), 0


class _Handler(socketserver.BaseRequestHandler):
    def handle(self) -> None:
        script: Any = self.server
        while data := self.request.recv(65536):
            if b"\r\n\r\n" in data:
                break
        answer = script.answers[min(script.asked, len(script.answers) - 1)]
        script.asked += 1
        self.request.sendall(answer)


@pytest.fixture
def serve(tmp_path: Path) -> Iterator[Any]:
    servers = []

    def start(*answers: bytes) -> tuple[Kube, Script]:
        server = Script(*answers)
        servers.append(server)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        cluster = {"server": f"http://127.0.0.1:{server.server_address[1]}"}
        config = {
            "clusters": [{"name": "c", "cluster": cluster}],
            "users": [{"name": "u", "user": {}}],
            "contexts": [{"name": "x", "context": {"cluster": "c", "user": "u"}}],
            "current-context": "x",
        }
        path = tmp_path / "kubeconfig"
        path.write_text(yaml.safe_dump(config))
        return Kube(load(str(path))), server

    yield start
    for server in servers:
        server.shutdown()
        server.server_close()


@pytest.mark.parametrize(
    "answer",
    [
        b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 17\r\n\r\n<html>hi</html>\r\n",
        b'HTTP/1.1 200 OK\r\nContent-Length: 900\r\n\r\n{"metadata":',
        b"HTTP/1.1 200 OK\r\nContent-Length: 900\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 4\r\n\r\nnope",
    ],
    ids=["empty", "a page", "cut", "cut before the first byte", "not packed"],
)
def test_what_is_no_answer_is_asked_again_and_never_means_absent(serve: Any, answer: bytes) -> None:
    kube, server = serve(answer, GOOD)
    found = read_one(kube, MAPS, ITEM)
    assert found == {"metadata": {"name": "a"}}
    assert server.asked == 2
    kube, _ = serve(answer)
    with pytest.raises(UnreachableError):
        read_one(kube.in_a_hurry(5.0), MAPS, ITEM)


@pytest.mark.parametrize("status", [b"302 Found", b"304 Not Modified", b"307 Temporary Redirect"])
def test_a_redirect_is_a_refusal_and_never_means_absent(serve: Any, status: bytes) -> None:
    kube, _ = serve(
        b"HTTP/1.1 " + status + b"\r\nLocation: https://login.example.com/\r\nContent-Length: 0\r\n\r\n"
    )
    with pytest.raises(KubeStatusError):
        read_one(kube, MAPS, ITEM)
    with pytest.raises(KubeStatusError):
        kube.request("DELETE", "/api/v1/namespaces/prod/configmaps/a")
