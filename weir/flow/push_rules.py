"""Where a commit goes, and what may be replaced there: Flux's rules for an ImageUpdateAutomation's `git.push`.

Rule: https://fluxcd.io/flux/components/image/imageupdateautomations/#push
"""

from __future__ import annotations

from dataclasses import dataclass, field

from weir.edges.git.writing import Signer
from weir.select import git_ref
from weir.spec.errors import SpecError
from weir.spec.git_repository import HEADS, GitRef, GitRepositorySpec
from weir.spec.image_automation import Author, Push


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """What is committed to, by whom, and where the commit is pushed."""

    where: str
    """Who asks for it (`file: Kind/namespace/name`), for messages."""
    spec: GitRepositorySpec
    checkout: GitRef | None = None
    """What the edits start from; None for what the GitRepository follows."""
    push: Push = field(default_factory=Push)
    author: Author
    signer: Signer | None = None

    @property
    def ref(self) -> GitRef:
        """What is checked out."""
        return self.checkout or self.spec.ref


@dataclass(frozen=True, slots=True, kw_only=True)
class Destination:
    """A reference that gets the commit."""

    ref: str
    """Its full name."""
    force: bool
    """Whether it is made anew each time, whatever it holds: a push branch that is not the one checked out."""


def destinations(target: Target) -> tuple[Destination, ...]:
    """Where the commit goes: the push branch, and what the refspec names; only the latter when no branch is given.

    Raises:
        SpecError: no branch is named anywhere, or the refspec's source is not what is pushed.
    """
    push, head = target.push, target.ref.head
    found: dict[str, Destination] = {}
    branch = push.branch or ("" if push.refspec else head)
    if branch:
        ref = HEADS + branch
        found[ref] = Destination(ref=ref, force=branch != head)
    if push.refspec:
        ref = _refspec_destination(target, branch or head)
        found.setdefault(ref, Destination(ref=ref, force=False))
    if not found:
        hint = "name the branch to push to in spec.git.push.branch, or check one out by spec.git.checkout.ref.branch"
        expected = "a branch, as none is checked out (a tag, a version or a commit is)"
        raise SpecError.at(target.where, "spec.git.push.branch", found=None, expected=expected, hint=hint)
    return tuple(found.values())


def followed(ref: GitRef) -> str:
    """The full name of the reference that a source follows, empty for a version range and a fixed commit."""
    if ref.commit or (ref.semver and not ref.name):
        return ""
    return ref.name or (git_ref.TAGS + ref.tag if ref.tag else HEADS + ref.branch)


def follows(target: Target) -> bool:
    """Whether the GitRepository follows one of the references that get the commit."""
    return followed(target.spec.ref) in {destination.ref for destination in destinations(target)}


def revision(target: Target, commit: str) -> str:
    """Flux's spelling of a pushed commit, as the GitRepository spells it if it follows it."""
    ref = target.spec.ref if follows(target) else GitRef()
    name = followed(ref) if follows(target) else destinations(target)[0].ref
    return git_ref.revision(ref, git_ref.Target(name=name, commit=commit))


def _refspec_destination(target: Target, branch: str) -> str:
    source, _, destination = target.push.refspec.partition(":")
    own = {"HEAD", branch, HEADS + branch}
    if source not in own:
        expected = f"{HEADS}{branch or '<branch>'} or HEAD before the ':', as only that is committed to"
        raise SpecError.at(
            target.where, "spec.git.push.refspec", found=target.push.refspec, expected=expected
        )
    named = destination or (branch if source == "HEAD" else source)
    return named if named.startswith("refs/") else HEADS + named
