"""Commits that a person asks for: on the branch that a GitRepository follows, only ever added to what is there."""

from __future__ import annotations

import re
import time
from dataclasses import dataclass, replace
from typing import Final

from weir.flow.image_work import access, signer_of
from weir.flow.look import Present
from weir.flow.write_back import Edit, Target, prepare, push
from weir.spec.errors import SpecError
from weir.spec.git_repository import GitRepositorySpec
from weir.spec.identity import UnitId
from weir.spec.image_automation import Author, ImageAutomationSpec

OURSELVES: Final = Author(name="Weir", email="weir@localhost")
"""Who commits when nobody is named."""
_PERSON: Final = re.compile(r"([^<>\x00-\x1f\x7f]*)<([^<>\x00-\x20\x7f]+)>|([^<>\x00-\x1f\x7f]+)")


@dataclass(frozen=True, slots=True, kw_only=True)
class Committed:
    """A commit that was pushed, or would be."""

    source: UnitId
    revision: str
    """What the source's branch holds now; empty when nothing was pushed."""
    diff: str
    """Of the files, values of Secrets masked."""


def parse_person(text: str) -> Author:
    """`Jane Doe <jane@example.com>`, an e-mail address, or a name. Raises SpecError."""
    found = _PERSON.fullmatch(text.strip())
    if found is None:
        hint = "such as 'Jane Doe <jane@example.com>'"
        raise SpecError.at("--user", "", found=text, expected="a name, an e-mail address or both", hint=hint)
    name, email, alone = (part.strip() if part else "" for part in found.groups())
    if not alone:
        return Author(name=name, email=email)
    if "@" in alone and " " not in alone:
        return Author(email=alone)
    return Author(name=alone, email=f"{re.sub(r'[^A-Za-z0-9.]+', '-', alone).strip('-').lower()}@localhost")


def find_source(present: Present, unit: UnitId) -> GitRepositorySpec:
    """A declared GitRepository whose branch can be committed to. Raises SpecError."""
    declared = {spec.id: spec for spec in present.specs(GitRepositorySpec)}
    if unit not in declared:
        expected = " or ".join(map(str, declared)) or "a stack that declares one"
        raise SpecError.at("source", "", found=str(unit), expected=expected)
    spec = declared[unit]
    if not spec.ref.head:
        hint = "commit by hand, and move what it follows"
        raise SpecError.at(
            spec.where, "spec.ref", found="a tag, a version or a commit", expected="a branch", hint=hint
        )
    return spec


def target_of(present: Present, source: GitRepositorySpec, user: str) -> Target:
    """Who commits to a source: as its ImageUpdateAutomation does, signature and all, else `user`, else Weir itself.

    Raises:
        SpecError: `user` is no name.
        WeirError: the signing key cannot be read.
    """
    person = parse_person(user) if user else None
    automations = (spec for spec in present.specs(ImageAutomationSpec) if spec.source == source.id)
    automation = next(automations, None)
    return Target(
        where=str(source.id),
        spec=replace(source, include=()),
        author=automation.author if automation else person or OURSELVES,
        signer=signer_of(automation, present.session.clusters) if automation else None,
    )


def with_person(message: str, user: str, author: Author) -> str:
    """A commit message that says who asked for the commit when that is not its author."""
    person = parse_person(user) if user else author
    if person == author:
        return message
    return f"{message}\n\nRequested-by: {person.name or person.email} <{person.email}>"


def commit(present: Present, target: Target, edit: Edit, *, dry_run: bool) -> Committed | None:
    """Build the commit of an edit and push it unless that is not wanted; None when the edit changes nothing.

    Raises:
        WeirError: as `weir.flow.write_back` raises them.
    """
    session, now = present.session, int(time.time())
    allowed = access(session.clusters, allow_file_urls=session.config.options.allow_file_urls)
    prepared = prepare(target, edit, store=session.store, includes={}, access=allowed, now=now)
    if prepared is None:
        return None
    source = target.spec.id
    if dry_run:
        return Committed(source=source, revision="", diff=prepared.diff)
    done = push(prepared, target, edit, access=allowed, now=now)
    return Committed(source=source, revision=done.revision, diff=prepared.diff)
