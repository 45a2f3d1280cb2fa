"""A forwarding HTTP proxy on loopback that asks for a password: absolute-URL requests and CONNECT."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Iterator, Mapping

_DENIED = (
    b'HTTP/1.1 407 Proxy Authentication Required\r\nProxy-Authenticate: Basic realm="proxy"\r\n'
    b"Content-Length: 0\r\nConnection: close\r\n\r\n"
)


class Proxy:
    """Forwards to wherever asked; `seen` holds the head of every request, `routes` ports of loopback by name."""

    def __init__(self, authorization: str = "", routes: Mapping[str, int] | None = None) -> None:
        self.authorization = authorization
        self.routes = routes or {}
        self.seen: list[str] = []
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]

    @property
    def url(self) -> str:
        """The address clients put into their settings."""
        return f"http://127.0.0.1:{self.port}"

    def serve(self) -> None:
        """Accept until closed."""
        with contextlib.suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                threading.Thread(target=self._forward, args=(client,), daemon=True).start()

    def close(self) -> None:
        """Stop."""
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()

    def _forward(self, client: socket.socket) -> None:
        with client, contextlib.suppress(OSError, ValueError):
            head = b""
            while b"\r\n\r\n" not in head:
                chunk = client.recv(65536)
                if not chunk:
                    return
                head += chunk
            text, _, _ = head.partition(b"\r\n\r\n")
            self.seen.append(text.decode("latin-1"))
            if self.authorization and f"Proxy-Authorization: {self.authorization}" not in self.seen[-1]:
                client.sendall(_DENIED)
                return
            method, target, _ = self.seen[-1].split("\r\n")[0].split(" ")
            host = target if method == "CONNECT" else target.split("/")[2]
            name, _, port = host.partition(":")
            if name in self.routes:
                name, port = "127.0.0.1", str(self.routes[name])
            with socket.create_connection((name, int(port or 80)), timeout=20) as server:
                if method == "CONNECT":
                    client.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
                else:
                    plain = head.replace(b"http://" + host.encode(), b"", 1)
                    server.sendall(plain.replace(b"Proxy-Connection: Keep-Alive", b"Connection: close", 1))
                back = threading.Thread(target=_pipe, args=(server, client), daemon=True)
                back.start()
                _pipe(client, server)
                back.join(20)


def _pipe(source: socket.socket, target: socket.socket) -> None:
    with contextlib.suppress(OSError):
        while chunk := source.recv(65536):
            target.sendall(chunk)
    with contextlib.suppress(OSError):
        target.shutdown(socket.SHUT_WR)


@contextlib.contextmanager
def running_proxy(authorization: str = "", routes: Mapping[str, int] | None = None) -> Iterator[Proxy]:
    """A proxy for the time of the block."""
    proxy = Proxy(authorization, routes)
    thread = threading.Thread(target=proxy.serve, daemon=True)
    thread.start()
    try:
        yield proxy
    finally:
        proxy.close()
        thread.join(5)
