"""`--ref` and `--path`: other content than what the sources hold."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Final

from weir.flow.source_work import Overrides
from weir.spec.errors import SpecError

EVERY: Final = "*"


def add_override_arguments(parser: argparse.ArgumentParser) -> None:
    """The two, each as often as there are sources."""
    parser.add_argument(
        "--ref",
        action="append",
        default=[],
        metavar="[SOURCE=]REF",
        help="look at this branch, tag, commit or full ref (refs/pull/7/head) instead of the sources' own; "
        "SOURCE is GitRepository/namespace/name, without it every source is meant",
    )
    parser.add_argument(
        "--path",
        action="append",
        default=[],
        metavar="[SOURCE=]FOLDER",
        help="look at a local folder instead of what the sources hold: it stands for a whole repository",
    )


def read_overrides(args: argparse.Namespace) -> Overrides:
    """What the arguments ask for. Raises SpecError."""
    refs = dict(_pair(text) for text in args.ref)
    folders = {source: _folder(path) for source, path in (_pair(text) for text in args.path)}
    return Overrides(refs=refs, folders=folders)


def _pair(text: str) -> tuple[str, str]:
    source, equals, value = text.partition("=")
    if equals and source.count("/") == 2:  # noqa: PLR2004 - Kind/namespace/name
        return source, value
    return EVERY, text


def _folder(path: str) -> Path:
    folder = Path(path)
    if not folder.is_dir():
        raise SpecError.at("--path", "", found=path, expected="a folder")
    return folder.resolve()
