"""Commits and tags as raw bytes: what was signed, and the signature. Nothing is normalised before it is verified.

Rule: gitformat-signature(5). A commit carries its signature in the header `gpgsig`; a tag carries it at its end.
Anything ambiguous (two signatures, repeated headers, text after a signature) is refused.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from weir.spec.errors import VerificationError

_BEGIN: Final = re.compile(
    rb"^-----BEGIN (PGP SIGNATURE|PGP MESSAGE|SSH SIGNATURE|SIGNED MESSAGE)-----$", re.MULTILINE
)
_HEADER: Final = re.compile(rb"[a-zA-Z0-9-]+")
_SINGLE: Final = {b"tree", b"author", b"committer", b"object", b"type", b"tag", b"tagger", b"encoding"}
_SUBJECT: Final = 72


@dataclass(frozen=True, slots=True)
class Signed:
    """An object's signed bytes and its signature, empty when it has none."""

    payload: bytes
    signature: bytes


def headers(raw: bytes) -> list[tuple[bytes, bytes]]:
    """The header lines of a commit or tag in order; continuation lines are joined by newlines.

    Raises:
        VerificationError: a line that is no header, or a header twice that may stand once.
    """
    found: list[tuple[bytes, bytes]] = []
    for line in raw.partition(b"\n\n")[0].split(b"\n"):
        name, _, value = line.partition(b" ")
        if line.startswith(b" ") and found:
            found[-1] = (found[-1][0], found[-1][1] + b"\n" + line[1:])
        elif _HEADER.fullmatch(name):
            found.append((name, value))
        else:
            raise VerificationError(
                "object: found a line that is no header", hint="have it made again with git"
            )
    names = [name for name, _ in found]
    if any(names.count(name) > 1 for name in _SINGLE):
        raise VerificationError("object: found a header twice", hint="have it made again with git")
    return found


def split_commit(raw: bytes) -> Signed:
    """A commit without and with its signature. Raises VerificationError when it has several."""
    rows = headers(raw)
    if not rows or rows[0][0] != b"tree":
        raise VerificationError("object: found no commit")
    signatures = [value for name, value in rows if name.startswith(b"gpgsig")]
    if len(signatures) > 1:
        raise VerificationError(
            "commit: found more than one signature, expected one", hint="sign it again, once"
        )
    head, blank, body = raw.partition(b"\n\n")
    kept: list[bytes] = []
    inside = False
    for line in head.split(b"\n"):
        inside = line.startswith(b"gpgsig") or (inside and line.startswith(b" "))
        if not inside:
            kept.append(line)
    return Signed(b"\n".join(kept) + blank + body, signatures[0] + b"\n" if signatures else b"")


def split_tag(raw: bytes) -> Signed:
    """A tag without and with its signature. Raises VerificationError when it has several."""
    headers(raw)
    begins = list(_BEGIN.finditer(raw))
    if not begins:
        return Signed(raw, b"")
    if len(begins) > 1:
        raise VerificationError(
            "tag: found more than one signature, expected one", hint="sign it again, once"
        )
    start = begins[0].start()
    end = b"-----END " + begins[0][1] + b"-----"
    _, found, rest = raw[start:].partition(end)
    if not found or rest.strip():
        raise VerificationError("tag: found text after the signature", hint="sign it again")
    return Signed(raw[:start], raw[start:])


@dataclass(frozen=True, slots=True, kw_only=True)
class Tag:
    """What an annotated tag says about itself."""

    target: str
    kind: str
    name: str


def read_tag(raw: bytes) -> Tag:
    """The fields of a tag. Raises VerificationError."""
    found = {name: value.decode("utf-8", "replace") for name, value in headers(raw)}
    return Tag(target=found.get(b"object", ""), kind=found.get(b"type", ""), name=found.get(b"tag", ""))


def parents(raw: bytes) -> tuple[str, ...]:
    """The parents of a commit, also of those that a shallow fetch left out."""
    return tuple(value.decode("ascii", "replace") for name, value in headers(raw) if name == b"parent")


def subject(raw: bytes) -> str:
    """The first line of a commit's message, cut to 72 characters, for people."""
    line = raw.partition(b"\n\n")[2].lstrip(b"\n").partition(b"\n")[0].decode("utf-8", "replace").strip()
    plain = "".join(char if char.isprintable() else "?" for char in line)
    return plain if len(plain) <= _SUBJECT else plain[: _SUBJECT - 3] + "..."
