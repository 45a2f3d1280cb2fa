"""Questions to a Git server: which references it has, and the objects behind one of them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final
from urllib.parse import urljoin

from weir.edges.git.session import Session
from weir.edges.git.url import GitUrl, parse_url
from weir.spec.errors import SourceError

_MOST_REDIRECTS: Final = 3
_REDIRECTED: Final = re.compile(r"returned error: 30[12378]")
_LOCATION: Final = re.compile(r"<= recv header[^:]*: location:\s*(\S+)", re.IGNORECASE)
_ENDING: Final = re.compile(r"/info/refs(\?.*)?$")
_FLAGS: Final = {"refs/heads/": ("--heads",), "refs/tags/": ("--tags",)}
_OBJECT: Final = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}", re.ASCII)


@dataclass(frozen=True, slots=True, kw_only=True)
class Remote:
    """A server's answer to "what do you have": the URL that answered, and object ids by full reference name."""

    url: GitUrl
    refs: Mapping[str, str]


def list_refs(session: Session, prefix: str = "") -> Remote:
    """The references below a prefix (`refs/heads/`, `refs/tags/`, or all), in one exchange.

    A redirect is followed by us, not by git: on the same host only, since credentials go along.

    Raises:
        SourceError: the server does not answer, refuses, or redirects to another host.
    """
    url = session.url
    for _ in range(_MOST_REDIRECTS):
        done = session.git("ls-remote", "--quiet", *_FLAGS.get(prefix, ()), "--", url.address)
        if not done.returncode:
            return Remote(url=url, refs=_parse_refs(done.stdout))
        if not (url.http and _REDIRECTED.search(done.stderr)):
            raise session.failure(done)
        url = _redirected(session, url)
    raise SourceError(
        f"{session.url.text}: found more than {_MOST_REDIRECTS} redirects", hint="use the URL they lead to"
    )


def _parse_refs(output: bytes) -> dict[str, str]:
    pairs = (line.partition("\t") for line in output.decode("utf-8", "surrogateescape").splitlines())
    return {name: oid for oid, tab, name in pairs if tab and _OBJECT.fullmatch(oid)}


def _redirected(session: Session, url: GitUrl) -> GitUrl:
    """Where a redirect leads; git is asked again with a trace, which leaves out what is secret."""
    trace = session.folder / "trace"
    session.git("ls-remote", "--quiet", "--", url.address, trace=trace)
    found = _LOCATION.findall(_read_tail(trace))
    trace.unlink(missing_ok=True)
    if not found:
        raise SourceError(f"{url.text}: redirects without saying where", hint="correct spec.url")
    target = parse_url(_ENDING.sub("", urljoin(f"{url.address}/info/refs", found[-1])))
    if not url.same_host(target):
        raise SourceError(
            f"{url.text}: redirects to another host ({target.scheme}://{target.authority}), which is not followed",
            hint="if that is right, put its URL in spec.url",
        )
    return target


def _read_tail(path: Path) -> str:
    try:
        return path.read_bytes()[-256 * 1024 :].decode("utf-8", "replace")
    except FileNotFoundError:
        return ""


def fetch(session: Session, repository: Path, url: GitUrl, source: str, slot: str, *options: str) -> None:
    """Fetch one reference or object into `slot` of a bare repository. Objects are checked as they come.

    Raises:
        SourceError: the server does not have it, the connection breaks, or an object is malformed.
    """
    session.checked(
        f"--git-dir={repository}",
        "fetch",
        "--quiet",
        "--no-tags",
        "--no-write-fetch-head",
        "--no-auto-maintenance",
        "--no-recurse-submodules",
        "--force",
        *options,
        "--",
        url.address,
        f"+{source}:{slot}",
    )


def moved(session: Session, url: GitUrl) -> Session:
    """The session for a URL of the same host, after a redirect or for a submodule."""
    return replace(session, url=url)
