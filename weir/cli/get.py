"""`weir get sources|kustomizations|images|all`: the units of a stack and how they are, in Flux's columns."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final

from weir.cli._stack import add_stack_arguments, open_stack, settings_path
from weir.cli.format_status import format_units
from weir.edges.runs import Run
from weir.flow.clusters import Clusters
from weir.flow.settings import read_settings_file
from weir.spec.errors import SpecError
from weir.spec.kinds import IMAGE_AUTOMATION, IMAGE_POLICY, IMAGE_REPOSITORY
from weir.spec.record import UnitRecord

if TYPE_CHECKING:
    from weir.flow.image_status import RepositoryStatus

_UNITS: Final = frozenset({"GitRepository", "Kustomization"})
_KINDS: Final = {
    "sources": ("GitRepository",),
    "kustomizations": ("Kustomization",),
    "ks": ("Kustomization",),
    "images": (IMAGE_REPOSITORY, IMAGE_POLICY, IMAGE_AUTOMATION),
    "all": (*_UNITS, IMAGE_POLICY, IMAGE_AUTOMATION),
}
_ONLY: Final[dict[str, dict[str, tuple[str, ...]]]] = {
    "sources": {"git": ("GitRepository",), "all": ("GitRepository",)},
    "images": {
        "all": _KINDS["images"],
        "repository": (IMAGE_REPOSITORY,),
        "policy": (IMAGE_POLICY,),
        "update": (IMAGE_AUTOMATION,),
    },
}
"""What may stand behind a word, and the kinds it leaves."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The verb's arguments."""
    parser.add_argument("what", choices=sorted(_KINDS))
    parser.add_argument(
        "kind",
        nargs="?",
        choices=["git", "repository", "policy", "update", "all"],
        help="with sources or images: which kind of them",
    )
    add_stack_arguments(parser)
    parser.add_argument("-n", "--namespace", help="only units of this namespace")
    parser.add_argument(
        "-A", "--all-namespaces", action="store_true", help="show the namespace of every unit"
    )
    parser.add_argument("--show-source", action="store_true", help="show the source of every unit")
    parser.add_argument("--no-header", action="store_true", help="leave out the column titles")
    parser.add_argument(
        "-o", "--output", choices=["table", "json"], default="table", help="form of the answer"
    )


def run(args: argparse.Namespace) -> int:
    """Print the units as the cluster's records have them; image repositories as this machine scanned them last."""
    kinds = _kinds(args)
    config = read_settings_file(args.stack, settings_path(args))
    clusters = Clusters(config.cluster, config.options, config.name)
    records = [
        record
        for record in clusters.records.read_all()
        if record.id.kind in kinds and args.namespace in (None, record.id.namespace)
    ]
    repositories = _repositories(args) if IMAGE_REPOSITORY in kinds else []
    if args.output == "json":
        found = [*map(_repository_as_json, repositories), *map(_as_json, records)]
        sys.stdout.write(json.dumps(found, indent=2) + "\n")
        return 0
    tables = _tables(args, kinds, records, repositories)
    if not tables:
        print(f"no {args.what} found in stack {args.stack}", file=sys.stderr)
    sys.stdout.write("\n".join(tables))
    return 0


def _kinds(args: argparse.Namespace) -> Sequence[str]:
    """The kinds that are asked for. Raises SpecError."""
    if args.kind is None:
        return _KINDS[args.what]
    allowed = _ONLY.get(args.what, {})
    if args.kind not in allowed:
        expected = " or ".join(allowed) or "nothing"
        raise SpecError.at(f"weir get {args.what}", "", found=args.kind, expected=expected)
    return allowed[args.kind]


def _tables(
    args: argparse.Namespace,
    kinds: Sequence[str],
    records: Sequence[UnitRecord],
    repositories: Sequence[RepositoryStatus],
) -> list[str]:
    """One table for units, and one for each kind of image object; empty ones are left out."""
    shown: dict[str, Any] = {"all_namespaces": args.all_namespaces, "header": not args.no_header}
    found = {kind: [record for record in records if record.id.kind == kind] for kind in kinds}
    tables = []
    if _UNITS & found.keys():
        units = [record for record in records if record.id.kind in _UNITS]
        everything = args.what == "all"
        tables.append(format_units(units, with_kind=everything, show_source=args.show_source, **shown))
    if repositories or found.get(IMAGE_POLICY) or found.get(IMAGE_AUTOMATION):
        # imported late: most stacks have none
        from weir.cli import format_images

        named = {"with_kind": len(kinds) > 1, **shown}
        tables.append(format_images.format_repositories(repositories, **named))
        tables.append(format_images.format_policy_records(found.get(IMAGE_POLICY, ()), **named))
        tables.append(format_images.format_automation_records(found.get(IMAGE_AUTOMATION, ()), **named))
    return [table for table in tables if table]


def _repositories(args: argparse.Namespace) -> list[RepositoryStatus]:
    """They are no units and have no records: the stack is read for them."""
    from weir.flow.image_status import repository_status
    from weir.flow.look import look

    try:
        found = repository_status(look(open_stack(args)))
    finally:
        Run.current().remove()
    return [status for status in found if args.namespace in (None, status.id.namespace)]


def _repository_as_json(status: RepositoryStatus) -> dict[str, Any]:
    return {
        "kind": status.id.kind,
        "namespace": status.id.namespace,
        "name": status.id.name,
        "image": status.image,
        "suspended": status.suspended,
        "scanned": status.scanned,
        "tags": status.tags,
        "message": status.error,
    }


def _as_json(record: UnitRecord) -> dict[str, Any]:
    ready = record.ready
    return {
        "kind": record.id.kind,
        "namespace": record.id.namespace,
        "name": record.id.name,
        "source": record.source,
        "revision": record.revision,
        "attempted": record.attempted,
        "suspended": record.suspended,
        "ready": ready.status if ready else "Unknown",
        "reason": ready.reason if ready else "",
        "message": ready.message if ready else "",
        "objects": [str(item) for item, _ in record.inventory],
    }
