"""Which commit a GitRepository's `ref` means, among the references a server lists.

Precedence, low to high: branch, tag, semver, name, commit. Revisions are spelled as Flux spells them:
`main@sha1:<hash>`, `v1.2.3@sha1:<hash>`, `refs/pull/420/head@sha1:<hash>` for `ref.name`, and `sha1:<hash>` for a
commit without a branch. Rule: https://fluxcd.io/flux/components/source/gitrepositories/#reference
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from weir.select.semver_range import SemverRange, parse_version
from weir.spec.errors import SourceError
from weir.spec.git_repository import HEADS, GitRef

TAGS: Final = "refs/tags/"
_PEELED: Final = "^{}"
_COMMIT: Final = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}", re.ASCII)
_SHA1_DIGITS: Final = 40


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """One commit on a server, and how to ask for it."""

    name: str
    """The full reference that leads there; empty for a commit named by its hash alone."""
    commit: str
    tag_object: str = ""
    """The annotated tag that the reference points at, if it is one."""


def parse_ref(text: str) -> GitRef:
    """What a person means by `--ref`: a full commit hash, a full reference, or a branch."""
    if _COMMIT.fullmatch(text):
        return GitRef(commit=text)
    if text.startswith("refs/"):
        return GitRef(name=text)
    return GitRef(branch=text)


def listing(ref: GitRef) -> str:
    """The prefix of the references worth listing, empty for all. A `ref` with a commit needs none."""
    if ref.name:
        return next((prefix for prefix in (HEADS, TAGS) if ref.name.startswith(prefix)), "")
    return TAGS if ref.semver or ref.tag else HEADS


def candidates(ref: GitRef, refs: Mapping[str, str]) -> tuple[Target, ...]:
    """The commits that fit best: one, or for a semver range several tags of equal precedence (build metadata differs).

    `refs` maps full reference names to object ids, annotated tags also under `<name>^{}`, as `git ls-remote` does.

    Raises:
        SourceError: the server has nothing that fits.
        SpecError: the range is not one.
    """
    if ref.commit:
        return (Target(name=HEADS + ref.branch if ref.branch else "", commit=ref.commit),)
    if ref.name:
        return (_named(ref.name, refs),)
    if ref.semver:
        return _newest(SemverRange.parse(ref.semver), refs)
    return (_named(TAGS + ref.tag if ref.tag else HEADS + ref.branch, refs),)


def newest_of(tied: tuple[Target, ...], dates: Mapping[str, int]) -> Target:
    """Among tags of equal precedence, the one whose commit is youngest; `dates` maps commits to epoch seconds.

    Flux leaves the rest to chance; here the last name wins, so that equal input gives equal output.
    """
    return max(tied, key=lambda target: (dates.get(target.commit, 0), target.name))


def revision(ref: GitRef, target: Target) -> str:
    """Flux's spelling of a target reached through `ref`."""
    digest = f"{'sha1' if len(target.commit) == _SHA1_DIGITS else 'sha256'}:{target.commit}"
    if not target.name:
        return digest
    shown = target.name if ref.name else target.name.split("/", 2)[-1]
    return f"{shown}@{digest}"


def commit_of(text: str) -> str:
    """The hash inside a revision, empty when there is none."""
    found = text.rpartition(":")[2]
    return found if _COMMIT.fullmatch(found) else ""


def _named(name: str, refs: Mapping[str, str]) -> Target:
    found = refs.get(name)
    if found is None:
        raise SourceError(f"found no reference {name}", hint=_suggest(name, refs))
    return _target(name, refs)


def _target(name: str, refs: Mapping[str, str]) -> Target:
    peeled = refs.get(name + _PEELED)
    return Target(name=name, commit=peeled or refs[name], tag_object=refs[name] if peeled else "")


def _newest(wanted: SemverRange, refs: Mapping[str, str]) -> tuple[Target, ...]:
    tags = [name for name in refs if name.startswith(TAGS) and not name.endswith(_PEELED)]
    versions = ((parse_version(name.removeprefix(TAGS)), name) for name in tags)
    fitting = [
        (version, name) for version, name in versions if version is not None and wanted.matches(version)
    ]
    if not fitting:
        raise SourceError(
            f"found no tag in the semver range {wanted.text!r} among {len(tags)}",
            hint="tag a release with three numbers such as v1.2.3, or widen spec.ref.semver",
        )
    highest = max(version for version, _ in fitting)
    return tuple(
        _target(name, refs)
        for version, name in sorted(fitting, key=lambda pair: pair[1])
        if version == highest
    )


def _suggest(name: str, refs: Mapping[str, str]) -> str:
    if not refs:
        return "the repository lists no such references: push one, or correct spec.ref"
    short = name.rpartition("/")[2]
    alike = [known for known in refs if known.rpartition("/")[2].lower() == short.lower()]
    shown = ", ".join(sorted(alike or refs)[:5])
    return f"correct spec.ref; there are: {shown}"
