"""What git's complaints mean, in words for people: one sentence, one next step, no secrets, no terminal codes."""

from __future__ import annotations

import re
from typing import Final, NamedTuple

from weir.edges.git.url import GitUrl
from weir.spec.errors import SourceError

TIMEOUT_HINT: Final = "see that the host is up, or raise spec.timeout"
_NAMES: Final = re.compile(r"'?\b[a-z]+://\S+|'/[^'\n]*'", re.IGNORECASE)
_CONTROL: Final = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]|\x1b\[[0-9;]*[A-Za-z]")
_TOOK: Final = re.compile(r" after \d+ ms\b", re.ASCII)
_LONGEST: Final = 240


class MissingObjectError(SourceError):
    """The server answers, and has no such reference or commit (or does not hand it out by its id)."""


class DamagedDownloadError(SourceError):
    """The connection broke off, or what came is no valid pack."""


class _Row(NamedTuple):
    pattern: re.Pattern[str]
    reason: str
    hint: str
    kind: type[SourceError]


def _row(pattern: str, reason: str, hint: str, kind: type[SourceError] = SourceError) -> _Row:
    return _Row(re.compile(pattern, re.IGNORECASE), reason, hint, kind)


_ROWS: Final = (
    _row(
        r"no space left on device|disk quota exceeded",
        "the disk of the cache is full",
        "free space, or set WEIR_CACHE_DIR",
    ),
    _row(
        r"host key verification failed|no .* host key is known",
        "the server's host key is not in known_hosts",
        "compare the key with the host's, then update known_hosts in the Secret",
    ),
    _row(r"error: 407|proxy auth", "the proxy refuses the credentials", "check spec.proxySecretRef"),
    _row(
        r"resolve proxy|proxy connect aborted|code \d+ from proxy|socks|connect tunnel failed",
        "the proxy does not work",
        "check spec.proxySecretRef",
    ),
    _row(
        r"authentication failed|could not read (username|password)|error: 40[13]|permission denied|access denied",
        "access is denied (authentication failed)",
        "check spec.secretRef and what its account may read",
    ),
    _row(
        r"could not resolve host|name or service not known|failure in name resolution|nodename nor servname",
        "the host name cannot be resolved (DNS)",
        "correct the host in spec.url, or check DNS",
    ),
    _row(
        r"remote ref|not our ref|no such ref|unadvertised object|bad object",
        "the reference or commit is not there",
        "correct spec.ref",
        MissingObjectError,
    ),
    _row(
        r"certificate|ssl (connect|peer|handshake|routines)|ssl_|gnutls_|tls (connect|handshake|alert)",
        "the TLS connection is not trusted",
        "put the issuer's certificate in ca.crt of the Secret",
    ),
    _row(
        r"connection refused|couldn't connect",
        "the connection is refused",
        "see that the host is up and the port is right",
    ),
    _row(r"timed out|timeout was reached|too slow|less than 1 bytes/sec", "no answer in time", TIMEOUT_HINT),
    _row(
        r"network is unreachable|no route to host", "the network does not reach the host", "check the network"
    ),
    _row(
        r"error: 404|not found|does not appear to be a git repository|no such file or directory",
        "there is no such repository (or the credentials may not see it)",
        "correct spec.url, or check spec.secretRef",
    ),
    _row(r"error: 429", "the server asks to slow down (429)", "raise spec.interval"),
    _row(r"error: 5\d\d", "the server failed", "try again later"),
    _row(r"error: 3\d\d", "the server redirects", "use the URL it redirects to"),
    _row(r"not allowed|is not supported", "the transport is not allowed", "use https or ssh"),
    _row(r"dubious ownership", "the repository belongs to another user", "change its owner"),
    _row(
        r"early eof|disconnect|hung up|rpc failed|transfer closed|connection reset|empty reply|file size limit|"
        r"index-pack|unpack|pack has|bad pack|inflate|corrupt|fsck|did not send all|invalid|mismatch",
        "the download was cut short or is corrupt; it was thrown away",
        "try again; if it stays, check the repository with git fsck",
        DamagedDownloadError,
    ),
)


def explain(url: GitUrl, stderr: str, returncode: int, *, doing: str = "fetched") -> SourceError:
    """The error for a failed git. `stderr` has its secrets masked already."""
    text = plain(stderr)
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    said = next(
        (line for line in reversed(lines) if line.startswith(("fatal:", "error:"))),
        lines[-1] if lines else "",
    )
    words = anonymous(text)
    for row in _ROWS:
        if row.pattern.search(words):
            return row.kind(f"{url.text}: {row.reason}: {short(said)}", hint=row.hint)
    what = short(said) or f"git ended with code {returncode}"
    return SourceError(
        f"{url.text}: cannot be {doing}: {what}", hint="see that the URL works with git ls-remote"
    )


def plain(text: str) -> str:
    """The text without terminal codes and other control characters, except for ends of lines and tabs."""
    return _CONTROL.sub("", text)


def anonymous(text: str) -> str:
    """The text without URLs and paths, whose names could read as a reason."""
    return _NAMES.sub("URL", text)


def short(line: str) -> str:
    """What git says after `fatal:` or `error:`, cut to fit a message; the same whenever the same goes wrong."""
    text = _TOOK.sub("", line.removeprefix("fatal:").removeprefix("error:").strip())
    return text if len(text) <= _LONGEST else text[: _LONGEST - 3] + "..."
