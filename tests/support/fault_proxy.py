"""An HTTP proxy before one real server: delays, cuts, refuses, stalls on demand, and remembers what was asked.

For an API server it ends TLS with a certificate authority of its own and encrypts again upstream:

    with FaultProxy.of_cluster(kubeconfig, tmp_path) as proxy:
        proxy.faults.append(Fault(method="PATCH", path="/configmaps/", status=429, retry_after="1", times=3))
        use(proxy.kubeconfig)
"""

from __future__ import annotations

import base64
import contextlib
import datetime as dt
import hashlib
import http.client
import http.server
import ipaddress
import re
import socket
import ssl
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self
from urllib.parse import urlsplit

import yaml
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

_HOP: Final = frozenset({"connection", "keep-alive", "transfer-encoding", "content-length", "host"})
_UPSTREAM_SECONDS: Final = 120.0


@dataclass
class Fault:
    """What goes wrong with the requests that match; the first fault in the list that matches is used."""

    method: str = ""
    """Empty matches all."""
    path: str = ""
    """A regular expression searched in path and query."""
    times: int = -1
    """How many requests it spoils; -1 is all."""
    delay: float = 0.0
    """Seconds before the request goes on."""
    status: int = 0
    """Answer with this status instead of asking the server."""
    retry_after: str = ""
    headers: dict[str, str] = field(default_factory=dict)
    """More headers for that answer, such as where a redirect leads."""
    cut_after: int = -1
    """Reset the connection after this many bytes of the answer's body; the server has done what was asked."""
    drop: bool = False
    """Reset the connection without asking the server."""
    stall: threading.Event | None = None
    """Say nothing until the event is set, then reset."""

    def matches(self, method: str, path: str) -> bool:
        """Whether it spoils this request."""
        return bool(
            self.times != 0
            and (not self.method or self.method == method)
            and (not self.path or re.search(self.path, path))
        )


@dataclass(frozen=True, slots=True)
class Seen:
    """One request that came in."""

    at: float
    """By time.monotonic()."""
    method: str
    path: str
    spoiled: bool
    headers: dict[str, str] = field(default_factory=dict)
    """Header names in lower case."""


@dataclass
class FaultProxy:
    """Listens on 127.0.0.1. Use as a context manager."""

    upstream: str
    """`scheme://host:port` of the real server."""
    upstream_tls: ssl.SSLContext | None = None
    tls: ssl.SSLContext | None = None
    faults: list[Fault] = field(default_factory=list)
    seen: list[Seen] = field(default_factory=list)
    etags: bool = False
    """Answer reads with an ETag, and with 304 who has that answer already."""
    down: bool = False
    """Every connection, also those already open, is reset."""
    deaf: bool = False
    """Streams on which something comes meanwhile stay open for ever, and nothing comes through any more."""
    kubeconfig: Path = field(default_factory=Path)
    """For a cluster: the same user, through this proxy."""
    port: int = 0
    _server: http.server.ThreadingHTTPServer | None = None
    _lock: threading.Lock = field(default_factory=threading.Lock)

    @classmethod
    def of_cluster(cls, kubeconfig: Path, folder: Path) -> Self:
        """A proxy in front of the API server of a kubeconfig's current context; files go to `folder`."""
        document = yaml.safe_load(kubeconfig.read_text())
        cluster = document["clusters"][0]["cluster"]
        authority = base64.b64decode(cluster["certificate-authority-data"]).decode()
        made, pem = _serving_certificate(folder)
        proxy = cls(cluster["server"], ssl.create_default_context(cadata=authority), made)
        proxy._listen()
        cluster["server"] = f"https://127.0.0.1:{proxy.port}"
        cluster["certificate-authority-data"] = base64.b64encode(pem).decode()
        proxy.kubeconfig = folder / "proxied.kubeconfig"
        proxy.kubeconfig.touch(0o600)
        proxy.kubeconfig.write_text(yaml.safe_dump(document))
        return proxy

    @property
    def url(self) -> str:
        """The base URL, without a slash at the end."""
        return f"{'https' if self.tls else 'http'}://127.0.0.1:{self.port}"

    def writes(self) -> list[Seen]:
        """What changed something, or tried to: no reads and no dry-runs."""
        return [
            one
            for one in self.seen
            if one.method not in {"GET", "HEAD", "OPTIONS"} and "dryRun=" not in one.path
        ]

    def pick(self, method: str, path: str, headers: dict[str, str]) -> Fault | None:
        """Note a request; the fault it meets, which is used up by one."""
        with self._lock:
            found = next((fault for fault in self.faults if fault.matches(method, path)), None)
            if found and found.times > 0:
                found.times -= 1
            spoiled = self.down or found is not None
            self.seen.append(Seen(time.monotonic(), method, path, spoiled, headers))
        return Fault(drop=True) if self.down else found

    def connect(self) -> http.client.HTTPConnection:
        """A fresh connection to the real server."""
        parts = urlsplit(self.upstream)
        if self.upstream_tls:
            return http.client.HTTPSConnection(
                parts.netloc, timeout=_UPSTREAM_SECONDS, context=self.upstream_tls
            )
        return http.client.HTTPConnection(parts.netloc, timeout=_UPSTREAM_SECONDS)

    def _listen(self) -> None:
        if self._server:
            return
        server = _Server(("127.0.0.1", self.port), type("Handler", (_Handler,), {"owner": self}))
        if self.tls:
            server.socket = self.tls.wrap_socket(
                server.socket, server_side=True, do_handshake_on_connect=False
            )
        self.port = server.server_address[1]
        self._server = server
        threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True, name="fault-proxy").start()

    def __enter__(self) -> Self:
        self._listen()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.down = True
        for fault in self.faults:
            if fault.stall:
                fault.stall.set()
        if self._server:
            self._server.shutdown()
            self._server.server_close()
            self._server = None


class _Server(http.server.ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False
    request_queue_size = 128

    def handle_error(self, request: object, client_address: object) -> None:
        """Clients that go away are what tests are about."""


class _Handler(http.server.BaseHTTPRequestHandler):
    owner: FaultProxy
    protocol_version = "HTTP/1.1"
    wbufsize = -1
    _up: http.client.HTTPConnection | None = None

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        """Quiet."""

    def setup(self) -> None:
        super().setup()
        self.connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def finish(self) -> None:
        if self._up:
            self._up.close()
        with contextlib.suppress(OSError):
            super().finish()

    def _serve(self) -> None:
        body = self._body()
        headers = {name.lower(): value for name, value in self.headers.items()}
        fault = self.owner.pick(self.command, self.path, headers) or Fault()
        if fault.delay:
            time.sleep(fault.delay)
        if fault.stall:
            fault.stall.wait(_UPSTREAM_SECONDS)
        if fault.stall or fault.drop:
            self._reset()
        elif fault.status:
            self._refuse(fault)
        else:
            self._forward(body, fault.cut_after)

    do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = do_HEAD = _serve  # noqa: N815

    def _body(self) -> bytes:
        if self.headers.get("Transfer-Encoding", "").lower() != "chunked":
            return self.rfile.read(int(self.headers.get("Content-Length") or 0))
        parts = []
        while size := int(self.rfile.readline().split(b";")[0], 16):
            parts.append(self.rfile.read(size))
            self.rfile.readline()
        self.rfile.readline()
        return b"".join(parts)

    def _reset(self) -> None:
        """End the connection with a TCP reset, as a dying server's machine does."""
        self.close_connection = True
        linger = b"\x01\x00\x00\x00\x00\x00\x00\x00"
        with contextlib.suppress(OSError):
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
            self.connection.shutdown(socket.SHUT_RDWR)

    def _refuse(self, fault: Fault) -> None:
        text = (
            b'{"kind":"Status","apiVersion":"v1","status":"Failure",'
            b'"reason":"Injected","message":"injected failure","code":%d}' % fault.status
        )
        self.send_response(fault.status)
        if fault.retry_after:
            self.send_header("Retry-After", fault.retry_after)
        for name, value in fault.headers.items():
            self.send_header(name, value)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)
        self.wfile.flush()

    def _ask(self, body: bytes) -> http.client.HTTPResponse:
        headers = {name: value for name, value in self.headers.items() if name.lower() not in _HOP}
        fresh = self._up is None
        self._up = self._up or self.owner.connect()
        try:
            self._up.request(self.command, self.path, body or None, headers)
            return self._up.getresponse()
        except (http.client.HTTPException, OSError):
            self._up.close()
            if fresh:
                raise
            self._up.request(self.command, self.path, body or None, headers)
            return self._up.getresponse()

    def _forward(self, body: bytes, cut_after: int) -> None:
        try:
            answer = self._ask(body)
        except (http.client.HTTPException, OSError):
            self._reset()
            return
        if self.owner.etags and self.command == "GET" and answer.status == http.HTTPStatus.OK:
            self._tagged(answer)
            return
        self.send_response_only(answer.status, answer.reason)
        for name, value in answer.getheaders():
            if name.lower() not in _HOP:
                self.send_header(name, value)
        if self.command == "HEAD" or answer.status in {204, 304}:
            self.end_headers()
        elif cut_after < 0 and answer.length is not None:
            self.send_header("Content-Length", str(answer.length))
            self.end_headers()
            self.wfile.write(answer.read())
        else:
            self.send_header("Transfer-Encoding", "chunked")
            self.end_headers()
            self.wfile.flush()
            self._stream(answer, cut_after)
        self.wfile.flush()

    def _tagged(self, answer: http.client.HTTPResponse) -> None:
        """The same with an ETag over the body, which is left out when the client has it."""
        body = answer.read()
        etag = f'"{hashlib.sha256(body).hexdigest()[:16]}"'
        same = self.headers.get("If-None-Match") == etag
        self.send_response_only(304 if same else 200)
        for name, value in answer.getheaders():
            if name.lower() not in _HOP and not same:
                self.send_header(name, value)
        self.send_header("ETag", etag)
        if not same:
            self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(b"" if same else body)
        self.wfile.flush()

    def _stream(self, answer: http.client.HTTPResponse, cut_after: int) -> None:
        """Pass on what comes when it comes: a watch never ends by itself."""
        left, deaf = cut_after, False
        while data := answer.read1(65536):
            deaf = deaf or self.owner.deaf
            if deaf:
                continue
            part = data if cut_after < 0 else data[:left]
            if part:
                self.wfile.write(b"%x\r\n%s\r\n" % (len(part), part))
                self.wfile.flush()
            left -= len(part)
            if self.owner.down or (cut_after >= 0 and left <= 0):
                self._reset()
                return
        self.wfile.write(b"0\r\n\r\n")


def _serving_certificate(folder: Path) -> tuple[ssl.SSLContext, bytes]:
    """A TLS context for 127.0.0.1 and the authority that signed it."""
    now = dt.datetime.now(dt.UTC)
    keys = [ec.generate_private_key(ec.SECP256R1()) for _ in range(2)]
    names = [
        x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])
        for text in ("fault-proxy-ca", "fault-proxy")
    ]
    address = x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))])
    extensions: list[x509.ExtensionType] = [x509.BasicConstraints(ca=True, path_length=0), address]
    pems: list[bytes] = []
    for key, name, extension in zip(keys, names, extensions, strict=True):
        builder = x509.CertificateBuilder(names[0], name, key.public_key(), x509.random_serial_number())
        builder = builder.not_valid_before(now - dt.timedelta(hours=1)).not_valid_after(
            now + dt.timedelta(days=1)
        )
        made = builder.add_extension(extension, critical=name == names[0]).sign(keys[0], hashes.SHA256())
        pems.append(made.public_bytes(serialization.Encoding.PEM))
    file = folder / "fault-proxy.pem"
    file.touch(0o600)
    file.write_bytes(pems[1] + _key_pem(keys[1]))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(file)
    return context, pems[0]


def _key_pem(key: Any) -> bytes:
    pem: bytes = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    return pem
