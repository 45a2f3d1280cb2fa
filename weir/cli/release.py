"""`weir release`: give workloads other images, by a commit."""

from __future__ import annotations

import argparse

from weir.cli._stack import open_stack
from weir.cli._workloads import FORM, add_workload_arguments, do
from weir.edges.runs import Run
from weir.edit.find_workload import WorkloadName
from weir.flow.look import look
from weir.flow.releases import Wanted, release_command
from weir.flow.workload_verbs import Request, rendered_workloads
from weir.spec.errors import SpecError

_EPILOG = (
    "exit codes: 0 done or nothing to do, 1 a workload that was named is not in the repository, or an error"
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The verb's arguments."""
    parser.epilog = _EPILOG
    add_workload_arguments(parser)
    parser.add_argument("--all", action="store_true", help="all workloads that the stack's units render")
    parser.add_argument(
        "--exclude", action="append", default=[], metavar="WORKLOAD", help=f"not this one, {FORM}"
    )
    parser.add_argument(
        "--update-image", metavar="IMAGE", help="use this image, such as ghcr.io/org/app:1.2.3"
    )
    parser.add_argument(
        "--update-all-images", action="store_true", help="use the newest images that tag patterns let through"
    )
    parser.add_argument(
        "-c",
        "--container",
        action="append",
        default=[],
        metavar="NAME",
        help="only this container; may be repeated",
    )
    parser.add_argument(
        "--force",
        action="store_true",
        help="also locked workloads, and with --update-image also tags that do not match their pattern",
    )


def run(args: argparse.Namespace) -> int:
    """Commit the images and say which workload got which."""
    if bool(args.update_image) == args.update_all_images:
        expected = "either --update-image or --update-all-images"
        raise SpecError.at("weir release", "", found="both" if args.update_image else None, expected=expected)
    if bool(args.workload) == args.all:
        found = "both" if args.all else None
        raise SpecError.at("weir release", "", found=found, expected="either --workload or --all")
    named = [WorkloadName.parse(text) for text in args.workload]
    excluded = {WorkloadName.parse(text) for text in args.exclude}
    wanted = Wanted.parse(args.update_image or "", containers=args.container, force=args.force)
    try:
        present = look(open_stack(args))
        workloads = [name for name in named or rendered_workloads(present) if name not in excluded]
        request = Request(
            title="Release",
            command=release_command(present, wanted),
            message=args.message,
            user=args.user,
            dry_run=args.dry_run,
            everything=args.all,
        )
        return do(args, present, workloads, request)
    finally:
        Run.current().remove()
