"""Servers that are no registries: too slow, too large, too clever. Each ends in time, with an error that names it."""

from __future__ import annotations

import contextlib
import itertools
import socket
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager

import pytest

from weir.edges.http import transport
from weir.edges.registry import tags
from weir.edges.registry.access import Access
from weir.edges.registry.client import Client
from weir.edges.registry.errors import BadAnswerError, RegistryError, UnavailableError
from weir.spec.image_name import parse_image_name

HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
Script = Callable[[], Iterable[bytes]]


@contextmanager
def saying(script: Script) -> Iterator[tuple[int, list[bytes]]]:
    """A server that says these bytes to everybody; its port, and what was asked."""
    listener, asked = socket.create_server(("127.0.0.1", 0)), list[bytes]()

    def talk(client: socket.socket) -> None:
        with client, contextlib.suppress(OSError):
            request = client.recv(65536)
            asked.extend([request] if request else [])
            for part in script():
                client.sendall(part)

    def serve() -> None:
        with contextlib.suppress(OSError):
            while True:
                client, _ = listener.accept()
                threading.Thread(target=talk, args=(client,), daemon=True).start()

    threading.Thread(target=serve, daemon=True).start()
    try:
        yield listener.getsockname()[1], asked
    finally:
        with contextlib.suppress(OSError):
            listener.shutdown(socket.SHUT_RDWR)
        listener.close()


def ask(host: str, timeout: float = 10.0) -> tuple[str, ...]:
    client = Client(Access(insecure=True, timeout=timeout))
    return tags.join(tags.list_pages(client, parse_image_name(f"{host}/team/app")))


def slowly(text: Iterable[bytes]) -> Iterator[bytes]:
    for part in text:
        time.sleep(0.05)
        yield part


def slow_status() -> Iterator[bytes]:
    yield from slowly(itertools.repeat(b"H"))


def slow_headers() -> Iterator[bytes]:
    yield b"HTTP/1.1 200 OK\r\n"
    yield from slowly(itertools.repeat(b"a: b\r\n"))


def slow_body() -> Iterator[bytes]:
    yield HEAD + b"Content-Length: 100000\r\n\r\n"
    yield from slowly(itertools.repeat(b" "))


def slow_chunks() -> Iterator[bytes]:
    yield HEAD + b"Transfer-Encoding: chunked\r\n\r\n"
    yield from slowly(itertools.repeat(b"0"))


def slow_to_the_end() -> Iterator[bytes]:
    yield HEAD + b'Connection: close\r\n\r\n{"tags":["9.9.9"]}'
    yield from slowly(itertools.repeat(b" "))


SLOW = [slow_status, slow_headers, slow_body, slow_chunks, slow_to_the_end]


@pytest.mark.parametrize("script", SLOW, ids=lambda script: script.__name__)
def test_bytes_that_come_one_by_one_end_in_time(script: Script) -> None:
    began = time.monotonic()
    with saying(script) as (port, _), pytest.raises(RegistryError):
        ask(f"127.0.0.1:{port}", timeout=1)
    assert time.monotonic() - began < 20


def endless_body() -> Iterator[bytes]:
    yield HEAD + b"\r\n"
    yield from itertools.repeat(b" " * 65536)


def test_an_answer_without_end_is_cut(monkeypatch: pytest.MonkeyPatch) -> None:
    with saying(endless_body) as (port, asked), pytest.raises(BadAnswerError, match="larger than 16777216"):
        ask(f"127.0.0.1:{port}", timeout=20)
    assert len(asked) == 1
    assert transport.LARGEST == 16777216


def test_a_packed_answer_is_not_unpacked() -> None:
    packed = HEAD + b"Content-Encoding: gzip\r\nContent-Length: 2\r\n\r\n\x1f\x8b"
    with saying(lambda: [packed]) as (port, _), pytest.raises(BadAnswerError, match="packed"):
        ask(f"127.0.0.1:{port}")


@pytest.mark.parametrize("content", [b"[]", b"{}", b'{"tags": "1.0"}', b'{"tags": {"a": 1}}', b"<html>", b""])
def test_other_content_is_no_tag_list(content: bytes) -> None:
    answer = HEAD + b"Connection: close\r\n\r\n" + content
    with saying(lambda: [answer]) as (port, _), pytest.raises(BadAnswerError, match="is no tag list"):
        ask(f"127.0.0.1:{port}")


def test_no_tags_are_an_empty_list() -> None:
    answer = HEAD + b'Connection: close\r\n\r\n{"name": "team/app", "tags": null}'
    with saying(lambda: [answer]) as (port, _):
        assert ask(f"127.0.0.1:{port}") == ()


LINKS = ["<>", "</v2/team/app/tags/list>", "/v2/team/app/tags/list?n=1", "<http://evil.test/?last=1>x"]


@pytest.mark.parametrize("link", LINKS)
def test_a_link_that_cannot_be_read_is_not_the_end(link: str) -> None:
    answer = HEAD + f'Link: {link}; rel="next"\r\nConnection: close\r\n\r\n{{"tags":["1"]}}'.encode()
    with saying(lambda: [answer]) as (port, _), pytest.raises(BadAnswerError, match="does not end"):
        ask(f"127.0.0.1:{port}")


def test_a_link_to_another_host_leads_nowhere_else() -> None:
    pages = iter(
        [
            b'Link: <https://evil.test/v2/x?last=1>; rel="next"\r\nConnection: close\r\n\r\n{"tags":["1"]}',
            b'Connection: close\r\n\r\n{"tags":["2"]}',
        ]
    )
    with saying(lambda: [HEAD + next(pages)]) as (port, asked):
        assert ask(f"127.0.0.1:{port}") == ("1", "2")
    assert asked[1].startswith(b"GET /v2/team/app/tags/list?last=1 HTTP/1.1")


@pytest.mark.parametrize("host", ["0x7f.1", "127.1", "0x7f000001", "127.0.0.2"])
def test_a_name_that_turns_out_to_be_this_machine_is_not_asked(host: str) -> None:
    with saying(lambda: [HEAD + b'\r\n{"tags":["1"]}']) as (port, asked), pytest.raises(RegistryError):
        ask(f"{host}:{port}")
    assert asked == []


def test_a_closed_port_is_an_outage() -> None:
    with socket.socket() as taken:  # nobody listens, and nobody else is given the port
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
        with pytest.raises(UnavailableError, match=rf"127\.0\.0\.1:{port}: no connection"):
            ask(f"127.0.0.1:{port}")
