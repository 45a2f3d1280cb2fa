"""Verify what a source points at: the commit, the tag that leads to it, or both (`spec.verify.mode`)."""

from __future__ import annotations

from weir.edges.git import objects, signatures
from weir.edges.git.cache import CacheRepository
from weir.select.git_ref import TAGS, Target
from weir.spec.errors import VerificationError

_SHOWN = 8


def verify_target(cache: CacheRepository, target: Target, mode: str, keys: signatures.Keys) -> str:
    """What was verified and with which keys, for people.

    A tag's signature counts for this tag and this commit only: a signed tag object put under another name, or one
    that no longer leads to the commit, does not pass.

    Raises:
        VerificationError: a signature is missing or does not hold.
        SourceError: an object is not in the cache.
    """
    done: list[str] = []
    if mode in ("Tag", "TagAndHEAD"):
        done.append(_verify_tag(cache, target, keys))
    if mode in ("HEAD", "TagAndHEAD"):
        what = f"commit {target.commit[:_SHOWN]}"
        signed = objects.split_commit(cache.read("commit", target.commit))
        done.append(f"{what} with key {signatures.verify(signed, keys, what, cache.session.folder)}")
    if not done:
        raise VerificationError(f"spec.verify.mode: found {mode!r}, expected HEAD, Tag or TagAndHEAD")
    return "verified signature of " + " and ".join(done)


def _verify_tag(cache: CacheRepository, target: Target, keys: signatures.Keys) -> str:
    name = target.name.removeprefix(TAGS)
    if not target.name.startswith(TAGS):
        text = f"{target.name or target.commit} is no tag, expected one to verify"
        raise VerificationError(text, hint="follow a tag, or set spec.verify.mode: HEAD")
    if not target.tag_object:
        text = f"tag {name} is not signed (it is no annotated tag)"
        raise VerificationError(text, hint="make it with git tag --sign")
    raw = cache.read("tag", target.tag_object)
    tag = objects.read_tag(raw)
    if (tag.name, tag.kind, tag.target) != (name, "commit", target.commit):
        text = f"tag {name}: its signed object is for tag {tag.name} and {tag.kind} {tag.target[:_SHOWN]}"
        raise VerificationError(text, hint="have the tag made and signed again")
    key = signatures.verify(objects.split_tag(raw), keys, f"tag {name}", cache.session.folder)
    return f"tag {name} with key {key}"
