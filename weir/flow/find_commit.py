"""What `weir explain` needs to know about a commit: histories from the servers, records from the cluster."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Final

from weir.edges.git import history
from weir.edges.git.remote import Remote, list_refs, moved
from weir.flow.explain import Explanation, Records, SourceHistory, Step, explain
from weir.flow.git_source import open_source
from weir.flow.look import Present
from weir.flow.outcome import AutomationOutcome
from weir.flow.session import Session
from weir.flow.write_work import Access
from weir.select import git_ref
from weir.select.git_ref import commit_of
from weir.spec.artifact import short_revision
from weir.spec.errors import SpecError, WeirError
from weir.spec.git_repository import GitRepositorySpec
from weir.spec.kinds import IMAGE_AUTOMATION
from weir.spec.kustomization import KustomizationSpec

_FORM: Final = re.compile(r"[0-9a-f]{4,64}", re.ASCII)
_AT_ONCE: Final = 8


def explain_commit(session: Session, present: Present, text: str) -> Explanation:
    """Why the commit that a hash or its start means is live or not.

    Raises:
        SpecError: nothing that the stack knows is called so, or several commits are.
        ClusterError: the records cannot be read.
    """
    if not _FORM.fullmatch(text):
        raise SpecError.at("weir explain", "COMMIT", found=text, expected="a hash, or 4 digits of it or more")
    records = {record.id: record for record in session.clusters.records.read_all()}
    access = Access(secrets=session.clusters.secret, allow_file_urls=session.config.options.allow_file_urls)
    with ThreadPoolExecutor(_AT_ONCE, thread_name_prefix="histories") as pool:
        sources = list(pool.map(partial(read_history, access=access), present.specs(GitRepositorySpec)))
    known = {commit for source in sources for commit in source.parents if commit.startswith(text)}
    if len(known) > 1:
        raise SpecError.at("weir explain", "COMMIT", found=text, expected="more digits: several begin so")
    if known:
        units = sorted(present.specs(KustomizationSpec), key=lambda unit: unit.id)
        return explain(known.pop(), sources, units, records)
    return explain_elsewhere(session, present, text, sources, records)


def read_history(spec: GitRepositorySpec, access: Access) -> SourceHistory:
    """The history of what a source follows, as the server has it now; an error becomes part of the answer."""
    try:
        opened = open_source(spec, access.secrets, access.sources, allow_file=access.allow_file_urls)
        with opened as session:
            remote = Remote(url=session.url, refs={})
            if not spec.ref.commit:
                remote = list_refs(session, git_ref.listing(spec.ref))
            target = git_ref.candidates(spec.ref, remote.refs)[-1]
            followed = spec.ref.commit or target.name
            parents = history.lineage(moved(session, remote.url), remote.url, followed)
    except WeirError as err:
        return SourceHistory(spec=spec, error=str(err))
    return SourceHistory(spec=spec, revision=git_ref.revision(spec.ref, target), parents=parents)


def explain_elsewhere(
    session: Session, present: Present, text: str, sources: Sequence[SourceHistory], records: Records
) -> Explanation:
    """A commit that no source has: an automation's, or nobody's."""
    automations = (record for record in records.values() if record.id.kind == IMAGE_AUTOMATION)
    for record in automations:
        commit = commit_of(record.revision)
        if commit.startswith(text):
            branch = record.revision.rpartition("@")[0]
            said = f"pushed to {branch}, which no source follows: it waits to be merged"
            return Explanation(commit=commit, steps=(Step(unit=record.id, passed=False, text=said),))
    if any(unit.kind == IMAGE_AUTOMATION for unit in present.units):
        for outcome in session.ahead:
            if isinstance(outcome, AutomationOutcome) and outcome.commit.startswith(text):
                said = f"built and not pushed yet: the next `weir up` pushes it to {outcome.branch}"
                step = Step(unit=outcome.id, passed=False, text=said)
                return Explanation(commit=outcome.commit, steps=(step,))
    return Explanation(commit=text, steps=tuple(_absent(sources)))


def _absent(sources: Sequence[SourceHistory]) -> Iterator[Step]:
    for source in sources:
        at = short_revision(source.revision)
        said = (
            source.error or f"not in its history: it is at {at}; push the commit there, or correct spec.ref"
        )
        yield Step(unit=source.spec.id, passed=False, text=said)
