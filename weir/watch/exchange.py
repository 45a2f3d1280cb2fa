"""One HTTP request and its answer, as those who answer see them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Protocol


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """What a client sent, whole. Its `repr` shows nothing but the method."""

    method: str
    path: str = field(repr=False)
    """As it was sent, up to the question mark, percent signs and all."""
    query: str = field(repr=False, default="")
    """What follows the question mark, as it was sent."""
    headers: Mapping[str, str] = field(repr=False, default_factory=dict)
    """By lower-case name; repeated ones joined with commas."""
    body: bytes = field(repr=False, default=b"")
    local: bool = field(repr=False, default=False)
    """Whether it came to an address that only this machine reaches."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Response:
    """What the client gets."""

    status: HTTPStatus = HTTPStatus.OK
    body: bytes = b""
    content_type: str = "text/plain; charset=utf-8"
    headers: Mapping[str, str] = field(default_factory=dict)
    """Beside Content-Type, Content-Length and those that every answer has; no line breaks."""


Handler = Callable[[Request], Response]
"""Answers requests, several at once. What it raises is a 500 without a word."""


class Hooks(Protocol):
    """Answers webhooks, several at once."""

    def refusal(self, path: str) -> Response | None:
        """What a request for this path gets before its body is read, None when it may send one."""
        ...

    def handle(self, request: Request) -> Response:
        """The answer to a whole request."""
        ...
