"""Git sync on the resolve side: `check` confirms what the run resolved ahead, so previews show the new revision."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Any, Final

import pulumi
from pulumi.dynamic import (
    CheckResult,
    ConfigureRequest,
    CreateResult,
    DiffResult,
    ReadResult,
    Resource,
    ResourceProvider,
    UpdateResult,
)

from weir.edges.runs import Run, unit_file
from weir.flow.outcome import SourceOutcome, decode
from weir.spec.errors import WeirError
from weir.spec.identity import UnitId

if TYPE_CHECKING:
    from weir.edges.kube.records import Records

Props = dict[str, Any]
TRACKED: Final = ("unit", "stack", "url", "suspended", "revision", "digest", "verified", "error")


class GitSyncProvider(ResourceProvider):
    """Stateless, pickled by reference: its dotted path is part of every stack's state and must not change."""

    serialize_as_secret_always = False

    _cluster: str | None = None

    def configure(self, req: ConfigureRequest) -> None:
        """Take the stack's cluster, where the source's status is kept."""
        self._cluster = req.config.get("cluster")

    def check(self, _olds: Props, news: Props) -> CheckResult:
        """The inputs with revision and digest as resolved in this run; during an outage, the last good ones."""
        found = Run.current().read_json(unit_file(UnitId.parse(news["unit"])))
        outcome = decode(found) if isinstance(found, dict) else None
        if not isinstance(outcome, SourceOutcome):
            return CheckResult(news, [])
        resolved = outcome.artifact.as_props() if outcome.artifact else {"revision": "", "digest": ""}
        texts = {**resolved, "verified": outcome.verified, "error": outcome.error}
        return CheckResult({**news, **texts}, [])

    def diff(self, _id: str, olds: Props, news: Props) -> DiffResult:
        """Changed when the revision, the digest, the address or the error moved; never because of the provider."""
        return DiffResult(changes=any(olds.get(key) != news.get(key) for key in TRACKED), replaces=[])

    def create(self, props: Props) -> CreateResult:
        """Nothing to make: the artifact is in the store. Its status goes to the cluster."""
        self._record(props)
        return CreateResult(props["unit"], _visible(props))

    def update(self, _id: str, _olds: Props, news: Props) -> UpdateResult:
        """Nothing to change but what is remembered."""
        self._record(news)
        return UpdateResult(_visible(news))

    def delete(self, _id: str, props: Props) -> None:
        """Forget the status; artifacts are collected by age."""
        with contextlib.suppress(WeirError):
            _records(self._cluster, props).delete(UnitId.parse(props["unit"]))

    def _record(self, props: Props) -> None:
        """Keep the status in the cluster. A status that cannot be written fails nothing: the units will say why."""
        from weir.flow.source_record import source_record

        record = source_record(
            UnitId.parse(props["unit"]),
            props["stack"],
            revision=props["revision"],
            digest=props["digest"],
            error=props["error"],
            suspended=props["suspended"] == "true",
        )
        with contextlib.suppress(WeirError):
            _records(self._cluster, props).write(record)

    def read(self, id_: str, props: Props) -> ReadResult:
        """The remembered state; the next run resolves anew."""
        visible = _visible(props)
        return ReadResult(id_, visible, visible)


def _records(cluster: str | None, props: Props) -> Records:
    """Where statuses are kept. Imported late: most runs change nothing, and then need no cluster here."""
    from weir.flow.clusters import Clusters
    from weir.flow.settings import read_settings

    settings = read_settings(props["stack"], {"cluster": cluster or "{}", "objects": "-"}, "weir:cluster")
    return Clusters(settings.cluster, settings.options, settings.name).records


def _visible(props: Props) -> Props:
    return {key: props.get(key, "") for key in TRACKED}


class GitRepository(Resource, module="weir", name="GitRepository"):
    """One Git source: what it follows and which revision it yields."""

    revision: pulumi.Output[str]
    digest: pulumi.Output[str]
    error: pulumi.Output[str]

    def __init__(self, name: str, unit: str, url: str, suspended: str, opts: pulumi.ResourceOptions) -> None:
        given = {"unit": unit, "stack": pulumi.get_stack(), "url": url, "suspended": suspended}
        props = dict.fromkeys(TRACKED, "") | given
        super().__init__(GitSyncProvider(), name, props, opts)
