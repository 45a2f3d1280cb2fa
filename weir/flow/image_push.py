"""What an automation does in Git: push the commit that its run built, and have a pull request open for it."""

from __future__ import annotations

import re
import time
from functools import cache, partial
from typing import Any, Final

from weir.edges.runs import Run
from weir.edges.store import Store
from weir.flow.clusters import Clusters
from weir.flow.image_work import Commit, ImageWorker, Policies, access
from weir.flow.outcome import AutomationOutcome
from weir.flow.tree import UnitTree
from weir.flow.write_back import push, read_prepared
from weir.spec.documents import Document
from weir.spec.git_repository import parse_git_repository
from weir.spec.identity import UnitId
from weir.spec.kinds import IMAGE_AUTOMATION, IMAGE_POLICY, IMAGE_REPOSITORY
from weir.spec.stack import StackConfig

PLAN: Final = ".plan.md"
"""End of the name under which a run keeps what a proposed commit would change in the cluster, in Markdown."""


def push_commit(outcome: AutomationOutcome, config: StackConfig, clusters: Clusters) -> str:
    """Push the commit of an outcome; the revision that is in Git then. Raises WeirError."""
    job = _again(outcome, config, clusters)
    allowed = access(clusters, allow_file_urls=config.options.allow_file_urls)
    done = push(
        read_prepared(outcome.pending["prepared"]),
        job.target(clusters),
        job.edit,
        access=allowed,
        now=int(time.time()),
    )
    return f"{outcome.branch}@sha1:{done.commit}"


def _again(outcome: AutomationOutcome, config: StackConfig, clusters: Clusters) -> Commit:
    """The job of an outcome in another process. Policies ask their registries only when the edit is done again."""
    source, *rest = (Document(*given) for given in outcome.pending["documents"])
    tree = UnitTree()
    tree.declare(rest)
    worker = ImageWorker(config, clusters, Store.default())
    group = [one for one in tree.units.values() if one.spec.id.kind == IMAGE_AUTOMATION]
    policies = cache(partial(_choose, tree, worker))
    return Commit(group, parse_git_repository(source), policies, worker.registries)


def _choose(tree: UnitTree, worker: ImageWorker) -> Policies:
    """Every policy of a tree that can choose."""
    units = tree.units
    repositories: dict[UnitId, Any] = {
        unit: one.spec for unit, one in units.items() if unit.kind == IMAGE_REPOSITORY
    }
    chosen = [worker.policy(one, repositories) for unit, one in units.items() if unit.kind == IMAGE_POLICY]
    return {one.outcome.id: one.candidates for one in chosen if one.candidates}


def plan_file(unit: UnitId) -> str:
    """The name of an automation's plan in the run's folder."""
    return f"{unit.key}{PLAN}"


def propose_commit(outcome: AutomationOutcome, clusters: Clusters, run: Run) -> str:
    """Have one pull request open for the commit of an outcome, which is pushed; its URL. Raises WeirError."""
    from weir.edges.forge.access import read_access
    from weir.edges.forge.names import default_api, path_for, repository_of
    from weir.edges.forge.proposal import Proposal
    from weir.edges.forge.propose import propose

    spec, source = outcome.spec, parse_git_repository(Document(*outcome.pending["documents"][0]))
    wanted = spec.pull_request
    if wanted is None:
        return ""
    api = wanted.api or default_api(wanted.forge, repository_of(source.url)[0])
    message = outcome.pending["prepared"]["raw"].partition("\n\n")[2].strip()
    proposal = Proposal(
        repository=path_for(api, source.url),
        head=spec.push.branch,
        base=(spec.checkout or source.ref).head,
        title=wanted.title or message.partition("\n")[0],
        body=_body(outcome, message, (run.read(plan_file(spec.id)) or b"").decode()),
        labels=wanted.labels,
    )
    secret = clusters.secret(spec.id.namespace, wanted.secret)
    # the spec lets plain HTTP through for this machine only
    allowed = read_access(wanted.forge, api, secret, insecure=api.startswith("http://"))
    return propose(proposal, allowed).url


def _body(outcome: AutomationOutcome, message: str, plan: str) -> str:
    """The commit message, the Git diff, and the objects that change in the cluster."""
    fence = "`" * max(3, 1 + max((len(run) for run in re.findall("`+", outcome.diff)), default=0))
    parts = [message, f"{fence}diff\n{outcome.diff.rstrip()}\n{fence}", plan]
    return "\n\n".join(part for part in parts if part)
