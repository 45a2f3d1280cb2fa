"""What builders of new objects share: how flags become fields, and references texts."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from weir.spec.documents import Document
from weir.spec.errors import SpecError
from weir.spec.header import DEFAULT_NAMESPACE

Obj = dict[str, Any]
WHERE: Final = "weir create"


@dataclass(frozen=True, slots=True, kw_only=True)
class New:
    """One kind that can be created."""

    title: str
    """What it is called in messages."""
    add_arguments: Callable[[argparse.ArgumentParser], None]
    build: Callable[[argparse.Namespace], Obj]
    """The object in parsed arguments. Raises SpecError."""
    check: Callable[[Document], object]
    """Reads it back. Raises SpecError."""


def add_common_arguments(parser: argparse.ArgumentParser) -> None:
    """The object's name, namespace and labels."""
    parser.add_argument("name", metavar="NAME")
    parser.add_argument("-n", "--namespace", default=DEFAULT_NAMESPACE, help="default: flux-system")
    parser.add_argument(
        "--label", action="append", default=[], metavar="KEY=VALUE", help="a label of the object"
    )


def add_interval(parser: argparse.ArgumentParser) -> None:
    """`--interval`."""
    parser.add_argument("--interval", default="1m", help="how often to look (default: 1m)")


def described(args: argparse.Namespace, version: str, kind: str, **content: Any) -> Obj:
    """An object of a kind, with `spec` or other content."""
    labels = dict(_pair(text) for text in many(args.label))
    meta = {"name": args.name, "namespace": args.namespace, **({"labels": labels} if labels else {})}
    return {"apiVersion": version, "kind": kind, "metadata": meta, **content}


def filled(**fields: Any) -> Obj:
    """The fields that hold something."""
    return {name: value for name, value in fields.items() if value not in (None, "", (), [], {}, False)}


def named(name: str) -> Obj:
    """A reference by name, nothing for no name."""
    return {"name": name} if name else {}


def many(values: Iterable[str]) -> list[str]:
    """What a flag was given, once or often, each perhaps with commas between."""
    return [part.strip() for value in values for part in value.split(",") if part.strip()]


def reference(text: str, kind: str = "") -> Obj:
    """`[Kind/]name[.namespace]` as kind, name and namespace. Raises SpecError."""
    found, slash, rest = text.rpartition("/")
    name, dot, namespace = rest.rpartition(".")
    if not rest or not (found or kind) or (slash and not found) or (dot and not (name and namespace)):
        expected = "[Kind/]name[.namespace]" if kind else "Kind/name[.namespace]"
        raise SpecError.at(WHERE, "", found=text, expected=expected)
    return filled(kind=found or kind, name=name if dot else rest, namespace=namespace if dot else "")


def only_one(given: Mapping[str, object], *, needed: bool) -> None:
    """Refuse flags that exclude each other. Raises SpecError."""
    found = [flag for flag, value in given.items() if value]
    if len(found) > 1 or (needed and not found):
        text = " and ".join(found) or "none"
        raise SpecError.at(WHERE, "", found=text, expected=f"one of {', '.join(given)}")


def _pair(text: str) -> tuple[str, str]:
    key, equals, value = text.partition("=")
    if not equals or not key:
        raise SpecError.at(WHERE, "--label", found=text, expected="KEY=VALUE")
    return key, value
