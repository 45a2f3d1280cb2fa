"""What the API server says when it refuses, without what it must not repeat.

ClusterError                the cluster cannot be reached, read or trusted
  KubeStatusError           the API server answered with a failure
  UnknownKindError          no API of the cluster serves the kind; this is certain
  UnreachableError          there is no answer at all
  GoneApiError              an API that was served a moment ago is not any more
  StaleGroupError           the API that may serve the kind does not answer, so nothing is known about its objects

The API server repeats values in some texts (a Secret field of a wrong type, an admission webhook that prints the object
it denied); `masked` takes them out.
"""

from __future__ import annotations

import base64
import re
import urllib.parse
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any, Final

from weir.spec.errors import ClusterError

_LONGEST: Final = 600
_MASK: Final = "***"
_ECHOES: Final = (
    re.compile(r"(got ).*?valueUnstructured\{.*\}", re.DOTALL),
    re.compile(
        r"(Invalid value: |Duplicate value: |Unsupported value: |Too long: )(?!\"?<)(\"(?:[^\"\\]|\\.)*\"|\{[^ ]*\})"
    ),
)
"""Phrases of the API server that end in a value of the object."""
_ENCODED: Final = re.compile(r"[A-Za-z0-9+/_-]{20,}={0,2}")
_IMMUTABLE: Final = re.compile(
    r"immutable|may not change|cannot be changed|cannot change|field is not mutable|updates to .* (is|are) forbidden"
)
_SHORTEST: Final = 4
"""Characters below which a value is not searched for: `true` would mask half of every sentence."""


@dataclass(frozen=True, slots=True)
class Cause:
    """One field that the API server refused."""

    field: str
    message: str
    reason: str = ""


class KubeStatusError(ClusterError):
    """The API server's answer to one request: HTTP status, reason, text and the fields it names."""

    def __init__(
        self,
        status: int,
        reason: str,
        message: str,
        *,
        causes: tuple[Cause, ...] = (),
        details: Mapping[str, Any] | None = None,
        hint: str = "",
    ) -> None:
        """`message` is the server's own text, unmasked: use `masked` before showing it for an object with secrets."""
        super().__init__(message, hint=hint)
        self.status = status
        self.reason = reason
        self.causes = causes
        self.details: Mapping[str, Any] = details or {}

    def __reduce__(self) -> tuple[object, ...]:
        """Survive pickling."""
        return (
            _rebuild,
            (self.status, self.reason, self.message, self.causes, dict(self.details), self.hint),
        )

    @property
    def absent(self) -> bool:
        """Whether the object itself is not there (a 404 that names it), rather than its API."""
        return (
            self.status == HTTPStatus.NOT_FOUND
            and self.reason == "NotFound"
            and bool(self.details.get("name"))
        )

    @property
    def immutable(self) -> bool:
        """Whether a field cannot be changed in place: told as kubectl and kustomize-controller tell it, but stricter.

        They take every Invalid or Conflict for it; here each field that is named must say so, for recreating destroys.
        """
        texts = [cause.message for cause in self.causes] or [self.message]
        return all(_IMMUTABLE.search(text) for text in texts)

    @property
    def missing_namespace(self) -> str:
        """The namespace that is not there, when that is the trouble."""
        if self.status == HTTPStatus.NOT_FOUND and self.details.get("kind") == "namespaces":
            return str(self.details.get("name", ""))
        return ""


def _rebuild(*parts: Any) -> KubeStatusError:
    status, reason, message, causes, details, hint = parts
    return KubeStatusError(status, reason, message, causes=causes, details=details, hint=hint)


class UnknownKindError(ClusterError):
    """No API of the cluster serves the kind."""


class UnreachableError(ClusterError):
    """The API server gives no answer."""


class GoneApiError(ClusterError):
    """An API that discovery named is not served any more; nothing follows about its objects."""


class StaleGroupError(ClusterError):
    """An API that may serve the kind does not answer."""


def status_error(status: int, body: Any, subject: str) -> KubeStatusError:
    """The error of a Status body, or of whatever a proxy sent instead. `subject` is `PATCH /api/...`, for texts."""
    if not isinstance(body, dict) or body.get("kind") != "Status":
        text = " ".join(str(body or "").split())[:200]
        return KubeStatusError(
            status, "", f"{subject}: found HTTP {status} {text}".rstrip(), hint=_hint(status, "")
        )
    details = body.get("details") or {}
    causes = tuple(
        Cause(str(item.get("field", "")), str(item.get("message", "")), str(item.get("reason", "")))
        for item in details.get("causes") or ()
        if isinstance(item, dict)
    )
    reason = str(body.get("reason") or "")
    message = str(body.get("message") or f"HTTP {status}")
    if "/secrets/" in subject:
        message = masked(message, confidential=True)
        causes = tuple(
            Cause(item.field, masked(item.message, confidential=True), item.reason) for item in causes
        )
    return KubeStatusError(
        status, reason, message, causes=causes, details=details, hint=_hint(status, message)
    )


def _hint(status: int, message: str) -> str:
    if status == HTTPStatus.UNAUTHORIZED:
        return "check the credentials in the kubeconfig"
    if status == HTTPStatus.FORBIDDEN and "exceeded quota" in message:
        return "raise the ResourceQuota or ask for less"
    if status == HTTPStatus.FORBIDDEN and "being terminated" in message:
        return "wait until the namespace is gone, or remove what keeps it"
    if status == HTTPStatus.FORBIDDEN and "cannot" in message:
        return "grant the account that right, or use another account"
    if "webhook" in message:
        return "check the admission webhook it names"
    return ""


def describe(error: KubeStatusError, secrets: Iterable[str] = (), *, confidential: bool = False) -> str:
    """What was refused, field by field where the server tells, on one line and without secret values."""
    if error.causes and error.reason == "Invalid":
        parts = [
            f"{cause.field}: {cause.message}" if cause.field else cause.message for cause in error.causes
        ]
        text = "; ".join(dict.fromkeys(parts))
    else:
        text = _plain(error.message)
    return masked(text, secrets, confidential=confidential)


def _plain(message: str) -> str:
    """The server's text without its Go internals."""
    text = re.sub(
        r"^failed to (?:create typed patch object|create typed live object) \([^)]*\): ", "", message
    )
    text = re.sub(r"&value\.valueUnstructured\{Value:(.*)\}", r"\1", text, flags=re.DOTALL)
    wrong = re.match(r"failed to convert new object .*: (.*)$", text, flags=re.DOTALL)
    return wrong.group(1) if wrong else text


def masked(text: str, secrets: Iterable[str] = (), *, confidential: bool = False) -> str:
    """The text on one line, cut, and without these values in plain, base64, URL or JSON form.

    `confidential` (the object holds secrets) also takes out every value that the API server may have echoed and every
    long run of base64 characters.
    """
    for pattern in _forms(secrets):
        text = text.replace(pattern, _MASK)
    if confidential:
        for echo in _ECHOES:
            text = echo.sub(rf"\g<1>{_MASK}", text)
        text = re.sub(r"(expected \w+, got )(?!\*).*", rf"\g<1>{_MASK}", text, flags=re.DOTALL)
        text = _ENCODED.sub(lambda found: found[0] if _is_word(found[0]) else _MASK, text)
    text = " ".join(text.split())
    return text if len(text) <= _LONGEST else text[: _LONGEST - 3] + "..."


def _is_word(text: str) -> bool:
    """Whether a long run of letters is prose, a path or a name rather than base64: lower case with separators."""
    return bool(re.fullmatch(r"[a-z]+([-/_][a-z]+)*|[A-Z]?[a-z]+([A-Z][a-z]+)*", text))


def _forms(secrets: Iterable[str]) -> list[str]:
    forms: set[str] = set()
    for secret in secrets:
        lines = (
            [secret, *(line.strip() for line in secret.splitlines())]
            if "\n" in secret
            else [secret, secret.strip()]
        )
        for value in lines:
            if len(value) >= _SHORTEST:
                raw = value.encode()
                forms.update((value, base64.b64encode(raw).decode(), urllib.parse.quote(value, safe="")))
                forms.update(
                    (
                        base64.b64encode(raw).decode().rstrip("="),
                        value.replace("\\", "\\\\").replace('"', '\\"'),
                    )
                )
    return sorted((form for form in forms if len(form) >= _SHORTEST), key=len, reverse=True)
