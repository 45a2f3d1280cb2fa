"""`weir create KIND NAME`: a new object of Flux's kinds, printed or put into the stack's folder of objects."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Final

from weir.cli import _new_images, _new_notices, _new_secret, _new_units
from weir.cli._new import WHERE, New, Obj, add_common_arguments
from weir.cli._objects_folder import ObjectsFolder
from weir.cli._yaml import as_yaml
from weir.edges.pulumi.lock import write_whole
from weir.spec.documents import Document, read_documents
from weir.spec.errors import SpecError
from weir.spec.header import DEFAULT_NAMESPACE, read_header
from weir.spec.identity import UnitId

_KINDS: Final[dict[str, New | dict[str, New]]] = {
    "source": {"git": _new_units.GIT},
    "kustomization": _new_units.KUSTOMIZATION,
    "image": {
        "repository": _new_images.REPOSITORY,
        "policy": _new_images.POLICY,
        "update": _new_images.UPDATE,
    },
    "alert": _new_notices.ALERT,
    "alert-provider": _new_notices.PROVIDER,
    "receiver": _new_notices.RECEIVER,
    "secret": {
        "git": _new_secret.GIT,
        "githubapp": _new_secret.GITHUB_APP,
        "oci": _new_secret.REGISTRY,
        "proxy": _new_secret.PROXY,
        "receiver": _new_secret.RECEIVER,
        "tls": _new_secret.TLS,
    },
}
"""Flux's words for kinds."""
_ALIASES: Final = {"kustomization": ("ks",)}
_MODE: Final = 0o644


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The verb's arguments."""
    kinds = parser.add_subparsers(dest="kind", metavar="KIND", required=True)
    for word, found in _KINDS.items():
        if isinstance(found, New):
            _add(kinds.add_parser(word, aliases=_ALIASES.get(word, ())), found)
            continue
        parts = kinds.add_parser(word).add_subparsers(dest="part", metavar="KIND", required=True)
        for part, new in found.items():
            _add(parts.add_parser(part), new)


def _add(parser: argparse.ArgumentParser, new: New) -> None:
    parser.description = f"A new {new.title}."
    parser.set_defaults(new=new)
    add_common_arguments(parser)
    parser.add_argument("-s", "--stack", help="the stack whose folder of objects gets it")
    parser.add_argument("--config-file", type=Path, help="the stack's settings")
    parser.add_argument("--export", action="store_true", help="print it and write nothing")
    new.add_arguments(parser)


def run(args: argparse.Namespace) -> int:
    """Print the object, or write it to a file of its own."""
    new: New = args.new
    text = made(new, args)
    if args.export:
        sys.stdout.write(text)
        return 0
    if new.title == _new_secret.TITLE:
        hint = "pass --export and hand the output to kubectl or sops"
        raise SpecError.at(WHERE, "", found="a Secret", expected="something that may lie in files", hint=hint)
    if not args.stack:
        raise SpecError.at(WHERE, "", found="neither --stack nor --export", expected="one of them")
    place = ObjectsFolder.of(args)
    unit = read_header(_only(text)).id
    print(f"✚ generating {new.title}")
    path, done = _write(place, unit, text)
    print(f"✔ {unit} {done} in {path}; `weir up --stack {args.stack}` acts on it")
    return 0


def made(new: New, args: argparse.Namespace) -> str:
    """The object in parsed arguments as YAML that reads back as what was meant. Raises SpecError."""
    found: Obj = new.build(args)
    text = as_yaml([found])
    document = _only(text)
    new.check(document)
    if document.data != found:
        raise SpecError.at(WHERE, "", found="characters that YAML cannot hold", expected="printable text")
    return text


def _only(text: str) -> Document:
    return read_documents(text, WHERE)[0]


def _write(place: ObjectsFolder, unit: UnitId, text: str) -> tuple[Path, str]:
    """Write a file of the object's own, or replace it. Raises SpecError when it is declared in another way already."""
    space = "" if unit.namespace == DEFAULT_NAMESPACE else f"{unit.namespace}-"
    path = place.folder / f"{space}{unit.name}-{unit.kind.lower()}.yaml"
    known = place.find(unit)
    if known and (known[0][0] != path or len(read_documents(path.read_bytes(), path.name)) > 1):
        raise SpecError.at(
            str(known[0][0]), "", found=str(unit), expected="no such object", hint="edit that file"
        )
    if not known and path.exists():
        raise SpecError.at(
            str(path), "", found="another object", expected="no such file", hint="edit that file"
        )
    place.folder.mkdir(parents=True, exist_ok=True)
    write_whole(path, text.encode(), _MODE)
    return path, "updated" if known else "created"
