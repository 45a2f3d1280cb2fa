"""What a failed push means: somebody was faster, we may not write at all, or the server declines and says why."""

from __future__ import annotations

import re
from typing import Final

from weir.edges.git import failures
from weir.edges.git.url import GitUrl
from weir.spec.errors import SourceError


class RejectedError(SourceError):
    """A reference is something else than was seen before, or is gone: look again, and do the work on top of that."""


class ReadOnlyError(SourceError):
    """The credentials may read the repository and not write to it."""


_MOVED: Final = re.compile(
    r"stale info|fetch first|\[rejected\] \((non-fast-forward|already exists|remote ref updated)|"
    r"is at [0-9a-f]+ but expected|reference already exists|incorrect old value|unable to resolve reference|"
    r"unable to create \S*: file exists",
    re.IGNORECASE,
)
_READ_ONLY: Final = re.compile(
    r"read[ -]only|write access|not (allowed|authorized|permitted) to (push|write|upload)|"
    r"permission to .* denied|denied by fallthru|error: 40[13]|authentication failed|could not read username|"
    r"permission denied|access denied|service not enabled",
    re.IGNORECASE,
)
_BROKEN: Final = re.compile(
    r"hung up|disconnect|rpc failed|early eof|connection reset|empty reply", re.IGNORECASE
)
_STATUS: Final = re.compile(r"^!\t[^\t]*:([^\t]*)\t(\[[a-z ]+\] .*)$", re.MULTILINE)
_FOLLOWING: Final = re.compile(r"atomic (push failed|push failure|transaction failed)")
_SAID: Final = re.compile(r"^remote: *(.*?) *$", re.MULTILINE)
_DECLINED: Final = (
    (
        re.compile(r"protected|GH006|GH013|rule violations", re.IGNORECASE),
        "let its account push there, or set git.push.branch to another branch",
    ),
    (re.compile(r"push options"), "remove git.push.options, or allow them on the server"),
    (
        re.compile(r"non-fast-forward"),
        "allow forced pushes to that branch, or delete it: it is made again from the branch that is checked out",
    ),
    (re.compile(r"hook declined"), "see what the hook of the server wants"),
)


def explain_push(url: GitUrl, report: str, stderr: str, returncode: int) -> SourceError:
    """The error for a failed `git push --porcelain`. Secrets are masked already in its report and stderr."""
    report, stderr = failures.plain(report), failures.plain(stderr)
    rows = [(ref, text) for ref, text in _STATUS.findall(report) if not _FOLLOWING.search(text)]
    said = " ".join(line for line in _SAID.findall(stderr) if line)
    name, text = rows[0] if rows else ("", "")
    words = failures.anonymous(stderr)
    if _MOVED.search(f"{report}\n{words}"):
        reason = f"{url.text}: {name or 'a reference'} moved meanwhile: {failures.short(text or said)}"
        return RejectedError(reason, hint="run it again")
    if rows:
        shown = failures.short(f"{text}: {said}" if said else text)
        return _declined(f"{url.text}: the server declines {name}: {shown}", f"{text} {stderr}")
    if _READ_ONLY.search(words):
        reason = f"{url.text}: the credentials may not write: {failures.short(said or _last(stderr))}"
        return ReadOnlyError(reason, hint="give the account of spec.secretRef, or its key, write access")
    if "push options" in words:
        return _declined(f"{url.text}: the server takes no push options", stderr)
    if _BROKEN.search(words):
        reason = f"{url.text}: the connection broke off during the push: {failures.short(_last(stderr))}"
        return SourceError(reason, hint="run it again: it finds out whether the commit arrived")
    return failures.explain(url, stderr, returncode, doing="pushed to")


def _declined(reason: str, text: str) -> SourceError:
    hint = next((hint for pattern, hint in _DECLINED if pattern.search(text)), "see the log of the server")
    return SourceError(reason, hint=hint)


def _last(stderr: str) -> str:
    lines = [line.strip() for line in stderr.splitlines() if line.strip()]
    return next(
        (line for line in lines if line.startswith(("fatal:", "error:", "ERROR:"))), " ".join(lines[-1:])
    )
