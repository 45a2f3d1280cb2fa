"""Everything one run of one stack needs, wired together: used by the program, the command line and tests alike."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from weir.edges.build_cache import BuildCache
from weir.edges.local_folder import import_folder
from weir.edges.runs import Run
from weir.edges.store import Store
from weir.flow.ahead import Ahead
from weir.flow.bootstrap import left_to_its_unit
from weir.flow.clusters import Clusters
from weir.flow.holds import Hands
from weir.flow.load import Loaded, bootstrap_document, load_folder, load_tree
from weir.flow.outcome import Problem
from weir.flow.render import build_folder, render_unit
from weir.flow.resolve import sync
from weir.flow.source_work import Overrides
from weir.flow.work import StackOutputs, Worker
from weir.render.layout import Layout
from weir.spec.documents import Document
from weir.spec.errors import WeirError
from weir.spec.git_repository import parse_git_repository
from weir.spec.kustomization import KustomizationSpec
from weir.spec.stack import SourceConfig, StackConfig


@dataclass(frozen=True, slots=True, kw_only=True)
class Session:
    """One run of one stack."""

    config: StackConfig
    run: Run
    clusters: Clusters
    ahead: Ahead
    worker: Worker
    store: Store
    load: Callable[[], Loaded]
    stack_outputs: StackOutputs

    def apart(self, overrides: Overrides | None = None, *, automate: bool = False) -> Session:
        """The same in a folder of its own, with other content perhaps, and with nothing automated unless asked."""
        run = Run(self.run.scratch(), self.run.pid)
        hands = Hands(self.clusters)
        worker = Worker(
            self.config,
            self.clusters,
            self.store,
            run,
            stack_outputs=self.stack_outputs,
            overrides=overrides or Overrides(),
            hands=hands,
        )
        ahead = Ahead(worker, run, self.load, automate=automate, holds=hands.read)
        return replace(self, run=run, ahead=ahead, worker=worker)


def open_session(
    config: StackConfig,
    folder: Path,
    run: Run,
    stack_outputs: StackOutputs,
    overrides: Overrides | None = None,
    *,
    wary: bool = False,
) -> Session:
    """A session whose relative paths start at `folder`; nothing is read or connected yet. `wary` as `Hands` has it."""
    clusters = Clusters(config.cluster, config.options, config.name)
    hands = Hands(clusters, wary=wary)
    store = Store.default()
    run.guard()
    worker = Worker(
        config,
        clusters,
        store,
        run,
        stack_outputs=stack_outputs,
        overrides=overrides or Overrides(),
        hands=hands,
    )

    def load() -> Loaded:
        if config.source is None:
            return load_folder(folder / config.objects)
        digest = partial(_fetch, config, clusters, store, overrides or Overrides())
        return _load_source(config.source, digest, worker, store, run)

    return Session(
        config=config,
        run=run,
        clusters=clusters,
        worker=worker,
        store=store,
        ahead=Ahead(worker, run, load, automate=not overrides, holds=hands.read),
        load=load,
        stack_outputs=stack_outputs,
    )


def _load_source(
    source: SourceConfig, digest: Callable[[SourceConfig], str], worker: Worker, store: Store, run: Run
) -> Loaded:
    cache = BuildCache.default()
    try:
        tree = store.tree(digest(source))
        build = partial(build_folder, scratch_root=run.root, cache=cache)

        def render(spec: KustomizationSpec) -> Sequence[Document]:
            found = render_unit(spec, Layout(tree), lookup=worker.look_up, scratch_root=run.root, cache=cache)
            return found.children

        return left_to_its_unit(load_tree(tree, source.path, build), source, render)
    except WeirError as err:
        return Loaded((), (Problem("weir:source", str(err)),))
    finally:
        cache.flush()


def _fetch(
    config: StackConfig, clusters: Clusters, store: Store, overrides: Overrides, source: SourceConfig
) -> str:
    """The digest of what `weir:source` holds. Raises WeirError."""
    spec = parse_git_repository(bootstrap_document(source, "weir:source"))
    if folder := overrides.folder(spec.id):
        return import_folder(store, folder).digest
    result = sync(
        spec,
        store=store,
        secrets=clusters.secret,
        includes={},
        previous=None,
        allow_file_urls=config.options.allow_file_urls,
        ref_override=overrides.ref(spec.id),
    )
    return result.artifact.digest
