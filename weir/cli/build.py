"""`weir build kustomization NAME`: the objects of a unit as YAML, as a run would apply them."""

from __future__ import annotations

import argparse
import sys
from functools import partial

from weir.cli._kinds import kind_of, the_one
from weir.cli._overrides import add_override_arguments, read_overrides
from weir.cli._show import show_data, write
from weir.cli._stack import add_stack_arguments, open_stack
from weir.cli._yaml import as_yaml
from weir.cli.format_build import masked, ordered
from weir.edges.runs import Run
from weir.flow.build import build_unit
from weir.spec.errors import SpecError


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The verb's arguments."""
    parser.epilog = "Exit codes: 0 printed, 1 failed as the message says, 2 wrong usage."
    parser.add_argument("kind", metavar="KIND", help="kustomization")
    parser.add_argument("name", metavar="NAME", help="the unit's name")
    parser.add_argument("-n", "--namespace", help="the unit's namespace (default: any of the stack)")
    add_stack_arguments(parser)
    add_override_arguments(parser)
    parser.add_argument("--show-secrets", action="store_true", help="print secret values too, instead of ***")
    parser.add_argument("-o", "--output", choices=["yaml", "json"], default="yaml", help="form of the answer")


def run(args: argparse.Namespace) -> int:
    """Print the objects."""
    kind = kind_of(args.kind)
    if kind != "Kustomization":
        raise SpecError.at("weir build", "KIND", found=args.kind, expected="kustomization")
    choose = partial(the_one, kind=kind, name=args.name, namespace=args.namespace)
    try:
        built = build_unit(open_stack(args), read_overrides(args), choose)
    finally:
        Run.current().remove()
    for warning in built.warnings:
        print(f"⚠ {warning}", file=sys.stderr)
    shown = args.show_secrets
    objects = [obj if shown else masked(obj, built.confidential) for obj in map(ordered, built.objects)]
    if args.output == "json":
        show_data(objects, "json")
    else:
        write(as_yaml(objects))
    return 0
