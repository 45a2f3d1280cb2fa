"""A unit of the resolve side: `check` confirms what the run found out ahead, so previews show it."""

from __future__ import annotations

import contextlib
from abc import abstractmethod
from typing import TYPE_CHECKING, Any, ClassVar

from pulumi.dynamic import (
    CheckResult,
    ConfigureRequest,
    CreateResult,
    DiffResult,
    ReadResult,
    ResourceProvider,
    UpdateResult,
)

from weir.edges.runs import Run, unit_file
from weir.flow.outcome import Outcome, Problem, decode, held
from weir.spec.errors import WeirError
from weir.spec.identity import UnitId

if TYPE_CHECKING:
    from weir.flow.clusters import Clusters
    from weir.spec.record import Condition, UnitRecord
    from weir.spec.stack import StackConfig

Props = dict[str, Any]
HELD = "held"
"""The input `suspended` of a unit that is suspended by hand: its record's annotation says so, its status need not."""


class ConfirmedProvider(ResourceProvider):
    """Stateless, pickled by reference: the dotted path of each kind is part of every stack's state and must not change.

    A kind says which inputs it tracks, how it puts an outcome into them, and what record it leaves in the cluster.
    """

    serialize_as_secret_always = False

    TRACKED: ClassVar[tuple[str, ...]]
    """Names of the inputs. A unit is changed when one of them moved; never because of the provider."""
    LASTING: ClassVar[tuple[str, ...]] = ()
    """Those that stay as they were when the outcome says nothing of them."""

    _cluster: str | None = None
    _options: str | None = None

    def configure(self, req: ConfigureRequest) -> None:
        """Take the stack's cluster, where the unit's status is kept, and its options."""
        self._cluster = req.config.get("cluster")
        self._options = req.config.get("options")

    @abstractmethod
    def confirmed(self, outcome: Outcome) -> Props:
        """The inputs that an outcome of this run gives; nothing when it is another kind's."""

    @abstractmethod
    def record(self, props: Props) -> UnitRecord:
        """The status to keep in the cluster."""

    def check(self, olds: Props, news: Props) -> CheckResult:
        """The inputs as resolved in this run; during an outage, the last good ones."""
        found = Run.current().read_json(unit_file(UnitId.parse(news["unit"])))
        outcome = decode(found) if isinstance(found, dict) else None
        if outcome is None or isinstance(outcome, Problem):
            return CheckResult(news, [])
        by_hand = {"suspended": HELD} if held(outcome) else {}
        lasting = {key: olds.get(key, "") for key in self.LASTING}
        return CheckResult({**news, **lasting, **self.confirmed(outcome), **by_hand}, [])

    def diff(self, _id: str, olds: Props, news: Props) -> DiffResult:
        """Changed when a tracked input moved."""
        return DiffResult(changes=any(olds.get(key) != news.get(key) for key in self.TRACKED), replaces=[])

    def create(self, props: Props) -> CreateResult:
        """Do the unit's work and keep its status."""
        return CreateResult(props["unit"], self._done({}, props))

    def update(self, _id: str, olds: Props, news: Props) -> UpdateResult:
        """As `create`."""
        return UpdateResult(self._done(olds, news))

    def work(self, _olds: Props, news: Props) -> Props:
        """What the unit does when it changed, and its outputs. Most have nothing to do but to remember."""
        return news

    def delete(self, _id: str, props: Props) -> None:
        """Forget the status; another stack's stays."""
        with contextlib.suppress(WeirError):
            self.clusters(props).records.delete_own(UnitId.parse(props["unit"]))

    def read(self, id_: str, props: Props) -> ReadResult:
        """The remembered state; the next run resolves anew."""
        visible = self._visible(props)
        return ReadResult(id_, visible, visible)

    def _done(self, olds: Props, news: Props) -> Props:
        clusters = self.clusters(news)
        refused = self._other_stack(clusters, UnitId.parse(news["unit"]))
        done = self._refused(olds, {**news, "error": refused}) if refused else self.work(olds, news)
        record = self.record(done)
        # a status that cannot be written fails nothing: the units will say why
        with contextlib.suppress(WeirError):
            if not refused:
                clusters.records.write(record)
        if record.ready:
            self._tell(clusters, olds, done, record.ready)
        return self._visible(done)

    def _other_stack(self, clusters: Clusters, unit: UnitId) -> str:
        """Why the status cannot be kept; empty when it can, or when the cluster does not say: then no write succeeds.

        The look ahead refuses it too, where people see it; this is for what another stack wrote since.
        """
        from weir.flow.conflicts import refuse_other_stack

        with contextlib.suppress(WeirError):
            record = clusters.records.read(unit)
            try:
                refuse_other_stack(record, clusters.stack, clusters.options)
            except WeirError as err:
                return str(err)
        return ""

    def _refused(self, _olds: Props, news: Props) -> Props:
        """The outputs of a unit whose status is another stack's."""
        return news

    def _tell(self, clusters: Clusters, olds: Props, done: Props, ready: Condition) -> None:
        """Events of what is new. Imported late, as the connections are."""
        from weir.flow.tell import Teller

        before, after = self._visible(olds), self._visible(done)
        with contextlib.suppress(WeirError):
            Teller(clusters, Run.current(), lambda _: None).resolved(
                UnitId.parse(done["unit"]), before, after, ready
            )

    def _visible(self, props: Props) -> Props:
        return {key: props.get(key, "") for key in self.TRACKED}

    def clusters(self, props: Props) -> Clusters:
        """The stack's cluster. Imported late: most runs change nothing, and then need no cluster here."""
        from weir.flow.clusters import Clusters

        settings = self.settings(props)
        return Clusters(settings.cluster, settings.options, settings.name)

    def settings(self, props: Props) -> StackConfig:
        """The stack's cluster and options."""
        from weir.flow.settings import read_settings

        given = {"cluster": self._cluster or "{}", "options": self._options or "{}", "objects": "-"}
        return read_settings(props["stack"], given, "weir:cluster")
